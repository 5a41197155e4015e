"""`mqk db`: where the database stands, bringing it up to date, and saying so when there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mqk.store import database as store
from mqk.store.database import open_engine
from tests.cli.shell import Mqk
from tests.store.world import World


def test_without_a_database_the_exit_code_says_so_and_none_is_made(mqk: Mqk, tmp_path: Path) -> None:
    for command in (("db", "status"), ("why", "x"), ("run", "status")):
        ended = mqk(*command)
        assert (ended.code, ended.out) == (4, "")
        assert "there is no database in `.mqk`" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_cannot_be_reached_is_no_usable_environment(
    mqk: Mqk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MQK_DATABASE_URL", f"postgresql://mqk:secret@/mqk?host={tmp_path}")
    ended = mqk("db", "status")
    assert (ended.code, ended.out) == (4, "")
    assert "secret" not in ended.err
    monkeypatch.setenv("MQK_DATABASE_URL", "sqlite:///x.db")
    assert mqk("db", "status").code == 4


def test_status_and_migrate_agree(mqk: Mqk, monkeypatch: pytest.MonkeyPatch, new_database: Callable[..., str]) -> None:
    monkeypatch.setenv("MQK_DATABASE_URL", new_database(migrated=False))
    empty = mqk("db", "status", "--format", "json")
    assert (empty.code, empty.json["revision"]) == (0, None)
    assert empty.json["pending"]
    assert mqk("why", "x").code == 4
    migrated = mqk("db", "migrate", "--format", "json")
    assert (migrated.code, migrated.json["revision"], migrated.json["pending"]) == (0, empty.json["newest"], [])
    assert (
        mqk("db", "migrate", "--format", "json").json == migrated.json == mqk("db", "status", "--format", "json").json
    )
    assert f"revision          {empty.json['newest']}\n" in mqk("db", "status").out


def test_migrating_under_a_live_run_is_refused_unless_insisted_on(
    mqk: Mqk, monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("MQK_DATABASE_URL", database_url)
    engine = open_engine(database_url)
    with engine.begin() as connection:
        world = World(connection)
        world.bundle()
        world.move("arm", "CREATED", "ARMED", run_id=world.run(10, mode="LIVE"))
    engine.dispose()
    newer = tmp_path / "migrations"
    shutil.copytree(store.migrations_dir(), newer)
    newest = mqk("db", "status", "--format", "json").json["newest"]
    (newer / "versions" / "9999_next.py").write_text(
        f"revision, down_revision = '9999', '{newest}'\ndef upgrade(): pass\n", "utf-8"
    )
    monkeypatch.setattr(store, "migrations_dir", lambda: newer)
    refused = mqk("db", "migrate")
    assert (refused.code, refused.out) == (3, "")
    assert "LIVE run" in refused.err
    assert mqk("db", "status", "--format", "json").json["pending"] == ["9999"]
    insisted = mqk("db", "migrate", "--yes", "--format", "json")
    assert (insisted.code, insisted.json["revision"]) == (0, "9999")


def test_stopping_where_nothing_runs_is_no_error(mqk: Mqk, tmp_path: Path) -> None:
    ended = mqk("db", "stop")
    assert (ended.code, ended.out) == (0, "no database was running in .mqk\n")
    assert list(tmp_path.iterdir()) == []
