"""The acceptance cases OMS of the original system, on our table of an order's life.

Mended on the way, each a legal race answered as an error or forgotten:
OMS-22: a partial fill while cancelling forgot the pending cancel; here it stays PENDING_CANCEL (C-31).
OMS-25: a stale cancel acknowledgement after the fill was an error; here it changes nothing (C-31).
OMS-01: a new order was `Open` before the broker had answered; here it is NEW until then (C-32).
EXE-7: a late fill of a filled order was swallowed; here it is an overfill, and only its own id repeats quietly (C-32).
"""

from __future__ import annotations

import pytest

from mqk.orders import EventKind, Order, OrderEvent, OrderEventError, OrderStatus, Side
from tests.orders.lives import apply

K = EventKind
S = OrderStatus
Step = tuple[EventKind, int] | EventKind


def after(*steps: Step, qty: int = 100, order: Order | None = None) -> Order:
    """The order after the steps, each under an id of its own."""
    order = order or Order("MAIN_r_0", "SPY", Side.BUY, qty)
    for step in steps:
        kind, quantity = step if isinstance(step, tuple) else (step, 0)
        order = apply(order, OrderEvent(f"e{len(order.events)}", kind, quantity))
    return order


def refused(order: Order, kind: EventKind, qty: int = 0, event_id: str = "bad") -> str:
    """Apply an impossible event: the code of the refusal, having seen that it changed nothing."""
    before = repr(order), dict(order.events)
    with pytest.raises(OrderEventError) as error:
        apply(order, OrderEvent(event_id, kind, qty))
    assert (repr(order), dict(order.events)) == before
    return error.value.code


def test_the_same_acknowledgement_twice_is_one() -> None:
    """OMS-02."""
    ack = OrderEvent("a1", K.ACCEPTED)
    order = apply(after(), ack)
    assert order.status is S.ACCEPTED
    assert apply(order, ack) is order


def test_partial_fills_add_up_to_the_total() -> None:
    """OMS-04, and EXE-5."""
    order = after(K.ACCEPTED, (K.PARTIAL_FILL, 30))
    assert (order.status, order.filled, order.leaves) == (S.PARTIALLY_FILLED, 30, 70)
    order = after((K.PARTIAL_FILL, 40), order=order)
    assert (order.status, order.filled) == (S.PARTIALLY_FILLED, 70)
    order = after((K.FILL, 30), order=order)
    assert (order.status, order.filled, order.leaves) == (S.FILLED, 100, 0)


def test_a_refused_cancel_gives_the_order_back() -> None:
    """OMS-05 and OMS-06."""
    order = after(K.ACCEPTED, K.CANCEL_REQUESTED)
    assert order.status is S.PENDING_CANCEL
    order = after(K.CANCEL_REJECTED, order=order)
    assert order.status is S.ACCEPTED
    assert after((K.FILL, 100), order=order).status is S.FILLED
    order = after((K.PARTIAL_FILL, 30), K.CANCEL_REQUESTED, K.CANCEL_REJECTED)
    assert (order.status, order.filled) == (S.PARTIALLY_FILLED, 30)
    assert after((K.FILL, 70), order=order).filled == 100


def test_a_cancel_refused_before_the_acknowledgement_leaves_the_order_unacknowledged() -> None:
    assert after(K.CANCEL_REQUESTED, K.CANCEL_REJECTED).status is S.NEW
    assert after(K.CANCEL_REQUESTED, K.ACCEPTED, K.CANCEL_REJECTED).status is S.ACCEPTED


def test_a_filled_order_cannot_be_cancelled() -> None:
    """OMS-08: asking for it is our mistake, not the broker's race."""
    order = after((K.FILL, 100))
    assert refused(order, K.CANCEL_REQUESTED) == "event"


def test_a_fill_beats_the_cancel_on_its_way() -> None:
    """OMS-09."""
    order = after(K.ACCEPTED, K.CANCEL_REQUESTED, (K.FILL, 100))
    assert order.status is S.FILLED
    assert after(K.CANCEL_REJECTED, order=order).status is S.FILLED


def test_replayed_ids_count_once() -> None:
    """OMS-10 and OMS-18."""
    partial = OrderEvent("E1", K.PARTIAL_FILL, 50)
    order = after()
    for _ in range(50):
        order = apply(order, partial)
    assert order.filled == 50
    stream = [OrderEvent("x", K.PARTIAL_FILL, 50), OrderEvent("y", K.PARTIAL_FILL, 50), OrderEvent("z", K.FILL, 100)]
    order = after(qty=200)
    for event in stream * 3:
        order = apply(order, event)
    assert (order.status, order.filled) == (S.FILLED, 200)


def test_an_id_with_other_contents_is_a_conflict() -> None:
    order = apply(after(), OrderEvent("E1", K.PARTIAL_FILL, 50))
    assert refused(order, K.PARTIAL_FILL, 49, "E1") == "conflict"
    assert apply(order, OrderEvent("E1", K.PARTIAL_FILL, 50, "told again")) is order
    assert refused(order, K.PARTIAL_FILL, 1, "") == "id"


def test_an_acknowledged_replacement_sets_the_total() -> None:
    """OMS-12, EXE-9 and BRK-6."""
    order = after(K.ACCEPTED, (K.REPLACE_REQUESTED, 120))
    assert (order.status, order.qty, order.leaves) == (S.PENDING_REPLACE, 100, 120)
    order = after((K.REPLACED, 120), order=order)
    assert (order.status, order.qty, order.replace_qty) == (S.ACCEPTED, 120, None)
    order = after((K.PARTIAL_FILL, 40), (K.REPLACE_REQUESTED, 65), (K.REPLACED, 65))
    assert (order.status, order.qty, order.leaves) == (S.PARTIALLY_FILLED, 65, 25)


