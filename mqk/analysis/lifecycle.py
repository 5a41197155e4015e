"""Whether a state machine makes sense: its states, its moves, and its invariants over all paths.

What lives here: the graph, with moves that no moment allows taken out by proof. What does not: drawing it (graph.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from mqk.analysis.moments import lookup_of, ordinary
from mqk.analysis.rules import Judged, condition, rules_at, stops, true
from mqk.analysis.verdicts import Answer, Verdict, Witness
from mqk.dsl import Expr
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.points import Point
from mqk.policy import Bundle, Diagnostic, LifecycleSource, Span, TransitionSource, error, listed, quoted
from mqk.policy.sources import InvariantSource

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term

_AT = Point.TRANSITION


@dataclass(frozen=True, slots=True)
class Step:
    """One move of a path."""

    start: str
    by: str
    to: str
    span: Span


@dataclass(frozen=True, slots=True)
class Reached:
    """How an invariant ended; when refuted, with the path that gets there and a moment that allows its last move."""

    invariant: InvariantSource
    answer: Answer
    path: tuple[Step, ...] = ()

    @property
    def shown(self) -> str:
        """The path as people read it."""
        if not self.path:
            return self.invariant.reach
        return self.path[0].start + "".join(f" -{step.by}-> {step.to}" for step in self.path)


def faults(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """Everything wrong with the state machines of a bundle, its invariants included."""
    found: list[Diagnostic] = []
    for machine in bundle.lifecycles.values():
        moves = _Moves(bundle, machine)
        found += moves.unreachable()
        found += moves.dead_ends()
        found += moves.ambiguous()
        found += (_broken(each) for each in moves.invariants() if each.answer.verdict is not Verdict.PROVED)
    return tuple(found)


def invariants(bundle: Bundle) -> list[tuple[LifecycleSource, Reached]]:
    """How every invariant of a bundle's machines ends."""
    return [
        (machine, each)
        for machine in bundle.lifecycles.values()
        if machine.invariants
        for each in _Moves(bundle, machine).invariants()
    ]


