"""Leading an engine: the lease this process holds, under a name by which others can tell whether it still lives.

The lease and its epoch are kept by mqk.store.lease; what is done under it is the loop's business.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

from mqk.quantity import format_instant
from mqk.runtime.errors import LifecycleRefused
from mqk.store import lease

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from mqk.runtime.clock import WallClock


# While a run is taken up nothing renews the lease: playing a long record again takes its time.
TAKING_UP: Final = 60_000_000


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead of an engine: who holds it, under which epoch, and for how long at a time (micros)."""

    engine_id: str
    holder: str
    epoch: int
    ttl: int

    @classmethod
    def take(cls, database: Engine, engine_id: str, *, ttl: int, wall: WallClock) -> Lead:
        """Take the lead, under an epoch greater than any before. Raises LifecycleRefused while somebody holds it.

        At first it is held for a minute, if that is longer than `ttl`; `renew` makes it `ttl` from then on. The lease
        of a process of this machine that has ended, however it ended, is not waited for.
        """
        holder = this_process()
        with database.begin() as conn:
            held = lease.current(conn, engine_id)
            dead = None if held is None or held.holder is None or lives(held.holder) else held.holder
            epoch = lease.acquire(
                conn, engine_id, holder=holder, ttl=max(ttl, TAKING_UP), at=wall.now(), dead_holder=dead
            )
            if epoch is None:
                held = lease.current(conn, engine_id)
        if epoch is None:
            by, until = "another process", "a moment"
            if held is not None and held.holder is not None and held.expires_at is not None:
                by, until = f"`{held.holder}`", format_instant(held.expires_at)
            reason = f"engine `{engine_id}` is led by {by} until {until}"
            raise LifecycleRefused([reason], "stop that process, or wait until its lease has expired")
        return cls(engine_id, holder, epoch, ttl)

    def renew(self, database: Engine, wall: WallClock) -> bool:
        """Hold on to the lead. False when it is lost."""
        with database.begin() as conn:
            return lease.renew(conn, self.engine_id, holder=self.holder, epoch=self.epoch, ttl=self.ttl, at=wall.now())

    def give_up(self, database: Engine, wall: WallClock) -> None:
        """Let somebody else lead. Does nothing when somebody else does already."""
        with database.begin() as conn:
            lease.release(conn, self.engine_id, holder=self.holder, epoch=self.epoch, at=wall.now())


def this_process() -> str:
    """The name of this process, which no other on any machine has had: `host/pid/start`."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{pid}/{_started(pid)}"


def lives(holder: str) -> bool:
    """Whether a holder may still be at work. Only of this machine's processes can it be known that they are not."""
    host, _, process = holder.rpartition("/")[0].rpartition("/")
    if host != socket.gethostname() or not process.isdecimal():
        return True
    return _started(int(process)) == holder.rpartition("/")[2]


def _started(pid: int) -> str | None:
    """When a process was started, which tells it from a later one of the same number; None when it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return str(round(process.create_time() * 1000))
    except psutil.NoSuchProcess:
        return None
