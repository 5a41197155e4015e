"""The acceptance cases ISO, CFG and SEC of the original system: engines apart, one hash for one meaning, no secrets.

Said otherwise here: every key that is not known is an error in every mode, so that there is no list of unused keys to
warn about.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from mqk.policy import (
    Bundle,
    effective_bundle,
    load_policies,
    render_json,
    render_text,
    shipped_policies_dir,
)
from tests.acceptance.worlds import copied, keyed, problems
from tests.reading import read

MAIN: Final = "engines/main.yaml"


def main(folder: Path | None = None) -> Bundle:
    return effective_bundle(read(folder or shipped_policies_dir()), "MAIN")


def top_keys_reversed(text: str) -> str:
    """A document with its top-level keys in the opposite order."""
    blocks: list[list[str]] = []
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.startswith((" ", "#", "-")):
            blocks.append([])
        if blocks:
            blocks[-1].append(line)
    return "".join("".join(block) for block in reversed(blocks))


def test_cfg_1_the_same_policies_have_the_same_hash() -> None:
    assert main().sha256 == main().sha256


def test_cfg_2_the_order_of_keys_and_files_means_nothing(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    for number, file in enumerate(sorted(folder.rglob("*.yaml"), reverse=True)):
        text = top_keys_reversed(file.read_text("utf-8"))
        file.rename(file.with_name(f"{number:03}{''.join(file.suffixes)}")).write_text(text, "utf-8")
    assert main(folder).sha256 == main().sha256


def test_cfg_3_another_value_is_another_hash(tmp_path: Path) -> None:
    other = copied(tmp_path, {MAIN: ("lookback: 50", "lookback: 51")})
    assert main(other).sha256 != main().sha256


def test_cfg_5_a_hash_is_64_lower_case_hexadecimal_digits() -> None:
    assert len(main().sha256) == 64
    assert set(main().sha256) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: f"{text}stop_los: 5%\n", id="CFG-14, at the top"),
        pytest.param(lambda text: text.replace("uses:\n", "uses:\n  risks: [x]\n"), id="CFG-14, below"),
        pytest.param(lambda text: text.replace("mode: PAPER", "mode: LIVE\nstop_los: 5%", 1), id="CFG-14, in LIVE"),
    ],
)
def test_an_unknown_key_is_an_error_in_every_mode(tmp_path: Path, spoil: Callable[[str], str]) -> None:
    file = copied(tmp_path) / MAIN
    file.write_text(spoil(file.read_text("utf-8")), "utf-8")
    assert "MQK-1101" in {each.code for each in problems(tmp_path)}


def test_cfg_15_the_shipped_policies_are_without_fault(tmp_path: Path) -> None:
    assert problems(copied(tmp_path)) == []


def test_cfg_17_several_unknown_keys_are_told_in_order_every_time(tmp_path: Path) -> None:
    file = copied(tmp_path) / MAIN
    file.write_text(f"{file.read_text('utf-8')}zeta: 1\nalpha: 2\nmiddle: 3\n", "utf-8")
    told = [(each.span.line, each.message) for each in problems(tmp_path)]
    assert len(told) == 3
    assert told == sorted(told) == [(each.span.line, each.message) for each in problems(tmp_path)]


@pytest.mark.parametrize(
    ("engine", "variable"),
    [
        pytest.param("main", "ALPACA_API_KEY", id="ISO-02, without an engine"),
        pytest.param("exp", "ALPACA_API_KEY_MAIN", id="ISO-04, of another engine"),
        pytest.param("exp", "alpaca_key_exp", id="ISO-04, not a variable"),
    ],
)
def test_an_engine_is_given_keys_of_its_own_only(tmp_path: Path, engine: str, variable: str) -> None:
    keyed(copied(tmp_path), f"engines/{engine}.yaml", f"api_key: {variable}")
    found = problems(tmp_path)
    assert found
    assert all(each.span.file.endswith(f"{engine}.yaml") for each in found)
    if variable.isupper():
        assert any(engine.upper() in each.message for each in found)


def test_sec_8_a_bundle_holds_names_of_variables_and_never_what_is_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIN_ALPACA_KEY", "what is in it")
    keyed(copied(tmp_path), MAIN, "api_key: MAIN_ALPACA_KEY")
    bundle = main(tmp_path)
    assert bundle.keys == {"api_key": "MAIN_ALPACA_KEY"}
    assert "what is in it" not in repr(bundle.to_mapping()) + bundle.canonical_bytes.decode()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param("broker: {{id: paper, account: {}}}", "sk-proj-abcdefghijklmnopqrstuv", id="CFG-7"),
        pytest.param("# {}", "sk-abc123def456ghi789", id="CFG-7, in a comment"),
        pytest.param("broker: {{id: {}}}", "AKIAIOSFODNN7EXAMPLE", id="CFG-9"),
        pytest.param("{}: 1", "AKIAIOSFODNN7EXAMPLE", id="CFG-9, as a key"),
        pytest.param("# {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", id="CFG-9, the other half"),
        pytest.param(
            "note: |\n  -----BEGIN RSA PRIVATE KEY-----\n  {}\n  -----END RSA PRIVATE KEY-----",
            "MIIEowIBAAKCAQEA",
            id="CFG-10",
        ),
        pytest.param("extra: [one, [{}]]", "AKIAIOSFODNN7EXAMPLE", id="CFG-11"),
        pytest.param("keys: {{api_key: {}}}", "hunter2", id="a value where a name belongs"),
        pytest.param("broker: {{id: paper, token: {}}}", "hunter2", id="a key that says so"),
    ],
)
def test_a_secret_is_refused_and_never_repeated(tmp_path: Path, text: str, secret: str) -> None:
    file = copied(tmp_path) / MAIN
    file.write_text(f"{file.read_text('utf-8')}\n{text.format(secret)}\n", "utf-8")
    policies = load_policies([tmp_path])
    assert "MQK-1120" in {each.code for each in policies.diagnostics}
    told = render_text(policies.diagnostics, policies.sources) + str(render_json(policies.diagnostics))
    assert secret not in told + repr(policies)


def test_sec_6_a_mode_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    copied(tmp_path, {MAIN: ("mode: PAPER\n\n", "mode: STAGING\n\n")})
    (found,) = problems(tmp_path)
    assert (found.code, "STAGING" in found.message) == ("MQK-1105", True)


ELSEWHERE: Final[dict[str, str]] = {
    "ISO-01": "tests/backtest/test_original_cases.py::test_iso_01_engines_share_nothing",
    "ISO-05": "tests/backtest/test_original_cases.py::test_iso_05_each_engine_is_held_to_its_own_capital",
}
ANSWERED: Final[dict[str, str]] = {
    "CFG-6": "A policy without an engine binds nothing and has no hash: it is an unknown engine, said so.",
    "CFG-13": "Unknown keys are never a warning: in every mode they keep the policies from binding (CFG-14).",
    "SEC-1": "No live broker is there yet to read a key: policies carry names of variables and nothing resolves them.",
    "SEC-2": "As SEC-1: the adapter that needs a key will have to ask for it, policies only name it.",
    "SEC-4": "The paper broker is a part of mqk and needs no key; no run of today reads one.",
    "SEC-5": "A backtest reads no key: nothing in it could, by the import contracts.",
}
