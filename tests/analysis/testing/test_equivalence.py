"""Mutants that change nothing: proven, never guessed; and none of a shipped family that no case notices."""

from __future__ import annotations

from pathlib import Path

from mqk.analysis.testing import Bench, mutants, read_suites, run_suites, survivors
from mqk.analysis.testing.mutation import Judge
from mqk.policy import load_policies, shipped_policies_dir
from tests.analysis.testing.desk import RISK, desk


def told(tmp_path: Path, risk: str) -> dict[str, bool]:
    """Every mutant of a desk in words, with whether it is proven to change nothing."""
    bundle = Bench(desk(tmp_path, risk=risk)).subject("DESK").bundle
    judge = Judge(bundle)
    return {each.what: judge.equivalent(each) for each in mutants(bundle) if "KILL-01" in each.what}


def test_what_no_moment_tells_apart_is_proven_to_change_nothing(tmp_path: Path) -> None:
    risk = RISK.replace("require: not run.killed", "require: not run.killed or run.killed and order.qty < 0")
    found = told(tmp_path, risk)
    same = {words for words, proven in found.items() if proven}
    # A quantity is never below zero: whatever is asked of a killed run beside that is asked in vain.
    assert "`not run.killed` in KILL-01" in same
    assert "`not run.killed and run.killed and order.qty < 0` in KILL-01" not in same


def test_what_some_moment_tells_apart_is_a_mistake(tmp_path: Path) -> None:
    """Where a breach would only warn, or exits were judged, or another outcome followed, somebody would notice."""
    assert not any(told(tmp_path, RISK).values())


def test_a_milder_enforcement_of_a_rule_that_warns_changes_nothing(tmp_path: Path) -> None:
    at = RISK.index("otherwise: deny", RISK.index("KILL-01"))
    found = told(tmp_path, RISK[:at] + RISK[at:].replace("otherwise: deny", "otherwise: warn", 1))
    assert found["KILL-01 with `enforce: warn`"]
    assert not found["KILL-01 with `enforce: shadow`"]


def test_no_mutant_of_the_shipped_margin_rules_survives() -> None:
    """`make mutate` asks the same of every family, which takes longer."""
    bench = Bench(load_policies([shipped_policies_dir()]))
    suites, faults = read_suites(bench.policies, bench)
    assert not faults

    def margin(file: str) -> bool:
        return Path(file).parent.name == "margin"

    verdicts = run_suites([each for each in suites if margin(each.file)], bench)
    tallies = survivors(verdicts, bench, lambda mutant: margin(mutant.place.file))
    assert sum(each.total for each in tallies) > 50
    assert [str(left) for each in tallies for left in each.survivors] == []
