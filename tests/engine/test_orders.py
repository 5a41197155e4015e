"""From targets to orders: projected caps, free exits, splitting at zero, cancels, and what the broker answers."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.engine import (
    Accepted,
    BarRejected,
    Cancel,
    Cancelled,
    CancelRejected,
    ClockTicked,
    Effect,
    EngineError,
    KillSwitch,
    LatchReleased,
    LatchSet,
    Refused,
    Rejected,
    Submit,
)
from mqk.orders import Order, OrderStatus, Side
from mqk.quantity import INT64_MAX
from tests.engine.worlds import DAY, MINUTE, USD, Desk, guards, of, submits

SYMBOLS = ("AAPL", "QQQ", "SPY")


def test_an_intent_beyond_a_cap_is_refused_with_its_reason_and_never_becomes_an_order() -> None:
    desk = Desk()
    (effect,) = desk.want({"SPY": 60}, "SPY", 1, 400 * USD)
    assert isinstance(effect, Refused)
    assert effect.rules == ("CAP-01",)
    assert effect.decision is not None
    finding = effect.decision.findings[0]
    assert (finding.observed, finding.limit, finding.headroom) == ("24_060 USD", "19_976 USD", "-4_084 USD")
    assert not desk.state.orders


def test_the_same_refusal_again_is_told_in_short_unless_everything_is_explained() -> None:
    for explain in (False, True):
        desk = Desk(explain=explain)
        decisions = [
            desk.want(wish, "SPY", minute, 400 * USD)[0]
            for minute, wish in enumerate(({"SPY": 60}, {"SPY": 61}, {"SPY": -5}, {"SPY": 60}), 1)
        ]
        assert [getattr(effect, "rules", ()) for effect in decisions] == [("CAP-01",)] * 2 + [("ORD-13",), ("CAP-01",)]
        told = [getattr(effect, "decision", None) is not None for effect in decisions]
        assert told == [True, explain, True, True]


def test_a_refusal_after_an_order_is_told_in_full_again() -> None:
    desk = Desk()
    wishes = ({"SPY": 60}, {"SPY": 10}, {"SPY": 60})
    effects = [desk.want(wish, "SPY", minute, 400 * USD)[0] for minute, wish in enumerate(wishes, 1)]
    refused = of(Refused, effects)
    assert [refusal.rules for refusal in refused] == [("CAP-01",)] * 2
    assert all(refusal.decision is not None for refusal in refused)


def test_what_only_reduces_is_ordered_first_whichever_side_it_is() -> None:
    desk = Desk(guards(("allow_short", True)))
    desk.hold("SPY", -10, 1, 400 * USD)
    desk.bar("QQQ", 2, 300 * USD)
    effects = desk.want({"QQQ": -5, "SPY": 0}, "QQQ", 3, 300 * USD)
    assert [(o.symbol, o.side) for o in submits(effects)] == [("SPY", Side.BUY), ("QQQ", Side.SELL)]


def test_orders_without_a_market_are_refused() -> None:
    desk = Desk()
    (effect,) = desk.want({"QQQ": 1}, "SPY", 1, 400 * USD)
    assert isinstance(effect, Refused)
    assert effect.decision is not None
    assert "missing" in {finding.fault for finding in effect.decision.findings}


def test_a_price_too_large_to_judge_is_as_good_as_none() -> None:
    desk = Desk(guards(shadow=("DATA-06",)))
    (effect,) = desk.want({"SPY": 1}, "SPY", 1, INT64_MAX)
    assert isinstance(effect, Refused)


def test_targets_that_are_no_shares_stop_the_engine() -> None:
    desk = Desk()
    with pytest.raises(EngineError) as caught:
        desk.want({"SPY": 1.5}, "SPY", 1, 400 * USD)  # type: ignore[dict-item] # the point
    assert caught.value.code == "strategy"


def test_a_symbol_left_out_stays_as_it_is_c35() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    desk.bar("QQQ", 2, 300 * USD)
    assert [order.symbol for order in submits(desk.want({"QQQ": 5}, "QQQ", 3, 300 * USD))] == ["QQQ"]


def test_what_is_on_its_way_is_not_ordered_again_c35() -> None:
    desk = Desk()
    assert len(submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))) == 1
    assert desk.want({"SPY": 10}, "SPY", 2, 400 * USD) == []


def test_a_target_across_zero_is_an_exit_and_a_separate_entry_c41() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    effects = desk.want({"SPY": -10_000}, "SPY", 2, 400 * USD)
    assert [(o.side, o.qty) for o in submits(effects)] == [(Side.SELL, 10)]
    (refused,) = of(Refused, effects)
    assert isinstance(refused, Refused)
    assert refused.intent.qty == 10_000
    assert "ORD-13" in refused.rules


def test_working_orders_count_against_caps_c41() -> None:
    desk = Desk()
    desk.want({"SPY": 40}, "SPY", 1, 400 * USD)
    (effect,) = desk.want({"SPY": 80}, "SPY", 2, 400 * USD)
    assert isinstance(effect, Refused)
    assert desk.state.account.working_orders == 1


def test_a_change_of_mind_takes_the_order_back_instead_of_trading_against_it() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 40}, "SPY", 1, 400 * USD))
    (effect,) = desk.want({"SPY": 0}, "SPY", 2, 400 * USD)
    assert isinstance(effect, Cancel)
    assert effect.client_order_id == order.client_order_id
    desk.tell(CancelRejected(order.client_order_id, "too late", desk.state.now))
    (again,) = desk.want({"SPY": 0}, "SPY", 3, 400 * USD)
    assert isinstance(again, Cancel)
    desk.tell(Cancelled(order.client_order_id, "", desk.state.now))
    assert desk.state.account.working_orders == 0
    assert desk.state.lines["SPY"].working_buy == 0


def test_a_fill_may_cross_a_cancel_and_counts_once() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 40}, "SPY", 1, 400 * USD))
    desk.tell(Accepted(order.client_order_id, desk.state.now))
    desk.want({"SPY": 0}, "SPY", 2, 400 * USD)
    desk.fill(order, 401 * USD, 15)
    desk.tell(Cancelled(order.client_order_id, "", desk.state.now))
    assert desk.state.lines["SPY"].qty == 15
    desk.fill(order, 401 * USD, 25, name="2")
    digest = desk.state.digest()
    desk.fill(order, 401 * USD, 25, name="2")
    assert desk.state.digest() == digest
    assert desk.state.ledger.qty("SPY") == desk.state.lines["SPY"].qty == 40
    assert desk.state.orders[order.client_order_id].status is OrderStatus.FILLED


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"qty": 41}, "book"),
        ({"symbol": "QQQ"}, "book"),
        ({"side": Side.SELL}, "book"),
        ({"client_order_id": "X"}, "unknown_order"),
    ],
)
def test_a_fill_that_cannot_be_true_changes_nothing(change: dict[str, object], code: str) -> None:
    desk = Desk()
    desk.bar("QQQ", 1, 300 * USD)
    (order,) = submits(desk.want({"SPY": 40}, "SPY", 1, 400 * USD))
    digest = desk.state.digest()
    wrong = {"client_order_id": order.client_order_id, "symbol": "SPY", "side": Side.BUY, "qty": 40, **change}
    with pytest.raises(EngineError) as caught:
        desk.fill(Order(**wrong), 401 * USD)  # type: ignore[arg-type] # as told by the parameters
    assert caught.value.code == code
    assert desk.state.digest() == digest


def test_a_position_just_bought_is_worth_what_it_was_bought_at_not_yesterdays_close() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 40}, "SPY", 1, 400 * USD))
    desk.fill(order, 440 * USD)
    assert desk.state.account.equity == 100_000 * USD
    assert desk.state.run.posture == "NORMAL"


def test_a_storm_of_rejects_halts_and_pulls_what_is_at_work() -> None:
    desk = Desk()
    for symbol in ("AAPL", "IBM", "MSFT", "NVDA", "QQQ", "SPY"):
        desk.want({symbol: 1}, symbol, 1, 100 * USD)
    *rejected, last = list(desk.state.working)
    now = desk.state.now
    effects: list[Effect] = []
    for number, name in enumerate(rejected):
        assert not effects
        effects = desk.tell(Rejected(name, "no", now + number * MINUTE))
    assert [latch.latch.rule for latch in of(LatchSet, effects)] == ["RATE-05"]
    assert [effect.client_order_id for effect in of(Cancel, effects)] == [last]
    # The window is five minutes, both ends included; what it holds, the latch outlives.
    desk.bar("SPY", 7, 100 * USD)
    assert vars(desk.state.windows.view)["rejects_5m"] == 4
    assert desk.state.run.posture == "HALTED"


def test_drawdown_flattens_everything_and_goes_on_until_all_is_out() -> None:
    desk = Desk(guards(shadow=("DATA-06", "LOSS-01")))
    for minute, symbol in enumerate(SYMBOLS, 1):
        desk.hold(symbol, 40, minute, 400 * USD)
    (entry,) = submits(desk.want({"SPY": 41}, "SPY", 4, 400 * USD))
    effects = desk.bar("SPY", 5, 100 * USD) + desk.bar("AAPL", 5, 100 * USD)
    assert [latch.latch.rule for latch in of(LatchSet, effects)] == ["LOSS-03"]
    assert [cancel.client_order_id for cancel in of(Cancel, effects)] == [entry.client_order_id]
    exits = submits(effects)
    assert {(o.symbol, o.side, o.qty) for o in exits} == {(symbol, Side.SELL, 40) for symbol in SYMBOLS}
    # The entry filled before the cancel came: the engine gets out of that share, too.
    extra = submits(desk.fill(entry, 100 * USD))
    assert [(o.symbol, o.qty) for o in extra] == [("SPY", 1)]
    again = submits(desk.tell(Rejected(exits[0].client_order_id, "no", desk.state.now)))
    assert [(o.symbol, o.qty) for o in again] == [(exits[0].symbol, 40)]
    for order in [*exits[1:], *extra, *again]:
        desk.fill(order, 100 * USD)
    assert not desk.state.ledger.positions
    assert desk.want({"SPY": 1}, "SPY", 6, 100 * USD) == []


def test_a_drawdown_that_stands_holds_again_unless_a_new_peak_is_set() -> None:
    desk = Desk(guards(shadow=("DATA-06", "LOSS-01", "CAP-01")))
    desk.hold("SPY", 100, 1, 400 * USD)
    (exit_,) = submits(desk.bar("SPY", 2, 200 * USD))
    desk.fill(exit_, 200 * USD)
    with pytest.raises(EngineError):
        desk.tell(LatchReleased("LOSS-03", "operator", desk.state.now))
    desk.tell(LatchReleased("LOSS-03", "risk_officer", desk.state.now))
    assert desk.state.run.posture == "FLATTENING"
    desk.tell(LatchReleased("LOSS-03", "risk_officer", desk.state.now, new_peak=True))
    assert desk.state.run.posture == "NORMAL"
    assert submits(desk.want({"SPY": 10}, "SPY", 3, 200 * USD))


PRICES = st.integers(50, 400)


@st.composite
def _moves(draw: st.DrawFn) -> list[tuple[str, str, int, int]]:
    kinds = st.sampled_from(["bar", "bar", "bar", "fill", "part", "reject", "cancel"])
    return draw(st.lists(st.tuples(kinds, st.sampled_from(SYMBOLS), PRICES, st.integers(-5, 200)), max_size=40))


def _play(desk: Desk, moves: list[tuple[str, str, int, int]], check: object) -> None:
    """Play moves: bars with targets, and the broker's answers to the oldest order of a symbol."""
    for minute, (kind, symbol, price, number) in enumerate(moves, 1):
        if kind == "bar":
            effects = desk.want({symbol: number}, symbol, minute, price * USD)
        else:
            order = next(iter(desk.state.working_of(symbol)), None)
            if order is None:
                continue
            if kind == "reject" and not order.filled:
                effects = desk.tell(Rejected(order.client_order_id, "", desk.state.now))
            elif kind == "cancel":
                effects = desk.tell(Cancelled(order.client_order_id, "", desk.state.now))
            else:
                leaves = order.leaves
                qty = max(1, leaves // 2) if kind == "part" else leaves
                worst = desk.state.worst_prices[order.client_order_id]
                effects = desk.fill(order, worst, qty, name=str(minute))
        assert callable(check)
        check(desk, effects)


WATCHED = ("DATA-06", "LOSS-01", "LOSS-03", "RATE-05")


@settings(max_examples=150)
@given(_moves())
def test_no_interleaving_of_allowed_orders_breaks_a_cap_c41(moves: list[tuple[str, str, int, int]]) -> None:
    def check(desk: Desk, effects: list[object]) -> None:
        state = desk.state
        entries = [e for e in effects if isinstance(e, Submit) and e.order.side is Side.BUY]
        if not entries:
            return
        # All that can fill, in any combination, at the worst prices that were judged; sells bring cash in.
        buys = [order for order in state.working.values() if order.side is Side.BUY]
        sets = list(chain.from_iterable(combinations(buys, size) for size in range(len(buys) + 1)))[:256]
        equity = state.account.equity
        for filled in sets:
            spent = sum(order.leaves * state.worst_prices[order.client_order_id] for order in filled)
            assert spent <= state.ledger.cash
            for entry in entries:
                symbol = entry.order.symbol
                held = state.ledger.qty(symbol) + sum(o.leaves for o in filled if o.symbol == symbol)
                assert held * entry.worst_price * 5 <= equity
        gross = sum(
            (state.ledger.qty(s) + sum(o.leaves for o in buys if o.symbol == s)) * (state.ledger.last_mark(s) or 0)
            for s in SYMBOLS
            if s in state.lines
        )
        assert gross <= equity

    _play(Desk(guards(shadow=WATCHED)), moves, check)


@settings(max_examples=150)
@given(_moves())
def test_the_views_say_what_the_books_say(moves: list[tuple[str, str, int, int]]) -> None:
    def check(desk: Desk, _: object) -> None:
        state, account = desk.state, desk.state.account
        working = list(state.working.values())
        assert account.cash == state.ledger.cash
        assert account.equity == state.ledger.equity()
        assert account.open_positions == len(state.ledger.positions)
        assert account.working_orders == len(working)
        assert account.working_buy_value == sum(
            o.leaves * state.worst_prices[o.client_order_id] for o in working if o.side is Side.BUY
        )
        total = 0
        for line in state.lines.values():
            buy = sum(o.leaves for o in working if o.symbol == line.symbol and o.side is Side.BUY)
            sell = sum(o.leaves for o in working if o.symbol == line.symbol and o.side is Side.SELL)
            assert (line.qty, line.working_buy, line.working_sell) == (state.ledger.qty(line.symbol), buy, sell)
            assert line.price == state.ledger.last_mark(line.symbol)
            dearest = {
                side: max(
                    [line.price or 0]
                    + [state.worst_prices[o.client_order_id] for o in state.working_of(line.symbol, side)]
                )
                for side in Side
            }
            assert line.exposure == max((line.qty + buy) * dearest[Side.BUY], (sell - line.qty) * dearest[Side.SELL])
            total += line.exposure
        assert account.gross_exposure == total
        assert account.peak_equity >= account.equity

    _play(Desk(guards(shadow=WATCHED)), moves, check)


TROUBLE = st.lists(st.sampled_from(["kill", "gap", "crash", "storm", "silence"]), min_size=1, max_size=4, unique=True)


@settings(max_examples=150)
@given(TROUBLE, st.booleans(), st.integers(1, 45), st.integers(0, 60))
def test_exits_are_never_denied_whatever_holds_c11_c12_c13_c28(
    trouble: list[str], short: bool, qty: int, part: int
) -> None:
    set_ = guards(("allow_short", True), shadow=("DATA-06",))
    desk = Desk(set_)
    held = -qty if short else qty
    desk.hold("SPY", held, 1, 400 * USD)
    assert desk.state.ledger.qty("SPY") == held
    price = 400
    for minute, what in enumerate(trouble, 2):
        if what == "kill":
            desk.tell(KillSwitch(True, "operator", desk.state.now))
        elif what == "gap":
            desk.bar("SPY", minute, price * USD, missing=5)
        elif what == "crash":
            # Far enough for a short, too: its equity goes below zero.
            price = 4_000 if short else 1
            desk.bar("SPY", minute, price * USD)
        elif what == "silence":
            desk.tell(ClockTicked(desk.state.now, (("SPY", 60 * MINUTE),)))
        elif what == "storm":
            for number in range(6):
                desk.state.windows.record("rejects", desk.state.now)
                desk.bar("QQQ", 10 * minute + number, 100 * USD)
    target = (held + min(part, qty) if short else held - min(part, qty)) if part else 0
    effects = desk.want({"SPY": target}, "SPY", 90, price * USD)
    assert not of(Refused, effects + [e for e in desk.effects if isinstance(e, Refused)])
    assert not of(BarRejected, effects)
    # What the strategy wanted out, or all of it where the engine itself wants out, is on its way out.
    line = desk.state.lines["SPY"]
    on_its_way = line.working_buy if short else line.working_sell
    assert on_its_way >= abs(held - target)
    assert line.reducible(buying=short) <= abs(target)


def test_a_killed_engine_orders_nothing_new_and_pulls_what_adds() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    (entry,) = submits(desk.want({"SPY": 20}, "SPY", 2, 400 * USD))
    effects = desk.tell(KillSwitch(True, "operator", desk.state.now))
    assert [cancel.client_order_id for cancel in of(Cancel, effects)] == [entry.client_order_id]
    desk.tell(Cancelled(entry.client_order_id, "", desk.state.now))
    (refused,) = desk.want({"SPY": 20}, "SPY", 3, 400 * USD)
    assert isinstance(refused, Refused)
    assert refused.rules == ("KILL-01",)
    (exit_,) = submits(desk.want({"SPY": 0}, "SPY", 4, 400 * USD))
    # An exit on its way stays, also when the strategy changes its mind.
    assert of(Cancel, desk.want({"SPY": 10}, "SPY", 5, 400 * USD)) == []
    desk.fill(exit_, 400 * USD)
    desk.tell(KillSwitch(False, "operator", desk.state.now))
    assert submits(desk.want({"SPY": 10}, "SPY", 6, 400 * USD))


def test_order_ids_carry_engine_run_and_number_c30() -> None:
    desk = Desk()
    first = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))[0]
    desk.fill(first, 400 * USD)
    desk.fill(submits(desk.want({"SPY": 0}, "SPY", 2, 400 * USD))[0], 400 * USD)
    third = submits(desk.want({"SPY": 10}, "SPY", 3, 400 * USD))[0]
    assert (first.client_order_id, third.client_order_id) == ("MAIN_t_0", "MAIN_t_2")
    assert desk.state.session == DAY
