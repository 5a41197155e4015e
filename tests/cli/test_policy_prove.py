"""`mqk policy prove` and `mqk policy graph`: claims for all inputs with their counterexamples, and pictures."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import Mqk, change


def test_shipped_claims_are_proven(mqk: Mqk) -> None:
    ended = mqk("policy", "prove")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("all proven\n")


def test_an_engine_that_is_not_there_is_bad_input(mqk: Mqk) -> None:
    ended = mqk("policy", "prove", "--engine", "MIAN")
    assert ended.code == 2
    assert "did you mean `MAIN`?" in ended.err


def test_a_state_machine_is_drawn_both_ways(mqk: Mqk, policies: Path) -> None:
    ended = mqk("policy", "graph", "run", "--policies", str(policies))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("stateDiagram-v2\n")
    ended = mqk("policy", "graph", "MAIN", "--format", "svg")
    assert ended.code == 0
    assert ended.out.startswith("<svg ")


def test_a_name_that_nothing_has_is_answered_with_one_that_something_has(mqk: Mqk) -> None:
    ended = mqk("policy", "graph", "rum")
    assert ended.code == 2
    assert "did you mean `run`?" in ended.err


def test_a_claim_that_is_wrong_ends_with_a_moment_in_the_units_of_the_policy(mqk: Mqk, policies: Path) -> None:
    claims = policies / "base/firm_claims.yaml"
    change(claims, "    when: order.reduces and order.qty >= 1\n", "    when: order.value <= 20_001 USD\n")
    ended = mqk("policy", "prove", "policies", "--engine", "EXP")
    assert ended.code == 1
    wrong, *shown = ended.out.splitlines()
    assert wrong.split()[:3] == ["WRONG", "EXP", "PROMISE-01"]
    assert any("order." in line or "market." in line or "account." in line for line in shown)
    assert any(line.strip().startswith("claimed at policies/base/firm_claims.yaml:") for line in shown)
    assert ended.out.splitlines()[-1].endswith(" claims, 1 not proven")
    (found,) = [each for each in mqk("policy", "prove", "policies", "--format", "json").json if each["witness"]][:1]
    assert (found["verdict"], found["kind"]) == ("REFUTED", "claim")


def test_a_way_to_running_past_the_reconciliation_is_shown_move_by_move(mqk: Mqk, policies: Path) -> None:
    change(
        policies / "lifecycle/run.yaml", "{from: HALTED, to: STOPPED, by: clear", "{from: HALTED, to: ARMED, by: clear"
    )
    ended = mqk("policy", "prove", "policies", "--engine", "MAIN")
    assert ended.code == 1
    assert "run: HALTED -clear-> ARMED -start-> RUNNING" in ended.out