class _Moves:
    """The moves of one machine, each with its conditions as far as they check."""

    def __init__(self, bundle: Bundle, machine: LifecycleSource) -> None:
        self._bundle = bundle
        self._machine = machine
        self._environment = PolicyEnvironment.of(bundle, _AT)
        self._rules: list[Judged] | None = None

    def unreachable(self) -> Iterator[Diagnostic]:
        """States that no moves lead to from the initial one."""
        initial = self._initial()
        reached, pending = {initial}, [initial]
        while pending:
            state = pending.pop()
            for move in self._machine.transitions:
                if state in move.from_states and move.to not in reached:
                    reached.add(move.to)
                    pending.append(move.to)
        for state in self._machine.states:
            if state not in reached:
                message = f"nothing leads to the state {quoted(state)} of `{self._machine.id}`"
                yield error("MQK-1424", message, self._span(state), "add a transition to it, or remove the state")

    def dead_ends(self) -> Iterator[Diagnostic]:
        """States that nothing leaves and that are not declared as final."""
        left = {state for move in self._machine.transitions for state in move.from_states}
        for state, kind in self._machine.states.items():
            if state not in left and kind != "final":
                message = f"nothing leads out of the state {quoted(state)} of `{self._machine.id}`"
                help_ = "add a transition from it, or declare it as `final`"
                yield error("MQK-1425", message, self._span(state), help_)

    def ambiguous(self) -> Iterator[Diagnostic]:
        """Pairs of transitions that one moment lets a command take both."""
        answers: dict[frozenset[str], Answer] = {}
        for one, other in combinations(self._machine.transitions, 2):
            shared = [state for state in one.from_states if state in other.from_states]
            if one.by != other.by or not shared:
                continue
            both = [each for each in (self._when(one), self._when(other)) if each is not None]
            if len(both) < 2:
                continue  # without conditions, or with broken ones, they are told apart or refused elsewhere
            # Machines say the same few conditions over and over: each pair of them is decided once.
            said_by_both = frozenset(move.when.text for move in (one, other) if move.when is not None)
            answer = answers.get(said_by_both) or self._possible(both)
            answers[said_by_both] = answer
            if answer.verdict is Verdict.PROVED:
                continue
            said = f", as with {answer.witness}" if answer.witness is not None else ""
            message = f"two transitions by {quoted(one.by)} from {listed(shared, 'and')} may apply at once{said}"
            help_ = "make one `when` exclude the other"
            yield error("MQK-1426", message, other.span, help_, notes=[("the other one", one.span)])

    def invariants(self) -> list[Reached]:
        """How each invariant ends."""
        return [self._invariant(each) for each in self._machine.invariants]

    def _invariant(self, invariant: InvariantSource) -> Reached:
        """Look for a path that gets there by moves of which none is sure to have needed what the invariant names."""
        when = None if invariant.when is None else condition(invariant.when.text, self._environment)
        without = condition(invariant.without.text, self._environment)
        if without is None or (when is None and invariant.when is not None):
            return Reached(invariant, Answer(Verdict.UNDECIDED, why="its conditions do not check"))
        starts = [self._initial(), *([invariant.since] if invariant.since is not None else [])]
        seen = set(starts)
        open_: dict[tuple[str | None, ...], Answer] = {}
        paths: deque[tuple[str, tuple[Step, ...]]] = deque((start, ()) for start in dict.fromkeys(starts))
        while paths:
            state, path = paths.popleft()
            for move in self._machine.transitions:
                # What leaves a state as it is leads nowhere.
                if state not in move.from_states or state == move.to:
                    continue
                said = tuple(None if text is None else text.text for text in (move.when, move.require))
                if said not in open_:
                    open_[said] = self._unproven(move, when, without)
                answer = open_[said]
                if answer.verdict is Verdict.PROVED:
                    continue
                further = (*path, Step(state, move.by, move.to, move.span))
                if move.to == invariant.reach:
                    return Reached(invariant, answer, further)
                if move.to not in seen:
                    seen.add(move.to)
                    paths.append((move.to, further))
        return Reached(invariant, Answer(Verdict.PROVED))

    def _unproven(self, move: TransitionSource, when: Expr | None, without: Expr) -> Answer:
        """Whether a move can be made, in the moments meant, without what an invariant names: a moment, or a proof."""
        texts = [text.text for text in (move.when, move.require) if text is not None]
        conditions = [checked for text in texts if (checked := condition(text, self._environment)) is not None]
        wanted = [*conditions, *([when] if when is not None else [])]
        return self._possible(wanted, without)

    def _possible(self, wanted: Sequence[Expr], without: Expr | None = None) -> Answer:
        """A moment in which all that is wanted holds, every rule about moves passes, and `without` does not hold."""
        from mqk.analysis import model, prove  # noqa: PLC0415 - only machines with conditions pay for the solver

        if self._rules is None:
            self._rules = rules_at(self._bundle, _AT)
        blocking = [rule for rule in self._rules if rule.level >= stops(_AT)]

        def goal(encoder: Encoder) -> Term:
            return model.possible_move(encoder, wanted, blocking, without)

        def really(witness: Witness) -> bool:
            lookup = lookup_of(witness)
            return (
                all(true(each, lookup) for each in wanted)
                and all(rule.passes(lookup) for rule in blocking)
                and (without is None or not true(without, lookup))
            )

        return prove.find(_AT, goal, ordinary(self._bundle, _AT), really)

    def _when(self, move: TransitionSource) -> Expr | None:
        return None if move.when is None else condition(move.when.text, self._environment)

    def _initial(self) -> str:
        return next(state for state, kind in self._machine.states.items() if kind == "initial")

    def _span(self, state: str) -> Span:
        """Where a state is best pointed at: the machine's layer knows the document, a move that names it the line."""
        for move in self._machine.transitions:
            if state == move.to or state in move.from_states:
                return move.span
        return self._bundle.layers[f"lifecycles.{self._machine.id}"][-1].span


def _broken(reached: Reached) -> Diagnostic:
    invariant = reached.invariant
    notes = [(f"{step.start} -{step.by}-> {step.to}", step.span) for step in reached.path]
    if reached.answer.verdict is Verdict.UNDECIDED:
        message = f"the invariant {quoted(invariant.id)} is not proven: {reached.answer.why}"
        return error("MQK-1429", message, invariant.span, "state its moves more plainly", notes=notes)
    message = f"the invariant {quoted(invariant.id)} does not hold: {reached.shown}"
    if reached.answer.witness is not None:
        message += f", as with {reached.answer.witness}"
    help_ = f"require {quoted(invariant.without.text)} on the way to {quoted(invariant.reach)}"
    return error("MQK-1427", message, invariant.span, help_, notes=notes)
