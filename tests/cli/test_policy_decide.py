"""`mqk policy decide`: one facts document in, one decision out; what is unusable blocks or is refused, never allows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import Ended, Mqk, change, line_of

ORDER = {"order.symbol": "SPY", "order.side": "BUY", "order.qty": 10, "order.worst_price": "470.12 USD"}


def decide(mqk: Mqk, facts: object, *options: str, at: str = "order", engine: str = "MAIN") -> Ended:
    text = facts if isinstance(facts, str | bytes) else json.dumps(facts)
    return mqk(
        "policy", "decide", "--engine", engine, "--at", at, "--facts", "-", "--format", "json", *options, stdin=text
    )


def test_an_ordinary_order_is_allowed(mqk: Mqk) -> None:
    ended = decide(mqk, ORDER, "--baseline")
    assert (ended.code, ended.err) == (0, "")
    assert (ended.json["outcome"], ended.json["findings"]) == ("allow", [])
    assert len(ended.json["bundle"]) == 64


def test_a_breach_says_observed_limit_headroom_and_the_line_of_the_limit(mqk: Mqk, policies: Path) -> None:
    ended = decide(mqk, {**ORDER, "order.qty": 50}, "--baseline", "--policies", str(policies))
    assert ended.code == 0
    assert ended.json["outcome"] == "deny"
    (finding,) = ended.json["findings"]
    expected = {
        "rule": "CAP-01",
        "result": "BREACH",
        "observed": "23_506 USD",
        "limit": "20_000 USD",
        "headroom": "-3_506 USD",
        "file": "policies/profiles/tier_a_consistent.yaml",
        "line": line_of(policies / "profiles" / "tier_a_consistent.yaml", "max_position:"),
    }
    assert {key: finding[key] for key in expected} == expected
    assert "23_506 USD" in finding["message"]


def test_the_text_of_a_refusal_reads_without_colour(mqk: Mqk, policies: Path) -> None:
    facts = policies.parent / "facts.yaml"
    facts.write_text("# more than a fifth\norder.qty: 50\n", "utf-8")
    ended = mqk("policy", "decide", "--engine", "MAIN", "--at", "order", "--facts", "facts.yaml", "--baseline")
    bundle = decide(mqk, ORDER, "--baseline").json["bundle"][:12]
    line = line_of(policies / "profiles" / "tier_a_consistent.yaml", "max_position:")
    assert ended.out == (
        f"deny at order of MAIN  (bundle {bundle})\n"
        "  BREACH → deny  CAP-01  No symbol dominates the book\n"
        "    `projected.position_value` is 23_506 USD, must be at most 20_000 USD"
        " (`limits.max_position of projected.equity`)\n"
        "    observed 23_506 USD, limit 20_000 USD, headroom -3_506 USD\n"
        f"    set in policies/profiles/tier_a_consistent.yaml:{line} by risk:tier_a_consistent\n"
    )


def test_all_shows_the_rules_that_pass(mqk: Mqk) -> None:
    findings = decide(mqk, ORDER, "--baseline", "--all").json["findings"]
    assert {"CAP-01", "KILL-01", "ORD-11"} <= {each["rule"] for each in findings}
    assert {each["result"] for each in findings} == {"PASS"}


def test_facts_left_out_are_missing_and_missing_blocks(mqk: Mqk) -> None:
    ended = decide(mqk, ORDER)
    assert (ended.code, ended.json["outcome"]) == (0, "deny")
    assert {each["result"] for each in ended.json["findings"]} == {"ERROR"}


@pytest.mark.parametrize("fact", ["order.qty", "order.side", "account.equity", "run.killed", "run.posture"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "1.5", "null", "[1]", "{}", '"twelve"', "1e400", "9" * 5000, '""']
)
def test_a_fact_turned_into_anything_unusable_never_allows(mqk: Mqk, fact: str, value: str) -> None:
    rest = json.dumps(ORDER | {"run.killed": False})[1:-1]
    given = ", ".join(pair for pair in rest.split(", ") if fact not in pair)
    ended = decide(mqk, f'{{{given}, "{fact}": {value}}}', "--baseline")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["outcome"] == "deny"


def test_yaml_and_json_documents_decide_alike(mqk: Mqk) -> None:
    lines = "".join(f"{name}: {value}\n" for name, value in ORDER.items())
    assert decide(mqk, lines, "--baseline").json == decide(mqk, ORDER, "--baseline").json


def test_a_yaml_value_that_is_no_scalar_blocks(mqk: Mqk) -> None:
    for value in ("[10]", "{shares: 10}", ".nan", "", "~"):
        ended = decide(mqk, f"order.qty: {value}\n", "--baseline")
        assert (ended.code, ended.json["outcome"]) == (0, "deny")


def test_given_facts_win_over_the_baseline(mqk: Mqk) -> None:
    assert decide(mqk, {"run.killed": True}, "--baseline").json["findings"][0]["rule"] == "KILL-01"
    rejects = {"count(rejects within 5m)": 5}
    assert decide(mqk, rejects, "--baseline", at="account").json["findings"][0]["rule"] == "RATE-05"


def test_every_point_can_be_asked(mqk: Mqk) -> None:
    for at in ("order", "account", "bar", "feed", "transition"):
        assert decide(mqk, {}, "--baseline", at=at).json["outcome"] == "allow"


UNUSABLE: list[tuple[Any, str]] = [
    ({"order.qyt": 1}, "did you mean `order.qty`?"),
    ({"bar.close": "1 USD"}, "does not exist at `order`"),
    ({"order.value": "1 USD"}, "is computed"),
    ("[1, 2]", "not a mapping"),
    ("17", "not a mapping"),
    ("", "not a mapping"),
    ("{", "not JSON"),
    ('{"order.qty": 1, "order.qty": 1000}', "`order.qty` twice"),
    ("order.qty: 1\norder.qty: 1000\n", "written twice"),
    ("order.qty: &a 1\n", "an anchor"),
    ("order.qty: 1\n---\norder.qty: 2\n", "second document"),
    ("[" * 100_000, "nested too deep"),
    (b'{"order.symbol": "\xff"}', "not UTF-8"),
    (b"order.symbol: \xff\n", "not UTF-8"),
]


@pytest.mark.parametrize(("document", "words"), UNUSABLE, ids=[words for _, words in UNUSABLE])
def test_an_unusable_document_is_refused_with_its_reason(mqk: Mqk, document: Any, words: str) -> None:
    ended = decide(mqk, document, "--baseline")
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_text_that_no_terminal_can_show_is_told_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text('{"order.symbol": "\\ud800"}', "utf-8")
    command = [sys.executable, "-c", "from mqk.cli.main import run; run()", "policy", "decide", "--engine", "MAIN"]
    command += ["--at", "order", "--facts", "facts.json", "--baseline", "--format", "json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(done.stdout)["outcome"] == "deny"


def test_a_file_that_cannot_be_read_is_bad_input(mqk: Mqk, tmp_path: Path) -> None:
    for file in ("nowhere.json", str(tmp_path)):
        ended = mqk("policy", "decide", "--engine", "MAIN", "--at", "order", "--facts", file)
        assert (ended.code, ended.out) == (2, "")
        assert "cannot be read" in ended.err


def test_an_unknown_engine_is_bad_input_with_a_suggestion(mqk: Mqk) -> None:
    ended = decide(mqk, ORDER, engine="MIAN")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean `MAIN`?" in ended.err


def test_an_unknown_point_is_bad_input(mqk: Mqk) -> None:
    ended = decide(mqk, ORDER, at="ordr")
    assert (ended.code, ended.out) == (2, "")
    assert "order" in ended.err


def test_policies_with_an_error_decide_nothing(mqk: Mqk, policies: Path) -> None:
    base = policies / "controls" / "operations.yaml"
    change(base, "not run.killed", "not run.kiled")
    ended = decide(mqk, ORDER, "--baseline", "--policies", "policies")
    assert (ended.code, ended.out) == (2, "")
    assert f"operations.yaml:{line_of(base, 'run.kiled')}:18: error[MQK-1302]" in ended.err
    assert "^^^^^^^^^" in ended.err


def test_a_day_that_is_no_day_is_bad_input(mqk: Mqk) -> None:
    assert decide(mqk, ORDER, "--as-of", "2026-06-04").code == 0
    ended = decide(mqk, ORDER, "--as-of", "June")
    assert (ended.code, ended.out) == (2, "")


def test_a_dated_rule_counts_only_on_its_days(mqk: Mqk, policies: Path) -> None:
    change(
        policies / "controls" / "operations.yaml",
        "    require: not run.killed\n",
        "    effective: {from: 2026-01-01}\n    require: not run.killed\n",
    )
    killed = {"run.killed": True}
    assert decide(mqk, killed, "--baseline", "--as-of", "2025-12-31").json["outcome"] == "allow"
    assert decide(mqk, killed, "--baseline", "--as-of", "2026-01-01").json["outcome"] == "deny"
