"""C-24 to C-29, defects of integrity: each shown to be impossible with the shipped rules and the real calendar.

Silence that nobody notices, time that runs backwards, bars that nobody checks, calendars without half days, disarming
that blocks exits, and one symbol's silence that stops everybody.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Final

import pytest

from mqk.backtest import RecordedFeed
from mqk.engine import BarArrived, BarRejected, ClockTicked, LatchSet, Refused
from mqk.guards import Point, compile_bundle
from mqk.market import calendar_of
from mqk.orders import Side
from mqk.policy import Span, Text
from tests.acceptance.worlds import decide
from tests.engine.worlds import DAY, MINUTE, OPEN, USD, Desk, bar, guards, of, shipped, submits

XNYS: Final = calendar_of("XNYS")


def test_c24_the_only_feed_there_is_goes_stale_without_ever_ticking() -> None:
    """Nothing but the clock moves: the feed says nothing, and that is what is noticed."""
    bars = [bar("SPY", minute, 400 * USD) for minute in (1, 2, 60)]
    feed = RecordedFeed(XNYS, bars)
    desk = Desk()
    for each in bars[:2]:
        feed.enter(each.end)
        desk.tell(BarArrived(each, feed.arrive(each), DAY, each.end))
    for minute, posture in ((3, "NORMAL"), (5, "NORMAL"), (6, "DISARMED"), (30, "DISARMED")):
        now = OPEN + minute * MINUTE
        feed.enter(now)
        desk.tell(ClockTicked(now, feed.late(now), DAY))
        assert desk.state.run.posture == posture


def test_c24_the_feed_that_ticks_does_not_refresh_the_ones_that_do_not() -> None:
    bars = [bar(symbol, minute, 400 * USD) for minute in range(1, 9) for symbol in ("QQQ", "SPY")]
    feed = RecordedFeed(XNYS, bars)
    told = [each for each in bars if each.symbol == "QQQ" or each.end <= OPEN + MINUTE]
    desk = Desk()
    for each in told:
        feed.enter(each.end)
        desk.tell(ClockTicked(each.end, feed.late(each.end), DAY))
        desk.tell(BarArrived(each, feed.arrive(each), DAY, each.end))
    assert [latch.rule for latch in desk.state.latches.held()] == ["DATA-01"]


@pytest.mark.parametrize("end", [1, 2, 3])
@pytest.mark.parametrize("shadow", [(), ("DATA-05b",)])
def test_c25_a_bar_that_does_not_move_time_forward_is_rejected_and_rewinds_nothing(
    end: int, shadow: tuple[str, ...]
) -> None:
    """Also where the rule against it only watches: such a bar is none that anybody could use."""
    desk = Desk(guards(shadow=shadow))
    desk.bar("SPY", 3, 400 * USD)
    assert of(BarRejected, desk.bar("SPY", end, 401 * USD))
    line = desk.state.lines["SPY"]
    assert (line.previous_end, line.price) == (OPEN + 3 * MINUTE, 400 * USD)
    assert not of(BarRejected, desk.bar("SPY", 4, 402 * USD))


def test_c25_a_bar_beside_the_grid_leaves_one_out_and_halts() -> None:
    feed = RecordedFeed(XNYS)
    first, crooked = bar("SPY", 1, 400 * USD), replace(bar("SPY", 1, 400 * USD), end=OPEN + MINUTE + 119 * 1_000_000)
    desk = Desk()
    for each in (first, crooked):
        feed.enter(each.end)
        desk.tell(BarArrived(each, feed.arrive(each), DAY, each.end))
    assert [latch.rule for latch in desk.state.latches.held()] == ["DATA-03"]


def test_c26_a_bar_of_the_future_halts_and_is_not_used() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    future = bar("SPY", 2, 401 * USD)
    effects = desk.tell(BarArrived(future, 0, DAY, future.end - 1))
    assert [each.latch.rule for each in of(LatchSet, effects)] == ["DATA-05"]
    assert desk.state.lines["SPY"].price == 400 * USD


@pytest.mark.parametrize(
    "prices",
    [
        {"open": 0, "low": 0},
        {"low": -1},
        {"high": 399 * USD},
        {"low": 401 * USD},
        {"open": 500 * USD, "high": 450 * USD},
        {"volume": -1},
        {"close": 481 * USD, "high": 481 * USD},
        {"close": 319 * USD, "low": 319 * USD},
    ],
)
def test_c26_a_bar_that_cannot_be_is_rejected_and_marks_nothing(prices: dict[str, int]) -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    spoilt = replace(bar("SPY", 2, 400 * USD), **prices)  # type: ignore[arg-type] # fields of a bar
    effects = desk.tell(BarArrived(spoilt, 0, DAY, spoilt.end))
    (rejected,) = of(BarRejected, effects)
    assert rejected.decision is not None
    assert rejected.decision.outcome == "reject"
    assert desk.state.lines["SPY"].price == 400 * USD


def test_c26_how_much_two_feeds_may_differ_is_a_limit() -> None:
    for tolerance, outcome in (("0bps", "halt"), ("20bps", "allow")):
        bundle = guards().bundle
        from_text = Text(f"abs(bar.close - bar.other_close) <= {tolerance} of bar.other_close", Span.nowhere("test"))
        rules = tuple(
            replace(each, require=from_text, when=Text("present(bar.other_close)", Span.nowhere("test")))
            if each.id == "DATA-08"
            else each
            for each in bundle.rules
        )
        limits = {name: value for name, value in bundle.limits.items() if name != "disagreement"}
        set_ = compile_bundle(replace(bundle, rules=rules, limits=limits))
        changed = {"bar__close": "470 USD", "bar__other_close": "470.50 USD"}
        assert decide(set_, Point.BAR, **changed).outcome == outcome


@pytest.mark.parametrize(
    ("day", "minutes"),
    [
        (date(2024, 7, 3), 210),
        (date(2024, 11, 29), 210),
        (date(2024, 12, 24), 210),
        (date(2024, 12, 23), 390),
        (date(2025, 11, 28), 210),
    ],
)
def test_c27_a_half_day_is_as_long_as_it_is_and_leaves_no_gap(day: date, minutes: int) -> None:
    assert XNYS.session_close(day) - XNYS.session_open(day) == minutes * MINUTE
    later = XNYS.next_session(day)
    assert XNYS.missing_bars(XNYS.session_close(day), XNYS.session_open(later) + 5 * MINUTE, "5m") == 0
    assert XNYS.missing_bars(XNYS.session_close(day), XNYS.session_open(later) + 10 * MINUTE, "5m") == 1


def test_c27_the_calendar_goes_on_after_2026_and_refuses_where_it_ends() -> None:
    assert not XNYS.is_session(date(2027, 11, 25))
    assert not XNYS.is_session(date(2028, 1, 17))
    assert XNYS.is_session(date(2028, 1, 18))


def test_c27_the_shipped_policies_let_days_of_equities_pass() -> None:
    """A month of daily bars, with Thanksgiving, two half days and Christmas in it, is no gap."""
    days = XNYS.sessions_between(date(2024, 11, 20), date(2024, 12, 31))
    feed, desk = RecordedFeed(XNYS), Desk(shipped())
    for day in days:
        made = replace(bar("SPY", 1, 400 * USD), end=XNYS.session_close(day), timeframe="1D")
        desk.tell(BarArrived(made, feed.arrive(made) if feed.enter(made.end) else -1, day.toordinal(), made.end))
    assert not of(BarRejected, desk.effects)
    assert desk.state.run.posture == "NORMAL"


@pytest.mark.parametrize("trouble", ["gap", "silence", "both"])
def test_c28_what_stops_entries_lets_every_exit_out(trouble: str) -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    if trouble != "gap":
        desk.tell(ClockTicked(desk.state.now + 10 * MINUTE, (("SPY", 9 * MINUTE),)))
    if trouble != "silence":
        desk.bar("SPY", 20, 400 * USD, missing=9)
    assert desk.state.run.posture in ("HALTED", "DISARMED")
    assert of(Refused, desk.want({"SPY": 11}, "SPY", 21, 400 * USD))
    for minute, target in ((22, 4), (23, 0)):
        (order,) = submits(desk.want({"SPY": target}, "SPY", minute, 400 * USD))
        assert order.side is Side.SELL
        desk.fill(order, 400 * USD)
    assert not desk.state.ledger.positions


def test_c29_one_silent_symbol_is_named_and_stops_no_other_engine() -> None:
    main, exp = Desk(), Desk(shipped("EXP"))
    for desk in (main, exp):
        made = bar("SPY", 5, 400 * USD, timeframe="5m")
        desk.tell(BarArrived(made, 0, DAY, made.end))
    effects = main.tell(ClockTicked(main.state.now + 10 * MINUTE, (("QQQ", 9 * MINUTE),)))
    assert main.state.run.posture == "DISARMED"
    assert "QQQ" in repr([each for each in effects if hasattr(each, "decision")])
    assert exp.state.run.posture == "NORMAL"


def test_c29_a_policy_may_say_whose_silence_counts() -> None:
    bundle = guards().bundle
    narrow = tuple(
        replace(each, when=Text("feed.symbol in [SPY]", Span.nowhere("test"))) if each.id == "DATA-01" else each
        for each in bundle.rules
    )
    for symbol, posture in (("QQQ", "NORMAL"), ("SPY", "DISARMED")):
        desk = Desk(compile_bundle(replace(bundle, rules=narrow)))
        desk.bar(symbol, 1, 300 * USD)
        desk.tell(ClockTicked(desk.state.now + 10 * MINUTE, ((symbol, 9 * MINUTE),)))
        assert desk.state.run.posture == posture
