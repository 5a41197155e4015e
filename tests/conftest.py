"""What tests of several packages share: a PostgreSQL for those that need one, and a fresh database for each of them.

One server serves the whole run, also across pytest-xdist's workers; it starts with the first test that asks for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVER_DIR = "MQK_TEST_SERVER_DIR"  # names the server's folder to the workers, which inherit the environment
TEMPLATE = "mqk_template"


# Machines differ in speed, and a slow one is no counterexample.
settings.register_profile("mqk", deadline=None)
settings.load_profile("mqk")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the server's folder once, in the process that the others are started by."""
    os.environ.pop("MQK_DATABASE_URL", None)  # tests never touch a database that somebody keeps
    if not hasattr(config, "workerinput"):
        folder = Path(tempfile.mkdtemp(prefix="mqk-test-"))
        folder.chmod(0o711)  # as root, the server's own account has to pass through
        os.environ[SERVER_DIR] = str(folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and remove what it wrote, when the last worker has ended."""
    if not hasattr(config, "workerinput") and (given := os.environ.pop(SERVER_DIR, None)):
        folder = Path(given)
        if (folder / "postgresql").exists():
            from mqk.store.embedded import stop_database

            stop_database(folder)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database_server() -> str:
    """The URL of the run's PostgreSQL server, whose databases are the other fixtures' to make; not durable."""
    from mqk.store.embedded import ensure_database

    return ensure_database(Path(os.environ[SERVER_DIR]), durable=False)


@pytest.fixture(scope="session")
def new_database(database_server: str) -> Callable[..., str]:
    """Makes a database of its own per call, and returns its URL: migrated, or with `migrated=False` empty."""
    from sqlalchemy import make_url, text
    from sqlalchemy.pool import NullPool

    from mqk.store.database import migrate, open_engine

    def url_of(name: str) -> str:
        return make_url(database_server).set(database=name).render_as_string(hide_password=False)

    def run(statement: str) -> None:
        engine = open_engine(database_server, poolclass=NullPool)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))

    def template_exists() -> bool:
        engine = open_engine(database_server, poolclass=NullPool)
        with engine.connect() as connection:
            return connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": TEMPLATE}) == 1

    # Under a name of its own until it is migrated: a template that exists is complete.
    with (Path(os.environ[SERVER_DIR]) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template_exists():
            unfinished = f"{TEMPLATE}_new"
            run(f"CREATE DATABASE {unfinished} STRATEGY file_copy")
            migrate(url_of(unfinished))
            run(f"ALTER DATABASE {unfinished} RENAME TO {TEMPLATE}")

    def make(*, migrated: bool = True) -> str:
        name = f"test_{uuid4().hex}"
        run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE if migrated else 'template0'} STRATEGY file_copy")
        return url_of(name)

    return make


@pytest.fixture
def database_url(new_database: Callable[..., str]) -> Iterator[str]:
    """A migrated database that nobody else uses, dropped after the test."""
    from sqlalchemy import make_url, text
    from sqlalchemy.pool import NullPool

    from mqk.store.database import open_engine

    url = new_database()
    yield url
    name = make_url(url).database
    engine = open_engine(
        make_url(url).set(database="postgres").render_as_string(hide_password=False), poolclass=NullPool
    )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A process that an interrupt interrupts, also where the suite was started in a way that ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
