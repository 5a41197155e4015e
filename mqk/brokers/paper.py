"""The paper broker: the simulated market of backtests behind a broker's door, kept in a database schema of its own.

It has its own connection and its own transactions, so that it knows what it knows whatever becomes of the engine; it
sees bars only when they are shown to it. What happens at the market is in paper_account.py, the SQL of its tables in
paper_schema.py, its statements in paper_sql.py, and how an account becomes rows in paper_rows.py.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Json

from mqk.brokers import paper_sql as sql
from mqk.brokers.contract import Ack, Ambiguous, BrokerError, BrokerUnavailable, PermitRefused
from mqk.brokers.messages import BrokerEvent, Message
from mqk.brokers.paper_account import PaperAccount
from mqk.brokers.paper_rows import changed, kept_orders, kept_symbols, order_of, restore
from mqk.brokers.paper_schema import LOCK, SCHEMA
from mqk.engine import Permit, event_from_json, event_to_json
from mqk.orders import CostModel, OrderStatus, Side
from mqk.policy import LatencyBars
from mqk.reconcile import Book, OrderView
from mqk.venue import FillRules, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from mqk.orders import Order
    from mqk.venue import Moment

# Commits are not waited for: the engine shares the server and its log, and waits for its own, which come later. So the
# engine never remembers what this broker has forgotten, even after a loss of power.
_OPTIONS: Final = (
    "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=30s -c synchronous_commit=off"
    " -c application_name=mqk-paper-broker"
)

AT_ONCE: Final = LatencyBars(0, 0, 0)
"""Messages that reach the market before its next bar."""
WHOLE: Final = FillRules()
"""A market that fills whatever is asked for."""


def _never(_symbol: str) -> None:
    """No bar is ever in progress: so it is where all bars end together."""


class _Kept:
    """An account in memory, and what of it is in the database: they agree as long as the row there has `version`."""

    def __init__(self, account: PaperAccount, version: int) -> None:
        self.account = account
        self.version = version
        self._figures = self._all()

    def save(self, connection: psycopg.Connection[Any], name: str) -> None:
        """Write what is not as it was, and take off the account what it told and what has left it."""
        account, before, now = self.account, self._figures, self._all()
        if now == before and not account.told:
            return
        for query, kind in ((sql.KEEP, "orders"), (sql.SHOW, "symbols"), (sql.HOLD, "positions")):
            for row in changed(before[kind], now[kind]):
                connection.execute(query, {"account": name, **row})
        for told in account.told:
            row = {"seq": told.seq, "id": told.message_id, "event": Json(event_to_json(told.event))}
            connection.execute(sql.TELL, {"account": name, **row})
        connection.execute(sql.SAVE_ACCOUNT, {"account": name, **now["account"]["row"]})
        for key in account.over:
            del now["orders"][key]
        account.told.clear()
        account.over.clear()
        self._figures = now
        self.version += 1

    def _all(self) -> dict[str, dict[str, Any]]:
        account = self.account
        at, part = account.shown
        row = {
            "cash": account.cash, "market_time": account.market_time, "last_message": account.last_message,
            "shown_at": at, "shown_part": int(part),
        }  # fmt: skip
        return {
            "account": {"row": row},
            "orders": kept_orders(account),
            "symbols": kept_symbols(account),
            "positions": {symbol: {"symbol": symbol, "qty": qty} for symbol, qty in account.positions.items()},
        }


class PaperBroker:
    """One paper account, and the session of one leader of one engine on it.

    Opening an account again with the same cash continues it, in whatever process; the leader of a greater `epoch` shuts
    out those before it, whose permits are worth nothing from then on. `bundle` is the hash of the policies that permits
    must be given under; `opening_cash` in micros; `costs` says what fills cost, `latency` how many of a symbol's bars
    pass before a message about it reaches the market, `rules` how its bars are read and how much of them is ours.
    `in_progress` says of a symbol when its bar began that is in progress, whenever it is asked: what that bar may have
    filled already, no cancel or change undoes.

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
        latency: LatencyBars = AT_ONCE,
        rules: FillRules = WHOLE,
        in_progress: Callable[[str], int | None] = _never,
    ) -> None:
        self.account = account
        self._url = url.replace("postgresql+psycopg://", "postgresql://", 1)
        self._fresh = partial(PaperAccount, costs, latency, rules, epoch=epoch, bundle=bundle)
        self._in_progress = in_progress
        self._kept: _Kept | None = None
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
        self._kept = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def on_market(self, moment: Moment, until: Part = Part.ENDED) -> Part:
        """Show the market up to a part of a moment, or to the first in which something happens; which one it was.

        The parts after that are shown by showing the moment again: what is asked for because of one is there in the
        next. What was shown before changes nothing, so that showing may be repeated after a crash.
        """
        with self._at_work(writing=False) as (_, _, account):
            return account.show(moment, until)

    def shown(self) -> tuple[int, Part]:
        """The instant of the market that was shown last, by its end in epoch microseconds, and up to which part."""
        with self._answered(writing=False) as connection:
            row = self._row(connection, sql.SHOWN)
        return row.shown_at, Part(row.shown_part)

    def submit(self, permit: Permit, order: Order) -> Ack:
        """Take an order, or reject it; see the contract.

        Rejected are orders of symbols that were never shown, and those that the `rules` have rejected.
        """
        if not isinstance(permit, Permit):
            raise PermitRefused("permit", f"`{order.client_order_id}` came without a permit of the gate")
        with self._at_work(writing=True) as (connection, row, account):
            _require(permit, order, row, account)
            known = connection.execute(sql.ORDER, {"account": self.account, "key": order.client_order_id}).fetchone()
            if known is None:
                known = self._take(connection, account, permit, order)
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
        with self._at_work(writing=True) as (_, _, account):
            resting = account.resting(client_order_id)
            if resting is None:
                return False
            account.cancel(resting, self._in_progress(resting.order.symbol))
            return True

    def replace(self, permit: Permit, order: Order) -> bool:
        """Change an order; see the contract. It stays as it was until the change has reached the market."""
        if not isinstance(permit, Permit):
            raise PermitRefused("permit", f"the change of `{order.client_order_id}` came without a permit of the gate")
        with self._at_work(writing=True) as (connection, row, account):
            resting = account.resting(order.client_order_id)
            known = connection.execute(sql.ORDER, {"account": self.account, "key": order.client_order_id}).fetchone()
            if (resting is not None and (resting.replacement or resting.order).terms == order.terms) or (
                resting is None and known is not None and order_of(known).terms == order.terms
            ):
                # Asked for once more after a crash, when the market has moved on: nothing is left that needs leave.
                return True
            _require(permit, order, row, account)
            if resting is None:
                return False
            account.replace(permit, order, self._in_progress(order.symbol))
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
                key: OrderView(symbol, Side(side), qty, filled, _status(status, filled))
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

    def _take(self, connection: psycopg.Connection[Any], account: PaperAccount, permit: Permit, order: Order) -> Any:
        rejection = account.submit(permit, order)
        return connection.execute(
            sql.NEW_ORDER,
            {
                "account": self.account,
                "key": order.client_order_id,
                "symbol": order.symbol,
                "side": order.side.value,
                "qty": order.qty,
                "type": order.type.value,
                "status": "ACCEPTED" if rejection is None else "REJECTED",
                "reason": rejection or "",
                "limit": order.limit_price,
                "stop": order.stop_price,
                "tif": order.tif.value,
                "parent": order.parent_id,
                "leg": None if order.leg is None else order.leg.value,
            },
        ).fetchone()

    def _row(self, connection: psycopg.Connection[Any], query: LiteralString, **values: object) -> Any:
        """The one row of the account, which is there since it was opened."""
        row = connection.execute(query, {"account": self.account, **values}).fetchone()
        assert row is not None
        return row

    @contextmanager
    def _at_work(self, *, writing: bool) -> Iterator[tuple[psycopg.Connection[Any], Any, PaperAccount]]:
        """A transaction that has the account to itself, its row, and the account, of which it saves what has changed.

        An account stays in memory from one to the next unless somebody else has changed it, or one has failed.
        """
        kept, self._kept = self._kept, None
        with self._answered(writing=writing) as connection, connection.transaction():
            row = self._row(connection, sql.ACCOUNT)
            if kept is None or kept.version != row.version:
                kept = self._load(connection, row)
            yield connection, row, kept.account
            with connection.pipeline():
                kept.save(connection, self.account)
        self._kept = kept

    def _load(self, connection: psycopg.Connection[Any], row: Any) -> _Kept:
        account = self._fresh()
        key = {"account": self.account}
        found = [connection.execute(query, key).fetchall() for query in (sql.MARKET, sql.POSITIONS, sql.OPEN_ORDERS)]
        restore(account, row, *found)
        return _Kept(account, row.version)

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


def _require(permit: Permit, order: Order, row: Any, account: PaperAccount) -> None:
    why = permit.refusal(order, now=account.market_time, epoch=row.epoch, bundle=row.bundle)
    if why is not None:
        raise PermitRefused("permit", why)


def _status(kept: str, filled: int) -> OrderStatus:
    """The status of an order; one that rests is kept as ACCEPTED, however much of it has filled."""
    status = OrderStatus(kept)
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.ACCEPTED and filled else status


def _ack(row: Any) -> Ack:
    return Ack(row.client_order_id, f"paper-{row.number}", row.reason or None)


def _broker_event(told: dict[str, Any]) -> BrokerEvent:
    event = event_from_json(told)
    assert isinstance(event, BrokerEvent)
    return event
