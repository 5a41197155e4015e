"""Differences in the running loop: the policy says which stop the run, before it is armed and after, and since when."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.pool import NullPool

from mqk.runtime import Step, run_status
from mqk.store import runs
from mqk.store.database import open_engine
from tests.runtime.harness import RUN, Crash, Faults, Noting, Player, nothing
from tests.runtime.world import desk_guards

if TYPE_CHECKING:
    from collections.abc import Collection

    from mqk.reconcile import Book

LENIENT = desk_guards(changes=(("baseline:", "enforce: {BOOK-09: warn}\n\nbaseline:"),))
UNSPOKEN = desk_guards(changes=(("  reconcile: [desk_books]\n", ""),))


class OneMore(Noting):
    """Reports one share of a symbol more than there is, from the first book on."""

    def __init__(self) -> None:
        super().__init__(Counter(), nothing, nothing)

    def book(self, orders: Collection[str] = ()) -> Book:
        book = super().book(orders)
        return replace(book, positions={**book.positions, "CCC": book.positions.get("CCC", 0) + 1})


def test_a_difference_halts_before_the_run_is_armed_and_names_its_rule(player: Player) -> None:
    summary = player.play(open_broker=OneMore())
    assert summary.state == "HALTED"
    assert "position of CCC: 0 here, 1 at the broker (BOOK-09)" in str(summary.halt_reason)
    with open_engine(player.url, poolclass=NullPool).connect() as conn:
        assert [move.to_state for move in runs.history(conn, RUN)] == ["CREATED", "HALTED"]


def test_what_the_policy_lets_pass_does_not_stop_the_run_and_is_recorded(player: Player) -> None:
    player.guards = LENIENT
    summary = player.play(open_broker=OneMore())
    assert summary.state == "STOPPED"
    assert (summary.reconcile.clean, summary.reconcile.notes) == (True, summary.reconcile.times)
    assert summary.reconcile.last is not None
    (told,) = summary.reconcile.last["differences"]
    assert (told["kind"], told["outcome"], told["severity"], told["rules"]) == ("position", "warn", "note", ["BOOK-09"])


def test_since_when_a_difference_stands_survives_a_restart(player: Player) -> None:
    player.guards = LENIENT
    broker = OneMore()
    with pytest.raises(Crash):
        player.play(Faults([(Step.TICK_COMMITTED, 20)]), open_broker=broker)
    (before,) = run_status(player.url, run_id=RUN)
    player.play(open_broker=broker)
    (after,) = run_status(player.url, run_id=RUN)
    assert before.reconcile.last is not None
    assert after.reconcile.last is not None
    assert after.reconcile.last["market_time"] > before.reconcile.last["market_time"]
    stood = [each.reconcile.last["differences"][0]["since"] for each in (before, after) if each.reconcile.last]
    assert stood[0] == stood[1] < before.reconcile.last["market_time"]


def test_an_engine_without_rules_of_differences_halts_on_any(player: Player) -> None:
    player.guards = UNSPOKEN
    summary = player.play(open_broker=OneMore())
    assert summary.state == "HALTED"
    assert "1 at the broker (no rule speaks of it)" in str(summary.halt_reason)
