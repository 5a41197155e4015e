"""`mqk demo`: the main job once through, on real data: a backtest and a paper run behind the shipped policies.

What lives here: the order of the steps and the summary. Every step is what another command does, on the same functions.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from mqk.backtest import BacktestSummary
from mqk.backtest.sources import sources_of
from mqk.cli import backtest, effective, paper
from mqk.cli.bars import load_bars
from mqk.cli.bound import Bound, bind
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import today
from mqk.cli.output import note, say
from mqk.market import Bar, demo_bars
from mqk.policy import shipped_policies_dir
from mqk.runtime import PaperSummary
from mqk.store.database import migrate
from mqk.store.embedded import ensure_database, stop_database

app = typer.Typer(add_completion=False)

ENGINE: Final = "MAIN"
# About a year of daily bars.
INSTANTS: Final = 250
_MARK: Final = "made-by-mqk-demo"


@app.command()
def demo(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="Where the demo keeps everything; made anew each time.")
    ] = Path(".mqk/demo"),
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave its database running in the end.")] = False,
) -> None:
    """See policies stop real orders: daily bars of AAPL, GOOG, IBM and MSFT, in a backtest and in a paper run."""
    _clear(data_dir)
    bound = bind(shipped_policies_dir(), ENGINE, as_of=today())
    note("reading daily bars of four stocks, 2000 to 2013")
    files = demo_bars(data_dir / "bars")
    bars = load_bars(bound, files)
    run = backtest.Runnable(bound, {}, bars, data_dir / "backtest")
    tested = backtest.backtested([run], sources_of(files, sample=files))[ENGINE].base
    note("starting PostgreSQL")
    url = ensure_database(data_dir)
    try:
        migrate(url)
        ran = paper.played(url, bound, latest(bars, INSTANTS), fresh=True)
    finally:
        if not keep:
            stop_database(data_dir)
    say(*_summary(bound, tested, ran, data_dir))
    if ran.state == "HALTED":
        raise typer.Exit(Exit.FINDING)


def latest(bars: Sequence[Bar], instants: int) -> list[Bar]:
    """The bars of the last instants."""
    ends = sorted({bar.end for bar in bars})[-instants:]
    return [bar for bar in bars if bar.end >= ends[0]]


def _clear(data_dir: Path) -> None:
    """Begin from nothing. Raises Failure when the folder holds anything but an earlier demo."""
    mark = data_dir / _MARK
    if data_dir.exists() and not mark.is_file() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise Failure(f"`{data_dir}` holds something else than an earlier demo", "name another folder by `--data-dir`")
    if mark.is_file():
        stop_database(data_dir)
        shutil.rmtree(data_dir)
    data_dir.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _summary(bound: Bound, tested: BacktestSummary, ran: PaperSummary, data_dir: Path) -> list[str]:
    rules = list(tested.denied_by_rule)[:1]
    return [
        "",
        f"limits in force for {ENGINE}, and the line that sets each",
        *effective.limit_lines(bound.bundle),
        "",
        *backtest.summary_lines(tested),
        "",
        *backtest.denial_lines(tested),
        *paper.summary_lines(ran),
        "",
        "to look further",
        f"  {data_dir / 'backtest'}  manifest, audit trail, orders, fills, equity curve, metrics",
        *(f"  mqk why {rule} --run-dir {data_dir / 'backtest'}" for rule in rules),
        f"  mqk run status {ran.run_id} --data-dir {data_dir}",
        f"  mqk policy effective --engine {ENGINE} --why limits.max_position",
    ]
