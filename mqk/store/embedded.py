"""A real PostgreSQL in a folder: made when missing, started when down, shared by every command that names the folder.

The server outlives the command that started it, whatever happens to that command; `stop_database` ends it. How its
processes are run is in postgres.py; what the database holds is none of this file's business.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mqk.store.accounts import Account, account_for
from mqk.store.errors import DatabaseUnavailable
from mqk.store.postgres import Postmaster, bury, call, cluster_name, postmaster, programs_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE: Final = "mqk"
DATABASE: Final = "postgres"  # the one initdb makes: a crash can leave no cluster without its database
PORT: Final = 5432  # only names the socket file: the server listens on no network
# A socket's path holds at most 103 bytes, with the `/.s.PGSQL.5432` that PostgreSQL adds, and in a host's name a comma
# would separate two of them: only plain paths are used as they are.
SOCKET_DIR: Final = re.compile(r"[A-Za-z0-9_./~+-]{1,85}")
START_SECONDS: Final = 60  # recovery after a crash may take a while
CRASH_SECONDS: Final = 10.0

SETTINGS: Final = f"""\
# Written by mqk each time it starts this server.
listen_addresses = ''
port = {PORT}
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = '64MB'
io_method = 'sync'
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
max_wal_size = '256MB'
# Refusals by a constraint are part of the trade, and statements hold orders: neither belongs into the server's log.
log_min_messages = 'log'
log_min_error_statement = 'panic'
"""
RELAXED: Final = "fsync = off\nfull_page_writes = off\n"  # commits still outlive a killed server


def ensure_database(data_dir: Path, *, durable: bool = True) -> str:
    """Have a PostgreSQL running in `data_dir`, and return its URL (`postgresql+psycopg://…`).

    Creates the cluster on first use (about half a second), starts it when it is down (about a tenth), or finds it
    running. Concurrent callers wait for each other. As root the server runs as an unprivileged account that then
    owns `data_dir/postgresql`. `durable=False` trades safety from power loss for speed, for tests; it takes effect when
    the server starts.
    Raises DatabaseUnavailable when it cannot be started.
    """
    cluster = _cluster(data_dir)
    data = cluster / "data"
    with _exclusively(data_dir):
        account = account_for(cluster, programs_dir() / "postgres")
        if postmaster(data) is None:
            _start(account, cluster, durable=durable)
        return f"postgresql+psycopg://{ROLE}@/{DATABASE}?host={_ready(data).socket_dir}&port={PORT}"


def stop_database(data_dir: Path) -> bool:
    """Stop the PostgreSQL of `data_dir`, ending open connections. False when none was running.

    Raises DatabaseUnavailable when it does not stop.
    """
    cluster = _cluster(data_dir)
    if not cluster.exists():
        return False
    with _exclusively(data_dir):
        account = account_for(cluster, programs_dir() / "postgres")
        running = postmaster(cluster / "data")
        if running is None:
            return False
        call(account, cluster, "pg_ctl", "stop", "-D", "data", "-m", "fast", "-w", "-s")
        if running.socket_dir != cluster:
            running.socket_dir.rmdir()
        return True


def _cluster(data_dir: Path) -> Path:
    return data_dir.resolve() / "postgresql"


@contextmanager
def _exclusively(data_dir: Path) -> Iterator[None]:
    """One command at a time starts or stops the server of a folder; the lock goes with the process that held it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "postgresql.lock").open("w")
    except OSError as error:
        raise DatabaseUnavailable(
            "data_dir", f"cannot use the data directory `{data_dir}`: {error.strerror}"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(account: Account, cluster: Path, *, durable: bool) -> None:
    data = cluster / "data"
    if not data.exists():
        _create(account, cluster, durable=durable)
    socket_dir = _socket_dir(account, cluster)
    bury(data, (data / "postmaster.pid", socket_dir / f".s.PGSQL.{PORT}.lock"), CRASH_SECONDS)
    settings = SETTINGS + f"unix_socket_directories = '{socket_dir}'\n" + ("" if durable else RELAXED)
    _write(data / "mqk.conf", settings, account)
    options = ("-l", "log", "-o", f"--cluster-name={cluster_name(data)}", "-t", str(START_SECONDS))
    call(account, cluster, "pg_ctl", "start", "-D", "data", *options, "-w", "-s")


def _ready(data: Path) -> Postmaster:
    """The running server once it takes connections; one that a killed command began to start may not do so yet."""
    deadline = time.monotonic() + START_SECONDS
    while (running := postmaster(data)) is not None:
        if running.ready:
            return running
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    raise DatabaseUnavailable(
        "postgres",
        f"the server in `{data}` does not come up",
        f"its log is `{data.parent / 'log'}`",
    )


def _create(account: Account, cluster: Path, *, durable: bool) -> None:
    """Make the cluster beside its final place and then move it there: what exists under its own name is complete."""
    cluster.mkdir(mode=0o700, exist_ok=True)
    if account.changes:
        os.chown(cluster, account.uid, account.gid)
    unfinished = cluster / "data.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["-U", ROLE, "-E", "UTF8", "--locale=C", "--auth=reject", "--no-instructions"]
    call(account, cluster, "initdb", "-D", unfinished.name, *options, *([] if durable else ["--no-sync"]))
    with (unfinished / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude = 'mqk.conf'\n")
    # The kernel says who is at the other end of the socket: the owner of the cluster, or root.
    _write(unfinished / "pg_hba.conf", "local all all peer map=mqk\n", account)
    names = sorted({account.name, "root"})
    _write(unfinished / "pg_ident.conf", "".join(f'mqk "{name}" {ROLE}\n' for name in names), account)
    unfinished.rename(cluster / "data")


def _socket_dir(account: Account, cluster: Path) -> Path:
    """The cluster's own folder, or a private one in the system's temporary folder when that path will not do."""
    if SOCKET_DIR.fullmatch(str(cluster)):
        return cluster
    short = Path(tempfile.gettempdir()) / f"{cluster_name(cluster / 'data')}-{account.uid}"
    try:
        short.mkdir(mode=0o700)
        os.chown(short, account.uid, account.gid)
    except FileExistsError:
        status = short.lstat()
        if short.is_symlink() or status.st_uid != account.uid or status.st_mode & 0o077:
            raise DatabaseUnavailable(
                "socket_dir", f"the folder `{short}` is not the database's own", "remove it, or use a shorter path"
            ) from None
    return short


def _write(path: Path, content: str, account: Account) -> None:
    path.write_text(content)
    if account.changes:
        os.chown(path, account.uid, account.gid)
