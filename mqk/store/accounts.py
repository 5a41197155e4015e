"""The operating-system account a database server runs under, and how to become it.

PostgreSQL refuses to run as root, so root's servers run as `nobody`, wherever root keeps its files. No account is made
and no permission is changed. What runs under the account is in postgres.py.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mqk.store.errors import DatabaseUnavailable

ROOT: Final = 0
GIVEN_URL_HELP: Final = "set MQK_DATABASE_URL to a PostgreSQL of your own"

# Linux capabilities by their bit in /proc. The first lets a process pass through closed folders and read, the second
# also execute closed files; the third is what it takes to hand either on.
DAC_READ_SEARCH: Final = ("dac_read_search", 2)
DAC_OVERRIDE: Final = ("dac_override", 1)
SETPCAP: Final = ("setpcap", 8)


@dataclass(frozen=True, slots=True)
class Account:
    """The account a server runs under.

    `changes` when it is not the one we are; `prefix` is what a command line must then begin with, if becoming it takes
    more than setting the ids.
    """

    uid: int
    gid: int
    name: str
    changes: bool
    prefix: tuple[str, ...] = ()


def account_for(cluster: Path, program: Path) -> Account:
    """Who the server of this cluster runs as, executing `program`: the cluster's owner, or `nobody` when that is root.

    Raises DatabaseUnavailable when the cluster belongs to somebody else, or when root has nobody to become.
    """
    me = os.geteuid()
    owner = cluster.stat().st_uid if cluster.exists() else me
    if me != ROOT:
        if owner != me:
            raise DatabaseUnavailable(
                "foreign_cluster",
                f"the database in `{cluster}` belongs to the account `{_name(owner)}`",
                f"use another data directory, or {GIVEN_URL_HELP}",
            )
        return Account(me, os.getegid(), _name(me), changes=False)
    try:
        entry = pwd.getpwnam("nobody") if owner == ROOT else pwd.getpwuid(owner)
    except KeyError as error:
        raise DatabaseUnavailable(
            "no_account",
            "PostgreSQL does not run as root, and there is no unprivileged account to run it as",
            f"run mqk as a normal user, or {GIVEN_URL_HELP}",
        ) from error
    prefix = _prefix(entry, cluster, program)
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name, changes=True, prefix=prefix)


def _prefix(entry: pwd.struct_passwd, cluster: Path, program: Path) -> tuple[str, ...]:
    """What lets the account pass through root's closed folders (a clone in a private one), when it has to.

    Opening those folders, or keeping the data elsewhere, would undo what the owner of the machine decided.
    """
    folders = [folder for path in (cluster, program) for folder in path.resolve().parents]
    closed = [path for path in (program, *folders) if not _allows(path, entry)]
    if not closed:
        return ()
    sufficient = (DAC_OVERRIDE,) if program in closed else (DAC_READ_SEARCH, DAC_OVERRIDE)
    setpriv = shutil.which("setpriv")
    held = _own_capabilities()
    capability = next((name for name, bit in sufficient if held >> bit & held >> SETPCAP[1] & 1), None)
    if setpriv is None or capability is None:
        raise DatabaseUnavailable(
            "unreachable",
            f"PostgreSQL does not run as root, and the account `{entry.pw_name}` may not pass `{closed[0]}`",
            f"let others pass it (chmod o+x), run mqk as a normal user, or {GIVEN_URL_HELP}",
        )
    return (
        setpriv,
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--clear-groups",
        # PostgreSQL asks access(2) about its files, which would otherwise leave the capability out of account.
        "--securebits=+no_setuid_fixup",
        f"--inh-caps=+{capability}",
        f"--ambient-caps=+{capability}",
        "--",
    )


def _allows(path: Path, entry: pwd.struct_passwd) -> bool:
    """Whether a file may be executed, or a folder passed through, by an account."""
    status = path.stat()
    if status.st_uid == entry.pw_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    return bool(status.st_mode & (stat.S_IXGRP if status.st_gid == entry.pw_gid else stat.S_IXOTH))


def _own_capabilities() -> int:
    """The capabilities we may use, as the bits in /proc; none where there is no such thing."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:")), 0)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
