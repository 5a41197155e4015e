"""Tests that are not the same: documents and cases that have gone, come, or expect something else.

What lives here: the tests of two sets, case by case. What does not: running them (mqk.analysis.testing), claims, which
bind engines (settings.py).

A case that has gone is a loosening: nobody would notice any more what it noticed. Cases that were made from the rules
are made anew when the rules change, so that of those only whole documents count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mqk.analysis.diff.differences import both
from mqk.analysis.diff.results import Change, Direction
from mqk.analysis.testing.documents import BOUNDARIES
from mqk.analysis.testing.subjects import plain
from mqk.guards.points import LADDERS, Point
from mqk.policy import Document, Mapping, PolicySet, Span


@dataclass(frozen=True, slots=True)
class _Case:
    """One case: where it is, what it expects, and all it says."""

    suite: str
    name: str
    at: str
    expect: str
    content: str
    span: Span
    engines: tuple[str, ...]
    made: bool


def changes(low: PolicySet, high: PolicySet) -> Iterator[Change]:
    """Every document of tests, and every case, that has gone, come or changed."""
    before, after = _suites(low), _suites(high)
    contents = [{case.content for cases in suites.values() for case in cases} for suites in (before, after)]
    for suite in sorted(before.keys() | after.keys()):
        was, now = before.get(suite, []), after.get(suite, [])
        # What is merely in another document, or under another name, has not gone.
        lost = [case for case in was if case.content not in contents[1]]
        gained = [case for case in now if case.content not in contents[0]]
        if suite not in after or suite not in before:
            moved = lost if suite not in after else gained
            if moved:
                yield _document(suite, was, now, moved)
            continue
        yield from _cases(lost, gained)


def _document(suite: str, was: Sequence[_Case], now: Sequence[_Case], moved: Sequence[_Case]) -> Change:
    gone = not now
    told = both(was or None, now or None, lambda cases: f"{len(cases)} cases")
    spans = both(was or None, now or None, lambda cases: cases[0].span)
    found = Direction.LOOSER if gone else Direction.TIGHTER
    why = "nobody would notice what it noticed" if gone else "more is tested"
    engines = tuple(sorted({engine for case in moved for engine in case.engines}))
    return Change(f"tests.{suite}", "test", *told, found, *spans, engines=engines, why=why)


def _cases(lost: Sequence[_Case], gained: Sequence[_Case]) -> Iterator[Change]:
    before, after = ({case.name: case for case in cases} for cases in (lost, gained))
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        one = was or now
        assert one is not None
        path = f"tests.{one.suite}.{name}"
        spans = both(was, now, lambda case: case.span)
        told = both(was, now, lambda case: case.expect)
        if was is None or now is None:
            if one.made:
                continue
            found = Direction.LOOSER if now is None else Direction.TIGHTER
            why = "nobody would notice what it noticed" if now is None else "more is tested"
            yield Change(path, "test", *told, found, *spans, engines=one.engines, why=why)
        else:
            yield Change(path, "test", *told, _expectation(was, now), *spans, engines=now.engines, why="it changed")


def _expectation(was: _Case, now: _Case) -> Direction:
    """Where a case leads that expects something else: the milder, the looser. Other facts are another case."""
    if was.expect == now.expect or was.at != now.at:
        return Direction.EQUAL
    ladder = LADDERS[Point(was.at)]
    return Direction.LOOSER if ladder.index(now.expect) < ladder.index(was.expect) else Direction.TIGHTER


def _suites(policies: PolicySet) -> dict[str, list[_Case]]:
    return {
        name: [case for document in policies.versions["test", name] for case in _read(document)]
        for name in policies.ids("test")
    }


def _read(document: Document) -> Iterator[_Case]:
    node = document.node
    alone = node.scalar("engine")
    engines = tuple(sorted(each.text for each in (node.scalars("engines") if alone is None else (alone,))))
    as_of = node.scalar("as_of")
    baselines = node.mapping("baselines").entries
    made = document.file.endswith(BOUNDARIES)
    for case in node.mappings("cases"):
        words = {key: plain(entry.value) for key, entry in case.entries.items() if key != "name"}
        base = case.scalar("baseline")
        if base is not None and base.text in baselines:
            words["baseline"] = plain(baselines[base.text].value)
        content = json.dumps([engines, None if as_of is None else as_of.text, words], sort_keys=True, default=str)
        name, at, expect = (_text(case, key) for key in ("name", "at", "expect"))
        span = next(iter(case.entries.values())).key.span
        yield _Case(document.id, name, at, expect, content, span, engines, made)


def _text(case: Mapping, key: str) -> str:
    found = case.scalar(key)
    return "" if found is None else " ".join(found.text.split())
