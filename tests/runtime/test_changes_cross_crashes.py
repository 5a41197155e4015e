"""Changes of orders through the real outbox and broker: whatever crashes around one, it is made once and told once.

What lives here: runs with a trailing stop, which is moved by one change after another. What does not: crashes at all
other steps (test_crashes.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mqk.runtime import PaperSummary, Step
from mqk.strategies import Context, Target
from tests.engine.worlds import host
from tests.runtime.harness import Crash, Faults, Player, record
from tests.runtime.world import CENT, desk_bars

Played = tuple[PaperSummary, dict[str, Any]]


def trailing(context: Context) -> Mapping[str, Target] | None:
    """A few shares, sold once they are a dollar below the best they were worth."""
    if context.symbol != "AAA" or context.committed("AAA"):
        return None
    return {"AAA": Target(3, trail=100 * CENT)}


def rising(url: str) -> Player:
    """A market that rises by a quarter a minute, so that the stop is moved every minute, and falls in the end."""
    bars = []
    for bar in desk_bars(12):
        minute = (bar.end - desk_bars(12)[0].end) // 60_000_000
        ahead = (25 * minute if minute < 9 else 25 * 9 - 150 * (minute - 8)) * CENT
        four = {name: getattr(bar, name) + ahead for name in ("open", "high", "low", "close")}
        bars.append(replace(bar, **four))
    return Player(url, tuple(bars))


def play(player: Player, faults: Faults | None = None) -> PaperSummary:
    return player.play(faults, host=host(trailing))


@pytest.fixture(scope="module")
def undisturbed(new_database: Callable[[], str]) -> Played:
    player = rising(new_database())
    return play(player), record(player.url)


def replaced(kept: dict[str, Any]) -> list[Any]:
    return [row for row in kept["broker_messages"] if row[2]["event"] == "Replaced"]


def test_a_trailing_stop_is_moved_by_changes_and_sells_in_the_end(undisturbed: Played) -> None:
    summary, kept = undisturbed
    assert summary.reconcile.clean
    assert len(replaced(kept)) >= 4
    assert any(row[2]["event"] == "Filled" and row[2]["fill"]["side"] == "SELL" for row in kept["broker_messages"])


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_a_change_leaves_it_made_once(
    database_url: str, undisturbed: Played, when: str, nth: int
) -> None:
    player, seen = rising(database_url), [0]

    def crashing(method: str, subject: str) -> None:
        seen[0] += method == "replace"
        if method == "replace" and seen[0] == nth:
            raise Crash(subject)

    setattr(player, when, crashing)
    with pytest.raises(Crash):
        play(player)
    summary = play(player)
    assert seen[0] > nth, "it was asked for once more"
    assert_as_undisturbed(player, summary, undisturbed)


@pytest.mark.parametrize("step", [Step.EVENTS_APPLIED, Step.TICK_STAGED, Step.TICK_COMMITTED, Step.MESSAGES_FETCHED])
def test_a_crash_between_wanting_a_change_and_hearing_of_it_leaves_it_made_once(
    database_url: str, undisturbed: Played, step: Step
) -> None:
    player = rising(database_url)
    for passing in (4, 2):
        with pytest.raises(Crash):
            play(player, Faults([(step, passing)]))
    assert_as_undisturbed(player, play(player), undisturbed)


def assert_as_undisturbed(player: Player, summary: PaperSummary, undisturbed: Played) -> None:
    expected, kept = undisturbed
    found = record(player.url)
    for part, rows in kept.items():
        assert found[part] == rows, part
    assert replace(summary, resumed=False, reconcile=expected.reconcile) == expected
    assert summary.reconcile.clean
    assert set(player.sent.values()) == {1}, "an order was sent twice"
