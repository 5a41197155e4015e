"""The paper broker: market orders that fill at the open of their symbol's next bar, in a database schema of its own.

It has its own connection and its own transactions, so that it knows what it knows whatever becomes of the engine. The
SQL of its tables is in paper_schema.py; it sees bars only when they are shown to it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Json

from mqk.brokers.contract import Ack, Ambiguous, BrokerError, BrokerUnavailable, PermitRefused
from mqk.brokers.messages import BrokerEvent, Message
from mqk.brokers.paper_ex import CLOSES, go_ex
from mqk.brokers.paper_schema import LOCK, SCHEMA
from mqk.engine import Accepted, Cancelled, Filled, Permit, event_from_json, event_to_json
from mqk.orders import CostModel, OrderStatus, OrderType, Side
from mqk.portfolio import Fill
from mqk.reconcile import Book, OrderView

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mqk.market import Bar
    from mqk.orders import Order

# Commits are not waited for: the engine shares the server and its log, and waits for its own, which come later. So the
# engine never remembers what this broker has forgotten, even after a loss of power.
_OPTIONS: Final = (
    "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s -c synchronous_commit=off"
    " -c application_name=mqk-paper-broker"
)

_OPEN_ACCOUNT: Final = """
INSERT INTO paper_broker.accounts (account, opening_cash, cash, market_time, epoch, bundle, last_message)
VALUES (%(account)s, %(cash)s, %(cash)s, 0, %(epoch)s, %(bundle)s, 0)
ON CONFLICT (account) DO UPDATE SET epoch = excluded.epoch, bundle = excluded.bundle
WHERE accounts.opening_cash = excluded.opening_cash AND accounts.epoch <= excluded.epoch
"""
_ACCOUNT: Final = "SELECT * FROM paper_broker.accounts WHERE account = %(account)s FOR UPDATE"
_SAVE_ACCOUNT: Final = """
UPDATE paper_broker.accounts
SET cash = %(cash)s, market_time = %(market_time)s, last_message = %(last_message)s
WHERE account = %(account)s
"""
_SHOW: Final = """
INSERT INTO paper_broker.market (account, symbol, bar_end, close, bars)
SELECT %(account)s, symbol, bar_end, close, 1
FROM unnest(%(symbols)s::text[], %(ends)s::bigint[], %(closes)s::bigint[]) AS shown (symbol, bar_end, close)
ON CONFLICT (account, symbol) DO UPDATE
SET bar_end = excluded.bar_end, close = excluded.close, bars = market.bars + 1
WHERE market.bar_end < excluded.bar_end
RETURNING symbol, bars
"""
_OPEN_ORDERS: Final = """
SELECT * FROM paper_broker.orders
WHERE account = %(account)s AND status = 'ACCEPTED' AND symbol = ANY(%(symbols)s) ORDER BY number
"""
_BARS_OF: Final = "SELECT bars FROM paper_broker.market WHERE account = %(account)s AND symbol = %(symbol)s"
_ORDER: Final = "SELECT * FROM paper_broker.orders WHERE account = %(account)s AND client_order_id = %(key)s"
_NEW_ORDER: Final = """
INSERT INTO paper_broker.orders (account, client_order_id, symbol, side, qty, type, filled, status, due, reason)
VALUES (%(account)s, %(key)s, %(symbol)s, %(side)s, %(qty)s, %(type)s, 0, %(status)s, %(due)s, %(reason)s)
RETURNING *
"""
_FINISH: Final = "UPDATE paper_broker.orders SET status = %(status)s, filled = %(filled)s WHERE number = %(number)s"
_OFFER: Final = "UPDATE paper_broker.orders SET worst = %(worst)s WHERE number = %(number)s"
_CANCEL_LATER: Final = """
UPDATE paper_broker.orders SET cancel_due = least(cancel_due, %(due)s) WHERE number = %(number)s
"""
_MOVE_POSITION: Final = """
INSERT INTO paper_broker.positions (account, symbol, qty) VALUES (%(account)s, %(symbol)s, %(qty)s)
ON CONFLICT (account, symbol) DO UPDATE SET qty = positions.qty + excluded.qty
"""
_TELL: Final = """
INSERT INTO paper_broker.messages (account, seq, message_id, event) VALUES (%(account)s, %(seq)s, %(id)s, %(event)s)
"""
_MESSAGES: Final = """
SELECT seq, message_id, event FROM paper_broker.messages WHERE account = %(account)s AND seq > %(after)s ORDER BY seq
"""
# One statement, so that all of it is of one moment.
_BOOK: Final = """
SELECT cash, market_time,
    (SELECT coalesce(json_agg(json_build_array(client_order_id, symbol, side, qty, filled, status)), '[]')
     FROM paper_broker.orders o
     WHERE o.account = a.account AND (status = 'ACCEPTED' OR client_order_id = ANY(%(keys)s))) AS orders,
    (SELECT coalesce(json_agg(json_build_array(symbol, qty)), '[]')
     FROM paper_broker.positions p WHERE p.account = a.account AND qty <> 0) AS positions
