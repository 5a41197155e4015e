"""Facts that the engine is told, or that only matter at the gate: shown as told, missing before, as if not at work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

import pytest

from mqk.dsl.missing import MISSING
from mqk.engine import (
    BarArrived,
    Cancelled,
    ClockTicked,
    CorporateAction,
    Effect,
    EngineState,
    Event,
    FirmSeen,
    Reconciled,
    Rejected,
    SessionPlanned,
    SkewMeasured,
    Submit,
    step,
)
from mqk.engine.figures import figures
from mqk.engine.placing import judge_working
from mqk.guards import Point, facts_at
from mqk.guards.catalogue import VIEWS
from mqk.guards.views import BAR_AGE, SKEW_AGE
from mqk.market import Bar, calendar_of
from tests.engine.history import reading_all
from tests.engine.worlds import MINUTE, USD, Desk, host

CALENDAR = calendar_of("XNYS")
FRIDAY, MONDAY = date(2024, 3, 8), date(2024, 3, 11)


@dataclass
class Engine:
    """An engine whose guards read everything, with what it wants next."""

    mode: str = "BACKTEST"
    wishes: dict[str, int] = field(default_factory=dict)
    state: EngineState = field(init=False)

    def __post_init__(self) -> None:
        self.state = EngineState(reading_all(), run_id="t", mode=self.mode, host=host(lambda _: self.wishes))
        self.tell(SessionPlanned(CALENDAR.plan(FRIDAY)))

    def tell(self, event: Event) -> list[Effect]:
        """One event."""
        return step(self.state, event)

    def bar(self, minute: int, want: int = 0, *, day: date = FRIDAY, received: int | None = None) -> list[Effect]:
        """A bar of SPY at 100 USD, so many minutes after the open, at which so many shares are wanted."""
        end = CALENDAR.session_open(day) + minute * MINUTE
        self.wishes = {"SPY": want}
        price = 100 * USD
        made = Bar("SPY", end, price, price, price, price, 100, True, "1m")
        return self.tell(BarArrived(made, 0, day.toordinal(), end, received=received))

    def refreshed(self) -> EngineState:
        """The state with the figures of the account, the session and the run worked out now."""
        self.state.show_all()
        return self.state


def test_a_bar_is_shown_with_its_length_and_when_it_came() -> None:
    engine = Engine()
    engine.bar(1, received=7)
    assert (engine.state.bar.timeframe, engine.state.bar.received) == ("1m", 7)
    engine.bar(2)
    assert engine.state.bar.received is MISSING


def test_a_feeds_silence_counts_only_while_the_exchange_trades() -> None:
    engine = Engine()
    close = CALENDAR.session_close(FRIDAY)
    last = (close - CALENDAR.session_open(FRIDAY)) // MINUTE - 10
    engine.bar(last)
    seen: list[object] = []
    judge = engine.state.guards.feed.judge

    def spy(*views: object) -> int:
        seen.append(views[0].silent)  # type: ignore[attr-defined] # the feed's view
        return judge(*views)

    engine.state.guards.feed.judge = spy
    try:
        engine.tell(ClockTicked(close, (("SPY", 9 * MINUTE),), FRIDAY.toordinal()))
        engine.tell(SessionPlanned(CALENDAR.plan(MONDAY)))
        monday = CALENDAR.session_open(MONDAY)
        engine.tell(ClockTicked(monday + 5 * MINUTE, (("SPY", 14 * MINUTE),), MONDAY.toordinal()))
    finally:
        engine.state.guards.feed.judge = judge
    # Ten minutes to the close, and after a weekend five more.
    assert seen == [10 * MINUTE, 15 * MINUTE]


def test_what_a_bar_said_grows_old_only_while_the_exchange_trades() -> None:
    """In hours of trading: a weekend makes no price old, a week of sessions without a bar does."""
    engine = Engine()
    close = CALENDAR.session_close(FRIDAY)
    engine.bar((close - CALENDAR.session_open(FRIDAY)) // MINUTE)
    engine.state.order.symbol = "SPY"
    (figure,) = figures(frozenset({"market.price"}))
    ages = []
    for day in (MONDAY, date(2024, 3, 15), date(2024, 3, 18)):
        engine.tell(SessionPlanned(CALENDAR.plan(day)))
        engine.tell(ClockTicked(CALENDAR.session_open(day) + MINUTE, (), day.toordinal()))
        figure(engine.state)
        ages.append(engine.state.market.ages["price"])
    assert ages == [MINUTE, (4 * 390 + 1) * MINUTE, (5 * 390 + 1) * MINUTE]
    limits = {facts_at(Point.ORDER)[f"market.{name}"].max_age for name in engine.state.market.ages}
    assert limits == {BAR_AGE}
    assert ages[1] < BAR_AGE < ages[2]


def test_of_a_symbol_without_a_bar_no_age_is_known() -> None:
    engine = Engine()
    engine.state.order.symbol = "SPY"
    (figure,) = figures(frozenset({"market.price"}))
    figure(engine.state)
    assert engine.state.market.ages == {}


def test_exits_say_that_they_only_reduce_and_entries_do_not() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    turned = [e.order for e in desk.want({"SPY": -5}, "SPY", 2, 400 * USD) if isinstance(e, Submit)]
    assert (turned[0].qty, turned[0].reduce_only) == (10, True)
    assert not any(order.reduce_only for order in turned[1:])


def test_at_the_gate_an_order_is_judged_as_if_it_were_not_there() -> None:
    engine = Engine()
    (submit,) = (e for e in engine.bar(1, want=3) if isinstance(e, Submit))
    order, digest = submit.order, engine.state.digest()
    shown: dict[str, object] = {}
    judge = engine.state.judge_order

    def spy(*views: object) -> int:
        shown.update(zip(VIEWS[Point.ORDER], views, strict=True))
        return judge(*views)

    engine.state.judge_order = spy
    assert judge_working(engine.state, order, engine.state.now + MINUTE).allowed
    windows, state = shown["windows"], engine.state
    assert (windows.orders_10m, windows.total_orders_2_sessions) == (0, 0)  # type: ignore[attr-defined]
    assert (state.position.working_orders, state.position.adds, state.order.same_age) == (0, 0, MISSING)
    assert list(state.working_orders) == []
    for figure in figures(state.reads):
        figure(state)
    assert state.position.working_orders == 1
    assert [view.qty for view in state.working_orders] == [3]
    assert state.digest() == digest


def test_an_order_like_one_before_it_knows_how_long_ago_that_was() -> None:
    engine = Engine()
    (first,) = (e for e in engine.bar(1, want=3) if isinstance(e, Submit))
    engine.tell(Cancelled(first.order.client_order_id, "a test", engine.state.now))
    assert engine.state.order.same_age is MISSING
    engine.bar(4, want=3)
    assert engine.state.order.same_age == 3 * MINUTE
    # At the gate the younger order finds the elder, and not itself.
    (second,) = engine.state.working.values()
    judge_working(engine.state, second, engine.state.now + MINUTE)
    assert engine.state.order.same_age == 4 * MINUTE


def test_an_order_like_one_from_before_a_split_is_the_same_in_the_shares_of_after_it() -> None:
    engine = Engine()
    (first,) = (e for e in engine.bar(1, want=3) if isinstance(e, Submit))
    engine.tell(Cancelled(first.order.client_order_id, "a test", engine.state.now))
    before, opens = engine.state.now, CALENDAR.session_open(MONDAY)
    engine.tell(CorporateAction("SPY", MONDAY.toordinal(), opens, split=Fraction(2)))
    engine.bar(1, want=3, day=MONDAY)
    assert engine.state.order.same_age is MISSING
    engine.bar(2, want=9, day=MONDAY)
    assert engine.state.order.same_age == opens + 2 * MINUTE - before


@pytest.mark.parametrize("mode", ["PAPER", "LIVE"])
def test_the_firm_is_unknown_until_somebody_has_told_of_it(mode: str) -> None:
    engine = Engine(mode)
    engine.bar(1)
    assert engine.refreshed().firm.equity is MISSING
    engine.tell(FirmSeen(5 * USD, 3 * USD, engine.state.now))
    state = engine.refreshed()
    assert state.firm.equity == state.account.equity + 5 * USD
    assert state.firm.gross_exposure == state.account.gross_exposure + 3 * USD


def test_what_only_informs_moves_no_time_and_judges_nothing() -> None:
    engine = Engine("PAPER")
    engine.bar(1)
    now, later = engine.state.now, engine.state.now + 60 * MINUTE
    for event in (FirmSeen(1, 1, later), Reconciled(True, 0, later), SkewMeasured(1, later)):
        assert engine.tell(event) == []
    assert engine.state.now == now


def test_the_comparison_of_books_is_shown_with_its_age() -> None:
    engine = Engine("PAPER")
    engine.bar(1)
    assert engine.refreshed().reconcile.clean is MISSING
    engine.tell(Reconciled(False, 3, engine.state.now))
    engine.bar(4)
    state = engine.refreshed()
    assert (state.reconcile.clean, state.reconcile.differences, state.reconcile.age) == (False, 3, 3 * MINUTE)
    assert state.reconcile.ages == {"clean": 3 * MINUTE, "differences": 3 * MINUTE}


def test_the_skew_of_clocks_is_stale_once_it_is_old() -> None:
    engine = Engine("PAPER")
    engine.bar(1)
    engine.tell(SkewMeasured(2 * USD, engine.state.now))
    engine.bar(2)
    state = engine.refreshed()
    assert (state.clock.skew, state.clock.ages["skew"]) == (2 * USD, MINUTE)
    assert facts_at(Point.ACCOUNT)["clock.skew"].max_age == SKEW_AGE


def test_rejects_and_bars_that_cannot_be_used_are_errors_of_the_run() -> None:
    engine = Engine()
    (submit,) = (e for e in engine.bar(1, want=3) if isinstance(e, Submit))
    assert engine.state.run.errors == 0
    engine.tell(Rejected(submit.order.client_order_id, "a test", engine.state.now))
    engine.bar(1)
    assert engine.state.run.errors == 2


def test_a_run_is_armed_from_its_first_instant_when_it_was_armed_before_it() -> None:
    engine = Engine()
    engine.bar(1)
    engine.bar(6)
    assert engine.refreshed().run.armed_for == 5 * MINUTE
