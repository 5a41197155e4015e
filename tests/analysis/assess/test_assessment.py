"""An assessment says what answers an obligation, and never passes over what is missing, untested, off or unproven."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mqk.analysis.assess import Counter, Evidence, to_json
from tests.analysis.assess.desk import CAPS, assessed, change, desk, told

CITING = '  - {id: HOUSE-02, title: Capital, asks: Enough of it., cites: ["15c3-5(c)(1)(i)"]}\n'
EITHER = "  - {id: HOUSE-03, title: A regime, asks: Either., controls: [CAP-01, REG-02], any_control: true}\n"
BOTH = "  - {id: HOUSE-04, title: Both, asks: Both., controls: [CAP-01, REG-02]}\n"
ELSEWHERE = """\
kind: risk
id: elsewhere
title: Bound by nobody
owner: risk-office
rules:
  - {id: REG-02, title: Another, at: order, require: order.qty >= 1, otherwise: deny}
"""
WAIVER = """\
kind: waiver
id: rebalancing
title: Rebalancing
owner: risk-office
rule: CAP-01
engines: [DESK]
why: the index is rebalanced
requested_by: head-of-trading
approved_by: chief-risk-officer
effective: {from: 2026-05-20, until: 2026-06-11}
"""
CLAIM = "\nclaims:\n  - {id: PROMISE-01, title: Nothing is denied, at: order, never: [deny]}\n"
PROMISED = "  - {id: HOUSE-05, title: A promise, asks: Freedom., claims: [PROMISE-01]}\n"


def status(policies: Path, obligation: str) -> str:
    (answer,) = [each for each in assessed(policies).answers if each.obligation.id == obligation]
    return answer.status.value


def test_a_tested_control_in_force_answers(tmp_path: Path) -> None:
    made = assessed(desk(tmp_path))
    (answer,) = made.answers
    assert (answer.status.value, answer.rules) == ("answered", ("CAP-01",))
    control = to_json(made)["controls"]["CAP-01"]["engines"][0]
    assert [(each["name"], each["value"], each["line"]) for each in control["limits"]] == [
        ("limits.max_position", "15%", 20)
    ]
    assert control["tests"] == {"pass": 1, "breach": 1, "error": 1, "failing": 0}


def test_a_rule_that_cites_the_source_answers_too(tmp_path: Path) -> None:
    (answer,) = assessed(desk(tmp_path, CITING)).answers
    assert answer.rules == ("CAP-01",)


def test_a_control_that_no_engine_has_is_a_gap_unless_another_is_enough(tmp_path: Path) -> None:
    policies = desk(tmp_path, EITHER, BOTH, elsewhere=ELSEWHERE)
    assert status(policies, "HOUSE-03") == "answered"
    assert status(policies, "HOUSE-04") == "gap"
    assert told(assessed(policies), "unanswered") == [("gap", "HOUSE-04", "no rule of control REG-02 is in force")]


def test_a_setting_that_nothing_sets_is_a_gap_and_one_that_is_set_is_shown(tmp_path: Path) -> None:
    asks = "  - {id: HOUSE-06, title: A clock, asks: One., settings: [schedule.deadman, schedule.nothing]}\n"
    made = assessed(desk(tmp_path, asks))
    assert told(made, "unanswered") == [("gap", "HOUSE-06", "nothing sets `schedule.nothing`")]
    (setting,) = to_json(made)["documents"][0]["obligations"][0]["settings"]
    assert (setting["key"], setting["value"], setting["engines"]) == ("schedule.deadman", "5s", ["DESK"])


def test_nothing_that_answers_is_a_gap_and_people_are_told_apart(tmp_path: Path) -> None:
    nothing = "  - {id: HOUSE-07, title: Nothing, asks: Something.}\n"
    people = "  - {id: HOUSE-08, title: People, asks: Care., by_hand: [somebody cares]}\n"
    policies = desk(tmp_path, nothing, people)
    assert (status(policies, "HOUSE-07"), status(policies, "HOUSE-08")) == ("gap", "people")
    assert any("things that people do" in said for said in to_json(assessed(policies))["unseen"])


def test_a_control_without_a_test_is_a_gap(tmp_path: Path) -> None:
    policies = desk(tmp_path, cases=None)
    assert ("gap", "CAP-01", "no case tests it") in told(assessed(policies), "untested")
    assert status(policies, "HOUSE-01") == "gap"


def test_a_test_that_fails_is_a_gap_of_the_rule_it_is_about(tmp_path: Path) -> None:
    policies = desk(tmp_path)
    change(policies, "caps", "order.qty: 10_000", "order.qty: 2")
    assert told(assessed(policies), "failing") == [("gap", "CAP-01", "1 case about it fail")]


@pytest.mark.parametrize(("level", "weight"), [("shadow", "gap"), ("warn", "look")])
def test_a_control_that_does_not_block_is_told(tmp_path: Path, level: str, weight: str) -> None:
    policies = desk(tmp_path)
    change(policies, "engine", "baseline:", f"enforce: {{CAP-01: {level}}}\nbaseline:")
    assert [(each[0], each[1]) for each in told(assessed(policies), level)] == [(weight, "CAP-01")]


def test_a_waiver_is_told_while_it_holds_and_once_more_when_it_ends_soon(tmp_path: Path) -> None:
    policies = desk(tmp_path, CAPS, waiver=WAIVER)
    made = assessed(policies)
    ((weight, about, message),) = told(made, "ending")
    assert (weight, about) == ("look", "CAP-01")
    assert message == "the waiver `rebalancing` of `CAP-01` ends in 10 days, on 2026-06-11"
    assert made.answers[0].status.value == "look"
    assert to_json(made)["exceptions"][0]["approved_by"] == "chief-risk-officer"
    ended = assessed(policies, as_of=date(2026, 6, 11))
    assert (told(ended, "ending"), told(ended, "waived"), to_json(ended)["exceptions"]) == ([], [], [])


def test_a_loosening_is_told_with_its_end_at_the_controls_that_rest_on_it(tmp_path: Path) -> None:
    policies = desk(tmp_path)
    leave = "loosen:\n  - {limit: max_position, why: a trial, approved_by: chief-risk-officer, until: 2026-06-02}\n"
    change(policies, "engine", "max_position: 15%", "max_position: 25%")
    change(policies, "engine", "baseline:", f"{leave}baseline:")
    made = assessed(policies)
    ((weight, about, message),) = told(made, "ending")
    assert (weight, about) == ("look", "limits.max_position")
    assert message.endswith("ends in 1 day, on 2026-06-02")
    assert [(each["what"], each["of"], each["why"]) for each in to_json(made)["exceptions"]] == [
        ("loosening", "limits.max_position", "a trial")
    ]
    (answer,) = made.answers
    assert (answer.rules, answer.status.value) == (("CAP-01",), "look")


def test_a_claim_that_does_not_hold_is_a_gap(tmp_path: Path) -> None:
    policies = desk(tmp_path, PROMISED, risk=(Path(desk(tmp_path / "a")) / "risk.yaml").read_text("utf-8") + CLAIM)
    assert told(assessed(policies), "refuted") == [("gap", "PROMISE-01", "the claim is wrong")]
    assert status(policies, "HOUSE-05") == "gap"


def evidence_of(bundle: str, *findings: dict[str, object]) -> Evidence:
    found = Evidence()
    counter = Counter("records", "backtest", "DESK", bundle)
    for number, finding in enumerate(findings):
        counter.add(found, number, "order", f"d{number}", [finding])
    found.sources.append(counter.source())
    return found


def test_how_often_a_rule_fired_and_when_last_is_told_with_errors_and_shadows_apart(tmp_path: Path) -> None:
    policies = desk(tmp_path)
    bundle = assessed(policies).bundles[0].sha256
    found = evidence_of(
        bundle,
        {"rule": "CAP-01", "result": "BREACH", "enforcement": "block"},
        {"rule": "CAP-01", "result": "ERROR", "enforcement": "shadow"},
        {"rule": "CAP-01", "result": "PASS", "enforcement": "block"},
    )
    control = to_json(assessed(policies, found))["controls"]["CAP-01"]["engines"][0]
    told_ = {key: control[key] for key in ("fired", "errors", "shadowed", "last_fired", "last_decision")}
    assert told_ == {
        "fired": 2,
        "errors": 1,
        "shadowed": 1,
        "last_fired": "1970-01-01T00:00:00.000001Z",
        "last_decision": "d1",
    }


def test_what_the_evidence_does_not_show_is_said(tmp_path: Path) -> None:
    policies = desk(tmp_path)
    assert told(assessed(policies), "no evidence")[0][0] == "look"
    bundle = assessed(policies).bundles[0].sha256
    made = assessed(policies, evidence_of(bundle, {"rule": "OTHER-01", "result": "BREACH"}))
    assert told(made, "never fired") == [("note", "evidence", "1 rules never fired: CAP-01")]
    assert "`account` and `bar`" in told(made, "not recorded")[0][2]
    assert not any("other policies" in said for said in to_json(made)["unseen"])
    stale = assessed(policies, evidence_of("0" * 64, {"rule": "CAP-01", "result": "BREACH"}))
    assert any("1 of 1 recorded decisions were made under other policies" in said for said in to_json(stale)["unseen"])


def test_obligations_have_dates_as_rules_have(tmp_path: Path) -> None:
    later = "effective: {from: 2026-07-01}\nobligations:\n"
    policies = desk(tmp_path)
    change(policies, "house", "obligations:\n", later)
    assert assessed(policies).answers == ()
    assert len(assessed(policies, as_of=date(2026, 7, 1)).answers) == 1
