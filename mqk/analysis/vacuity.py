"""Rules that say nothing: those that no moment breaches, and those that every moment breaches.

What lives here: the two questions, with the bundle's own limits. What does not: whether a rule is right.

A switch is no fault: with `allow_short: true` the rule that it governs is meant to say nothing, and a list that is
empty today fills tomorrow. Limits that are yes or no, and empty sets, are therefore left open.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mqk.analysis.moments import around
from mqk.analysis.rules import Judged, rules_at, true
from mqk.dsl import Expr, FactRef, syntax
from mqk.dsl.environment import ConstantRef, DerivedRef
from mqk.dsl.types import BOOL
from mqk.guards.guard import observed
from mqk.guards.lookup import ViewLookup
from mqk.guards.points import Point
from mqk.policy import Bundle, Diagnostic, error, quoted

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term


def vacuous(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """The rules that can never be breached, and those that always are, at any moment where every fact is there."""
    found: list[Diagnostic] = []
    for point in Point:
        rules = rules_at(bundle, point)
        if rules:
            moments = list(around(bundle, point))
            for rule in rules:
                # Only what a rule reads can make a difference to it.
                read = {
                    node.path for expr in rule.expressions() for node in observed(expr) if isinstance(node, syntax.Name)
                }
                found += _faults(rule, [lookup for name, lookup in moments if name is None or name in read])
    return tuple(found)


def _faults(rule: Judged, moments: list[ViewLookup]) -> Iterator[Diagnostic]:
    if rule.when is not None and not _can(rule, [(rule.when, True)], moments):
        yield error("MQK-1422", f"{quoted(rule.id)} never applies", rule.span, "mend its `when`, or remove the rule")
        return
    when = [(rule.when, True)] if rule.when is not None else []
    if not _can(rule, [*when, (rule.require, False)], moments):
        message = f"{quoted(rule.id)} can never be breached"
        yield error("MQK-1422", message, rule.span, "what it requires always holds: mend it, or remove the rule")
    elif not _can(rule, [*when, (rule.require, True)], moments):
        message = f"{quoted(rule.id)} is always breached"
        yield error("MQK-1423", message, rule.span, "what it requires never holds: mend it, or remove the rule")


def _can(rule: Judged, wanted: list[tuple[Expr, bool]], moments: list[ViewLookup]) -> bool:
    """Whether some moment is as wanted, among those the rule judges. A few moments are tried before it is asked."""
    spared = [(each, False) for each in (rule.elsewhere, rule.gate) if each is not None]
    wanted = [*spared, *wanted]
    for lookup in moments:
        if all(true(expr if value else _negated(expr), lookup) for expr, value in wanted):
            return True
    from mqk.analysis import model, prove  # noqa: PLC0415 - most rules are settled without the solver

    def goal(encoder: Encoder) -> Term:
        return model.as_wanted(encoder, [(_opened(expr), value) for expr, value in wanted])

    return not prove.impossible(rule.point, goal)


def _negated(expr: Expr) -> Expr:
    return syntax.Not(start=expr.start, end=expr.end, operand=expr, type=BOOL)


def _opened(expr: Expr) -> Expr:
    """The expression with its switches left open: constants that are yes or no, and sets without members."""
    match expr:
        case syntax.Name(ref=ConstantRef(name=name, type=kind)) if kind == BOOL:
            return replace(expr, ref=FactRef(name, BOOL))
        case syntax.Name(ref=DerivedRef() as ref):
            return replace(expr, ref=replace(ref, definition=_opened(ref.definition)))
        case syntax.Member(container=syntax.Name(ref=ConstantRef(name=name, value=frozenset() as members))) if (
            not members
        ):
            open_ = syntax.Name(start=expr.start, end=expr.end, path=name, ref=FactRef(name, BOOL), type=BOOL)
            return _negated(open_) if expr.negated else open_
        case _:
            changes: dict[str, Any] = {}
            for name in expr.BELOW:
                value = getattr(expr, name)
                if isinstance(value, tuple):
                    changes[name] = tuple(_opened(each) for each in value)
                elif value is not None:
                    changes[name] = _opened(value)
            return replace(expr, **changes) if changes else expr
