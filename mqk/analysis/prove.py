"""Questions to the solver: whether something can happen at any moment, within a budget, and never a guess.

What lives here: the search for a moment. First products are opaque: what is impossible then is impossible. Otherwise
products are exact, and the search starts at an ordinary moment and departs from it as little as it must, so that a
witness looks like a day at the desk. A witness counts only once the reference interpreter has judged it.

What does not: what is asked (tightening.py, claims.py, vacuity.py, lifecycle.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import z3

from mqk.analysis.solver import Solver, refuted
from mqk.analysis.verdicts import Answer, Verdict, Witness
from mqk.analysis.world import world
from mqk.dsl.emit_smt import Encoder
from mqk.dsl.emit_smt_elements import Collected
from mqk.dsl.emit_smt_numbers import Term
from mqk.dsl.emit_smt_terms import Unknown
from mqk.dsl.syntax import Value
from mqk.dsl.types import Kind
from mqk.guards.points import Point

# What a question may cost, in the solver's own steps, so that it ends alike on every machine; about a few seconds.
BUDGET: Final = 20_000_000

# What it may cost to ask whether a moment can be more ordinary still; it is good without.
_POLISH: Final = 200_000

# How many elements a collection has where sums and counts are to be exact.
_FEW: Final = 3

# What is told per share lies on the tick, wherever it can.
_TICK: Final = 10_000
_PRICES: Final = frozenset(
    {
        *("price", "worst_price", "limit_price", "stop_price", "average_price", "open", "high", "low", "close"),
        *("previous_close", "other_close", "previous_session_close", "session_low", "range"),
    }
)
_ON_THE_TICK: Final = " on the tick"

Goal = Callable[[Encoder], Term]
Replay = Callable[[Witness], bool]

# Names for symbols that are none of those a policy speaks of.
_OTHERS: Final = ("IBM", "KO", "XOM", "GE", "PEP", "CAT", "MMM", "DIS", "OTHER")
# What a witness departs in last: a different day or another market says less than a different order.
_STICKY: Final = ("clock", "session", "run", "market", "account", "margin", "firm", "reconcile", "feed", "position")


def impossible(point: Point, goal: Goal, budget: int = BUDGET, *, exact: bool = False) -> bool:
    """Whether something is impossible at every moment, even if products were arbitrary numbers; False is open.

    With `exact` products are what they are, which is harder to decide and rules out more.
    """
    return refuted(_question(Encoder(exact=exact), point, goal), budget)


def find(
    point: Point,
    goal: Goal,
    ordinary: Mapping[str, Value],
    replay: Replay,
    budget: int = BUDGET,
    symbols: Sequence[str] = (),
) -> Answer:
    """A moment at which `goal` holds: REFUTED with it, PROVED when there is none, UNDECIDED when neither is known.

    `ordinary` is where the search starts, `symbols` what it is about where it can be; `replay` says whether it really
    happens, by the reference interpreter.
    """
    if impossible(point, goal, budget):
        return Answer(Verdict.PROVED)
    encoder = Encoder(exact=True)
    found = _search(encoder, point, goal, ordinary, budget, symbols)
    if found is None:
        return Answer(Verdict.PROVED)
    if isinstance(found, Witness) and replay(found):
        return Answer(Verdict.REFUTED, found)
    if encoder.loose:
        # Sums and counts were left open: with a few elements and no more they are exact, if it shows with so few.
        found = _search(Encoder(exact=True, slots=_FEW), point, goal, ordinary, budget, symbols)
        if isinstance(found, Witness) and replay(found):
            return Answer(Verdict.REFUTED, found)
    why = found if isinstance(found, str) else "no moment that shows it was found, and none is ruled out"
    return Answer(Verdict.UNDECIDED, why=why)


def _search(
    encoder: Encoder, point: Point, goal: Goal, ordinary: Mapping[str, Value], budget: int, symbols: Sequence[str]
) -> Witness | str | None:
    solver = _solver(encoder, point, goal, budget)
    return _Search(encoder, solver, point, ordinary, symbols).run()


def _solver(encoder: Encoder, point: Point, goal: Goal, budget: int) -> Solver:
    solver = Solver(budget)
    solver.add(*_question(encoder, point, goal))
    return solver


def _question(encoder: Encoder, point: Point, goal: Goal) -> list[Term]:
    # The axioms come last: by the time they are made the encoder has met every fact.
    asked = [goal(encoder), *world(encoder, point)]
    return [*asked, *encoder.axioms()]


@dataclass(frozen=True, slots=True)
class _Pin:
    """A wish for a moment: that a fact is as it usually is. `rank` says how soon it is given up, the lowest first."""

    name: str
    label: Term
    holds: Term
    rank: int


class _Search:
    """Looks for a moment near an ordinary one, by giving up as few of its facts as it must."""

    def __init__(
        self, encoder: Encoder, solver: Solver, point: Point, ordinary: Mapping[str, Value], symbols: Sequence[str]
    ) -> None:
        self._symbols = [encoder.word(symbol) for symbol in symbols]
        self._encoder = encoder
        self._solver = solver
        self._point = point
        self._ordinary = ordinary
        self._pins = [pin for each in encoder.unknowns.values() for pin in self._wishes(each)]
        self._sizes = [1, 10, 100]
        self._pins += [pin for each in encoder.collections.values() for pin in _absences(each)]
        for pin in self._pins:
            solver.add(z3.Implies(pin.label, pin.holds))

    def run(self) -> Witness | str | None:
        """A moment; None when there is none; why not, when neither could be told."""
        kept = list(self._pins)
        by_label = {str(pin.label): pin for pin in self._pins}
        while True:
            answer = self._check(kept)
            if answer == z3.sat:
                return self._closest(kept)
            if answer == z3.unknown:
                if not kept:
                    return f"the solver gave up ({self._solver.reason_unknown()})"
                # Nearly everything is fixed and still it is hard: ask for an order of a round size, since what is
                # multiplied by a size is then no product, and at last the whole question at once.
                kept = self._sized()
                continue
            core = [by_label[label] for label in self._solver.unsat_core()]
            if not core:
                return None
            loosest = min(core, key=lambda pin: (pin.rank, pin.name))
            kept = [pin for pin in kept if pin is not loosest]

    def _sized(self) -> list[_Pin]:
        """The first of the round sizes that an order may have and that shows it; none when no size does."""
        while self._sizes and "order.qty" in self._encoder.unknowns:
            size = self._sizes.pop(0)
            name = f"order.qty {size}"
            pin = _Pin(name, z3.Bool(f"wish {name}"), self._encoder.unknowns["order.qty"].value == size, 1000)
            self._solver.add(z3.Implies(pin.label, pin.holds))
            priced = [each for each in self._pins if each.name.endswith(_ON_THE_TICK)]
            for pins in ([pin, *priced], [pin]):
                if self._check(pins) == z3.sat:
                    return pins
        return []

    def _check(self, pins: Sequence[_Pin]) -> Any:
        return self._solver.check(*[pin.label for pin in pins])

    def _model(self, pins: Sequence[_Pin], terms: Sequence[Term]) -> Any:
        """A moment where these hold as well; None when there is none, or none is found."""
        self._solver.push()
        self._solver.add(*terms)
        found = self._solver.model() if self._check(pins) == z3.sat else None
        self._solver.pop()
        return found

    def _closest(self, kept: list[_Pin]) -> Witness:
        """Take back what was given up without need, then bring what remains near to what is usual and to round numbers.

        The solver's steps for this are bounded apart; where it stops, the moment is good but less pretty.
        """
        model = self._solver.model()
        self._solver.spend(_POLISH)
        held = list(kept)
        for pin in sorted((pin for pin in self._pins if pin not in held), key=lambda pin: -pin.rank):
            if self._check([*held, pin]) == z3.sat:
                held.append(pin)
                model = self._solver.model()
        fixed: list[Term] = []
        free = [each for each in self._encoder.unknowns.values() if not any(pin.name == each.name for pin in held)]
        for unknown in free:
            model = self._nearer(unknown, held, fixed, model)
        return self._witness(model)

    def _nearer(self, unknown: Unknown, held: list[_Pin], fixed: list[Term], model: Any) -> Any:
        """The value nearest to the usual one, by halving the distance; round steps are tried before fine ones."""
        if not z3.is_int(unknown.value) or unknown.type.kind in (Kind.ENUM, Kind.SYMBOL, Kind.TEXT):
            return model
        start = self._ordinary.get(unknown.name, 0)
        assert isinstance(start, int)
        for step in _STEPS.get(unknown.type.kind, (100, 1)):
            reach = z3.Int("steps away")
            on_grid = [*fixed, unknown.value == start + reach * step]
            found = self._model(held, on_grid)
            if found is None:
                continue
            model, low = found, 0
            far = abs(model.eval(reach, model_completion=True).as_long())
            while low < far:
                middle = (low + far) // 2
                found = self._model(held, [*on_grid, reach <= middle, reach >= -middle])
                if found is None:
                    low = middle + 1
                else:
                    model, far = found, abs(found.eval(reach, model_completion=True).as_long())
            fixed.append(unknown.value == model.eval(unknown.value, model_completion=True))
            return model
        return model

    def _wishes(self, unknown: Unknown) -> list[_Pin]:
        """That a fact can be used is given up last; that it has its usual value, sooner or later by its subject."""
        name = unknown.name
        subject = name.partition(".")[0]
        rank = 10 + _STICKY[::-1].index(subject) if subject in _STICKY else 5
        if name in ("order.qty", "order.side"):
            rank = 4 if name == "order.side" else 3
        optional = not z3.is_true(unknown.present)
        usable = unknown.usable if not optional else z3.Implies(unknown.present, unknown.usable)
        pins = [_Pin(name + " usable", z3.Bool(f"wish {name} usable"), usable, 100)]
        if unknown.type.kind is Kind.MONEY and name.rpartition(".")[2] in _PRICES:
            count = z3.Int(f"ticks of {name}")
            ticks = z3.And(unknown.value == _TICK * count, count >= 0 if name.endswith("range") else count > 0)
            priced = z3.Implies(unknown.present, ticks)
            pins.append(_Pin(name + _ON_THE_TICK, z3.Bool(f"wish {name}{_ON_THE_TICK}"), priced, 50))
        if unknown.type.kind is Kind.SYMBOL and self._symbols:
            known = z3.Or(*(unknown.value == symbol for symbol in self._symbols))
            pins.append(_Pin(f"{name} known", z3.Bool(f"wish {name} known"), known, 50))
        if name in self._ordinary:
            held = z3.And(unknown.present, unknown.value == self._term(self._ordinary[name], unknown))
            pins.append(_Pin(name, z3.Bool(f"wish {name}"), held, rank))
        elif optional:
            pins.append(_Pin(name, z3.Bool(f"wish {name}"), z3.Not(unknown.present), 2))
        return pins

    def _term(self, value: Value, unknown: Unknown) -> Term:
        match value:
            case bool():
                return z3.BoolVal(value)
            case str():
                return self._encoder.word(value)
            case Fraction():
                return z3.RealVal(value)
            case int():
                return z3.IntVal(value) if z3.is_int(unknown.value) else z3.RealVal(value)
            case _:
                raise AssertionError(f"no fact is {value!r}")

    def _witness(self, model: Any) -> Witness:
        values = dict(self._ordinary)
        missing: set[str] = set()
        unusable: set[str] = set()
        told: list[str] = []
        for name, unknown in self._encoder.unknowns.items():
            present = z3.is_true(model.eval(unknown.present, model_completion=True))
            if not z3.is_true(model.eval(unknown.usable, model_completion=True)):
                (unusable if present and not z3.is_true(unknown.present) else missing).add(name)
                values.pop(name, None)
            else:
                values[name] = self._read(model.eval(unknown.value, model_completion=True), unknown)
            if values.get(name) != self._ordinary.get(name) or name in unusable:
                told.append(name)
        collections = {}
        for name, collected in self._encoder.collections.items():
            if not z3.is_true(model.eval(collected.usable, model_completion=True)):
                missing.add(name)
            there = [each for each in collected.elements if z3.is_true(model.eval(each.there, model_completion=True))]
            collections[name] = tuple(
                {
                    field: values[unknown.name]
                    for field, unknown in element.fields.items()
                    if unknown.name in values and unknown.name not in unusable
                }
                for element in there
            )
            for element in collected.elements:
                for unknown in element.fields.values():
                    values.pop(unknown.name, None)
                    missing.discard(unknown.name)
                    unusable.discard(unknown.name)
        told = sorted(name for name in told or self._encoder.unknowns if name in values or name in missing | unusable)
        return Witness(self._point, values, frozenset(missing), frozenset(unusable), tuple(told), collections)

    def _read(self, value: Any, unknown: Unknown) -> Value:
        match unknown.type.kind:
            case Kind.BOOL:
                return bool(z3.is_true(value))
            case Kind.ENUM | Kind.SYMBOL | Kind.TEXT:
                number = value.as_long()
                for word, held in self._encoder.words.items():
                    if held == number:
                        return word
                return next(word for word in _OTHERS if word not in self._encoder.words)
            case Kind.RATIO:
                exact = value if z3.is_rational_value(value) else value.approx(20)
                return Fraction(exact.as_fraction())
            case _:
                return int(value.as_long())


def _absences(collected: Collected) -> Iterator[_Pin]:
    """That a collection can be used, and has few elements."""
    name = collected.ref.name
    yield _Pin(f"{name} usable", z3.Bool(f"wish {name} usable"), collected.usable, 100)
    for element in collected.elements:
        yield _Pin(element.name, z3.Bool(f"wish no {element.name}"), z3.Not(element.there), 20)


_STEPS: Final[Mapping[Kind, tuple[int, ...]]] = {
    Kind.MONEY: (1_000_000_000, 1_000_000, 10_000, 1),
    Kind.DURATION: (1_000_000, 1),
    Kind.INSTANT: (1_000_000, 1),
    Kind.TIME: (60_000_000, 1),
    Kind.QUANTITY: (1,),
    Kind.COUNT: (1,),
}
