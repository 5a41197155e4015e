"""MAIN on thirty years of recorded bars, raw, with all splits and dividends: it completes, and its books reconcile.

Only where the recorded bars lie beside the checkout.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from mqk.market import read_bars
from mqk.portfolio import Dividend, Fill, Ledger, Split
from mqk.promotion import read_evidence
from mqk.quantity import parse_instant, parse_money
from tests.backtest.worlds import SHARED, micros, needs_data

pytestmark = needs_data

SCRIPT = """
import sys
from pathlib import Path
from mqk.backtest import run_backtest
from mqk.guards import compile_bundle
from mqk.market import read_bars
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
bars = read_bars(sys.argv[2:])
if sys.flags.hash_randomization:
    bars.reverse()
guards = compile_bundle(effective_bundle(load_policies([shipped_policies_dir()]), "MAIN"))
run_backtest(guards, bars, out=Path(sys.argv[1]))
"""


@cache
def in_a_process(out: Path, seed: str) -> dict[str, bytes]:
    """The files of a run in a process of its own; with a hash seed of its own, over files and bars in reverse."""
    root = Path(__file__).resolve().parents[2]
    paths = sorted(map(str, (SHARED / "bars").iterdir()), reverse=seed != "0")
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", SCRIPT, str(out), *paths], check=True, env=environment, cwd=root)
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("thirty") / "run"
    in_a_process(out, "0")
    return out


def test_the_same_bytes_come_of_another_hash_seed_and_of_the_input_in_reverse(folder: Path, tmp_path: Path) -> None:
    assert in_a_process(folder, "0") == in_a_process(tmp_path / "other", "4242")


def test_ledger_curve_and_metrics_reconcile_to_the_micro_at_every_instant(folder: Path) -> None:
    evidence = read_evidence(folder)
    metrics = json.loads((folder / "metrics.json").read_bytes())
    rejected = set()
    for line in (folder / "audit.jsonl").read_text().splitlines():
        if '"kind":"bar_rejected"' in line:
            data = json.loads(line)["data"]
            rejected.add((data["symbol"], parse_instant(data["end"])))
    closes: dict[int, list[tuple[str, int]]] = defaultdict(list)
    opens: dict[tuple[int, str], int] = {}
    for bar in read_bars([SHARED / "bars"]):
        opens[bar.end, bar.symbol] = bar.open
        if (bar.symbol, bar.end) not in rejected:
            closes[bar.end].append((bar.symbol, bar.close))
    ledger = Ledger(evidence.capital)
    entries = evidence.entries
    booked = 0
    seen: set[type] = set()
    for row in csv.DictReader(io.StringIO((folder / "equity_curve.csv").read_text())):
        at = parse_instant(row["at"])
        while booked < len(entries) and entries[booked].at <= at:
            entry = entries[booked]
            ledger.apply(entry)
            mark = ledger.last_mark(entry.symbol)
            if isinstance(entry, Fill):
                # A fill is a print, whatever becomes of the whole bar: the market was at its open.
                ledger.mark(entry.symbol, opens[at, entry.symbol])
            elif isinstance(entry, Dividend) and mark is not None:
                ledger.mark(entry.symbol, int(mark - entry.per_share))
            booked += 1
            seen.add(type(entry))
        for symbol, close in closes[at]:
            ledger.mark(symbol, close)
        assert (ledger.equity(), ledger.cash) == (micros(row["equity"]), micros(row["cash"]))
    assert booked == len(entries)
    assert seen == {Fill, Dividend, Split}
    assert ledger.equity() == metrics["final_equity_micros"]
    assert ledger.dividends == parse_money(metrics["dividends"]).micros > 0
    assert ledger.realised == parse_money(metrics["realised"]).micros
    assert ledger.fees == parse_money(metrics["fees"]).micros
    made = ledger.dividends + ledger.realised + ledger.unrealised() - ledger.fees
    assert ledger.equity() == evidence.capital + made
    assert Fraction(metrics["total_return"]) <= Fraction(made, evidence.capital)
