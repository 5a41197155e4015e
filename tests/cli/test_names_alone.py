"""Documents that no engine uses are checked with their names and tables; costs are told on request."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqk.cli.checking import check
from mqk.cli.main import main
from mqk.policy import load_policies

ALONE = """kind: risk
id: alone
title: Alone
owner: tests
limits: {most: 3%}
let: {open_loss: account.day_start_equity - account.equity}
tables:
  - id: sizes
    title: Sizes
    input: {price: market.price}
    output: {lots: quantity}
    rows: [{price: below 3 USD, lots: 1}, {price: at least 3 USD, lots: 100}]
rules:
  - {id: A-01, title: A, at: account, require: open_loss < limits.most of account.equity, otherwise: halt}
  - {id: A-02, title: A, at: order, require: "multiple_of(order.qty, tables.sizes.lots)", otherwise: deny}
"""


def test_names_and_tables_mean_something_in_a_document_that_nobody_uses(tmp_path: Path) -> None:
    (tmp_path / "alone.yaml").write_text(ALONE, encoding="utf-8")
    assert not check(load_policies([tmp_path])).diagnostics


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("account.day_start_equity -", "account.day_start_equit -", "unknown name `account.day_start_equit`"),
        ("require: open_loss <", "require: open_los <", "unknown name `open_los`"),
        ("tables.sizes.lots", "tables.sizes.lot", "unknown name `tables.sizes.lot`"),
        ("below 3 USD", "below 3", "money (USD) cannot be compared with a number"),
    ],
)
def test_a_fault_in_such_a_document_is_told_once(tmp_path: Path, old: str, new: str, found: str) -> None:
    assert old in ALONE
    (tmp_path / "alone.yaml").write_text(ALONE.replace(old, new), encoding="utf-8")
    assert [each.message for each in check(load_policies([tmp_path])).diagnostics] == [found]


def test_costs_of_rules_are_told_dearest_first(capsys: pytest.CaptureFixture[str]) -> None:
    main(["policy", "check", "--costs"])
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("steps at worst"))
    told = [int(line.split()[0].replace("_", "")) for line in lines[at + 1 :] if " MAIN " in line]
    assert told
    assert told == sorted(told, reverse=True)
