"""What a search for the distance of a decision comes to: flips, each with both sides of its boundary.

What lives here: records, and their JSON. What does not: how they are found (search.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flip:
    """The nearest value of one quantity, all else as it was, with which something passes.

    `passes` is that value and `fails` the one a step nearer to `now`, which was judged as well; `rises` says on which
    side of `now` they lie. `apart` is how far `passes` is from `now`, None where that is no number. `worth` is what the
    order then costs at its worst price, where the quantity is its size.
    """

    quantity: str
    now: str
    passes: str
    fails: str
    rises: bool
    apart: str | None = None
    worth: str | None = None

    def to_json(self) -> dict[str, object]:
        """The flip as other tools read it."""
        return {
            "quantity": self.quantity,
            "now": self.now,
            "passes": self.passes,
            "fails": self.fails,
            "direction": "up" if self.rises else "down",
            "apart": self.apart,
            "worth": self.worth,
        }


@dataclass(frozen=True, slots=True)
class RuleDistance:
    """What would make one rule pass. `none` are the quantities of which no value was found that does.

    `never` says that it is proven that no size of the order does, all else as it was.
    """

    rule: str
    flips: tuple[Flip, ...]
    none: tuple[str, ...] = ()
    never: bool = False

    def to_json(self) -> dict[str, object]:
        """The rule's distance as other tools read it."""
        return {
            "rule": self.rule,
            "flips": [each.to_json() for each in self.flips],
            "none": list(self.none),
            "no_size_passes": self.never,
        }


@dataclass(frozen=True, slots=True)
class Distance:
    """What would make a decision another one: rule by rule, and the size of order with which all of them pass.

    `sized` says whether the decision is on an order with a size, `size` is the nearest size with which every rule that
    decides passes, and `then` what the whole guard says to it. With no such size, every size below `searched` shares
    was judged.
    """

    rules: tuple[RuleDistance, ...]
    sized: bool = False
    size: Flip | None = None
    then: str | None = None
    searched: int = 0

    def to_json(self) -> dict[str, object]:
        """The distance as other tools read it."""
        return {
            "rules": [each.to_json() for each in self.rules],
            "size": None if self.size is None else self.size.to_json(),
            "then": self.then,
            "sizes_judged": self.searched,
        }
