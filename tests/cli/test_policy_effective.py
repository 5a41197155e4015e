"""`mqk policy effective`: what is in force for an engine, and which line of which file says so."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import Mqk, change, line_of


def test_every_limit_is_shown_with_the_line_that_set_it(mqk: Mqk, policies: Path) -> None:
    ended = mqk("policy", "effective", "--engine", "EXP")
    assert ended.code == 0
    shown = {words[0]: words[1:] for line in ended.out.splitlines() if (words := line.split())}
    tier = policies / "profiles" / "tier_b_experimental.yaml"
    where = f"policies/profiles/{tier.name}:{line_of(tier, 'max_position:')}"
    assert shown["max_position"] == ["10%", "risk:tier_b_experimental", where]
    assert shown["rejects"][:4] == ["3", "per", "300s", "risk:tier_b_experimental"]


def test_the_text_fits_a_terminal(mqk: Mqk) -> None:
    ended = mqk("policy", "effective", "--engine", "MAIN")
    limits = ended.out.partition("\nlimits\n")[2].partition("\n\n")[0]
    assert limits
    assert "\x1b" not in ended.out


def test_why_lists_the_layers_from_the_lowest_up(mqk: Mqk, policies: Path) -> None:
    change(policies / "engines" / "main.yaml", "\nbaseline:\n", "\nlimits: {max_position: 15%}\n\nbaseline:\n")
    ended = mqk("policy", "effective", "--engine", "MAIN", "--why", "limits.max_position", "--format", "json")
    chain = ended.json["chain"]
    assert [(each["document"], each["text"]) for each in chain] == [
        ("risk:exposure", "20%"),
        ("risk:tier_a_consistent", "20%"),
        ("engine:MAIN", "15%"),
    ]
    assert chain[-1]["file"] == "policies/engines/main.yaml"
    text = mqk("policy", "effective", "--engine", "MAIN", "--why", "limits.max_position").out.splitlines()
    assert text[-1].startswith("  → engine:MAIN")
    assert text[-1].endswith(f"main.yaml:{line_of(policies / 'engines' / 'main.yaml', 'max_position: 15%')}")


def test_an_unknown_key_is_bad_input_with_a_suggestion(mqk: Mqk) -> None:
    ended = mqk("policy", "effective", "--engine", "MAIN", "--why", "limits.max_positon")
    assert (ended.code, ended.out) == (2, "")
    assert "did you mean `limits.max_position`?" in ended.err


def test_json_says_the_same_as_a_decision_about_the_bundle(mqk: Mqk) -> None:
    effective = mqk("policy", "effective", "--engine", "MAIN", "--format", "json").json
    facts = ("--at", "order", "--facts", "-", "--format", "json")
    decided = mqk("policy", "decide", "--engine", "MAIN", *facts, stdin="{}").json
    assert effective["sha256"] == decided["bundle"]


def test_policies_with_an_error_are_not_in_force(mqk: Mqk, policies: Path) -> None:
    change(policies / "profiles" / "tier_a_consistent.yaml", "max_position: 20%", "max_position: 0.2")
    ended = mqk("policy", "effective", "--engine", "MAIN")
    assert (ended.code, ended.out) == (2, "")
    assert "error[MQK-1111]" in ended.err
