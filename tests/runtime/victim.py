"""A process that plays a run and can be killed: what `test_kill.py` starts, again and again."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from mqk.market import calendar_of
from mqk.runtime import start_or_resume_paper_run
from tests.runtime.harness import RUN, Noting, nothing
from tests.runtime.world import desk_bars, desk_guards

if TYPE_CHECKING:
    from pathlib import Path

# Built once, where the victims are forked from: none of them has to spend its life on it.
calendar_of(desk_guards().bundle.calendar)


def play(url: str, log: Path, minutes: int) -> None:
    """Play the run to its end, in this process; every order that reached the broker is a line in the log."""

    def note(method: str, subject: str) -> None:
        if method == "submit":
            with log.open("ab", buffering=0) as lines:
                lines.write(f"{subject}\n".encode())

    start_or_resume_paper_run(
        url, desk_guards(), desk_bars(minutes), run_id=RUN, open_broker=Noting(Counter(), nothing, note)
    )
    # Whatever the test process left behind in this one is not this one's to tidy up.
    os._exit(0)
