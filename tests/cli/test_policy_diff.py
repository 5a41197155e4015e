"""`mqk policy diff`: what a change of policies means, for people, for programs and by the exit code."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cli.shell import Mqk, change


def test_a_raised_limit_is_looser_with_an_order_that_flips(mqk: Mqk, policies: Path) -> None:
    shutil.copytree(policies, policies.parent / "before")
    change(policies / "profiles/tier_a_consistent.yaml", "max_position: 20%", "max_position: 25%")
    ended = mqk("policy", "diff", "before", "--engine", "MAIN")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("LOOSER: something may pass that was stopped")
    assert "LOOSER limits.max_position (MAIN)\n  20% -> 25%\n" in ended.out
    assert "before/profiles/tier_a_consistent.yaml:10 -> policies/profiles/tier_a_consistent.yaml:10" in ended.out
    assert "BUY 43 SPY at 470.12 USD: was denied by CAP-01" in ended.out
    assert mqk("policy", "diff", "before", "--engine", "MAIN", "--fail-on", "looser").code == 1
    assert mqk("policy", "diff", "policies", "before", "--fail-on", "looser").code == 0
