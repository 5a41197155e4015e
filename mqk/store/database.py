"""Which database is meant, connections to it, and its schema: migrate to the newest revision, say where it stands.

The migrations themselves are in `migrations/` at the top level of the project, and inside the wheel once installed.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError

from mqk.store.embedded import ensure_database
from mqk.store.errors import DatabaseUnavailable, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import Pool

URL_VARIABLE: Final = "MQK_DATABASE_URL"
MIGRATION_LOCK: Final = 0x6D716B  # "mqk": the advisory lock that lets one migration run at a time


@dataclass(frozen=True, slots=True)
class DatabaseStatus:
    """Where a database stands: its revision (None: empty), the newest one, what lies between, and who is live on it."""

    url: str  # without the password
    server: str
    revision: str | None
    newest: str
    pending: tuple[str, ...]
    active_live_runs: int

    @property
    def current(self) -> bool:
        """Whether the schema is the one this mqk needs."""
        return self.revision == self.newest


def database_url(data_dir: Path) -> str:
    """The URL in MQK_DATABASE_URL, or that of the PostgreSQL embedded in `data_dir`, started when needed.

    Raises DatabaseUnavailable when the variable holds no PostgreSQL URL, or the server cannot be started.
    """
    given = os.environ.get(URL_VARIABLE)
    if not given:
        return ensure_database(data_dir)
    return _parsed(given).render_as_string(hide_password=False)


def open_engine(url: str, *, poolclass: type[Pool] | None = None) -> Engine:
    """A SQLAlchemy engine for the database; the caller disposes of it. Connects only when first used.

    Sessions speak UTC, and wait at most 10 s for a lock: a run that cannot write must notice and stop.
    Raises DatabaseUnavailable when `url` is no PostgreSQL URL.
    """
    options = "-c timezone=UTC -c lock_timeout=10s -c application_name=mqk"
    pooling: dict[str, object] = {"pool_pre_ping": True} if poolclass is None else {"poolclass": poolclass}
    return create_engine(_parsed(url), connect_args={"options": options, "connect_timeout": 10}, **pooling)


def migrate(url: str, *, force: bool = False) -> str:
    """Bring the database to the newest revision, in one transaction, and return that revision. Idempotent.

    Raises Refused `live_run` when something would change under a LIVE run that is armed or running, unless forced;
    DatabaseUnavailable when there is no database, or its revision is one this mqk does not know.
    """
    with _connected(url) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        status = _status(connection)
        if not status.current:
            if status.active_live_runs and not force:
                raise Refused(
                    "live_run",
                    f"{status.active_live_runs} LIVE run is armed or running on this database",
                    "stop it first, or force the migration",
                )
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return status.newest


def status(url: str) -> DatabaseStatus:
    """Where the database stands; changes nothing. Raises DatabaseUnavailable as `migrate` does."""
    with _connected(url) as connection:
        return _status(connection)


def require_current(url: str) -> None:
    """Raise DatabaseUnavailable `revision` unless the schema is the one this mqk needs."""
    found = status(url)
    if not found.current:
        raise DatabaseUnavailable(
            "revision",
            f"the database is at revision `{found.revision or 'none'}`, and this mqk needs `{found.newest}`",
            "run `mqk db migrate`",
        )


def migrations_dir() -> Path:
    """The folder of the migrations: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_data" / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _status(connection: Connection) -> DatabaseStatus:
    script = ScriptDirectory.from_config(_alembic())
    newest = script.get_current_head() or ""
    revision = MigrationContext.configure(connection).get_current_revision()
    known = [step.revision for step in script.walk_revisions()]
    if revision is not None and revision not in known:
        raise DatabaseUnavailable(
            "revision",
            f"the database is at revision `{revision}`, which this mqk does not know",
            "it was migrated by a newer mqk: use that one",
        )
    live = 0
    if inspect(connection).has_table("runs"):
        statement = "SELECT count(*) FROM runs WHERE mode = 'LIVE' AND state IN ('ARMED', 'RUNNING')"
        live = connection.scalar(text(statement)) or 0
    return DatabaseStatus(
        url=connection.engine.url.render_as_string(hide_password=True),
        server=str(connection.scalar(text("SHOW server_version"))),
        revision=revision,
        newest=newest,
        pending=tuple(reversed(known[: known.index(revision)] if revision else known)),
        active_live_runs=live,
    )


def _alembic() -> Config:
    config = Config()
    # Alembic's configuration reads `%` as the beginning of a variable.
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise DatabaseUnavailable("connect", f"no database at `{shown}`: {str(error.orig).strip()}") from error
    finally:
        engine.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # Not shown: what was written may hold a password.
        raise DatabaseUnavailable("url", "the database URL cannot be read", _URL_HELP) from error
    if parsed.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise DatabaseUnavailable("url", f"the database must be PostgreSQL, not `{parsed.drivername}`", _URL_HELP)
    return parsed.set(drivername="postgresql+psycopg")


_URL_HELP: Final = f"{URL_VARIABLE} is written postgresql://user:password@host:5432/name"
