"""Several engines in one stream: each with its own capital and its own files, within what the firm allows them all."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.backtest import BacktestError, Seat, run_batteries, run_files
from mqk.backtest.compare import compare
from mqk.backtest.desk import run_desk
from mqk.backtest.inputs import RunInput
from mqk.backtest.replay import read_run, replay
from mqk.backtest.runs import Ran
from mqk.guards import GuardSet, compile_bundle
from mqk.market import TIMEFRAMES, Bar
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.quantity import Ratio
from mqk.strategies import Context, Targets
from tests.backtest.test_run import restless
from tests.backtest.worlds import micros, scripted, walk
from tests.engine.worlds import CORE, USD, bar, core, daily, host

FIRM = frozenset({"CAP-12", "ORD-11"})
HALF = Fraction(1, 2)
Wish = Callable[[Context], Targets | None]


@cache
def seated(engine: str, ids: frozenset[str] = FIRM, spread: int = 0) -> GuardSet:
    """A shipped engine with costs of so many bps, for bars of any length, with these rules and half the firm."""
    policies = load_policies([shipped_policies_dir()])
    bundle = core(effective_bundle(policies, engine), ids)
    limits = dict(bundle.limits)
    if "firm_gross" in limits:
        limits["firm_gross"] = replace(limits["firm_gross"], value=Ratio(HALF))
    zero, costs = Ratio(Fraction(0)), Ratio(Fraction(spread, 10_000))
    execution = replace(bundle.execution, spread=costs, slippage=zero, volatility=zero, cap=costs)
    return compile_bundle(replace(bundle, limits=limits, timeframes=tuple(TIMEFRAMES), execution=execution))


def desk(
    wishes: Mapping[str, Wish],
    bars: Mapping[str, list[Bar]] | list[Bar],
    ids: frozenset[str] = FIRM,
    spread: int = 0,
) -> dict[str, Ran]:
    """The engines that these wishes are of, on one desk, over the same bars or each over its own."""
    inputs = [RunInput.of(seated(name, ids, spread), bars if isinstance(bars, list) else bars[name]) for name in wishes]
    return run_desk(inputs, hosts={name: host(wish, 2) for name, wish in wishes.items()})


def rows(ran: Ran, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(ran[1][name].decode())))


def denials(ran: Ran) -> Mapping[str, int]:
    return ran[0].denied_by_rule


def flat(days: int = 6) -> list[Bar]:
    return daily("SPY", [100 * USD] * days) + daily("QQQ", [50 * USD] * days)


def test_what_one_engine_holds_the_other_cannot_hold_any_more() -> None:
    # 125,000 USD together once both have begun, half of it may be invested: EXP takes 20,000, so 43,000 are too much.
    wishes = {"MAIN": scripted({2: {"SPY": 430}}), "EXP": scripted({1: {"SPY": 200}})}
    together = desk(wishes, flat())
    assert (together["EXP"][0].fills, dict(denials(together["EXP"]))) == (1, {})
    assert (together["MAIN"][0].fills, dict(denials(together["MAIN"]))) == (0, {"CAP-12": 1})
    alone = run_files(seated("MAIN"), flat(), host=host(scripted({2: {"SPY": 430}})))
    assert (alone[0].fills, dict(denials(alone))) == (1, {})


def test_orders_at_work_of_another_engine_count_as_if_they_had_filled() -> None:
    # EXP, which comes first, asks at the very instant: its order has not filled yet.
    wishes = {"MAIN": scripted({2: {"SPY": 430}}), "EXP": scripted({2: {"SPY": 200}})}
    together = desk(wishes, flat())
    assert (together["EXP"][0].fills, together["MAIN"][0].fills) == (1, 0)


def test_engines_that_share_an_instant_play_by_name_whoever_is_given_first() -> None:
    wishes = {"MAIN": scripted({2: {"SPY": 430}}), "EXP": scripted({2: {"SPY": 230}})}
    first = desk(wishes, flat())
    again = desk({name: scripted({2: {"SPY": 430 if name == "MAIN" else 230}}) for name in ("EXP", "MAIN")}, flat())
    assert {name: ran[1] for name, ran in first.items()} == {name: ran[1] for name, ran in again.items()}
    assert (first["EXP"][0].denied, first["MAIN"][0].denied) == (0, 1)


def test_an_engine_that_has_not_begun_counts_for_nothing_yet() -> None:
    # MAIN alone has 100,000: of 125,000 it could hold 62,500, of its own 50,000.
    late = [each for each in flat() if each.end > flat()[3].end]
    wishes = {"MAIN": scripted({1: {"SPY": 510}, 5: {"SPY": 510}}), "EXP": scripted({})}
    together = desk(wishes, {"MAIN": flat(8), "EXP": late})
    assert (together["MAIN"][0].denied, together["MAIN"][0].fills) == (1, 1)


def test_an_engine_whose_bars_are_over_counts_as_it_stood() -> None:
    early = [each for each in flat() if each.end <= flat()[3].end]
    wishes = {"MAIN": scripted({6: {"SPY": 430}}), "EXP": scripted({1: {"SPY": 200}})}
    together = desk(wishes, {"MAIN": flat(9), "EXP": early})
    assert (together["EXP"][0].open_positions, together["MAIN"][0].denied) == ({"SPY": 200}, 1)


def test_bars_of_minutes_and_of_days_are_one_stream() -> None:
    """The day's bar is judged at its end, on what all the minutes of the other engine came to."""
    minutes = [bar("SPY", minute, 100 * USD, volume=1_000) for minute in range(1, 391)]
    days = daily("SPY", [100 * USD] * 3)
    assert minutes[-1].end == days[0].end
    for exits, denied in (({}, 1), ({388: {"SPY": 0}}, 0)):
        # Until MAIN's first day is over the firm is EXP alone, which holds 12,000 of its 12,500.
        wishes = {"MAIN": scripted({0: {"SPY": 510}}), "EXP": scripted({370: {"SPY": 120}, **exits})}
        together = desk(wishes, {"MAIN": days, "EXP": minutes})
        assert (together["MAIN"][0].denied, together["MAIN"][0].fills) == (denied, 1 - denied)


