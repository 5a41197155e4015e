"""The proof itself: which prefixes are run, in which order, and what their answers are held against.

What lives here: the order that keeps the future away. What does not: running (worker.py) and comparing (proof.py).

First the process is given the bars little by little, and runs each prefix before it has seen what follows: whatever it
keeps in globals, files or memory is the past. Only then come the rest of the bars and the whole run. Last, the whole
run's own decisions say where to cut again: at each bar on which a strategy changes its mind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Final

from mqk.backtest.beside import parted, traded_timeframes
from mqk.backtest.errors import BacktestError
from mqk.backtest.lookahead.proof import NOTHING, Leak, LeakKind, Proof, contrary, differing, even_cuts, telling_cuts
from mqk.backtest.lookahead.worker import More, Ran, Request, Run, Setup, receive, send
from mqk.strategies import StrategyError

if TYPE_CHECKING:
    from mqk.market import Bar
    from mqk.policy import Bundle, StrategySpec

CUTS: Final = 12
"""How often the bars are cut on the way; where decisions change they are cut up to twice as often again."""


def prove(
    bundle: Bundle,
    bars: Sequence[Bar],
    *,
    strategies: Sequence[StrategySpec] | None = None,
    modules: Mapping[str, str] | None = None,
    cuts: int = CUTS,
    on_progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Look for decisions that depend on later bars, of the strategies of a bundle, or of those given in their place.

    `modules` names strategies that no package installs (`module:Class` by name). `on_progress` is told (bars done, bars
    in all). A proof is as good as its bars: what is never decided on them is not compared.

    Raises BacktestError "bars" for fewer than two instants, and StrategyError for strategies that cannot be set up or
    that fail on the whole of the bars.
    """
    specs = tuple(bundle.strategies if strategies is None else strategies)
    with _process() as ask:
        return _proof(ask, bundle, specs, bars, modules or {}, cuts, on_progress)


def prove_each(
    bundle: Bundle,
    bars: Sequence[Bar],
    strategies: Sequence[StrategySpec],
    *,
    modules: Mapping[str, str],
    cuts: int = CUTS,
) -> dict[str, Proof]:
    """As `prove`, for each strategy alone, by its name; all in one process after each other."""
    with _process() as ask:
        return {spec.id: _proof(ask, bundle, (spec,), bars, modules, cuts, None) for spec in strategies}


def _proof(
    ask: Callable[[Request], object],
    bundle: Bundle,
    specs: Sequence[StrategySpec],
    bars: Sequence[Bar],
    modules: Mapping[str, str],
    cuts: int,
    on_progress: Callable[[int, int], None] | None,
) -> Proof:
    stream = sorted(bars, key=attrgetter("end", "symbol", "timeframe"))
    instants = sorted({bar.end for bar in stream})
    if len(instants) < 2:
        raise BacktestError("bars", "a proof needs bars of two instants or more")
    setup = Setup(json.loads(bundle.canonical_bytes), tuple(specs), modules)
    return _Prover(ask, stream, instants, on_progress).prove(setup, cuts)


