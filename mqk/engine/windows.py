"""Counts of events over sliding windows of time, as the compiled rules read them.

What lives here: counting. What does not: which windows there are; the guards say so.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqk.dsl.windows import window_attribute
from mqk.guards.views import Windows
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.guards import WindowSpec

_NEVER: Final = INT64_MAX


class WindowCounts:
    """Every window that the guards count; `view` carries the counts as of the last `advance`.

    An event that happened exactly the window's length ago still counts: in doubt a window holds more, never fewer.
    """

    __slots__ = ("_next", "_windows", "view")

    def __init__(self, specs: Sequence[WindowSpec]) -> None:
        self.view = Windows()
        self._windows: list[tuple[str, str, int, deque[int]]] = []
        self._next = _NEVER
        for spec in specs:
            attribute = window_attribute(spec.slot)
            assert spec.micros is not None, f"nobody counts sessions yet: {spec.slot}"
            self._windows.append((spec.stream, attribute, spec.micros, deque()))
            setattr(self.view, attribute, 0)

    def record(self, stream: str, at: int) -> None:
        """Count one event of a stream at an instant (epoch micros, not before the last one)."""
        for name, attribute, micros, instants in self._windows:
            if name == stream:
                instants.append(at)
                setattr(self.view, attribute, len(instants))
                self._next = min(self._next, instants[0] + micros)

    def advance(self, now: int) -> None:
        """Let go of what is too old at `now`."""
        if now <= self._next:
            return
        self._next = _NEVER
        for _, attribute, micros, instants in self._windows:
            while instants and now - instants[0] > micros:
                instants.popleft()
            setattr(self.view, attribute, len(instants))
            if instants:
                self._next = min(self._next, instants[0] + micros)

    def without(self, stream: str, at: int, now: int) -> Windows:
        """The counts as they would be at `now` had one event of a stream, at `at`, not happened. Changes nothing."""
        view = Windows()
        for name, attribute, micros, instants in self._windows:
            count = sum(1 for instant in instants if now - instant <= micros)
            counted = name == stream and at in instants and now - at <= micros
            setattr(view, attribute, count - 1 if counted else count)
        return view

    def contents(self) -> list[list[int]]:
        """The instants every window holds, for a digest."""
        return [list(instants) for _, _, _, instants in self._windows]
