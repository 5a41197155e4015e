"""Which symbols a rule is about: what lets a guard leave out, at no cost, the rules of all other symbols.

A rule is about certain symbols when its `when` says so in a condition of its own, `order.symbol == SPY` or
`order.symbol in [SPY, QQQ]`, alone or joined to others with `and`. That condition then goes first: for any other symbol
nothing of the rule is judged, and so nothing of it can be an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mqk.dsl import ConstantRef, syntax
from mqk.guards.points import Point

INDEXED: Mapping[Point, str] = MappingProxyType(
    {Point.ORDER: "order.symbol", Point.BAR: "bar.symbol", Point.FEED: "feed.symbol"}
)
"""The fact that holds the symbol at each point where rules are kept by it."""


def symbols_of(when: syntax.Expr | None, fact: str) -> frozenset[str] | None:
    """The symbols that a condition confines `fact` to; None when it does not."""
    match when:
        case syntax.Connective(op="and", operands=operands):
            found: frozenset[str] | None = None
            for operand in operands:
                each = symbols_of(operand, fact)
                if each is not None:
                    found = each if found is None else found & each
            return found
        case syntax.Compare(operands=(left, right), ops=("==",)):
            for side, other in ((left, right), (right, left)):
                if _is(side, fact):
                    return _words(other)
            return None
        case syntax.Member(item=item, container=container, negated=False) if _is(item, fact):
            return _words(container)
        case _:
            return None


def _is(expr: syntax.Expr, fact: str) -> bool:
    return isinstance(expr, syntax.Name) and expr.path == fact


def _words(expr: syntax.Expr) -> frozenset[str] | None:
    """The words of a constant or a set written out."""
    match expr:
        case syntax.Symbol(text=text):
            return frozenset({text})
        case syntax.SetOf(items=items):
            words = [item.text for item in items if isinstance(item, syntax.Symbol)]
            return frozenset(words) if len(words) == len(items) else None
        case syntax.Name(ref=ConstantRef(value=str(word))):
            return frozenset({word})
        case syntax.Name(ref=ConstantRef(value=frozenset() as words)):
            return words
        case _:
            return None
