"""Rules over recorded decisions: one Ibis expression that judges all of them again and tallies what they said.

What lives here: from guards to the tally. What does not: two guards beside each other (comparing.py), and which engine
reckons (backends.py).

Every rule becomes a small number per decision; these are packed into whole numbers, a pattern, and decisions are
counted by pattern: a few rows, however long the history is. All else is read from those rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from mqk.analysis.history.records import FULL, Part, Recorded, any_of
from mqk.dsl import syntax
from mqk.dsl.emit_ibis import Emitter, NotRecorded
from mqk.dsl.emit_ibis_numbers import NotEmitted, TooWide
from mqk.dsl.emit_ibis_truths import Truth
from mqk.dsl.emit_python import Rule
from mqk.guards import Guard, GuardRule, Point
from mqk.guards.index import INDEXED

if TYPE_CHECKING:
    from mqk.analysis.history.backends import Backend

Made = TypeVar("Made")
PASS: Final = 0
BREACH: Final = 1
ERROR: Final = 2
LOST: Final = 3
# Two bits a rule, and the sign left alone.
_IN_ONE: Final = 31
# Facts of fewer bits need fewer digits: tried in turn when even 38 might not do.
_REACHES: Final = (FULL, 56, 48, 40, 32, 24)
# Said by the engine itself, of an order without a market: no rule made it, and none can change it.
BY_ENGINE: Final = "market"
# Such an order has no worst price, which the files say of themselves.
_WORST: Final = "facts.order.worst_price"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule's answer is: which packed number and which bits of it. `lost` says why there is none."""

    word: int = 0
    shift: int = 0
    lost: str | None = None

    def of(self, words: Sequence[int]) -> int:
        """What the rule says in a pattern."""
        return LOST if self.lost is not None else words[self.word] >> self.shift & 3


@dataclass(frozen=True, slots=True)
class Tally:
    """So many decisions with one pattern of what rules said."""

    words: tuple[int, ...]
    decisions: int