class _Prover:
    """One proof."""

    def __init__(
        self,
        ask: Callable[[Request], object],
        stream: Sequence[Bar],
        instants: Sequence[int],
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._ask = ask
        self._stream = stream
        self._instants = instants
        self._on_progress = on_progress
        self._timeframes = traded_timeframes(stream)
        self._ends = {bar.symbol: bar.end for bar in parted(list(stream), self._timeframes)[0]}
        self._given = 0
        self._played = 0
        self._total = 0
        self._leaks: dict[str, Leak] = {}
        self._compared = 0
        self._prefixes = 0

    def prove(self, setup: Setup, cuts: int) -> Proof:
        self._ask(setup)
        fresh = even_cuts(self._instants, cuts)
        self._total = sum(map(self._size, fresh)) + self._size(fresh[0]) + 2 * len(self._stream)
        runs: list[tuple[int, Ran]] = []
        for number, cut in enumerate(fresh):
            self._give(cut)
            runs.append((cut, self._run(cut, refuse=True)))
            if number == 0:
                self._steady(runs[0][1], self._run(cut, refuse=True), cut)
        last = self._instants[-1]
        self._give(last)
        whole = self._run(last, refuse=False)
        if whole.failed is not None:
            raise StrategyError("failed", [whole.failed])
        for name, (one, other) in contrary(whole.answers).items():
            self._leaks[name] = Leak("contrary", name, one[0], one[1], other[3], one[3], last)
        for cut, ran in runs:
            self._hold(whole, ran, cut)
        self._hold(whole, self._run(last, refuse=True), last)
        telling = [cut for cut in telling_cuts(whole.answers, self._instants, 2 * cuts) if cut not in fresh]
        self._total += sum(map(self._size, telling))
        for cut in telling:
            self._hold(whole, self._run(cut, refuse=False), cut)
        names = tuple(spec.id for spec in setup.strategies)
        leaks = tuple(self._leaks[name] for name in sorted(self._leaks))
        return Proof(leaks, names, len(self._stream), self._prefixes, self._compared)

    def _size(self, cut: int) -> int:
        return sum(bar.end <= cut for bar in self._stream)

    def _give(self, cut: int) -> None:
        """Let the process have the bars up to an instant; of the rest it knows only when each recording ends."""
        upto = self._size(cut)
        self._ask(More(self._stream[self._given : upto], self._ends, self._timeframes))
        self._given = upto

    def _run(self, cut: int, *, refuse: bool) -> Ran:
        ran = self._ask(Run(cut, refuse))
        assert isinstance(ran, Ran)
        self._prefixes += 1
        self._played += self._size(cut)
        if self._on_progress is not None:
            self._on_progress(self._played, max(self._total, self._played))
        return ran

    def _steady(self, once: Ran, again: Ran, cut: int) -> None:
        """The same prefix twice, with nothing new in between: whoever differs decides by more than he is told."""
        for name, (one, other) in differing(again.answers, once.answers, cut, once.failed).items():
            place = one or other
            assert place is not None
            said, before = (NOTHING if each is None else each[3] for each in (one, other))
            self._leaks[name] = Leak("unsteady", name, place[0], place[1], said, before, cut)

    def _hold(self, whole: Ran, ran: Ran, cut: int) -> None:
        """Hold a prefix's answers against the whole run's."""
        self._compared += len(ran.answers)
        for name, (one, other) in differing(whole.answers, ran.answers, cut, ran.failed).items():
            place = one or other
            assert place is not None
            kind: LeakKind = "outside" if ran.noticed else "future"
            without = NOTHING if other is None else other[3]
            if other is None and ran.failed is not None:
                without = "nothing, for it failed"
            source = ran.noticed[0] if ran.noticed else None
            leak = Leak(kind, name, place[0], place[1], NOTHING if one is None else one[3], without, cut, source)
            known = self._leaks.get(name)
            if known is None or (known.kind == leak.kind and leak.at < known.at):
                self._leaks[name] = leak


@contextmanager
def _process() -> Iterator[Callable[[Request], object]]:
    """A process of its own for the strategies: asked over one pipe, answering over another."""
    command = [sys.executable, "-c", "from mqk.backtest.lookahead.worker import main; main()"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        requests, replies = process.stdin, process.stdout
        assert requests is not None
        assert replies is not None

        def ask(request: Request) -> object:
            return _asked(requests, replies, request)

        try:
            yield ask
        finally:
            requests.close()
            process.wait()


def _asked(requests: IO[bytes], replies: IO[bytes], request: Request) -> object:
    try:
        send(requests, request)
        return receive(replies)
    except (BrokenPipeError, EOFError):
        raise StrategyError("failed", ["a strategy ended the process that it ran in"]) from None
