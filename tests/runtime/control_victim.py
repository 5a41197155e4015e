"""A process that takes one step of change control and is killed within it: what `test_change_control.py` starts."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from sqlalchemy.pool import NullPool

from mqk.policy.packing import read_packed
from mqk.runtime import change_control
from mqk.runtime.change_control import Asker
from mqk.store import policies
from mqk.store.database import open_engine
from tests.runtime.world import T0

COMMITTED = "committed"
STEPS = {
    "propose": ("revision kept", "proposed", "audited"),
    "approve": ("approved", "audited"),
    "activate": ("activated", "audited"),
}


def act(url: str, action: str, subject: str, killed_at: str) -> None:
    """Take a step, of the newest proposal or of a bundle file, and end by SIGKILL where it is asked for."""

    def watch(step: str) -> None:
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = open_engine(url, poolclass=NullPool)
    with engine.begin() as conn:
        newest = max((each.row.id for each in policies.proposals(conn)), default=0)
        if action == "propose":
            packed = read_packed(Path(subject))
            change_control.propose(
                conn, packed, file=subject, by=Asker("ana", "ana"), reason="a better limit", at=T0, watch=watch
            )
        elif action == "approve":
            change_control.approve(conn, newest, by=Asker(subject, subject), at=T0, watch=watch)
        else:
            change_control.activate(conn, newest, by=Asker(subject, subject), at=T0, watch=watch)
    watch(COMMITTED)
    os._exit(1)
