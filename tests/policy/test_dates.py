"""Effective dates: the rules of the day are the rules that bind, with neither gap nor overlap between versions."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.policy import Bundle, PolicyError, PolicySet, effective_bundle
from mqk.policy.dates import Period, in_force
from mqk.quantity import parse_ratio
from tests.policy.support import found, load_texts, sound_files
from tests.policy.test_layers import risk, rule, using

CHANGE = date(2026, 6, 4)


def two_regimes() -> dict[str, str]:
    return {
        **sound_files(),
        "old.yaml": risk("regime", "effective: {until: 2026-06-04}\nlimits: {day_trades: 3 trades}\n"),
        "new.yaml": risk("regime", "effective: {from: 2026-06-04}\nlimits: {intraday_margin: 25%}\n"),
        "engine.yaml": using("sound_risk", "regime"),
    }


def names(bundle: Bundle) -> set[str]:
    return {name for name in bundle.limits if name in {"day_trades", "intraday_margin"}}


def test_the_version_of_the_day_binds(tmp_path: Path) -> None:
    policies = load_texts(tmp_path, two_regimes())
    assert found(policies.diagnostics) == []
    assert names(effective_bundle(policies, "SOUND", as_of=date(2026, 6, 3))) == {"day_trades"}
    assert names(effective_bundle(policies, "SOUND", as_of=CHANGE)) == {"intraday_margin"}
    assert names(effective_bundle(policies, "SOUND")) == {"intraday_margin"}, "without a day, the latest"


def test_a_document_keeps_its_versions_in_order(tmp_path: Path) -> None:
    policies = load_texts(tmp_path, two_regimes())
    versions = policies.versions["risk", "regime"]
    assert [each.effective for each in versions] == [(None, CHANGE), (CHANGE, None)]
    assert policies.documents["risk", "regime"] is versions[-1]


def test_an_ended_document_falls_out_and_says_so_while_its_floor_stays(tmp_path: Path) -> None:
    files = {
        **sound_files(),
        "a.yaml": risk("a", "extends: [sound_risk]\neffective: {until: 2026-06-04}\nlimits: {max_net: 50%}\n"),
        "engine.yaml": using("a"),
    }
    policies = load_texts(tmp_path, files)
    before = effective_bundle(policies, "SOUND", as_of=date(2026, 6, 3))
    after = effective_bundle(policies, "SOUND", as_of=CHANGE)
    assert "max_net" in before.limits
    assert "max_net" not in after.limits
    assert after.limits["daily_loss"].value == parse_ratio("2%")
    assert [each.document for each in after.not_in_force] == ["risk:a"]
    assert before.not_in_force == ()


def test_a_dated_rule_binds_in_its_time(tmp_path: Path) -> None:
    body = "rules:\n" + rule("order.qty >= 1", more="    effective: {until: 2026-06-04}\n")
    body += rule("order.qty >= 2", more="    effective: {from: 2026-06-04, until: 2026-07-01}\n")
    policies = load_texts(
        tmp_path, {**sound_files(), "a.yaml": risk("a", body), "engine.yaml": using("sound_risk", "a")}
    )
    assert found(policies.diagnostics) == []

    def required(day: date | None) -> list[str]:
        rules = effective_bundle(policies, "SOUND", as_of=day).rules
        return [each.require.text for each in rules if each.id == "ORD-01"]

    assert required(date(2026, 1, 1)) == ["order.qty >= 1"]
    assert required(CHANGE) == ["order.qty >= 2"]
    assert required(date(2026, 7, 1)) == []
    assert required(None) == ["order.qty >= 2"]


def test_a_later_layers_rule_that_has_ended_uncovers_the_earlier(tmp_path: Path) -> None:
    files = {
        **sound_files(),
        "a.yaml": risk("a", f"rules:\n{rule('order.qty >= 1')}"),
        "b.yaml": risk("b", f"rules:\n{rule('order.qty >= 2', more='    effective: {until: 2026-06-04}' + chr(10))}"),
        "engine.yaml": using("sound_risk", "a", "b"),
    }
    policies = load_texts(tmp_path, files)
    (uncovered,) = [each for each in effective_bundle(policies, "SOUND", as_of=CHANGE).rules if each.id == "ORD-01"]
    assert uncovered.require.text == "order.qty >= 1"


def faults(tmp_path: Path, first: str, second: str) -> list[tuple[str, str, str | None]]:
    policies: PolicySet = load_texts(
        tmp_path, {"a.yaml": risk("a", f"effective: {first}\n"), "b.yaml": risk("a", f"effective: {second}\n")}
    )
    return found(policies.diagnostics)


def test_versions_of_a_document_neither_overlap_nor_leave_a_gap(tmp_path: Path) -> None:
    assert faults(tmp_path / "1", "{until: 2026-06-04}", "{from: 2026-06-04}") == []
    assert faults(tmp_path / "2", "{until: 2026-06-04}", "{from: 2026-06-03}") == [
        ("MQK-1205", "two versions of `a` are in force at once", "give the earlier one `until: 2026-06-03`")
    ]
    assert faults(tmp_path / "3", "{until: 2026-06-04}", "{from: 2026-06-05}") == [
        ("MQK-1206", "no version of `a` is in force from 2026-06-04 until 2026-06-05", "begin this one on 2026-06-04")
    ]


def test_an_engine_without_anything_in_force_is_refused(tmp_path: Path) -> None:
    files = {**sound_files(), "clock.yaml": sound_files()["clock.yaml"] + "effective: {from: 2026-06-04}\n"}
    files["engine.yaml"] += "effective: {from: 2026-01-01}\n"
    policies = load_texts(tmp_path, files)
    for day, message in (
        (date(2026, 6, 3), "no `schedule` document that `SOUND` uses is in force on 2026-06-03"),
        (date(2025, 12, 31), "no version of engine `SOUND` is in force on 2025-12-31"),
    ):
        with pytest.raises(PolicyError) as caught:
            effective_bundle(policies, "SOUND", as_of=day)
        assert ("MQK-1210", message, None) in found(caught.value.diagnostics)


DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))


@given(st.lists(DAYS, unique=True, max_size=5).map(sorted), DAYS)
def test_of_versions_end_to_end_exactly_one_is_in_force(changes: list[date], day: date) -> None:
    bounds: list[date | None] = [None, *changes, None]
    versions = [Period(start, end) for start, end in pairwise(bounds)]
    current = in_force(versions, lambda each: each, day)
    assert [each for each in versions if each.holds_on(day)] == [current]
    assert in_force(versions, lambda each: each, None) == versions[-1]
