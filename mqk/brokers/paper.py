"""The paper broker: orders that fill from the bars of their symbol, whole, in a database schema of its own.

It has its own connection and its own transactions, so that it knows what it knows whatever becomes of the engine. The
SQL of its tables is in paper_schema.py, its statements in paper_sql.py, how bars fill orders in paper_matching.py; it
sees bars only when they are shown to it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Json

from mqk.brokers import paper_sql as sql
from mqk.brokers.contract import Ack, Ambiguous, BrokerError, BrokerUnavailable, PermitRefused
from mqk.brokers.messages import BrokerEvent, Message
from mqk.brokers.paper_ex import CLOSES, go_ex
from mqk.brokers.paper_matching import Resting, Told, order_of, played
from mqk.brokers.paper_schema import LOCK, SCHEMA
from mqk.engine import Accepted, Cancelled, Expired, Filled, Permit, Replaced, event_from_json, event_to_json
from mqk.orders import CostModel, OrderStatus, Side
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


class Latency(NamedTuple):
    """How many of a symbol's bars pass before a message about an order of it reaches the market."""

    submit: int = 0
    cancel: int = 0
    replace: int = 0


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
    must be given under; `opening_cash` in micros; `costs` says what fills cost, `linked` whether what one order of a
    position trades is taken off the others.

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
        linked: bool = True,
    ) -> None:
        self.account = account
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._costs = costs
        self._latency = latency
        self._linked = linked
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
            locked = connection.execute(sql.ACCOUNT, asked)
            closing = connection.execute(CLOSES, asked) if telling else None
            showing, orders = connection.execute(sql.SHOW, asked), connection.execute(sql.OPEN_ORDERS, asked)
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
                orders = connection.execute(sql.OPEN_ORDERS, asked)
            books: dict[str, list[Resting]] = {}
            for row in orders:
                if shown.get(row.symbol):
                    books.setdefault(row.symbol, []).append(Resting(row))
            for symbol, book in books.items():
                bar, opened = by_symbol[symbol]
                for told in played(book, bar, opened, shown[symbol], self._costs, linked=self._linked):
                    self._take_note(connection, account, told)
                for resting in book:
                    if resting.changed:
                        connection.execute(sql.STAND, resting.figures())
                    if resting.worst != resting.row.worst:
                        connection.execute(sql.OFFER, {"worst": resting.worst, "number": resting.row.number})
            self._save(connection, before, account)

    def submit(self, permit: Permit, order: Order) -> Ack:
        """Take an order, or reject it; see the contract.

        Rejected are orders of symbols that were never shown.
        """
        if not isinstance(permit, Permit):
            raise PermitRefused("permit", f"`{order.client_order_id}` came without a permit of the gate")
        with self._locked(writing=True) as (connection, account):
            why = permit.refusal(order, now=account.market_time, epoch=account.epoch, bundle=account.bundle)
            if why is not None:
                raise PermitRefused("permit", why)
            known = connection.execute(sql.ORDER, {"account": self.account, "key": order.client_order_id}).fetchone()
            if known is None:
                known = self._take(connection, account, order)
            elif order_of(known).terms != order.terms:
                raise BrokerError("conflict", f"`{order.client_order_id}` stands for another order already")
        return _ack(known)

    def find(self, client_order_id: str) -> Ack | None:
        """What was answered for this order; see the contract."""
        with self._answered(writing=False) as connection:
            known = connection.execute(sql.ORDER, {"account": self.account, "key": client_order_id}).fetchone()
        return None if known is None else _ack(known)

    def cancel(self, client_order_id: str) -> bool:
        """Take an order back; see the contract. It stays until the cancel has reached the market."""
        with self._locked(writing=True) as (connection, account):
            order = connection.execute(sql.ORDER, {"account": self.account, "key": client_order_id}).fetchone()
            if order is None or order.status != OrderStatus.ACCEPTED:
                return False
            if self._latency.cancel == 0:
                self._cancel(connection, account, order)
            else:
                due = self._bars_of(connection, order.symbol) + self._latency.cancel
                connection.execute(sql.CANCEL_LATER, {"due": due, "number": order.number})
            return True

    def replace(self, permit: Permit, order: Order) -> bool:
        """Change an order; see the contract. It stays as it was until the change has reached the market."""
        if not isinstance(permit, Permit):
            raise PermitRefused("permit", f"the change of `{order.client_order_id}` came without a permit of the gate")
        with self._locked(writing=True) as (connection, account):
            why = permit.refusal(order, now=account.market_time, epoch=account.epoch, bundle=account.bundle)
            if why is not None:
                raise PermitRefused("permit", why)
            row = connection.execute(sql.ORDER, {"account": self.account, "key": order.client_order_id}).fetchone()
            if row is None or row.status != OrderStatus.ACCEPTED:
                return False
            if order_of(row).terms == order.terms:
                return True
            if order.qty <= row.filled + row.reduced or (row.set_off and order.stop_price != row.stop_price):
                return False
            values = {
                "qty": order.qty, "limit": order.limit_price, "stop": order.stop_price, "number": row.number,
            }  # fmt: skip
            if self._latency.replace:
                values["due"] = self._bars_of(connection, order.symbol) + self._latency.replace
                connection.execute(sql.CHANGE_LATER, values)
                return True
            connection.execute(sql.CHANGE, values)
            self._tell_changed(connection, account, order)
            return True

    def events_after(self, cursor: int) -> list[Message]:
        """What was told after this point; see the contract."""
        with self._answered(writing=False) as connection:
            told = connection.execute(sql.MESSAGES, {"account": self.account, "after": cursor}).fetchall()
        return [Message(row.message_id, row.seq, _broker_event(row.event)) for row in told]

    def book(self, orders: Collection[str] = ()) -> Book:
        """The account at this moment, as of the newest bar shown; see the contract."""
        with self._answered(writing=False) as connection:
            row = self._row(connection, sql.BOOK, keys=list(orders))
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
            if connection.execute(sql.OPEN_ACCOUNT, values).rowcount:
                return
            found = self._row(connection, sql.ACCOUNT)
            if found.opening_cash != opening_cash:
                raise BrokerError("account", f"the paper account `{self.account}` was opened with other cash")
            raise PermitRefused("fenced", f"epoch {epoch} was followed by {found.epoch} on account `{self.account}`")

    def _take(self, connection: psycopg.Connection[Any], account: _Account, order: Order) -> Any:
        bars = self._bars_of(connection, order.symbol)
        rejection = ""
        if bars == 0:
            rejection = f"`{order.symbol}` is not traded here"
        known = connection.execute(
            sql.NEW_ORDER,
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
                "limit": order.limit_price,
                "stop": order.stop_price,
                "tif": order.tif.value,
                "parent": order.parent_id,
                "leg": None if order.leg is None else order.leg.value,
            },
        ).fetchone()
        if not rejection:
            accepted = Accepted(order.client_order_id, account.market_time)
            self._tell(connection, account, f"{order.client_order_id}:accepted", accepted)
        return known

    def _take_note(self, connection: psycopg.Connection[Any], account: _Account, told: Told) -> None:
        """Keep what has become of an order, and tell it."""
        order, key = told.order, told.order.client_order_id
        if told.what == "changed":
            values = {"qty": order.qty, "limit": order.limit_price, "stop": order.stop_price, "number": told.number}
            connection.execute(sql.CHANGE, values)
            self._tell_changed(connection, account, order)
            return
        if told.what == "filled":
            fee = self._costs.fees.of(told.qty, told.qty * told.price)
            fill = Fill(f"{key}-1", key, order.symbol, order.side.value, told.qty, told.price, fee, told.at)
            signed = order.side.sign * told.qty
            account.cash -= signed * told.price + fill.fee
            moved = {"account": self.account, "symbol": order.symbol, "qty": signed}
            connection.execute(sql.MOVE_POSITION, moved)
            status, filled = OrderStatus.FILLED, order.filled + told.qty
            event: BrokerEvent = Filled(fill, key, told.mark, told.taken_off)
            name = "fill-1"
        elif told.what == "expired":
            status, filled, name = OrderStatus.EXPIRED, order.filled, "expired"
            event = Expired(key, told.why, account.market_time)
        else:
            status, filled, name = OrderStatus.CANCELLED, order.filled, "cancelled"
            event = Cancelled(key, told.why, account.market_time)
        connection.execute(sql.FINISH, {"status": status.value, "filled": filled, "number": told.number})
        self._tell(connection, account, f"{key}:{name}", event)

    def _tell_changed(self, connection: psycopg.Connection[Any], account: _Account, order: Order) -> None:
        key = order.client_order_id
        event = Replaced(key, order.qty, order.limit_price, order.stop_price, account.market_time)
        self._tell(connection, account, f"{key}:replaced-{account.last_message + 1}", event)

    def _cancel(
        self,
        connection: psycopg.Connection[Any],
        account: _Account,
        order: Any,
        reason: str = "cancelled on request",
    ) -> None:
        connection.execute(sql.FINISH, {"status": "CANCELLED", "filled": order.filled, "number": order.number})
        cancelled = Cancelled(order.client_order_id, reason, account.market_time)
        self._tell(connection, account, f"{order.client_order_id}:cancelled", cancelled)

    def _tell(
        self, connection: psycopg.Connection[Any], account: _Account, message_id: str, event: BrokerEvent
    ) -> None:
        account.last_message += 1
        values = {"seq": account.last_message, "id": message_id, "event": Json(event_to_json(event))}
        connection.execute(sql.TELL, {"account": self.account, **values})

    def _bars_of(self, connection: psycopg.Connection[Any], symbol: str) -> int:
        row = connection.execute(sql.BARS_OF, {"account": self.account, "symbol": symbol}).fetchone()
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
            account = _account(self._row(connection, sql.ACCOUNT))
            before = replace(account)
            yield connection, account
            self._save(connection, before, account)

    def _save(self, connection: psycopg.Connection[Any], before: _Account, account: _Account) -> None:
        if account != before:
            values = {"cash": account.cash, "market_time": account.market_time, "last_message": account.last_message}
            connection.execute(sql.SAVE_ACCOUNT, {"account": self.account, **values})

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
