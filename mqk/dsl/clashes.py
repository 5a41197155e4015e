"""Words for types that do not go together, and what was probably meant.

What lives here: wording. What does not: deciding what goes together (types.py, check.py).
"""

from __future__ import annotations

from fractions import Fraction

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.quantity import format_ratio


def a(kind: t.Type) -> str:
    """A type with its article, as a message names it."""
    text = str(kind)
    if kind.kind in (t.Kind.MONEY, t.Kind.TEXT, t.Kind.BOOL, t.Kind.ENUM):
        return text
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def clash(op: str, left: t.Type, right: t.Type) -> str:
    """Why an operation does not apply to these types."""
    match op:
        case "+":
            return f"{a(left)} and {a(right)} do not add"
        case "-":
            return f"{a(right)} cannot be taken from {a(left)}"
        case "*":
            return f"{a(left)} and {a(right)} do not multiply"
        case "/":
            return f"{a(left)} cannot be divided by {a(right)}"
        case _:
            return f"`of` takes a ratio of an amount, found {a(left)} of {a(right)}"


def clash_help(op: str, left: syntax.Expr, right: syntax.Expr) -> str | None:
    """What was probably meant, when it can be told."""
    assert left.type is not None
    assert right.type is not None
    for literal_side, other in ((left, right), (right, left)):
        if isinstance(literal_side, syntax.Literal) and literal_side.kind == "number":
            written, kind = literal_side.text, other.type.kind if other.type else None
            if kind is t.Kind.RATIO or op == "of":
                return f"write `{format_ratio(Fraction(written.replace('_', '')))}` or `{written}%`"
            if kind is t.Kind.MONEY:
                return f"write `{written} USD`"
            if kind is t.Kind.DURATION:
                return f"write `{written}s` or `{written}m`"
    for side, other in ((left, right), (right, left)):
        if isinstance(side, syntax.Literal) and side.kind == "text" and other.type is not None:
            return f"write {side.text[1:-1].upper()} without quotes"
    kinds = {left.type.kind, right.type.kind}
    if kinds == {t.Kind.RATIO, t.Kind.MONEY}:
        return "say of what: `limits.max_position of account.equity`"
    if left.type.kind is right.type.kind is t.Kind.MONEY:
        return "amounts of different currencies do not mix"
    return None
