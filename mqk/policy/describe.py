"""A bundle as plain JSON values: what `mqk policy effective --format json` prints.

For reading, not for hashing: it names files, lines and titles (the hashed form is canonical.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.policy.nodes import Sequence, Text
from mqk.policy.values import type_tag
from mqk.quantity import format_date

if TYPE_CHECKING:
    from mqk.policy.bundle import AllocationSource, Bundle
    from mqk.policy.diagnostics import Span
    from mqk.policy.nodes import Node
    from mqk.policy.sources import (
        ClaimSource,
        InvariantSource,
        Layer,
        LetSource,
        Limit,
        LoosenSource,
        RuleSource,
        TableSource,
        TransitionSource,
        WaiverSource,
    )


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
            name: {
                "states": dict(machine.states),
                "transitions": [_transition(move) for move in machine.transitions],
                "invariants": [_invariant(each) for each in machine.invariants],
            }
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
            "limit_fill": execution.limit_fill,
            "ambiguity": execution.ambiguity,
            "participation": None if execution.participation is None else str(execution.participation),
            "commission_per_share": str(execution.commission_per_share),
            "commission_rate": str(execution.commission_rate),
            "commission_minimum": str(execution.commission_minimum),
            "commission_maximum": None if execution.commission_maximum is None else str(execution.commission_maximum),
            "borrow": str(execution.borrow),
            "faults": {
                "seed": execution.faults.seed,
                "rejects": str(execution.faults.rejects),
                "partial_fills": str(execution.faults.partial_fills),
            },
            "lot": execution.lot,
            "minimum": str(execution.minimum),
            "stop_within": str(execution.stop_within),
            "linking": execution.linking,
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
        "lets": {name: _let(let) for name, let in bundle.lets.items()},
        "tables": {name: _table(table) for name, table in bundle.tables.items()},
        "waivers": [_waiver(each) for each in bundle.waivers],
        "loosened": [_loosened(each) for each in bundle.loosened],
        "claims": [_claim(each) for each in bundle.claims],
        "mandatory": {name: _layer(layer) for name, layer in bundle.mandatory.items()},
        "allocation": None if bundle.allocation is None else _allocation(bundle.allocation),
        "stresses": list(bundle.stresses),
        "broker": None if bundle.broker is None else {"id": bundle.broker.id, "account": bundle.broker.account},
        "keys": dict(bundle.keys),
        "stages": [stage.document for stage in bundle.stages],
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
        "rationale": rule.rationale,
        "waivable": rule.waivable,
        "waivers": [each.id for each in rule.waivers],
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


def _let(let: LetSource) -> dict[str, object]:
    return {"is": _text(let.text), "document": let.document, **_place(let.span), "chain": [*map(_layer, let.chain)]}


def _table(table: TableSource) -> dict[str, object]:
    return {
        "title": table.title,
        "hit": table.hit,
        "collect": table.collect,
        "input": {name: _text(text) for name, text in table.inputs},
        "output": dict(table.outputs),
        "rows": [
            {
                "cells": {name: _cell(cell) for name, cell in row.cells.items()},
                "outputs": {name: _text(text) for name, text in row.outputs.items()},
                **_place(row.span),
            }
            for row in table.rows
        ],
        "otherwise": None if table.otherwise is None else {name: _text(text) for name, text in table.otherwise.items()},
        "document": table.document,
        **_place(table.span),
        "chain": [_layer(layer) for layer in table.chain],
    }


def _cell(cell: Node | Text) -> object:
    if isinstance(cell, Sequence):
        return [_cell(item) for item in cell.items]
    return cell.text.strip() if isinstance(cell, Text) else None


def _waiver(waiver: WaiverSource) -> dict[str, object]:
    return {
        "id": waiver.id,
        "title": waiver.title,
        "rule": waiver.rule,
        "scope": _text(waiver.scope),
        "why": waiver.why,
        "ticket": waiver.ticket,
        "requested_by": waiver.requested_by,
        "approved_by": waiver.approved_by,
        "from": format_date(waiver.start),
        "until": format_date(waiver.end),
        **_place(waiver.span),
    }


def _loosened(loosened: LoosenSource) -> dict[str, object]:
    return {
        "target": loosened.target,
        "why": loosened.why,
        "approved_by": loosened.approved_by,
        "until": format_date(loosened.until),
        "document": loosened.document,
        **_place(loosened.span),
    }


def _claim(claim: ClaimSource) -> dict[str, object]:
    return {
        "id": claim.id,
        "title": claim.title,
        "at": claim.at,
        "when": _text(claim.when),
        "never": list(claim.never),
        "always": list(claim.always),
        "engine": claim.engine,
        "no_more_permissive_than": claim.than,
        "document": claim.document,
        **_place(claim.span),
    }


def _allocation(allocation: AllocationSource) -> dict[str, object]:
    return {
        "id": allocation.id,
        "capital": str(allocation.capital),
        "part": str(allocation.part),
        "symbols": None if allocation.symbols is None else list(allocation.symbols),
        **_place(allocation.span),
    }


def _invariant(invariant: InvariantSource) -> dict[str, object]:
    return {
        "id": invariant.id,
        "title": invariant.title,
        "never_reach": invariant.reach,
        "when": _text(invariant.when),
        "without": _text(invariant.without),
        "since": invariant.since,
        **_place(invariant.span),
    }
