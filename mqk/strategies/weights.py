"""From scores to weights to shares: what a strategy over many symbols wants of each, within bounds, exactly.

What lives here: sharing out, and saying which bounds weights break. What does not: what may be ordered: that is for the
policies, whatever a strategy wants.

Everything is an exact number, and nothing depends on the order in which candidates are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Final

from mqk.strategies.errors import StrategyError

Exact = int | Fraction
_ONE: Final = Fraction(1)
_NONE: Final = Fraction(0)


class Rejection(StrEnum):
    """Why a candidate got nothing."""

    TOO_MANY = "TOO_MANY"
    SHORT = "SHORT"


class Bound(StrEnum):
    """A bound that weights break."""

    SINGLE = "SINGLE"
    GROSS = "GROSS"
    NET = "NET"
    SHORT = "SHORT"
    SECTOR_GROSS = "SECTOR_GROSS"
    SECTOR_NET = "SECTOR_NET"
    SECTOR_UNKNOWN = "SECTOR_UNKNOWN"
    TURNOVER = "TURNOVER"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What weights must keep to, as fractions of equity; None is no bound.

    `single` bounds the size of each weight, `gross` the sum of sizes, `net` the size of the sum, `turnover` half of the
    sum of changes. `sector_gross` and `sector_net` bound the weights of a sector together. Without `shorts` no weight
    may be below zero. `most` is how many symbols may have one.

    Raises StrategyError "params" for a bound below zero or of another type.
    """

    single: Exact | None = None
    gross: Exact | None = None
    net: Exact | None = None
    turnover: Exact | None = None
    most: int | None = None
    shorts: bool = True
    sector_gross: Mapping[str, Exact] = field(default_factory=dict)
    sector_net: Mapping[str, Exact] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = {"single": self.single, "gross": self.gross, "net": self.net, "turnover": self.turnover}
        named |= {f"sector_gross of `{name}`": value for name, value in self.sector_gross.items()}
        named |= {f"sector_net of `{name}`": value for name, value in self.sector_net.items()}
        wrong = [
            f"bound `{name}` is an exact number of zero or more, found `{value}`"
            for name, value in named.items()
            if value is not None and (type(value) not in (int, Fraction) or value < 0)
        ]
        if self.most is not None and (type(self.most) is not int or self.most < 1):
            wrong.append(f"bound `most` is a number of symbols from one on, found `{self.most}`")
        if wrong:
            raise StrategyError("params", wrong)


LONG_ONLY: Final = Bounds(single=Fraction(1, 5), gross=1, net=1, shorts=False)


@dataclass(frozen=True, slots=True)
class Shared:
    """Weights by symbol, none of them zero, and the candidates that got none, with the reason."""

    weights: Mapping[str, Fraction]
    rejected: Mapping[str, Rejection]

    @property
    def gross(self) -> Fraction:
        """The sum of the sizes."""
        return _gross(self.weights.values())

    @property
    def net(self) -> Fraction:
        """The sum."""
        return sum(self.weights.values(), _NONE)


def share_out(scores: Mapping[str, Exact], bounds: Bounds) -> Shared:
    """Weights in proportion to scores, of a gross of one at most, within the bounds.

    Of too many candidates those with the largest scores stay, of equal ones those first by name. What a single bound
    cuts off goes to the others in proportion to their scores. Where the net is too large, the side that is too heavy is
    made lighter as a whole. Sectors and turnover are not shared out by: see `broken`.

    Raises StrategyError "params" for a symbol without a name and for a score that is no exact number.
    """
    wrong = ["a candidate names its symbol" for symbol in scores if not symbol.strip()]
    wrong += [
        f"the score of `{symbol}` is an exact number, found `{score}`"
        for symbol, score in scores.items()
        if type(score) not in (int, Fraction)
    ]
    if wrong:
        raise StrategyError("params", wrong)
    rejected = {symbol: Rejection.SHORT for symbol, score in scores.items() if score < 0 and not bounds.shorts}
    exact = {symbol: score for symbol, score in _fractions(scores).items() if symbol not in rejected}
    ranked = sorted(exact, key=lambda symbol: (-abs(exact[symbol]), symbol))
    kept = ranked[: bounds.most]
    rejected |= dict.fromkeys(ranked[len(kept) :], Rejection.TOO_MANY)
    whole = min(_ONE, Fraction(bounds.gross)) if bounds.gross is not None else _ONE
    sizes = _filled({symbol: abs(exact[symbol]) for symbol in kept if exact[symbol]}, whole, bounds.single)
    weights = {symbol: size if scores[symbol] > 0 else -size for symbol, size in sizes.items()}
    return Shared({symbol: weight for symbol, weight in _balanced(weights, bounds.net).items() if weight}, rejected)