@dataclass(slots=True)
class Columns:
    """The answers that a question asks for, each once, two bits each in as many words as it takes."""

    codes: list[Any] = field(default_factory=list)
    _known: dict[Any, Place] = field(default_factory=dict)

    @property
    def words(self) -> int:
        """How many words they fill, one at least."""
        return max(-(-len(self.codes) // _IN_ONE), 1)

    def packed(self) -> dict[str, Any]:
        """The words, by name."""
        words = [self.codes[number * _IN_ONE : (number + 1) * _IN_ONE] for number in range(self.words)]
        return {f"w{number}": _pack(codes) for number, codes in enumerate(words)}

    def place(self, code: Any) -> Place:
        """Where an answer is, having added it where no equal one is."""
        key = code.op()
        if key not in self._known:
            self._known[key] = Place(len(self.codes) // _IN_ONE, 2 * (len(self.codes) % _IN_ONE))
            self.codes.append(code)
        return self._known[key]


class Said(NamedTuple):
    """Whether a rule passes, and where that cannot be said because its numbers are beyond what is reckoned with."""

    truth: Truth
    outside: Any | None

    @property
    def code(self) -> Any:
        """The same as a code: PASS, BREACH, ERROR, or LOST where it cannot be said."""
        import ibis  # noqa: PLC0415 - heavy

        code = _coded(self.truth)
        return code if self.outside is None else ibis.cases((self.outside, small(LOST)), else_=code)


@dataclass(frozen=True, slots=True)
class Question:
    """The expression to run over one part at one point, and where each guard's rules are in its answer."""

    query: Any
    places: tuple[tuple[Place, ...], ...]
    words: int

    def read(self, answer: Any) -> Iterator[Tally]:
        """The rows of an answer, as an Arrow table."""
        columns = [answer.column(f"w{number}").to_pylist() for number in range(self.words)]
        for decisions, *said in zip(answer.column("decisions").to_pylist(), *columns, strict=True):
            yield Tally(tuple(map(int, said)), int(decisions))


def in_utc(at: datetime) -> datetime:
    """An instant of an answer; engines that give none name no other zone than UTC."""
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def ask(table: Any, part: Part, engine: str, point: Point, guards: Sequence[Guard]) -> Question:
    """The question what all rules of some guards of one engine say of its decisions at a point.

    What guards have in common is judged once. Decisions that no rule made, of orders without a market, are left out.
    """
    chosen = recorded_at(table, part, engine, [point])
    columns = Columns()
    places = tuple(
        tuple(_placed(chosen, part, guard, number, columns) for number in range(len(guard.rules))) for guard in guards
    )
    judged = chosen.select(**columns.packed())
    return Question(judged.group_by(judged.columns).agg(decisions=judged.count()), places, columns.words)


def engines_of(backend: Backend, table: Any) -> dict[str, int]:
    """How many decisions of each engine a table holds."""
    counted = backend.run(table.group_by("engine").agg(decisions=table.count())).to_pylist()
    return {row["engine"]: row["decisions"] for row in sorted(counted, key=lambda row: str(row["engine"]))}


def engines_in(backend: Backend, parts: Sequence[Part]) -> frozenset[str]:
    """The engines that decisions were recorded of."""
    return frozenset(name for part in parts for name in engines_of(backend, backend.table(part)))


def recorded_at(table: Any, part: Part, engine: str, points: Sequence[Point]) -> Any:
    """The decisions of an engine at some points, without those that no rule made."""
    ours = table["point"].isin([point.value for point in points]) & (table["engine"] == engine)
    if Point.ORDER in points and part.extent(_WORST, points).nullable:
        ours &= ~table["deciding"].contains(BY_ENGINE)
    return table.filter(ours)


def _placed(table: Any, part: Part, guard: Guard, number: int, columns: Columns) -> Place:
    """Where a rule's answer is."""
    try:
        rule, index = guard.compiled[number], INDEXED.get(guard.point)
        return columns.place(truth_of(table, part, (guard.point,), rule, guard.gate, index).code)
    except NotRecorded as fault:
        return Place(lost=f"`{fault.name}` was not recorded")
    except NotEmitted as fault:
        return Place(lost=fault.why)


def truth_of(
    table: Any,
    part: Part,
    points: tuple[Point, ...],
    rule: Rule,
    gate: syntax.Expr | None = None,
    index: str | None = None,
) -> Said:
    """What a rule says of each row. Raises NotRecorded and NotEmitted."""
    truth, facts = reckoned(table, part, points, lambda emitter: emitter.rule(rule, gate, index))
    return Said(truth, any_of(facts.outside))


def reckoned(
    table: Any, part: Part, points: tuple[Point, ...], ask: Callable[[Emitter], Made]
) -> tuple[Made, Recorded]:
    """What is asked of an emitter, with as many bits of the facts as 38 digits have room for, and these facts.

    Raises what `ask` raises: NotRecorded and NotEmitted.
    """
    for reach in _REACHES:
        facts = Recorded(table, part, points, reach)
        try:
            return ask(Emitter(facts)), facts
        except TooWide:
            if reach == _REACHES[-1]:
                raise
    raise AssertionError("the last reach raises")


def _coded(truth: Truth) -> Any:
    """A condition as a code: PASS is zero and BREACH one, as SQL counts what does not hold."""
    if truth.constant is not None:
        return small(PASS if truth.constant else BREACH)
    code = (~truth.column).cast("int8").cast("int64")
    return code.fill_null(ERROR) if truth.nullable else code


def small(value: int) -> Any:
    """A code, or a part of a word, as a constant."""
    import ibis  # noqa: PLC0415 - heavy

    return ibis.literal(value, "int64")


def _pack(columns: Sequence[Any]) -> Any:
    shifted = [column * small(4**place) for place, column in enumerate(columns)]
    return reduce(lambda a, b: a + b, shifted) if shifted else small(0)


def effect(rule: GuardRule, said: int) -> str:
    """What a rule contributes to a decision by what it says; what cannot be judged again contributes nothing."""
    from mqk.guards import Result  # noqa: PLC0415

    return rule.effect(Result.PASS if said in (PASS, LOST) else Result.BREACH)
