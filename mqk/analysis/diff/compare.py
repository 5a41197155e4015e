"""Two sets of policies compared: engine by engine, today and on the days to come, to one verdict.

What lives here: which bundles are compared, and how it all adds up. What does not: any single comparison (pair.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from mqk.analysis.diff import documents, evidence, regimes
from mqk.analysis.diff.days import Day, over_days
from mqk.analysis.diff.pair import Pair
from mqk.analysis.diff.promises import Promises
from mqk.analysis.diff.results import Change, Direction, EngineDiff, PolicyDiff, ShownWitness, joined
from mqk.analysis.diff.showing import allowed
from mqk.analysis.moments import ordinary
from mqk.analysis.verdicts import Witness
from mqk.guards import GuardSet, Point, compile_bundle
from mqk.policy import Bundle, PolicyError, PolicySet, effective_bundle
from mqk.policy.timeline import turning_days
from mqk.quantity import format_date

# What a question may cost, in the solver's steps: as much as in `mqk policy prove`.
BUDGET = 20_000_000
_ORDER = (Direction.LOOSER, Direction.INCOMPARABLE, Direction.UNDECIDED, Direction.TIGHTER, Direction.EQUAL)


def compare(
    base: PolicySet,
    head: PolicySet,
    *,
    as_of: date | None,
    as_of_base: date | None = None,
    engines: Collection[str] | None = None,
    budget: int = BUDGET,
) -> PolicyDiff:
    """What becomes possible, and impossible, when `head` takes the place of `base`.

    `as_of` is the day whose rules count, `as_of_base` that of the base when it is another. Where both are one day, what
    the two say otherwise of later days counts as well. Raises PolicyError with what is wrong with either.
    """
    for policies in (base, head):
        if policies.errors:
            raise PolicyError(policies.errors)
    sides = _Sides(base, head, as_of if as_of_base is None else as_of_base, as_of, budget)
    found: dict[str, EngineDiff] = {}
    changes: list[Change] = []
    for name in sorted({*base.ids("engine"), *head.ids("engine")}):
        if engines is None or name in engines:
            engine, more = sides.engine(name)
            if engine is not None:
                found[name] = engine
                changes += more
    day = Day(base, head, sides.before, sides.after, _bundle)
    promises = Promises(None if engines is None else frozenset(engines))
    beside = (*evidence.changes(day), *over_days(day, documents.changes), *over_days(day, promises.changes))
    changes += [each for each in beside if engines is None or set(each.engines) & set(engines)]
    changes += regimes.changes(base, head, sides.before, sides.after) if engines is None else ()
    merged = _merged(changes)
    verdict = joined([*(each.verdict for each in found.values()), *(each.direction for each in merged)])
    # What is told of an engine counts for it, be it of its tests, of the desk's documents or of its guards.
    for name, engine in found.items():
        told = (each.direction for each in merged if name in each.engines)
        found[name] = replace(engine, verdict=joined([engine.verdict, *told]))
    return PolicyDiff(verdict, found, merged)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sets, and the days they are asked about."""

    base: PolicySet
    head: PolicySet
    before: date | None
    after: date | None
    budget: int

    def engine(self, name: str) -> tuple[EngineDiff | None, list[Change]]:
        """One engine's verdict and changes; no verdict for one that is on neither side, on the day or later."""
        one, other = _compiled(self.base, name, self.before), _compiled(self.head, name, self.after)
        engine, changes = self._compared(name, one, other)
        later = list(self._later(name, {_key(each) for each in changes}))
        if one is None and other is None and not later:
            return None, []
        return replace(engine, verdict=joined([engine.verdict, *(each.direction for each in later)])), changes + later

    def _compared(self, name: str, one: GuardSet | None, other: GuardSet | None) -> tuple[EngineDiff, list[Change]]:
        if one is None and other is None:
            return EngineDiff(Direction.EQUAL, {}), []
        if one is None or other is None:
            found = _alone(name, one, other)
            return EngineDiff(found.direction, {}), [found]
        return Pair(one.bundle, other.bundle, self.budget, (one, other)).run()

    def _later(self, name: str, seen: set[_Key]) -> Iterator[Change]:
        """What the two sides say otherwise from some later day on, and not before."""
        if self.after is None or self.before != self.after:
            return
        asked = set()
        days = {*turning_days(self.base), *turning_days(self.head)}
        for day in sorted(day for day in days if day > self.after):
            try:
                one, other = _bundle(self.base, name, day), _bundle(self.head, name, day)
                if (one, other) == (None, None) or (one is not None and other is not None and not _differ(one, other)):
                    continue
                # On a day on which both sides are what they were on an earlier one there is no news.
                what = tuple(None if each is None else (each.sha256, len(each.claims)) for each in (one, other))
                if what in asked:
                    continue
                asked.add(what)
                guards = [None if each is None else compile_bundle(each) for each in (one, other)]
            except PolicyError:
                continue  # what is not in force by then, or does not compile, lets nobody run
            for each in self._compared(name, guards[0], guards[1])[1]:
                # How long a waiver or a leave lasts has been told with its end.
                paths = {path for path, *_ in seen}
                told = each.kind in ("waiver", "loosen") and {each.path, f"{each.path}.until"} & paths
                if _key(each) not in seen and not told:
                    seen.add(_key(each))
                    why = f"from {format_date(day)} on" + (f": {each.why}" if each.why else "")
                    yield replace(each, kind="regime", path=f"regime.{format_date(day)}.{each.path}", why=why)


