"""What must hold of any comparison: the same is equal, the way back is the mirror, and how it is written is nothing."""

from __future__ import annotations

from datetime import date

import pytest

from mqk.analysis.diff import Direction, PolicyDiff, compare
from mqk.policy.formatting import format_bytes
from tests.analysis.diff.sides import TEST, desk_files, diff, edited, loaded, only
from tests.analysis.worlds import shipped_policies

E, T, L = Direction.EQUAL, Direction.TIGHTER, Direction.LOOSER
WAIVER = """kind: waiver
id: june
title: Rebalancing
owner: risk-office
rule: CAP-01
engines: [DESK]
scope: order.symbol == SPY
why: the index is rebalanced
requested_by: head-of-trading
approved_by: chief
effective: {from: 2026-06-01, until: 2026-07-01}
"""
LEAVE = """loosen:
  - {limit: max_position, why: a test, approved_by: chief, until: 2026-08-01}
"""


def test_what_is_shipped_is_equal_to_itself_on_any_day() -> None:
    found = compare(shipped_policies(), shipped_policies(), as_of=date(2026, 6, 15))
    assert (found.verdict, found.changes) == (E, ())
    assert {point.verdict for engine in found.engines.values() for point in engine.points.values()} == {E}


def mirrored(one: PolicyDiff, other: PolicyDiff) -> None:
    assert other.verdict is one.verdict.mirrored
    ways = {(each.path, each.direction) for each in one.changes}
    assert {(each.path, each.direction.mirrored) for each in other.changes} == ways
    for name, engine in one.engines.items():
        assert other.engines[name].verdict is engine.verdict.mirrored
        for point, told in engine.points.items():
            back = other.engines[name].points[point]
            assert back.verdict is told.verdict.mirrored
            assert (told.looser is None, told.tighter is None) == (back.tighter is None, back.looser is None)


def test_the_way_back_is_the_mirror() -> None:
    before = desk_files()
    after = edited(before, "risk.yaml", "max_position: 20%", "max_position: 25%")
    after = edited(after, "risk.yaml", "rejects: 5 per 300s", "rejects: 3 per 300s")
    after = edited(after, "bars.yaml", "outlier: 20%", "outlier: 15%")
    after = edited(after, "clock.yaml", "deadman: 5s", "deadman: 7s")
    after = {**after, "june.yaml": WAIVER}
    there = diff(before, after)
    assert there.verdict is Direction.INCOMPARABLE
    mirrored(there, diff(after, before))


def rules_backwards(text: str) -> str:
    head, *rules = text.split("\n  - id: ")
    return head + "".join(f"\n  - id: {rule.rstrip()}" for rule in reversed(rules)) + "\n"


REWRITTEN = {
    "files renamed": lambda files: {f"x_{name}": text for name, text in files.items()},
    "rules in another order": lambda files: {**files, "risk.yaml": rules_backwards(files["risk.yaml"])},
    "formatted": lambda files: {name: format_bytes(text.encode(), name).after for name, text in files.items()},
    "with comments": lambda files: {name: f"# said\n{text}" for name, text in files.items()},
    "other titles": lambda files: {name: text.replace("title: ", "title: Also ") for name, text in files.items()},
    "an expression laid out otherwise": lambda files: edited(
        files, "risk.yaml", "order.value <= account.cash", "(order.value)   <=   (account.cash)"
    ),
    "a value written otherwise": lambda files: edited(files, "risk.yaml", "max_position: 20%", "max_position: 20.00%"),
    "a rationale": lambda files: edited(files, "risk.yaml", "title: Killed", "title: Dead\n    rationale: It is over."),
}


@pytest.mark.parametrize("how", REWRITTEN)
def test_how_it_is_written_is_nothing(how: str) -> None:
    before = desk_files()
    after = REWRITTEN[how](before)
    assert after != before
    found = diff(before, after)
    assert (found.verdict, found.changes) == (E, ())


def test_a_rule_a_test_and_a_case_that_merely_have_other_names_are_equal() -> None:
    before = desk_files()
    after = edited(before, "risk.yaml", "id: KILL-01", "id: KILL-99")
    found = only(diff(before, after))
    assert (found.path, found.before, found.after, found.direction) == ("rules.KILL-99", "KILL-01", "KILL-99", E)
    after = edited(before, "cases.test.yaml", "name: fifty pass", "name: fifty do pass")
    assert diff(before, after).changes == ()
    assert diff(before, edited(before, "cases.test.yaml", "id: desk_cases", "id: cases_of_desk")).changes == ()


def test_a_waiver_is_looser_while_it_holds_or_is_to_hold_and_nothing_once_it_has_ended() -> None:
    before = desk_files()
    after = {**before, "june.yaml": WAIVER}
    found = only(diff(before, after, as_of=date(2026, 6, 15)))
    assert (found.path, found.kind, found.direction) == ("waivers.june", "waiver", L)
    assert found.witness is not None
    assert found.witness.before is not None
    assert found.witness.before.rules == ("CAP-01",)
    to_come = only(diff(before, after, as_of=date(2026, 5, 1)))
    assert (to_come.path, to_come.kind, to_come.direction) == ("regime.2026-06-01.waivers.june", "regime", L)
    assert diff(before, after, as_of=date(2026, 7, 1)).verdict is E
    assert only(diff(after, before, as_of=date(2026, 6, 15))).direction is T


