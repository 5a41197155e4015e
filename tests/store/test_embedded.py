"""The embedded PostgreSQL: there when asked for, whatever happened to the commands, or to itself, before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from mqk.store import DatabaseUnavailable
from mqk.store import postgres as server
from mqk.store.accounts import account_for
from mqk.store.embedded import ensure_database, stop_database
from mqk.store.postgres import postmaster

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = """
import os, sys
from pathlib import Path
from mqk.store.embedded import ensure_database
print(ensure_database(Path(sys.argv[1]), durable=False), flush=True)
{then}
"""


def use(data_dir: Path, then: str = "") -> subprocess.Popen[str]:
    """Another command that uses the database of a folder."""
    program = [sys.executable, "-W", "error", "-c", USER.format(then=then), str(data_dir)]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def pid_of(data_dir: Path) -> int:
    running = postmaster(data_dir / "postgresql" / "data")
    assert running is not None
    return running.pid


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose server most tests take turns with. Its name needs quoting in every language on the way."""
    data_dir = tmp_path_factory.mktemp('it\'s a "data" dir, 100%')
    yield data_dir
    stop_database(data_dir)


def test_the_first_command_starts_it_and_the_next_ones_share_it(shared: Path) -> None:
    url = ensure_database(shared, durable=False)
    query(url, "CREATE TABLE kept (id int)")
    first = pid_of(shared)
    began = time.monotonic()
    assert ensure_database(shared, durable=False) == url
    assert time.monotonic() - began < 0.5
    assert pid_of(shared) == first
    with use(shared) as other:
        assert other.stdout is not None
        assert other.stdout.read().strip() == url


def test_it_listens_on_no_network_and_knows_nothing_of_our_environment(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_database(shared)
    monkeypatch.setenv("BROKER_SECRET", "s3cret")
    url = ensure_database(shared, durable=False)
    assert query(url, "SHOW listen_addresses") == [("",)]
    assert "BROKER_SECRET" not in psutil.Process(pid_of(shared)).environ()
    assert psutil.Process(pid_of(shared)).uids().effective != 0


def test_it_is_safe_from_power_loss_unless_asked_otherwise(shared: Path) -> None:
    for durable, setting in ((True, "on"), (False, "off")):
        stop_database(shared)
        url = ensure_database(shared, durable=durable)
        assert query(url, "SHOW fsync") == [(setting,)]
        assert query(url, "SHOW synchronous_commit") == [("on",)]


def test_stopping_keeps_the_data_and_is_no_error_twice(shared: Path) -> None:
    query(ensure_database(shared, durable=False), "CREATE TABLE stopped (id int)")
    assert stop_database(shared)
    assert not stop_database(shared)
    assert query(ensure_database(shared, durable=False), "SELECT * FROM stopped") == []


def test_it_survives_the_command_that_started_it(shared: Path) -> None:
    """The process is killed (-9) after it started the server."""
    stop_database(shared)
    with use(shared, "os.kill(os.getpid(), 9)") as user:
        assert user.wait(timeout=60) == -signal.SIGKILL
    first = pid_of(shared)
    query(ensure_database(shared, durable=False), "SELECT 1")
    assert pid_of(shared) == first


def test_it_comes_back_after_being_killed_itself(shared: Path) -> None:
    """The server is killed (-9); it may remain a zombie for as long as nobody reaps it, and is dead all the same."""
    url = ensure_database(shared, durable=False)
    query(url, "CREATE TABLE survivor AS SELECT generate_series(1, 700) AS id")
    first = pid_of(shared)
    # The server's children are told from strangers too, so that one of them left behind would be waited for.
    processes = [process.info for process in psutil.process_iter(["pid", "ppid", "cmdline"])]
    own = [each for each in processes if each["ppid"] == first and "checkpointer" in " ".join(each["cmdline"] or ())]
    assert [server._serves(each["pid"], shared / "postgresql" / "data") for each in own] == [True]
    os.kill(first, signal.SIGKILL)
    while psutil.pid_exists(first) and psutil.Process(first).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.001)
    assert ensure_database(shared, durable=False) == url
    assert pid_of(shared) != first
    assert query(url, "SELECT count(*) FROM survivor") == [(700,)]


def test_a_number_left_over_that_is_another_process_by_now_is_no_server(shared: Path) -> None:
    ensure_database(shared, durable=False)
    left_over = (shared / "postgresql" / "data" / "postmaster.pid").read_text().splitlines()
    stop_database(shared)
    (shared / "postgresql" / "data" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *left_over[1:]]) + "\n")
    assert query(ensure_database(shared, durable=False), "SELECT 1") == [(1,)]


def test_commands_at_once_start_one_server(tmp_path: Path) -> None:
    commands = [use(tmp_path) for _ in range(3)]
    urls = set()
    for each in commands:
        with each:
            assert each.stdout is not None
            urls.add(each.stdout.read().strip())
            assert each.wait(timeout=60) == 0
    assert len(urls) == 1
    assert query(urls.pop(), "SELECT 1") == [(1,)]
    assert stop_database(tmp_path)


def test_half_a_cluster_is_made_again(tmp_path: Path) -> None:
    """Killed while it was being made: what is there is not taken for a cluster."""
    (tmp_path / "postgresql" / "data.new" / "base").mkdir(parents=True)
    assert query(ensure_database(tmp_path, durable=False), "SELECT 1") == [(1,)]
    assert stop_database(tmp_path)


def test_a_path_too_long_for_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    """It is somewhere else then, and so for a path that a connection string could not name (see `shared`)."""
    data_dir = tmp_path / ("deep" * 12) / ("deeper" * 8)
    url = ensure_database(data_dir, durable=False)
    assert query(url, "SELECT 1") == [(1,)]
    assert ensure_database(data_dir, durable=False) == url
    assert stop_database(data_dir)
    assert not stop_database(data_dir)
    assert not Path(make_url(url).query["host"]).exists()


def test_stopping_where_nothing_ever_ran_leaves_no_trace(tmp_path: Path) -> None:
    assert not stop_database(tmp_path / "never")
    assert list(tmp_path.iterdir()) == []


def test_a_data_directory_that_cannot_be_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match="cannot use the data directory"):
        ensure_database(tmp_path / "file")


def test_what_postgresql_says_about_a_failure_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"(?s)`pg_ctl` failed: .*does not exist"):
        server.call(
            account_for(tmp_path, server.programs_dir() / "postgres"), tmp_path, "pg_ctl", "status", "-D", "none"
        )


def test_a_missing_wheel_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(DatabaseUnavailable, match="is not installed"):
        server.programs_dir()