FROM paper_broker.accounts a WHERE account = %(account)s
"""


class Latency(NamedTuple):
    """How many of a symbol's bars pass before a message about an order of it reaches the market."""

    submit: int = 0
    cancel: int = 0


_AT_ONCE: Final = Latency()


@dataclass(slots=True)
class _Account:
    """The account's row while it is locked. Cash, market time and last message are saved when they changed."""

    cash: int
    market_time: int
    last_message: int
    epoch: int
    bundle: str


class PaperBroker:
    """One paper account, and the session of one leader of one engine on it.

    Opening an account again with the same cash continues it, in whatever process; the leader of a greater `epoch` shuts
    out those before it, whose permits are worth nothing from then on. `bundle` is the hash of the policies that permits
    must be given under; `opening_cash` in micros; `costs` says what fills cost.

    Raises BrokerUnavailable when the database cannot be reached, BrokerError `account` when the account was opened with
    other cash, `schema` when its tables cannot be made, PermitRefused `fenced` when a greater epoch was here.
    """

    def __init__(
        self,
        url: str,
        account: str,
        *,
        opening_cash: int,
        costs: CostModel,
        epoch: int,
        bundle: str,
        latency: Latency = _AT_ONCE,
    ) -> None:
        self.account = account
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._costs = costs
        self._latency = latency
        self._closed = False
        self._connection: psycopg.Connection[Any] | None = None
        try:
            self._open(opening_cash, epoch, bundle)
        except psycopg.errors.InsufficientPrivilege as error:
            self.close()
            help_ = "let the database's user create schemas, or create `paper_broker` for it"
            raise BrokerError("schema", f"the paper broker cannot make its tables: {error}", help_) from error
        except BrokerError:
            self.close()
            raise

    def close(self) -> None:
        """End the session: it is of no more use, and the account stays as it is."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def on_market(self, now: int, bars: Sequence[tuple[Bar, int]]) -> None:
        """Show the market up to `now`: bars, at most one of each symbol, each with the instant at which it opened.

        What went ex before a bar comes first; then orders that are due fill at its open, against the trader. What was
        shown before changes nothing, so that showing may be repeated after a crash. Instants in epoch microseconds.
        """
        by_symbol = {bar.symbol: (bar, opened) for bar, opened in bars}
        columns = ([bar.end for bar, _ in by_symbol.values()], [bar.close for bar, _ in by_symbol.values()])
        values = {"symbols": list(by_symbol), "ends": columns[0], "closes": columns[1]}
        telling = [bar for bar, _ in by_symbol.values() if bar.ex is not None]
        with self._answered(writing=False) as connection, connection.pipeline(), connection.transaction():
            # Three questions in one round trip; the first one locks the account for the others.
            asked = {"account": self.account, **values}
            locked = connection.execute(_ACCOUNT, asked)
            closing = connection.execute(CLOSES, asked) if telling else None
            showing, orders = connection.execute(_SHOW, asked), connection.execute(_OPEN_ORDERS, asked)
            account = _account(locked.fetchone())
            before = replace(account)
            account.market_time = max(account.market_time, now)
            shown: dict[str, int] = {row.symbol: row.bars for row in showing}
            if closing is not None:
                closes = {row.symbol: row.close for row in closing}
                new = [bar for bar in telling if bar.symbol in shown]
                paid, gone = go_ex(connection, self.account, new, closes)
                account.cash += paid
                for order in gone:
                    self._cancel(connection, account, order, "a split left no whole share of it")
                orders = connection.execute(_OPEN_ORDERS, asked)
            for order in orders:
                bars_shown = shown.get(order.symbol, 0)
                if 0 < order.due <= bars_shown:
                    self._fill(connection, account, order, *by_symbol[order.symbol])
                elif order.cancel_due is not None and order.cancel_due <= bars_shown:
                    self._cancel(connection, account, order)
                elif bars_shown:
                    worst = self._price(order, by_symbol[order.symbol][0])
                    connection.execute(_OFFER, {"worst": worst, "number": order.number})
            self._save(connection, before, account)

    def submit(self, permit: Permit, order: Order) -> Ack:
        """Take an order, or reject it; see the contract.

        Rejected are orders of symbols that were never shown, and all but market orders.
        """
        if not isinstance(permit, Permit):
            raise PermitRefused("permit", f"`{order.client_order_id}` came without a permit of the gate")
        with self._locked(writing=True) as (connection, account):
            why = permit.refusal(order, now=account.market_time, epoch=account.epoch, bundle=account.bundle)
            if why is not None:
                raise PermitRefused("permit", why)
            known = connection.execute(_ORDER, {"account": self.account, "key": order.client_order_id}).fetchone()
            if known is None:
                known = self._take(connection, account, order)
            elif (known.symbol, known.side, known.qty, known.type) != (order.symbol, order.side, order.qty, order.type):
                raise BrokerError("conflict", f"`{order.client_order_id}` stands for another order already")
        return _ack(known)

    def find(self, client_order_id: str) -> Ack | None:
        """What was answered for this order; see the contract."""
        with self._answered(writing=False) as connection:
            known = connection.execute(_ORDER, {"account": self.account, "key": client_order_id}).fetchone()
        return None if known is None else _ack(known)

    def cancel(self, client_order_id: str) -> bool:
        """Take an order back; see the contract. It stays until the cancel has reached the market."""
        with self._locked(writing=True) as (connection, account):
            order = connection.execute(_ORDER, {"account": self.account, "key": client_order_id}).fetchone()
            if order is None or order.status != OrderStatus.ACCEPTED:
                return False
            if self._latency.cancel == 0:
                self._cancel(connection, account, order)
            else:
                due = self._bars_of(connection, order.symbol) + self._latency.cancel
                connection.execute(_CANCEL_LATER, {"due": due, "number": order.number})
            return True

    def events_after(self, cursor: int) -> list[Message]:
        """What was told after this point; see the contract."""
        with self._answered(writing=False) as connection:
            told = connection.execute(_MESSAGES, {"account": self.account, "after": cursor}).fetchall()
        return [Message(row.message_id, row.seq, _broker_event(row.event)) for row in told]

    def book(self, orders: Collection[str] = ()) -> Book:
        """The account at this moment, as of the newest bar shown; see the contract."""
        with self._answered(writing=False) as connection:
            row = self._row(connection, _BOOK, keys=list(orders))
        return Book(
            {
                key: OrderView(symbol, Side(side), qty, filled, OrderStatus(status))
                for key, symbol, side, qty, filled, status in row.orders
            },
            dict(row.positions),
            row.cash,
            row.market_time,
        )

    def _open(self, opening_cash: int, epoch: int, bundle: str) -> None:
        with self._answered(writing=False) as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            connection.execute(SCHEMA)
            values = {"account": self.account, "cash": opening_cash, "epoch": epoch, "bundle": bundle}
            if connection.execute(_OPEN_ACCOUNT, values).rowcount:
                return
            found = self._row(connection, _ACCOUNT)
            if found.opening_cash != opening_cash:
                raise BrokerError("account", f"the paper account `{self.account}` was opened with other cash")
            raise PermitRefused("fenced", f"epoch {epoch} was followed by {found.epoch} on account `{self.account}`")

    def _take(self, connection: psycopg.Connection[Any], account: _Account, order: Order) -> Any:
        bars = self._bars_of(connection, order.symbol)
        rejection = ""
        if order.type is not OrderType.MARKET:
            rejection = f"paper trading takes market orders only, not {order.type}"
        elif bars == 0:
            rejection = f"`{order.symbol}` is not traded here"
        known = connection.execute(
            _NEW_ORDER,
            {
                "account": self.account,
                "key": order.client_order_id,
                "symbol": order.symbol,
                "side": order.side.value,
                "qty": order.qty,
                "type": order.type.value,
                "status": "REJECTED" if rejection else "ACCEPTED",
                "due": bars + 1 + self._latency.submit,
                "reason": rejection,
            },
        ).fetchone()
        if not rejection:
            accepted = Accepted(order.client_order_id, account.market_time)
            self._tell(connection, account, f"{order.client_order_id}:accepted", accepted)
        return known

    def _fill(self, connection: psycopg.Connection[Any], account: _Account, order: Any, bar: Bar, opened: int) -> None:
        side = Side(order.side)
        price = self._price(order, bar)
        key = order.client_order_id
        fee = self._costs.fees.of(order.qty, order.qty * price)
        fill = Fill(f"{key}-1", key, order.symbol, side.value, order.qty, price, fee, opened)
        signed = side.sign * order.qty
        account.cash -= signed * price + fill.fee
        connection.execute(_FINISH, {"status": "FILLED", "filled": order.qty, "number": order.number})
        connection.execute(_MOVE_POSITION, {"account": self.account, "symbol": order.symbol, "qty": signed})
        self._tell(connection, account, f"{key}:fill-1", Filled(fill, key, bar.open))

    def _price(self, order: Any, bar: Bar) -> int:
        """The price at a bar's open, or the worst that the order could have had since it was sent."""
        side = Side(order.side)
        price = self._costs.fill_price(side, bar.open, bar.high, bar.low, bar.close)
        worst = price if order.worst is None else order.worst
        return max(price, worst) if side is Side.BUY else min(price, worst)

    def _cancel(
        self,
        connection: psycopg.Connection[Any],
        account: _Account,
        order: Any,
        reason: str = "cancelled on request",
    ) -> None:
        connection.execute(_FINISH, {"status": "CANCELLED", "filled": order.filled, "number": order.number})
        cancelled = Cancelled(order.client_order_id, reason, account.market_time)
        self._tell(connection, account, f"{order.client_order_id}:cancelled", cancelled)

    def _tell(
        self, connection: psycopg.Connection[Any], account: _Account, message_id: str, event: BrokerEvent
    ) -> None:
        account.last_message += 1
        values = {"seq": account.last_message, "id": message_id, "event": Json(event_to_json(event))}
        connection.execute(_TELL, {"account": self.account, **values})

    def _bars_of(self, connection: psycopg.Connection[Any], symbol: str) -> int:
        row = connection.execute(_BARS_OF, {"account": self.account, "symbol": symbol}).fetchone()
        return 0 if row is None else int(row.bars)

    def _row(self, connection: psycopg.Connection[Any], query: LiteralString, **values: object) -> Any:
        """The one row of the account, which is there since it was opened."""
        row = connection.execute(query, {"account": self.account, **values}).fetchone()
        assert row is not None
        return row

    @contextmanager
    def _locked(self, *, writing: bool) -> Iterator[tuple[psycopg.Connection[Any], _Account]]:
        """A transaction that has the account to itself, and saves what it changed of it."""
        with self._answered(writing=writing) as connection, connection.transaction():
            account = _account(self._row(connection, _ACCOUNT))
            before = replace(account)
            yield connection, account
            self._save(connection, before, account)

    def _save(self, connection: psycopg.Connection[Any], before: _Account, account: _Account) -> None:
        if account != before:
            values = {"cash": account.cash, "market_time": account.market_time, "last_message": account.last_message}
            connection.execute(_SAVE_ACCOUNT, {"account": self.account, **values})

    @contextmanager
    def _answered(self, *, writing: bool) -> Iterator[psycopg.Connection[Any]]:
        """The connection, each statement a transaction of its own unless one is begun.

        `writing`: losing the connection leaves open what became of what was asked. Otherwise it may simply be repeated.
        """
        if self._closed:
            raise BrokerUnavailable("closed", "the session with the paper broker is over")
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(
                    self._url, autocommit=True, row_factory=namedtuple_row, options=_OPTIONS
                )
        except psycopg.OperationalError as error:
            raise BrokerUnavailable("connect", f"the paper broker cannot be reached: {error}") from error
        try:
            yield self._connection
        except psycopg.OperationalError as error:
            kind = Ambiguous if writing else BrokerUnavailable
            raise kind("connection", f"the paper broker did not answer: {error}") from error


def _account(row: Any) -> _Account:
    return _Account(row.cash, row.market_time, row.last_message, row.epoch, row.bundle)


def _ack(row: Any) -> Ack:
    return Ack(row.client_order_id, f"paper-{row.number}", row.reason or None)


def _broker_event(told: dict[str, Any]) -> BrokerEvent:
    event = event_from_json(told)
    assert isinstance(event, BrokerEvent)
    return event
