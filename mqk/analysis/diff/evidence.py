"""Tests that are not the same: documents, engines and cases that have gone or come, and cases that say something else.

What lives here: the tests of two sets, case by case. What does not: running them (mqk.analysis.testing), claims, which
bind engines (settings.py).

A case that has gone is a loosening: nobody would notice any more what it noticed. So is one that names no longer who
decides. Cases that were made from the rules are made anew when the rules change: then counts how many each rule has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mqk.analysis.diff.days import Day
from mqk.analysis.diff.differences import both
from mqk.analysis.diff.results import Change, Direction, joined
from mqk.analysis.testing.documents import BOUNDARIES
from mqk.analysis.testing.subjects import plain
from mqk.guards import canonical_name
from mqk.guards.points import LADDERS, Point
from mqk.policy import Document, PolicySet, Span
from mqk.policy import Mapping as MappingNode
from mqk.policy.values import canonical_text, read_any, type_tag
from mqk.quantity import QuantityError, parse_date

_BREACH = "breach"
_GONE = "nobody would notice what it noticed"
_Suites = Mapping[str, "list[_Case]"]


@dataclass(frozen=True, slots=True)
class _Case:
    """One case: where it is, what it expects of whom, and all else that it says, as `facts`."""

    suite: str
    name: str
    at: str
    expect: str
    by: frozenset[str]
    result: str
    facts: str
    as_of: str | None
    span: Span
    engines: tuple[str, ...]
    made: bool

    @property
    def content(self) -> tuple[object, ...]:
        """What it is, under whatever name and in whatever document."""
        return (self.at, self.expect, self.by, self.result, self.facts, self.as_of)

    @property
    def expected(self) -> str:
        """What it expects, as it is told."""
        by = f" by {', '.join(sorted(self.by))}" if self.by else ""
        return f"{self.expect}{by}" + ("" if self.result == _BREACH else f", {self.result}")

    @property
    def rule(self) -> str:
        """The rule that a case was made for."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True, slots=True)
class _Sides:
    """The suites of both sets, and what there is in them for each engine."""

    day: Day
    names: Mapping[str, str]
    before: _Suites
    after: _Suites
    was: frozenset[tuple[str, tuple[object, ...]]]
    now: frozenset[tuple[str, tuple[object, ...]]]


def changes(day: Day) -> Iterator[Change]:
    """Every document of tests, and every case, that has gone, come or changed."""
    before, after = _suites(day.base, {}), _suites(day.head, {})
    if _contents(before) == _contents(after):
        return
    names = day.renames()
    before = _suites(day.base, names)
    sides = _Sides(day, names, before, after, _contents(before), _contents(after))
    for suite in sorted(before.keys() | after.keys()):
        was, now = before.get(suite, []), after.get(suite, [])
        if not was or not now:
            # What is merely in another document, or under another name, has not gone.
            known = sides.now if was else sides.was
            moved = [case for case in was or now if any((each, case.content) not in known for each in case.engines)]
            if moved:
                yield _document(suite, was, now, moved)
            continue
        yield from _engines(sides, was, now)
        shared = {*was[0].engines} & {*now[0].engines}
        lost = [case for case in was if any((each, case.content) not in sides.now for each in shared)]
        gained = [case for case in now if any((each, case.content) not in sides.was for each in shared)]
        if now[0].made and was[0].made and not _same_rules(day, now[0]):
            yield from _made_anew(sides, was, now)
            lost, gained = _of_one_name(lost, gained)
        yield from _cases(lost, gained)


def _contents(suites: _Suites) -> frozenset[tuple[str, tuple[object, ...]]]:
    return frozenset((name, case.content) for cases in suites.values() for case in cases for name in case.engines)


