"""Day trades of one symbol in one session, counted as FINRA Rule 4210(f)(8)(B) and its interpretation /02 read.

What lives here: counting, one fill at a time. What does not: how many a firm may make; that is the policy's.

A day trade is buying and selling, or selling and buying, the same security on the same day. It is counted at each
change of direction: buying 250 and 250 and selling 500 is one; buying, selling, buying and selling is two. Shares held
overnight and sold before any new purchase make none, and neither do shorts held overnight and bought back before any
new sale. One order, in however many pieces it fills, is one purchase or one sale.
"""

from __future__ import annotations


class DayTrades:
    """What was opened in this session and not yet made part of a day trade, for one symbol.

    A piece that closes counts when something was opened since the last day trade, unless the same two orders, the one
    that opened and the one that closes, have made a day trade already.
    """

    __slots__ = ("_counted", "_opened")

    def __init__(self) -> None:
        self._opened: list[str] = []
        self._counted: set[tuple[str, str]] = set()

    @property
    def open(self) -> bool:
        """Whether closing what is held, by any other order, completes a day trade now."""
        return bool(self._opened)

    def book(self, order: str, held: int, signed: int) -> int:
        """Take in a fill of `signed` shares of an order on `held` shares: how many day trades it completes, 0 or 1."""
        completed = 0
        closing = held != 0 and (held > 0) != (signed > 0)
        if closing:
            pairs = {(opened, order) for opened in self._opened}
            if pairs - self._counted:
                completed = 1
            self._counted |= pairs
            self._opened = []
        if (not closing or abs(signed) > abs(held)) and order not in self._opened:
            self._opened.append(order)
        return completed

    def completes(self, *, buying: bool, held: int, working_buy: int, working_sell: int) -> bool:
        """Whether a new order of this side can complete a day trade, whichever working orders fill, in any order.

        It does by closing what was opened in this session. And with anything at work on the other side, one of the two
        can close what the other opened.
        """
        opposite = working_sell if buying else working_buy
        return opposite > 0 or (self.open and (held < 0 if buying else held > 0))

    def begin(self) -> None:
        """A new session: whatever is held was held overnight."""
        self._opened = []
        self._counted = set()

    def contents(self) -> list[object]:
        """All that the next answer depends on, for a digest."""
        return [list(self._opened), sorted(self._counted)]
