"""The schema: what the migrations build is what the tables say, and is not changed under a live run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from mqk.store import DatabaseUnavailable, Refused, database
from mqk.store.policy_tables import PolicyRevision  # noqa: F401 - its module has the tables of change control
from mqk.store.tables import Table
from tests.store.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

CATALOGUE = {
    "columns": """
        SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default, is_identity
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND contype <> 't'",  # triggers are the migrations' own
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def catalogue(conn: Connection) -> dict[str, set[tuple[object, ...]]]:
    """Everything PostgreSQL knows of the tables, except Alembic's own."""
    return {
        kind: {tuple(row) for row in conn.execute(text(query)) if row[0] != "alembic_version"}
        for kind, query in CATALOGUE.items()
    }


def test_the_migrations_build_what_the_tables_say(conn: Connection, new_database: Callable[..., str]) -> None:
    """DB-32: columns in order, every constraint and every index, compared in the catalogue of a replay from nothing."""
    declared_engine = database.open_engine(new_database(migrated=False), poolclass=NullPool)
    with declared_engine.begin() as declared:
        Table.metadata.create_all(declared)
        expected = catalogue(declared)
    found = catalogue(conn)
    for kind, rows in expected.items():
        assert found[kind] == rows, kind
        assert rows


def test_alembic_sees_nothing_left_to_migrate(conn: Connection) -> None:
    context = MigrationContext.configure(conn, opts={"compare_type": True})
    assert compare_metadata(context, Table.metadata) == []


def test_no_column_fills_itself(conn: Connection) -> None:
    """Time is injected: no default reads a clock, and none hides a value that the caller forgot."""
    columns = "FROM information_schema.columns WHERE table_schema = 'public'"
    assert conn.scalars(text(f"SELECT column_name {columns} AND column_default IS NOT NULL")).all() == []
    assert conn.scalars(text(f"SELECT column_name {columns}")).all() != []


def test_migrating_twice_changes_nothing(new_database: Callable[..., str]) -> None:
    """DB-1 and DB-2: from nothing to the newest revision, and again a no-op."""
    url = new_database(migrated=False)
    before = database.status(url)
    assert (before.revision, before.current, before.active_live_runs) == (None, False, 0)
    assert before.pending[-1] == before.newest
    with pytest.raises(DatabaseUnavailable, match="at revision `none`"):
        database.require_current(url)
    assert database.migrate(url) == before.newest
    assert database.migrate(url) == before.newest
    after = database.status(url)
    assert (after.revision, after.current, after.pending) == (before.newest, True, ())
    database.require_current(url)
    engine = database.open_engine(url, poolclass=NullPool)
    with engine.connect() as conn:
        assert {name for name, *_ in catalogue(conn)["columns"]} == set(Table.metadata.tables)


@pytest.fixture
def one_more_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The project's migrations and one that is still to come; returns its revision."""
    folder = tmp_path / "migrations with a % and a space"
    shutil.copytree(database.migrations_dir(), folder)
    newest = max(path.name[:4] for path in (folder / "versions").glob("0*.py"))
    (folder / "versions" / "9999_next.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9999', '{newest}'\n"
        "def upgrade(): op.execute('CREATE TABLE next_table (id int)')\n"
    )
    monkeypatch.setattr(database, "migrations_dir", lambda: folder)
    return "9999"


def test_the_schema_is_not_changed_under_a_live_run(world: World, database_url: str, one_more_migration: str) -> None:
    world.move("arm", "CREATED", "ARMED", run_id=world.run(10, mode="LIVE"))
    world.conn.commit()
    assert database.status(database_url).active_live_runs == 1
    with pytest.raises(Refused, match="1 LIVE run is armed or running") as refusal:
        database.migrate(database_url)
    assert refusal.value.code == "live_run"
    assert not database.status(database_url).current
    assert database.migrate(database_url, force=True) == one_more_migration


@pytest.mark.usefixtures("one_more_migration")
def test_paper_runs_do_not_hold_a_migration_up(world: World, database_url: str) -> None:
    world.start()
    world.conn.commit()
    assert database.migrate(database_url) == "9999"


def test_a_database_of_a_newer_mqk_is_left_alone(
    new_database: Callable[..., str], one_more_migration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database(migrated=False)
    database.migrate(url)
    monkeypatch.undo()
    for attempt in (database.migrate, database.status, database.require_current):
        with pytest.raises(DatabaseUnavailable, match=f"revision `{one_more_migration}`, which this mqk does not know"):
            attempt(url)


def test_a_given_url_comes_before_the_embedded_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given in ("postgresql://ana:p%40ss@db:5432/mqk", "postgres://ana:p%40ss@db:5432/mqk"):
        monkeypatch.setenv("MQK_DATABASE_URL", given)
        assert database.database_url(tmp_path) == "postgresql+psycopg://ana:p%40ss@db:5432/mqk"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("given", ["sqlite:///secret.db", "mysql://ana:secret@db/mqk", "ana:secret@db"])
def test_an_unusable_url_is_refused_without_repeating_its_password(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQK_DATABASE_URL", given)
    with pytest.raises(DatabaseUnavailable) as refusal:
        database.database_url(tmp_path)
    assert refusal.value.code == "url"
    assert "secret" not in str(refusal.value)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="no database at") as refusal:
        database.status(f"postgresql://ana:secret@/mqk?host={tmp_path}")
    assert refusal.value.code == "connect"
    assert "secret" not in str(refusal.value)


_RUN_OF_THE_FIRST_REVISION = """
    WITH run AS (
        INSERT INTO runs (run_id, engine_id, mode, bundle_sha256, machine, state, transition_seq, config, fencing_epoch,
                          feed_cursor, created_at)
        VALUES (:run_id, 'MAIN', 'PAPER', :bundle, 'run', 'CREATED', 0, '{"seed": 7}', 0, 0, '2024-02-16Z')
        RETURNING run_id, bundle_sha256, state, created_at
    )
    INSERT INTO run_transitions (run_id, seq, bundle_sha256, machine, from_state, event, to_state, actor, role, reason,
                                 at)
    SELECT run_id, 0, bundle_sha256, 'run', '', 'create', state, 'ana', 'operator', 'a new session', created_at FROM run
"""


def test_a_database_of_the_first_revision_keeps_its_runs(
    new_database: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept before desks and changes of policies had tables is there after, and its runs go on."""
    folder = tmp_path / "migrations"
    shutil.copytree(database.migrations_dir(), folder)
    for path in (folder / "versions").glob("0*.py"):
        if not path.name.startswith("0001"):
            path.unlink()
    url = new_database(migrated=False)
    with monkeypatch.context() as earlier:
        earlier.setattr(database, "migrations_dir", lambda: folder)
        assert database.migrate(url) == "0001"
    engine = database.open_engine(url, poolclass=NullPool)
    tables = ("runs", "run_transitions")
    with engine.connect() as conn:
        world = World(conn)
        world.bundle()
        conn.execute(text(_RUN_OF_THE_FIRST_REVISION), {"bundle": world.bundle_sha256, "run_id": world.run_id})
        world.move("arm", "CREATED", "ARMED")
        conn.commit()
        kept = [conn.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).mappings().all() for table in tables]
    assert database.migrate(url) == database.status(url).newest
    with engine.connect() as conn:
        for table, before in zip(tables, kept, strict=True):
            after = conn.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).mappings().all()
            assert [{name: row[name] for name in before[0]} for row in after] == before
        assert World(conn).move("start", "ARMED", "RUNNING")
        conn.commit()
