"""What a proof says: each decision that would have been another one, at its bar; or how many were compared.

What lives here: comparing two runs' answers, and choosing where to cut. What does not: running anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from mqk.quantity import format_instant

# What a strategy said: when, on a bar of which symbol, which strategy, and its targets as canonical text.
Answer = tuple[int, str, str, str]
LeakKind = Literal["future", "outside", "unsteady", "contrary"]
ARRAYS: Final = " (arrays)"
"""What the answers of a strategy to all bars at once are told apart by."""

NOTHING: Final = "nothing"
_KINDS: Final = {
    "future": "decides otherwise when later bars are there",
    "outside": "decides by something outside its context",
    "unsteady": "does not decide twice the same",
    "contrary": "says one thing bar by bar and another to all bars at once",
}


@dataclass(frozen=True, slots=True)
class Leak:
    """A decision that depends on more than was known: the first one found of a strategy.

    `kind` is "future" (it differs when later bars are there), "outside" (when it may reach files, sockets or programs:
    `source` says which), "unsteady" (when it is asked again) or "contrary" (when it is asked for all bars at once, as
    the compiled kernel does). `without` is what it says when the bars end after
    `cut`; `with_it` what it says when they do not. Instants are epoch micros.
    """

    kind: LeakKind
    strategy: str
    at: int
    symbol: str
    with_it: str
    without: str
    cut: int
    source: str | None = None

    def __str__(self) -> str:
        source = "" if self.source is None else f" ({self.source})"
        told = f"says {self.with_it} with it and {self.without} without"
        if self.kind == "contrary":
            told = f"says {self.without} bar by bar and {self.with_it} at once"
        if self.kind == "unsteady":
            told = f"says {self.without}, and the next time {self.with_it}"
        return f"`{self.strategy}` {_KINDS[self.kind]}{source}: at {format_instant(self.at)} on {self.symbol} it {told}"

    def to_json(self) -> dict[str, Any]:
        """As other tools read it."""
        return {
            "kind": self.kind,
            "strategy": self.strategy,
            "at": format_instant(self.at),
            "symbol": self.symbol,
            "with": self.with_it,
            "without": self.without,
            "cut": format_instant(self.cut),
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a proof: the first leak of each strategy that has one, and how much was compared."""

    leaks: tuple[Leak, ...]
    strategies: tuple[str, ...]
    bars: int
    prefixes: int
    compared: int

    @property
    def holds(self) -> bool:
        """Whether no decision was found to depend on what came later."""
        return not self.leaks

    def to_json(self) -> dict[str, Any]:
        """As other tools read it."""
        return {
            "holds": self.holds,
            "leaks": [each.to_json() for each in self.leaks],
            "strategies": list(self.strategies),
            "bars": self.bars,
            "prefixes": self.prefixes,
            "decisions_compared": self.compared,
        }


def differing(
    whole: Sequence[Answer], part: Sequence[Answer], cut: int, failed: str | None = None
) -> dict[str, tuple[Answer | None, Answer | None]]:
    """By strategy, the first answers up to a cut that are not the same: of the whole run, and of the one cut short."""
    found: dict[str, tuple[Answer | None, Answer | None]] = {}
    names = dict.fromkeys(name for _, _, name, _ in [*whole, *part])
    for name in names:
        ours = [each for each in whole if each[0] <= cut and each[2] == name]
        theirs = [each for each in part if each[2] == name]
        for one, other in zip(ours, theirs, strict=False):
            if one != other:
                found[name] = (one, other)
                break
        else:
            if len(ours) > len(theirs):
                found[name] = (ours[len(theirs)], None)
            elif len(theirs) > len(ours) and failed is None:
                found[name] = (None, theirs[len(ours)])
    return found


def contrary(answers: Sequence[Answer]) -> dict[str, tuple[Answer, Answer]]:
    """By strategy, the first bar to which it asks for one position bar by bar, and for another to all bars at once.

    Where it has nothing to say bar by bar, it holds what it asked for before.
    """
    at_once = {(at, symbol, name): each for each in answers for at, symbol, name, _ in [each] if name.endswith(ARRAYS)}
    found: dict[str, tuple[Answer, Answer]] = {}
    for answer in answers:
        at, symbol, name, said = answer
        other = at_once.get((at, symbol, name + ARRAYS))
        if other is None or said == NOTHING or name in found:
            continue
        if json.loads(said).get(symbol) != int(other[3]):
            found[name] = answer, other
    return found


def even_cuts(instants: Sequence[int], count: int) -> list[int]:
    """Up to so many of the instants, apart from the last, at even distances, oldest first."""
    inner = instants[:-1]
    count = min(count, len(inner))
    return [inner[(i + 1) * len(inner) // (count + 1)] for i in range(count)] if count else []


def telling_cuts(answers: Sequence[Answer], instants: Sequence[int], count: int) -> list[int]:
    """Up to so many instants at which a strategy changed what it says: where the next bar would tell it most.

    Half of them at the very bar, half one bar before, where what is said next is about to be decided.
    """
    said: dict[tuple[str, str], str] = {}
    changed: list[int] = []
    for at, symbol, name, targets in answers:
        if said.get((name, symbol), NOTHING) != targets:
            changed.append(at)
        said[name, symbol] = targets
    last = instants[-1]
    place = {at: number for number, at in enumerate(instants)}
    wanted = sorted({at for at in changed if at != last})
    wanted = [wanted[i * len(wanted) // count] for i in range(count)] if len(wanted) > count else wanted
    before = [instants[place[at] - 1] for at in wanted[::2] if place[at] > 0]
    return sorted({*wanted, *before})
