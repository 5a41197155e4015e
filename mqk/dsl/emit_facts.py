"""What generated code needs to know about an expression: what it computes, of what it is made, whether it can raise.

Questions only; emit_python.py writes the code.
"""

from __future__ import annotations

from collections.abc import Iterable

from mqk.dsl import syntax
from mqk.dsl.environment import DerivedRef, ElementRef, FactRef
from mqk.dsl.format import format_expression


def key_of(expr: syntax.Expr) -> str:
    """What an expression computes, as text: equal keys compute equal values."""
    if isinstance(expr, syntax.Name) and isinstance(expr.ref, DerivedRef):
        return key_of(expr.ref.definition)
    return format_expression(expr)


def inlined(expr: syntax.Expr) -> Iterable[syntax.Expr]:
    """Every node that generated code computes, definitions included."""
    pending = [expr]
    while pending:
        node = pending.pop()
        yield node
        while isinstance(node, syntax.Name) and isinstance(node.ref, DerivedRef):
            # It is computed once, under the name or without it.
            node = node.ref.definition
        pending += reversed(list(node.children()))


def may_raise(expr: syntax.Expr) -> bool:
    """Whether computing an expression can raise after its facts were read: an optional fact, or a division."""
    return any(
        (isinstance(node, syntax.Name) and isinstance(node.ref, FactRef | ElementRef) and node.ref.optional)
        or (isinstance(node, syntax.Arithmetic) and node.op == "/")
        or (isinstance(node, syntax.Call) and node.function == "multiple_of")
        for node in inlined(expr)
    )
