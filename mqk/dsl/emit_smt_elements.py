"""What is said of the elements of bounded collections, for the solver.

What lives here: `some`, `every`, `sum of` and `count of`. What does not: all other expressions (emit_smt.py).

A collection is modelled by a few of its elements. For `some` and `every` that is exact, not a guess: what one of them
says of a whole collection it says of one element that shows it (that holds, fails or is an error), so that two elements
for each of them are all that ever matters. A sum or a count speaks of all elements; it is an unknown of its own, of
which only is known what the chosen elements tell: its sign, and a count that is no less than theirs.

With `slots` the collection has so many elements and no more, and everything said of it is exact: good for finding a
moment, and no proof that there is none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import z3

from mqk.dsl import syntax
from mqk.dsl.emit_smt_numbers import Term, constant, plus
from mqk.dsl.emit_smt_terms import TRUE, Encoded, Unknown, every, implied, some
from mqk.dsl.environment import CollectionRef
from mqk.dsl.meaning import meaning
from mqk.dsl.syntax import free_variables
from mqk.dsl.types import Kind

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder


@dataclass(slots=True)
class Element:
    """One element: whether it is there, and its fields as far as they were asked for."""

    name: str
    there: Term
    ref: CollectionRef
    fields: dict[str, Unknown] = field(default_factory=dict)


# What was said, and the unknowns that stand for its value and for whether it has one.
_Said = tuple[syntax.Quantified, Any, Term]


@dataclass(slots=True)
class Collected:
    """One collection: whether it can be used, its elements, what is said of it, and of that what stays open."""

    ref: CollectionRef
    usable: Term
    elements: list[Element] = field(default_factory=list)
    said: dict[object, _Said] = field(default_factory=dict)
    open: dict[object, _Said] = field(default_factory=dict)


def quantified(encoder: Encoder, expr: syntax.Quantified) -> Encoded:
    """What is said of a collection, and when it is defined."""
    assert expr.ref is not None
    found = encoder.collected(expr.ref)
    if encoder.slots is not None:
        return _over(encoder, expr, found)
    inner = free_variables(expr) & encoder.scope.keys()
    key = (meaning(expr), tuple(sorted((name, encoder.scope[name].name) for name in inner)))
    # What is said of one collection for each element of another stays open.
    known = found.open if inner else found.said
    if key not in known:
        known[key] = (expr, *_fresh(encoder, expr, f"{len(found.open)} {len(found.said)}"))
        encoder.loose |= bool(inner)
    _, value, defined = known[key]
    return Encoded(value, every([found.usable, defined]))


def _fresh(encoder: Encoder, expr: syntax.Quantified, number: str) -> tuple[Any, Term]:
    defined = z3.Bool(f"{expr.collection} {number} defined")
    if expr.kind in ("some", "every"):
        return z3.Bool(f"{expr.collection} {number}"), defined
    encoder.loose = True
    whole = expr.kind == "count" or (expr.type is not None and expr.type.kind is not Kind.RATIO and _plain(expr))
    sort = z3.IntSort() if whole else z3.RealSort()
    return encoder.algebra.unknown(z3.Const(f"{expr.collection} {number}", sort)), defined


def _plain(expr: syntax.Quantified) -> bool:
    """Whether what is added up is a field as it is, and the sum of such is whole."""
    return isinstance(expr.body, syntax.Name)


def close(encoder: Encoder) -> list[Term]:
    """What the chosen elements tell about everything that was said of their collections."""
    if encoder.slots is not None:
        return []
    sizes: list[int] = []
    # What is said of the elements may say something of another collection, or of the same one.
    while (now := [len(each.said) for each in encoder.collections.values()]) != sizes:
        sizes = now
        for each in list(encoder.collections.values()):
            encoder.grow(each, min(2 * len(each.said), each.ref.maximum))
            for expr, _, _ in list(each.said.values()):
                for element in each.elements:
                    encoder.within(expr, element)
    return [
        term
        for each in encoder.collections.values()
        for expr, value, defined in each.said.values()
        for term in _told(encoder, each, expr, value, defined)
    ]


def _told(encoder: Encoder, found: Collected, expr: syntax.Quantified, value: Any, defined: Term) -> list[Term]:
    chosen = [_judged(encoder, expr, element) for element in found.elements]
    meant, bodies = [each for each, _, _ in chosen], [body for _, body, _ in chosen]
    compare, algebra = encoder.algebra.compare, encoder.algebra
    match expr.kind:
        case "some":
            told = [value == some(every([a, b]) for a, b in zip(meant, bodies, strict=True))]
        case "every":
            told = [value == every(implied(a, b) for a, b in zip(meant, bodies, strict=True))]
        case "count":
            number = algebra.term(value.over)
            seen = z3.Sum([z3.If(each, 1, 0) for each in meant])
            told = [number >= seen, number <= found.ref.maximum, z3.Implies(number >= 1, some(meant))]
        case _:
            told = [
                z3.Implies(
                    compare(op, value, constant(0)),
                    some(every([a, compare(op, b, constant(0))]) for a, b in zip(meant, bodies, strict=True)),
                )
                for op in (">", "<")
            ]
    # Without definition a value says nothing, and laws about it may be broken.
    return [defined == every(fine for _, _, fine in chosen), *(z3.Implies(defined, each) for each in told)]


def _judged(encoder: Encoder, expr: syntax.Quantified, element: Element) -> tuple[Term, Any, Term]:
    """Of one element: whether it is meant, what the body is worth for it, and whether judging it raises nothing."""
    where, body = encoder.within(expr, element)
    meant = TRUE if where is None else where.value
    parts = [] if where is None else [where.defined]
    if body is not None:
        parts.append(implied(meant, body.defined))
    return every([element.there, meant]), None if body is None else body.value, implied(element.there, every(parts))


def _over(encoder: Encoder, expr: syntax.Quantified, found: Collected) -> Encoded:
    """What is said of exactly the elements there are."""
    assert encoder.slots is not None
    encoder.grow(found, min(encoder.slots, found.ref.maximum))
    chosen = [_judged(encoder, expr, element) for element in found.elements]
    defined = every([found.usable, *(fine for _, _, fine in chosen)])
    if expr.kind == "some":
        return Encoded(some(every([meant, body]) for meant, body, _ in chosen), defined)
    if expr.kind == "every":
        return Encoded(every(implied(meant, body) for meant, body, _ in chosen), defined)
    total = constant(0)
    for meant, body, _ in chosen:
        each = constant(1) if body is None else body
        total = plus(total, encoder.algebra.choose(meant, each, constant(0)))
    return Encoded(total, defined)