def test_a_refused_replacement_changes_nothing() -> None:
    """OMS-13."""
    order = after((K.PARTIAL_FILL, 5), (K.REPLACE_REQUESTED, 10), K.REPLACE_REJECTED, qty=20)
    assert (order.status, order.qty, order.filled, order.leaves) == (S.PARTIALLY_FILLED, 20, 5, 15)


@pytest.mark.parametrize("asked", [25, 50, 75])
def test_a_fill_beats_the_replacement_on_its_way(asked: int) -> None:
    """OMS-14."""
    order = after(K.ACCEPTED, (K.REPLACE_REQUESTED, asked), (K.FILL, 50), qty=50)
    assert (order.status, order.filled) == (S.FILLED, 50)
    assert after(K.REPLACE_REJECTED, order=order).status is S.FILLED


def test_an_overfill_is_refused_whole() -> None:
    """OMS-16 and C-33."""
    assert refused(after(), K.FILL, 101) == "quantity"
    order = after((K.PARTIAL_FILL, 60))
    assert refused(order, K.PARTIAL_FILL, 60) == "quantity"
    assert refused(order, K.FILL, 30) == "quantity"
    assert refused(after((K.FILL, 100)), K.PARTIAL_FILL, 1) == "quantity"
    assert refused(after((K.FILL, 100)), K.FILL, 100) == "quantity"


@pytest.mark.parametrize("kind", [K.PARTIAL_FILL, K.FILL, K.REPLACE_REQUESTED, K.REPLACED])
@pytest.mark.parametrize("qty", [0, -1, -500, True, 2**63])
def test_quantities_are_whole_shares_above_zero(kind: EventKind, qty: int) -> None:
    """C-32 and C-33: a negative fill and a total of zero were accepted."""
    assert refused(after(K.ACCEPTED), kind, qty) == "quantity"


def test_other_events_carry_no_quantity() -> None:
    assert refused(after(), K.ACCEPTED, 1) == "quantity"


def test_a_refused_id_may_come_again() -> None:
    """OMS-17."""
    order = after()
    refused(order, K.FILL, 999, "x")
    assert apply(order, OrderEvent("x", K.FILL, 100)).status is S.FILLED
    order = after((K.PARTIAL_FILL, 90))
    refused(order, K.FILL, 20, "x")
    assert apply(order, OrderEvent("x", K.FILL, 10)).status is S.FILLED


def test_a_replacement_below_what_is_filled_is_refused() -> None:
    """OMS-20, and the same of our own request."""
    order = after((K.PARTIAL_FILL, 60), (K.REPLACE_REQUESTED, 80))
    assert refused(order, K.REPLACED, 40) == "quantity"
    assert refused(after((K.PARTIAL_FILL, 60)), K.REPLACE_REQUESTED, 60) == "quantity"


def test_a_replacement_down_to_what_is_filled_completes_the_order() -> None:
    """C-32: it stayed partially filled with nothing left to fill."""
    order = after((K.PARTIAL_FILL, 40), (K.REPLACE_REQUESTED, 60), (K.PARTIAL_FILL, 20), (K.REPLACED, 60))
    assert (order.status, order.qty, order.leaves) == (S.FILLED, 60, 0)


@pytest.mark.parametrize("total", [99, 101, 150])
def test_a_total_nobody_asked_for_is_refused(total: int) -> None:
    assert refused(after(K.ACCEPTED), K.REPLACED, total) == "quantity"
    assert refused(after(K.ACCEPTED, (K.REPLACE_REQUESTED, 120)), K.REPLACED, total + 50) == "quantity"


def test_a_cancelled_order_keeps_what_was_filled() -> None:
    """OMS-21."""
    order = after((K.PARTIAL_FILL, 40), K.CANCEL_REQUESTED, K.CANCELLED)
    assert (order.status, order.filled, order.leaves) == (S.CANCELLED, 40, 0)


def test_a_partial_fill_does_not_forget_the_cancel() -> None:
    """OMS-22, mended: the order is still being cancelled."""
    order = after((K.PARTIAL_FILL, 40), K.CANCEL_REQUESTED, (K.PARTIAL_FILL, 30))
    assert (order.status, order.filled) == (S.PENDING_CANCEL, 70)
    assert after(K.CANCELLED, order=order).status is S.CANCELLED


def test_a_fill_needs_no_acknowledgement() -> None:
    """OMS-24, and EXE-11."""
    plain, acknowledged = after((K.FILL, 100)), after(K.ACCEPTED, (K.FILL, 100))
    late = after((K.FILL, 100), K.ACCEPTED, K.ACCEPTED)
    assert {(order.status, order.filled) for order in (plain, acknowledged, late)} == {(S.FILLED, 100)}


def test_a_stale_cancel_acknowledgement_changes_nothing() -> None:
    """OMS-25, mended: the order is still filled, and nobody halts."""
    order = after(K.CANCEL_REQUESTED, (K.FILL, 100), K.CANCELLED)
    assert (order.status, order.filled) == (S.FILLED, 100)


def test_a_partial_fill_of_all_that_is_left_completes_the_order() -> None:
    """C-32: it stayed open and could be cancelled."""
    assert after((K.PARTIAL_FILL, 60), (K.PARTIAL_FILL, 40)).status is S.FILLED


def test_why_an_order_ended_is_kept() -> None:
    order = apply(after(K.ACCEPTED), OrderEvent("r", K.REJECTED, reason="no borrow"))
    assert (order.status, order.reason) == (S.REJECTED, "no borrow")
    assert after(K.REJECTED, order=order).reason == "no borrow"
