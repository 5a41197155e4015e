"""The types of policy values, with their units, and what arithmetic makes of them.

What lives here: the type algebra, as tables. What does not: walking expressions (check.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The family of a type."""

    BOOL = "yes or no"
    RATIO = "ratio"
    MONEY = "money"
    QUANTITY = "quantity"
    COUNT = "count"
    NUMBER = "number"
    DURATION = "duration"
    SPAN = "number of sessions"
    RATE = "rate"
    TIME = "time of day"
    DATE = "date"
    INSTANT = "instant"
    SYMBOL = "symbol"
    ENUM = "one of a list"
    TEXT = "text"
    SET = "set"


@dataclass(frozen=True, slots=True)
class Type:
    """A kind and what it needs: a currency for money, members for an enumeration, a member type for a set.

    `noun` says what a count counts, or in what a number of sessions is given; types that differ only there are equal,
    and go together unless both have one.
    """

    kind: Kind
    currency: str = ""
    members: tuple[str, ...] = field(default=())
    element: Type | None = None
    noun: str = field(default="", compare=False)

    def __str__(self) -> str:
        match self.kind:
            case Kind.MONEY:
                return f"money ({self.currency})"
            case Kind.ENUM:
                return "one of " + ", ".join(f"`{member}`" for member in self.members)
            case Kind.COUNT if self.noun:
                return f"count of {self.noun}"
            case Kind.SPAN if self.noun:
                return f"number of {self.noun}"
            case Kind.SET:
                return f"set of {self.element}" if self.element else "set"
            case _:
                return self.kind.value


BOOL = Type(Kind.BOOL)
RATIO = Type(Kind.RATIO)
QUANTITY = Type(Kind.QUANTITY)
COUNT = Type(Kind.COUNT)
NUMBER = Type(Kind.NUMBER)
DURATION = Type(Kind.DURATION)
SPAN = Type(Kind.SPAN)
RATE = Type(Kind.RATE)
TIME = Type(Kind.TIME)
DATE = Type(Kind.DATE)
INSTANT = Type(Kind.INSTANT)
SYMBOL = Type(Kind.SYMBOL)
TEXT = Type(Kind.TEXT)


def money(currency: str = "USD") -> Type:
    """Money, or a price, in one currency."""
    return Type(Kind.MONEY, currency=currency)


def enum(*members: str) -> Type:
    """A closed list of upper-case words."""
    return Type(Kind.ENUM, members=members)


def set_of(element: Type) -> Type:
    """A set of values of one type."""
    return Type(Kind.SET, element=element)


def count_of(noun: str | None) -> Type:
    """A count of something named, such as `trades`; of anything, without a noun."""
    return Type(Kind.COUNT, noun=noun or "")


def span_in(unit: str) -> Type:
    """A number of `sessions` or of `business_days`."""
    return Type(Kind.SPAN, noun=unit)


# What can be added to its like, negated, compared by size and scaled by a number or a ratio.
SCALAR_KINDS = frozenset({Kind.RATIO, Kind.MONEY, Kind.QUANTITY, Kind.COUNT, Kind.NUMBER, Kind.DURATION})
ORDERED_KINDS = SCALAR_KINDS | {Kind.TIME, Kind.DATE, Kind.INSTANT, Kind.SPAN}
EQUATABLE_KINDS = ORDERED_KINDS | {Kind.BOOL, Kind.SYMBOL, Kind.ENUM, Kind.TEXT}
# A bare whole number stands for any of these, because shares and counts are written bare.
BARE_KINDS = frozenset({Kind.QUANTITY, Kind.COUNT, Kind.NUMBER})


def unify(left: Type, right: Type) -> Type | None:
    """The type that both are, a bare number taking the type of what it stands beside; None when they differ.

    Counts of different nouns differ; a count without one goes with any.
    """
    if left == right:
        if left.noun and right.noun and left.noun != right.noun:
            return None
        return left if left.noun else right
    if left.kind is Kind.NUMBER and right.kind in BARE_KINDS:
        return right
    if right.kind is Kind.NUMBER and left.kind in BARE_KINDS:
        return left
    return None


def _unnamed(kind: Type) -> Type:
    """A share of a count has no noun: `20% of count(orders within 300s)` bounds rejects as well as orders."""
    return COUNT if kind.kind is Kind.COUNT else kind


def sum_type(left: Type, right: Type, op: str) -> Type | None:
    """The type of `left + right` or `left - right`, or None when they do not add."""
    if left.kind is Kind.INSTANT and right.kind is Kind.DURATION:
        return left
    if left.kind is Kind.INSTANT and right.kind is Kind.INSTANT and op == "-":
        return DURATION
    common = unify(left, right)
    return common if common is not None and common.kind in SCALAR_KINDS else None


def product_type(left: Type, right: Type) -> Type | None:
    """The type of `left * right`, or None: a number or a ratio scales; shares times a price is money."""
    for scale, other in ((left, right), (right, left)):
        if scale.kind is Kind.NUMBER and other.kind in SCALAR_KINDS:
            return other
        if scale.kind is Kind.RATIO and other.kind in SCALAR_KINDS:
            return RATIO if other.kind is Kind.NUMBER else _unnamed(other)
        if scale.kind is Kind.QUANTITY and other.kind is Kind.MONEY:
            return other
    return None


def quotient_type(left: Type, right: Type) -> Type | None:
    """The type of `left / right`, or None: like over like is a ratio; money over shares is a price."""
    if left.kind in SCALAR_KINDS and left == right:
        return RATIO
    if right.kind in (Kind.NUMBER, Kind.RATIO) and left.kind in SCALAR_KINDS:
        return left
    if left.kind is Kind.MONEY and right.kind is Kind.QUANTITY:
        return left
    if left.kind is Kind.NUMBER and right.kind in BARE_KINDS:
        return RATIO
    return None


def share_type(left: Type, right: Type) -> Type | None:
    """The type of `left of right`, or None: a ratio of something is that something."""
    if left.kind is Kind.RATIO and right.kind in SCALAR_KINDS:
        return RATIO if right.kind is Kind.NUMBER else _unnamed(right)
    return None
