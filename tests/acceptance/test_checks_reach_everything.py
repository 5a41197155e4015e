"""`mqk policy check` reaches what no engine is compiled with yet, and blames nobody for somebody else's mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.worlds import all_problems, copied

MARGIN: Final = """kind: margin
id: idle_margin
title: Used by nobody
owner: compliance
let: {{least: 2_000 USD}}
tables:
  - id: idle_band
    title: By price
    input: {{price: market.price}}
    output: {{band: ratio}}
    rows:
      - {{price: below 3 USD, band: 20%}}
      - {{price: at least 3 USD, band: 10%}}
rules:
  - id: IDLE-01
    title: Enough of everything
    at: order
    require: account.equity >= {least} and order.value <= {band} of account.equity
    otherwise: deny
"""
WAIVER: Final = """kind: waiver
id: later
title: Not yet
owner: risk-office
rule: CAP-01
engines: [MAIN]
scope: {scope}
why: a test
requested_by: trading
approved_by: the risk committee
effective: {{from: 2099-01-01, until: 2099-02-01}}
"""


def idle(least: str = "least", band: str = "tables.idle_band.band") -> str:
    """A document of definitions that no engine uses."""
    return MARGIN.format(least=least, band=band)


def found(folder: Path) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in all_problems(folder)]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_definitions_and_tables_mean_something_also_where_nothing_is_compiled(tmp_path: Path, elsewhere: bool) -> None:
    folder = copied(tmp_path)
    (folder / "idle.yaml").write_text(idle(), "utf-8")
    engine = folder / "engines/main.yaml"
    if elsewhere:
        text = engine.read_text("utf-8")
        engine.write_text(text.replace("capital: 100_000 USD\n", "capital: 100_000\n"), "utf-8")
    assert [code for code, _ in found(folder)] == (["MQK-1111"] if elsewhere else [])


@pytest.mark.parametrize(
    ("least", "band", "name"),
    [("leest", "tables.idle_band.band", "leest"), ("least", "tables.idle_band.bnd", "tables.idle_band.bnd")],
)
def test_a_misspelt_definition_of_a_document_that_nobody_uses_is_told(
    tmp_path: Path, least: str, band: str, name: str
) -> None:
    folder = copied(tmp_path)
    (folder / "idle.yaml").write_text(idle(least, band), "utf-8")
    assert found(folder) == [("MQK-1302", f"unknown name `{name}`")]


@pytest.mark.parametrize(
    ("scope", "code"),
    [
        ("order.symbl == SPY", "MQK-1302"),
        ("order.qty", "MQK-1303"),
        ("bar.close > 1 USD", "MQK-1302"),
        ("order.symbol == SPY", None),
    ],
)
def test_a_waiver_is_checked_before_its_first_day(tmp_path: Path, scope: str, code: str | None) -> None:
    folder = copied(tmp_path)
    (folder / "later.yaml").write_text(WAIVER.format(scope=scope), "utf-8")
    assert [each for each, _ in found(folder)] == ([] if code is None else [code])
