"""State machines make sense: every state is reached and left, every command is clear, invariants hold on every path."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mqk.analysis.lifecycle import faults, invariants
from mqk.analysis.verdicts import Verdict
from mqk.policy import Bundle, LifecycleSource, Text, TransitionSource
from mqk.policy.sources import InvariantSource
from tests.analysis.worlds import NOWHERE, shipped

LINES = iter(range(2, 10_000))


def move(start: str, by: str, to: str, *, when: str | None = None, require: str | None = None) -> TransitionSource:
    place = replace(NOWHERE, line=next(LINES))
    return TransitionSource(
        tuple(start.split()),
        to,
        by,
        None,
        None if require is None else Text(require, place),
        None if when is None else Text(when, place),
        None,
        place,
    )


def machine(*moves: TransitionSource, invariants: tuple[InvariantSource, ...] = (), **states: str) -> Bundle:
    source = LifecycleSource("made_up", {"IDLE": "initial", **states}, moves, invariants)
    return replace(shipped(), lifecycles={"made_up": source})


def never(reach: str, without: str, *, when: str | None = None, since: str | None = None) -> InvariantSource:
    return InvariantSource(
        "INV", "made up", reach, None if when is None else Text(when, NOWHERE), Text(without, NOWHERE), since, NOWHERE
    )


def codes(bundle: Bundle) -> list[str]:
    return [each.code for each in faults(bundle)]


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
def test_the_shipped_machines_make_sense(engine: str) -> None:
    assert faults(shipped(engine)) == ()


def test_a_state_that_nothing_reaches_is_an_error() -> None:
    bundle = machine(move("IDLE", "go", "BUSY"), move("BUSY LOST", "stop", "IDLE"), BUSY="normal", LOST="normal")
    (found,) = faults(bundle)
    assert (found.code, "`LOST`" in found.message) == ("MQK-1424", True)


def test_a_state_that_nothing_leaves_is_an_error_unless_it_is_final() -> None:
    assert codes(machine(move("IDLE", "go", "DONE"), DONE="normal")) == ["MQK-1425"]
    assert codes(machine(move("IDLE", "go", "DONE"), DONE="final")) == []


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("run.mode == LIVE", "run.mode != LIVE", []),
        ("run.mode == LIVE", "run.mode == PAPER or run.mode == LIVE and run.killed", ["MQK-1426"]),
        ("account.equity > 10 USD", "account.equity < 20 USD", ["MQK-1426"]),
        ("account.equity > 20 USD", "account.equity <= 20 USD", []),
        ("present(reconcile.age)", "not present(reconcile.age)", []),
    ],
)
def test_two_moves_that_one_moment_allows_are_an_error_and_the_moment_is_shown(
    one: str, other: str, found: list[str]
) -> None:
    bundle = machine(
        move("IDLE", "go", "A", when=one),
        move("IDLE", "go", "B", when=other),
        move("A B", "stop", "IDLE"),
        A="normal",
        B="normal",
    )
    assert codes(bundle) == found
    assert all("as with" in each.message for each in faults(bundle))


CLEAN = "reconcile.clean and reconcile.age < 60s"
CYCLE = {"ARMED": "normal", "RUNNING": "normal", "HALTED": "sticky"}


def cycle(*, arm: str | None, clear_to: str, invariant: InvariantSource, when: str | None = None) -> Bundle:
    return machine(
        move("IDLE", "arm", "ARMED", require=arm, when=when),
        move("ARMED", "start", "RUNNING"),
        move("ARMED RUNNING", "halt", "HALTED"),
        move("HALTED", "clear", clear_to),
        move("RUNNING", "stop", "IDLE"),
        invariants=(invariant,),
        **CYCLE,
    )


def test_an_invariant_holds_when_every_path_needs_what_it_names() -> None:
    bundle = cycle(arm=CLEAN, clear_to="IDLE", invariant=never("RUNNING", "reconcile.clean", since="HALTED"))
    assert codes(bundle) == []


def test_an_invariant_that_a_path_gets_round_is_refuted_with_the_path() -> None:
    bundle = cycle(arm=CLEAN, clear_to="ARMED", invariant=never("RUNNING", "reconcile.clean", since="HALTED"))
    ((_, found),) = invariants(bundle)
    assert found.answer.verdict is Verdict.REFUTED
    assert found.shown == "HALTED -clear-> ARMED -start-> RUNNING"
    assert codes(bundle) == ["MQK-1427"]


def test_what_happened_before_the_halt_does_not_count_after_it() -> None:
    bundle = cycle(arm=CLEAN, clear_to="RUNNING", invariant=never("RUNNING", "reconcile.clean", since="HALTED"))
    ((_, found),) = invariants(bundle)
    assert found.shown == "HALTED -clear-> RUNNING"
    # Without `since` every path begins at the initial state, and that one arms first.
    assert codes(cycle(arm=CLEAN, clear_to="RUNNING", invariant=never("RUNNING", "reconcile.clean"))) == []


def test_a_condition_that_only_sometimes_demands_it_does_not_do() -> None:
    sometimes = "reconcile.clean or account.equity > 1_000_000 USD"
    ((_, found),) = invariants(cycle(arm=sometimes, clear_to="IDLE", invariant=never("RUNNING", "reconcile.clean")))
    assert found.answer.verdict is Verdict.REFUTED
    assert found.path[0].by == "arm"


def test_moves_that_its_moments_rule_out_are_no_paths() -> None:
    bundle = cycle(
        arm=None, when="run.mode != LIVE", clear_to="IDLE", invariant=never("RUNNING", "false", when="run.mode == LIVE")
    )
    assert codes(bundle) == []
    assert codes(cycle(arm=None, clear_to="IDLE", invariant=never("RUNNING", "false", when="run.mode == LIVE"))) == [
        "MQK-1427"
    ]
