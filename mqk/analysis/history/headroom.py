"""How much of each limit a history uses: what the desk really takes of what it is allowed, and what would have bound.

What lives here: the shares used, and the tightest value of a limit that changes nothing. What does not: which clauses
there are (clauses.py), and whether rules fired (usage.py).

Shares are measured on floats, as statistics may be: they decide nothing. The tightest value is reckoned exactly, on the
decision that used most as far as floats tell. Limits of the account are also measured at orders, where the same facts
were recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from mqk.analysis.history.clauses import Clause, clauses_of
from mqk.analysis.history.judging import BREACH, reckoned, recorded_at, truth_of
from mqk.analysis.history.records import Part
from mqk.analysis.history.replay import moment_of
from mqk.dsl import EvaluationError, evaluate, syntax
from mqk.dsl import types as t
from mqk.dsl.emit_ibis import NotRecorded
from mqk.dsl.emit_ibis_numbers import NotEmitted
from mqk.dsl.emit_python import Rule
from mqk.guards import Guard, GuardSet, Point
from mqk.guards.index import INDEXED
from mqk.guards.lookup import ViewLookup

if TYPE_CHECKING:
    from mqk.analysis.history.backends import Backend

_NEVER: Final = syntax.Literal(start=0, end=0, kind="bool", text="false", value=False, type=t.BOOL)
_ALLOWED: Final = ("allow", "warn")
_QUANTILES: Final = (0.01, 0.5, 0.99)


@dataclass(frozen=True, slots=True)
class Tightest:
    """The value of a limit at which the first decision that was allowed would flip, and that decision.

    A cap flips it below the value, or at it when it is to be kept under; a floor above it.
    """

    value: Fraction
    decision: str

    def distance(self, limit: Fraction) -> Fraction | None:
        """How far the limit is from it, as a share of the limit; None for a limit of zero."""
        return abs(limit - self.value) / abs(limit) if limit else None


@dataclass(frozen=True, slots=True)
class Headroom:
    """What a history uses of one limit in one rule: shares of the limit, 1.0 being all of it.

    `tightest` is None where nothing was allowed, or where the bound is more than a multiple of the limit. `why` says
    why nothing was measured.
    """

    engine: str
    point: Point
    clause: Clause
    decisions: int
    least: float | None = None
    low: float | None = None
    median: float | None = None
    high: float | None = None
    most: float | None = None
    tightest: Tightest | None = None
    why: str | None = None


def measure_headroom(backend: Backend, parts: Sequence[Part], guards: Mapping[str, GuardSet]) -> list[Headroom]:
    """What recorded decisions use of every limit that a clause bounds, by engine, point and rule.

    Every part is measured by itself, and what used most of all parts is told; of shares the largest part's.
    """
    found: dict[tuple[str, Point, Clause], Headroom] = {}
    for part in parts:
        table = backend.table(part)
        for engine, set_ in guards.items():
            for point, guard in set_.guards.items():
                clauses = list(clauses_of(guard))
                for each in _measured(backend, table, part, engine, guard, clauses) if clauses else ():
                    key = (engine, point, each.clause)
                    found[key] = _merged(found[key], each) if key in found else each
    return list(found.values())


def _merged(a: Headroom, b: Headroom) -> Headroom:
    large, small = (a, b) if a.decisions >= b.decisions else (b, a)
    ends = [end for end in (large.tightest, small.tightest) if end is not None]
    pick = max if large.clause.cap else min
    tightest = pick(ends, key=lambda end: end.value, default=None)
    least = min((x for x in (a.least, b.least) if x is not None), default=None)
    most = max((x for x in (a.most, b.most) if x is not None), default=None)
    return Headroom(
        large.engine,
        large.point,
        large.clause,
        a.decisions + b.decisions,
        least,
        large.low,
        large.median,
        large.high,
        most,
        tightest,
        large.why if large.why == small.why else None,
    )


def _measured(
    backend: Backend, table: Any, part: Part, engine: str, guard: Guard, clauses: Sequence[Clause]
) -> Iterator[Headroom]:
    points = tuple(point for point in _points(guard.point) if point in part.points)
    if not points:
        return
    chosen = recorded_at(table, part, engine, points)
    measures: dict[str, Any] = {}
    for number, clause in enumerate(clauses):
        try:
            share, applies = _share(chosen, part, points, guard, clause)
        except NotRecorded as fault:
            yield Headroom(engine, guard.point, clause, 0, why=f"`{fault.name}` was not recorded")
            continue
        except NotEmitted as fault:
            yield Headroom(engine, guard.point, clause, 0, why=fault.why)
            continue
        counted = applies & share.notnull()
        allowed = counted & chosen["outcome"].isin(_ALLOWED) & (share <= 1.0)
        measures |= {
            f"n{number}": counted.sum(),
            f"least{number}": share.min(where=counted),
            f"most{number}": share.max(where=counted),
            f"top{number}": chosen["decision_id"].argmax(share, where=allowed),
        }
        for place, quantile in enumerate(_QUANTILES):
            measures[f"q{place}_{number}"] = share.approx_quantile(quantile, where=counted)
    if not measures:
        return
    (row,) = backend.run(chosen.aggregate(**measures)).to_pylist()
    tops = {row[f"top{number}"] for number in range(len(clauses)) if row.get(f"top{number}") is not None}
    moments = {
        each["decision_id"]: each
        for each in backend.run(chosen.filter(chosen["decision_id"].isin(sorted(tops)))).to_pylist()
    }
    for number, clause in enumerate(clauses):
        if f"n{number}" not in row:
            continue
        low, median, high = (row[f"q{place}_{number}"] for place in range(len(_QUANTILES)))
        tightest = _tightest(clause, moments.get(row[f"top{number}"]))
        yield Headroom(
            engine,
            guard.point,
            clause,
            int(row[f"n{number}"] or 0),
            row[f"least{number}"],
            low,
            median,
            high,
            row[f"most{number}"],
            tightest,
        )


def _points(point: Point) -> tuple[Point, ...]:
    """Where the facts of a point are recorded: those of the account are there at orders too."""
    return (point, Point.ORDER) if point is Point.ACCOUNT else (point,)


def _share(table: Any, part: Part, points: tuple[Point, ...], guard: Guard, clause: Clause) -> tuple[Any, Any]:
    """The share of the limit that is used, as a float column, and whether the rule applies."""
    import ibis  # noqa: PLC0415 - heavy

    rule = guard.compiled[guard.rules.index(clause.rule)]
    bare = Rule(_NEVER, rule.when, rule.gated, rule.unless, rule.symbols)
    applies = truth_of(table, part, points, bare, guard.gate, INDEXED.get(guard.point)).code == BREACH
    used, bound = (_float(table, part, points, side) for side in (clause.used, clause.bound))
    over, under = (used, bound) if clause.cap else (bound, used)
    share = ibis.cases((under > 0, over / under.nullif(0)), else_=ibis.null("float64"))
    return share, applies


def _float(table: Any, part: Part, points: tuple[Point, ...], expr: syntax.Expr) -> Any:
    made, _ = reckoned(table, part, points, lambda emitter: emitter.number(expr))
    top, bottom = (side.held(wide=side.wide).cast("float64") for side in (made.top, made.bottom))
    return top / bottom


def _tightest(clause: Clause, row: Mapping[str, Any] | None) -> Tightest | None:
    """The exact value of the limit that the decision which used most would have been stopped by."""
    if row is None or not clause.proportional:
        return None
    point = Point(row["point"])
    moment = moment_of(row, point)
    lookup = ViewLookup(moment.views, moment.problems)
    try:
        used, bound = (Fraction(evaluate(side, lookup)) for side in (clause.used, clause.bound))  # type: ignore[arg-type] # both are numbers
    except EvaluationError:
        return None
    limit = Fraction(clause.limit.value)  # type: ignore[arg-type] # a limit that can be compared by size is a number
    return Tightest(limit * used / bound, row["decision_id"]) if bound else None
