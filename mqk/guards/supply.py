"""Facts that nobody supplies in an engine's mode: a condition that needs one could only ever be an error.

What lives here: finding them. What does not: which fact is supplied where (the catalogue says so).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mqk.dsl import FactRef, syntax
from mqk.dsl.reading import opened
from mqk.guards.catalogue import facts_at
from mqk.guards.points import Point

_MODE = "run.mode"


def unsupplied(when: syntax.Expr | None, parts: Sequence[syntax.Expr], point: Point, mode: str) -> list[str]:
    """The facts that `parts` read and nobody supplies in `mode`, by name.

    A fact that is asked for with `present` may be missing, and what `when` keeps to other modes needs none in this one.
    """
    if when is not None and _excludes(when, mode):
        return []
    nodes = [node for part in parts for node in opened(part)]
    asked = {node.fact.path for node in nodes if isinstance(node, syntax.Present)}
    read = {node.path for node in nodes if isinstance(node, syntax.Name) and isinstance(node.ref, FactRef)}
    known = facts_at(point)
    return sorted(name for name in read - asked if name in known and mode not in known[name].modes)


def _excludes(when: syntax.Expr, mode: str) -> bool:
    return any(_never(each, mode) for each in _joined(when))


def _joined(expr: syntax.Expr) -> Iterator[syntax.Expr]:
    if isinstance(expr, syntax.Connective) and expr.op == "and":
        for operand in expr.operands:
            yield from _joined(operand)
    else:
        yield expr


def _never(expr: syntax.Expr, mode: str) -> bool:
    """Whether a condition on the mode alone is false in a mode."""
    match expr:
        case syntax.Compare(operands=(left, right), ops=(("==" | "!=") as op,)):
            names = [side.path for side in (left, right) if isinstance(side, syntax.Name)]
            words = [side.text for side in (left, right) if isinstance(side, syntax.Symbol)]
            return names == [_MODE] and len(words) == 1 and (words[0] == mode) is (op == "!=")
        case syntax.Member(item=syntax.Name(path="run.mode"), container=syntax.SetOf(items=items), negated=negated):
            named = [item.text for item in items if isinstance(item, syntax.Symbol)]
            return (mode in named) is negated
        case _:
            return False
