"""What holds for all books: equal ones agree, the order of entries never matters, grace only ever softens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqk.orders import EventKind, Order, OrderEvent, OrderEventError, OrderStatus, Side
from mqk.reconcile import Book, OrderView, clean, compare
from mqk.reconcile.compare import in_order
from tests.orders.lives import apply, machine
from tests.reconcile.judged import as_judged

symbols = st.sampled_from(["SPY", "QQQ", "IBM"])


@st.composite
def views(draw: st.DrawFn) -> OrderView:
    qty = draw(st.integers(1, 50))
    status = draw(st.sampled_from(OrderStatus))
    return OrderView(draw(symbols), draw(st.sampled_from(Side)), qty, draw(st.integers(0, qty)), status)


@st.composite
def books(draw: st.DrawFn) -> Book:
    ids = st.sampled_from([f"{engine}_{number}" for engine in ("MAIN", "EXP") for number in range(4)])
    cash = draw(st.none() | st.integers(-10, 10))
    return Book(draw(st.dictionaries(ids, views())), draw(st.dictionaries(symbols, st.integers(-9, 9))), cash)


@given(books())
def test_a_book_agrees_with_itself(book: Book) -> None:
    own = Book({key: view for key, view in book.orders.items() if key.startswith("MAIN_")}, book.positions, book.cash)
    assert compare(own, own, engine="MAIN", ahead=machine().reachable()) == ()


@given(books(), books(), st.frozensets(st.sampled_from([f"MAIN_{n}" for n in range(4)])))
def test_the_differences_do_not_depend_on_the_order_of_entries(
    local: Book, broker: Book, in_flight: frozenset[str]
) -> None:
    def turned(book: Book) -> Book:
        return Book(
            dict(reversed(list(book.orders.items()))),
            dict(reversed(list(book.positions.items()))),
            book.cash,
            book.as_of,
        )

    found = compare(local, broker, engine="MAIN", ahead=machine().reachable(), in_flight=in_flight)
    assert found == compare(
        turned(local), turned(broker), engine="MAIN", ahead=machine().reachable(), in_flight=in_flight
    )
    assert list(found) == sorted(found, key=in_order)


@given(books(), books(), st.frozensets(st.sampled_from([f"MAIN_{n}" for n in range(4)])))
def test_grace_only_ever_softens(local: Book, broker: Book, in_flight: frozenset[str]) -> None:
    strict = compare(local, broker, engine="MAIN", ahead=machine().reachable())
    lenient = compare(local, broker, engine="MAIN", ahead=machine().reachable(), in_flight=in_flight)
    assert [(d.kind, d.subject) for d in strict] == [(d.kind, d.subject) for d in lenient]
    assert clean(as_judged(lenient)) or not clean(as_judged(strict))


BROKER_KINDS = [kind for kind in EventKind if not kind.name.endswith("_REQUESTED")]


@given(
    st.lists(st.tuples(st.sampled_from(EventKind), st.integers(1, 10)), max_size=6),
    st.lists(st.tuples(st.sampled_from(BROKER_KINDS), st.integers(1, 10)), max_size=6),
)
def test_whatever_a_broker_can_do_to_an_order_in_flight_is_never_a_reason_to_halt(
    before: list[tuple[EventKind, int]], after: list[tuple[EventKind, int]]
) -> None:
    quantified = {EventKind.PARTIAL_FILL, EventKind.FILL, EventKind.REPLACE_REQUESTED, EventKind.REPLACED}

    def lived(order: Order, events: list[tuple[EventKind, int]], name: str) -> Order:
        for number, (kind, qty) in enumerate(events):
            try:
                order = apply(order, OrderEvent(f"{name}{number}", kind, qty if kind in quantified else 0))
            except OrderEventError:
                continue
        return order

    def book(order: Order) -> Book:
        view = OrderView(order.symbol, order.side, order.qty, order.filled, order.status)
        return Book({order.client_order_id: view}, {order.symbol: view.traded})

    ours = lived(Order("MAIN_r_0", "SPY", Side.BUY, 10), before, "a")
    theirs = lived(ours, after, "b")
    # A broker that refuses a cancel knows the order: it gives none back as if it had never acknowledged it.
    renewed = theirs.status is OrderStatus.NEW and ours.status is not OrderStatus.NEW
    # A replacement changes what was ordered, which is not the broker's to change alone.
    if ours.qty == theirs.qty and not renewed:
        assert clean(
            as_judged(
                compare(book(ours), book(theirs), engine="MAIN", ahead=machine().reachable(), in_flight={"MAIN_r_0"})
            )
        )