def test_a_waiver_that_lasts_longer_or_reaches_further_is_looser() -> None:
    before = {**desk_files(), "june.yaml": WAIVER}
    longer = only(diff(before, edited(before, "june.yaml", "until: 2026-07-01", "until: 2026-07-15")))
    assert (longer.path, longer.direction) == ("waivers.june.until", L)
    wider = only(diff(before, edited(before, "june.yaml", "scope: order.symbol == SPY\n", "")))
    assert (wider.path, wider.direction) == ("waivers.june", L)
    assert wider.witness is not None
    assert " QQQ " in wider.witness.subject


def test_a_leave_to_loosen_is_looser_and_more_so_for_longer() -> None:
    before = desk_files()
    raised = edited(before, "engine.yaml", "baseline:", "limits:\n  max_position: 25%\nbaseline:")
    after = edited(raised, "engine.yaml", "baseline:", f"{LEAVE}baseline:")
    found = diff(before, after)
    assert [(each.path, each.direction) for each in found.changes] == [
        ("limits.max_position", L),
        ("loosen.limits.max_position", L),
    ]
    longer = diff(after, edited(after, "engine.yaml", "until: 2026-08-01", "until: 2026-09-01"))
    # What it lets stand in the time that it is longer is told as well.
    assert [(each.path, each.direction) for each in longer.changes] == [
        ("loosen.limits.max_position", L),
        ("regime.2026-08-01.limits.max_position", L),
    ]


def test_a_limit_of_a_later_day_is_told_today() -> None:
    before = desk_files()
    later = before["promises.yaml"].replace("owner:", "effective: {from: 2026-09-01}\nowner:")
    early = before["promises.yaml"].replace("owner:", "effective: {until: 2026-09-01}\nowner:")
    dated = {**before, "promises.yaml": early, "later.yaml": later}
    assert diff(before, dated).verdict is E
    dropped = edited(dated, "later.yaml", "always: [deny]", "always: [deny, warn]")
    found = [each for each in diff(before, dropped).changes if each.direction is not E]
    assert [(each.path, each.direction) for each in found] == [("regime.2026-09-01.claims.PROMISE-01", L)]


def test_the_margin_regimes_differ_as_the_regulation_does_with_witnesses_both_ways() -> None:
    found = compare(
        shipped_policies(), shipped_policies(), as_of=date(2026, 6, 5), as_of_base=date(2026, 6, 3), engines={"MAIN"}
    )
    assert found.verdict is Direction.INCOMPARABLE
    order = found.engines["MAIN"].points["order"]
    assert order.looser is not None
    assert order.tighter is not None
    told = {each.path: each for each in found.changes if each.kind == "rule"}
    assert {path: each.direction for path, each in told.items()} == {
        "rules.REG-01": L,
        "rules.REG-03": L,
        "rules.REG-02": T,
        "rules.REG-02b": T,
    }
    # A fourth day trade in a small account passes now; buying into a deficit does not.
    assert told["rules.REG-01"].witness is not None
    assert told["rules.REG-01"].witness.facts["count(day_trades within 5 business_days)"] == "3"
    assert told["rules.REG-02"].tighter is not None
    assert "margin.equity" in told["rules.REG-02"].tighter.text
    for engine in ("MAIN", "EXP"):
        same = compare(shipped_policies(), shipped_policies(), as_of=date(2026, 6, 3), engines={engine})
        assert same.verdict is E
    # A broker that phases in goes on with the pattern rule: for EXP the day changes nothing.
    exp = compare(
        shipped_policies(), shipped_policies(), as_of=date(2026, 6, 5), as_of_base=date(2026, 6, 3), engines={"EXP"}
    )
    assert exp.verdict is E


def test_a_document_of_tests_that_has_gone_is_one_loosening() -> None:
    before = desk_files()
    after = {name: text for name, text in before.items() if name != "cases.test.yaml"}
    found = only(diff(before, after))
    assert (found.path, found.before, found.after, found.direction) == ("tests.desk_cases", "2 cases", None, L)
    milder = only(diff(before, edited(before, "cases.test.yaml", "expect: deny, by: CAP-01", "expect: allow")))
    assert (milder.path, milder.direction) == ("tests.desk_cases.more do not", L)
    assert TEST.count("expect: deny") == 1
    assert loaded(after).errors == ()


def test_what_another_rule_holds_back_until_a_later_day_is_looser_today() -> None:
    rule = "  - id: CAP-02\n    title: Twice\n    at: order\n    otherwise: deny\n    effective: {until: 2026-09-01}\n"
    rule += "    require: projected.position_value <= 20% of account.equity\n"
    before = edited(desk_files(), "risk.yaml", "rules:\n", f"rules:\n{rule}")
    after = edited(before, "risk.yaml", "max_position: 20%", "max_position: 40%")
    found = diff(before, after)
    assert (found.verdict, found.engines["DESK"].points["order"].verdict) == (L, E)


def test_an_engine_that_comes_goes_on_or_ends_on_a_later_day_is_told() -> None:
    before = desk_files()
    ends = edited(before, "engine.yaml", "owner: trading", "owner: trading\neffective: {until: 2027-01-01}")
    assert [(each.path, each.direction) for each in diff(ends, before).changes if each.direction is not E] == [
        ("regime.2027-01-01.engines.DESK", L)
    ]
    other = (
        before["engine.yaml"]
        .replace("id: DESK", "id: ROGUE")
        .replace("owner:", "effective: {from: 2027-01-01}\nowner:", 1)
    )
    found = diff(before, {**before, "rogue.yaml": other})
    assert (only(found).path, found.engines["ROGUE"].verdict) == ("regime.2027-01-01.engines.ROGUE", L)