def _engines(sides: _Sides, was: Sequence[_Case], now: Sequence[_Case]) -> Iterator[Change]:
    """Engines that a document's cases are no longer run for, or are now."""
    before, after = {*was[0].engines}, {*now[0].engines}
    # An engine that has gone is told as that.
    lost = {
        each
        for each in (before - after) & {*sides.day.head.ids("engine")}
        if any((each, case.content) not in sides.now for case in was)
    }
    gained = {each for each in after - before if any((each, case.content) not in sides.was for case in now)}
    if lost or gained:
        found = joined([*([Direction.LOOSER] if lost else []), *([Direction.TIGHTER] if gained else [])])
        told = both(before, after, lambda names: f"[{', '.join(sorted(names))}]")
        why = "nobody would notice what it noticed of them" if lost else "it is tested of more engines"
        path = f"tests.{now[0].suite}.engines"
        engines = tuple(sorted(lost | gained))
        yield Change(path, "test", *told, found, was[0].span, now[0].span, engines=engines, why=why)


def _document(suite: str, was: Sequence[_Case], now: Sequence[_Case], moved: Sequence[_Case]) -> Change:
    gone = not now
    told = both(was or None, now or None, lambda cases: f"{len(cases)} cases")
    spans = both(was or None, now or None, lambda cases: cases[0].span)
    found = Direction.LOOSER if gone else Direction.TIGHTER
    why = _GONE if gone else "more is tested"
    engines = tuple(sorted({engine for case in moved for engine in case.engines}))
    return Change(f"tests.{suite}", "test", *told, found, *spans, engines=engines, why=why)


def _same_rules(day: Day, case: _Case) -> bool:
    """Whether the rules that a case was made from are the same, so that making it anew would change nothing."""
    for engine in case.engines:
        low, high = day.bundles(engine)
        if case.as_of is not None:
            on = parse_date(case.as_of)
            low, high = (day.bundle_on(policies, engine, on) for policies in (day.base, day.head))
        if low is None or high is None or low.sha256 != high.sha256:
            return False
    return True


def _made_anew(sides: _Sides, was: Sequence[_Case], now: Sequence[_Case]) -> Iterator[Change]:
    """Rules of which fewer boundaries are tested than were."""
    for engine in was[0].engines:
        high = sides.day.bundles(engine)[1]
        rules = set() if high is None else {rule.id for rule in high.rules}
        for rule in sorted({case.rule for case in was} & rules):
            one, other = _boundaries(sides.before, engine, rule), _boundaries(sides.after, engine, rule)
            if len(other) < len(one):
                told = f"{len(one)} boundaries", f"{len(other)} boundaries" if other else None
                span = next(case.span for case in was if case.rule == rule)
                after = next((case.span for case in now if case.rule == rule), None)
                path = f"tests.{was[0].suite}.{rule}"
                why = "fewer of its boundaries are tested"
                yield Change(path, "test", *told, Direction.LOOSER, span, after, engines=(engine,), why=why)


def _boundaries(suites: _Suites, engine: str, rule: str) -> frozenset[str]:
    """The cases that were made for a rule, in whatever document."""
    made = (case for cases in suites.values() for case in cases if case.made)
    return frozenset(case.name for case in made if case.rule == rule and engine in case.engines)


def _of_one_name(lost: Sequence[_Case], gained: Sequence[_Case]) -> tuple[list[_Case], list[_Case]]:
    """The cases that there were and are, and of those what expects something else: the facts are made anew."""
    before, after = {case.name: case for case in lost}, {case.name: case for case in gained}
    moved = [
        name for name in before if name in after and _expectation(before[name], after[name]) is not Direction.EQUAL
    ]
    return [before[name] for name in moved], [after[name] for name in moved]


def _cases(lost: Sequence[_Case], gained: Sequence[_Case]) -> Iterator[Change]:
    before, after = ({case.name: case for case in cases} for cases in (lost, gained))
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        one = was or now
        assert one is not None
        path = f"tests.{one.suite}.{name}"
        spans = both(was, now, lambda case: case.span)
        told = both(was, now, lambda case: case.expected)
        if was is None or now is None:
            found = Direction.LOOSER if now is None else Direction.TIGHTER
            why = _GONE if now is None else "more is tested"
        else:
            found, why = _way(was, now)
        yield Change(path, "test", *told, found, *spans, engines=one.engines, why=why)


