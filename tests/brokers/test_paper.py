"""The paper broker: takes nothing without its permit, trades everything once, and knows it after any restart."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from mqk.brokers import Ambiguous, BrokerError, BrokerUnavailable, PaperBroker, PermitRefused
from mqk.engine import Accepted, Cancelled, Filled, Permit, linkage
from mqk.engine.gate import authorise_replacement
from mqk.orders import CostModel, Leg, OrderStatus, OrderType, Side
from mqk.policy import LatencyBars
from mqk.quantity import INT64_MAX
from mqk.reconcile import OrderView
from mqk.venue import Moment
from tests.brokers.desk import ACCOUNT, CAPITAL, EPOCH, Desk, desk, paper, show
from tests.runtime.world import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def world() -> Desk:
    return desk()


@pytest.fixture
def open_broker(database_url: str) -> Iterator[Callable[..., PaperBroker]]:
    """Opens brokers on one database, closed with the test."""
    opened: list[PaperBroker] = []

    def make(**settings: object) -> PaperBroker:
        opened.append(paper(database_url, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for broker in opened:
        broker.close()


@pytest.fixture
def broker(open_broker: Callable[..., PaperBroker], world: Desk) -> PaperBroker:
    made = open_broker()
    for bars in world.shown:
        show(made, bars)
    return made


def kinds(broker: PaperBroker, after: int = 0) -> list[str]:
    return [type(message.event).__name__ for message in broker.events_after(after)]


def bar_of(world: Desk, number: int = 0) -> tuple[int, int, int, int, int]:
    """The order's symbol's bar in a coming instant, as the cost model takes it."""
    bar = next(bar for bar in world.coming[number] if bar.symbol == world.order.symbol)
    return bar.open, bar.high, bar.low, bar.close, bar.end


def test_a_market_order_fills_at_the_open_of_its_symbols_next_bar_against_the_trader(
    broker: PaperBroker, world: Desk
) -> None:
    order = world.order
    ack = broker.submit(world.permit(), order)
    assert ack.rejection is None
    assert kinds(broker) == ["Accepted"]
    show(broker, [bar for bar in world.coming[0] if bar.symbol != order.symbol])
    assert kinds(broker) == ["Accepted"]

    show(broker, world.coming[1])
    accepted, filled = broker.events_after(0)
    assert accepted.event == Accepted(order.client_order_id, world.now)
    assert isinstance(filled.event, Filled)
    fill = filled.event.fill
    opening, high, low, close, end = bar_of(world, 1)
    assert fill.price == world.state.costs.fill_price(order.side, opening, high, low, close)
    assert fill.price > opening if order.side is Side.BUY else fill.price < opening
    assert (fill.qty, fill.at, filled.event.mark, filled.fill_id) == (order.qty, end - MINUTE, opening, fill.fill_id)
    book = broker.book()
    assert book.positions == {order.symbol: order.side.sign * order.qty}
    assert book.cash == CAPITAL - order.side.sign * order.qty * fill.price - fill.fee
    assert book.as_of == end
    assert book.orders == {}


def test_showing_a_bar_again_trades_nothing_again(broker: PaperBroker, world: Desk) -> None:
    broker.submit(world.permit(), world.order)
    for _ in range(3):
        show(broker, world.coming[0])
        for bars in world.shown:
            show(broker, bars)
    assert kinds(broker) == ["Accepted", "Filled"]
    assert broker.book().positions == {world.order.symbol: world.order.qty}


def test_the_same_order_again_is_answered_as_before_and_traded_once(broker: PaperBroker, world: Desk) -> None:
    first = broker.submit(world.permit(), world.order)
    assert broker.submit(world.permit(), world.order) == first
    assert broker.find(world.order.client_order_id) == first
    for bars in world.coming[:2]:
        show(broker, bars)
    assert broker.find(world.order.client_order_id) == first
    assert kinds(broker) == ["Accepted", "Filled"]


def test_an_order_id_never_stands_for_two_orders(
    broker: PaperBroker, world: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.submit(world.permit(), world.order)
    permit = world.permit()
    monkeypatch.setattr("mqk.engine.gate.Permit.refusal", lambda *_, **__: None)
    with pytest.raises(BrokerError, match="stands for another order") as refused:
        broker.submit(permit, world.other(qty=world.order.qty + 1))
    assert refused.value.code == "conflict"
    assert kinds(broker) == ["Accepted"]


def test_nothing_but_the_gates_permit_for_this_very_order_lets_it_out(
    broker: PaperBroker, open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    class Lookalike:
        client_order_id = world.order.client_order_id
        expires_at = 2**60
        epoch = EPOCH

        def refusal(self, *_: object, **__: object) -> None:
            return None

    order = world.order
    attempts = [
        (Lookalike(), order),
        (None, order),
        (world.permit(), world.other(qty=order.qty + 1)),
        (world.permit(), world.other(side=order.side.opposite)),
        (world.permit(), world.other(symbol="CCC")),
        (world.permit(), world.other(type=OrderType.LIMIT, limit_price=1)),
        (world.permit(), world.other(client_order_id=f"{order.client_order_id}0")),
        (world.permit(epoch=EPOCH - 1), order),
        (world.permit(epoch=EPOCH + 1), order),
        (world.permit(ttl=-1), order),
    ]
    for permit, wanted in attempts:
        with pytest.raises(PermitRefused):
            broker.submit(permit, wanted)  # type: ignore[arg-type]
    with pytest.raises(PermitRefused, match="another policy bundle"):
        open_broker(bundle="0" * 64).submit(world.permit(), order)
    assert broker.find(order.client_order_id) is None
    assert kinds(broker) == []


def test_a_permit_has_expired_once_the_market_has_moved_on(broker: PaperBroker, world: Desk) -> None:
    permit = world.permit()
    show(broker, world.coming[0])
    with pytest.raises(PermitRefused, match="expired"):
        broker.submit(permit, world.order)


def test_a_later_leader_shuts_out_the_one_before(
    broker: PaperBroker, open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    open_broker(epoch=EPOCH + 1)
    with pytest.raises(PermitRefused, match=f"epoch {EPOCH}"):
        broker.submit(world.permit(), world.order)
    with pytest.raises(PermitRefused) as fenced:
        open_broker(epoch=EPOCH)
    assert fenced.value.code == "fenced"


def test_what_it_does_not_trade_is_rejected_once_and_found_again(
    open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    order = world.order
    broker = open_broker()
    ack = broker.submit(world.permit(order=order), order)
    assert ack.rejection is not None
    assert broker.find(order.client_order_id) == ack == broker.submit(world.permit(order=order), order)
    show(broker, world.coming[0])
    assert kinds(broker) == []
    assert broker.book().positions == {}
    assert broker.book([order.client_order_id]).orders[order.client_order_id].status is OrderStatus.REJECTED


def test_a_resting_order_is_changed_through_the_gate_and_expires_with_its_day(broker: PaperBroker, world: Desk) -> None:
    order = world.other(type=OrderType.LIMIT, limit_price=1_000_000, parent_id="MAIN_p_0", leg=Leg.TARGET)
    key = order.client_order_id
    state = world.state
    state.put(replace(world.order, status=OrderStatus.CANCELLED))
    state.orders[key] = state.working[key] = order
    linkage.put(state, order)
    broker.submit(world.permit(order=order), order)
    state.orders[key] = replace(
        order, status=OrderStatus.PENDING_REPLACE, replace_qty=order.qty, replace_limit=1_100_000, acknowledged=True
    )
    linkage.put(state, state.orders[key])
    wanted = replace(order, limit_price=1_100_000)
    leave = authorise_replacement(state, wanted, epoch=EPOCH, now=world.now, ttl=1_000_000)
    assert isinstance(leave, Permit)
    for _ in range(2):
        assert broker.replace(leave, wanted)
    with pytest.raises(PermitRefused):
        broker.replace(leave, order)
    show(broker, world.coming[0])
    assert kinds(broker) == ["Accepted", "Replaced"]
    show(broker, world.coming[1], closes=world.coming[1][0].end)
    assert kinds(broker) == ["Accepted", "Replaced", "Expired"]


def test_a_cancelled_order_is_gone_and_cancelling_is_idempotent(broker: PaperBroker, world: Desk) -> None:
    broker.submit(world.permit(), world.order)
    key = world.order.client_order_id
    assert broker.cancel(key)
    assert not broker.cancel(key)
    assert not broker.cancel("MAIN_x_0")
    show(broker, world.coming[0])
    assert [message.event for message in broker.events_after(1)] == [Cancelled(key, "cancelled on request", world.now)]
    assert broker.book().positions == {}


def test_latency_lets_bars_pass_before_orders_and_cancels_arrive(
    open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    broker = open_broker(latency=LatencyBars(2, 1, 0))
    for bars in world.shown:
        show(broker, bars)
    broker.submit(world.permit(), world.order)
    for number in range(3):
        assert kinds(broker) == ["Accepted"]
        show(broker, world.coming[number])
    assert kinds(broker) == ["Accepted", "Filled"]
    assert broker.events_after(1)[0].event.fill.at == bar_of(world, 2)[4] - MINUTE  # type: ignore[union-attr]


def test_a_late_cancel_misses_the_fill_before_it_and_meets_the_one_after(
    open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    for submit, cancel, last in ((0, 1, "Filled"), (1, 1, "Cancelled"), (1, 2, "Filled")):
        account = f"late-{submit}-{cancel}"
        broker = open_broker(account=account, latency=LatencyBars(submit, cancel, 0))
        for bars in world.shown:
            show(broker, bars)
        broker.submit(world.permit(), world.order)
        assert broker.cancel(world.order.client_order_id)
        for bars in world.coming[:3]:
            show(broker, bars)
        assert kinds(broker) == ["Accepted", last]


def test_it_knows_after_a_restart_what_it_knew_before(
    broker: PaperBroker, open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    broker.submit(world.permit(), world.order)
    again = open_broker()
    assert again.book() == broker.book()
    show(again, world.coming[0])
    assert again.events_after(0) == broker.events_after(0)
    assert [message.cursor for message in broker.events_after(0)] == [1, 2]
    assert broker.events_after(2) == []
    broker.close()
    with pytest.raises(BrokerUnavailable, match="over"):
        broker.book()
    assert again.book().as_of == world.coming[0][0].end


def test_its_book_names_open_orders_and_those_asked_for(broker: PaperBroker, world: Desk) -> None:
    order = world.order
    broker.submit(world.permit(), order)
    view = OrderView(order.symbol, order.side, order.qty, 0, OrderStatus.ACCEPTED)
    assert broker.book().orders == {order.client_order_id: view}
    show(broker, world.coming[0])
    assert broker.book().orders == {}
    filled = OrderView(order.symbol, order.side, order.qty, order.qty, OrderStatus.FILLED)
    assert broker.book([order.client_order_id, "nobody"]).orders == {order.client_order_id: filled}


def test_an_account_is_continued_only_with_the_cash_it_was_opened_with(
    open_broker: Callable[..., PaperBroker],
) -> None:
    open_broker()
    with pytest.raises(BrokerError, match="other cash"):
        open_broker(cash=CAPITAL + 1)
    assert open_broker(account="another", cash=1).book().cash == 1


def test_the_market_moves_on_also_without_bars(broker: PaperBroker, world: Desk) -> None:
    for at in (world.now + MINUTE, world.now):
        broker.on_market(Moment(at, (), INT64_MAX))
    assert broker.book().as_of == world.now + MINUTE


def test_accounts_do_not_see_each_other(
    broker: PaperBroker, open_broker: Callable[..., PaperBroker], world: Desk
) -> None:
    broker.submit(world.permit(), world.order)
    other = open_broker(account="another")
    assert other.find(world.order.client_order_id) is None
    assert (other.events_after(0), other.book().orders, other.book().as_of) == ([], {}, 0)


def test_a_broker_out_of_reach_says_so(broker: PaperBroker, world: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BrokerUnavailable):
        PaperBroker(
            "postgresql+psycopg://nobody@/none?host=/nowhere",
            ACCOUNT,
            opening_cash=1,
            costs=CostModel(0, 0, 0, 0),
            epoch=1,
            bundle="",
        )
    permit = world.permit()
    assert broker._connection is not None
    broker._connection.close()
    monkeypatch.setattr(broker, "_url", "postgresql://nobody@/none?host=/nowhere")
    with pytest.raises(BrokerUnavailable):
        broker.submit(permit, world.order)


def test_losing_the_connection_while_submitting_leaves_open_what_became_of_it(broker: PaperBroker, world: Desk) -> None:
    assert broker._connection is not None
    with socket.socket(fileno=os.dup(broker._connection.fileno())) as torn:
        torn.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Ambiguous):
        broker.submit(world.permit(), world.order)
    assert broker.find(world.order.client_order_id) is None
    assert broker.submit(world.permit(), world.order).rejection is None
