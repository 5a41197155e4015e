"""The account's book: cash, FIFO lots, realised profit and fees, and the value of it all at the last prices.

A pure function of its entries, without clock or I/O; what an order would do to the book is mqk.orders' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mqk.portfolio.entries import CashMovement, Dividend, Entry, Fill, Split
from mqk.portfolio.errors import LedgerError, MissingMark
from mqk.portfolio.position import Position, match_lots, split_lots
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

# Totals are bounded alike on both sides, so that one comparison of an absolute value holds them.
_HIGH: Final = INT64_MAX


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """Everything booked at one moment, without prices: two ledgers of the same entries have equal snapshots.

    Money in micros. `positions` are (symbol, signed shares, lots) of what is held, by symbol; `entries` counts what
    was applied.
    """

    initial_cash: int
    cash: int
    realised: int
    fees: int
    transfers: int
    dividends: int
    positions: tuple[tuple[str, int, tuple[tuple[int, int], ...]], ...]
    entries: int


class Ledger:
    """A replayable account. Every entry is booked whole or, with a LedgerError, not at all.

    All money is in micros. `cash` is what is in the account; `realised` the profit of closed lots before fees; `fees`
    all fees paid; `transfers` the net of cash movements; `dividends` those received less those paid; `positions` the
    symbols held now (never one of zero shares). At every moment
    equity = initial_cash + transfers + dividends + realised + unrealised - fees = cash + value of the positions.

    Equity, unrealised profit and gross exposure are kept up to date by each entry and each mark, so that reading them
    costs nothing. They raise MissingMark while a held symbol has no price.
    """

    __slots__ = (
        "_book",
        "_cost",
        "_entries",
        "_fills",
        "_gross",
        "_others",
        "_room",
        "_unmarked",
        "_value",
        "cash",
        "dividends",
        "fees",
        "initial_cash",
        "positions",
        "realised",
        "transfers",
    )

    def __init__(self, initial_cash: int) -> None:
        if type(initial_cash) is not int or abs(initial_cash) > _HIGH:
            raise LedgerError("cash", f"cash is in whole micros of 64 bits, found `{initial_cash}`")
        self.initial_cash = initial_cash
        self.cash = initial_cash
        self.realised = 0
        self.fees = 0
        self.transfers = 0
        self.dividends = 0
        self.positions: dict[str, Position] = {}
        # Every symbol ever held or marked: a mark outlives the position, and may come before it.
        self._book: dict[str, Position] = {}
        self._unmarked: set[str] = set()
        self._value = 0
        self._gross = 0
        self._cost = 0
        self._room = _room(initial_cash, 0)
        self._fills: dict[str, Fill] = {}
        self._others: dict[str, CashMovement | Dividend | Split] = {}
        self._entries: list[Entry] = []

    @classmethod
    def replay(cls, initial_cash: int, entries: Iterable[Entry]) -> Ledger:
        """Book all entries in the order given. Raises LedgerError as `apply` does."""
        ledger = cls(initial_cash)
        for entry in entries:
            ledger.apply(entry)
        return ledger

    def apply(self, entry: Entry) -> bool:
        """Book an entry of any kind; False when this very one is booked already. Raises LedgerError."""
        match entry:
            case Fill():
                return self.apply_fill(entry)
            case CashMovement():
                return self.apply_cash(entry)
            case Dividend():
                return self.apply_dividend(entry)
            case Split():
                return self.apply_split(entry)

    def apply_fill(self, fill: Fill) -> bool:
        """Book a fill against the oldest lots first; False when this very fill is booked already.

        A fill larger than an opposite position closes it and opens the rest at its own price. The fill's price is not
        taken for a mark. Raises LedgerError "duplicate" when the id was booked with other contents, and "overflow".
        """
        known = self._fills.get(fill.fill_id)
        if known is not None:
            if known == fill:
                return False
            raise LedgerError(
                "duplicate",
                f"fill `{fill.fill_id}` is booked already with other contents",
                "the broker reused an id: compare its statement with the ledger",
            )
        price = fill.price
        signed = fill.qty if fill.side == "BUY" else -fill.qty
        symbol = fill.symbol
        position = self._book.get(symbol)
        if position is None:
            position = Position(symbol)
        held = position.qty
        if held == 0 or (held > 0) == (signed > 0):
            closing, opening = 0, signed
            whole, left, released = 0, 0, 0
        else:
            # Of the position's sign: all of the fill, or all that is held.
            closing = -signed if abs(signed) <= abs(held) else held
            opening = signed + closing
            whole, left, released = match_lots(position.lots, closing)

        qty = held + signed
        cash = self.cash - signed * price - fill.fee
        fees = self.fees + fill.fee
        realised = self.realised + closing * price - released
        paid = opening * price - released
        cost = position.cost + paid
        value = 0 if position.mark is None else qty * position.mark
        worth = self._value + value - position.value
        gross = self._gross + abs(value) - abs(position.value)
        total_cost = self._cost + paid
        room = _room(cash, total_cost)
        # A share costs at least a micro, so that a cost that fits bounds the shares too.
        if gross > room or fees > _HIGH or abs(realised) > _HIGH or abs(cost) > _HIGH:
            raise _overflow(symbol)

        self.cash = cash
        self._value = worth
        self._gross = gross
        self._cost = total_cost
        self._room = room
        self.fees = fees
        self.realised = realised
        lots = position.lots
        for _ in range(whole):
            lots.popleft()
        if left:
            lots[0] = (left, lots[0][1])
        if opening:
            lots.append((opening, price))
        position.qty = qty
        position.cost = cost
        position.value = value
        if not held:
            self._book[symbol] = self.positions[symbol] = position
            if position.mark is None:
                self._unmarked.add(symbol)
        elif not qty:
            del self.positions[symbol]
            self._unmarked.discard(symbol)
        self._fills[fill.fill_id] = fill
        self._entries.append(fill)
        return True

    def apply_cash(self, movement: CashMovement) -> bool:
        """Book money that moved without a trade; False when this very movement is booked already.

        Raises LedgerError "duplicate" when the id was booked with other contents, and "overflow".
        """
        if self._is_booked(movement.movement_id, movement):
            return False
        transfers = self.transfers + movement.amount
        cash = self.cash + movement.amount
        room = _room(cash, self._cost)
        if self._gross > room or abs(transfers) > _HIGH:
            raise _overflow(movement.reason)
        self.cash = cash
        self._room = room
        self.transfers = transfers
        self._others[movement.movement_id] = movement
        self._entries.append(movement)
        return True

    def apply_dividend(self, dividend: Dividend) -> bool:
        """Book a dividend on the shares that are held; False when this very one is booked already.

        What is received is rounded down to a micro, what is paid up. The mark is left alone. Raises LedgerError
        "duplicate" when the id was booked with other contents, and "overflow".
        """
        if self._is_booked(dividend.action_id, dividend):
            return False
        rate = dividend.per_share
        amount = self.qty(dividend.symbol) * rate.numerator // rate.denominator
        dividends = self.dividends + amount
        cash = self.cash + amount
        room = _room(cash, self._cost)
        if self._gross > room or abs(dividends) > _HIGH:
            raise _overflow(dividend.symbol)
        self.cash = cash
        self._room = room
        self.dividends = dividends
        self._others[dividend.action_id] = dividend
        self._entries.append(dividend)
        return True

    def apply_split(self, split: Split) -> bool:
        """Turn every share held into `ratio` shares, in whole ones; False when this very split is booked already.

        The cost of the lots is kept to the micro. A fraction of a share is sold at the price before the split, its
        proceeds rounded against the account; what it realises counts as realised. The mark follows the split, rounded
        down for longs and up for shorts. Raises LedgerError "duplicate" when the id was booked with other contents,
        "price" for a mark that would fall below a micro, and "overflow".
        """
        if self._is_booked(split.action_id, split):
            return False
        position = self._book.get(split.symbol)
        if position is not None:
            self._split(position, split)
        self._others[split.action_id] = split
        self._entries.append(split)
        return True

    def _split(self, position: Position, split: Split) -> None:
        held, ratio, mark = position.qty, split.ratio, position.mark
        sign = -1 if held < 0 else 1
        qty = sign * (abs(held) * ratio.numerator // ratio.denominator)
        if mark is not None:
            if mark * ratio.denominator < ratio.numerator:
                raise LedgerError("price", f"a split would leave `{split.symbol}` below a micro a share")
            mark = sign * (sign * mark * ratio.denominator // ratio.numerator)
        # What is over when only whole shares are held, in shares of before the split, is paid at the price of then.
        paid = (held - qty / ratio) * split.price
        proceeds = paid.numerator // paid.denominator
        lots, released = split_lots(position.lots, ratio)
        cash = self.cash + proceeds
        realised = self.realised + proceeds - released
        cost = position.cost - released
        value = 0 if mark is None else qty * mark
        gross = self._gross + abs(value) - abs(position.value)
        total_cost = self._cost - released
        room = _room(cash, total_cost)
        if gross > room or abs(realised) > _HIGH or abs(cost) > _HIGH or abs(qty) > _HIGH or (mark or 0) > _HIGH:
            raise _overflow(split.symbol)
        self.cash = cash
        self.realised = realised
        self._value += value - position.value
        self._gross = gross
        self._cost = total_cost
        self._room = room
        position.qty, position.cost, position.lots = qty, cost, lots
        position.mark, position.value = mark, value
        if held and not qty:
            del self.positions[split.symbol]
            self._unmarked.discard(split.symbol)

    def _is_booked(self, name: str, entry: CashMovement | Dividend | Split) -> bool:
        """Whether this very entry is booked. Raises LedgerError "duplicate" when another one is, under its name."""
        known = self._others.get(name)
        if known is not None and known != entry:
            raise LedgerError("duplicate", f"`{name}` is booked already with other contents")
        return known is not None

    def mark(self, symbol: str, price: int) -> None:
        """Value a symbol at this price (micros a share, above zero) from now on, whether it is held or not.

        Raises LedgerError "price", "symbol", or "overflow"; the last mark then stands.
        """
        position = self._book.get(symbol)
        if position is not None and position.mark == price:
            return
        if type(price) is not int or not 0 < price <= _HIGH:
            raise LedgerError("price", f"a mark is above zero, in whole micros, found `{price}` for `{symbol}`")
        if position is None:
            if not symbol.strip():
                raise LedgerError("symbol", "a mark names its symbol")
            position = self._book[symbol] = Position(symbol)
        qty = position.qty
        if qty:
            value = qty * price
            # An unmarked position counts for nothing yet, so its whole value is the gain.
            gain = value - position.value
            gross = self._gross + (gain if qty > 0 else -gain)
            if gross > self._room:
                raise _overflow(symbol)
            self._value += gain
            self._gross = gross
            position.value = value
            if position.mark is None:
                self._unmarked.discard(symbol)
        position.mark = price

    @property
    def room(self) -> int:
        """The gross exposure, in micros, up to which every figure of these books fits in 64 bits."""
        return self._room

    def revalue(self, position: Position, price: int) -> None:
        """Mark a position that is held at a price at which it is known to fit within `room`: nothing is looked at."""
        qty = position.qty
        value = qty * price
        gain = value - position.value
        self._value += gain
        self._gross += gain if qty > 0 else -gain
        position.value = value
        position.mark = price

    def equity(self) -> int:
        """Cash and the value of all positions at their marks, in micros. Raises MissingMark."""
        if self._unmarked:
            raise MissingMark(self._unmarked)
        return self.cash + self._value

    def unrealised(self) -> int:
        """The profit of the open lots at their marks, before fees, in micros. Raises MissingMark."""
        if self._unmarked:
            raise MissingMark(self._unmarked)
        return self._value - self._cost

    def gross(self) -> int:
        """The sum of the absolute values of all positions at their marks, in micros. Raises MissingMark."""
        if self._unmarked:
            raise MissingMark(self._unmarked)
        return self._gross

    def qty(self, symbol: str) -> int:
        """Signed shares held of a symbol; zero when there are none."""
        position = self.positions.get(symbol)
        return 0 if position is None else position.qty

    def value(self, symbol: str) -> int:
        """The signed value of one symbol's position at its mark, in micros. Raises MissingMark when it has none."""
        if symbol in self._unmarked:
            raise MissingMark((symbol,))
        position = self.positions.get(symbol)
        return 0 if position is None else position.value

    def last_mark(self, symbol: str) -> int | None:
        """The price last given to `mark` for a symbol, held or not, in micros; None when there was none."""
        position = self._book.get(symbol)
        return None if position is None else position.mark

    def unmarked(self) -> frozenset[str]:
        """The held symbols that nobody has priced yet."""
        return frozenset(self._unmarked)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that was booked, in order: what `replay` needs to build this ledger again."""
        return tuple(self._entries)

    def snapshot(self) -> LedgerSnapshot:
        """What is booked now, comparable and immutable, without prices."""
        return LedgerSnapshot(
            initial_cash=self.initial_cash,
            cash=self.cash,
            realised=self.realised,
            fees=self.fees,
            transfers=self.transfers,
            dividends=self.dividends,
            positions=tuple((name, held.qty, tuple(held.lots)) for name, held in sorted(self.positions.items())),
            entries=len(self._entries),
        )


def _room(cash: int, cost: int) -> int:
    """Return the gross exposure up to which equity (cash + value) and unrealised profit (value - cost) fit in 64 bits.

    Exposure bounds the value of the positions, together and each, so that a mark has one comparison to make. Negative,
    and so refusing everything, when cash or cost themselves do not fit.
    """
    return _HIGH - max(abs(cash), abs(cost))


def _overflow(what: str) -> LedgerError:
    return LedgerError("overflow", f"the books of `{what}` would not fit in 64 bits")
