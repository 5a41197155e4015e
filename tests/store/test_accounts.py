"""The account of a server: never root, never a new one, and never at the price of opening somebody's folders."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from mqk.store import DatabaseUnavailable, accounts

READ_SEARCH, OVERRIDE, SETPCAP = 1 << 2, 1 << 1, 1 << 8
OPEN_PROGRAM = Path("/bin/sh")


@pytest.fixture
def as_root(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    return monkeypatch


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A cluster to be, in a folder closed to others."""
    tmp_path.chmod(0o700)
    return tmp_path / "cluster"


@pytest.fixture
def closed_program(tmp_path: Path) -> Path:
    program = tmp_path / "postgres"
    program.write_text("")
    program.chmod(0o700)
    return program


@pytest.mark.usefixtures("as_root")
def test_roots_server_runs_as_nobody() -> None:
    account = accounts.account_for(Path("/no-such-cluster"), OPEN_PROGRAM)
    assert (account.name, account.changes, account.prefix) == ("nobody", True, ())
    assert account.uid != 0


@pytest.mark.parametrize(
    ("held", "capability"),
    [(READ_SEARCH | OVERRIDE | SETPCAP, "dac_read_search"), (OVERRIDE | SETPCAP, "dac_override")],
)
def test_a_closed_folder_takes_the_weakest_capability_there_is(
    as_root: pytest.MonkeyPatch, closed: Path, held: int, capability: str
) -> None:
    as_root.setattr(accounts, "_own_capabilities", lambda: held)
    prefix = accounts.account_for(closed, OPEN_PROGRAM).prefix
    assert prefix[0] == "/bin/setpriv"
    assert [part for part in prefix if "caps" in part] == [f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]


def test_a_closed_program_takes_more_than_reading(
    as_root: pytest.MonkeyPatch, closed: Path, closed_program: Path
) -> None:
    as_root.setattr(accounts, "_own_capabilities", lambda: READ_SEARCH | OVERRIDE | SETPCAP)
    assert "--ambient-caps=+dac_override" in accounts.account_for(closed, closed_program).prefix


@pytest.mark.parametrize("held", [0, READ_SEARCH, OVERRIDE, SETPCAP])
def test_root_without_capabilities_is_told_what_is_closed(as_root: pytest.MonkeyPatch, closed: Path, held: int) -> None:
    as_root.setattr(accounts, "_own_capabilities", lambda: held)
    with pytest.raises(DatabaseUnavailable, match="the account `nobody` may not pass `/") as refusal:
        accounts.account_for(closed, OPEN_PROGRAM)
    assert refusal.value.help is not None
    assert "chmod o+x" in refusal.value.help


def test_root_where_there_is_nobody_is_told_so(as_root: pytest.MonkeyPatch, closed: Path) -> None:
    def unknown(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    as_root.setattr(pwd, "getpwnam", unknown)
    with pytest.raises(DatabaseUnavailable, match="no unprivileged account"):
        accounts.account_for(closed, OPEN_PROGRAM)


def test_a_normal_users_server_runs_as_that_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner or 12345)
    account = accounts.account_for(tmp_path / "to be", OPEN_PROGRAM)
    assert (account.uid, account.changes, account.prefix) == (owner or 12345, False, ())


def test_somebody_elses_cluster_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 12345)
    with pytest.raises(DatabaseUnavailable, match="belongs to the account"):
        accounts.account_for(tmp_path, OPEN_PROGRAM)
