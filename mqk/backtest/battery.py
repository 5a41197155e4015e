"""A run and the same run under stress, in one go and in one folder; and those of all engines of a desk at once.

What lives here: which runs there are, and where their files lie. What does not: what a stress is (an execution policy),
and whether it was stood (mqk.promotion).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.artifacts import REPORT, STRESS, require_writable, write_artifacts
from mqk.backtest.desk import run_desk
from mqk.backtest.inputs import RunInput
from mqk.backtest.report import report_html

if TYPE_CHECKING:
    from pathlib import Path

    from mqk.backtest.sources import Source
    from mqk.backtest.summary import BacktestSummary
    from mqk.guards import GuardSet
    from mqk.market import Bar
    from mqk.strategies import StrategyHost

Files = Mapping[str, bytes]
Progress = Callable[[int, int], None]
_COMPARED: Final = (
    *("bundle", "run_id", "final_equity", "final_equity_micros", "total_return", "max_drawdown", "sharpe"),
    *("orders", "fills", "denied", "halts", "posture", "artifacts_sha256"),
)


@dataclass(frozen=True, slots=True)
class Seat:
    """One engine of a desk: its guards as it is, and by name under each stress, its bars, and its folder if any.

    All engines of a desk have the same stresses. `host` makes the strategies of one run in place of the policy's: no
    two runs share any. `beside` are files by name that are to lie beside those of the run.
    """

    guards: GuardSet
    stresses: Mapping[str, GuardSet]
    bars: Sequence[Bar]
    out: Path | None = None
    host: Callable[[], StrategyHost] | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """The engine."""
        return self.guards.bundle.engine


@dataclass(frozen=True, slots=True)
class Battery:
    """A run, and the same under each stress by its name."""

    base: BacktestSummary
    stressed: Mapping[str, BacktestSummary]

    def to_json(self) -> dict[str, Any]:
        """The run as other tools read it, with what the stresses came to where there are any."""
        told = self.base.to_json()
        if self.stressed:
            told["stress"] = {
                name: {key: value for key, value in summary.to_json().items() if key in _COMPARED}
                for name, summary in self.stressed.items()
            }
        return told


def run_backtest(
    guards: GuardSet,
    bars: Sequence[Bar],
    *,
    out: Path | None = None,
    on_progress: Progress | None = None,
    host: StrategyHost | None = None,
    sources: Sequence[Source] = (),
) -> BacktestSummary:
    """Run an engine over bars, as `run_files` does. Artifacts go into the folder `out`, if given, all or none.

    Raises BacktestError for bars that no engine could run on and for a folder that may not be written, and
    StrategyError for strategies that cannot be set up.
    """
    made = None if host is None else lambda: host
    return run_battery(guards, {}, bars, out=out, on_progress=on_progress, host=made, sources=sources).base


def run_battery(
    guards: GuardSet,
    stresses: Mapping[str, GuardSet],
    bars: Sequence[Bar],
    *,
    out: Path | None = None,
    on_progress: Progress | None = None,
    host: Callable[[], StrategyHost] | None = None,
    sources: Sequence[Source] = (),
) -> Battery:
    """Run an engine over bars as it is and under each stress; see `run_batteries`."""
    seat = Seat(guards, stresses, bars, out, host)
    return run_batteries([seat], on_progress=on_progress, sources=sources)[seat.engine]


def run_batteries(
    seats: Sequence[Seat],
    *,
    on_progress: Progress | None = None,
    sources: Sequence[Source] = (),
) -> dict[str, Battery]:
    """Run the engines of a desk together, as they are and all of them under each stress: by engine what came of it.

    Files of the stresses go into `stress/NAME` of an engine's folder, all of them with those of the run or none; no
    folder is written before everything has been run. `on_progress` counts the bars of all runs.

    Raises as `run_backtest` and `run_desk` do.
    """
    for seat in seats:
        if seat.out is not None:
            require_writable(seat.out)
    names = ["", *dict.fromkeys(name for seat in seats for name in seat.stresses)]
    bars = sum(len(seat.bars) for seat in seats)
    summaries: dict[str, dict[str, BacktestSummary]] = {seat.engine: {} for seat in seats}
    files: dict[str, dict[str, Files]] = {seat.engine: {} for seat in seats}
    for number, name in enumerate(names):
        ran = run_desk(
            [RunInput.of(seat.stresses[name] if name else seat.guards, seat.bars) for seat in seats],
            on_progress=shifted(on_progress, number * bars, len(names) * bars),
            hosts={seat.engine: seat.host() for seat in seats if seat.host is not None},
            sources=sources,
        )
        for engine, (summary, made) in ran.items():
            summaries[engine][name], files[engine][name] = summary, made
    for seat in seats:
        if seat.out is not None:
            found = gathered(files[seat.engine].pop(""), files[seat.engine], seat.bars)
            write_artifacts(seat.out, {**found, **seat.beside})
    return {engine: Battery(found.pop(""), found) for engine, found in summaries.items()}


def gathered(base: Files, stressed: Mapping[str, Files], bars: Sequence[Bar]) -> dict[str, bytes]:
    """All files of a run's folder, by their paths in it: its own, those of its stresses, and the report on all."""
    found = {**base, REPORT: report_html(base, bars, stressed)}
    for name, files in stressed.items():
        found |= {f"{STRESS}/{name}/{file}": content for file, content in files.items()}
    return found


def shifted(told: Progress | None, before: int, total: int) -> Progress | None:
    """The progress of one of several runs: so many bars were done before it, of so many in all."""
    return None if told is None else lambda done, _: told(before + done, total)
