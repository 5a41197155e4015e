"""Several engines in one chronological stream: each with its own capital, market, books and record.

What lives here: whose turn it is, and what an engine is told of the others. What does not: the turn itself (runner.py).

A turn is an engine's next instant: what was filled since its last one, then the bars that end there. Turns are taken in
the order of their instants, and by name where engines share one. Before its turn an engine whose rules read what the
desk comes to is told the equity and the gross exposure of all others, as they stood after their last turns (what
`stands` in mqk.engine.figures makes of them): one that has had none does not count yet, and one whose bars are over, or
that failed, counts as it stood. A live run is told the same in the same place (mqk.runtime.desk_facts). Where no rule
reads it, nobody is told, and each is run alone.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from mqk.backtest.errors import BacktestError
from mqk.backtest.runner import OVER, Progress, Turn
from mqk.backtest.runs import Ran, drained, running
from mqk.engine import FirmSeen, step
from mqk.engine.figures import reads_firm, stands
from mqk.market import without_garbage_collection

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from mqk.backtest.inputs import RunInput
    from mqk.backtest.sources import Source
    from mqk.strategies import StrategyHost


def run_desk(
    inputs: Sequence[RunInput],
    *,
    on_progress: Progress | None = None,
    hosts: Mapping[str, StrategyHost] | None = None,
    sources: Sequence[Source] = (),
    machines: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Ran]:
    """Run the engines of a desk over their bars: by engine, its summary and its artifacts by name.

    `on_progress` counts the bars of all. `hosts` and `machines` stand in, by engine, for the policy's strategies and
    for this host's fingerprint. A strategy that fails ends the run of its own engine alone.

    Raises BacktestError "desk" for an engine that is given twice, and as `run_files` does.
    """
    seats = {given.engine: given for given in sorted(inputs, key=lambda given: given.engine)}
    if len(seats) < len(inputs):
        raise BacktestError("desk", "an engine is given twice", "an engine has one account: give it once")
    reading = {name for name, given in seats.items() if reads_firm(given.guards)}
    together = bool(reading) and len(seats) > 1
    told = _Told(on_progress, sum(len(given.traded) for given in seats.values()))
    runs = {
        name: running(
            given,
            on_progress=told.of(name),
            host=None if hosts is None else hosts.get(name),
            sources=sources,
            machine=None if machines is None else machines.get(name),
            others=[other for other in seats.values() if other is not given] if together else None,
        )
        for name, given in seats.items()
    }
    if not together:
        return {name: drained(run) for name, run in runs.items()}
    with ExitStack() as stack, without_garbage_collection():
        for run in runs.values():
            stack.callback(run.close)
        return _in_turns(runs, reading)


def _in_turns(runs: Mapping[str, Generator[Turn, None, Ran]], reading: set[str]) -> dict[str, Ran]:
    """Play runs, given by name in order, turn by turn; those that are `reading` are told of the others."""
    waiting: dict[str, Turn] = {}
    stood: dict[str, tuple[int, int]] = {}
    ended: dict[str, Ran] = {}
    at = -OVER
    while len(ended) < len(runs):
        for name, run in runs.items():
            turn = waiting.get(name)
            if name in ended or (turn is not None and turn[0] > at):
                continue
            if turn is not None and name in reading and at < OVER:
                _tell(turn, [figures for other, figures in stood.items() if other != name])
            try:
                waiting[name] = next(run)
            except StopIteration as over:
                ended[name] = over.value
                continue
            if turn is not None:
                stood[name] = stands(turn[1])
        at = min((end for name, (end, _) in waiting.items() if name not in ended), default=OVER)
    return ended


def _tell(turn: Turn, others: Sequence[tuple[int, int]]) -> None:
    """Tell an engine what the others come to, where it does not know."""
    at, state = turn
    seen = sum(equity for equity, _ in others), sum(gross for _, gross in others)
    if seen != state.other_engines:
        step(state, FirmSeen(*seen, at))


class _Told:
    """The progress of several runs as that of one."""

    def __init__(self, on_progress: Progress | None, total: int) -> None:
        self._on_progress = on_progress
        self._total = total
        self._done: dict[str, int] = {}

    def of(self, name: str) -> Progress | None:
        """What one of the runs is to tell."""
        on_progress = self._on_progress
        if on_progress is None:
            return None

        def told(done: int, _: int) -> None:
            self._done[name] = done
            on_progress(sum(self._done.values()), self._total)

        return told
