"""One symbol as the engine sees it: what is held and working, the last price, the last bar, the strategies' windows.

What lives here: the figures per symbol and how one change of them moves the account's. What does not: deciding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqk.strategies import HostWindow


class Line:
    """The state of one symbol, in shares and micros. Created by its first bar.

    `price` is the last mark; `exposure` the value, at that price, of the largest position that working orders can lead
    to. `previous_end` and `previous_close` are those of the symbol's bar before, used or not, so that one rejected bar
    is no gap and a level that holds is no outlier twice; only complete bars that move time forward count.
    """

    __slots__ = (
        "exposure",
        "previous_close",
        "previous_end",
        "price",
        "qty",
        "shadow_wants",
        "shadow_windows",
        "symbol",
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
        self.shadow_wants: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
        self.qty = 0
        self.working_buy = 0
        self.working_sell = 0
        self.price: int | None = None
        self.exposure = 0
        self.previous_end: int | None = None
        self.previous_close: int | None = None

    @property
    def busy(self) -> bool:
        """Whether anything is held or working, so that the price matters."""
        return self.qty != 0 or self.working_buy != 0 or self.working_sell != 0

    def worst_qty(self) -> int:
        """The largest number of shares, long or short, that can be held once working orders fill."""
        return max(abs(self.qty + self.working_buy), abs(self.qty - self.working_sell))

    def reducible(self, *, buying: bool) -> int:
        """How many shares an order of this side may be for and still only reduce, other working orders included."""
        room = -self.qty - self.working_buy if buying else self.qty - self.working_sell
        return max(room, 0)
