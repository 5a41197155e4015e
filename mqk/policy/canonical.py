"""The canonical form of a bundle: one text for one meaning, to be hashed.

Values are parsed and written out again, expressions are printed from their syntax tree, sets are sorted. Left out is
what changes nothing: files, comments, document ids, titles, owners, citations, reasons, the order of rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import rfc8785

from mqk.dsl import format_expression, parse_expression
from mqk.policy.nodes import Scalar, Sequence, Text
from mqk.policy.values import LimitValue, canonical_text, read_any, type_tag
from mqk.quantity import QuantityError, format_date

if TYPE_CHECKING:
    from mqk.policy.bundle import Bundle, ExecutionPolicy, SchedulePolicy
    from mqk.policy.sources import LifecycleSource, RuleSource, TableRow, TableSource, TransitionSource
    from mqk.quantity import Money, Ratio

# What rfc8785 takes; numbers never occur bare, so that no reader can round them.
Json = dict[str, "Json"] | list["Json"] | str | bool | int | None


def canonical_bytes(bundle: Bundle) -> bytes:
    """The effective content of a bundle as canonical JSON."""
    content: dict[str, Json] = {
        "engine": bundle.engine,
        "mode": bundle.mode,
        "capital": canonical_text(bundle.capital),
        "calendar": bundle.calendar,
        "timeframes": [*bundle.timeframes],
        "universe": [*sorted(bundle.universe)],
        "strategies": [
            {"id": each.id, "params": dict(each.params), "shadow": each.shadow} for each in bundle.strategies
        ],
        "limits": {name: _value(limit.value) for name, limit in bundle.limits.items()},
        "rules": {rule.id: canonical_rule(rule) for rule in bundle.rules},
        "lets": {name: canonical_expression(let.text) for name, let in bundle.lets.items()},
        "tables": {name: canonical_table(table) for name, table in bundle.tables.items()},
        "lifecycles": {name: canonical_lifecycle(machine) for name, machine in bundle.lifecycles.items()},
        "execution": _execution(bundle.execution),
        "schedule": _schedule(bundle.schedule),
        "stresses": [*sorted(bundle.stresses)],
        "broker": None if bundle.broker is None else {"id": bundle.broker.id, "account": bundle.broker.account},
        "baseline": {name: _fact(text) for name, text in bundle.baseline.items()},
    }
    if bundle.loosened:
        # From then on nothing is added to the exposure before the engine is bound again.
        content["loosened_until"] = format_date(min(each.until for each in bundle.loosened))
    return rfc8785.dumps(content)


def _value(value: LimitValue) -> Json:
    return {"type": type_tag(value), "value": canonical_text(value)}


def canonical_expression(text: Text | None) -> str | None:
    """An expression as it is hashed; None for none."""
    return None if text is None else format_expression(parse_expression(text.text))


def canonical_rule(rule: RuleSource) -> Json:
    """A rule as it is hashed, whatever it is called."""
    latch: Json = None if rule.latch is None else {"until": rule.latch.until, "by": rule.latch.by}
    waivers: list[Json] = [
        {"scope": canonical_expression(each.scope), "from": format_date(each.start), "until": format_date(each.end)}
        for each in rule.waivers
    ]
    return {
        "at": rule.at,
        "when": canonical_expression(rule.when),
        "require": canonical_expression(rule.require),
        "otherwise": rule.otherwise,
        "confirm": rule.confirm,
        "latch": latch,
        "exits_included": rule.exits_included,
        "enforce": rule.enforce,
        "waivers": sorted(waivers, key=rfc8785.dumps),
    }


def canonical_table(table: TableSource) -> Json:
    """A table as it is hashed."""
    rows = [_row(row) for row in table.rows]
    return {
        "hit": table.hit,
        "collect": table.collect,
        "input": {name: canonical_expression(text) for name, text in table.inputs},
        "output": dict(table.outputs),
        # Only where the first row that fits wins does their order mean anything.
        "rows": rows if table.hit == "first" else sorted(rows, key=rfc8785.dumps),
        "otherwise": None if table.otherwise is None else _outputs(table.otherwise),
    }


def _row(row: TableRow) -> Json:
    cells: dict[str, Json] = {}
    for name, cell in row.cells.items():
        if isinstance(cell, Sequence):
            cells[name] = [*sorted(item.text for item in cell.items if isinstance(item, Scalar))]
        elif cell.text.strip() != "any":
            cells[name] = " ".join(cell.text.split())
    return {"cells": cells, "outputs": _outputs(row.outputs)}


def _outputs(outputs: Mapping[str, Text]) -> dict[str, Json]:
    return {name: _fact(text) for name, text in outputs.items()}


def canonical_lifecycle(machine: LifecycleSource) -> Json:
    """A state machine as it is hashed."""
    moves = sorted((_transition(each) for each in machine.transitions), key=rfc8785.dumps)
    return {"states": dict(machine.states), "transitions": [*moves]}


def _transition(move: TransitionSource) -> dict[str, Json]:
    return {
        "from": [*sorted(move.from_states)],
        "to": move.to,
        "by": move.by,
        "role": move.role,
        "require": canonical_expression(move.require),
        "when": canonical_expression(move.when),
        "confirm": move.confirm,
    }


def _execution(policy: ExecutionPolicy) -> Json:
    latency, faults = policy.latency_bars, policy.faults
    return {
        "fills": {
            "market": policy.market_fill,
            "limit": policy.limit_fill,
            "ambiguity": policy.ambiguity,
            "participation": _unless_none(policy.participation),
        },
        "costs": {
            "spread": canonical_text(policy.spread),
            "slippage": canonical_text(policy.slippage),
            "volatility": canonical_text(policy.volatility),
            "cap": canonical_text(policy.cap),
            "commission_per_order": canonical_text(policy.commission_per_order),
            "commission_per_share": canonical_text(policy.commission_per_share),
            "commission_rate": canonical_text(policy.commission_rate),
            "commission_minimum": canonical_text(policy.commission_minimum),
            "commission_maximum": _unless_none(policy.commission_maximum),
            "borrow": canonical_text(policy.borrow),
        },
        "latency_bars": {"submit": latency.submit, "cancel": latency.cancel, "replace": latency.replace},
        "faults": {
            "seed": str(faults.seed),
            "rejects": canonical_text(faults.rejects),
            "partial_fills": canonical_text(faults.partial_fills),
        },
        "corporate_actions": policy.corporate_actions,
        "entries": {"lot": policy.lot, "minimum": canonical_text(policy.minimum)},
        "stop_within": canonical_text(policy.stop_within),
        "linking": policy.linking,
    }


def _unless_none(value: Ratio | Money | None) -> Json:
    return None if value is None else canonical_text(value)


def _schedule(policy: SchedulePolicy) -> Json:
    return {
        "calendar": policy.calendar,
        "tick": canonical_text(policy.tick),
        "reconcile": canonical_text(policy.reconcile),
        "heartbeat": canonical_text(policy.heartbeat),
        "deadman": canonical_text(policy.deadman),
        "replay_pace": canonical_text(policy.replay_pace),
    }


def _fact(text: Text) -> Json:
    try:
        return _value(read_any(text.text))
    except QuantityError:
        return {"type": "text", "value": text.text}
