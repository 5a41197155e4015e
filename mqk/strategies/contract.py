"""What a strategy is, and all it may know: a bounded window of completed bars, its positions, the account's equity.

What lives here: the plug-in contract. What does not: who calls it (host.py), what becomes of its targets (mqk.engine).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final, Protocol, overload, runtime_checkable

from mqk.market import Bar, split_bar
from mqk.orders import OrderType, TimeInForce
from mqk.quantity import INT64_MAX, format_money
from mqk.strategies.errors import StrategyError
from mqk.strategies.params import Param


class BarWindow(Sequence[Bar]):
    """The last completed bars of one symbol, oldest first: a live view that ends at the bar just completed.

    At most `size` bars, and fewer at the beginning; all in the shares of today, as far as splits have gone ex by then.
    Read only; whoever needs to keep bars copies them.
    """

    __slots__ = ("_bars", "_closes", "_most", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        # Trimmed now and then, not on every bar: cutting a list costs what it holds.
        self._most = 2 * size + 64
        self._bars: list[Bar] = []
        self._closes: list[int] = []

    def closes(self, count: int) -> list[int]:
        """The last `count` closes in micros, oldest first; fewer when there are fewer."""
        # Written without `-count`, which would mean all of them for none.
        closes, bars = self._closes, self._bars
        if len(closes) < len(bars):
            # Taken from the bars by those who ask, and only since they last asked.
            closes += [bar.close for bar in bars[len(closes) :]]
        return closes[max(len(closes) - min(count, self._size), 0) :]

    def __len__(self) -> int:
        held = len(self._bars)
        return held if held < self._size else self._size  # noqa: FURB136 - asked on every bar

    @overload
    def __getitem__(self, index: int) -> Bar: ...
    @overload
    def __getitem__(self, index: slice) -> list[Bar]: ...
    def __getitem__(self, index: int | slice) -> Bar | list[Bar]:
        held = len(self)
        if isinstance(index, slice):
            return self._bars[-held:][index] if held else []
        if not -held <= index < held:
            raise IndexError(f"the window holds {held} bars")
        return self._bars[index if index < 0 else index - held]

    def __iter__(self) -> Iterator[Bar]:
        return iter(self[:])


class HostWindow(BarWindow):
    """The host's end of a window: the one that grows it.

    `push` adds the bar that has just completed; whoever pushes many trims now and then, so that nothing grows for ever.
    """

    __slots__ = ("extend", "push")

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.push = self._bars.append
        self.extend = self._bars.extend

    @property
    def held(self) -> int:
        """How many bars are kept, those that nobody is shown any more included."""
        return len(self._bars)

    def since(self, held: int) -> list[Bar]:
        """The bars that came in since so many were kept."""
        return self._bars[held:]

    def trim(self) -> None:
        """Let go of bars beyond the size, once there are many of them."""
        bars = self._bars
        if len(bars) > self._most:
            spare = len(bars) - self._size
            del bars[:spare]
            del self._closes[:spare]

    def split(self, ratio: Fraction) -> None:
        """Restate what is in the window in the shares of after a split, on the day it goes ex."""
        self._bars[:] = [split_bar(bar, ratio) for bar in self._bars]
        self._closes[:] = [bar.close for bar in self._bars]


_EMPTY: Final = BarWindow(0)


class Holding(Protocol):
    """What the host tells of one symbol, in shares."""

    @property
    def qty(self) -> int:
        """Signed shares held."""
        ...

    def committed(self) -> tuple[int, int]:
        """Shares at work, bought and sold, without those that only guard the position."""
        ...


class Context:
    """All a strategy sees when a bar completes. The host reuses one object: nothing in it may be kept.

    `bar` has just completed, `symbol` is its symbol, and `bars` end with it; `now` is its moment in epoch micros;
    `equity` and `capital` are in micros: the account at this moment, and what it began with. There is no clock, no file
    and no future here.
    """

    __slots__ = ("_holdings", "bar", "bars", "capital", "equity", "histories", "now", "symbol")

    bar: Bar

    def __init__(self, capital: int, holdings: Mapping[str, Holding]) -> None:
        self.symbol = ""
        self.now = 0
        self.bars: BarWindow = BarWindow(0)
        self.equity = capital
        self.capital = capital
        self._holdings = holdings
        self.histories: dict[tuple[str, str], HostWindow] = {}

    def history(self, timeframe: str) -> BarWindow:
        """The last completed bars of the symbol in another, coarser timeframe that it has, as many as `lookback` asks.

        Empty where it has none. The bars of its own timeframe are `bars`.
        """
        return self.histories.get((self.symbol, timeframe), _EMPTY)

    def position(self, symbol: str) -> int:
        """Signed shares held."""
        holding = self._holdings.get(symbol)
        return 0 if holding is None else holding.qty

    def committed(self, symbol: str) -> int:
        """Signed shares held once every working order has filled: what has been decided already."""
        holding = self._holdings.get(symbol)
        if holding is None:
            return 0
        buys, sells = holding.committed()
        return holding.qty + buys - sells


@dataclass(frozen=True, slots=True)
class Target:
    """A position in signed shares, and how to come to it and to guard it. A plain number is `Target(number)`.

    `type`, `limit_price`, `stop_price` (micros, those that the type has) and `tif` are those of the orders that bring
    the position about. `protect` is the stop at which it is taken out again, `take_profit` the limit, `trail` how far
    (micros) the stop follows the best price since the position was begun. What protects a position is never loosened:
    of two stops the nearer one stands, for as long as the position does.

    Raises StrategyError "target" for what means nothing.
    """

    qty: int
    _: KW_ONLY
    type: OrderType = OrderType.MARKET
    limit_price: int | None = None
    stop_price: int | None = None
    tif: TimeInForce = TimeInForce.DAY
    protect: int | None = None
    take_profit: int | None = None
    trail: int | None = None

    def __post_init__(self) -> None:
        problems = [
            f"`{name}` is above zero in whole micros, found `{value}`"
            for name, value in self._prices()
            if type(value) is not int or not 0 < value <= INT64_MAX
        ]
        if type(self.qty) is not int or abs(self.qty) > INT64_MAX:
            problems.append(f"a position is a whole number of shares, found `{self.qty}`")
        elif not problems:
            problems = self._contradictions()
        if problems:
            raise StrategyError("target", problems)

    @property
    def guards(self) -> bool:
        """Whether the position is to be guarded by a stop or a target."""
        return self.protect is not None or self.take_profit is not None or self.trail is not None

    def to_json(self) -> dict[str, Any]:
        """The target as an audit trail keeps it: what is asked for and nothing else."""
        record: dict[str, Any] = {"qty": self.qty}
        if self.type is not OrderType.MARKET:
            record["type"] = self.type.value
        if self.tif is not TimeInForce.DAY:
            record["tif"] = self.tif.value
        return record | {name: format_money(value) for name, value in self._prices()}

    def _prices(self) -> list[tuple[str, int]]:
        named = {
            "limit_price": self.limit_price,
            "stop_price": self.stop_price,
            "protect": self.protect,
            "take_profit": self.take_profit,
            "trail": self.trail,
        }
        return [(name, value) for name, value in named.items() if value is not None]

    def _contradictions(self) -> list[str]:
        problems = []
        for name, price, wanted in (
            ("limit_price", self.limit_price, self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)),
            ("stop_price", self.stop_price, self.type in (OrderType.STOP, OrderType.STOP_LIMIT)),
        ):
            if (price is not None) != wanted:
                problems.append(f"a {self.type} target {'needs a' if wanted else 'has no'} `{name}`")
        if self.qty == 0 and self.guards:
            problems.append("a target of 0 leaves nothing to protect")
        if self.protect is not None and self.take_profit is not None and self.qty:
            right = self.protect < self.take_profit if self.qty > 0 else self.protect > self.take_profit
            if not right:
                way = "below" if self.qty > 0 else "above"
                problems.append(f"`protect` is {way} `take_profit` for a position of `{self.qty}`")
        return problems


Targets = Mapping[str, int | Target]


HOLD: Final = -(2**63)
"""What an array of targets holds where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class SymbolBars:
    """All bars of one symbol as columns of whole numbers, oldest first: instants and prices in micros, shares."""

    symbol: str
    ends: array[int]
    opens: array[int]
    highs: array[int]
    lows: array[int]
    closes: array[int]
    volumes: array[int]


@runtime_checkable
class ArrayStrategy(Protocol):
    """A strategy that can also answer for all bars of a symbol at once, and so be played by the compiled kernel.

    `targets` says for each bar what `on_bar` would want once it has completed, in signed shares, or `HOLD`. It sees all
    bars and may use, for each, no later one. A run that was played from arrays asks `on_bar` about the bars of its
    orders and a sample of the others, and ends where both do not say the same; `mqk backtest --prove-no-lookahead` asks
    about all. What depends on equity, on positions or on other symbols cannot be said in this way.
    """

    def targets(self, bars: SymbolBars) -> Sequence[int]:
        """The targets, one for each bar."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """A strategy: called once per completed bar, answers with target positions: signed shares, or a Target.

    A symbol that is left out stays as it is; only a target of 0 closes a position. None means nothing to say. It is
    built by keyword from its `PARAMS`, and `lookback` (bars) is all the history it will ever see, so the same window,
    positions and equity must give the same answer.
    """

    PARAMS: ClassVar[Mapping[str, Param]]
    lookback: int

    def on_bar(self, context: Context) -> Targets | None:
        """The targets, or None."""
        ...
