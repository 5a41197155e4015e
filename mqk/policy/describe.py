"""A bundle as plain JSON values: what `mqk policy effective --format json` prints.

For reading, not for hashing: it names files, lines and titles (the hashed form is canonical.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.policy.values import type_tag
from mqk.quantity import format_date

if TYPE_CHECKING:
    from mqk.policy.bundle import Bundle, Layer, Limit, RuleSource, TransitionSource
    from mqk.policy.diagnostics import Span
    from mqk.policy.nodes import Text


def describe(bundle: Bundle) -> dict[str, object]:
    """Everything in a bundle, with the place of every limit and rule and the layers behind it."""
    execution, schedule, latency = bundle.execution, bundle.schedule, bundle.execution.latency_bars
    return {
        "engine": bundle.engine,
        "sha256": bundle.sha256,
        "as_of": None if bundle.as_of is None else format_date(bundle.as_of),
        "overlays": list(bundle.overlays),
        "mode": bundle.mode,
        "capital": str(bundle.capital),
        "calendar": bundle.calendar,
        "timeframes": list(bundle.timeframes),
        "universe": list(bundle.universe),
        "strategies": [
            {"id": each.id, "params": dict(each.params), "shadow": each.shadow} for each in bundle.strategies
        ],
        "limits": {name: _limit(limit) for name, limit in bundle.limits.items()},
        "rules": [_rule(rule) for rule in bundle.rules],
        "lifecycles": {
            name: {"states": dict(machine.states), "transitions": [_transition(move) for move in machine.transitions]}
            for name, machine in bundle.lifecycles.items()
        },
        "execution": {
            "market_fill": execution.market_fill,
            "spread": str(execution.spread),
            "slippage": str(execution.slippage),
            "volatility": str(execution.volatility),
            "cap": str(execution.cap),
            "commission_per_order": str(execution.commission_per_order),
            "latency_bars": {"submit": latency.submit, "cancel": latency.cancel, "replace": latency.replace},
            "corporate_actions": execution.corporate_actions,
        },
        "schedule": {
            "calendar": schedule.calendar,
            "tick": str(schedule.tick),
            "reconcile": str(schedule.reconcile),
            "heartbeat": str(schedule.heartbeat),
            "deadman": str(schedule.deadman),
            "replay_pace": str(schedule.replay_pace),
        },
        "baseline": {name: text.text for name, text in bundle.baseline.items()},
        "not_in_force": [_layer(layer) for layer in bundle.not_in_force],
    }


def _place(span: Span) -> dict[str, object]:
    return {"file": span.file, "line": span.line, "column": span.column}


def _layer(layer: Layer) -> dict[str, object]:
    return {"document": layer.document, "text": layer.text, **_place(layer.span)}


def _limit(limit: Limit) -> dict[str, object]:
    return {
        "value": limit.text,
        "type": type_tag(limit.value),
        "document": limit.chain[-1].document,
        **_place(limit.span),
        "chain": [_layer(layer) for layer in limit.chain],
    }


def _text(text: Text | None) -> str | None:
    return None if text is None else text.text.strip()


def _rule(rule: RuleSource) -> dict[str, object]:
    return {
        "id": rule.id,
        "title": rule.title,
        "at": rule.at,
        "when": _text(rule.when),
        "require": _text(rule.require),
        "otherwise": rule.otherwise,
        "confirm": rule.confirm,
        "latch": None if rule.latch is None else {"until": rule.latch.until, "by": rule.latch.by},
        "exits_included": rule.exits_included,
        "exits_reason": rule.exits_reason,
        "enforce": rule.enforce,
        "cites": list(rule.cites),
        "document": rule.document,
        **_place(rule.span),
        "chain": [_layer(layer) for layer in rule.chain],
    }


def _transition(move: TransitionSource) -> dict[str, object]:
    return {
        "from": list(move.from_states),
        "to": move.to,
        "by": move.by,
        "role": move.role,
        "when": _text(move.when),
        "require": _text(move.require),
        "confirm": move.confirm,
        **_place(move.span),
    }
