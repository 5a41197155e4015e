"""Counts and totals of events over sliding windows of time or sessions, as the compiled rules read them.

What lives here: counting. What does not: which windows there are; the guards say so.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.guards.views import Windows
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.guards import WindowSpec
    from mqk.market import SessionPlan

_NEVER: Final = INT64_MAX
# The place of an event in a session of which nothing is known yet: the newest there is.
_UNPLACED: Final = -1

# When an event happened, in which place of its window's sessions, and its amount.
_Entry = tuple[int, int, int]


class _Window:
    """One window and the events in it, oldest first."""

    __slots__ = ("amount", "attribute", "business", "entries", "micros", "sessions", "total")

    def __init__(self, spec: WindowSpec) -> None:
        self.attribute = window_attribute(spec.slot)
        self.micros = spec.micros
        self.sessions = spec.sessions
        self.business = spec.unit == "business_days"
        self.total = spec.total
        self.entries: deque[_Entry] = deque()
        self.amount = 0

    def answer(self) -> int:
        return self.amount if self.total else len(self.entries)

    def holds(self, at: int, amount: int) -> bool:
        """Whether an event of this moment and amount is in it; the newest are looked at first."""
        for when, _, much in reversed(self.entries):
            if when == at and much == amount:
                return True
            if when < at:
                break
        return False

    def drop(self) -> None:
        self.amount -= self.entries.popleft()[2]

    def place(self, plan: SessionPlan) -> int:
        return plan.business_day if self.business else plan.place


class WindowCounts:
    """Every window that the guards count; `view` carries the answers as of the last `advance` and `enter`.

    An event that happened exactly the window's length ago still counts: in doubt a window holds more, never fewer.
    Windows over sessions are missing while nobody has said which session it is.
    """

    __slots__ = ("_by_stream", "_in_sessions", "_in_time", "_next", "_plan", "_unplaced", "_windows", "view")

    def __init__(self, specs: Sequence[WindowSpec]) -> None:
        self.view = Windows()
        self._by_stream: dict[str, list[_Window]] = {}
        self._in_time: list[_Window] = []
        self._in_sessions: list[_Window] = []
        self._next = _NEVER
        self._plan: SessionPlan | None = None
        # Whether anything happened in a session of which nothing was known.
        self._unplaced = False
        self._windows = [_Window(spec) for spec in specs]
        for spec, window in zip(specs, self._windows, strict=True):
            self._by_stream.setdefault(spec.stream, []).append(window)
            (self._in_time if spec.micros is not None else self._in_sessions).append(window)
            setattr(self.view, window.attribute, 0 if spec.micros is not None else MISSING)

    @property
    def needs_sessions(self) -> bool:
        """Whether any window reaches over sessions."""
        return bool(self._in_sessions)

    def record(self, stream: str, at: int, amount: int = 0) -> None:
        """Count one event of a stream at an instant (epoch micros, not before the last one), with its amount."""
        plan = self._plan
        if plan is None:
            self._unplaced = True
        answers = vars(self.view)
        for window in self._by_stream.get(stream, ()):
            window.entries.append((at, _UNPLACED if plan is None else window.place(plan), amount))
            window.amount += amount
            if window.micros is not None:
                self._next = min(self._next, window.entries[0][0] + window.micros)
            elif plan is None:
                continue
            answers[window.attribute] = window.amount if window.total else len(window.entries)

    def advance(self, now: int) -> None:
        """Let go of what is too old at `now`."""
        if now <= self._next:
            return
        self._next = _NEVER
        for window in self._in_time:
            micros, entries = window.micros, window.entries
            assert micros is not None
            while entries and now - entries[0][0] > micros:
                window.drop()
            setattr(self.view, window.attribute, window.answer())
            if entries:
                self._next = min(self._next, entries[0][0] + micros)

    def enter(self, plan: SessionPlan | None) -> None:
        """Come to a session: let go of what is too many sessions ago. None is a session of which nothing is known."""
        self._plan = plan
        if not self._in_sessions:
            return
        answers = vars(self.view)
        for window in self._in_sessions:
            if plan is None:
                answers[window.attribute] = MISSING
                continue
            assert window.sessions is not None
            place = window.place(plan)
            if self._unplaced:
                # What happened in a session of which nothing was known counts as if it happened in this one.
                window.entries = deque(
                    (at, place if where == _UNPLACED else where, amount) for at, where, amount in window.entries
                )
            last = place - window.sessions
            while window.entries and window.entries[0][1] <= last:
                window.drop()
            answers[window.attribute] = window.amount if window.total else len(window.entries)
        if plan is not None:
            self._unplaced = False

    def without(self, stream: str, at: int, now: int, amount: int = 0) -> Windows:
        """The answers as they would be at `now` had one event of a stream, at `at`, not happened. Changes nothing."""
        if now > self._next:
            return self._without_old(stream, at, now, amount)
        # Nothing has grown too old meanwhile: only the windows of the stream can answer otherwise.
        view = Windows()
        answers = vars(view)
        answers.update(vars(self.view))
        for window in self._by_stream.get(stream, ()):
            if answers[window.attribute] is not MISSING and window.holds(at, amount):
                answers[window.attribute] -= amount if window.total else 1
        return view

    def _without_old(self, stream: str, at: int, now: int, amount: int) -> Windows:
        """The same, some events having grown too old."""
        view = Windows()
        for name, windows in self._by_stream.items():
            for window in windows:
                micros = window.micros
                if micros is None and self._plan is None:
                    setattr(view, window.attribute, MISSING)
                    continue
                kept = [each for each in window.entries if micros is None or now - each[0] <= micros]
                count, total = len(kept), sum(each[2] for each in kept)
                if name == stream and any(each[0] == at and each[2] == amount for each in kept):
                    count, total = count - 1, total - amount
                setattr(view, window.attribute, total if window.total else count)
        return view

    def resume(self, events: Sequence[Sequence[_Entry]], plan: SessionPlan) -> None:
        """Go on from what somebody else has counted: the events that every window holds, in the order of the specs."""
        self._plan, self._next = plan, _NEVER
        for window, entries in zip(self._windows, events, strict=True):
            window.entries = deque(entries)
            window.amount = sum(amount for _, _, amount in entries)
            if window.micros is not None and entries:
                self._next = min(self._next, entries[0][0] + window.micros)
            setattr(self.view, window.attribute, window.answer())

    def contents(self) -> list[list[list[int]]]:
        """The events that every window holds, for a digest."""
        return [[list(entry) for entry in window.entries] for window in (*self._in_time, *self._in_sessions)]
