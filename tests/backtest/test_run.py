"""Whole runs: no look-ahead, books that replay, halts that never end a run, and what the recorded data shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest import run_backtest
from mqk.guards import compile_bundle
from mqk.market import Bar, read_bars
from mqk.portfolio import Ledger
from mqk.strategies import Context
from tests.backtest.worlds import SHARED, Run, micros, needs_data, walk
from tests.engine.worlds import USD, daily, guards, host, shipped

SYMBOLS = ("AAPL", "QQQ", "SPY")


def restless(context: Context) -> Mapping[str, int] | None:
    """Long or flat by the last digits of the last two closes: trades often, for no reason."""
    if len(context.bars) < 2:
        return None
    change = context.bars[-1].close - context.bars[-2].close
    if change % 3 == 0:
        return {context.symbol: abs(change) % 400}
    return {context.symbol: 0} if change % 3 == 1 else None


def lines(run: Run) -> list[dict[str, object]]:
    return [json.loads(line) for line in run.files["audit.jsonl"].decode().splitlines()]


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.integers(1, 40))
def test_a_run_on_the_first_bars_decides_what_the_whole_run_decided_by_then(seed: int, cut: int) -> None:
    bars = sorted(walk(SYMBOLS, 40, seed, swing=6), key=lambda each: (each.end, each.symbol))
    until = bars[3 * cut - 1].end
    whole = Run(bars, restless, lookback=2)
    part = Run([each for each in bars if each.end <= until], restless, lookback=2)

    def decisions(run: Run) -> list[tuple[object, ...]]:
        told = {"submit", "refused", "cancel", "latch_set", "latch_lifted", "posture", "fill", "bar_rejected"}
        return [
            (line["at"], line["kind"], json.dumps({k: v for k, v in data.items() if k != "decision"}))
            for line in lines(run)
            if line["kind"] in told and isinstance(data := line["data"], dict)
        ]

    def anonymous(run: Run, found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        # The id of a run is that of its data, and goes into its orders.
        return [(at, kind, str(data).replace(run.summary.run_id, "run")) for at, kind, data in found]

    seen = anonymous(part, decisions(part))
    assert seen == anonymous(whole, decisions(whole))[: len(seen)]
    later = anonymous(whole, decisions(whole))[len(seen) :]
    last = lines(part)[-1]["at"]
    assert all(str(at) > str(last) for at, _, _ in later)
    points = part.files["equity_curve.csv"].splitlines()
    assert whole.files["equity_curve.csv"].splitlines()[: len(points)] == points


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_the_fills_alone_give_the_final_books(seed: int) -> None:
    bars = walk(SYMBOLS, 60, seed, swing=6)
    run = Run(bars, restless, lookback=2)
    ledger = Ledger.replay(100_000 * USD, run.fills())
    for each in sorted(bars, key=lambda each: each.end):
        ledger.mark(each.symbol, each.close)
    summary = run.summary
    assert ledger.equity() == summary.final_equity_micros
    assert (ledger.realised, ledger.fees) == (summary.realised_micros, summary.fees_micros)
    assert {symbol: ledger.qty(symbol) for symbol in ledger.positions} == dict(summary.open_positions)
    last = run.rows("equity_curve.csv")[-1]
    assert (micros(last["equity"]), micros(last["cash"])) == (summary.final_equity_micros, ledger.cash)
    assert summary.gross_profit_micros - summary.gross_loss_micros == summary.realised_micros


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_a_denied_order_is_never_filled_and_every_fill_was_allowed(seed: int) -> None:
    run = Run(walk(SYMBOLS, 60, seed, swing=6), restless, lookback=2)
    submitted = {row["client_order_id"]: row for row in run.rows("orders.csv")}
    filled = [fill.order_id for fill in run.fills()]
    assert len(filled) == len(set(filled)) == run.summary.fills
    assert set(filled) <= set(submitted)
    assert {name for name, row in submitted.items() if row["status"] == "FILLED"} == set(filled)
    kinds = [line["kind"] for line in lines(run)]
    assert kinds.count("submit") == run.summary.orders
    again = sum(line["data"]["times"] for line in lines(run) if line["kind"] == "refused_again")  # type: ignore[index]
    assert kinds.count("refused") + kinds.count("withheld") + again == run.summary.denied
    assert run.summary.bars == 180


def test_the_order_of_the_input_does_not_matter() -> None:
    bars = walk(SYMBOLS, 60, 5, swing=6)
    first = Run(bars, restless, lookback=2)
    second = Run(list(reversed(bars)), restless, lookback=2)
    assert first.files == second.files
    assert first.summary == second.summary


def test_a_halt_lets_the_run_go_on_with_exits_only_c28() -> None:
    bars = daily("SPY", [100 * USD] * 8)
    del bars[2]
    run = Run(bars, {0: {"SPY": 10}, 3: {"SPY": 20}, 4: {"SPY": 0}}, set_=guards())
    assert run.summary.bars == 7
    assert run.summary.posture == "DISARMED"
    assert [(fill.side, fill.qty) for fill in run.fills()] == [("BUY", 10), ("SELL", 10)]
    assert run.summary.denied_by_rule == {"POSTURE-01": 1}
    assert len(run.rows("equity_curve.csv")) == 7
    assert [latch.rule for latch in run.summary.held] == ["DATA-01", "DATA-03"]


def test_a_symbol_that_falls_silent_disarms_at_the_next_instant_and_is_noticed_when_it_is_back() -> None:
    quiet = daily("QQQ", [100 * USD] * 6)
    loud = daily("SPY", [100 * USD] * 6)
    run = Run([*quiet[:2], *quiet[4:], *loud], lambda _: None)
    told = [(line["at"], line["kind"]) for line in lines(run) if line["kind"] in {"latch_set", "decided"}]
    assert told[:2] == [("2024-01-08T21:00:00Z", "decided"), ("2024-01-08T21:00:00Z", "latch_set")]
    assert [latch.rule for latch in run.summary.held] == ["DATA-01", "DATA-03"]


def test_a_feed_that_is_back_in_time_lifts_what_lasts_only_while_it_is_late() -> None:
    bundle = guards().bundle
    rules = tuple(replace(rule, latch=None) if rule.id in {"DATA-01", "DATA-03"} else rule for rule in bundle.rules)
    bars = daily("SPY", [100 * USD] * 8)
    del bars[2]
    run = Run(bars, {5: {"SPY": 10}}, set_=compile_bundle(replace(bundle, rules=rules)))
    assert [(line["at"], line["data"]) for line in lines(run) if line["kind"] == "latch_lifted"] == [
        ("2024-01-09T21:00:00Z", {"lifted_by": "tick", "outcome": "disarm", "rule": "DATA-01"}),
        ("2024-01-09T21:00:00Z", {"lifted_by": "tick", "outcome": "halt", "rule": "DATA-03"}),
    ]
    assert run.summary.fills == 1


def test_the_daily_loss_halt_lasts_until_the_next_session() -> None:
    closes = [100, 100, 90, 90, 90, 90]
    run = Run(daily("SPY", [close * USD for close in closes]), {0: {"SPY": 199}, 2: {"SPY": 205}, 3: {"SPY": 205}})
    # Down 10 % on a fifth of the book: nearly 2 %. One share more, and it is.
    assert run.summary.halts == 0
    closes[2:] = [89] * 4
    run = Run(daily("SPY", [close * USD for close in closes]), {0: {"SPY": 199}, 2: {"SPY": 205}, 3: {"SPY": 205}})
    assert run.summary.halts == 1
    assert run.summary.denied_by_rule == {"POSTURE-01": 1}
    assert [(fill.side, fill.qty) for fill in run.fills()] == [("BUY", 199), ("BUY", 6)]
    assert run.summary.posture == "NORMAL"


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    bars = walk(SYMBOLS, 10, 1)
    run_backtest(guards(), bars, on_progress=lambda done, total: told.append((done, total)), host=host(lambda _: None))
    assert told == [(30, 30)]


def test_the_summary_has_the_keys_that_tools_rely_on() -> None:
    run = Run(walk(SYMBOLS, 30, 2), restless, lookback=2)
    told = run.summary.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    for key in ("bars", "orders", "fills", "denied", "halts", "final_equity", "max_drawdown", "artifacts_sha256"):
        assert key in told
    assert run.summary.sample is None or run.summary.sample.decision is not None


# -- the recorded data ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded() -> list[Bar]:
    return read_bars([SHARED / "bars"])


@needs_data
@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
def test_policies_stop_real_orders_on_real_data(engine: str, recorded: list[Bar]) -> None:
    out = run_backtest(shipped(engine), recorded)
    assert out.bars == len(recorded)
    assert out.orders > 0
    assert out.fills > 0
    assert out.denied > 0
    sample = out.sample
    assert sample is not None
    assert sample.decision is not None
    finding = sample.decision.findings[0]
    assert finding.observed
    assert finding.limit
    assert finding.file.endswith(".yaml")
    assert finding.line > 0


@needs_data
@pytest.mark.parametrize(
    ("name", "rejected", "held"),
    [
        ("bars_1h_trend_up", 0, []),
        ("bars_1h_chop_meanrevert", 0, []),
        ("bars_1h_gap_down_stop", 0, []),
        ("bars_1h_outlier_spike", 1, []),
        ("bars_1h_missing_bar_gap", 0, ["DATA-01", "DATA-03"]),
    ],
)
def test_the_fixtures_show_what_they_are_named_after(name: str, rejected: int, held: list[str]) -> None:
    bars = read_bars([f"SPY={SHARED / 'fixtures' / 'bars' / name}.csv"])
    summary = run_backtest(shipped("EXP"), bars)
    assert summary.bars == 10
    assert summary.bars_rejected == rejected
    assert [latch.rule for latch in summary.held] == held
