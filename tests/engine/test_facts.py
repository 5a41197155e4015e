"""Every figure that the engine shows its guards is what a slow reading of all that has happened comes to.

The history is made of bars, orders, fills in pieces, cancels and rejects over several sessions. At each judgement of
an order the views are compared with figures worked out anew from the history alone (history.py).
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.dsl.missing import MISSING
from mqk.engine import BarArrived, Cancelled, EngineState, Filled, Rejected, SessionPlanned, step
from mqk.market import Bar
from mqk.portfolio import Fill
from tests.engine.history import CALENDAR, DAYS, World, reading_all
from tests.engine.worlds import MINUTE, USD, host

symbols = st.sampled_from(["SPY", "QQQ"])
prices = st.integers(90, 110).map(lambda dollars: dollars * USD)
actions = st.one_of(
    st.tuples(st.just("bar"), symbols, prices, st.integers(-4, 4)),
    st.tuples(st.just("bar"), symbols, prices, st.integers(-4, 4)),
    st.tuples(st.just("fill"), st.integers(0, 3), prices, st.integers(1, 4)),
    st.tuples(st.just("fill"), st.integers(0, 3), prices, st.integers(1, 4)),
    st.tuples(st.just("end"), st.integers(0, 3), st.sampled_from([Cancelled, Rejected]), st.just(0)),
    st.tuples(st.just("next day"), st.just(0), st.just(0), st.just(0)),
)


def play(world: World, script: list[tuple[str, object, object, int]]) -> None:
    """Play a script: bars at which the strategy wants something, fills and ends of what works, and new days."""
    minute, number = 0, 0
    for what, which, how, size in script:
        minute += 1
        now = CALENDAR.session_open(world.day) + minute * MINUTE
        working = list(world.state.working.values())
        if what == "next day" and world.day != DAYS[-1]:
            world.day, minute = DAYS[DAYS.index(world.day) + 1], 0
            world.tell(SessionPlanned(CALENDAR.plan(world.day)))
            first = CALENDAR.session_open(world.day) + MINUTE // 2
            _bar(world, "SPY", 100 * USD, first, 0)
        elif what == "bar":
            assert isinstance(which, str)
            assert isinstance(how, int)
            _bar(world, which, how, now, size)
        elif working and what == "fill":
            order = working[int(which) % len(working)]  # type: ignore[call-overload] # a number
            assert isinstance(how, int)
            number += 1
            made = Fill(
                f"f{number}", order.client_order_id, order.symbol, order.side.value, min(size, order.leaves), how,
                number % 3 * USD, now,
            )  # fmt: skip
            world.tell(Filled(made, order.client_order_id))
        elif working and what == "end":
            order = working[int(which) % len(working)]  # type: ignore[call-overload] # a number
            kind: Callable[[str, str, int], object] = Cancelled if order.filled or how is Cancelled else Rejected
            world.tell(kind(order.client_order_id, "a test", now))


def _bar(world: World, symbol: str, close: int, end: int, target: int) -> None:
    made = Bar(symbol, end, close, close + USD, close - USD, close, 100, True, "1m")
    world.bars.append((world.day, made))
    world.wishes = {symbol: target}
    world.tell(BarArrived(made, 0, world.day.toordinal(), end))
    world.wishes = {}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(actions, min_size=5, max_size=40))
def test_every_figure_is_what_the_history_comes_to(script: list[tuple[str, object, object, int]]) -> None:
    world = World()
    play(world, script)


def test_the_history_is_rich_enough_to_be_compared() -> None:
    world = World()
    script: list[tuple[str, object, object, int]] = [
        ("bar", "SPY", 100 * USD, 4),
        ("fill", 0, 99 * USD, 4),
        ("bar", "SPY", 101 * USD, -3),
        ("fill", 0, 98 * USD, 2),
        ("fill", 0, 98 * USD, 2),
        ("bar", "QQQ", 95 * USD, 2),
        ("end", 1, Rejected, 0),
        ("next day", 0, 0, 0),
        ("bar", "SPY", 100 * USD, 4),
        ("fill", 0, 97 * USD, 3),
        ("bar", "SPY", 103 * USD, 0),
    ]
    play(world, script)
    assert world.compared >= 4
    assert world.day_trades()
    assert world.rejects


def test_facts_of_sessions_are_missing_until_the_calendar_has_spoken() -> None:
    state = EngineState(reading_all(), run_id="t", mode="BACKTEST", host=host(lambda _: {"SPY": 1}))
    end = CALENDAR.session_open(DAYS[0]) + MINUTE
    made = Bar("SPY", end, 100 * USD, 100 * USD, 100 * USD, 100 * USD, 100, True, "1m")
    step(state, BarArrived(made, 0, DAYS[0].toordinal(), end))
    assert state.trading_day.open is MISSING
    assert state.clock.time is MISSING
    assert state.market.age is MISSING
    assert state.windows.view.total_results_3_sessions is MISSING
