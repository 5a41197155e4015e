"""One symbol as the engine sees it: what is held and working, the last price, the last bar, the strategies' windows.

What lives here: the figures per symbol and how one change of them moves the account's. What does not: deciding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.portfolio import DayTrades

if TYPE_CHECKING:
    from mqk.engine.brackets import Bracket
    from mqk.market import Bar, SessionPlan
    from mqk.orders import Side
    from mqk.strategies import HostWindow, Target


class Line:
    """The state of one symbol, in shares and micros. Created by its first bar.

    `price` is the last mark; `exposure` is the value of the largest position that working orders can lead to, at the
    dearer of that price and their worst, `buy_price` and `sell_price` the dearest of those by side. `previous_end` and
    `previous_close` are those of the symbol's bar before, used or not, so that one rejected bar
    is no gap and a level that holds is no outlier twice; only complete bars that move time forward count.

    `bar` is the last bar that was used, `bars_seen` how many were, `bar_session` and `plan` the session of the last;
    `session_low` is the lowest price of that session's, `previous_session_close` the last close before it. `entries`
    are the orders that made the position larger since it was flat, `opened_today` the shares of it that were added in
    this session, `closed_at` when one was last closed. `working_buy` and `working_sell` are all that may still trade,
    `protecting_buy` and `protecting_sell` the part of it that only guards the position; `brackets` say how, by the side
    of what takes it out. `ex_session` is the session before which shares last went ex.
    """

    __slots__ = (
        "bar",
        "bar_session",
        "bars_seen",
        "brackets",
        "buy_price",
        "closed_at",
        "day_trades",
        "entries",
        "ex_session",
        "exposure",
        "opened_today",
        "plan",
        "previous_close",
        "previous_end",
        "previous_session_close",
        "price",
        "protecting_buy",
        "protecting_sell",
        "qty",
        "sell_price",
        "session_low",
        "shadow_wants",
        "shadow_windows",
        "symbol",
        "taken",
        "timeframe",
        "window",
        "working_buy",
        "working_sell",
    )

    def __init__(self, symbol: str, timeframe: str, window: HostWindow, shadow_windows: tuple[HostWindow, ...]) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.window = window
        self.shadow_windows = shadow_windows
        self.shadow_wants: tuple[tuple[str, tuple[tuple[str, int | Target], ...]], ...] = ()
        self.qty = 0
        self.working_buy = self.protecting_buy = 0
        self.working_sell = self.protecting_sell = 0
        self.buy_price = self.sell_price = 0
        self.brackets: dict[Side, Bracket] = {}
        self.price: int | None = None
        self.exposure = 0
        self.previous_end: int | None = None
        self.previous_close: int | None = None
        self.bar: Bar | None = None
        self.bars_seen = 0
        self.bar_session: int | None = None
        self.plan: SessionPlan | None = None
        self.session_low = 0
        self.previous_session_close: int | None = None
        self.entries: set[str] = set()
        self.opened_today = 0
        self.closed_at: int | None = None
        self.ex_session: int | None = None
        self.day_trades = DayTrades()
        # How many bars the window kept when the figures above were last brought up to date.
        self.taken = 0

    def catch_up(self) -> Bar | None:
        """Take in the bars that came into the window of their own, all of this session, and return the last of them."""
        window = self.window
        bars = window.since(self.taken)
        if not bars:
            return None
        last = bars[-1]
        lowest = min([bar.low for bar in bars])
        self.session_low = min(self.session_low, lowest)
        self.bars_seen += len(bars)
        self.bar = last
        self.previous_end, self.previous_close = last.end, last.close
        window.trim()
        self.taken = window.held
        return last

    def use(self, bar: Bar, session: int, plan: SessionPlan | None) -> None:
        """Remember a bar that is used."""
        if session != self.bar_session:
            self.previous_session_close = None if self.bar is None else self.bar.close
            self.session_low = bar.low
            self.bar_session = session
        elif bar.low < self.session_low:
            self.session_low = bar.low
        self.bar = bar
        self.bars_seen += 1
        self.plan = plan

    @property
    def busy(self) -> bool:
        """Whether anything is held or working, so that the price matters."""
        return self.qty != 0 or self.working_buy != 0 or self.working_sell != 0

    def worst_qty(self) -> int:
        """The largest number of shares, long or short, that can be held once working orders fill."""
        if not self.working_buy and not self.working_sell:
            return abs(self.qty)
        return max(abs(self.qty + self.working_buy), abs(self.qty - self.working_sell))

    def exposure_at(self, price: int) -> int:
        """What the largest position that working orders can lead to comes to, where the market is at a price."""
        buys, sells = self.working_buy, self.working_sell
        if not buys and not sells:
            return abs(self.qty) * price
        # Of the two ends at least one is on its own side of zero.
        return max(
            (self.qty + buys) * max(price, self.buy_price),
            (sells - self.qty) * max(price, self.sell_price),
        )

    def reducible(self, *, buying: bool) -> int:
        """How many shares an order of this side may be for and still only reduce, other working orders included."""
        buys, sells = self.committed()
        room = -self.qty - buys if buying else self.qty - sells
        return max(room, 0)

    def committed(self) -> tuple[int, int]:
        """Working shares by side, bought and sold, that somebody has decided to trade: what only guards is left out."""
        return self.working_buy - self.protecting_buy, self.working_sell - self.protecting_sell
