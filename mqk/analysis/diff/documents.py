"""What documents say of the desk and no bundle holds: stresses, obligations, and whether engines may share symbols.

What lives here: for each, what more and less of it means. What does not: tests (evidence.py), what binds an engine by
itself (settings.py, guarded.py).

A stress is an execution document laid over an engine's own, under which a candidate has to stand: cheaper is easier.
An obligation that has gone, or that fewer controls answer, is nobody's concern any more: that is of the
whole desk, and of no engine by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from mqk.analysis.diff.days import Day
from mqk.analysis.diff.differences import both
from mqk.analysis.diff.results import Change, Direction
from mqk.analysis.diff.settings import executions
from mqk.policy import PolicySet, Span, effective_bundle
from mqk.policy.dates import in_force
from mqk.policy.obligations import Obligation, read_obligations

# What an obligation is answered by that is looked at: the less of it, the less is noticed.
_ANSWERS: Final = ("controls", "claims", "settings")
# What is said of it in words, or may stand for an answer: other words are another thing asked.
_WORDS: Final = ("asks", "article", "cites", "built_in", "by_hand")


def changes(day: Day) -> Iterator[Change]:
    """Everything that two sets say otherwise of the desk on a day."""
    yield from _stresses(day)
    yield from _exclusive(day)
    yield from _obligations(day)


def _stresses(day: Day) -> Iterator[Change]:
    """The stresses of both sides: one that has gone or come is told with the gates that ask for it."""
    for engine in day.engines:
        low, high = day.bundles(engine)
        if low is None or high is None:
            continue
        usual = {(each.path, each.before, each.after) for each in executions(low, high)}
        for name in sorted({*low.stresses} & {*high.stresses}):
            one = effective_bundle(day.base, engine, as_of=day.before, overlays=(name,))
            other = effective_bundle(day.head, engine, as_of=day.after, overlays=(name,))
            for each in executions(one, other):
                if (each.path, each.before, each.after) not in usual:
                    path = f"stress.{name}.{each.path.removeprefix('execution.')}"
                    assert each.direction is not None
                    yield replace(each, path=path).change(engine, each.direction, f"under stress {each.why}")


def _exclusive(day: Day) -> Iterator[Change]:
    one, other = _apart(day.base, day.before), _apart(day.head, day.after)
    for engine in day.engines:
        if None in day.bundles(engine) or (engine in one) is (engine in other):
            continue
        lost = engine in one
        found = Direction.LOOSER if lost else Direction.TIGHTER
        why = "engines may share its symbols" if lost else "no other engine may have its symbols"
        told = ("true", "false") if lost else ("false", "true")
        spans = one.get(engine), other.get(engine)
        yield Change("allocation.exclusive_symbols", "allocation", *told, found, *spans, engines=(engine,), why=why)


def _apart(policies: PolicySet, day: date | None) -> dict[str, Span]:
    """The engines whose symbols no other may have, with where that is said."""
    found: dict[str, Span] = {}
    for name in policies.ids("allocation"):
        document = in_force(policies.versions["allocation", name], lambda each: each.period, day)
        flag = None if document is None else document.node.scalar("exclusive_symbols")
        if document is not None and flag is not None and flag.text == "true":
            found |= dict.fromkeys(document.node.mapping("engines").entries, flag.span)
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """One thing that an obligation says, on both sides."""

    key: str
    before: frozenset[str]
    after: frozenset[str]


def _obligations(day: Day) -> Iterator[Change]:
    before, after = _read(day.base, day.before), _read(day.head, day.after)
    if {id_: _said(each) for id_, each in before.items()} == {id_: _said(each) for id_, each in after.items()}:
        return
    renames = day.renames()
    for id_ in sorted(before.keys() | after.keys()):
        one, other = before.get(id_), after.get(id_)
        spans = both(one, other, lambda each: each.span)
        path = f"obligations.{id_}"
        if one is None or other is None:
            found = Direction.LOOSER if other is None else Direction.TIGHTER
            why = "nothing is held against it any more" if other is None else "the policies are held against it"
            told = both(one, other, lambda each: each.title)
            yield Change(path, "obligation", *told, found, *spans, why=why)
            continue
        for part in _parts(one, other, renames):
            direction, why = _way(part, any_control=one.any_control or other.any_control)
            told = _listed(part.before), _listed(part.after)
            yield Change(f"{path}.{part.key}", "obligation", *told, direction, *spans, why=why)


def _read(policies: PolicySet, day: date | None) -> dict[str, Obligation]:
    """The obligations in force, by id; where documents share one, by that of the document too."""
    documents = read_obligations(policies, day)
    ids = [each.id for document in documents for each in document.obligations]
    return {
        each.id if ids.count(each.id) == 1 else f"{document.id}.{each.id}": each
        for document in documents
        for each in document.obligations
    }


def _texts(obligation: Obligation, key: str) -> frozenset[str]:
    said = getattr(obligation, key)
    texts = (said,) if isinstance(said, str) else said or ()
    return frozenset(" ".join(text.split()) for text in texts)


def _said(obligation: Obligation) -> tuple[object, ...]:
    return (obligation.any_control, *(_texts(obligation, key) for key in (*_ANSWERS, *_WORDS)))


def _parts(one: Obligation, other: Obligation, renames: dict[str, str]) -> Iterator[_Part]:
    for key in (*_ANSWERS, *_WORDS):
        before, after = _texts(one, key), _texts(other, key)
        if key == "controls":
            before = frozenset(renames.get(each, each) for each in before)
        if before != after:
            yield _Part(key, before, after)
    if one.any_control is not other.any_control:
        yield _Part("any_control", *(frozenset([str(each.any_control).lower()]) for each in (one, other)))


def _way(part: _Part, *, any_control: bool) -> tuple[Direction, str]:
    if part.key == "any_control":
        if "true" in part.after:
            return Direction.LOOSER, "one of the controls is answer enough"
        return Direction.TIGHTER, "every control has to be there"
    if part.key in _WORDS or (part.key == "controls" and any_control):
        return Direction.INCOMPARABLE, "what is asked, or what answers it, is another thing"
    if part.before > part.after:
        return Direction.LOOSER, "less is held against it, and nobody would notice"
    if part.before < part.after:
        return Direction.TIGHTER, "more is held against it"
    return Direction.INCOMPARABLE, "other things are held against it"


def _listed(words: frozenset[str]) -> str | None:
    return f"[{', '.join(sorted(words))}]" if words else None
