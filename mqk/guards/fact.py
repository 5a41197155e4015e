"""What a fact is, and what the views that hold facts have in common; the types that several of them share.

What lives here: the frame. What does not: any fact (views.py for those of an engine, outside.py for the others).

Values are held as the language holds them: money, prices, instants and durations in micros, quantities and counts as
whole numbers, dates as their ordinals. A fact that must be there and is not is an attribute that was never set; a fact
that may be missing is MISSING. Both raise when a compiled rule reads them, at no cost when they are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final

from mqk.dsl import types as t
from mqk.dsl.missing import MISSING
from mqk.dsl.types import Kind

MODES: Final = ("BACKTEST", "PAPER", "LIVE")
# Where there is a broker, and with it a second opinion.
TRADING: Final = ("PAPER", "LIVE")
LIVE: Final = ("LIVE",)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a fact is: its type with its unit, and one sentence for the reference page.

    `optional` facts may be missing; `minimum` is the least value a fact can have, where it has one; `modes` are those
    in which somebody supplies it; a fact older than `max_age` (in micros) is stale, and so an error where it is read.
    """

    type: t.Type
    title: str
    optional: bool = False
    minimum: int | None = None
    modes: tuple[str, ...] = MODES
    max_age: int | None = None

    @property
    def unit(self) -> str:
        """The unit that its values are in, for people; empty when it has none."""
        return unit_of(self.type)


USD = t.money("USD")
SIDE = t.enum("BUY", "SELL")
ORDER_TYPE = t.enum("MARKET", "LIMIT", "STOP", "STOP_LIMIT")
TIME_IN_FORCE = t.enum("DAY", "GTC", "IOC", "FOK")
MODE = t.enum(*MODES)
POSTURE = t.enum("NORMAL", "REDUCE_ONLY", "HALTED", "FLATTENING", "DISARMED")
RUN_STATE = t.enum("CREATED", "ARMED", "RUNNING", "STOPPED", "HALTED")

_UNITS: Final = {
    Kind.RATIO: "ratio, as 20 %, 25 bps or 1.5x",
    Kind.QUANTITY: "shares",
    Kind.COUNT: "how many",
    Kind.DURATION: "time, as 300s or 5m",
    Kind.TIME: "time of day of the exchange",
    Kind.DATE: "day",
    Kind.INSTANT: "instant, in UTC",
}


def unit_of(kind: t.Type) -> str:
    """The unit of a type's values, for people; empty for words and for yes or no."""
    if kind.kind is Kind.MONEY:
        return kind.currency
    if kind.kind is Kind.COUNT and kind.noun:
        return kind.noun
    return _UNITS.get(kind.kind, "")


_FRESH: Mapping[str, int] = MappingProxyType({})


class View:
    """A subject's facts. Facts that may be missing start as MISSING; all others start unset.

    `ages` says how old facts are, in micros by attribute, where somebody knows: facts that can be stale are asked.
    """

    __slots__ = ("ages",)
    OPTIONAL: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.ages: Mapping[str, int] = _FRESH
        for name in self.OPTIONAL:
            setattr(self, name, MISSING)

    def grow_old(self, ages: Mapping[str, int]) -> None:
        """Say how old facts are, all that are known anew."""
        self.ages = ages


class Elements(list[Any]):
    """A collection that rules quantify over: a list of views of one class, one per element.

    `MAXIMUM` is how many elements it can have: what is said of more is an error. `NOUN` is what they are counted in.
    """

    ELEMENT: ClassVar[type[View]]
    MAXIMUM: ClassVar[int]
    NOUN: ClassVar[str] = ""
