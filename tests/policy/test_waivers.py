"""Waivers: for a while, asked for by one and approved by another, and gone everywhere on the day they end."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mqk.policy import Bundle, PolicyError, PolicySet, Severity, effective_bundle
from tests.policy.support import found, load_texts, sound_files

WAIVER = """kind: waiver
id: june
title: Index rebalancing in June
owner: risk-office
rule: CAP-01
engines: [SOUND]
scope: order.symbol == SPY
why: the index is rebalanced
requested_by: head-of-trading
approved_by: chief
effective: {from: 2026-06-01, until: 2026-07-01}
"""


def loaded(tmp_path: Path, *waivers: str, **files: str) -> PolicySet:
    written = {f"waiver{number}.yaml": text for number, text in enumerate(waivers)}
    return load_texts(tmp_path, {**sound_files(), **{f"{k}.yaml": v for k, v in files.items()}, **written})


def bundle(tmp_path: Path, as_of: date | None, *waivers: str) -> Bundle:
    policies = loaded(tmp_path, *waivers)
    assert found(policies.diagnostics) == []
    return effective_bundle(policies, "SOUND", as_of=as_of)


@pytest.mark.parametrize(
    ("day", "holds"),
    [
        (date(2026, 5, 31), False),
        (date(2026, 6, 1), True),
        (date(2026, 6, 30), True),
        (date(2026, 7, 1), False),
        (None, False),
    ],
)
def test_a_waiver_holds_from_its_first_day_to_the_day_before_its_end(
    tmp_path: Path, day: date | None, holds: bool
) -> None:
    with_it = bundle(tmp_path / "with", day, WAIVER)
    without = bundle(tmp_path / "without", day)
    waived = [each.id for rule in with_it.rules for each in rule.waivers]
    assert waived == (["june"] if holds else [])
    assert [each.id for each in with_it.waivers] == waived
    assert (with_it.sha256 == without.sha256) is not holds, "one that is over decides nothing"
    assert all(not rule.waivers for stage in with_it.stages for rule in stage.rules), "layers compare as written"
    assert with_it.at_stage(len(with_it.stages) - 1).waivers == ()


def test_a_waiver_concerns_the_engines_it_names_and_no_other(tmp_path: Path) -> None:
    other = sound_files()["engine.yaml"].replace("id: SOUND", "id: OTHER").replace("SPY, QQQ", "SPY")
    policies = loaded(tmp_path, WAIVER, other=other)
    assert found(policies.diagnostics) == []
    assert [rule.id for rule in effective_bundle(policies, "OTHER", as_of=date(2026, 6, 1)).rules if rule.waivers] == []


def test_the_scope_and_the_period_of_a_waiver_count(tmp_path: Path) -> None:
    day = date(2026, 6, 10)
    hashes = {
        bundle(tmp_path / str(number), day, text).sha256
        for number, text in enumerate(
            (
                WAIVER,
                WAIVER.replace("SPY", "QQQ"),
                WAIVER.replace("scope: order.symbol == SPY\n", ""),
                WAIVER.replace("2026-07-01", "2026-07-02"),
            )
        )
    }
    assert len(hashes) == 4
    reworded = WAIVER.replace("Index rebalancing in June", "Another title").replace("the index is", "it is")
    assert bundle(tmp_path / "again", day, reworded).sha256 in hashes


def test_ninety_days_are_the_most(tmp_path: Path) -> None:
    assert not loaded(tmp_path / "1", WAIVER.replace("2026-07-01", "2026-08-30")).errors
    assert found(loaded(tmp_path / "2", WAIVER.replace("2026-07-01", "2026-08-31")).errors) == [
        (
            "MQK-1124",
            "a waiver lasts at most 90 days, and this one 91",
            "end it on 2026-08-30 at the latest; what must last longer is a rule",
        )
    ]


@pytest.mark.parametrize("by", ["head-of-trading", "Head-Of-Trading", "HEAD-OF-TRADING"])
def test_nobody_approves_what_they_asked_for(tmp_path: Path, by: str) -> None:
    policies = loaded(tmp_path, WAIVER.replace("approved_by: chief", f"approved_by: {by}"))
    assert [each.code for each in policies.errors] == ["MQK-1125"]


@pytest.mark.parametrize("line", ["effective: {from: 2026-06-01}\n", "effective: {until: 2026-07-01}\n", ""])
def test_a_waiver_without_an_end_or_a_beginning_is_refused(tmp_path: Path, line: str) -> None:
    text = WAIVER.replace("effective: {from: 2026-06-01, until: 2026-07-01}\n", line)
    assert "MQK-1102" in {each.code for each in loaded(tmp_path, text).errors}


def refused(policies: PolicySet, day: date | None) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        effective_bundle(policies, "SOUND", as_of=day)
    return [each.code for each in caught.value.diagnostics]


def test_a_waiver_of_nothing_or_of_what_is_not_waivable_is_refused_before_it_holds(tmp_path: Path) -> None:
    firm = sound_files()["risk.yaml"].replace("    otherwise: deny\n", "    otherwise: deny\n    waivable: false\n")
    unwaivable = loaded(tmp_path / "1", WAIVER, risk=firm)
    unknown = loaded(tmp_path / "2", WAIVER.replace("CAP-01", "CAP-10"))
    for day in (date(2026, 5, 1), date(2026, 6, 1), None):
        assert refused(unwaivable, day) == ["MQK-1221"]
        assert refused(unknown, day) == ["MQK-1220"]
    assert effective_bundle(unknown, "SOUND", as_of=date(2026, 7, 1)).waivers == (), "over and done with"


def test_two_waivers_of_the_same_are_worth_a_warning(tmp_path: Path) -> None:
    again = WAIVER.replace("id: june", "id: july").replace(
        "2026-06-01, until: 2026-07-01", "2026-06-30, until: 2026-07-15"
    )
    (told,) = loaded(tmp_path / "1", WAIVER, again).diagnostics
    assert (told.code, told.severity) == ("MQK-1222", Severity.WARNING)
    after = again.replace("2026-06-30", "2026-07-01")
    elsewhere = again.replace("SPY", "QQQ")
    assert loaded(tmp_path / "2", WAIVER, after).diagnostics == ()
    assert loaded(tmp_path / "3", WAIVER, elsewhere).diagnostics == ()


def test_a_waiver_names_engines_there_are(tmp_path: Path) -> None:
    assert found(loaded(tmp_path, WAIVER.replace("[SOUND]", "[SUOND]")).errors) == [
        ("MQK-1201", "there is no engine `SUOND`", "did you mean `SOUND`?")
    ]
