"""Why a rule said what it said: the comparison that decided, its observed value, its limit and the room between them.

Everything is found by asking the reference interpreter again about parts of the rule; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from mqk.dsl import ConstantRef, EvaluationError, Lookup, evaluate, format_expression, syntax
from mqk.dsl.environment import DerivedRef, ElementRef, FactRef
from mqk.dsl.evaluate import meant, only_presence
from mqk.dsl.reading import opened
from mqk.dsl.types import ORDERED_KINDS, Kind
from mqk.guards.values import format_value

_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_WORDS = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to", "!=": "other than"}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The deciding comparison in written form; `limits` are the limits it reads, by name."""

    observed: str | None
    limit: str | None
    headroom: str | None
    message: str
    limits: tuple[str, ...]


def explain(expr: syntax.Expr, lookup: Lookup, written: Mapping[str, str], *, holds: bool) -> Explanation:
    """Explain why `expr` holds, or does not. `written` gives limits as they are written, `limits.` and name to text."""
    clause = _deciding(expr, lookup, holds)
    limits = tuple(dict.fromkeys(name for name in _limits(clause)))
    match clause:
        case syntax.Compare():
            return _comparison(clause, lookup, written, limits, holds)
        case syntax.Member(item=item, container=container, negated=negated):
            observed, members = _written(item, lookup), _written(container, lookup)
            wanted = f"{'none' if negated else 'one'} of {members}"
            message = f"`{format_expression(item)}` is {observed}, {'' if holds else 'must be '}{wanted}"
            return Explanation(observed, members, None, message, limits)
        case syntax.Quantified(kind="some" | "every"):
            return _element(clause, lookup, written, limits, holds)
        case _:
            observed = _written(clause, lookup)
            wanted = "true" if not holds and observed == "false" else "false" if not holds else observed
            message = f"`{format_expression(clause)}` is {observed}" + ("" if holds else f", must be {wanted}")
            return Explanation(observed, wanted, None, message, limits)


def _element(
    clause: syntax.Quantified, lookup: Lookup, written: Mapping[str, str], limits: tuple[str, ...], holds: bool
) -> Explanation:
    """What the element that settles it says; the whole clause when no single one does."""
    assert clause.body is not None
    settles = clause.kind == "some"
    if holds is settles:
        for inside in meant(clause, lookup):
            if bool(evaluate(clause.body, inside)) is settles:
                why = explain(clause.body, inside, written, holds=holds)
                symbol = getattr(inside.element, "symbol", None)
                whom = f" for {symbol}" if isinstance(symbol, str) else ""
                return replace(why, message=f"{why.message}{whom}")
    known = "true" if holds else "false"
    says = "is true" if holds else "is false, must be true"
    return Explanation(known, "true", None, f"`{format_expression(clause)}` {says}", limits)


def _deciding(expr: syntax.Expr, lookup: Lookup, holds: bool) -> syntax.Expr:
    """The smallest part of `expr` that settles it: the first false operand of `and`, the last one of `or`."""
    match expr:
        case syntax.Connective(op=op, operands=operands):
            agreeing = [o for o in operands if _truth(o, lookup) is holds]
            candidates = [o for o in agreeing if _speaks(o)] or agreeing or list(operands)
            return _deciding(candidates[0] if op == "and" else candidates[-1], lookup, holds)
        case syntax.If(condition=condition, then=then, otherwise=otherwise):
            return _deciding(then if _truth(condition, lookup) else otherwise, lookup, holds)
        case syntax.Name(path=path, ref=DerivedRef(definition=definition)) if "." not in path:
            return _deciding(definition, lookup, holds)  # a policy's own name says no more than what it stands for
        case syntax.Name(ref=DerivedRef(definition=definition)):
            return expr if not isinstance(definition, syntax.Compare | syntax.Quantified) else definition
        case _:
            return expr


