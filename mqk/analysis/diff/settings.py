"""What binds an engine beside its rules and is not the same: its clock, costs, capital, symbols, claims and leaves.

What lives here: for each, what more and less of it means, from what it is. What does not: guards (guarded.py), state
machines (moves.py), tests (evidence.py).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from mqk.analysis.diff.differences import Difference, both, place
from mqk.analysis.diff.results import Direction
from mqk.analysis.diff.senses import EXECUTION, KEYS, SCHEDULE, Sense
from mqk.policy import Bundle, ClaimSource, LoosenSource, StrategySpec, canonical_text
from mqk.policy.canonical import canonical_expression
from mqk.quantity import Duration, Money, Ratio, format_date

# From the one that risks nothing to the one that risks money.
_MODES: Final = ("BACKTEST", "PAPER", "LIVE")


def differences(low: Bundle, high: Bundle) -> Iterator[Difference]:
    """Everything that differs and is neither a guard's nor a state machine's."""
    yield from _values("schedule", low, high, SCHEDULE)
    yield from executions(low, high)
    yield from _engine(low, high)
    yield from _allocation(low, high)
    yield from _strategies(low, high)
    yield from _claims(low, high)
    yield from _leaves(low, high)
    usual = [{name: text.text for name, text in bundle.baseline.items()} for bundle in (low, high)]
    yield from _texts("baseline", low, high, usual[0], usual[1])
    why = "other keys may open another account"
    yield from _texts("keys", low, high, low.keys, high.keys, Direction.INCOMPARABLE, why)


def executions(low: Bundle, high: Bundle) -> Iterator[Difference]:
    """What trading costs in a backtest, and how orders fill."""
    yield from _values("execution", low, high, EXECUTION)


def _values(section: str, low: Bundle, high: Bundle, senses: dict[str, tuple[Sense, str, str]]) -> Iterator[Difference]:
    before, after = getattr(low, section), getattr(high, section)
    for name, (sense, more_of_it, less_of_it) in senses.items():
        one, other = _at(before, name), _at(after, name)
        if one != other:
            key = f"{section}.{KEYS.get(f'{section}.{name}', name)}"
            found, more = _by(sense, one, other)
            yield Difference(
                key,
                section,
                _written(low, key, one),
                _written(high, key, other),
                place(low, key),
                place(high, key),
                found,
                more_of_it if more else less_of_it,
            )


def _at(policy: object, name: str) -> object:
    for part in name.split("."):
        policy = getattr(policy, part)
    return policy


def _amount(value: object) -> object:
    match value:
        case Duration(micros=amount) | Money(micros=amount) | Ratio(value=amount):
            return amount
        case None:
            # What is not set has no end.
            return math.inf
        case _:
            return value


def _told(value: object) -> str:
    if value is None:
        return "none"
    return canonical_text(value) if isinstance(value, Duration | Money | Ratio) else str(value)


def _written(bundle: Bundle, key: str, value: object) -> str:
    """A value as the uppermost layer writes it; where none does, as it is."""
    layers = bundle.layers.get(key, ())
    return " ".join(layers[-1].text.split()) if layers else _told(value)


def _by(sense: Sense, one: object, other: object) -> tuple[Direction, bool]:
    """Where a change of a value leads, and whether it is as its sense is told: towards more."""
    if sense in ("neither", "nothing"):
        return (Direction.INCOMPARABLE if sense == "neither" else Direction.EQUAL), True
    if isinstance(sense, tuple):
        more = sense.index(str(other)) > sense.index(str(one))
        return (Direction.LOOSER if more else Direction.TIGHTER), more
    before, after = _amount(one), _amount(other)
    more = bool(after > before)  # type: ignore[operator] # amounts of one type
    return (Direction.LOOSER if more is (sense == "more is looser") else Direction.TIGHTER), more


def _engine(low: Bundle, high: Bundle) -> Iterator[Difference]:
    places = place(low, "mode"), place(high, "mode")
    if low.mode != high.mode:
        riskier = _MODES.index(high.mode) > _MODES.index(low.mode)
        why = "more is at stake" if riskier else "less is at stake"
        found = Direction.LOOSER if riskier else Direction.TIGHTER
        yield Difference("mode", "engine", low.mode, high.mode, *places, found, why)
    if low.calendar != high.calendar:
        places = place(low, "calendar"), place(high, "calendar")
        why = "other days and hours are sessions"
        yield Difference("calendar", "engine", low.calendar, high.calendar, *places, Direction.INCOMPARABLE, why)
    yield from _sets(
        "timeframes", "engine", low, high, low.timeframes, high.timeframes, "bars of more lengths are traded"
    )
    yield from _sets(
        "stress", "promotion", low, high, low.stresses, high.stresses, "a candidate is tried in fewer ways", fewer=True
    )
    brokers = both(low.broker, high.broker, lambda each: f"{each.id} {each.account or ''}".strip())
    if brokers[0] != brokers[1]:
        spans = both(low.broker, high.broker, lambda each: each.span)
        why = "orders are carried out elsewhere"
        yield Difference("broker", "broker", *brokers, *spans, Direction.INCOMPARABLE, why)


def _sets(
    path: str,
    kind: str,
    low: Bundle,
    high: Bundle,
    before: Collection[str],
    after: Collection[str],
    why: str,
    *,
    fewer: bool = False,
) -> Iterator[Difference]:
    """A set of which more (or `fewer`) is looser."""
    one, other = set(before), set(after)
    if one == other:
        return
    gained, lost = other - one, one - other
    loosens, tightens = (lost, gained) if fewer else (gained, lost)
    found = Direction.LOOSER if not tightens else Direction.TIGHTER if not loosens else Direction.INCOMPARABLE
    told = why if loosens else f"the reverse of: {why}"
    yield Difference(path, kind, _listed(before), _listed(after), place(low, path), place(high, path), found, told)


def _listed(words: Collection[str]) -> str:
    return f"[{', '.join(sorted(words))}]"


def _allocation(low: Bundle, high: Bundle) -> Iterator[Difference]:
    one, other = low.allocation, high.allocation
    spans = both(one, other, lambda each: each.span)
    if one is None or other is None:
        if one is not other:
            gone = other is None
            why = "nothing holds the engine to a part" if gone else "the engine is held to a part"
            yield Difference(
                "allocation",
                "allocation",
                None if one is None else str(one.part),
                None if other is None else str(other.part),
                *spans,
                Direction.LOOSER if gone else Direction.TIGHTER,
                why,
            )
        return
    for name, before, after in (("capital", one.capital, other.capital), ("part", one.part, other.part)):
        if before != after:
            what = "the desk has more to trade with" if name == "capital" else "the engine may take more"
            found, more = _by("more is looser", before, after)
            why = what if more else f"the reverse of: {what}"
            yield Difference(f"allocation.{name}", "allocation", str(before), str(after), *spans, found, why)
    if one.symbols != other.symbols:
        before_, after_ = (None if each is None else set(each) for each in (one.symbols, other.symbols))
        wider = after_ is None or (before_ is not None and before_ < after_)
        narrower = before_ is None or (after_ is not None and after_ < before_)
        found = Direction.LOOSER if wider else Direction.TIGHTER if narrower else Direction.INCOMPARABLE
        told = _symbols(one.symbols), _symbols(other.symbols)
        why = "the engine is confined to other symbols"
        yield Difference("allocation.symbols", "allocation", *told, *spans, found, why)


def _symbols(symbols: Collection[str] | None) -> str:
    return "any symbol" if symbols is None else _listed(symbols)


def _strategies(low: Bundle, high: Bundle) -> Iterator[Difference]:
    before, after = ({each.id: each for each in bundle.strategies} for bundle in (low, high))
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        spans = both(one, other, lambda each: each.span)
        path = f"strategies.{name}"
        if one is None or other is None:
            told = both(one, other, _trades)
            quiet = "trading" not in told
            found = Direction.LOOSER if one is None else Direction.TIGHTER
            why = "its orders do not leave" if quiet else "who proposes orders"
            yield Difference(path, "strategy", *told, *spans, Direction.EQUAL if quiet else found, why)
            continue
        if one.shadow is not other.shadow:
            found = Direction.LOOSER if one.shadow else Direction.TIGHTER
            told = both(one, other, _trades)
            why = "its orders leave now" if one.shadow else "its orders do not leave any more"
            yield Difference(f"{path}.shadow", "strategy", *told, *spans, found, why)
        if one.params != other.params:
            told = both(one, other, lambda each: ", ".join(f"{k}: {v}" for k, v in each.params.items()) or "none")
            why = "parameters change what is proposed, not what may pass"
            yield Difference(f"{path}.params", "strategy", *told, *spans, Direction.EQUAL, why)


def _trades(strategy: StrategySpec) -> str:
    return "in shadow" if strategy.shadow else "trading"


def _claim(claim: ClaimSource) -> tuple[object, ...]:
    """What a claim says, apart from its title and place."""
    words = tuple(sorted(claim.never)), tuple(sorted(claim.always))
    return (claim.at, canonical_expression(claim.when), *words, claim.engine, claim.than)


def _claimed(claim: ClaimSource) -> str:
    said = f"never {_listed(claim.never)}" if claim.never else f"always {_listed(claim.always)}"
    if claim.than is not None:
        said = f"no more permissive than {claim.than}"
    return said + ("" if claim.when is None else f" when {' '.join(claim.when.text.split())}")


def _stronger(one: ClaimSource, other: ClaimSource) -> bool:
    """Whether a claim plainly says more than another: of as many moments, more outcomes ruled out."""
    same = (one.at, one.engine, one.than) == (other.at, other.engine, other.than)
    when = one.when is None or canonical_expression(one.when) == canonical_expression(other.when)
    never = set(one.never) >= set(other.never) and not (one.always or other.always)
    always = bool(one.always) and set(one.always) <= set(other.always)
    return same and when and (never or always)


def _claims(low: Bundle, high: Bundle) -> Iterator[Difference]:
    before, after = ({each.id: each for each in bundle.claims} for bundle in (low, high))
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        spans = both(one, other, lambda each: each.span)
        told = both(one, other, _claimed)
        if one is None or other is None:
            found = Direction.TIGHTER if one is None else Direction.LOOSER
            why = "more is proven" if one is None else "it is no longer proven"
            yield Difference(f"claims.{name}", "claim", *told, *spans, found, why)
        elif _claim(one) != _claim(other):
            up, down = _stronger(other, one), _stronger(one, other)
            found = Direction.TIGHTER if up else Direction.LOOSER if down else Direction.INCOMPARABLE
            why = "it says more" if up else "it says less" if down else "it says something else"
            yield Difference(f"claims.{name}", "claim", *told, *spans, found, why)


def _leaves(low: Bundle, high: Bundle) -> Iterator[Difference]:
    """What is mandatory, and what layers have leave to loosen."""
    for name in sorted(low.mandatory.keys() | high.mandatory.keys()):
        one, other = low.mandatory.get(name), high.mandatory.get(name)
        if one is None or other is None:
            spans = both(one, other, lambda each: each.span)
            found = Direction.TIGHTER if one is None else Direction.LOOSER
            told = both(one, other, lambda _: "mandatory")
            why = "an engine may not do without it" if one is None else "an engine may do without it"
            yield Difference(f"mandatory.{name}", "mandatory", *told, *spans, found, why)
    before, after = ({(e.document, e.target): e for e in bundle.loosened} for bundle in (low, high))
    for key in sorted(before.keys() | after.keys()):
        leave, now = before.get(key), after.get(key)
        spans = both(leave, now, lambda each: each.span)
        path = f"loosen.{key[1]}"
        if leave is None or now is None:
            found = Direction.LOOSER if leave is None else Direction.TIGHTER
            why = "a layer may loosen it" if leave is None else "no layer may loosen it any more"
            yield Difference(path, "loosen", _until(leave), _until(now), *spans, found, why)
        elif leave.until != now.until:
            longer = now.until > leave.until
            found = Direction.LOOSER if longer else Direction.TIGHTER
            why = "the leave lasts longer" if longer else "the leave ends sooner"
            yield Difference(path, "loosen", _until(leave), _until(now), *spans, found, why)


def _until(leave: LoosenSource | None) -> str | None:
    return None if leave is None else f"until {format_date(leave.until)}"


def _texts(
    section: str,
    low: Bundle,
    high: Bundle,
    before: Mapping[str, str],
    after: Mapping[str, str],
    direction: Direction = Direction.INCOMPARABLE,
    why: str = "tests and witnesses start from it: they may prove something else, or nothing",
) -> Iterator[Difference]:
    """Words by name of which none is more or less than another."""
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one != other:
            key = f"{section}.{name}"
            spans = place(low, key) or place(low, section), place(high, key) or place(high, section)
            yield Difference(key, section, one, other, *spans, direction, why)
