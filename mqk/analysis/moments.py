"""Moments to judge: an ordinary one to start from, and a witness as the views that guards take.

What lives here: facts as values. What does not: which moments are looked for (prove.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from mqk.analysis.verdicts import Witness, type_of
from mqk.dsl import FactRef, Type
from mqk.dsl.syntax import Value
from mqk.dsl.types import COUNT, Kind, money
from mqk.dsl.windows import window_attribute
from mqk.guards.catalogue import VIEWS, facts_at
from mqk.guards.facts import canonical_name
from mqk.guards.lookup import ViewLookup
from mqk.guards.points import Point
from mqk.guards.values import parse_fact
from mqk.policy import Bundle
from mqk.quantity import QuantityError, parse_date, parse_instant

_USD: Final = 1_000_000
_SECOND: Final = 1_000_000
_NOON: Final = 12 * 3600 * _SECOND
# Where a baseline says nothing: what is ordinary for the facts whose kind alone does not tell.
_USUAL: Final[Mapping[str, Value]] = {
    "order.qty": 10,
    "order.side": "BUY",
    "run.mode": "PAPER",
    "run.state": "RUNNING",
    "run.posture": "NORMAL",
    "bar.complete": True,
}


def ordinary(bundle: Bundle, point: Point) -> dict[str, Value]:
    """An ordinary moment at a point, by name: the engine's baseline, and plausible values where it says nothing.

    Facts that may be missing are missing in it unless the baseline has them.
    """
    found: dict[str, Value] = {}
    written = {canonical_name(name): text.text for name, text in bundle.baseline.items()}
    for name, entry in facts_at(point).items():
        if not isinstance(entry.ref, FactRef):
            continue
        if name in written:
            try:
                found[name] = parse_fact(written[name], entry.type)
                continue
            except QuantityError:
                pass  # the checker of baselines says so
        if not entry.ref.optional:
            found[name] = _USUAL.get(name, _plain(name, entry.type, bundle))
    for name, text in written.items():
        if name in found or "(" not in name:
            continue
        with suppress(QuantityError):  # the checker of baselines says what is wrong
            found[name] = parse_fact(text, money() if name.startswith("total(") else COUNT)
    return found


def _plain(name: str, kind: Type, bundle: Bundle) -> Value:
    match kind.kind:
        case Kind.BOOL:
            return False
        case Kind.ENUM:
            return kind.members[0]
        case Kind.SYMBOL:
            return bundle.universe[0]
        case Kind.TEXT:
            return "text"
        case Kind.MONEY:
            whole = ("account.equity", "account.cash", "account.day_start_equity", "account.peak_equity")
            if name in whole:
                return bundle.capital.micros
            return 100 * _USD if name.rpartition(".")[2] in _PRICES else 0
        case Kind.INSTANT:
            return parse_instant("2026-06-01T20:00:00Z")
        case Kind.DATE:
            return parse_date("2026-06-01").toordinal()
        case Kind.TIME:
            return _NOON
        case _:
            return 0


_PRICES: Final = frozenset(
    {"price", "worst_price", "open", "high", "low", "close", "previous_close", "limit_price", "average_price"}
)


def lookup_of(witness: Witness) -> ViewLookup:
    """A witness as the interpreter and the guards look facts up."""
    views: dict[str, Any] = {name: view() for name, view in VIEWS[witness.point].items()}
    for name, value in witness.values.items():
        if name in witness.missing or name in witness.unusable:
            continue
        if "(" in name:
            if "windows" in views:
                setattr(views["windows"], window_attribute(name), value)
            continue
        view, _, attribute = name.partition(".")
        if view in views:
            setattr(views[view], attribute.replace(".", "_"), value)
    for name, elements in witness.collections.items():
        if name in witness.missing:
            del views[name]
            continue
        for element in elements:
            made = views[name].ELEMENT()
            for field, value in element.items():
                setattr(made, field, value)
            views[name].append(made)
    return ViewLookup(views, dict.fromkeys(witness.unusable, "it cannot be read"))


def around(bundle: Bundle, point: Point) -> Iterator[tuple[str | None, ViewLookup]]:
    """An ordinary moment, and the same with one fact after the other (which is named) far from it.

    Most questions that something can happen are settled by these, without the solver.
    """
    usual = ordinary(bundle, point)
    yield None, lookup_of(Witness(point, usual))
    for name, value in usual.items():
        for other in _others(name, value, point):
            yield name, lookup_of(Witness(point, {**usual, name: other}))


def _others(name: str, value: Value, point: Point) -> Iterator[Value]:
    kind = type_of(point, name)
    match kind.kind:
        case Kind.BOOL:
            yield not value
        case Kind.ENUM:
            yield from (member for member in kind.members if member != value)
        case Kind.SYMBOL:
            yield "OTHER"
        case Kind.TEXT | Kind.RATIO:
            return
        case _:
            assert isinstance(value, int)
            entry = facts_at(point).get(name)
            least = None if entry is None else entry.minimum
            yield from (other for other in (value * 2 + _FAR, 0, -_FAR) if least is None or other >= least)


_FAR: Final = 1_000_000_000
