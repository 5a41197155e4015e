"""A paper run without a database: the order of things of the loop and the dispatcher, over an account put away often.

Nothing here asserts; the tests beside it do, and that the real loop keeps this order is held by those with PostgreSQL.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from mqk.backtest import in_progress
from mqk.backtest.recorder import Recorder
from mqk.brokers.paper_account import PaperAccount
from mqk.brokers.paper_rows import kept_orders, kept_symbols, restore
from mqk.engine import (
    Cancel,
    Cancelled,
    CancelRejected,
    EngineState,
    Event,
    Permit,
    Rejected,
    Replace,
    ReplaceRejected,
    Submit,
    instant_of,
)
from mqk.engine.gate import authorise, authorise_replacement
from mqk.engine.linkage import TOO_MUCH, outgrown
from mqk.guards import GuardSet
from mqk.market import Bar
from mqk.orders import EventKind, Order, OrderStatus
from mqk.runtime.feed import Feed, Instant
from mqk.runtime.turn import turn
from mqk.strategies import StrategyHost
from mqk.venue import FillRules
from mqk.venue import Part as Shown

_EPOCH = 0
_TTL = 60_000_000


class MemoryRun:
    """A paper run, played to the end of its bars. `record` is what a backtest would keep of it."""

    def __init__(
        self, guards: GuardSet, bars: Sequence[Bar], host: StrategyHost | None = None, *, put_away: bool = True
    ) -> None:
        bundle = guards.bundle
        self.state = EngineState(guards, run_id="paper", mode="BACKTEST", record=True, host=host)
        self.record = Recorder()
        self._guards = guards
        self._borrow = bundle.execution.borrow.value
        self._put_away = put_away
        self._orders: dict[str, Order] = {}
        rules, latency = FillRules.of_policy(bundle.execution), bundle.execution.latency_bars
        self._fresh = partial(PaperAccount, self.state.costs, latency, rules, epoch=_EPOCH, bundle=bundle.sha256)
        self.account = self._fresh()
        self.account.cash = bundle.capital.micros
        self._outbox: list[Order] = []
        self._asked: set[tuple[str, EventKind, int]] = set()
        self._told: list[Event] = []
        playback = Feed(bars, bundle).play()
        self._began = in_progress(self.state, playback.recorded)
        for instant in playback:
            self._play(instant)
        self.record.close(self.state.now)

    def lines(self) -> list[tuple[str, str, str]]:
        """All that happened: when, what kind, and of what."""
        return lines(self.record.audit.to_bytes())

    def _play(self, instant: Instant) -> None:
        state, account = self.state, self.account
        if instant.begins:
            if instant.position and account.show(instant.moment(), Shown.CLOSED) is Shown.CLOSED:
                self._hear_out()
            instant.look(state)
            opening = instant.opening(state, self._borrow)
            self.account.show(instant.moment(opening), Shown.BEGUN)
            self._hear_out(opening)
        instant.look(state)
        reached = None
        self._hear_out(instant.trading(state))
        while reached is not Shown.ENDED:
            reached = self.account.show(instant.moment(), Shown.ENDED)
            self._hear_out()
        self._turn(instant.closing(), ())
        self._hear_out()
        assert (account.cash, instant.at) == (state.ledger.cash, account.market_time) or self._put_away
        self.record.curve.add((instant.at, state.account.equity, state.account.cash))

    def _hear_out(self, says: Sequence[Event] = ()) -> None:
        """Hear the account, do what is asked for, and hear that answered, until nothing is left."""
        while True:
            told = [each.event for each in self.account.told] + self._told
            self._told = []
            self._store()
            if not told and not says:
                return
            self._turn(says, told)
            says = ()

    def _turn(self, says: Sequence[Event], told: Sequence[Event]) -> None:
        state, record = self.state, self.record
        for event in told:
            record.answer(event, max(state.now, instant_of(event)))
        effects = turn(state, says, told)
        for effect in effects:
            record.effect(effect)
            if isinstance(effect, Submit):
                self._outbox.append(effect.order)
        if any(isinstance(effect, Submit | Cancel | Replace) for effect in effects):
            self._dispatch()

    def _dispatch(self) -> None:
        """Cancels, changes and orders, as the dispatcher sends them."""
        state, account = self.state, self.account
        for order in list(state.working.values()):
            key, asked = order.client_order_id, _asked(order, EventKind.CANCEL_REQUESTED)
            resting = account.resting(key)
            if order.status is OrderStatus.PENDING_CANCEL and asked not in self._asked and key in self._orders:
                self._asked.add(asked)
                if resting is not None:
                    account.cancel(resting, self._began(order.symbol))
                    if order.replace_qty is not None and _asked(order, EventKind.REPLACE_REQUESTED) not in self._asked:
                        self._told.append(ReplaceRejected(key, "taken back before it left", state.now))
                elif order.replace_qty is not None:
                    self._told.append(CancelRejected(key, "nothing of it is left to cancel", state.now))
        for held in list(state.working.values()):
            asked = _asked(held, EventKind.REPLACE_REQUESTED)
            if held.status is OrderStatus.PENDING_REPLACE and held.replace_qty is not None and asked not in self._asked:
                self._asked.add(asked)
                self._change(held)
        for order in self._outbox:
            self._submit(state.orders[order.client_order_id], order)
        self._outbox.clear()

    def _change(self, held: Order) -> None:
        state, account, key = self.state, self.account, held.client_order_id
        assert held.replace_qty is not None
        order = replace(held, qty=held.replace_qty, limit_price=held.replace_limit, stop_price=held.replace_stop)
        leave = authorise_replacement(state, order, epoch=_EPOCH, now=state.now, ttl=_TTL)
        if outgrown(state, held, order.qty):
            self._told.append(ReplaceRejected(key, TOO_MUCH, state.now))
        elif not isinstance(leave, Permit):
            self.record.withheld(order, state.now, leave)
            self._told.append(ReplaceRejected(key, "refused by the gate", state.now))
        elif account.resting(key) is None:
            self._told.append(ReplaceRejected(key, "nothing of it is left to change", state.now))
        else:
            account.replace(leave, order, self._began(order.symbol))

    def _submit(self, held: Order, order: Order) -> None:
        state, key = self.state, order.client_order_id
        if held.status.is_final:
            return
        if held.status is OrderStatus.PENDING_CANCEL:
            self._told.append(Cancelled(key, "taken back before it left", state.now))
            return
        if outgrown(state, held, held.qty):
            self._told.append(Cancelled(key, TOO_MUCH, state.now))
            return
        leave = authorise(state, order, epoch=_EPOCH, now=state.now, ttl=_TTL)
        if not isinstance(leave, Permit):
            self.record.withheld(order, state.now, leave)
            self._told.append(Cancelled(key, "refused by the gate", state.now))
            return
        self._orders[key] = order
        rejection = self.account.submit(leave, order)
        if rejection is not None:
            self._told.append(Rejected(key, rejection, state.now))

    def _store(self) -> None:
        """Put the account away as rows, and take it up from them."""
        account = self.account
        account.told.clear()
        if not self._put_away:
            return
        account.over.clear()
        at, part = account.shown
        row = SimpleNamespace(
            cash=account.cash, market_time=account.market_time, last_message=account.last_message, shown_at=at,
            shown_part=int(part),
        )  # fmt: skip
        orders = []
        for key, figures in kept_orders(account).items():
            asked = self._orders[key]
            terms: dict[str, Any] = {
                "client_order_id": key, "symbol": asked.symbol, "side": asked.side.value, "type": asked.type.value,
                "tif": asked.tif.value, "parent_id": asked.parent_id,
                "leg": None if asked.leg is None else asked.leg.value,
            }  # fmt: skip
            orders.append(SimpleNamespace(**{**terms, **figures}))
        orders.sort(key=lambda each: each.place)
        positions = [SimpleNamespace(symbol=symbol, qty=qty) for symbol, qty in account.positions.items()]
        symbols = [SimpleNamespace(**figures) for figures in kept_symbols(account).values()]
        self.account = self._fresh()
        restore(self.account, row, symbols, positions, orders)


def _asked(order: Order, kind: EventKind) -> tuple[str, EventKind, int]:
    return order.client_order_id, kind, sum(1 for event in order.events.values() if event.kind is kind)


def lines(audit: bytes) -> list[tuple[str, str, str]]:
    """What an audit trail tells, in order of time, without what the words of brokers and ids of runs make of it."""
    found = []
    for line in audit.splitlines():
        told = json.loads(line)
        if told["kind"] in {"start", "end"} or told["data"].get("reason") == "the data ended":
            continue
        data = {name: value for name, value in told["data"].items() if name != "reason"}
        text = json.dumps(data, sort_keys=True)
        for word in text.replace('"', " ").split():
            parts = word.split("_")
            if len(parts) == 3 and (parts[1] == "paper" or parts[1].startswith("bt")):
                text = text.replace(word, f"{parts[0]}_{parts[2]}")
        found.append((told["at"], told["kind"], text))
    return sorted(found)
