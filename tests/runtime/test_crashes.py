"""Wherever a run crashes, taking it up again leaves what an undisturbed run leaves: nothing lost, nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.runtime import PaperSummary, Step
from tests.runtime.harness import Crash, Faults, Player, record

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS = {Step.RUN_ENDED, Step.RUN_HALTED, Step.BROKER_AWAITED, Step.ORDER_FAILED, Step.CANCEL_SENT}
Undisturbed = tuple[PaperSummary, dict[str, Any]]


def assert_as_undisturbed(player: Player, summary: PaperSummary, undisturbed: Undisturbed) -> None:
    expected, kept = undisturbed
    found = record(player.url)
    for part, rows in kept.items():
        assert found[part] == rows, part
    # How often books were compared, and that it was taken up at all, is all that may differ.
    assert replace(summary, resumed=False, reconcile=expected.reconcile) == expected
    assert summary.reconcile.clean
    assert set(player.sent) == {row[0] for row in kept["outbox"]}
    assert set(player.sent.values()) == {1}, "an order was sent twice"


def test_an_undisturbed_run_trades_denies_and_reconciles(undisturbed: Undisturbed) -> None:
    summary, kept = undisturbed
    assert (summary.state, summary.ticks, summary.resumed) == ("STOPPED", 36, False)
    assert summary.orders == len(kept["outbox"]) == len(kept["broker_orders"]) > 10
    assert summary.fills == sum(1 for row in kept["inbox"] if row[1] is not None) > 10
    assert {row[3] for row in kept["outbox"]} == {"ACKED"}
    assert summary.denied_by_rule["ORD-11"] > 0
    assert summary.reconcile.clean
    assert summary.reconcile.times > 5


@pytest.mark.parametrize(
    ("step", "passing"),
    [
        (step, n)
        for step in Step
        if step not in ENDS
        for n in (1, 7)
        if n == 1 or step.value.startswith(("t", "m", "o"))
    ],
)
def test_a_crash_at_any_step_changes_nothing(
    player: Player, undisturbed: Undisturbed, step: Step, passing: int
) -> None:
    summary = player.play_through((step, passing))
    assert_as_undisturbed(player, summary, undisturbed)


crashes = st.tuples(st.sampled_from([step for step in Step if step not in ENDS]), st.integers(1, 12))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schedule=st.lists(crashes, min_size=2, max_size=6))
def test_no_schedule_of_crashes_changes_anything(
    new_database: Callable[[], str], undisturbed: Undisturbed, schedule: list[tuple[Step, int]]
) -> None:
    player = Player(new_database())
    summary = player.play_through(*schedule)
    assert_as_undisturbed(player, summary, undisturbed)


def test_taking_up_a_run_that_is_over_changes_nothing(player: Player, undisturbed: Undisturbed) -> None:
    player.play()
    again = player.play()
    assert again.resumed
    assert_as_undisturbed(player, again, undisturbed)


def test_every_step_was_there_to_crash_at(player: Player) -> None:
    faults = Faults([(Step.ORDER_DISPATCHING, 1)])
    with pytest.raises(Crash):
        player.play(faults)
    again = Faults()
    player.play(again)
    assert set(Step) - ENDS <= faults.seen.keys() | again.seen.keys()
