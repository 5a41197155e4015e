"""The moments that the kernel kept, as columns of facts: all that an engine would have shown its order guard.

What lives here: from the places of a moment to facts, for all orders at once; each is what figures.py and placing.py
say of one. What does not: who keeps them (mqk.guards.record_columns), and how a moment is kept (moments.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mqk.dsl.windows import window_attribute
from mqk.engine.kernel import places as p
from mqk.guards.record_columns import Column, Lists, Moments
from mqk.orders import OrderType, Side, TimeInForce
from mqk.quantity import DAY_MICROS

if TYPE_CHECKING:
    from mqk.engine.kernel.adopting import Past
    from mqk.engine.state import EngineState

_LINE_AT = p.MOMENT_ENGINE
_HELD_AT = p.MOMENT_ENGINE + p.MOMENT_LINE
_CLOSE_OUT_AT = _HELD_AT + 1
_WINDOWS_AT = _CLOSE_OUT_AT + 1


def moments(state: EngineState, past: Past) -> Moments:
    """The moments of all orders that the kernel judged, the denied ones too, in turn."""
    return _Reading(state, past).moments()


class _Reading:
    """The tables of one run, as they are read."""

    def __init__(self, state: EngineState, past: Past) -> None:
        import numpy as np  # noqa: PLC0415 - heavy

        block = past.block
        memory = np.frombuffer(memoryview(block), np.int64)
        rows, length, holding = block[p.ROWS], block[p.MOMENT], p.HOLDING
        first, held = block[p.AT_MOMENTS], block[p.AT_HELD]
        self.state, self.past = state, past
        self.rows = past.rows.table
        self.kept: Any = memory[first : first + rows * length].reshape(-1, length)
        self.held: Any = memory[held : held + block[p.HELD] * holding].reshape(-1, holding)
        self.begins: Any = np.append(self.kept[:, _HELD_AT], block[p.HELD])
        plans = memory[block[p.AT_SESSIONS] : block[p.AT_SESSIONS] + len(past.plans) * p.PLAN].reshape(-1, p.PLAN)
        self.plans: Any = plans[self.engine(p.SESSION)]

    def engine(self, place: int) -> Any:
        """What the engine had in a place as each order was judged."""
        return self.kept[:, place]

    def line(self, place: int) -> Any:
        """What the order's symbol had in a place."""
        return self.kept[:, _LINE_AT + place]

    def moments(self) -> Moments:
        """All of it."""
        facts = {
            **self._order(),
            **self._position(),
            **self._market(),
            **self._account(),
            **self._nets(),
            **self._run(),
        }
        specs = self.state.guards.windows
        windows = {window_attribute(spec.slot): self.kept[:, _WINDOWS_AT + at] for at, spec in enumerate(specs)}
        lists = {"positions": self._positions(), "working": self._working()}
        return Moments(facts, lists, windows, len(self.rows))

    def _always(self, value: int = 0, *, given: bool = True) -> Column:
        import numpy as np  # noqa: PLC0415 - heavy

        count = len(self.rows)
        return Column(np.full(count, value, np.int64), None if given else np.zeros(count, bool))

    def _word(self, word: str) -> Column:
        return Column(self._always().values, None, (word,))

    def _since(self, instant: Any) -> Column:
        """How long ago an instant was that lies below zero where there was none."""
        import numpy as np  # noqa: PLC0415 - heavy

        return Column(np.maximum(self.engine(p.NOW) - instant, 0), instant >= 0)

    def _order(self) -> dict[str, Column]:
        rows, buys = self.rows, self.rows[:, p.ROW_SIDE] > 0
        qty = self.line(p.QTY)
        working = self._choose(buys, self.line(p.WORKING_SELL), self.line(p.WORKING_BUY))
        closes = (self.line(p.DAY_OPENED) != 0) & self._choose(buys, qty < 0, qty > 0)
        return {
            "order.symbol": Column(rows[:, p.ROW_SYMBOL], None, self.past.names),
            "order.side": Column(self._choose(buys, 0, 1), None, (Side.BUY.value, Side.SELL.value)),
            "order.qty": Column(rows[:, p.ROW_QTY]),
            "order.type": self._word(OrderType.MARKET.value),
            "order.tif": self._word(TimeInForce.DAY.value),
            "order.limit_price": self._always(given=False),
            "order.stop_price": self._always(given=False),
            "order.worst_price": Column(rows[:, p.ROW_WORST]),
            "order.fees": self._always(self.past.block[p.COMMISSION]),
            "order.costs": Column(self._costs()),
            "order.reduce_only": Column(rows[:, p.ROW_REDUCES]),
            "order.is_day_trade": Column((working > 0) | closes),
            "order.same_age": self._since(rows[:, p.ROW_ALIKE]),
        }

    def _costs(self) -> Any:
        """What filling each order and getting out again takes off equity at worst, as worst.py has it."""
        import numpy as np  # noqa: PLC0415 - heavy

        block, rows, price = self.past.block, self.rows, self.line(p.PRICE)
        loss = np.maximum(rows[:, p.ROW_SIDE] * (rows[:, p.ROW_WORST] - price), 0)
        whole = p.BPS * block[p.UNIT]
        out = -(-price * (whole + block[p.CAP]) // whole) - price
        return rows[:, p.ROW_QTY] * (loss + out) + 2 * block[p.COMMISSION]

    def _position(self) -> dict[str, Column]:
        import numpy as np  # noqa: PLC0415 - heavy

        qty, buys, sells = self.line(p.QTY), self.line(p.BUYS), self.line(p.SELLS)
        growing = np.maximum(np.where(qty >= 0, buys, 0), np.where(qty <= 0, sells, 0))
        return {
            "position.qty": Column(qty),
            "position.working_buy": Column(self.line(p.WORKING_BUY)),
            "position.working_sell": Column(self.line(p.WORKING_SELL)),
            "position.working_buy_price": Column(self.line(p.BUY_PRICE)),
            "position.working_sell_price": Column(self.line(p.SELL_PRICE)),
            "position.working_orders": Column(buys + sells),
            "position.exposure": Column(self.line(p.LINE_EXPOSURE)),
            "position.average_price": _average(qty, self.line(p.COST)),
            "position.unrealised": Column(self.line(p.LINE_VALUE) - self.line(p.COST)),
            "position.opened_today": Column(self.line(p.OPENED_TODAY)),
            "position.since_exit": self._since(self.line(p.CLOSED_AT)),
            "position.adds": Column(np.maximum(self.line(p.ENTRIES) + growing - 1, 0)),
        }

    def _market(self) -> dict[str, Column]:
        before = self.line(p.SESSION_CLOSE_BEFORE)
        return {
            "market.price": Column(self.line(p.PRICE)),
            "market.volume": Column(self.line(p.VOLUME)),
            "market.range": Column(self.line(p.RANGE)),
            "market.bars_seen": Column(self.line(p.SEEN)),
            "market.previous_session_close": Column(before, before > 0),
            "market.session_low": Column(self.line(p.SESSION_LOW)),
            "market.age": self._always(),
        }

    def _account(self) -> dict[str, Column]:
        told = {
            "equity": p.EQUITY,
            "cash": p.CASH,
            "day_start_equity": p.DAY_START,
            "peak_equity": p.PEAK,
            "realised_today": p.REALISED_TODAY,
            "losing_streak": p.STREAK,
            "gross_exposure": p.EXPOSURE,
            "working_buy_value": p.BUY_VALUE,
            "working_sell_value": p.SELL_VALUE,
            "working_orders": p.WORKING,
            "open_positions": p.OPEN,
        }
        equity = Column(self.engine(p.EQUITY))
        return {
            **{f"account.{name}": Column(self.engine(place)) for name, place in told.items()},
            "account.working_fees": Column(self.engine(p.WORKING) * self.past.block[p.COMMISSION]),
            "account.close_out_costs": Column(self.kept[:, _CLOSE_OUT_AT]),
            "margin.equity": equity,
            "firm.equity": equity,
            "firm.gross_exposure": Column(self.engine(p.EXPOSURE)),
        }

    def _nets(self) -> dict[str, Column]:
        """What comes of all that is held and at work."""
        import numpy as np  # noqa: PLC0415 - heavy

        qty, price, value = (self.held[:, place] for place in (p.HOLDING_QTY, p.HOLDING_PRICE, p.HOLDING_VALUE))
        most, least = qty + self.held[:, p.HOLDING_BUY], qty - self.held[:, p.HOLDING_SELL]
        # What is left of a position on its other side is no larger for what would take it there.
        up = most * np.where(most > 0, np.maximum(price, self.held[:, p.HOLDING_BUY_PRICE]), price)
        down = least * np.where(least < 0, np.maximum(price, self.held[:, p.HOLDING_SELL_PRICE]), price)
        highest, lowest = self._total(up), self._total(down)
        return {
            "account.highest_net_exposure": Column(highest),
            "account.lowest_net_exposure": Column(lowest),
            "account.net_exposure": Column(np.maximum(abs(highest), abs(lowest))),
            "account.long_exposure": Column(self._total(np.maximum(up, 0))),
            "account.short_exposure": Column(self._total(np.maximum(-down, 0))),
            "account.opening_positions": Column(self._total((qty == 0).astype(np.int64))),
            "margin.long_value": Column(self._total(np.maximum(value, 0))),
            "margin.short_value": Column(self._total(np.maximum(-value, 0))),
        }

    def _run(self) -> dict[str, Column]:
        """The run, the clock and the session."""
        import numpy as np  # noqa: PLC0415 - heavy

        now, plans, run = self.engine(p.NOW), self.plans, self.state.run
        inside = (now >= plans[:, p.OPENS]) & (now <= plans[:, p.CLOSES])
        after = now >= plans[:, p.OFFSET_CHANGES]
        offset = np.where(after, plans[:, p.OFFSET_AFTER], plans[:, p.OFFSET])
        return {
            "run.mode": self._word(run.mode),
            "run.state": self._word(run.state),
            "run.posture": self._word(run.posture),
            "run.killed": self._always(),
            "run.ticks": Column(self.engine(p.TICKS)),
            "run.armed_for": Column(np.maximum(now - self.engine(p.ARMED_AT), 0)),
            "run.errors": self._always(),
            "clock.now": Column(now),
            "clock.time": Column((now + offset) % DAY_MICROS),
            "clock.skew": self._always(given=False),
            "session.open": Column(inside),
            "session.date": Column(plans[:, p.DAY]),
            "session.since_open": Column(now - plans[:, p.OPENS], inside),
            "session.until_close": Column(plans[:, p.CLOSES] - now, inside),
        }

    def _positions(self) -> Lists:
        held = self.held
        value, cost = held[:, p.HOLDING_VALUE], held[:, p.HOLDING_COST]
        fields = {
            "symbol": Column(held[:, p.HOLDING_SYMBOL], None, self.past.names),
            "qty": Column(held[:, p.HOLDING_QTY]),
            "working_buy": Column(held[:, p.HOLDING_BUY]),
            "working_sell": Column(held[:, p.HOLDING_SELL]),
            "price": Column(held[:, p.HOLDING_PRICE]),
            "value": Column(value),
            "exposure": Column(held[:, p.HOLDING_EXPOSURE]),
            "cost": Column(abs(cost)),
            "average_price": _average(held[:, p.HOLDING_QTY], cost),
            "unrealised": Column(value - cost),
        }
        return Lists(self.begins, fields)

    def _working(self) -> Lists:
        """The orders at work in each moment, oldest first: placed before, and not filled until after it."""
        import numpy as np  # noqa: PLC0415 - heavy

        rows, now = self.rows, self.engine(p.NOW)
        over = np.where(rows[:, p.ROW_STATE] == p.FILLED, rows[:, p.ROW_FILLED_AT], p.NEVER)
        over[rows[:, p.ROW_STATE] == p.DENIED] = -1
        counts = self.engine(p.WORKING)
        begins = np.concatenate(([0], np.cumsum(counts)))
        orders = np.empty(int(begins[-1]), np.int64)
        moments = np.repeat(np.arange(len(rows)), counts)
        for number in np.flatnonzero(counts).tolist():
            # Nearly always the last ones: looked for from there on back, until all of them are found.
            reach = int(counts[number])
            found = np.flatnonzero(over[max(number - reach, 0) : number] >= now[number]) + max(number - reach, 0)
            while len(found) < counts[number]:
                reach *= 4
                found = np.flatnonzero(over[max(number - reach, 0) : number] >= now[number]) + max(number - reach, 0)
            orders[begins[number] : begins[number + 1]] = found
        theirs = rows[orders]
        none = np.zeros(len(orders), bool)
        nothing = np.zeros(len(orders), np.int64)
        fields = {
            "symbol": Column(theirs[:, p.ROW_SYMBOL], None, self.past.names),
            "side": Column(np.where(theirs[:, p.ROW_SIDE] > 0, 0, 1), None, (Side.BUY.value, Side.SELL.value)),
            "qty": Column(theirs[:, p.ROW_QTY]),
            "filled": Column(nothing),
            "type": Column(nothing, None, (OrderType.MARKET.value,)),
            "limit_price": Column(nothing, none),
            "stop_price": Column(nothing, none),
            "worst_price": Column(theirs[:, p.ROW_WORST]),
            "age": Column(now[moments] - theirs[:, p.ROW_AT]),
        }
        return Lists(begins, fields)

    def _total(self, values: Any) -> Any:
        """The sum of something over what was held in each moment. Exact: sums wrap around 64 bits and back."""
        import numpy as np  # noqa: PLC0415 - heavy

        sums = np.concatenate(([0], np.cumsum(values)))
        return sums[self.begins[1:]] - sums[self.begins[:-1]]

    @staticmethod
    def _choose(condition: Any, one: Any, other: Any) -> Any:
        import numpy as np  # noqa: PLC0415 - heavy

        return np.where(condition, one, other)


def _average(qty: Any, cost: Any) -> Column:
    """What a share cost on average, rounded against the trader, where any is held."""
    import numpy as np  # noqa: PLC0415 - heavy

    shares = np.where(qty == 0, 1, qty)
    return Column(np.where(qty > 0, -(-cost // shares), cost // shares), qty != 0)
