"""What was promised and no longer holds is looser, however much is stopped by what broke it."""

from __future__ import annotations

from datetime import date

import pytest

from mqk.analysis.diff import Direction, compare, promises
from tests.analysis.diff.sides import desk_files, diff, edited, loaded

T, L = Direction.TIGHTER, Direction.LOOSER
POSITION = "require: projected.position_value <= limits.max_position of account.equity"
EXITS = """  - id: PROMISE-02
    title: Ways out are open
    at: order
    when: order.reduces and not run.killed
    never: [deny]
"""
INVARIANT = """invariants:
  - id: LIVE-01
    title: Armed only when the books agree
    claim: {never_reach: ARMED, when: run.mode == LIVE, without: reconcile.clean}
"""


def files() -> dict[str, str]:
    before = desk_files()
    before["promises.yaml"] += EXITS
    return before


def test_a_claim_that_a_tightening_breaks_is_looser_with_its_counterexample() -> None:
    before = files()
    after = edited(before, "risk.yaml", POSITION, POSITION + "\n    exits: {included: always}")
    found = {each.path: each for each in diff(before, after).changes}
    assert {path: each.direction for path, each in found.items()} == {
        "rules.CAP-01.exits": T,
        "claims.PROMISE-02": L,
    }
    broken = found["claims.PROMISE-02"]
    assert (broken.before, broken.after) == ("Ways out are open: proven", "Ways out are open: wrong")
    assert broken.witness is not None
    assert "`CAP-01` says `deny`" in broken.witness.text
    assert diff(before, after).engines["DESK"].verdict is Direction.INCOMPARABLE


def test_an_invariant_that_no_longer_holds_is_looser_with_its_path() -> None:
    before = desk_files()
    before["run.yaml"] += INVARIANT
    after = edited(before, "run.yaml", ", require: reconcile.clean", "")
    found = {each.path: each for each in diff(before, after).changes}
    broken = found["invariants.LIVE-01"]
    assert (broken.direction, broken.after) == (L, "Armed only when the books agree: wrong")
    assert broken.witness is not None
    assert broken.witness.path == ("CREATED -arm-> ARMED",)


def test_a_claim_that_breaks_on_a_day_to_come_is_told_with_the_day() -> None:
    before = files()
    rule = "\n    exits: {included: always}\n    effective: {from: 2026-09-01}"
    one = "\n    effective: {until: 2026-09-01}"
    at = before["risk.yaml"].index("  - id: CAP-01")
    end = before["risk.yaml"].index("  - id: ", at + 1)
    text = before["risk.yaml"][at:end].rstrip()
    both = text + one + "\n" + text.replace("id: CAP-01", "id: CAP-09") + rule + "\n"
    after = {**before, "risk.yaml": before["risk.yaml"][:at] + both + before["risk.yaml"][end:]}
    told = {each.path: each.direction for each in diff(before, after).changes if "claims" in each.path}
    assert told == {"regime.2026-09-01.claims.PROMISE-02": L}


def test_what_rests_on_nothing_that_changed_is_not_proven_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("proven again")

    monkeypatch.setattr(promises, "prove", never)
    before = files()
    for name, old, new in (
        ("bars.yaml", "outlier: 20%", "outlier: 15%"),
        ("clock.yaml", "deadman: 5s", "deadman: 4s"),
        ("risk.yaml", "title: Killed", "title: Dead"),
        ("risk.yaml", "id: KILL-01", "id: KILL-99"),
    ):
        after = edited(before, name, old, new)
        compare(loaded(before), loaded(after), as_of=date(2026, 6, 15))
