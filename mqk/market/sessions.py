"""What a calendar says of one session, as a record that an engine can be told: its hours, its place, its zone.

What lives here: the record and the questions that it answers alone. What does not: where it comes from (calendars.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mqk.quantity import DAY_MICROS

if TYPE_CHECKING:
    from collections.abc import Mapping


class SessionPlan(NamedTuple):
    """One session. Instants and lengths in micros.

    `day` is the ordinal of its date; `place` its number among the calendar's sessions; `business_day` the number of
    sessions from Monday to Friday up to and with it, so that a Saturday's is that of the Friday before. `trading` are
    the stretches in which it trades; `elapsed` is how long the calendar's sessions before it traded in all. `zones` are
    (instant, offset) pairs: what to add to UTC for the time at the exchange, from that instant on.
    """

    day: int
    place: int
    business_day: int
    trading: tuple[tuple[int, int], ...]
    elapsed: int
    zones: tuple[tuple[int, int], ...]

    @property
    def opens(self) -> int:
        """When it opens."""
        return self.trading[0][0]

    @property
    def closes(self) -> int:
        """When it closes."""
        return self.trading[-1][1]

    def is_open(self, instant: int) -> bool:
        """Whether it trades at an instant, its opens and closes included."""
        for start, stop in self.trading:  # noqa: SIM110 - asked for every order, and `any` takes four times as long
            if start <= instant <= stop:
                return True
        return False

    def traded(self, instant: int) -> int:
        """How long the exchange had traded in all up to an instant of this session, and not counting when it was."""
        traded = self.elapsed
        for start, stop in self.trading:
            if instant > start:
                traded += (instant if instant < stop else stop) - start  # noqa: FURB136 - asked for every order
        return traded

    def time_of_day(self, instant: int) -> int:
        """The time of day at the exchange."""
        offset = self.zones[0][1]
        for since, later in self.zones:
            if instant >= since:
                offset = later
        return (instant + offset) % DAY_MICROS

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return {**self._asdict(), "trading": [list(x) for x in self.trading], "zones": [list(x) for x in self.zones]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> SessionPlan:
        """The plan that `to_json` wrote."""
        pairs = {name: tuple((a, b) for a, b in record[name]) for name in ("trading", "zones")}
        return cls(**{**record, **pairs})
