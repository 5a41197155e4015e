"""A strategy in Python on the compiled kernel: asked bar by bar, each once and in order, far ahead where it may be.

What lives here: asking, and what the strategy is shown meanwhile. Its windows hold completed bars as ever; its account
is the kernel's, which is played up to that very point when the strategy looks at it, and else in pieces. What does not:
the kernel's run (playing.py), and what comes of it (playback.py).

No strategy is asked twice about a bar. Where the kernel turns out to have stopped before what was answered last, the
strategy knows too much: a fresh one is asked as far as the kernel came, and goes on from there with the engine.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import length_hint
from typing import TYPE_CHECKING, Final

from mqk.backtest.playing import Playing
from mqk.engine.kernel import places as p
from mqk.strategies import Context, HostWindow, StrategyError, Target, failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mqk.backtest.arrays import Columns
    from mqk.engine.kernel.compiled import Kernel
    from mqk.market import Bar
    from mqk.strategies import BarWindow, Holding, StrategyHost, Targets

# Instants in a piece: the first is short, to see whether the strategy looks at its account.
_FIRST: Final = 64
_PIECE: Final = 4_096
# A strategy that looks at one of so many bars does so often: what it looks at is kept up to date for it at each.
_OFTEN: Final = 4


def asked(
    host: StrategyHost, kernel: Kernel, columns: Columns, stream: Sequence[Bar], tell: Callable[[int], None]
) -> Playing | None:
    """Play a run as far as the kernel can; the strategy of `host` has been asked about all bars of it, and no others.

    None where nothing of it can be played. `tell` is told the bars that were answered, now and then.
    """
    import numpy as np  # noqa: PLC0415 - heavy

    last = int(np.append(np.flatnonzero(np.frombuffer(columns.flags, np.int64)), len(columns.flags))[0])
    # A second time for what the first has found the kernel to be able to play.
    for _ in range(2):
        asking = _Asking(host, kernel, columns, stream)
        asking.ask(last, tell)
        last = asking.run.played
        if asking.exact and last:
            return asking.run
        if asking.asked:
            host.renew()
        if not last:
            break
    return None


class _Lost(BaseException):
    """The kernel has stopped before the moment at which a strategy looks at its account, and cannot tell it.

    Nothing that went wrong: whatever errors a strategy catches, this is none of them.
    """


class _Account(Context):
    """What a strategy sees here: its account is looked up when it is read, and not before."""

    __slots__ = ("_asking",)

    def __init__(self, asking: _Asking, capital: int, holdings: Mapping[str, Holding]) -> None:
        self.symbol = ""
        self.now = 0
        self.capital = capital
        self.histories = {}
        self._asking, self._holdings = asking, holdings

    @property
    def equity(self) -> int:  # type: ignore[override] # nobody but its host ever sets it
        """The account at this moment, in micros."""
        asking = self._asking
        asking.looks += 1
        if asking.exposed:
            asking.play()
        return asking.run.memory.block[p.EQUITY]


class _Distant(_Account):
    """As `_Account`, for a strategy that seldom looks at its window: that is brought up to date when it is read."""

    __slots__ = ()

    @property
    def bars(self) -> BarWindow:  # type: ignore[override] # nobody but its host ever sets it
        """The last completed bars of the symbol."""
        return self._asking.window(self.symbol)


class _Holding:
    """What is held of one symbol, and works, at the moment at which it is read."""

    __slots__ = ("_asking", "_qty", "_symbol", "_turn", "_working")

    def __init__(self, asking: _Asking, symbol: int) -> None:
        self._asking, self._symbol = asking, symbol
        self._turn, self._qty, self._working = -1, 0, (0, 0)

    @property
    def qty(self) -> int:
        """Signed shares held."""
        self._look()
        return self._qty

    def committed(self) -> tuple[int, int]:
        """Shares at work, bought and sold."""
        self._look()
        return self._working

    def _look(self) -> None:
        asking = self._asking
        if asking.moving:
            asking.play()
        if self._turn != asking.turn:
            self._turn, block = asking.turn, asking.run.memory.block
            line = block[p.AT_LINES] + self._symbol * p.LINE
            self._qty = block[line + p.QTY]
            self._working = (block[line + p.WORKING_BUY], block[line + p.WORKING_SELL])


class _Asking:
    """One strategy, asked about the bars of a run from its beginning, and the kernel that plays what it answers."""

    def __init__(self, host: StrategyHost, kernel: Kernel, columns: Columns, stream: Sequence[Bar]) -> None:
        assert host.strategy is not None
        self.run = Playing(kernel, columns, keeps=True)
        self.asked = 0
        self._columns, self._stream, self._strategy = columns, stream, host.strategy
        self._numbers = {symbol: number for number, symbol in enumerate(columns.names)}
        self._windows = {symbol: HostWindow(host.lookback) for symbol in columns.names}
        holdings = {symbol: _Holding(self, number) for symbol, number in self._numbers.items()}
        self._with: tuple[_Asking, int, Mapping[str, Holding]] = (self, kernel.guards.bundle.capital.micros, holdings)
        self._bars: Iterator[Bar] = iter(())
        self._stop = 0
        # The bar up to which the kernel was played last, and whether it stopped, before the strategy was asked or not.
        self._at = -1
        self._stopped = False
        self._unasked = 0
        # How often the kernel was played, and whether anything was wanted or at work then: positions change. With
        # positions, equity changes too, and else it stays what it is.
        self.turn = 0
        self.moving = self.exposed = False
        # How often the strategy looked at its equity.
        self.looks = 0
        # At how many bars it looked at its window, the last of them, and how many bars have gone into windows.
        self._glances = 0
        self._glanced = -1
        self._pushed = 0

    @property
    def exact(self) -> bool:
        """Whether the strategy was asked about the bars of the instants that were played, and no others."""
        return self.asked == self._columns.firsts[self.run.played]

    def ask(self, last: int, tell: Callable[[int], None]) -> None:
        """Ask about the bars of all instants before `last`, or until something is not for the kernel."""
        firsts, run = self._columns.firsts, self.run
        instant, piece, closely, windowed = 0, _FIRST, False, False
        while instant < last:
            stop = min(instant + piece, last)
            piece, looks, glances, begun = _PIECE, self.looks, self._glances, self.asked
            self._bars, self._stop = iter(self._stream[begun : firsts[stop]]), firsts[stop]
            bars = self._closely() if closely else self._bars
            context: _Account = _Account(*self._with) if windowed else _Distant(*self._with)
            try:
                plain = self._ask(context, self._windowed(context, bars) if windowed else bars)
            except (StrategyError, _Lost):
                # Whatever it failed of, a fresh one will fail of, where the engine asks it.
                plain = False
            self.asked = self._row() + 1 - self._unasked
            if self._stopped:
                return
            if not run.go(stop if plain else bisect_right(firsts, self._row()) - 1) or not plain:
                return
            self._turned()
            closely = _OFTEN * (self.looks - looks) > self.asked - begun
            windowed = windowed or _OFTEN * (self._glances - glances) > self.asked - begun
            if windowed:
                self._push(self.asked)
            for window in self._windows.values():
                window.trim()
            instant = stop
            tell(self.asked)

    def _ask(self, context: _Account, bars: Iterator[Bar]) -> bool:
        """Ask about bars; False at an answer that is not for the kernel."""
        on_bar, numbers, want = self._strategy.on_bar, self._numbers, self.run.want
        for bar in bars:
            context.symbol = bar.symbol
            context.bar = bar
            context.now = bar.end
            try:
                targets = on_bar(context)
            except Exception as fault:
                raise failure(fault, self._strategy, bar.symbol) from fault
            if targets:
                wanted = _plain(targets, numbers)
                if wanted is None:
                    return False
                want(self._row(), wanted)
                self.moving = self.exposed = True
        return True

    def _windowed(self, context: _Account, bars: Iterator[Bar]) -> Iterator[Bar]:
        """The bars of a piece, each in its window before the strategy is asked about it."""
        windows = self._windows
        for bar in bars:
            context.bars = window = windows[bar.symbol]
            window.push(bar)
            yield bar
        self._pushed = self._stop

    def _closely(self) -> Iterator[Bar]:
        """The bars of a piece, the kernel being played up to each before the strategy is asked about it.

        Where that is of no consequence for what the strategy may look at, it is not.
        """
        for bar in self._bars:
            if self.exposed and not self._go(self._row()):
                self._unasked = 1
                return
            yield bar

    def play(self) -> None:
        """Play the kernel up to the bar that the strategy is asked about: as of what came before, and no more."""
        row = self._row()
        if row != self._at and (self._stopped or not self._go(row)):
            raise _Lost

    def _go(self, row: int) -> bool:
        """Play the kernel up to where a bar is answered; False if it stopped before."""
        self._stopped = not self.run.go(bisect_right(self._columns.firsts, row) - 1, opened=True)
        self._at = row
        self._turned()
        return not self._stopped

    def _turned(self) -> None:
        """The kernel has been played: take note of what may change now."""
        block = self.run.memory.block
        self.turn += 1
        self.moving = block[p.ACTIVE] != 0
        self.exposed = self.moving or block[p.OPEN] != 0

    def window(self, symbol: str) -> BarWindow:
        """The window of a symbol, up to the bar that the strategy is asked about."""
        row = self._row()
        if row != self._glanced:
            self._glanced = row
            self._glances += 1
            self._push(row + 1)
        return self._windows[symbol]

    def _push(self, stop: int) -> None:
        """Bring windows up to date."""
        windows = self._windows
        for bar in self._stream[self._pushed : stop]:
            windows[bar.symbol].push(bar)
        self._pushed = stop

    def _row(self) -> int:
        """The bar that the strategy is asked about."""
        return self._stop - length_hint(self._bars) - 1


def _plain(targets: Targets, numbers: Mapping[str, int]) -> list[tuple[int, int]] | None:
    """Targets by the numbers of their symbols, in order; None where they are not plain numbers of shares."""
    if type(targets) is not dict:
        return None
    found = []
    for symbol, want in targets.items():
        qty = want.qty if type(want) is Target and want == Target(want.qty) else want
        if type(qty) is not int or type(symbol) is not str or abs(qty) > p.SHARES_MOST:
            return None
        number = numbers.get(symbol)
        if number is not None:
            found.append((number, qty))
        elif qty:
            return None
    if len(found) > 1:
        found.sort()
    return found
