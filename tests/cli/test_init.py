"""`mqk init`: a starter set that holds together, and never a file lost or left half written."""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import mqk as package
from mqk.backtest import run_backtest
from mqk.cli import starter
from mqk.cli.bound import bind
from mqk.market import read_bars
from mqk.policy import Span, StrategySpec
from mqk.strategies import Registry, StrategyHost
from tests.cli.shell import Mqk
from tests.desk.repository import git


def test_what_init_writes_passes_its_own_check(mqk: Mqk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mqk("init", "new/desk").code == 0
    monkeypatch.chdir(tmp_path / "new" / "desk")
    ended = mqk("policy", "check", "--format", "json")
    assert (ended.code, ended.json) == (0, [])


def test_every_policy_points_at_a_schema_that_is_there(mqk: Mqk, tmp_path: Path) -> None:
    mqk("init", "desk")
    found = sorted((tmp_path / "desk" / "policies").rglob("*.yaml"))
    assert found
    for policy in found:
        modeline = policy.read_text("utf-8").splitlines()[0]
        prefix, _, schema = modeline.partition("$schema=")
        assert prefix == "# yaml-language-server: "
        assert (policy.parent / schema).resolve().is_relative_to(tmp_path / "desk" / "schemas")
        assert json.loads((policy.parent / schema).read_text("utf-8"))["$schema"].endswith("2020-12/schema")


def test_the_editor_settings_cover_every_policy(mqk: Mqk, tmp_path: Path) -> None:
    mqk("init", "desk")
    desk = tmp_path / "desk"
    settings = json.loads((desk / ".vscode" / "settings.json").read_text("utf-8"))["yaml.schemas"]
    for schema in settings:
        assert (desk / schema).is_file()
    covered = {path for patterns in settings.values() for pattern in patterns for path in desk.glob(pattern)}
    assert covered == set((desk / "policies").rglob("*.yaml"))


def test_the_workflow_installs_this_version_and_the_hooks_run_what_is_installed(mqk: Mqk, tmp_path: Path) -> None:
    mqk("init", "desk")
    workflow = yaml.safe_load((tmp_path / "desk" / ".github" / "workflows" / "policies.yml").read_text("utf-8"))
    commands = "\n".join(step.get("run", "") for step in workflow["jobs"]["check"]["steps"])
    assert "mqk policy check policies --format github" in commands
    assert f'-m pip install "mqk=={package.__version__}"' in commands
    hooks = yaml.safe_load((tmp_path / "desk" / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert [hook["entry"].split()[2] for hook in hooks] == ["fmt", "check", "test"]


def test_no_file_of_the_set_carries_a_placeholder_or_a_cache() -> None:
    for path, content in starter.files().items():
        assert b"@MQK" not in content
        assert "__pycache__" not in path.parts


def test_the_sample_strategy_is_one_that_an_engine_can_name(mqk: Mqk, tmp_path: Path, bars: Path) -> None:
    mqk("init", "desk")
    project = tomllib.loads((tmp_path / "desk" / "pyproject.toml").read_text("utf-8"))["project"]
    ((name, place),) = project["entry-points"]["mqk.strategies"].items()
    module_name, _, class_name = place.partition(":")
    strategy = getattr(loaded(tmp_path / "desk" / "strategies", module_name), class_name)
    registry = Registry.installed()
    registry.register(name, strategy)
    bound = bind(tmp_path / "desk" / "policies", "MAIN", as_of=None)
    spec = StrategySpec(name, {"entry": "20", "exit": "10"}, shadow=False, span=Span.nowhere("test"))
    host = StrategyHost([spec], bound.bundle.timeframes, registry)
    summary = run_backtest(bound.guards, read_bars([bars]), host=host)
    assert summary.orders > 10
    assert summary.fills == summary.orders


def loaded(folder: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, folder.joinpath(*name.split(".")).with_suffix(".py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules.pop(name, None)
    spec.loader.exec_module(module)
    return module


def test_a_folder_with_other_files_is_added_to(mqk: Mqk, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "NOTES").write_text("mine", "utf-8")
    assert mqk("init", "desk").code == 0
    assert (tmp_path / "desk" / "NOTES").read_text("utf-8") == "mine"


def test_each_file_in_the_way_is_named_and_nothing_is_written(mqk: Mqk, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    (desk / "policies").mkdir(parents=True)
    (desk / "README.md").write_text("mine", "utf-8")
    (desk / "policies" / "base").write_text("a file where a folder has to be", "utf-8")
    (desk / "pyproject.toml").symlink_to("nowhere")
    before = sorted(desk.rglob("*"))
    ended = mqk("init", "desk")
    assert (ended.code, ended.out) == (2, "")
    for name in ("README.md", "policies/base", "pyproject.toml"):
        assert f"\n  desk/{name}\n" in ended.err
    assert sorted(desk.rglob("*")) == before


def test_a_target_that_is_a_file_is_refused(mqk: Mqk, tmp_path: Path) -> None:
    (tmp_path / "desk").write_text("mine", "utf-8")
    assert mqk("init", "desk").code == 2
    assert (tmp_path / "desk").read_text("utf-8") == "mine"


def test_a_file_that_appears_meanwhile_is_kept_and_the_rest_undone(tmp_path: Path) -> None:
    wanted = {Path("a/one"): b"1", Path("a/two"): b"2", Path("b/three"): b"3"}
    (tmp_path / "desk" / "b").mkdir(parents=True)
    (tmp_path / "desk" / "b" / "three").write_text("mine", "utf-8")
    with pytest.raises(FileExistsError):
        starter.put(tmp_path / "desk", wanted)
    assert [path for path in (tmp_path / "desk").rglob("*") if path.is_file()] == [tmp_path / "desk" / "b" / "three"]
    assert not (tmp_path / "desk" / "a").exists()
    assert (tmp_path / "desk" / "b" / "three").read_text("utf-8") == "mine"


def test_init_is_repeated_without_a_change_and_keeps_what_is_anothers(mqk: Mqk, tmp_path: Path) -> None:
    assert mqk("init", "desk").code == 0
    git(tmp_path / "desk", "init", "-q")
    assert "git shows policies by what they mean (`diff.mqk.textconv`" in mqk("init", "desk").out
    before = {path: path.read_bytes() for path in (tmp_path / "desk").rglob("*") if path.is_file()}
    ended = mqk("init", "desk")
    assert ended.code == 0
    assert "written" not in ended.out
    assert "git shows policies by what they mean already" in ended.out
    assert {path: path.read_bytes() for path in (tmp_path / "desk").rglob("*") if path.is_file()} == before

    (tmp_path / "desk" / ".pre-commit-config.yaml").write_text("repos: []\n", "utf-8")
    (tmp_path / "desk" / ".gitattributes").unlink()
    git(tmp_path / "desk", "config", "diff.mqk.textconv", "cat")
    told = mqk("init", "desk").out
    assert "is your own, and was left as it is" in told
    assert "git shows policies by `cat`, which was left as it is" in told
    assert (tmp_path / "desk" / ".pre-commit-config.yaml").read_text("utf-8") == "repos: []\n"
    assert (tmp_path / "desk" / ".gitattributes").read_text("utf-8").count("diff=mqk") == 2