def test_a_strategy_that_fails_ends_its_own_run_and_no_other() -> None:
    def fails(context: Context) -> Targets | None:
        if context.now > flat()[2].end:
            raise ValueError("no more")
        return {"SPY": 200}

    together = desk({"MAIN": scripted({4: {"SPY": 430}}), "EXP": fails}, flat(8))
    assert together["EXP"][0].failed is not None
    # What it held it still holds, and nobody acts as if it were gone.
    assert (together["MAIN"][0].failed, together["MAIN"][0].denied) == (None, 1)
    assert len(rows(together["MAIN"], "equity_curve.csv")) == 8


def test_an_engine_is_on_a_desk_once() -> None:
    twice = [RunInput.of(seated("MAIN"), flat())] * 2
    with pytest.raises(BacktestError, match="given twice"):
        run_desk(twice)


ISOLATED = CORE - {"CAP-12"}


@pytest.mark.parametrize("name", ["MAIN", "EXP"])
def test_no_byte_depends_on_another_engine_where_no_rule_reads_the_firm(name: str) -> None:
    bars = walk(["QQQ", "SPY"], 60, 5, swing=6)
    together = desk(dict.fromkeys(("MAIN", "EXP"), restless), bars, ISOLATED)
    alone = run_files(seated(name, ISOLATED), bars, host=host(restless, 2))
    assert together[name] == alone
    assert alone[0].fills > 0
    assert json.loads(alone[1]["manifest.json"])["others"] == {}


def test_an_engine_that_does_not_read_the_firm_is_the_same_beside_one_that_does() -> None:
    bars = walk(["QQQ", "SPY"], 60, 5, swing=6)
    inputs = [RunInput.of(seated("EXP", ISOLATED), bars), RunInput.of(seated("MAIN"), bars)]
    beside = run_desk(inputs, hosts={name: host(restless, 2) for name in ("MAIN", "EXP")})
    assert beside["EXP"] == run_files(seated("EXP", ISOLATED), bars, host=host(restless, 2))
    assert list(json.loads(beside["MAIN"][1]["manifest.json"])["others"]) == ["EXP"]


WANTED = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["SPY", "QQQ"]), st.integers(-400, 900)), min_size=1, max_size=8
)


