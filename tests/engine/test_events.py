"""Events: their journal, time that never runs backwards, and replay that ends where the run ended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.engine import (
    Accepted,
    BarArrived,
    BorrowCharged,
    Cancelled,
    CancelRejected,
    ClockTicked,
    CorporateAction,
    EngineError,
    EngineState,
    Event,
    Filled,
    FirmSeen,
    KillSwitch,
    LatchReleased,
    Reconciled,
    Rejected,
    RunMoved,
    SessionPlanned,
    Shadowed,
    SkewMeasured,
    event_from_json,
    event_to_json,
    instant_of,
    step,
)
from mqk.market import Ex, calendar_of
from mqk.portfolio import Fill
from tests.engine.worlds import DAY, USD, Desk, bar, guards, host, of, submits

EVENTS: list[Event] = [
    BarArrived(bar("SPY", 1, 400 * USD), 2, DAY, 5, 3),
    BarArrived(bar("SPY", 1, 400 * USD), 0, DAY, 5),
    ClockTicked(5, (("SPY", 3),), DAY),
    ClockTicked(5),
    Accepted("a", 1),
    Rejected("a", "no", 1),
    Filled(Fill("f", "a", "SPY", "BUY", 1, 2, 0, 9), "a", 3),
    Filled(Fill("f", "a", "SPY", "BUY", 1, 2, 0, 9), "a"),
    Cancelled("a", "", 1),
    CancelRejected("a", "", 1),
    KillSwitch(True, "me", 1),
    LatchReleased("R-01", "operator", 1, True),
    RunMoved("STOPPED", 1),
    SessionPlanned(calendar_of("XNYS").plan(date(2024, 3, 8))),
    BarArrived(replace(bar("SPY", 1, 400 * USD), ex=Ex(Fraction(3, 2), Fraction("624954.46"))), 0, DAY, 5),
    CorporateAction("SPY", DAY, 5, Fraction(1, 10), Fraction(1, 3)),
    BorrowCharged("SPY", DAY, 5, Fraction(1, 3)),
    FirmSeen(5, 3, 1),
    Reconciled(True, 2, 1),
    SkewMeasured(3, 1),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_its_journal(event: Event) -> None:
    read = event_from_json(json.loads(json.dumps(event_to_json(event))))
    assert (type(read), read, instant_of(read)) == (type(event), event, instant_of(event))


@pytest.mark.parametrize("record", [{}, {"event": "Nothing"}, {"event": "Accepted"}, {"event": "Filled", "fill": {}}])
def test_what_is_no_event_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="event"):
        event_from_json(record)


def test_an_unknown_event_is_an_error() -> None:
    with pytest.raises(EngineError):
        step(Desk().state, "bar")  # type: ignore[arg-type] # the point of the test


def test_time_never_runs_backwards_c36() -> None:
    desk = Desk()
    desk.bar("SPY", 5, 400 * USD)
    now = desk.state.now
    desk.tell(KillSwitch(True, "me", 1))
    desk.tell(ClockTicked(2))
    assert desk.state.now == desk.state.clock.now == now


def test_a_window_holds_what_happened_exactly_its_length_ago() -> None:
    desk = Desk()
    counts = desk.state.windows
    counts.record("rejects", 1_000)
    length = 300_000_000
    for now, expected in ((1_000 + length, 1), (1_001 + length, 0)):
        counts.advance(now)
        assert vars(counts.view)["rejects_5m"] == expected


@given(st.lists(st.tuples(st.sampled_from(["AAPL", "SPY"]), st.integers(90, 110), st.integers(0, 60)), max_size=25))
def test_replaying_the_journal_gives_the_same_engine_and_the_same_effects(moves: list[tuple[str, int, int]]) -> None:
    desk = Desk(explain=True)
    journal: list[tuple[str, dict[str, int]]] = []
    effects = []
    for minute, (symbol, price, target) in enumerate(moves, 1):
        made = bar(symbol, minute, price * USD)
        events: list[Event] = [BarArrived(made, 0, DAY, made.end)]
        events += [Accepted(order, made.end) for order in list(desk.state.working)]
        for event in events:
            desk.wishes = {symbol: target}
            journal.append((json.dumps(event_to_json(event)), dict(desk.wishes)))
            effects += desk.tell(event)
    again = Desk(explain=True)
    replayed = []
    for text, wishes in journal:
        again.wishes = wishes
        replayed += again.tell(event_from_json(json.loads(text)))
    assert replayed == effects
    assert again.state.digest() == desk.state.digest()


def test_a_shadow_strategy_is_heard_and_changes_nothing() -> None:
    def run(shadows: bool) -> tuple[EngineState, list[object]]:
        many = {"dreamer": lambda _: {"SPY": 999}} if shadows else {}
        state = EngineState(guards(), run_id="t", host=host(lambda c: {"SPY": len(c.bars)}, 3, many))
        effects: list[object] = []
        for minute in range(1, 6):
            made = bar("SPY", minute, 400 * USD)
            effects += step(state, BarArrived(made, 0, DAY, made.end))
        return state, effects

    alone, plain = run(False)
    beside, heard = run(True)
    assert alone.digest() == beside.digest()
    assert [effect for effect in heard if not isinstance(effect, Shadowed)] == plain
    (shadowed,) = of(Shadowed, heard)
    assert shadowed == Shadowed("dreamer", (("SPY", 999),), bar("SPY", 1, 1).end)
    assert len(submits(plain)) == 3
