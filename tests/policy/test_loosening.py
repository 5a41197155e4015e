"""Layers that loosen: only as written, by somebody else, for a while; what every layer leaves is kept to compare."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from mqk.policy import Bundle, PolicyError, PolicySet, effective_bundle, load_policies
from mqk.quantity import parse_ratio
from tests.policy.support import found, load_texts, sound_files
from tests.policy.test_layers import risk, rule, using

DAY = date(2026, 6, 1)
LEAVE = "loosen:\n  - {{{what}, why: a reason, approved_by: {by}, until: {until}}}\n"


def leave(what: str, *, by: str = "chief", until: str = "2026-07-01") -> str:
    return LEAVE.format(what=what, by=by, until=until)


def loaded(tmp_path: Path, **files: str) -> PolicySet:
    return load_texts(tmp_path, {**sound_files(), **{f"{name}.yaml": text for name, text in files.items()}})


def bundle(tmp_path: Path, as_of: date | None = DAY, **files: str) -> Bundle:
    policies = loaded(tmp_path, **files)
    assert found(policies.diagnostics) == []
    return effective_bundle(policies, "SOUND", as_of=as_of)


def refused(tmp_path: Path, as_of: date | None = DAY, **files: str) -> list[tuple[str, str, str | None]]:
    policies = loaded(tmp_path, **files)
    if policies.errors:
        return found(policies.diagnostics)
    with pytest.raises(PolicyError) as caught:
        effective_bundle(policies, "SOUND", as_of=as_of)
    return found(caught.value.diagnostics)


LOOSER = {
    "a": risk("a", "extends: [sound_risk]\nlimits: {daily_loss: 3%}\n" + leave("limit: daily_loss")),
    "engine": using("a"),
}


def test_what_a_layer_loosens_falls_out_on_the_day_its_leave_ends(tmp_path: Path) -> None:
    last = bundle(tmp_path / "1", date(2026, 6, 30), **LOOSER)
    assert last.limits["daily_loss"].value == parse_ratio("3%")
    assert [each.target for each in last.loosened] == ["limits.daily_loss"]
    for number, day in enumerate((date(2026, 7, 1), date(2030, 1, 1), None)):
        ended = bundle(tmp_path / f"e{number}", day, **LOOSER)
        assert ended.limits["daily_loss"].value == parse_ratio("2%"), "the layer beneath counts again"
        assert ended.loosened == ()
        assert [each.text for each in ended.not_in_force] == ["3% (loosened until 2026-07-01)"]
        assert ended.provenance("limits.daily_loss")[-1].document == "risk:sound_risk"


def test_a_level_of_enforcement_that_an_engine_loosens_falls_out_as_well(tmp_path: Path) -> None:
    engine = sound_files()["engine.yaml"] + leave("rule: LOSS-01")
    levels = {
        day: next(
            each.enforce for each in bundle(tmp_path / str(day), day, engine=engine).rules if each.id == "LOSS-01"
        )
        for day in (date(2026, 6, 30), date(2026, 7, 1))
    }
    assert list(levels.values()) == ["shadow", "block"]


def test_rules_names_and_tables_that_were_loosened_fall_out(tmp_path: Path) -> None:
    table = (
        "tables:\n  - id: band\n    title: Band\n    input: {{price: market.price}}\n    output: {{band: ratio}}\n"
        "    rows: [{{price: below 3 USD, band: {low}}}, {{price: at least 3 USD, band: 5%}}]\n"
    )
    base = "extends: [sound_risk]\nlet: {loss: account.equity}\nrules:\n" + rule("order.qty >= 2")
    over = "extends: [a]\nlet: {loss: account.cash}\nrules:\n" + rule("order.qty >= 1")
    leaves = leave("rule: ORD-01") + LEAVE.format(what="let: loss", by="c", until="2026-07-01").partition("\n")[2]
    leaves += LEAVE.format(what="table: band", by="c", until="2026-07-01").partition("\n")[2]
    files = {
        "a": risk("a", base + table.format(low="20%")),
        "b": risk("b", over + table.format(low="30%") + leaves),
        "engine": using("b"),
    }
    for day, asked, meant, low in (
        (date(2026, 6, 30), "order.qty >= 1", "account.cash", "30%"),
        (date(2026, 7, 1), "order.qty >= 2", "account.equity", "20%"),
    ):
        now = bundle(tmp_path / str(day), day, **files)
        assert next(each for each in now.rules if each.id == "ORD-01").require.text == asked
        assert now.lets["loss"].text.text == meant
        assert now.tables["band"].rows[0].outputs["band"].text == low


@pytest.mark.parametrize("by", ["risk-office", "Risk-Office", " RISK-OFFICE ", "risk office", "risk_office."])
def test_nobody_approves_a_loosening_of_their_own_document(tmp_path: Path, by: str) -> None:
    body = "extends: [sound_risk]\nlimits: {daily_loss: 3%}\n" + leave("limit: daily_loss", by=f'"{by}"')
    (fault,) = refused(tmp_path, a=risk("a", body), engine=using("a"))
    assert fault[0] == "MQK-1125"


def test_a_loosening_of_nothing_is_refused(tmp_path: Path) -> None:
    silent = risk("a", "extends: [sound_risk]\nlimits: {max_net: 60%}\n" + leave("limit: daily_loss"))
    assert [code for code, *_ in refused(tmp_path / "1", a=silent, engine=using("a"))] == ["MQK-1126"]
    lowest = risk("a", "limits: {max_net: 60%}\n" + leave("limit: max_net"))
    assert "MQK-1219" in [code for code, *_ in refused(tmp_path / "2", a=lowest, engine=using("a"))]
    unasked = risk("a", "extends: [sound_risk]\n" + leave("mandatory: max_gross"))
    assert [code for code, *_ in refused(tmp_path / "3", a=unasked, engine=using("a"))] == ["MQK-1219"]


def test_a_mandatory_limit_is_set_or_loosened_until_a_day(tmp_path: Path) -> None:
    base = risk("a", "extends: [sound_risk]\nmandatory: [max_position, max_gross]\n")
    assert refused(tmp_path / "1", a=base, engine=using("a")) == [
        (
            "MQK-1223",
            "`SOUND` does not set the mandatory limit `max_gross`",
            "set it, or loosen it with why, by whom approved and until when",
        )
    ]
    engine = using("a") + leave("mandatory: max_gross")
    assert bundle(tmp_path / "2", date(2026, 6, 30), a=base, engine=engine).mandatory.keys() == {
        "max_position",
        "max_gross",
    }
    assert [code for code, *_ in refused(tmp_path / "3", date(2026, 7, 1), a=base, engine=engine)] == ["MQK-1223"]
    replaced = risk("b", "extends: [a]\nmandatory: [max_position]\n")
    assert refused(tmp_path / "4", a=base, b=replaced, engine=using("b"))[0][0] == "MQK-1223", "never made less"


def test_every_layer_leaves_a_stage_and_the_last_is_what_rules(tmp_path: Path) -> None:
    softer = rule("order.qty >= 1", more="    enforce: shadow\n    exits: {included: why}\n").replace("deny", "warn")
    files = {
        "a": risk("a", "extends: [sound_risk]\nlimits: {daily_loss: 1%}\nrules:\n" + rule("order.qty >= 1")),
        "b": risk("b", "extends: [a]\nlimits: {daily_loss: 3%}\nrules:\n" + softer),
        "engine": using("b"),
    }
    whole = bundle(tmp_path, **files)
    named = [each.document for each in whole.stages]
    assert named == ["risk:sound_risk", "risk:a", "risk:b", "integrity:sound_bars", "engine:SOUND"]
    losses = [each.limits["daily_loss"].text for each in whole.stages]
    assert losses == ["2%", "1%", "3%", "3%", "3%"]
    levels = [{each.id: each.enforce for each in stage.rules} for stage in whole.stages]
    assert [each.get("ORD-01") for each in levels] == [None, "block", "shadow", "shadow", "shadow"]
    assert [each["LOSS-01"] for each in levels] == ["block"] * 4 + ["shadow"]
    changed = [next(each for each in stage.rules if each.id == "ORD-01") for stage in whole.stages[1:3]]
    assert [each.exits_included for each in changed] == [False, True]
    assert [each.otherwise for each in changed] == ["deny", "warn"]
    assert whole.stages[-1].limits == whole.limits
    assert whole.stages[-1].rules == whole.rules
    below = whole.at_stage(1)
    assert below.limits["daily_loss"].text == "1%"
    assert below.at_stage(1).sha256 == below.sha256 != whole.sha256
    assert whole.at_stage(len(whole.stages) - 1).sha256 == whole.sha256


def test_a_confirmation_raised_or_a_latch_shortened_shows_in_the_stages(tmp_path: Path) -> None:
    loss = sound_files()["risk.yaml"].split("  - id: LOSS-01\n")[1]
    longer = "  - id: LOSS-01\n" + loss.replace("3 ticks", "30 ticks").replace("    latch: {until: session_end}", "")
    whole = bundle(tmp_path, a=risk("a", "extends: [sound_risk]\nrules:\n" + longer + "\n"), engine=using("a"))
    first, second = (next(each for each in stage.rules if each.id == "LOSS-01") for stage in whole.stages[:2])
    assert (first.confirm, second.confirm) == (3, 30)
    assert (first.latch is not None, second.latch) == (True, None)


def test_a_rule_that_ends_in_one_layer_and_begins_later_in_another_leaves_a_hole(tmp_path: Path) -> None:
    early = rule("order.qty >= 1", more="    effective: {until: 2026-06-04}\n")
    late = rule("order.qty >= 1", more="    effective: {from: 2026-07-01}\n")
    files = {
        "a": risk("a", "extends: [sound_risk]\nrules:\n" + early),
        "b": risk("b", "extends: [a]\nrules:\n" + late),
        "engine": using("b"),
    }
    wanted = (
        "MQK-1206",
        "no layer has `ORD-01` in force from 2026-06-04 until 2026-07-01",
        "begin this one on 2026-06-04",
    )
    for day in (date(2026, 6, 3), date(2026, 6, 4), date(2026, 7, 1), None):
        assert refused(tmp_path / str(day), day, **files) == [wanted]
    files["b"] = risk("b", "extends: [a]\nrules:\n" + late.replace("2026-07-01", "2026-06-04"))
    for day in (date(2026, 6, 4) + timedelta(step) for step in (-1, 0, 1)):
        assert "ORD-01" in {each.id for each in bundle(tmp_path / f"ok{day}", day, **files).rules}


def test_what_one_layer_makes_not_waivable_stays_so(tmp_path: Path) -> None:
    files = {
        "a": risk("a", "extends: [sound_risk]\nrules:\n" + rule("order.qty >= 1", more="    waivable: false\n")),
        "b": risk("b", "extends: [a]\nrules:\n" + rule("order.qty >= 2")),
        "engine": using("b"),
    }
    assert not next(each for each in bundle(tmp_path / "1", **files).rules if each.id == "ORD-01").waivable
    files["b"] = risk("b", "extends: [a]\nrules:\n" + rule("order.qty >= 2", more="    waivable: true\n"))
    assert [code for code, *_ in refused(tmp_path / "2", **files)] == ["MQK-1221"]


def test_a_document_never_extends_one_of_another_kind(tmp_path: Path) -> None:
    files = {"a": risk("a", "extends: [sound_bars]\n"), "engine": using("a")}
    assert [code for code, *_ in refused(tmp_path, **files)] == ["MQK-1202"]


def test_a_letter_that_only_looks_the_same_makes_nobody_else(tmp_path: Path) -> None:
    by = "risk-\N{CYRILLIC SMALL LETTER O}ffice"
    body = "extends: [sound_risk]\nlimits: {daily_loss: 3%}\n" + leave("limit: daily_loss", by=by)
    (fault,) = refused(tmp_path, a=risk("a", body), engine=using("a"))
    assert fault == ("MQK-1106", f"`{by}` mixes letters of several alphabets", "write the name in one alphabet")
    honest = body.replace(by, "\N{CYRILLIC CAPITAL LETTER O}\N{CYRILLIC SMALL LETTER EL}\N{CYRILLIC SMALL LETTER HA}")
    assert bundle(tmp_path / "2", a=risk("a", honest), engine=using("a")).loosened


def test_a_policy_is_not_left_out_for_the_capitals_in_its_name(tmp_path: Path) -> None:
    load_texts(tmp_path, {"A.YAML": risk("a", "limits: {max_positon: 1%}\n")})
    assert [each.code for each in load_policies([tmp_path]).errors] == ["MQK-1101"]
