"""One query for two guards: what their rules make of every recorded decision, as far as that can differ.

What lives here: which answers a comparison needs. What does not: how a rule is judged (judging.py), what differs
(impact.py).

A rule that is the same on both sides cannot make them differ; all it can do is to ask for so severe an outcome that the
others do not matter. So those that are the same are asked together, one answer for each outcome, and only the others
one by one: engines stop at the first rule that fires, and the answer has few patterns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from mqk.analysis.history.judging import (
    BREACH,
    LOST,
    PASS,
    Columns,
    Place,
    in_utc,
    recorded_at,
    small,
    truth_of,
)
from mqk.analysis.history.sharing import shared
from mqk.dsl.emit_ibis import NotRecorded
from mqk.dsl.emit_ibis_numbers import NotEmitted
from mqk.dsl.emit_python import Rule
from mqk.guards import Guard, GuardRule, Point, Result
from mqk.guards.index import INDEXED
from mqk.guards.points import ALLOW, LADDERS

if TYPE_CHECKING:
    from datetime import date, datetime

    from mqk.analysis.history.records import Part
    from mqk.dsl.emit_ibis_truths import Truth


_FALSE: Final = False
_LOW_BITS: Final = 20


@dataclass(frozen=True, slots=True)
class Side:
    """Where a guard's answers are: of the rules that may make a difference, and by outcome of the others together."""

    rules: tuple[tuple[GuardRule, Place], ...]
    common: tuple[tuple[str, Place], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """So many decisions with one pattern of answers.

    `recorded` is the outcome where the decision was made under the base's very policies, None elsewhere. `day` is None
    where nothing can differ, and then days are counted together. `notional` is the sum in micros; `first` and `last`
    are instants.
    """

    recorded: str | None
    day: date | None
    words: tuple[int, ...]
    decisions: int
    notional: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Comparison:
    """The expression to run over one part at one point for both guards, and where each one's answers are."""

    point: Point
    query: Any
    base: Side
    head: Side
    words: int

    @property
    def _keys(self) -> list[str]:
        return ["recorded", *(f"w{number}" for number in range(self.words))]

    def patterns(self, answer: Any) -> Iterator[Pattern]:
        """The patterns of an answer, an Arrow table, over all days."""
        sums = [(name, "sum") for name in ("decisions", "high", "low")] + [("first", "min"), ("last", "max")]
        grouped = answer.group_by(self._keys).aggregate([*sums, ("day", "min")])
        return self._read(grouped.rename_columns({f"{name}_{of}": name for name, of in [*sums, ("day", "min")]}))

    def days(self, answer: Any, patterns: Sequence[Pattern]) -> Iterator[Pattern]:
        """What an answer says of these patterns, day by day."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        if not patterns:
            return iter(())
        said = [(self._code(each.recorded), *each.words) for each in patterns]
        columns = {name: [row[place] for row in said] for place, name in enumerate(self._keys)}
        types = {name: answer.schema.field(name).type for name in self._keys}
        wanted = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
        return self._read(answer.join(wanted, self._keys, join_type="inner"))

    def _code(self, recorded: str | None) -> int:
        return 0 if recorded is None else LADDERS[self.point].index(recorded) + 1

    def _read(self, answer: Any) -> Iterator[Pattern]:
        # By column: a dictionary for each of many rows costs more than the query.
        names = ["recorded", "day", "decisions", "high", "low", "first", "last", *self._keys[1:]]
        outcomes = (None, *LADDERS[self.point])
        columns = [answer.column(name).to_pylist() for name in names]
        for recorded, day, decisions, high, low, first, last, *said in zip(*columns, strict=True):
            notional = ((high or 0) << _LOW_BITS) + (low or 0)
            words = tuple(map(int, said))
            yield Pattern(outcomes[recorded], day, words, decisions, notional, in_utc(first), in_utc(last))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A rule over the table: whether it passes, where that cannot be said, or why it cannot be judged at all.

    `gate` is the condition under which it passes whatever else holds, kept apart because many rules share it.
    """

    rule: GuardRule
    effect: str
    truth: Truth | None = None
    gate: Any | None = None
    outside: Any | None = None
    lost: str | None = None

    @property
    def key(self) -> Any | None:
        """Equal for rules that always say the same and ask for the same; None where not even that is certain."""
        if self.truth is None or self.outside is not None:
            return None
        return (self.effect, self.truth.column.op(), None if self.gate is None else self.gate.op())

    def place(self, columns: Columns) -> Place:
        """Where its answer is, having asked for it."""
        if self.truth is None:
            return Place(lost=self.lost)
        return columns.place(_code([self], self.outside))


def compare(table: Any, part: Part, engine: str, guards: tuple[Guard, Guard], bundle: str) -> Comparison:
    """The question what both guards, of one engine and point, say of its decisions there. `bundle` is the base's."""
    point = guards[0].point
    chosen = recorded_at(table, part, engine, [point])
    asked = [_asked(chosen, part, guard) for guard in guards]
    before, after = ({each.key for each in side} for side in asked)
    same = (before & after) - {None}
    columns = Columns()
    together: defaultdict[str, dict[Any, _Asked]] = defaultdict(dict)
    for each in asked[0]:
        if each.key in same and each.effect != ALLOW:
            together[each.effect][each.key] = each
    common = tuple((effect, columns.place(_code([*rules.values()]))) for effect, rules in sorted(together.items()))
    base, head = (
        Side(tuple((each.rule, each.place(columns)) for each in side if each.key not in same), common) for side in asked
    )
    lost = any(place.lost is not None for side in (base, head) for _, place in side.rules)
    recorded = _recorded(chosen, point, bundle)
    query = _counted(chosen, columns, recorded, len(common), by_day=lost)
    return Comparison(point, query, base, head, columns.words)


def _recorded(table: Any, point: Point, bundle: str) -> Any:
    """The outcome of decisions that were made under a bundle, as a place on the ladder from one on; zero elsewhere."""
    import ibis  # noqa: PLC0415 - heavy

    ladder = [(table["outcome"] == outcome, small(place)) for place, outcome in enumerate(LADDERS[point], 1)]
    return ibis.cases((table["bundle"] == bundle, ibis.cases(*ladder, else_=small(0))), else_=small(0))


def _counted(table: Any, columns: Columns, recorded: Any, common: int, *, by_day: bool) -> Any:
    """Decisions counted by what was recorded of them and what rules say.

    They are counted by day where a rule says something that is not common to both sides: nothing else can differ.
    """
    import ibis  # noqa: PLC0415 - heavy

    keep = {"recorded": recorded, **{name: table[name] for name in ("at", "day", "notional")}}
    staged, kept, codes = shared(table, keep, columns.codes)
    words = Columns(codes).packed()
    judged = staged.select(**kept, **words)
    differs = reduce(lambda a, b: a | b, (judged[name] >= (4**common if name == "w0" else 1) for name in words))
    day = judged["day"] if by_day else ibis.cases((differs, judged["day"]), else_=ibis.null("date"))
    # In two parts, each of which adds up in 64 bits whatever the number of rows.
    high, low = judged["notional"] >> _LOW_BITS, judged["notional"] & (2**_LOW_BITS - 1)
    placed = judged.select(*words, recorded=judged["recorded"], day=day, at=judged["at"], high=high, low=low)
    return placed.group_by(["recorded", "day", *words]).agg(
        decisions=placed.count(),
        high=placed["high"].sum(),
        low=placed["low"].sum(),
        first=placed["at"].min(),
        last=placed["at"].max(),
    )


def _asked(table: Any, part: Part, guard: Guard) -> list[_Asked]:
    """Every rule of a guard over the table."""
    gate = _gate(table, part, guard)
    made = []
    for rule, compiled in zip(guard.rules, guard.compiled, strict=True):
        behind = gate is not None and compiled.gated and compiled.symbols is None
        effect = rule.effect(Result.BREACH)
        inner = None if behind else guard.gate
        try:
            truth, outside = truth_of(table, part, (guard.point,), compiled, inner, INDEXED.get(guard.point))
        except NotRecorded as fault:
            made.append(_Asked(rule, effect, lost=f"`{fault.name}` was not recorded"))
        except NotEmitted as fault:
            made.append(_Asked(rule, effect, lost=fault.why))
        else:
            made.append(_Asked(rule, effect, truth, gate if behind else None, outside))
    return made


def _gate(table: Any, part: Part, guard: Guard) -> Any | None:
    """The gate of a guard as a condition that is known of every row; None where it has none, or that is not so."""
    if guard.gate is None:
        return None
    try:
        truth, outside = truth_of(table, part, (guard.point,), Rule(guard.gate))
    except (NotRecorded, NotEmitted):
        return None
    return None if truth.nullable or truth.constant is not None or outside is not None else truth.column


def _code(rules: Sequence[_Asked], outside: Any | None = None) -> Any:
    """Whether all of some rules pass, as a code: what cannot be judged stops as a breach does."""
    import ibis  # noqa: PLC0415 - heavy

    groups: defaultdict[Any, list[_Asked]] = defaultdict(list)
    for each in rules:
        groups[None if each.gate is None else each.gate.op()].append(each)
    conditions = []
    for group in groups.values():
        all_pass = reduce(lambda a, b: a & b, (_known(each.truth) for each in group if each.truth is not None))
        conditions.append(all_pass if group[0].gate is None else group[0].gate | all_pass)
    # A condition of a case is asked until it is settled, row by row; a condition as a value is reckoned in full.
    settled = (reduce(lambda a, b: a & b, conditions), small(PASS))
    branches = [settled] if outside is None else [(outside, small(LOST)), settled]
    return ibis.cases(*branches, else_=small(BREACH))


def _known(truth: Truth) -> Any:
    return truth.column.fill_null(_FALSE) if truth.nullable else truth.column