@settings(max_examples=25, deadline=None)
@given(main=WANTED, exp=WANTED, spread=st.sampled_from([0, 25, 300]))
def test_all_engines_together_stay_within_the_firm_while_no_price_moves(
    main: list[tuple[int, str, int]], exp: list[tuple[int, str, int]], spread: int
) -> None:
    """Whatever fills, in whatever order, and whatever that costs."""

    def wishing(wanted: list[tuple[int, str, int]]) -> Wish:
        script: dict[int, dict[str, int]] = {}
        for day, symbol, shares in wanted:
            script.setdefault(day, {})[symbol] = shares
        return scripted(script)

    together = desk({"MAIN": wishing(main), "EXP": wishing(exp)}, flat(12), spread=spread)
    prices = {"SPY": 100 * USD, "QQQ": 50 * USD}
    fills = [(row, name) for name, ran in together.items() for row in rows(ran, "fills.csv")]
    held: Counter[tuple[str, str]] = Counter()
    equity = 125_000 * USD
    for row, name in sorted(fills, key=lambda fill: fill[0]["at"]):
        qty, price = int(row["qty"]), prices[row["symbol"]]
        held[name, row["symbol"]] += qty if row["side"] == "BUY" else -qty
        equity -= qty * abs(micros(row["price"]) - price)
        gross = sum(abs(shares) * prices[symbol] for (_, symbol), shares in held.items())
        assert gross <= HALF * equity
    assert equity == sum(micros(rows(ran, "equity_curve.csv")[-1]["equity"]) for ran in together.values())


def test_what_an_order_of_one_engine_will_cost_is_not_there_for_the_other() -> None:
    """EXP's order is at work when MAIN asks for as much as it may: what filling it costs comes off the firm later."""

    def asked(shares: int) -> dict[str, Ran]:
        wishes = {"MAIN": scripted({2: {"SPY": shares}}), "EXP": scripted({2: {"SPY": 200}})}
        return desk(wishes, flat(), spread=300)

    low, high = 1, 625
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if asked(middle)["MAIN"][0].denied else (middle, high)
    most = asked(low)
    assert (most["EXP"][0].open_positions, most["MAIN"][0].open_positions) == ({"SPY": 200}, {"SPY": low})
    equity = sum(ran[0].final_equity_micros for ran in most.values())
    assert (low + 200) * 100 * USD <= HALF * equity < (low + 230) * 100 * USD


def test_a_desk_is_replayed_from_each_of_its_folders_and_told_apart_from_a_run_alone(tmp_path: Path) -> None:
    bars = recorded(120)
    names = ("MAIN", "EXP")
    seats = [Seat(real(name), {"slippage_x2": real(name, "slippage_x2")}, bars, tmp_path / name) for name in names]
    ran = run_batteries(seats)
    for name in names:
        run = read_run(tmp_path / name)
        found = replay(run, bars)
        assert (found.same, found.differences) == (True, ())
        assert [each.bundle.engine for each in run.others] == [other for other in names if other != name]
        assert (tmp_path / name / "stress" / "slippage_x2" / "manifest.json").is_file()
        # The run under stress is a run of its own, whose report is that of the whole folder.
        assert replay(read_run(tmp_path / name / "stress" / "slippage_x2"), bars).same
        assert f"one stream with {run.others[0].bundle.engine}:" in (tmp_path / name / "report.html").read_text()
    run_batteries([Seat(real("MAIN"), {}, bars, tmp_path / "alone")])
    given = {change.name for change in compare(tmp_path / "alone", tmp_path / "MAIN").given}
    assert given == {"run_id", "others.EXP.code", "others.EXP.bundle.sha256", "others.EXP.data.sha256"}
    assert ran["MAIN"].base.run_id != ran["EXP"].base.run_id


def test_a_replay_wants_the_bars_of_the_other_engines_too(tmp_path: Path) -> None:
    bars = recorded(40)
    own = [each for each in bars if each.symbol == "SPY"]
    run_batteries([Seat(real("MAIN"), {}, own, tmp_path / "MAIN"), Seat(real("EXP"), {}, bars, tmp_path / "EXP")])
    assert replay(read_run(tmp_path / "MAIN"), bars).same
    with pytest.raises(BacktestError, match="not those of the run"):
        replay(read_run(tmp_path / "MAIN"), own)


def test_no_folder_is_written_before_all_engines_have_run(tmp_path: Path) -> None:
    bars = walk(["SPY"], 10, 5)
    other = [replace(each, timeframe="1H") for each in bars]
    strict = compile_bundle(replace(real("EXP").bundle, timeframes=("1D",)))
    with pytest.raises(BacktestError, match="are of `1H`"):
        run_batteries([Seat(real("MAIN"), {}, bars, tmp_path / "MAIN"), Seat(strict, {}, other, tmp_path / "EXP")])
    assert list(tmp_path.iterdir()) == []


def recorded(days: int) -> list[Bar]:
    """Bars of a random walk in the order in which files are read."""
    return sorted(walk(["QQQ", "SPY"], days, 5, swing=6), key=lambda each: (each.end, each.symbol))


@cache
def real(engine: str, *overlays: str) -> GuardSet:
    """A shipped engine as it is."""
    return compile_bundle(effective_bundle(load_policies([shipped_policies_dir()]), engine, overlays=overlays))
