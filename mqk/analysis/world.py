"""What is true of every moment, told to the solver: least values, and how windows of one stream relate.

What lives here: facts about facts that the catalogue declares, and that whoever asks names what he asks about. Whatever
else is not assumed: a proof must not rest on what the engine does not promise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import z3

from mqk.dsl.emit_smt import Encoder
from mqk.dsl.emit_smt_numbers import Term
from mqk.dsl.emit_smt_terms import Unknown
from mqk.dsl.windows import window_length
from mqk.guards.catalogue import facts_at, fields_at
from mqk.guards.points import Point

# What is asked about is always known: there is no order without a symbol, a side, a quantity and a type, and no bar or
# feed without a symbol. Whether anything else is known is never taken for granted.
ASKED: Final[Mapping[Point, tuple[str, ...]]] = {
    Point.ORDER: ("order.symbol", "order.side", "order.qty", "order.type"),
    Point.BAR: ("bar.symbol",),
    Point.FEED: ("feed.symbol",),
}


def world(encoder: Encoder, point: Point) -> list[Term]:
    """What holds of the facts that an encoder has met."""
    encoder.settle()
    found: list[Term] = []
    entries = dict(facts_at(point))
    for name, fields in fields_at(point).items():
        collected = encoder.collections.get(name)
        for element in collected.elements if collected is not None else ():
            entries |= {f"{element.name} {field}": entry for field, entry in fields.items()}
    streams: dict[str, list[Unknown]] = defaultdict(list)
    for name, unknown in encoder.unknowns.items():
        if unknown.window is not None:
            streams[unknown.window.stream].append(unknown)
            continue
        # Whoever asks says when: the clock's own time is always there.
        if name in ASKED.get(point, ()) or name == "clock.now":
            found.append(unknown.usable)
        entry = entries.get(name)
        if entry is not None and entry.minimum is not None and not z3.is_bool(unknown.value):
            found.append(unknown.value >= entry.minimum)
    for windows in streams.values():
        found += _windows(windows)
    return found


def _windows(windows: list[Unknown]) -> list[Term]:
    """Who counts a stream counts all its windows, and a longer window holds whatever a shorter one holds."""
    found = [windows[0].usable == each.usable for each in windows[1:]]
    by_unit: dict[str, list[tuple[int, Unknown]]] = defaultdict(list)
    for each in windows:
        length = None if each.window is None else window_length(each.window.duration)
        if length is not None and each.name.startswith("count("):
            by_unit[length[1]].append((length[0], each))
    for counted in by_unit.values():
        ordered = [each for _, each in sorted(counted, key=lambda pair: pair[0])]
        found += [shorter.value <= longer.value for shorter, longer in pairwise(ordered)]
    return found
