"""Windows over event streams: how long they are, what their answer is called and what it counts.

What lives here: names and lengths. What does not: counting (mqk.engine).
"""

from __future__ import annotations

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.environment import ConstantRef
from mqk.quantity import NOUNS, format_duration


def noun_of(stream: str) -> str | None:
    """What the events of a stream are counted in: `trades` for `day_trades`."""
    noun = stream.rpartition("_")[2]
    return noun if noun in NOUNS else None


def window_length(node: syntax.Expr) -> tuple[int, str] | None:
    """The length of a window and its unit (`us`, `sessions`, `business_days`), when it is a literal or a constant."""
    value: syntax.Value | None = None
    if isinstance(node, syntax.Literal):
        value = node.value
    elif isinstance(node, syntax.Name) and isinstance(node.ref, ConstantRef):
        value = node.ref.value
    if type(value) is not int or node.type is None:
        return None
    if node.type.kind is t.Kind.SPAN:
        return value, node.type.noun
    return (value, "us") if node.type == t.DURATION else None


def window_slot(function: str, stream: str, length: tuple[int, str]) -> str:
    """The name of the input that carries a window's answer."""
    amount, unit = length
    span = format_duration(amount) if unit == "us" else f"{amount} {unit}"
    return f"{function}({stream} within {span})"


def window_attribute(slot: str) -> str:
    """The attribute of the `windows` view that carries one window: `rejects_5m`, `total_results_5_sessions`."""
    function, _, rest = slot.removesuffix(")").partition("(")
    stream, _, span = rest.partition(" within ")
    return f"{'total_' if function == 'total' else ''}{stream}_{span.replace(' ', '_')}"
