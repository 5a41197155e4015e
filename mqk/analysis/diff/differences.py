"""A difference before its direction is known: what is written on both sides, where, and how to make it alone.

What lives here: the record that the inventories fill. What does not: directions (directions.py, settings.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mqk.analysis.diff.results import Change, Direction
from mqk.policy import Bundle, Layer, Span

Apply = Callable[[Bundle], Bundle]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that two bundles do not say alike.

    With `apply` it is a matter of guards, and the solver is asked what it comes to; without, `direction` is known from
    what it is, and `why` says how. `names` are what of a policy it touches, as rules rest on it: `limits.max_position`,
    `rules.CAP-01`.
    """

    path: str
    kind: str
    before: str | None
    after: str | None
    before_at: Span | None
    after_at: Span | None
    direction: Direction | None = None
    why: str = ""
    apply: Apply | None = None
    name: str = ""

    def change(self, engine: str, direction: Direction, why: str = "") -> Change:
        """The change that it is, once its direction is known."""
        return Change(
            self.path,
            self.kind,
            self.before,
            self.after,
            direction,
            self.before_at,
            self.after_at,
            engines=(engine,),
            why=why or self.why,
        )


def place(bundle: Bundle, key: str) -> Span | None:
    """Where the uppermost layer writes a key of the effective policy."""
    layers: tuple[Layer, ...] = bundle.layers.get(key, ())
    return layers[-1].span if layers else None


def both(one: T | None, other: T | None, told: Callable[[T], R]) -> tuple[R | None, R | None]:
    """What two sides are told as, None for a side that has nothing."""
    return None if one is None else told(one), None if other is None else told(other)
