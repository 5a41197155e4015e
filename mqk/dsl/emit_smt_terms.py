"""What the solver's reading of an expression is made of: pairs of value and definition, unknowns, truth without noise.

What lives here: the parts that emit_smt.py and emit_smt_elements.py share. What does not: walking expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import z3

from mqk.dsl import syntax
from mqk.dsl.emit_smt_numbers import Ratio, Term
from mqk.dsl.types import Kind, Type

WHOLE: Final = frozenset(
    {
        Kind.MONEY,
        Kind.QUANTITY,
        Kind.COUNT,
        Kind.NUMBER,
        Kind.DURATION,
        Kind.INSTANT,
        Kind.TIME,
        Kind.DATE,
        Kind.SPAN,
    }
)
WORDS: Final = frozenset({Kind.SYMBOL, Kind.ENUM, Kind.TEXT})


@dataclass(frozen=True, slots=True)
class Members:
    """A set: each word that may be in it, with the condition under which it is."""

    words: tuple[tuple[Term, Term], ...]


# A truth or a word is a term of the solver; a number a Ratio; a set its members.
Held = Term | Ratio | Members


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an expression is worth, and when: `value` says nothing where `defined` is false."""

    value: Any
    defined: Term


@dataclass(frozen=True, slots=True)
class Unknown:
    """A fact or a window as unknowns: `value`, whether it is `usable`, and whether it is `present`."""

    name: str
    type: Type
    value: Term
    usable: Term
    present: Term
    window: syntax.Window | None = None


TRUE: Final = z3.BoolVal(True)


def every(terms: Iterable[Term]) -> Term:
    """All of them, in as few words as it takes."""
    kept = [term for term in terms if not z3.is_true(term)]
    return z3.And(kept) if len(kept) > 1 else kept[0] if kept else z3.BoolVal(True)


def some(terms: Iterable[Term]) -> Term:
    """At least one of them."""
    kept = [term for term in terms if not z3.is_false(term)]
    return z3.Or(kept) if len(kept) > 1 else kept[0] if kept else z3.BoolVal(False)


def negation(term: Term) -> Term:
    """The opposite."""
    return term.arg(0) if z3.is_not(term) else z3.Not(term)


def implied(condition: Term, term: Term) -> Term:
    """The term wherever the condition holds."""
    return term if z3.is_true(condition) or z3.is_true(term) else z3.Implies(condition, term)


def defined(parts: Sequence[Encoded]) -> list[Term]:
    """When each of some expressions is defined."""
    return [part.defined for part in parts]


def unknown_term(name: str, kind: Type) -> Term:
    """An unknown of a type."""
    match kind.kind:
        case Kind.BOOL:
            return z3.Bool(name)
        case Kind.RATIO:
            return z3.Real(name)
        case _ if kind.kind in WHOLE or kind.kind in WORDS:
            return z3.Int(name)
        case _:
            raise AssertionError(f"no fact is {kind}")
