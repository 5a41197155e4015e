"""The comparisons with a limit in which a rule says how much of it is used: what headroom is measured on.

What lives here: finding them. What does not: measuring (headroom.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mqk.dsl import ConstantRef, DerivedRef, syntax
from mqk.dsl.reading import opened
from mqk.dsl.types import SCALAR_KINDS
from mqk.guards import Guard, GuardRule

_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Clause:
    """`used op bound`, where `bound` reads one limit, and `used` none. A cap has `<` or `<=`, a floor the others.

    A `proportional` bound is the limit times something: then a limit can be found for every amount used.
    """

    rule: GuardRule
    limit: ConstantRef
    op: str
    used: syntax.Expr
    bound: syntax.Expr
    proportional: bool

    @property
    def cap(self) -> bool:
        """Whether the limit holds from above."""
        return self.op in ("<", "<=")


def clauses_of(guard: Guard) -> Iterator[Clause]:
    """The clauses of all rules of a guard, in order."""
    for rule in guard.rules:
        for part in _joined(rule.require):
            clause = _clause(rule, part)
            if clause is not None:
                yield clause


def _joined(expr: syntax.Expr) -> Iterator[syntax.Expr]:
    match expr:
        case syntax.Connective(op="and", operands=operands):
            for operand in operands:
                yield from _joined(operand)
        case syntax.Name(ref=DerivedRef(definition=definition)):
            yield from _joined(definition)
        case _:
            yield expr


def _clause(rule: GuardRule, expr: syntax.Expr) -> Clause | None:
    match expr:
        case syntax.Compare(operands=(left, right), ops=(op,)) if op in _MIRRORED:
            for used, bound, said in ((left, right, op), (right, left, _MIRRORED[op])):
                limits = _limits(bound)
                if len(limits) == 1 and not _limits(used):
                    (limit,) = limits.values()
                    if limit.type.kind in SCALAR_KINDS:
                        return Clause(rule, limit, said, used, bound, _is_multiple(bound, limit.name))
    return None


def _limits(expr: syntax.Expr) -> dict[str, ConstantRef]:
    return {
        node.ref.name: node.ref
        for node in opened(expr)
        if isinstance(node, syntax.Name) and isinstance(node.ref, ConstantRef) and node.path.startswith("limits.")
    }


def _is_multiple(expr: syntax.Expr, limit: str) -> bool:
    """Whether an expression is the limit, or the limit times something that does not read it."""
    match expr:
        case syntax.Name(path=path):
            return path == limit
        case syntax.Arithmetic(op="*" | "of", left=left, right=right):
            sides = [(left, right), (right, left)]
            return any(_is_multiple(one, limit) and limit not in _limits(other) for one, other in sides)
        case _:
            return False