_Key = tuple[str, str | None, str | None, Direction]


def _key(each: Change) -> _Key:
    return each.path, each.before, each.after, each.direction


def _differ(one: Bundle, other: Bundle) -> bool:
    """Whether two bundles say anything otherwise, before anything is asked about it."""
    pair = Pair(one, other, BUDGET)
    return pair.moves_differ or bool(pair.differences)


def _bundle(policies: PolicySet, name: str, as_of: date | None) -> Bundle | None:
    """What binds an engine on a day; None when it is not there then."""
    versions = policies.versions.get(("engine", name), ())
    if not versions or (as_of is not None and not any(each.period.holds_on(as_of) for each in versions)):
        return None
    return effective_bundle(policies, name, as_of=as_of)


def _compiled(policies: PolicySet, name: str, as_of: date | None) -> GuardSet | None:
    """The guards of an engine on a day: a rule that does not compile binds nobody, and must not pass for equal."""
    bundle = _bundle(policies, name, as_of)
    return None if bundle is None else compile_bundle(bundle)


def _alone(name: str, one: GuardSet | None, other: GuardSet | None) -> Change:
    """An engine that has come, and may do what nobody did, or that has gone."""
    guards = one or other
    assert guards is not None
    bundle = guards.bundle
    span = bundle.layers["mode"][-1].span
    told = f"{bundle.mode}, {bundle.capital}"
    if other is None:
        return Change(
            f"engines.{name}", "engine", told, None, Direction.TIGHTER, span, None, None, (name,), "the engine is gone"
        )
    moment = Witness(Point.ORDER, ordinary(bundle, Point.ORDER))
    subject = allowed(guards.order, moment)
    witness = None
    if subject is not None:
        text = f"{subject}: there was no engine {name}, now allowed"
        witness = ShownWitness(name, Point.ORDER.value, subject, text, {})
    return Change(
        f"engines.{name}", "engine", None, told, Direction.LOOSER, None, span, witness, (name,), "the engine is new"
    )


def _merged(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Each change once: what several engines share is one change of theirs."""
    found: dict[tuple[object, ...], Change] = {}
    for each in changes:
        key = (each.path, each.kind, each.before, each.after, each.direction, each.before_at, each.after_at)
        if key in found:
            engines = tuple(sorted({*found[key].engines, *each.engines}))
            found[key] = replace(found[key], engines=engines, witness=found[key].witness or each.witness)
        else:
            found[key] = each
    return tuple(sorted(found.values(), key=lambda each: (_ORDER.index(each.direction), each.path, each.engines)))
