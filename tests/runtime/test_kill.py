"""A process that is killed with SIGKILL at any moment, several times, loses no order and repeats none."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.runtime.harness import Player, position, record
from tests.runtime.victim import play
from tests.runtime.world import desk_bars

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MINUTES = 150
KILLS = 8


def test_killing_the_process_at_any_moment_loses_and_repeats_nothing(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    # One process that has imported everything, from which the victims are forked: no import to wait for.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.runtime.victim"])
    url, log = new_database(), tmp_path / "sent"
    chance = random.Random(20_240_216)
    positions: list[int] = []
    while True:
        victim = context.Process(target=play, args=(url, log, MINUTES))
        victim.start()
        if len(positions) < KILLS:
            # Every other life ends while it is still being taken up, the others somewhere in the middle of a turn.
            before = positions[-1] if positions else 0
            while len(positions) % 2 == 0 and victim.is_alive() and position(url) <= before:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.4))
            assert victim.pid is not None
            os.kill(victim.pid, signal.SIGKILL)
        victim.join(120)
        if victim.exitcode == 0:
            break
        assert victim.exitcode == -signal.SIGKILL
        positions.append(position(url))
    assert len(set(positions)) >= 3, "the run was not killed in its middle"
    assert positions[-1] < MINUTES

    expected = Player(new_database(), desk_bars(MINUTES))
    expected.play()
    found, kept = record(url), record(expected.url)
    for part, rows in kept.items():
        assert found[part] == rows, part
    sent = Counter(log.read_text().split())
    assert set(sent.values()) == {1}
    # An order that reached the broker right before the end of its process is in its book and not in the log.
    assert sent.keys() <= expected.sent.keys()
    assert len(expected.sent) - len(sent) <= len(positions)
