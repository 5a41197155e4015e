"""What an engine does on the day a share goes ex: everything it holds, works and remembers follows, and equity stays.

What the ledger does alone is tested in tests/portfolio.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.engine import Adjusted, BarRejected, CorporateAction, EngineError, Submit
from mqk.orders import Order, OrderStatus, OrderType, Side, split_order
from mqk.portfolio import Ledger
from tests.engine.worlds import DAY, MINUTE, OPEN, USD, Desk, bar, guards, of, submits

TOMORROW = DAY + 1
MORNING = OPEN + 24 * 60 * MINUTE


def ex(symbol: str = "SPY", split: Fraction = Fraction(1), dividend: Fraction = Fraction(0)) -> CorporateAction:
    return CorporateAction(symbol, TOMORROW, MORNING, split, dividend)


def test_a_split_moves_shares_prices_and_windows_and_no_money() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    desk.bar("SPY", 2, 402 * USD, spread=USD)
    before = desk.state.account.equity
    (effect,) = of(Adjusted, desk.tell(ex(split=Fraction(2))))
    line, account = desk.state.lines["SPY"], desk.state.account
    assert (effect.held, effect.holds, effect.cash, effect.realised) == (10, 20, 0, 0)
    assert (line.qty, line.price, line.previous_close) == (20, 201 * USD, 201 * USD)
    assert (account.equity, account.day_start_equity, account.peak_equity) == (before, before, before)
    assert account.gross_exposure == 20 * 201 * USD
    assert line.bar is not None
    assert (line.bar.high, line.bar.low, line.bar.volume) == (201_500_000, 200_500_000, 200)
    assert (line.window[-1], line.window.closes(1)) == (line.bar, [201 * USD])
    assert list(desk.state.ledger.positions["SPY"].lots) == [(20, 200 * USD)]


def test_the_jump_of_a_split_is_no_outlier_and_one_without_a_split_is() -> None:
    for told in (True, False):
        desk = Desk()
        desk.bar("SPY", 1, 400 * USD)
        if told:
            desk.tell(ex(split=Fraction(10)))
        after = desk.bar("SPY", 24 * 60 + 1, 40 * USD, session=TOMORROW)
        assert bool(of(BarRejected, after)) != told


def test_day_change_and_session_low_are_measured_in_the_shares_of_today() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    desk.tell(ex(split=Fraction(4)))
    desk.bar("SPY", 24 * 60 + 1, 101 * USD, session=TOMORROW)
    line = desk.state.lines["SPY"]
    assert (line.previous_session_close, line.session_low) == (100 * USD, 101 * USD)


def test_a_dividend_is_income_of_the_new_day_and_its_drop_no_loss() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    account, ledger = desk.state.account, desk.state.ledger
    before, cash = account.equity, ledger.cash
    desk.tell(ex(dividend=Fraction(3 * USD)))
    assert (ledger.cash, ledger.dividends) == (cash + 30 * USD, 30 * USD)
    assert (account.equity, account.day_start_equity, account.peak_equity) == (before, before, before)
    assert (account.cash, desk.state.lines["SPY"].price) == (ledger.cash, 397 * USD)
    desk.bar("SPY", 24 * 60 + 1, 398 * USD, session=TOMORROW)
    assert account.equity - account.day_start_equity == 10 * USD


def test_a_split_and_a_dividend_of_one_day_are_one_event_and_apply_once() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    both = ex(split=Fraction(2), dividend=Fraction(USD))
    assert len(of(Adjusted, desk.tell(both))) == 1
    told = desk.state.digest()
    assert desk.tell(both) == []
    assert desk.state.digest() == told
    assert desk.state.ledger.dividends == 20 * USD


def test_what_goes_ex_of_a_symbol_that_was_never_seen_is_nobodys_business() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    assert desk.tell(ex("QQQ", split=Fraction(2))) == []
    assert desk.state.session == TOMORROW


def test_an_order_at_work_follows_and_what_it_was_judged_at_never_falls() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 7}, "SPY", 1, 401 * USD))
    state = desk.state
    worst, value = state.worst_prices[order.client_order_id], state.account.working_buy_value
    desk.tell(ex(split=Fraction(3)))
    after = state.working[order.client_order_id]
    assert (after.qty, after.leaves, state.lines["SPY"].working_buy) == (21, 21, 21)
    assert 3 * state.worst_prices[order.client_order_id] >= worst
    assert 0 <= state.account.working_buy_value - value <= 21
    desk.fill(after, 134 * USD)
    assert (state.lines["SPY"].qty, state.account.working_buy_value, state.account.working_orders) == (21, 0, 0)


def test_an_order_of_which_no_share_is_left_stays_until_the_broker_says_that_it_is_gone() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 7}, "SPY", 1, 401 * USD))
    desk.tell(ex(split=Fraction(1, 10)))
    assert desk.state.working[order.client_order_id].leaves == 7
    assert desk.state.worst_prices[order.client_order_id] >= 4_010 * USD


@pytest.mark.parametrize(
    ("split", "dividend"),
    [(Fraction(0), Fraction(0)), (Fraction(1), Fraction(-1)), (Fraction(1), Fraction(400 * USD)),
     (Fraction(2), Fraction(200 * USD)), (Fraction(10**12), Fraction(0))],
)  # fmt: skip
def test_an_action_that_cannot_be_true_of_the_books_changes_nothing(split: Fraction, dividend: Fraction) -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    before = desk.state.ledger.snapshot()
    with pytest.raises(EngineError) as caught:
        desk.tell(ex(split=split, dividend=dividend))
    assert caught.value.code == "book"
    assert (desk.state.ledger.snapshot(), desk.state.lines["SPY"].price) == (before, 400 * USD)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(-40, 40),
    st.integers(20 * USD, 400 * USD),
    st.fractions(Fraction(1, 20), 20, max_denominator=20),
    st.one_of(st.just(Fraction(0)), st.fractions(Fraction(1, 100), USD // 2)),
)
def test_equity_is_continuous_over_whatever_goes_ex(qty: int, price: int, split: Fraction, dividend: Fraction) -> None:
    desk = Desk(guards(shadow=("PERM-02",)))
    desk.hold("SPY", qty, 1, price)
    account, ledger = desk.state.account, desk.state.ledger
    before = account.equity
    desk.tell(ex(split=split, dividend=dividend))
    # A micro a share for the price, one for the fraction and one for the dividend, never in our favour.
    assert 0 <= before - account.equity <= abs(ledger.qty("SPY")) + 2
    assert account.equity == ledger.equity()
    assert account.peak_equity >= before
    replayed = Ledger.replay(ledger.initial_cash, ledger.entries)
    assert replayed.snapshot() == ledger.snapshot()


@given(
    st.sampled_from(list(Side)),
    st.integers(1, 500),
    st.integers(0, 499),
    st.integers(1, 10**9),
    st.fractions(Fraction(1, 30), 30, max_denominator=30),
)
def test_a_split_order_is_never_larger_nor_at_a_worse_limit(
    side: Side, qty: int, filled: int, price: int, ratio: Fraction
) -> None:
    order = Order(
        "MAIN_t_0", "SPY", side, qty, OrderType.STOP_LIMIT, limit_price=price, stop_price=price, tif="DAY",
        filled=min(filled, qty - 1), status=OrderStatus.ACCEPTED,
    )  # fmt: skip
    after = split_order(order, ratio)
    if after is None:
        assert order.leaves * ratio < 1
        return
    assert 0 <= order.leaves * ratio - after.leaves < 1
    assert after.limit_price is not None
    worse = (after.limit_price - price / ratio) * side.sign
    assert worse <= 0 or after.limit_price == 1
    assert after.stop_price == after.limit_price
    ended = Order("MAIN_t_0", "SPY", side, qty, status=OrderStatus.CANCELLED)
    assert split_order(ended, ratio) is ended


def test_a_submit_after_a_split_is_judged_at_the_new_price() -> None:
    desk = Desk()
    desk.bar("SPY", 1, 400 * USD)
    desk.tell(ex(split=Fraction(4)))
    desk.wishes = {"SPY": 100}
    effects = desk.bar("SPY", 24 * 60 + 1, bar("SPY", 1, 100 * USD).close, session=TOMORROW)
    (submit,) = of(Submit, effects)
    assert submit.worst_price < 101 * USD


def test_an_order_of_which_no_whole_share_has_filled_after_a_split_has_not_begun_to_fill() -> None:
    order = Order("a", "SPY", Side.BUY, 100, status=OrderStatus.PARTIALLY_FILLED, filled=3)
    after = split_order(order, Fraction(1, 7))
    assert after is not None
    assert (after.status, after.qty, after.filled) == (OrderStatus.ACCEPTED, 13, 0)
