"""The process that runs strategies for a proof: it has the bars that it was given so far, and no others.

What lives here: answering the prover's requests over two pipes. What does not: what is asked for, and in which order.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, ClassVar, Final

from mqk.backtest.audit import canonical
from mqk.backtest.lookahead.proof import ARRAYS, NOTHING, Answer
from mqk.backtest.lookahead.watch import Watch
from mqk.backtest.runs import play
from mqk.engine import EngineError
from mqk.guards import GuardSet, compile_bundle
from mqk.policy.restored import restored_bundle
from mqk.strategies import Context, Param, Registry, Strategy, StrategyError, StrategyHost, SymbolBars, Target, failure

if TYPE_CHECKING:
    from mqk.market import Bar
    from mqk.policy import StrategySpec
    from mqk.strategies import Targets

_LENGTH: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Setup:
    """What all runs of a proof share: the policy in canonical form, and strategies that no package installs."""

    content: Mapping[str, object]
    strategies: Sequence[StrategySpec]
    modules: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class More:
    """More bars, later than all before.

    `ends` and `timeframes` say of each symbol when its whole recording ends, and on which timeframe it is traded.
    """

    bars: Sequence[Bar]
    ends: Mapping[str, int]
    timeframes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Run:
    """A run on the bars that end by an instant. `refuse`: nothing outside the context may be reached."""

    cut: int
    refuse: bool


@dataclass(frozen=True, slots=True)
class Ran:
    """What the strategies said, what they reached for outside, and why they failed, if they did."""

    answers: tuple[Answer, ...]
    noticed: tuple[str, ...]
    failed: str | None


Request = Setup | More | Run


def send(stream: IO[bytes], message: object) -> None:
    """Write one message."""
    content = pickle.dumps(message)
    stream.write(_LENGTH.pack(len(content)) + content)
    stream.flush()


def receive(stream: IO[bytes]) -> object:
    """Read one message. Raises EOFError when the other side has gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("the process that runs the strategies has ended")
    return pickle.loads(stream.read(_LENGTH.unpack(head)[0]))  # noqa: S301 - both sides are this program


class _Listened:
    """A strategy as it is, with what it says written down, and what it reaches for meanwhile watched."""

    PARAMS: ClassVar[Mapping[str, Param]] = MappingProxyType({})

    def __init__(self, name: str, inner: Strategy, answers: list[Answer], watch: Watch) -> None:
        self.lookback = inner.lookback
        self._name = name
        self._inner = inner
        self._answers = answers
        self._watch = watch

    def on_bar(self, context: Context) -> Targets | None:
        """What the strategy says."""
        now, symbol = context.now, context.symbol
        with self._watch.asking():
            wanted = self._inner.on_bar(context)
        self._answers.append((now, symbol, self._name, told(wanted)))
        return wanted

    def ask_arrays(self, bars: Sequence[Bar]) -> None:
        """What the strategy says to all bars of each symbol at once, where it can be asked so."""
        targets = getattr(self._inner, "targets", None)
        if targets is None:
            return
        by_symbol: dict[str, list[Bar]] = {}
        for bar in bars:
            by_symbol.setdefault(bar.symbol, []).append(bar)
        for symbol, own in sorted(by_symbol.items()):
            try:
                with self._watch.asking():
                    wanted = targets(_columns(symbol, own))
            except Exception as fault:
                raise failure(fault, self._inner, symbol) from fault
            self._answers += [
                (bar.end, symbol, self._name + ARRAYS, str(int(target)))
                for bar, target in zip(own, wanted, strict=True)
            ]


def _columns(symbol: str, bars: Sequence[Bar]) -> SymbolBars:
    names = ("end", "open", "high", "low", "close", "volume")
    return SymbolBars(symbol, *(array("q", map(attrgetter(name), bars)) for name in names))


class _Listening(Registry):
    """A registry whose strategies are listened to."""

    def __init__(self, inner: Registry, watch: Watch) -> None:
        super().__init__()
        self._inner = inner
        self._watch = watch
        self.answers: list[Answer] = []
        self.built: list[_Listened] = []

    def build(self, name: str, params: Mapping[str, str]) -> Strategy:
        """A strategy with its parameters, listened to."""
        try:
            with self._watch.asking():
                inner = self._inner.build(name, params)
        except StrategyError:
            raise
        except Exception as fault:
            what = f"strategy `{name}` cannot be made: {type(fault).__name__}: {fault}"
            raise StrategyError("failed", [what]) from fault
        # Called as the strategy is, so that its failures are told by its name.
        listened = type(type(inner).__name__, (_Listened,), {})
        self.built.append(listened(name, inner, self.answers, self._watch))
        return self.built[-1]


def told(targets: Targets | None) -> str:
    """Targets as canonical text: equal exactly when they ask for the same."""
    if not targets:
        return NOTHING
    plain = {
        symbol: target.to_json() if isinstance(target, Target) else target for symbol, target in sorted(targets.items())
    }
    return canonical(plain).decode()


class Worker:
    """One process of a proof."""

    def __init__(self) -> None:
        self._watch = Watch()
        self._bars: list[Bar] = []
        self._ends: dict[str, int] = {}
        self._timeframes: dict[str, str] = {}
        self._setup = Setup({}, (), {})
        self._content: Mapping[str, object] = {}
        self._guards: GuardSet | None = None
        self._registry = Registry()

    def answer(self, request: Request) -> object:
        """Do what is asked for."""
        match request:
            case Setup():
                # A proof begins with no bars, whatever the one before it was given.
                self._setup, self._bars, self._ends, self._timeframes = request, [], {}, {}
                if request.content != self._content:
                    self._content = request.content
                    self._guards = compile_bundle(restored_bundle(request.content))
                self._registry = Registry.installed()
                for name, place in request.modules.items():
                    module, _, attribute = place.partition(":")
                    self._registry.register(name, getattr(import_module(module), attribute))
                return None
            case More(bars=bars, ends=ends, timeframes=timeframes):
                self._bars += bars
                self._ends |= ends
                self._timeframes |= timeframes
                return None
            case Run(cut=cut, refuse=refuse):
                return self._run(cut, refuse)

    def _run(self, cut: int, refuse: bool) -> Ran:
        assert self._guards is not None
        watch = self._watch
        watch.refuses, watch.noticed = refuse, []
        registry = _Listening(self._registry, watch)
        bars = [bar for bar in self._bars if bar.end <= cut]
        failed = None
        try:
            host = StrategyHost(self._setup.strategies, self._guards.bundle.timeframes, registry)
            for listened in registry.built:
                listened.ask_arrays([bar for bar in bars if bar.timeframe == self._timeframes[bar.symbol]])
            play(self._guards, bars, host=host, ends=self._ends, timeframes=self._timeframes)
        except (StrategyError, EngineError, PermissionError, ValueError) as fault:
            failed = str(fault)
        return Ran(tuple(registry.answers), tuple(dict.fromkeys(watch.noticed)), failed)


def main() -> None:
    """Answer requests until there are no more. What strategies print goes to stderr, and never into the answers."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = Worker()
    while True:
        try:
            request = receive(sys.stdin.buffer)
        except EOFError:
            return
        assert isinstance(request, Request)
        send(replies, worker.answer(request))