def _expectation(was: _Case, now: _Case) -> Direction:
    """Where a case leads that expects something else: the milder, the looser."""
    if was.at != now.at or was.expect == now.expect:
        return Direction.EQUAL
    ladder = LADDERS[Point(was.at)]
    return Direction.LOOSER if ladder.index(now.expect) < ladder.index(was.expect) else Direction.TIGHTER


def _way(was: _Case, now: _Case) -> tuple[Direction, str]:
    """Where it leads that a case says something else. With other facts the case that was there has gone."""
    found = [_expectation(was, now)]
    if (was.at, was.facts, was.as_of) != (now.at, now.facts, now.as_of):
        found.append(Direction.INCOMPARABLE)
    if was.by != now.by:
        replaced = was.by and now.by
        found.append(Direction.INCOMPARABLE if replaced else Direction.LOOSER if was.by else Direction.TIGHTER)
    if was.result != now.result:
        found.append(Direction.LOOSER if now.result == _BREACH else Direction.TIGHTER)
    direction = joined(found)
    whys = {
        Direction.LOOSER: "it notices less",
        Direction.TIGHTER: "it notices more",
        Direction.INCOMPARABLE: "it is another case: what was tested is no longer",
    }
    return direction, whys.get(direction, "it changed")


def _suites(policies: PolicySet, names: Mapping[str, str]) -> dict[str, list[_Case]]:
    """Every suite's cases, with rules called by their new names."""
    return {
        name: [case for document in policies.versions["test", name] for case in _read(document, names)]
        for name in policies.ids("test")
    }


def _read(document: Document, names: Mapping[str, str]) -> Iterator[_Case]:
    node = document.node
    alone = node.scalar("engine")
    engines = tuple(sorted(each.text for each in (node.scalars("engines") if alone is None else (alone,))))
    as_of = node.scalar("as_of")
    baselines = node.mapping("baselines").entries
    made = document.file.endswith(BOUNDARIES)
    for case in node.mappings("cases"):
        words = {key: plain(entry.value) for key, entry in case.entries.items() if key not in _TOLD}
        base = case.scalar("baseline")
        if base is not None and base.text in baselines:
            words["baseline"] = plain(baselines[base.text].value)
        facts = json.dumps({key: _meant(each, key) for key, each in words.items()}, sort_keys=True, default=str)
        name, at, expect = (_text(case, key) for key in ("name", "at", "expect"))
        if made:
            rule, space, rest = name.partition(" ")
            name = f"{names.get(rule, rule)}{space}{rest}"
        by = frozenset(names.get(each.text, each.text) for each in case.one_or_more("by"))
        span = next(iter(case.entries.values())).key.span
        result = _text(case, "result") or _BREACH
        on = None if as_of is None else as_of.text
        yield _Case(document.id, name, at, expect, by, result, facts, on, span, engines, made)


# What of a case is told for itself.
_TOLD = frozenset({"name", "at", "expect", "by", "result"})


def _meant(value: object, key: str = "") -> object:
    """What is written, whatever way: values as they are read, what is missing in no order."""
    match value:
        case str():
            try:
                read = read_any(value)
            except QuantityError:
                return " ".join(value.split())
            return [type_tag(read), canonical_text(read)]
        case dict():
            return {canonical_name(str(name)): _meant(each) for name, each in value.items()}
        case list() | tuple():
            items = [_meant(each) for each in value]
            return sorted(items, key=str) if key in ("missing", "unreadable", "stale") else items
        case _:
            return value


def _text(case: MappingNode, key: str) -> str:
    found = case.scalar(key)
    return "" if found is None else " ".join(found.text.split())
