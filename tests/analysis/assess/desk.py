"""A small desk to be assessed: one engine, a handful of rules, and obligations of its own."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

from mqk.analysis.assess import Assessment, Evidence, Review, assess
from mqk.policy import load_policies
from mqk.policy.explanations import explanations_dir

TODAY = date(2026, 6, 1)
HEAD = """\
kind: obligation
id: house
title: What the house asks
owner: risk-office
source: Minutes of the committee
obligations:
"""
CAPS = "  - {id: HOUSE-01, title: Caps, asks: No symbol dominates., controls: [CAP-01]}\n"
CASES = """\
kind: test
id: caps
title: Caps
owner: risk-office
engine: DESK
cases:
  - {name: small, at: order, given: {order.qty: 1}, expect: allow}
  - {name: large, at: order, given: {order.qty: 10_000}, expect: deny, by: CAP-01}
  - {name: unknown, at: order, missing: [account.equity], expect: deny, by: CAP-01, result: error}
"""
BASELINE = """\
baseline:
  account.equity: 100_000 USD
  account.day_start_equity: 100_000 USD
  order.qty: 10
  order.symbol: SPY
  order.side: BUY
  order.worst_price: 470 USD
  order.type: MARKET
  position.qty: 0
  position.working_buy: 0
  position.working_sell: 0
  position.working_buy_price: 0 USD
  position.working_sell_price: 0 USD
  market.price: 470 USD
"""


def desk(folder: Path, *obligations: str, cases: str | None = CASES, **more: str) -> Path:
    """The policies of the desk, with obligations, test cases and other documents by their names."""
    policies = folder / "policies"
    shutil.copytree(explanations_dir() / "desk", policies)
    engine = policies / "engine.yaml"
    engine.write_text(engine.read_text("utf-8").partition("baseline:")[0] + BASELINE, "utf-8")
    written = {"house": HEAD + "".join(obligations or (CAPS,)), **more}
    if cases is not None:
        written["caps"] = cases
    for name, text in written.items():
        (policies / f"{name}.yaml").write_text(text, "utf-8")
    return policies


def change(policies: Path, name: str, old: str, new: str) -> None:
    """Replace a text that must be in a document."""
    file = policies / f"{name}.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


def assessed(policies: Path, evidence: Evidence | None = None, as_of: date = TODAY) -> Assessment:
    """The assessment of the desk."""
    loaded = load_policies([policies])
    assert loaded.errors == ()
    return assess(
        loaded,
        loaded.ids("engine"),
        as_of=as_of,
        evidence=Evidence() if evidence is None else evidence,
        review=Review(),
    )


def told(made: Assessment, kind: str) -> list[tuple[str, str, str]]:
    """The findings of one kind: how much each weighs, about what, in which words."""
    return [(each.weight.value, each.about, each.message) for each in made.gaps if each.kind == kind]
