"""Engines at one desk: parts of the capital, symbols and keys that nobody shares unseen, and claims about them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mqk.policy import PolicyError, PolicySet, effective_bundle
from mqk.quantity import Money
from tests.policy.support import found, load_texts, sound_files

DESK = """kind: allocation
id: desk
title: The desk's capital
owner: risk-office
capital: 125_000 USD
engines:
  SOUND: {capital: 100_000 USD, symbols: [SPY, QQQ]}
  OTHER: {capital: 25_000 USD, symbols: [IWM]}
exclusive_symbols: true
"""
ENGINE = sound_files()["engine.yaml"].replace(
    "schedule: [sound_clock]", "schedule: [sound_clock]\n  allocation: [desk]"
)
OTHER = ENGINE.replace("id: SOUND", "id: OTHER").replace("100_000", "25_000").replace("SPY, QQQ", "IWM")
KEYS = "keys: {api_key: MAIN_SOUND_KEY, api_secret: SOUND_SECRET}\n"


def loaded(tmp_path: Path, *, desk: str = DESK, engine: str = ENGINE, other: str = OTHER) -> PolicySet:
    return load_texts(tmp_path, {**sound_files(), "desk.yaml": desk, "engine.yaml": engine, "other.yaml": other})


def codes(policies: PolicySet, engine: str = "SOUND") -> list[str]:
    if policies.errors:
        return [each.code for each in policies.errors]
    with pytest.raises(PolicyError) as caught:
        effective_bundle(policies, engine)
    return [each.code for each in caught.value.diagnostics]


def test_an_engine_knows_its_part(tmp_path: Path) -> None:
    policies = loaded(tmp_path)
    assert found(policies.diagnostics) == []
    part = effective_bundle(policies, "SOUND").allocation
    assert part is not None
    assert (part.part, part.capital) == (Money(100_000_000_000), Money(125_000_000_000))
    assert part.symbols == ("QQQ", "SPY")
    alone = load_texts(tmp_path / "alone", sound_files())
    assert effective_bundle(alone, "SOUND").allocation is None


def test_the_parts_add_up_to_what_there_is(tmp_path: Path) -> None:
    assert found(loaded(tmp_path / "1", desk=DESK.replace("125_000", "124_999")).errors) == [
        (
            "MQK-1224",
            "the engines' parts add up to 125_000 USD, and there is 124_999 USD",
            "lower the parts, or raise the capital",
        )
    ]
    assert codes(loaded(tmp_path / "2", desk=DESK.replace("25_000 USD, s", "25_000 EUR, s"))) == ["MQK-1224"]


def test_an_engine_keeps_within_its_part(tmp_path: Path) -> None:
    assert codes(loaded(tmp_path / "1", engine=ENGINE.replace("capital: 100_000", "capital: 100_001"))) == ["MQK-1225"]
    assert codes(loaded(tmp_path / "2", engine=ENGINE.replace("[SPY, QQQ]", "[SPY, DIA]"))) == ["MQK-1226"]
    nobody = DESK.replace("  SOUND: {capital: 100_000 USD, symbols: [SPY, QQQ]}\n", "")
    assert codes(loaded(tmp_path / "3", desk=nobody)) == ["MQK-1225"]
    stranger = DESK.replace("  OTHER:", "  OHTER:")
    assert codes(loaded(tmp_path / "4", desk=stranger)) == ["MQK-1201"]


def test_symbols_are_exclusive_where_the_allocation_says_so(tmp_path: Path) -> None:
    shared = DESK.replace("[IWM]", "[IWM, SPY]")
    assert codes(loaded(tmp_path / "1", desk=shared)) == ["MQK-1227"]
    assert loaded(tmp_path / "2", desk=shared.replace("exclusive_symbols: true\n", "")).errors == ()
    free = DESK.replace(", symbols: [SPY, QQQ]", "").replace(", symbols: [IWM]", "")
    assert loaded(tmp_path / "3", desk=free).errors == ()
    both = loaded(tmp_path / "4", desk=free, other=OTHER.replace("[IWM]", "[IWM, QQQ]"))
    assert codes(both) == ["MQK-1227"], "an engine that is not confined counts with its universe"


def test_an_allocation_that_is_not_in_force_binds_nobody_by_chance(tmp_path: Path) -> None:
    policies = loaded(tmp_path, desk=DESK + "effective: {from: 2026-06-04}\n")
    assert effective_bundle(policies, "SOUND", as_of=date(2026, 6, 4)).allocation is not None
    with pytest.raises(PolicyError) as caught:
        effective_bundle(policies, "SOUND", as_of=date(2026, 6, 3))
    assert [each.code for each in caught.value.diagnostics] == ["MQK-1210"]


def test_keys_are_names_that_carry_the_engine_and_belong_to_it_alone(tmp_path: Path) -> None:
    policies = loaded(tmp_path / "1", engine=ENGINE + KEYS)
    assert found(policies.diagnostics) == []
    bundle = effective_bundle(policies, "SOUND")
    assert bundle.keys == {"api_key": "MAIN_SOUND_KEY", "api_secret": "SOUND_SECRET"}
    assert bundle.sha256 == effective_bundle(loaded(tmp_path / "2"), "SOUND").sha256
    assert codes(loaded(tmp_path / "3", engine=ENGINE + KEYS.replace("SOUND_SECRET", "UNSOUND_SECRET"))) == ["MQK-1122"]
    twice = KEYS.replace("SOUND_SECRET", "MAIN_SOUND_KEY")
    assert codes(loaded(tmp_path / "4", engine=ENGINE + twice)) == ["MQK-1122"]
    both = KEYS.replace("MAIN_SOUND_KEY", "SOUND_OTHER_KEY")
    assert codes(loaded(tmp_path / "5", engine=ENGINE + both, other=OTHER + "keys: {k: SOUND_OTHER_KEY}\n")) == [
        "MQK-1228"
    ]


def test_the_broker_counts(tmp_path: Path) -> None:
    paper = effective_bundle(loaded(tmp_path / "1", engine=ENGINE + "broker: {id: paper}\n"), "SOUND")
    assert paper.broker is not None
    assert (paper.broker.id, paper.broker.account) == ("paper", None)
    assert paper.sha256 != effective_bundle(loaded(tmp_path / "2"), "SOUND").sha256


def test_a_claim_is_about_outcomes_and_engines_there_are(tmp_path: Path) -> None:
    claim = "claims:\n  - {id: CLAIM-01, title: A claim, at: order, when: order.reduces, never: [deny]}\n"
    bundle = effective_bundle(loaded(tmp_path / "1", engine=ENGINE + claim), "SOUND")
    assert [(each.id, each.never) for each in bundle.claims] == [("CLAIM-01", ("deny",))]
    assert bundle.sha256 == effective_bundle(loaded(tmp_path / "2"), "SOUND").sha256, "a claim decides nothing"
    assert codes(loaded(tmp_path / "3", engine=ENGINE + claim.replace("[deny]", "[halt]"))) == ["MQK-1123"]
    compared = "claims:\n  - {id: CLAIM-01, title: A claim, at: order, engine: SOUND, no_more_permissive_than: OTHER}\n"
    assert effective_bundle(loaded(tmp_path / "4", engine=ENGINE + compared), "SOUND").claims[0].than == "OTHER"
    assert codes(loaded(tmp_path / "5", engine=ENGINE + compared.replace("OTHER", "OHTER"))) == ["MQK-1201"]
    assert codes(loaded(tmp_path / "6", engine=ENGINE + compared.replace("OTHER", "SOUND"))) == ["MQK-1123"]
