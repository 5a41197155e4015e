"""A player per test, and what an undisturbed run leaves behind, to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.harness import Player, record

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.runtime import PaperSummary


@pytest.fixture
def player(database_url: str) -> Player:
    return Player(database_url)


@pytest.fixture(scope="session")
def undisturbed(new_database: Callable[[], str]) -> tuple[PaperSummary, dict[str, Any]]:
    """The summary and the record of a run that nothing happened to."""
    player = Player(new_database())
    return player.play(), record(player.url)
