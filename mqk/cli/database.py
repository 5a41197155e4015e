"""Which database a command means, and whether there is one. What is in it is mqk.store's.

Commands that only look never make a database; those that run something do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from mqk.store import DatabaseUnavailable
from mqk.store.database import URL_VARIABLE, database_url, migrate, open_engine, require_current, status


def existing_url(data_dir: Path) -> str:
    """The URL of the database there is, started if it is down. Raises DatabaseUnavailable when there is none yet."""
    if not os.environ.get(URL_VARIABLE) and not (data_dir / "postgresql" / "data").is_dir():
        message = f"there is no database in `{data_dir}`"
        help_ = f"`mqk db migrate` makes one; `--data-dir` or {URL_VARIABLE} names another"
        raise DatabaseUnavailable("none", message, help_)
    return database_url(data_dir)


def ready_url(data_dir: Path) -> str:
    """The URL of the database to run on, made and migrated when there is none and none is named.

    One that MQK_DATABASE_URL names is somebody's to look after: it is migrated by `mqk db migrate` alone.
    """
    url = database_url(data_dir)
    if not os.environ.get(URL_VARIABLE) and status(url).revision is None:
        migrate(url)
    return url


@contextmanager
def reading(data_dir: Path) -> Iterator[Connection]:
    """A connection to the database there is, at the revision this mqk needs."""
    with reading_at(existing_url(data_dir)) as connection:
        yield connection


@contextmanager
def reading_at(url: str) -> Iterator[Connection]:
    """The same for the database at a URL."""
    require_current(url)
    engine = open_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
