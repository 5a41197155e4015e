"""Change control by commands: who must approve is said, asked and kept to, from the proposal to the run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mqk.policy.explanations import explanations_dir
from tests.cli.shell import Ended, Mqk, change


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A small desk's policies, to change."""
    return Path(shutil.copytree(explanations_dir() / "desk", tmp_path / "desk"))


@pytest.fixture(autouse=True)
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A migrated database that the commands find in the environment."""
    monkeypatch.setenv("MQK_DATABASE_URL", database_url)
    return database_url


def propose(mqk: Mqk, where: Path | str, *options: object, by: str = "Ana") -> Ended:
    return mqk("policy", "propose", where, "--reason", "a better limit", "--as", by, *options)


def approve(mqk: Mqk, proposal: int, *names: str) -> Ended:
    for name in names:
        ended = mqk("policy", "approve", proposal, "--as", name, "--yes", "--shared-account")
        assert ended.code == 0, ended.err
    return ended


def activate(mqk: Mqk, proposal: int) -> Ended:
    return mqk("policy", "activate", proposal, "--as", "ana")


def limit(desk: Path, old: str, new: str) -> None:
    change(desk / "engine.yaml", f"max_position: {old}", f"max_position: {new}")


def test_a_policy_goes_from_proposal_to_activation_and_back(mqk: Mqk, desk: Path) -> None:
    first = propose(mqk, desk)
    assert (first.code, first.err) == (0, "")
    assert "two people other than ana must approve: mqk policy approve 1 --as NAME" in first.out
    refused = activate(mqk, 1)
    assert (refused.code, refused.out) == (3, "")
    assert "error[MQK-1577]: proposal 1 is LOOSER for `DESK`" in refused.err
    own = mqk("policy", "approve", 1, "--as", "ANA", "--yes")
    assert (own.code, "error[MQK-1576]: `ana` proposed it" in own.err) == (3, True)
    assert "nothing is missing: mqk policy activate 1" in approve(mqk, 1, "bo", "cy").out
    assert activate(mqk, 1).out == "revision 1 is active for DESK\n"

    limit(desk, "15%", "10%")
    tighter = propose(mqk, desk, "--format", "json").json
    assert tighter["engines"]["DESK"]["verdict"] == "TIGHTER"
    assert tighter["needs"] == 1
    approve(mqk, 2, "bo")
    assert activate(mqk, 2).code == 0

    limit(desk, "10%", "12%")
    looser = propose(mqk, desk)
    assert "revision 2  LOOSER   two approvals" in looser.out
    # Going back to what was there first loosens what is active by now: two people, as for any change.
    back = mqk("policy", "rollback", 1, "--reason", "as before", "--as", "bo", "--format", "json").json
    assert (back["revision"], back["engines"]["DESK"]["verdict"], back["needs"]) == (1, "LOOSER", 2)
    approve(mqk, 4, "cy")
    assert activate(mqk, 4).code == 3
    approve(mqk, 4, "dy")
    assert activate(mqk, 4).out == "revision 1 is active for DESK\n"
    approve(mqk, 3, "cy", "dy")
    stale = activate(mqk, 3)
    assert (stale.code, "error[MQK-1578]: proposal 3 was compared with" in stale.err) == (3, True)

    told = mqk("policy", "log", "--format", "json").json
    assert [each["revision"] for each in told["engines"]["DESK"]] == [1, 2, 1]
    assert [each["active_until"] is None for each in told["engines"]["DESK"]] == [False, False, True]
    assert told["engines"]["DESK"][2]["approved_by"] == ["cy", "dy"]
    text = mqk("policy", "log").out
    assert "stale proposals, to be proposed again" in text
    assert mqk("policy", "log", "--engine", "NOBODY").out == "no policy was ever proposed for NOBODY\n"


def test_an_approval_is_asked_for_once_all_was_shown(mqk: Mqk, desk: Path) -> None:
    propose(mqk, desk)
    one_user = mqk("policy", "approve", 1, "--as", "bo", "--yes")
    assert (one_user.code, "error[MQK-1576]: `bo` and `ana` are one user of this system" in one_user.err) == (3, True)
    no = mqk("policy", "approve", 1, "--as", "bo", stdin="n\n")
    assert (no.code, "two people other than ana must approve" in no.out) == (3, True)
    silent = mqk("policy", "approve", 1, "--as", "bo", stdin="")
    assert silent.code != 0
    assert "approved by bo" not in mqk("policy", "log").out
    yes = mqk("policy", "approve", 1, "--as", "bo", "--shared-account", stdin="y\n")
    assert (yes.code, yes.out.index("LOOSER") < yes.out.index("approved by bo")) == (0, True)
    rejected = mqk("policy", "reject", 1, "--as", "cy", "--reason", "not today")
    assert "rejected by cy: not today" in rejected.out
    again = mqk("policy", "approve", 1, "--as", "dy", "--yes", "--shared-account")
    assert (again.code, "error[MQK-1576]: proposal 1 was rejected by `cy`: not today" in again.err) == (3, True)


def test_where_keys_are_configured_only_signed_bundles_are_proposed(
    mqk: Mqk, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mqk("policy", "keygen", "--out", "desk.key")
    for revision, sign in ((3, ("--sign", "desk.key")), (4, ())):
        mqk("policy", "bundle", desk, "--out", f"{revision}.mqk", "--revision", revision, *sign)
    monkeypatch.setenv("MQK_POLICY_KEYS", "desk.key.pub")
    for where in (desk, "4.mqk"):
        refused = propose(mqk, where)
        assert (refused.code, refused.out, "error[MQK-1572]" in refused.err) == (2, "", True)
    assert propose(mqk, "3.mqk", "--format", "json").json["revision"] == 3
    monkeypatch.delenv("MQK_POLICY_KEYS")
    # Kept unsigned while nobody asked for signatures: approved by nobody once somebody does.
    assert propose(mqk, "4.mqk").code == 0
    monkeypatch.setenv("MQK_POLICY_KEYS", "desk.key.pub")
    refused = mqk("policy", "approve", 2, "--as", "bo", "--yes", "--shared-account")
    assert (refused.code, "revision 4: error[MQK-1572]" in refused.err) == (2, True)
    approve(mqk, 1, "bo", "cy")
    assert activate(mqk, 1).code == 0
    monkeypatch.delenv("MQK_POLICY_KEYS")
    # Whoever signed what is active signs what follows, whether or not this process has heard of keys.
    mqk("policy", "keygen", "--out", "other.key")
    mqk("policy", "bundle", desk, "--out", "5.mqk", "--revision", 5, "--sign", "other.key")
    for where in (desk, "4.mqk", "5.mqk"):
        refused = propose(mqk, where)
        assert (refused.code, refused.out, "error[MQK-1572]" in refused.err) == (2, "", True)
    both = ("--sign", "desk.key", "--sign", "other.key")
    mqk("policy", "bundle", desk, "--out", "6.mqk", "--revision", 6, *both)
    assert propose(mqk, "6.mqk").code == 0
    approve(mqk, 3, "bo")
    assert activate(mqk, 3).code == 0
    mqk("policy", "bundle", desk, "--out", "7.mqk", "--revision", 7, "--sign", "other.key")
    assert propose(mqk, "7.mqk").code == 0, "a key takes another's place by signing beside it once"
    mqk("policy", "bundle", desk, "--out", "old.mqk", "--revision", 2, *both)
    limit(desk, "15%", "12%")
    mqk("policy", "bundle", desk, "--out", "same.mqk", "--revision", 3, *both)
    for where in ("old.mqk", "same.mqk"):
        refused = propose(mqk, where)
        assert (refused.code, "error[MQK-1575]" in refused.err) == (3, True)
    out = mqk("policy", "export", 3, "--out", "back.mqk")
    assert out.code == 0
    assert Path("back.mqk").read_bytes() == Path("3.mqk").read_bytes()


def test_what_is_not_there_is_said(mqk: Mqk, desk: Path) -> None:
    propose(mqk, desk)
    for command in (
        ("approve", 9, "--yes"),
        ("activate", 9),
        ("rollback", 9, "--reason", "x"),
        ("export", 9, "--out", "x"),
    ):
        ended = mqk("policy", *command)
        assert (ended.code, ended.out) == (2, "")
        assert "error[MQK-1580]" in ended.err
    (desk / "broken.yaml").write_text("kind: [")
    assert propose(mqk, desk).code == 2
    assert len(mqk("policy", "log", "--format", "json").json["proposals"]) == 1


def test_a_run_is_on_the_active_policy_or_is_refused(
    mqk: Mqk, policies: Path, desk: Path, bars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paper(*options: object) -> Ended:
        days = ("--start", "2003-06-01", "--end", "2003-06-30", "--pace", "0s")
        return mqk("run", "paper", "--engine", "MAIN", "--bars", bars, *days, *options)

    made = mqk("policy", "bundle", desk, "--out", "desk.mqk", "--revision", 1)
    assert (made.code, propose(mqk, "desk.mqk").code) == (0, 0)
    approve(mqk, 1, "bo", "cy")
    activate(mqk, 1)
    other = paper()
    assert (other.code, other.out) == (3, "")
    assert "error[MQK-1579]: no policy is active for engine `MAIN`, and this desk is under change control" in other.err
    moved = propose(mqk, policies, "--format", "json").json["engines"]
    assert {name: each["verdict"] for name, each in moved.items()} == {
        "DESK": "TIGHTER",
        "EXP": "LOOSER",
        "MAIN": "LOOSER",
    }
    caution = "caution: 3 of these names were given by one user of this system"
    assert caution in approve(mqk, 2, "bo", "cy").out
    activate(mqk, 2)
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 19%")
    refused = paper("--fresh")
    assert (refused.code, "error[MQK-1579]: these policies of engine `MAIN` are bundle" in refused.err) == (3, True)
    mqk("policy", "export", 2, "--out", "active.mqk")
    assert paper("--policies", "active.mqk").code == 0
    # Where keys are configured, what is active has to be signed by them as well.
    mqk("policy", "keygen", "--out", "desk.key")
    monkeypatch.setenv("MQK_POLICY_KEYS", "desk.key.pub")
    for options in (("--fresh", "--policies", "active.mqk"), ("--fresh", "--policies", "old")):
        change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 19%", "max_position: 20%")
        shutil.copytree(policies, "old", dirs_exist_ok=True)
        change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 19%")
        unsigned = paper(*options)
        assert (unsigned.code, "error[MQK-1572]" in unsigned.err) == (2, True)
