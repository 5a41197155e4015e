"""The front door: names, help, exit codes, and errors that end in words instead of tracebacks."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

import mqk as package
from mqk.cli import main as front
from mqk.cli.exits import Exit, Failure, explained
from mqk.cli.main import COMMANDS, main
from mqk.market.errors import BarDataError, BarProblem
from mqk.store import DatabaseUnavailable, Refused
from tests.cli.shell import Mqk


def test_help_names_every_command(mqk: Mqk) -> None:
    ended = mqk("--help")
    assert ended.code == 0
    for name in COMMANDS:
        assert f" {name} " in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(mqk: Mqk, name: str) -> None:
    ended = mqk(name, "--help")
    assert ended.code == 0
    assert f"mqk {name}" in ended.out


def test_the_version_is_told_in_two_ways(mqk: Mqk) -> None:
    assert mqk("--version").out == mqk("version").out == f"mqk {package.__version__}\n"


def test_an_unknown_command_is_bad_input_with_a_suggestion(mqk: Mqk) -> None:
    ended = mqk("polcy")
    assert (ended.code, ended.out) == (2, "")
    assert "policy" in ended.err


def test_help_loads_no_package_below_the_command_line() -> None:
    script = (
        "import sys\n"
        "from mqk.cli.main import main\n"
        "main(['--help'])\n"
        "loaded = [name for name in sys.modules if name.startswith('mqk') and not name.startswith('mqk.cli')]\n"
        "sys.stderr.write(' '.join(loaded))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "mqk"


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (Failure("no", "yes"), Exit.BAD_INPUT, "error: no\n   help: yes"),
        (Refused("edge", "no such move", "look"), Exit.REFUSED, "error: no such move\n   help: look"),
        (DatabaseUnavailable("none", "no database"), Exit.ENVIRONMENT, "error: no database"),
        (
            BarDataError(
                [BarProblem("a.csv", 3, 7, "`x` is not a price", "write `1.5`"), BarProblem("b.csv", 1, 1, "?")]
            ),
            Exit.BAD_INPUT,
            "a.csv:3:7: error: `x` is not a price\n   help: write `1.5`\nb.csv:1:1: error: ?",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "out"),
            Exit.ENVIRONMENT,
            "out: error: no space left on device",
        ),
    ],
)
def test_known_errors_become_words_and_an_exit_code(fault: Exception, code: Exit, words: str) -> None:
    assert explained(fault) == (words, code)


def test_a_fault_of_mqk_is_no_finding_and_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(front, "app", broken)
    assert main([]) == 70
    assert "ZeroDivisionError: broken" in capsys.readouterr().err
