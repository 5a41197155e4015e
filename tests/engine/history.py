"""An engine with its history, and the slow figures: every fact worked out anew from all that has happened.

What lives here: the world and its figures, which hold themselves against the engine's views at each judgement. What
does not: which histories are played (test_facts.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from mqk.dsl import FactRef
from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.engine import EngineState, Filled, Rejected, SessionPlanned, Submit, step
from mqk.guards import GuardSet, Point, compile_bundle, facts_at
from mqk.guards.catalogue import VIEWS, collections_at
from mqk.market import Bar, calendar_of
from mqk.orders import Side
from mqk.policy import RuleSource, Span, Text
from tests.engine.worlds import MINUTE, USD, guards, host

CALENDAR = calendar_of("XNYS")
# Around the night in which New York's clocks are changed, with a weekend in it.
DAYS = CALENDAR.sessions_between(date(2024, 3, 7), date(2024, 3, 15))
NEW_YORK = ZoneInfo("America/New_York")
WINDOWS = (
    "count(orders within 10m)",
    "total(orders within 2 sessions)",
    "count(fills within 10m)",
    "total(fills within 1 sessions)",
    "count(cancels within 3 sessions)",
    "count(rejects within 10m)",
    "count(day_trades within 3 business_days)",
    "count(trades within 2 sessions)",
    "total(trades within 2 sessions)",
    "total(results within 3 sessions)",
    "count(results within 10m)",
    "count(losing_trades within 2 sessions)",
    "total(losing_trades within 3 sessions)",
)


@cache
def reading_all() -> GuardSet:
    """Guards with nothing but rules that read every fact, collection and window there is, and do nothing."""
    rules = []
    for point in (Point.ORDER, Point.ACCOUNT):
        refs = [entry.ref for entry in facts_at(point).values() if isinstance(entry.ref, FactRef)]
        texts = [f"present({ref.name}) or true" if ref.optional else f"{ref.name} == {ref.name}" for ref in refs]
        texts += [f"count of p in {name} >= 0" for name in collections_at(point)]
        texts += [f"{window} == {window}" for window in WINDOWS]
        rules += [_rule(f"{point.value}-{number}", point, text) for number, text in enumerate(texts)]
    bundle = guards().bundle
    return compile_bundle(
        replace(
            bundle, limits={}, lets={}, tables={}, rules=tuple(rules), lifecycles={"order": bundle.lifecycles["order"]}
        )
    )


def _rule(name: str, point: Point, text: str) -> RuleSource:
    where = Span.nowhere(name)
    outcome = "deny" if point is Point.ORDER else "halt"
    return RuleSource(
        id=name, title=name, at=point.value, require=Text(text, where), when=None, otherwise=outcome, confirm=1,
        latch=None, exits_included=True, exits_reason="a test", enforce="shadow", cites=(), document="t", span=where,
        chain=(),
    )  # fmt: skip


@dataclass
class Traded:
    """A fill as the history remembers it."""

    at: int
    day: date
    order: str
    symbol: str
    signed: int
    price: int
    fee: int


@dataclass
class World:
    """An engine, and everything that has happened to it."""

    state: EngineState = field(init=False)
    wishes: dict[str, int] = field(default_factory=dict)
    day: date = DAYS[0]
    bars: list[tuple[date, Bar]] = field(default_factory=list)
    placed: list[tuple[int, date, str, str, int, int]] = field(default_factory=list)
    fills: list[Traded] = field(default_factory=list)
    ended: list[tuple[int, date, str]] = field(default_factory=list)
    cancels: list[tuple[int, date]] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)
    rejects: list[tuple[int, date]] = field(default_factory=list)
    compared: int = 0

    def __post_init__(self) -> None:
        self.state = EngineState(reading_all(), run_id="t", mode="BACKTEST", host=host(lambda _: self.wishes))
        judge = self.state.judge_order

        def spy(*views: object) -> int:
            mask = judge(*views)
            assert mask == 0
            self.compare(dict(zip(VIEWS[Point.ORDER], views, strict=True)))
            shown = self.state.order
            self.placed.append(
                (self.state.now, self.day, shown.symbol, shown.side, shown.qty, shown.qty * shown.worst_price)
            )
            return mask

        self.state.judge_order = spy
        self.tell(SessionPlanned(CALENDAR.plan(self.day)))

    def tell(self, event: object) -> None:
        """One event, and what it led to."""
        if isinstance(event, Filled):
            made = event.fill
            signed = made.qty if made.side == "BUY" else -made.qty
            self.fills.append(
                Traded(max(made.at, self.state.now), self.day, made.order_id, made.symbol, signed, made.price, made.fee)
            )
        elif isinstance(event, Rejected):
            self.rejects.append((max(event.at, self.state.now), self.day))
        working = set(self.state.working)
        for effect in step(self.state, event):  # type: ignore[arg-type] # one of the events above
            if isinstance(effect, Submit):
                working.add(effect.order.client_order_id)
        self._notice_cancels()
        for name in sorted(working - set(self.state.working)):
            self.ended.append((self.state.now, self.day, name))

    def _notice_cancels(self) -> None:
        """The orders that are asked to be cancelled by now and were not before."""
        for name, at in self.state.cancel_asked.items():
            if self.asked.get(name) != at:
                self.asked[name] = at
                self.cancels.append((at, self.day))

    # -- the slow figures ------------------------------------------------------------------------------------------

    def lots(self, symbol: str) -> list[tuple[int, int, date, str]]:
        """What is held, oldest first: signed shares, price, day and order of each lot."""
        return self._replayed(symbol)[0]

    def _replayed(self, symbol: str) -> tuple[list[tuple[int, int, date, str]], list[tuple[Traded, int]], int | None]:
        """The lots, the realised profit of every closing fill, and when the position was last closed."""
        lots: list[tuple[int, int, date, str]] = []
        results: list[tuple[Traded, int]] = []
        closed_at = None
        for fill in (each for each in self.fills if each.symbol == symbol):
            left, profit, closing = fill.signed, 0, False
            while left and lots and lots[0][0] * left < 0:
                closing = True
                qty, price, day, order = lots.pop(0)
                taken = min(abs(qty), abs(left))
                sign = 1 if qty > 0 else -1
                profit += sign * taken * (fill.price - price)
                left += sign * taken
                if abs(qty) > taken:
                    lots.insert(0, (qty - sign * taken, price, day, order))
                elif not lots:
                    closed_at = fill.at
            if closing:
                results.append((fill, profit))
            if left:
                lots.append((left, fill.price, fill.day, fill.order))
        return lots, results, closed_at

    def results(self) -> list[tuple[Traded, int]]:
        """Every closing fill with what it realised, its fee taken off, as they came."""
        found = {id(f): (f, p - f.fee) for s in ("SPY", "QQQ") for f, p in self._replayed(s)[1]}
        return [found[id(fill)] for fill in self.fills if id(fill) in found]

    def endings(self) -> list[tuple[int, date, int, int | None]]:
        """Orders that traded and ended: when, the value traded, and the result of those that closed anything."""
        results = self.results()
        found = []
        for at, day, order in self.ended:
            fills = [fill for fill in self.fills if fill.order == order]
            if fills:
                closing = [result for fill, result in results if fill.order == order]
                value = sum(abs(fill.signed) * fill.price for fill in fills)
                found.append((at, day, value, sum(closing) if closing else None))
        return found

    def day_trades(self) -> list[tuple[int, date]]:
        """Changes from opening to closing within a session, share by share, an order being one purchase or one sale."""
        found = []
        for symbol in ("SPY", "QQQ"):
            held, opened, counted, last = 0, list[str](), set[tuple[str, str]](), None
            for fill in (each for each in self.fills if each.symbol == symbol):
                if fill.day != last:
                    opened, last = [], fill.day
                for _ in range(abs(fill.signed)):
                    one = 1 if fill.signed > 0 else -1
                    if held * one < 0:
                        pairs = {(order, fill.order) for order in opened}
                        if pairs - counted:
                            found.append((fill.at, fill.day))
                        counted |= pairs
                        opened = []
                    else:
                        opened.append(fill.order)
                    held += one
        return found

    def within(self, slot: str, events: list[tuple[int, date, int]]) -> int:
        """The answer of a window over events with amounts."""
        span = slot.partition(" within ")[2].rstrip(")")
        if span.endswith("m"):
            kept = [e for e in events if self.state.now - e[0] <= int(span[:-1]) * MINUTE]
        else:
            since = DAYS[max(DAYS.index(self.day) - int(span.split()[0]) + 1, 0)]
            kept = [e for e in events if e[1] >= since]
        return sum(e[2] for e in kept) if slot.startswith("total") else len(kept)

    def windows(self) -> dict[str, int]:
        """Every window's answer."""
        endings = self.endings()
        streams = {
            "orders": [(at, day, value) for at, day, _, _, _, value in self.placed],
            "fills": [(f.at, f.day, abs(f.signed) * f.price) for f in self.fills],
            "cancels": [(at, day, 0) for at, day in self.cancels],
            "rejects": [(at, day, 0) for at, day in self.rejects],
            "day_trades": [(at, day, 0) for at, day in self.day_trades()],
            "trades": [(at, day, value) for at, day, value, _ in endings],
            "results": [(f.at, f.day, result) for f, result in self.results()],
            "losing_trades": [(at, day, -r) for at, day, _, r in endings if r is not None and r < 0],
        }
        return {slot: self.within(slot, streams[slot.partition("(")[2].partition(" ")[0]]) for slot in WINDOWS}

    def compare(self, shown: dict[str, object]) -> None:
        """Hold every view against the slow figures."""
        self.compared += 1
        self._notice_cancels()
        expected = {
            **self._of_order(), **self._of_market(), **self._of_account(), **self._of_session(), **self._of_position()
        }  # fmt: skip
        found = {name: getattr(shown[name.split(".")[0]], name.split(".")[1]) for name in expected}
        assert {n: v for n, v in found.items() if v is not MISSING} == {
            n: v for n, v in expected.items() if v is not None
        }
        answers = {slot: getattr(shown["windows"], window_attribute(slot)) for slot in WINDOWS}
        assert answers == self.windows()
        self._compare_collections(shown)

    def _of_order(self) -> dict[str, object]:
        shown, state = self.state.order, self.state
        same = [
            at for at, _, s, side, q, _ in self.placed if (s, side, q) == (shown.symbol, shown.side, shown.qty)
        ]  # fmt: skip
        opposite = Side.SELL if shown.side == "BUY" else Side.BUY
        held = sum(lot[0] for lot in self.lots(shown.symbol))
        closes = held < 0 if shown.side == "BUY" else held > 0
        # What closing one share would add to the day trades.
        trial = World.__new__(World)
        trial.fills = [*self.fills, Traded(state.now, self.day, "?", shown.symbol, -1 if held > 0 else 1, 1, 0)]
        day_trade = closes and len(trial.day_trades()) > len(self.day_trades())
        return {
            "order.tif": "DAY",
            "order.same_age": state.now - same[-1] if same else None,
            "order.is_day_trade": day_trade or bool(state.working_of(shown.symbol, opposite)),
        }

    def _of_position(self) -> dict[str, object]:
        symbol, state = self.state.order.symbol, self.state
        lots, _, closed_at = self._replayed(symbol)
        held, cost = sum(lot[0] for lot in lots), sum(lot[0] * lot[1] for lot in lots)
        price = state.lines[symbol].price
        assert price is not None
        working = state.working_of(symbol)
        entries = self._entries(symbol)
        sides = [s for s, closing in ((Side.BUY, held < 0), (Side.SELL, held > 0)) if not closing]
        most = max(len(entries | {o.client_order_id for o in working if o.side is side}) for side in sides)
        average = None
        if held:
            average = -(-cost // held) if held > 0 else abs(cost) // abs(held)
        return {
            "position.average_price": average,
            "position.unrealised": held * price - cost,
            "position.working_orders": len(working),
            "position.opened_today": sum(abs(lot[0]) for lot in lots if lot[2] == self.day),
            "position.since_exit": None if closed_at is None else state.now - closed_at,
            "position.adds": max(most - 1, 0),
            "position.working_buy_price": self._dearest(symbol, Side.BUY),
            "position.working_sell_price": self._dearest(symbol, Side.SELL),
        }

    def _dearest(self, symbol: str, side: Side) -> int:
        """The dearest worst price of a symbol's orders at work."""
        worst = self.state.worst_prices
        return max((worst[o.client_order_id] for o in self.state.working_of(symbol, side)), default=0)

    def _entries(self, symbol: str) -> set[str]:
        """The orders that made the position larger since it was flat."""
        held, found = 0, set[str]()
        for fill in (each for each in self.fills if each.symbol == symbol):
            after = held + fill.signed
            if held * after <= 0:
                found = set()
            if (after and abs(after) > abs(held)) or held * after < 0:
                found.add(fill.order)
            held = after
        return found

    def _of_market(self) -> dict[str, object]:
        symbol = self.state.order.symbol
        bars = [(day, each) for day, each in self.bars if each.symbol == symbol]
        day, last = bars[-1]
        before = [each for earlier, each in bars if earlier < self.day]
        today = [each.low for same, each in bars if same == self.day]
        # Minute by minute: how much of the time since the last bar the exchange was open.
        traded = 0
        for each in (d for d in DAYS if day <= d <= self.day):
            start, stop = CALENDAR.session_open(each), CALENDAR.session_close(each)
            traded += max(min(stop, self.state.now) - max(start, last.end), 0)
        return {
            "market.volume": last.volume,
            "market.range": last.high - last.low,
            "market.bars_seen": len(bars),
            "market.previous_session_close": before[-1].close if before else None,
            "market.session_low": min(today) if today else None,
            "market.age": traded,
        }

    def _of_account(self) -> dict[str, object]:
        lines = self.state.lines
        prices = {symbol: line.price or 0 for symbol, line in lines.items()}
        held = {symbol: sum(lot[0] for lot in self.lots(symbol)) for symbol in lines}
        buys = {s: sum(o.leaves for o in self.state.working_of(s, Side.BUY)) for s in lines}
        sells = {s: sum(o.leaves for o in self.state.working_of(s, Side.SELL)) for s in lines}
        tops = {(s, side): self._dearest(s, side) for s in lines for side in Side}
        up = {s: held[s] + buys[s] for s in lines}
        down = {s: sells[s] - held[s] for s in lines}
        longs = {s: max(up[s], 0) * max(prices[s], tops[s, Side.BUY]) for s in lines}
        shorts = {s: max(down[s], 0) * max(prices[s], tops[s, Side.SELL]) for s in lines}
        highest = sum(longs[s] + min(up[s], 0) * prices[s] for s in lines)
        lowest = -sum(shorts[s] + min(down[s], 0) * prices[s] for s in lines)
        ahead = [
            o.leaves * max(o.side.sign * (self.state.worst_prices[o.client_order_id] - prices[o.symbol]), 0)
            for o in self.state.working.values()
        ]
        # A quarter of a hundredth, and never less than what it comes to.
        ahead += [max(up[s], down[s]) * -(-prices[s] // 400) for s in lines]
        streak = 0
        for _, _, _, result in self.endings():
            streak = streak if result is None else streak + 1 if result < 0 else 0
        fees = sum(fill.fee for fill in self.fills if fill.day == self.day)
        today = sum(result + fill.fee for fill, result in self.results() if fill.day == self.day)
        worst = self.state.worst_prices
        return {
            "account.realised_today": today - fees,
            "account.losing_streak": streak,
            "account.highest_net_exposure": highest,
            "account.lowest_net_exposure": lowest,
            "account.net_exposure": max(abs(highest), abs(lowest)),
            "account.long_exposure": sum(longs.values()),
            "account.short_exposure": sum(shorts.values()),
            "account.gross_exposure": sum(max(longs[s], shorts[s]) for s in lines),
            "account.working_fees": 0,
            "account.close_out_costs": sum(ahead),
            "account.opening_positions": sum(1 for s in lines if not held[s] and (buys[s] or sells[s])),
            "account.working_sell_value": sum(
                o.leaves * worst[o.client_order_id] for o in self.state.working.values() if o.side is Side.SELL
            ),
            "margin.equity": self.state.ledger.cash + sum(held[s] * prices[s] for s in lines),
            "margin.long_value": sum(max(held[s], 0) * prices[s] for s in lines),
            "margin.short_value": sum(max(-held[s], 0) * prices[s] for s in lines),
            "firm.equity": self.state.ledger.cash + sum(held[s] * prices[s] for s in lines),
            "firm.gross_exposure": self.state.account.gross_exposure,
        }

    def _of_session(self) -> dict[str, object]:
        now = self.state.now
        start, stop = CALENDAR.session_open(self.day), CALENDAR.session_close(self.day)
        inside = start <= now <= stop
        local = datetime.fromtimestamp(now // USD, tz=UTC).astimezone(NEW_YORK)
        instants = len({each.end for _, each in self.bars})
        return {
            "session.open": inside,
            "session.since_open": now - start if inside else None,
            "session.until_close": stop - now if inside else None,
            "session.date": self.day.toordinal(),
            "clock.time": ((local.hour * 60 + local.minute) * 60 + local.second) * USD + now % USD,
            "run.ticks": instants,
            "run.armed_for": now - self.bars[0][1].end,
            "run.errors": len(self.rejects),
        }

    def _compare_collections(self, shown: dict[str, object]) -> None:
        positions = {p.symbol: p for p in shown["positions"]}  # type: ignore[attr-defined] # a list of views
        for symbol, line in self.state.lines.items():
            lots = self.lots(symbol)
            held, cost = sum(lot[0] for lot in lots), sum(lot[0] * lot[1] for lot in lots)
            if not held and not self.state.working_of(symbol):
                assert symbol not in positions
                continue
            view, price = positions[symbol], line.price or 0
            assert (view.qty, view.value, view.cost) == (held, held * price, abs(cost))
            assert (view.price, view.unrealised, view.exposure) == (price, held * price - cost, line.exposure)
        working = [(w.symbol, w.side, w.qty, w.filled) for w in shown["working"]]  # type: ignore[attr-defined]
        assert working == [(o.symbol, o.side.value, o.leaves, o.filled) for o in self.state.working.values()]
