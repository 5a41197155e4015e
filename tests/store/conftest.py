"""A migrated database with connections to it, and the small world most store tests begin in: one bundle, one run."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.pool import NullPool

from mqk.store.database import open_engine
from tests.store.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def connect(engine: Engine) -> Iterator[Callable[[], Connection]]:
    """Opens connections that are closed with the test; each begins its transaction with its first statement."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(engine.connect())


@pytest.fixture
def conn(connect: Callable[[], Connection]) -> Connection:
    return connect()


@pytest.fixture
def world(conn: Connection) -> World:
    """A paper run under a bundle with the usual lifecycle, committed."""
    world = World(conn)
    world.bundle()
    world.run()
    conn.commit()
    return world
