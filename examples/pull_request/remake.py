"""Makes the comment of this demonstration again: a backtest under `base` for history, then the review of `head`.

    python examples/pull_request/remake.py

Needs `mqk[demo]`, whose daily bars of four stocks the backtest runs on. The same inputs give the same comment.
"""

from __future__ import annotations

import sys
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory

from mqk.cli.main import main
from mqk.market import demo_bars

HERE = Path(__file__).resolve().parent
# The day whose rules count.
DAY = "2026-06-01"
YEARS = ("2006-01-01", "2009-01-01")


def remake(out: Path) -> None:
    """Write the comment."""
    with TemporaryDirectory() as temporary, chdir(HERE):
        bars, history = Path(temporary, "bars"), Path(temporary, "history")
        bars.mkdir()
        for path in demo_bars(Path(temporary)):
            header, *rows = path.read_text("ascii").splitlines()
            kept = [row for row in rows if YEARS[0] <= row[:10] < YEARS[1]]
            (bars / path.name).write_text("\n".join([header, *kept, ""]), "ascii")
        run = ["backtest", "--policies", "base", "--engine", "TREND", "--as-of", DAY]
        done = main([*run, "--bars", str(bars), "--out", str(history)])
        review = ["policy", "review", "base", "head", "--as-of", DAY, "--decisions", str(history)]
        if done or main([*review, "--comment", str(out)]):
            sys.exit("the comment could not be made")


if __name__ == "__main__":
    remake(Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else HERE / "comment.md")
