"""The run lifecycle as shipped: which moves are possible, for whom, and what LIVE must not get round."""

from __future__ import annotations

from itertools import product

import pytest

from mqk.guards import GuardSet, Point, Verdict, read_facts

EVENTS = ("arm", "start", "stop", "halt", "clear")
LEGAL = {
    ("CREATED", "arm"): "ARMED",
    ("STOPPED", "arm"): "ARMED",
    ("ARMED", "start"): "RUNNING",
    ("ARMED", "stop"): "STOPPED",
    ("RUNNING", "stop"): "STOPPED",
    ("HALTED", "clear"): "STOPPED",
    **{(state, "halt"): "HALTED" for state in ("CREATED", "ARMED", "RUNNING", "STOPPED")},
}
NAMES = {"run.id": "r-1", "run.engine": "MAIN"}
SENTENCES = {"clear": "CLEAR r-1", "arm": "ARM LIVE MAIN 2%"}


def attempt(
    guards: GuardSet, state: str, event: str, mode: str, confirmation: str | None = None, **facts: object
) -> Verdict:
    document = {"run.mode": mode, "reconcile.clean": "true", "reconcile.age": "10s"}
    document |= {name.replace("__", "."): str(value) for name, value in facts.items()}
    document = {name: value for name, value in document.items() if value != "None"}
    moment = read_facts(document, guards, Point.TRANSITION)
    role = "risk_officer" if event == "clear" else "operator"
    return guards.machines["run"].attempt(
        state, event, role=role, views=moment.views, names=NAMES, confirmation=confirmation
    )


@pytest.mark.parametrize(
    ("state", "event"), list(product(("CREATED", "ARMED", "RUNNING", "STOPPED", "HALTED"), EVENTS))
)
def test_exactly_the_declared_moves_are_possible(main: GuardSet, state: str, event: str) -> None:
    verdict = attempt(main, state, event, "PAPER", SENTENCES.get(event))
    assert verdict.to_state == LEGAL.get((state, event)), verdict.reasons
    assert (verdict.to_state is None) == bool(verdict.reasons)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"reconcile__clean": "false"}, "`reconcile.clean` is false, must be true"),
        ({"reconcile__age": "61s"}, "`reconcile.age` is 61s, must be below 60s"),
        ({"reconcile__clean": None}, "`reconcile.clean` is missing"),
        ({"reconcile__age": None}, "`reconcile.age` is missing"),
    ],
)
def test_live_is_armed_only_on_a_fresh_clean_reconciliation(
    main: GuardSet, facts: dict[str, object], said: str
) -> None:
    verdict = attempt(main, "STOPPED", "arm", "LIVE", SENTENCES["arm"], **facts)
    assert verdict.to_state is None
    assert said in verdict.reasons
    assert attempt(main, "STOPPED", "arm", "LIVE", SENTENCES["arm"]).to_state == "ARMED"


@pytest.mark.parametrize("typed", [None, "", "arm live main 2%", "ARM LIVE MAIN 3%", "ARM LIVE MAIN 2% "])
def test_live_is_armed_only_with_the_exact_sentence(main: GuardSet, typed: str | None) -> None:
    verdict = attempt(main, "CREATED", "arm", "LIVE", typed)
    assert verdict.to_state is None
    assert verdict.reasons == ("type `ARM LIVE MAIN 2%` to confirm",)


def test_a_halt_is_cleared_only_by_the_risk_officer(main: GuardSet) -> None:
    moment = read_facts({"run.mode": "PAPER"}, main, Point.TRANSITION)
    verdict = main.machines["run"].attempt(
        "HALTED", "clear", role="operator", views=moment.views, names=NAMES, confirmation="CLEAR r-1"
    )
    assert verdict.reasons == ("`clear` is for the role `risk_officer`, not `operator`",)


def test_a_move_whose_condition_cannot_be_judged_is_refused(main: GuardSet) -> None:
    verdict = attempt(main, "CREATED", "arm", "PAPER", run__mode=None)
    assert verdict.to_state is None
    assert verdict.reasons == ("`arm` cannot be judged: `run.mode` is missing",)


def test_edges_are_the_declared_moves_and_nothing_else(main: GuardSet) -> None:
    edges = {(edge.from_state, edge.event): edge.to_state for edge in main.machines["run"].edges}
    assert edges == LEGAL
