"""What no engine uses is checked too: definitions, tables, claims and invariants, each fault told once where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqk.cli.checking import check
from tests.policy.support import load_texts

RISK = """kind: risk
id: idle
title: Used by nobody
owner: risk-office
limits: {{max_gross: 100%}}
let: {{half: {let}}}
tables:
  - id: band
    title: By price
    input: {{price: market.price}}
    output: {{width: ratio}}
    rows:
      - {{price: {cell}, width: 20%}}
      - {{price: at least 3 USD, width: 10%}}
claims:
  - {{id: P-01, title: A promise, at: order, when: {when}, never: [deny]}}
rules:
  - id: CAP-01
    title: A rule
    at: order
    require: order.qty <= 5{more}
    otherwise: deny
"""
RUN = """kind: lifecycle
id: idle_run
title: A run
owner: operations
states: {{CREATED: initial, ARMED: {{}}, HALTED: sticky}}
transitions:
  - {{from: CREATED, to: ARMED, by: arm, role: operator}}
  - {{from: any, to: HALTED, by: halt, role: operator}}
invariants:
  - id: LIVE-01
    title: No way back
    claim: {{never_reach: ARMED, when: {when}, without: {without}, since: HALTED}}
"""


def risk(
    let: str = "account.equity / 2", cell: str = "below 3 USD", when: str = "order.qty > 5", more: str = ""
) -> str:
    return RISK.format(let=let, cell=cell, when=when, more=more)


def run(when: str = "run.mode == LIVE", without: str = "reconcile.clean") -> str:
    return RUN.format(when=when, without=without)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (risk(), []),
        (run(), []),
        (risk(let="account.equty / 2"), [("MQK-1302", 6, "unknown name `account.equty`")]),
        (risk(let="account.equity + 5"), [("MQK-1304", 6, "money (USD) and a number do not add")]),
        (risk(when="order.qqty > 5"), [("MQK-1302", 16, "unknown name `order.qqty`")]),
        (risk(when="order.qty"), [("MQK-1303", 16, "found a quantity where yes or no is expected")]),
        (risk(cell="below 3 trades"), [("MQK-1304", 13, "money (USD) cannot be compared with a count of trades")]),
        # The cell is at fault, and neither the place where its fact is missing nor the rule that reads it.
        (
            risk(cell="under 3 USD", more=" and tables.band.width <= 50%"),
            [("MQK-1119", 13, "`under 3 USD` is no cell")],
        ),
        (risk(cell="below 2 USD"), [("MQK-1229", 8, "no row of `band` fits `price: 2 USD`")]),
        (run(without="reconcile.cleen"), [("MQK-1302", 12, "unknown name `reconcile.cleen`")]),
        (run(when="run.mood == LIVE"), [("MQK-1302", 12, "unknown name `run.mood`")]),
    ],
)
def test_a_fault_of_what_nobody_uses_is_told_once(tmp_path: Path, text: str, told: list[tuple[str, int, str]]) -> None:
    found = check(load_texts(tmp_path, {"policy.yaml": text})).diagnostics
    assert [(each.code, each.span.line, each.message) for each in found] == told