def _filled(scores: Mapping[str, Fraction], whole: Fraction, single: Exact | None) -> dict[str, Fraction]:
    """`whole` in proportion to scores, no part above `single`: what is cut off goes to those that are not yet full."""
    full: dict[str, Fraction] = {}
    while len(full) < len(scores):
        open_ = {symbol: score for symbol, score in scores.items() if symbol not in full}
        left, total = whole - sum(full.values()), sum(open_.values())
        parts = {symbol: left * score / total for symbol, score in open_.items()}
        over = [symbol for symbol, part in parts.items() if single is not None and part > single]
        if not over:
            return {symbol: full.get(symbol, parts.get(symbol, _NONE)) for symbol in scores}
        assert single is not None
        full |= dict.fromkeys(over, Fraction(single))
    return {symbol: full[symbol] for symbol in scores}


def _balanced(weights: Mapping[str, Fraction], net: Exact | None) -> dict[str, Fraction]:
    """The weights with a net of no more than a bound: the heavier side is scaled down."""
    total = sum(weights.values(), _NONE)
    if net is None or abs(total) <= net:
        return dict(weights)
    heavy = sum((weight for weight in weights.values() if (weight > 0) == (total > 0)), _NONE)
    # What has to go is never more than the heavier side is: the other one only takes from the net.
    kept = (abs(heavy) - (abs(total) - net)) / abs(heavy)
    return {symbol: weight * kept if (weight > 0) == (total > 0) else weight for symbol, weight in weights.items()}


def broken(
    weights: Mapping[str, Exact],
    bounds: Bounds,
    *,
    sectors: Mapping[str, str] | None = None,
    before: Mapping[str, Exact] | None = None,
) -> list[tuple[Bound, str]]:
    """Every bound that weights break, with the symbol or sector it is about, or nothing where it is about all.

    `sectors` names each symbol's sector: one without is itself a breach where sectors are bounded. `before` are the
    weights held now, for the turnover.

    Raises StrategyError "params" for a weight that is no exact number.
    """
    wrong = [
        f"the weight of `{symbol}` is an exact number, found `{weight}`"
        for symbol, weight in {**weights, **(before or {})}.items()
        if type(weight) not in (int, Fraction)
    ]
    if wrong:
        raise StrategyError("params", wrong)
    held = None if before is None else _fractions(before)
    return list(_broken(_fractions(weights), bounds, sectors or {}, held))


def _broken(
    weights: Mapping[str, Fraction], bounds: Bounds, sectors: Mapping[str, str], before: Mapping[str, Fraction] | None
) -> Iterator[tuple[Bound, str]]:
    for symbol in sorted(weights):
        if bounds.single is not None and abs(weights[symbol]) > bounds.single:
            yield Bound.SINGLE, symbol
        if weights[symbol] < 0 and not bounds.shorts:
            yield Bound.SHORT, symbol
    if bounds.gross is not None and _gross(weights.values()) > bounds.gross:
        yield Bound.GROSS, ""
    if bounds.net is not None and abs(sum(weights.values(), _NONE)) > bounds.net:
        yield Bound.NET, ""
    if bounds.sector_gross or bounds.sector_net:
        for symbol in sorted(weights):
            if weights[symbol] and symbol not in sectors:
                yield Bound.SECTOR_UNKNOWN, symbol
    for limits, bound in ((bounds.sector_gross, Bound.SECTOR_GROSS), (bounds.sector_net, Bound.SECTOR_NET)):
        for sector in sorted(limits):
            theirs = [weight for symbol, weight in weights.items() if sectors.get(symbol) == sector]
            size = _gross(theirs) if bound is Bound.SECTOR_GROSS else abs(sum(theirs, _NONE))
            if size > limits[sector]:
                yield bound, sector
    if bounds.turnover is not None and before is not None:
        none = Fraction(0)
        if (
            _gross(weights.get(each, none) - before.get(each, none) for each in {*weights, *before})
            > 2 * bounds.turnover
        ):
            yield Bound.TURNOVER, ""


def shares(weights: Mapping[str, Exact], equity: int, prices: Mapping[str, int], lot: int = 1) -> dict[str, int]:
    """Signed target shares for weights of an equity, at prices in micros: whole lots, and never more than the weight.

    Equity of zero or less is worth no share. Raises StrategyError "params" for a symbol without a price above zero and
    for a lot below one.
    """
    wrong = [f"`{symbol}` has no price" for symbol in sorted(weights) if weights[symbol] and prices.get(symbol, 0) <= 0]
    wrong += [f"a lot is one share or more, found `{lot}`"] if lot < 1 else []
    if wrong:
        raise StrategyError("params", wrong)
    targets = {}
    for symbol, weight in _fractions(weights).items():
        lots = abs(weight) * max(equity, 0) // (prices[symbol] * lot) if weight else 0
        targets[symbol] = lots * lot * (1 if weight > 0 else -1)
    return targets


def _fractions(weights: Mapping[str, Exact]) -> dict[str, Fraction]:
    return {symbol: Fraction(weight) for symbol, weight in weights.items()}


def _gross(weights: Iterable[Fraction]) -> Fraction:
    return sum((abs(weight) for weight in weights), _NONE)
