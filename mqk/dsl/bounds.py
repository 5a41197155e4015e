"""What certainly holds while some facts move within bounds: an expression rewritten to its worst case.

What lives here: one pass over a checked expression. Each fact that may move is replaced, occurrence by occurrence, by
its lowest or its highest value, whichever is worse for the truth of the whole (interval arithmetic, exact: no value is
rounded). If the rewritten expression is true, the original is true for every value within the bounds. The converse need
not be so. What does not: choosing bounds, and judging.

A moving fact `account.equity` is written `account_low.equity` or `account_high.equity`; a field `p.price` of a moving
collection `p.price_low` or `p.price_high`. Views of those names supply them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from mqk.dsl import syntax
from mqk.dsl.environment import ConstantRef, DerivedRef, ElementRef, FactRef

# On which side a comparison is worst for its truth: the end of the left operand; the right one takes the other.
_WORST: Final = {"<": "high", "<=": "high", ">": "low", ">=": "low"}
_OTHER: Final = {"low": "high", "high": "low"}


class Unbounded(Exception):
    """The worst case cannot be written down: what moves is used in a way that is not monotone."""


class Bounds:
    """Rewrites expressions in which the facts `moving` move, and of every element the fields `fields`."""

    def __init__(self, moving: Collection[str], fields: Collection[str] = ()) -> None:
        self._moving = frozenset(moving)
        self._fields = frozenset(fields)

    def certain(self, expr: syntax.Expr) -> syntax.Expr:
        """A condition that implies `expr` wherever the facts are within their bounds. Raises Unbounded."""
        return self._truth(expr, worst=True)

    def possible(self, expr: syntax.Expr) -> syntax.Expr:
        """A condition that `expr` implies wherever the facts are within their bounds. Raises Unbounded."""
        return self._truth(expr, worst=False)

    def moves(self, expr: syntax.Expr) -> bool:
        """Whether anything in it moves, definitions opened."""
        for node in syntax.walk(expr):
            if not isinstance(node, syntax.Name):
                continue
            match node.ref:
                case FactRef(name=name) if name in self._moving:
                    return True
                case ElementRef(field=field) if field in self._fields:
                    return True
                case DerivedRef(definition=definition) if self.moves(definition):
                    return True
        return any(
            isinstance(node, syntax.Window) and node.slot is not None and node.slot in self._moving
            for node in syntax.walk(expr)
        )

    def _truth(self, expr: syntax.Expr, *, worst: bool) -> syntax.Expr:
        if not self.moves(expr):
            return expr
        match expr:
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._truth(definition, worst=worst)
            case syntax.Not(operand=operand):
                return replace(expr, operand=self._truth(operand, worst=not worst))
            case syntax.Connective(operands=operands):
                return replace(expr, operands=tuple(self._truth(each, worst=worst) for each in operands))
            case syntax.Compare(operands=(left, right), ops=(op,)) if op in _WORST:
                end = _WORST[op] if worst else _OTHER[_WORST[op]]
                return replace(expr, operands=(self._number(left, end), self._number(right, _OTHER[end])))
            case syntax.If(condition=condition, then=then, otherwise=otherwise) if not self.moves(condition):
                return replace(expr, then=self._truth(then, worst=worst), otherwise=self._truth(otherwise, worst=worst))
            case syntax.Quantified(kind="some" | "every", where=where, body=body) if body is not None and (
                where is None or not self.moves(where)
            ):
                return replace(expr, body=self._truth(body, worst=worst))
            case _:
                raise Unbounded

    def _number(self, expr: syntax.Expr, end: str) -> syntax.Expr:
        """The lowest or the highest that a number can come to."""
        if not self.moves(expr):
            return expr
        match expr:
            case syntax.Name(ref=DerivedRef(definition=definition)):
                return self._number(definition, end)
            case syntax.Name(ref=FactRef(name=name) as fact):
                view, _, rest = name.partition(".")
                moved = f"{view}_{end}.{rest}"
                return replace(expr, path=moved, ref=replace(fact, name=moved))
            case syntax.Name(ref=ElementRef(field=field) as element, path=path):
                return replace(expr, path=f"{path}_{end}", ref=replace(element, field=f"{field}_{end}"))
            case syntax.Window(slot=str()):
                # Events only grow old while nothing new happens: none at the least, and as many as there are.
                if end == "high":
                    return expr
                return syntax.Literal(start=expr.start, end=expr.end, type=expr.type, kind="count", text="0", value=0)
            case syntax.Negate(operand=operand):
                return replace(expr, operand=self._number(operand, _OTHER[end]))
            case syntax.Arithmetic(op="+", left=left, right=right):
                return replace(expr, left=self._number(left, end), right=self._number(right, end))
            case syntax.Arithmetic(op="-", left=left, right=right):
                return replace(expr, left=self._number(left, end), right=self._number(right, _OTHER[end]))
            case syntax.Arithmetic(op="*" | "of", left=left, right=right) if _sign(left) is not None:
                return replace(expr, right=self._number(right, end if _sign(left) else _OTHER[end]))
            case syntax.Arithmetic(op="*" | "/", left=left, right=right) if _sign(right) is not None:
                return replace(expr, left=self._number(left, end if _sign(right) else _OTHER[end]))
            case syntax.Call(function="min" | "max", arguments=arguments):
                return replace(expr, arguments=tuple(self._number(each, end) for each in arguments))
            case syntax.If(condition=condition, then=then, otherwise=otherwise) if not self.moves(condition):
                return replace(expr, then=self._number(then, end), otherwise=self._number(otherwise, end))
            case syntax.Quantified(kind="sum", where=where, body=body) if body is not None and (
                where is None or not self.moves(where)
            ):
                return replace(expr, body=self._number(body, end))
            case _:
                raise Unbounded


def _sign(expr: syntax.Expr) -> bool | None:
    """Whether a constant is zero or above; None for what is no constant."""
    match expr:
        case syntax.Literal(value=value) | syntax.Name(ref=ConstantRef(value=value)):
            return None if isinstance(value, str | frozenset) or value is None else value >= 0
        case syntax.Negate(operand=operand):
            below = _sign(operand)
            return None if below is None else not below
        case _:
            return None
