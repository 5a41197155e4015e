"""`mqk policy prove` and `mqk policy graph`: claims for all inputs with their counterexamples, and pictures."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import Mqk


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
