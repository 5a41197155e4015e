"""A run from its bars to its artifacts, alone or in turns with the other engines of a desk.

What lives here: what comes before the first instant and after the last. What does not: the loop (runner.py), folders
(battery.py) and whose turn it is (desk.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mqk.backtest.artifacts import MANIFEST, artifacts_of, artifacts_sha256, json_bytes
from mqk.backtest.beside import parted
from mqk.backtest.inputs import RunInput
from mqk.backtest.playback import pays
from mqk.backtest.recorder import Recorder
from mqk.backtest.runner import Progress, Turn, played
from mqk.backtest.stream import in_order
from mqk.backtest.summary import BacktestSummary, manifest, summarise
from mqk.engine import EngineError, EngineState
from mqk.engine.figures import reads_firm
from mqk.market import columns_of
from mqk.strategies import StrategyError

if TYPE_CHECKING:
    from mqk.backtest.sources import Source
    from mqk.guards import GuardSet
    from mqk.market import Bar
    from mqk.strategies import StrategyHost

Ran = tuple[BacktestSummary, dict[str, bytes]]
"""What came of a run, and its artifacts by name."""
T = TypeVar("T")


def run_files(
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    on_progress: Progress | None = None,
    host: StrategyHost | None = None,
    sources: Sequence[Source] = (),
    machine: Mapping[str, str] | None = None,
    native: bool | None = None,
) -> Ran:
    """Run an engine over bars, with every guard on, to the end of the data: the summary, and its artifacts by name.

    The order of `bars` does not matter: they are taken by end, then symbol. A halt stops new positions, never the run.
    `on_progress` is told (bars done, bars in all) now and then. `host` stands in for the strategies of the policy;
    `sources` say where the bars came from. A strategy that fails ends the run, whose artifacts reach up to there; the
    summary says why. `machine` is the fingerprint to tell instead of this host's. `native` has what a strategy
    says played by the compiled kernel as far as that can, and a fresh one go on from there; None: if it pays.

    Raises BacktestError for bars that no engine could run on, and StrategyError for strategies that cannot be set up.
    """
    given = RunInput.of(guards, bars)
    return drained(running(given, on_progress=on_progress, host=host, sources=sources, machine=machine, native=native))


def running(
    given: RunInput,
    *,
    on_progress: Progress | None = None,
    host: StrategyHost | None = None,
    sources: Sequence[Source] = (),
    machine: Mapping[str, str] | None = None,
    native: bool | None = None,
    others: Sequence[RunInput] | None = None,
) -> Generator[Turn, None, Ran]:
    """As `run_files`; where there are `others` on the desk, it is played in turns with them.

    It stops before each of its instants and yields it, with its engine, to be told what the others have come to; and
    once more when its bars are over, at `OVER`.
    """
    guards, stream, data = given.guards, given.stream, given.data
    seen = () if others is None or not reads_firm(guards) else tuple(others)
    run_id = given.run_id(seen)
    state = EngineState(guards, run_id=run_id, mode="BACKTEST", record=True, host=host)
    record = Recorder()
    record.audit.append(stream[0].end, "start", {"run_id": run_id, "bundle": guards.bundle.sha256, "data_sha256": data})
    native = others is None and (pays(given.traded) if native is None else native)
    turns = played(
        state,
        record,
        given.traded,
        given.columns,
        beside=given.beside,
        on_progress=on_progress,
        native=native,
        in_turns=others is not None,
    )
    try:
        yield from turns
    except (StrategyError, EngineError) as fault:
        if isinstance(fault, StrategyError) and fault.code not in {"contrary", "failed", "target"}:
            raise
        record.abort(state, str(fault))
    summary = summarise(state, record, bars=len(stream), data=data)
    record.audit.append(state.now, "end", {"bars": len(stream), "final_equity": summary.final_equity})
    files = artifacts_of(state, record, summary.metrics())
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    told = manifest(given, run_id, others=seen, sources=sources, host=machine)
    files[MANIFEST] = json_bytes({**told, "artifacts": hashes})
    return replace(summary, artifacts_sha256=artifacts_sha256(files)), files


def drained(run: Generator[object, None, T]) -> T:
    """What comes of a run that goes through, whoever's turn it would be."""
    while True:
        try:
            next(run)
        except StopIteration as over:
            value: T = over.value
            return value


def play(
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    host: StrategyHost,
    ends: Mapping[str, int],
    timeframes: Mapping[str, str],
) -> None:
    """Play bars for what the strategies of `host` say to them, and keep nothing.

    They are only the first of a recording: `ends` says by symbol when it ends, `timeframes` on which it is traded.
    """
    traded, beside = parted(in_order(bars, guards), timeframes)
    state = EngineState(guards, run_id="played", mode="BACKTEST", host=host)
    if traded:
        drained(played(state, Recorder(), traded, columns_of(traded), beside=beside, ends=ends))
