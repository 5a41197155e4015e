"""What tells expressions apart by what they say, whatever they are written like.

What lives here: one value per meaning, to compare and to look up by. What does not: whether two meanings come to the
same, which is a question of proof.
"""

from __future__ import annotations

from mqk.dsl import syntax
from mqk.dsl.environment import ConstantRef, DerivedRef


def meaning(expr: syntax.Expr | None) -> object:
    """What a checked expression says: constants by their value, definitions opened, places left out."""
    match expr:
        case None:
            return None
        case syntax.Name(ref=ConstantRef(value=value, type=kind)) | syntax.Literal(value=value, type=kind):
            return ("value", kind, value)
        case syntax.Name(ref=DerivedRef(definition=definition)):
            return meaning(definition)
        case syntax.Name(path=path):
            return ("name", path)
        case syntax.Symbol(text=text):
            return ("word", text)
        case syntax.Window(slot=slot):
            return ("window", slot)
        case syntax.Quantified():
            said = (expr.kind, expr.variable, expr.collection)
            return ("elements", said, meaning(expr.where), meaning(expr.body))
        case _:
            own = tuple(getattr(expr, name) for name in ("op", "ops", "negated", "function") if hasattr(expr, name))
            return (type(expr).__name__, own, tuple(meaning(child) for child in expr.children()))
