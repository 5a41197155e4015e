"""What a proposed set of policies means for an engine against the active one, from a day on and on every day to come.

What lives here: what may be proposed at all, which days are compared, and what that comes to. What does not: the
comparison of two policies itself (mqk.analysis.diff).

What begins or ends later is part of what is approved: a waiver of next month loosens, although nothing changes today.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from mqk.guards import compile_bundle
from mqk.policy import Bundle, Diagnostic, PolicyError, PolicySet, Severity, effective_bundle, in_order
from mqk.policy.timeline import turning_days
from mqk.quantity import format_date

if TYPE_CHECKING:
    from mqk.analysis.diff import Change, Direction


@dataclass(frozen=True, slots=True)
class Weighed:
    """The verdict over all days, and every change as the comparison of policies writes it as JSON."""

    verdict: str
    changes: tuple[dict[str, Any], ...]


def require_sound(policies: PolicySet, today: date) -> None:
    """Make sure that policies are what may run at all: they compile, layers only tighten, and what they claim holds.

    Raises PolicyError with everything that `mqk policy check` and `mqk policy prove` would say of their engines.
    """
    from mqk.analysis.claims import prove_all  # noqa: PLC0415 - only this pays for the solver
    from mqk.analysis.soundness import unsound  # noqa: PLC0415

    def bundle_of(name: str) -> Bundle | None:
        return effective_bundle(policies, name, as_of=today) if name in policies.ids("engine") else None

    found: list[Diagnostic] = []
    for name in policies.ids("engine"):
        bundle = effective_bundle(policies, name, as_of=today)
        compile_bundle(bundle)
        found += [each for each in unsound(bundle) if each.severity is Severity.ERROR]
        found += [fault for proof in prove_all(bundle, bundle_of) if (fault := proof.diagnostic()) is not None]
    if found:
        raise PolicyError(in_order(found))


def weigh(base: PolicySet | None, head: PolicySet, engine: str, today: date) -> Weighed:
    """How `head` compares for an engine with `base` (None: nothing is active) from `today` on.

    An engine that `head` does not have is gone. Raises PolicyError when it has one without an effective policy for
    today: what cannot run is not proposed.
    """
    from mqk.analysis.diff import Change, Direction, compare, joined  # noqa: PLC0415 - only this pays for the solver

    before = None if base is None else _bundle(base, engine, today)
    if engine not in head.ids("engine"):
        gone = Change(
            f"engines.{engine}",
            "engine",
            "active",
            None,
            Direction.TIGHTER,
            engines=(engine,),
            why="the engine is gone",
        )
        return Weighed(Direction.TIGHTER.value, (gone.to_json(),))
    bundle = effective_bundle(head, engine, as_of=today)
    if base is None or before is None:
        why = "nothing is active yet" if base is None else "no effective policy is active today"
        span = bundle.layers["mode"][-1].span
        told = f"{bundle.mode}, {bundle.capital}"
        new = Change(f"engines.{engine}", "engine", None, told, Direction.LOOSER, None, span, None, (engine,), why)
        return Weighed(Direction.LOOSER.value, (new.to_json(),))
    found = compare(base, head, as_of=today, engines={engine})
    verdicts, changes = [found.verdict], [*found.changes]
    for verdict, more in _later(base, head, engine, today, {(before.sha256, bundle.sha256)}):
        verdicts.append(verdict)
        # What today's comparison has not told already.
        told_of = {(each.path, each.before, each.after, each.direction) for each in changes}
        changes += [each for each in more if (each.path, each.before, each.after, each.direction) not in told_of]
    return Weighed(joined(verdicts).value, tuple(each.to_json() for each in changes))


def _later(
    base: PolicySet, head: PolicySet, engine: str, today: date, seen: set[tuple[str | None, str | None]]
) -> list[tuple[Direction, list[Change]]]:
    """The comparisons of the days to come, each pair of bundles once.

    Each day is asked about in full: one and the same change may tighten under today's rules and loosen under others.
    """
    from mqk.analysis.diff import BUDGET, Change, Direction  # noqa: PLC0415 - only this pays for the solver
    from mqk.analysis.diff.pair import Pair  # noqa: PLC0415

    found: list[tuple[Direction, list[Change]]] = []
    for day in sorted({day for each in (base, head) for day in turning_days(each) if day > today}):
        low, high = (_bundle(each, engine, day) for each in (base, head))
        pair = (None if low is None else low.sha256, None if high is None else high.sha256)
        if pair in seen or high is None:
            continue  # where there is no effective policy nothing runs
        seen.add(pair)
        since = f"from {format_date(day)} on"
        if low is None:
            why = f"{since}, when no effective policy is active now"
            new = Change(f"engines.{engine}", "engine", None, since, Direction.LOOSER, engines=(engine,), why=why)
            found.append((Direction.LOOSER, [new]))
        elif low.sha256 != high.sha256:
            verdict, changes = Pair(low, high, BUDGET).run()
            found.append((verdict.verdict, changes))
    return found


def _bundle(policies: PolicySet, engine: str, day: date) -> Bundle | None:
    try:
        return effective_bundle(policies, engine, as_of=day)
    except PolicyError:
        return None