def _truth(expr: syntax.Expr, lookup: Lookup) -> bool | None:
    try:
        return bool(evaluate(expr, lookup))
    except EvaluationError:
        return None


def _speaks(expr: syntax.Expr) -> bool:
    """Whether an operand says something about the world rather than about the policy or about presence."""
    if only_presence(expr):
        return False
    return any(
        isinstance(node, syntax.Window | syntax.Quantified)
        or (isinstance(node, syntax.Name) and isinstance(node.ref, FactRef | DerivedRef | ElementRef))
        for node in syntax.walk(expr)
    )


def _limits(expr: syntax.Expr) -> Iterator[str]:
    for node in opened(expr):
        if isinstance(node, syntax.Name) and isinstance(node.ref, ConstantRef) and node.path.startswith("limits."):
            yield node.path.split(".")[1]


def _comparison(
    expr: syntax.Compare, lookup: Lookup, written: Mapping[str, str], limits: tuple[str, ...], holds: bool
) -> Explanation:
    left, op, right = _pair(expr, lookup, holds)
    if _is_limit(left) and not _is_limit(right):
        left, op, right = right, _MIRRORED[op], left
    observed, limit = _written(left, lookup), _as_written(right, lookup, written)
    headroom = _headroom(left, op, right, lookup)
    bound = format_expression(right)
    # The limit that decided is the one on the bound's side; others in the clause only had a part in the observed value.
    limits = tuple(dict.fromkeys(_limits(right))) or limits
    shown = limit if bound.replace("_", "") == limit.replace("_", "") else f"{limit} (`{bound}`)"
    must = "" if holds else "must be "
    message = f"`{format_expression(left)}` is {observed}, {must}{_WORDS[op]} {shown}"
    return Explanation(observed, limit, headroom, message, limits)


def _pair(expr: syntax.Compare, lookup: Lookup, holds: bool) -> tuple[syntax.Expr, str, syntax.Expr]:
    pairs = list(zip(expr.operands, expr.ops, expr.operands[1:], strict=False))
    for left, op, right in pairs:
        single = syntax.Compare(start=left.start, end=right.end, operands=(left, right), ops=(op,))
        if _truth(single, lookup) is holds:
            return left, op, right
    return pairs[0]


def _is_limit(expr: syntax.Expr) -> bool:
    """Whether a side is the bound: it reads a limit, or no fact at all."""
    nodes = list(opened(expr))
    if any(isinstance(n, syntax.Name) and isinstance(n.ref, ConstantRef) for n in nodes):
        return not any(isinstance(n, syntax.Window | syntax.Quantified) for n in nodes)
    return not any(isinstance(n, syntax.Name | syntax.Window | syntax.Quantified) for n in nodes)


def _headroom(left: syntax.Expr, op: str, right: syntax.Expr, lookup: Lookup) -> str | None:
    kind = left.type if left.type is not None and left.type.kind is not Kind.NUMBER else right.type
    if kind is None or kind.kind not in ORDERED_KINDS or op in ("==", "!="):
        return None
    if kind.kind in (Kind.INSTANT, Kind.TIME, Kind.DATE, Kind.SPAN):
        return None
    a, b = evaluate(left, lookup), evaluate(right, lookup)
    assert isinstance(a, int | Fraction)
    assert isinstance(b, int | Fraction)
    return format_value(b - a if op in ("<", "<=") else a - b, kind)


def _as_written(expr: syntax.Expr, lookup: Lookup, written: Mapping[str, str]) -> str:
    """A bound in the words of whoever set it, where it is one written value; else computed."""
    if isinstance(expr, syntax.Literal):
        return expr.text
    if isinstance(expr, syntax.Name) and expr.path in written:
        return written[expr.path]
    return _written(expr, lookup)


def _written(expr: syntax.Expr, lookup: Lookup) -> str:
    assert expr.type is not None
    return format_value(evaluate(expr, lookup), expr.type)
