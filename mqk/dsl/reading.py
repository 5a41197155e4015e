"""What an expression reads and what it can cost at worst, definitions opened.

What lives here: questions about checked expressions that are not about their value.
"""

from __future__ import annotations

from collections.abc import Iterator

from mqk.dsl import syntax
from mqk.dsl.environment import DerivedRef

MAX_COST = 100_000
"""No expression may need more nodes judged than this, whatever the facts."""


def opened(expr: syntax.Expr) -> Iterator[syntax.Expr]:
    """The expression and everything below it, with the definitions that its names stand for."""
    pending = [expr]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, syntax.Name) and isinstance(node.ref, DerivedRef):
            pending.append(node.ref.definition)
        pending += reversed(list(node.children()))


def cost(expr: syntax.Expr) -> int:
    """How many nodes are judged at worst: of a choice the dearer branch, of a quantifier once for every element."""
    match expr:
        case syntax.Name(ref=DerivedRef(definition=definition)):
            return cost(definition)
        case syntax.If():
            # A table is a long chain of these.
            spent, dearest = 0, 0
            below: syntax.Expr = expr
            while isinstance(below, syntax.If):
                spent += 1 + cost(below.condition)
                dearest = max(dearest, spent + cost(below.then))
                below = below.otherwise
            return max(dearest, spent + cost(below))
        case syntax.Quantified(ref=ref):
            each = 1 + sum(cost(child) for child in expr.children())
            return 1 + (ref.maximum if ref is not None else 1) * each
        case _:
            return 1 + sum(cost(child) for child in expr.children())
