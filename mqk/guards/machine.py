"""State machines compiled from lifecycle policies: which move is possible now, for whom, and if not, why not.

What lives here: judging a move. What does not: making it (mqk.store records it, the database enforces the edges).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mqk.dsl import EvaluationError, evaluate, syntax
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.explain import explain
from mqk.guards.guard import Guard, limits_read
from mqk.guards.lookup import ViewLookup
from mqk.guards.outside import OrderLife
from mqk.guards.points import ALLOW, WARN
from mqk.policy import Bundle, LifecycleSource, Span, Text, canonical_text, did_you_mean

Compile = Callable[[Text, PolicyEnvironment], syntax.Expr | None]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# What a confirmation sentence may name besides limits.
_RUN_NAMES = ("run.id", "run.engine")


@dataclass(frozen=True, slots=True)
class Edge:
    """One declared move between two states."""

    from_state: str
    event: str
    to_state: str


@dataclass(frozen=True, slots=True)
class Transition:
    """A declared transition with its compiled conditions.

    `role` is who may make it (None: anybody), `confirm` the sentence that has to be typed (None: none).
    """

    from_states: frozenset[str]
    to_state: str
    event: str
    role: str | None
    require: syntax.Expr | None
    when: syntax.Expr | None
    confirm: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a move may be made: the new state, or the reasons why not."""

    to_state: str | None
    reasons: tuple[str, ...] = ()
    confirm: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A compiled lifecycle."""

    id: str
    states: Mapping[str, str]
    transitions: tuple[Transition, ...]
    guard: Guard
    limits_written: Mapping[str, str]

    @property
    def initial(self) -> str:
        """The state in which everything begins."""
        return next(name for name, kind in self.states.items() if kind == "initial")

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every move that the policy declares, in a stable order; the database refuses all others."""
        found = {Edge(s, tr.event, tr.to_state) for tr in self.transitions for s in tr.from_states}
        return tuple(sorted(found, key=lambda edge: (edge.from_state, edge.event, edge.to_state)))

    @property
    def limits_read(self) -> frozenset[str]:
        """The limits that conditions and confirmation sentences use."""
        read = {
            name for tr in self.transitions for e in (tr.require, tr.when) if e is not None for name in limits_read(e)
        }
        for transition in self.transitions:
            for placeholder in _PLACEHOLDER.findall(transition.confirm or ""):
                if placeholder.startswith("limits."):
                    read.add(placeholder.split(".")[1])
        return frozenset(read)

    def attempt(
        self,
        state: str,
        event: str,
        *,
        role: str,
        views: Mapping[str, object],
        names: Mapping[str, str],
        confirmation: str | None = None,
    ) -> Verdict:
        """Judge a move: exactly one declared transition must apply, its role, condition and confirmation be met.

        `names` gives the words for a confirmation sentence, such as `run.id`. Conditions that cannot be judged refuse.
        """
        # Nobody's move but an order's is about an order.
        lookup = ViewLookup({"order": OrderLife(), **views})
        declared = [tr for tr in self.transitions if tr.event == event and state in tr.from_states]
        if not declared:
            return Verdict(None, (f"`{event}` is not possible from {state}",))
        applying: list[Transition] = []
        for transition in declared:
            try:
                if transition.when is None or evaluate(transition.when, lookup):
                    applying.append(transition)
            except EvaluationError as fault:
                return Verdict(None, (f"`{event}` cannot be judged: `{fault.subject}` is {fault.fault.value}",))
        if len(applying) != 1:
            what = "no transition applies" if not applying else "more than one transition applies"
            return Verdict(None, (f"`{event}` from {state}: {what}",))
        return self._judge(applying[0], event, role, lookup, names, confirmation)

    def _judge(
        self,
        transition: Transition,
        event: str,
        role: str,
        lookup: ViewLookup,
        names: Mapping[str, str],
        confirmation: str | None,
    ) -> Verdict:
        reasons: list[str] = []
        written = {f"limits.{name}": text for name, text in self.limits_written.items()}
        if transition.role is not None and role != transition.role:
            reasons.append(f"`{event}` is for the role `{transition.role}`, not `{role}`")
        if transition.require is not None:
            try:
                if not evaluate(transition.require, lookup):
                    reasons.append(explain(transition.require, lookup, written, holds=False).message)
            except EvaluationError as fault:
                reasons.append(f"`{fault.subject}` is {fault.fault.value}")
        # Rules at `transition` are asked about every move of every machine.
        reasons += [
            f"{finding.rule}: {finding.message}"
            for finding in self.guard.decide(lookup.views).findings
            if finding.effect not in (ALLOW, WARN)
        ]
        sentence = self.sentence(transition, names)
        if sentence is not None and confirmation != sentence:
            reasons.append(f"type `{sentence}` to confirm")
        return Verdict(None if reasons else transition.to_state, tuple(reasons), sentence)

    def sentence(self, transition: Transition, names: Mapping[str, str]) -> str | None:
        """The words to type for a transition, with its placeholders filled in."""
        if transition.confirm is None:
            return None
        known = {**{f"limits.{name}": text for name, text in self.limits_written.items()}, **names}
        return _PLACEHOLDER.sub(lambda match: known.get(match.group(1), match.group(0)), transition.confirm)


def unknown_placeholders(source: LifecycleSource, bundle: Bundle) -> list[tuple[str, Span, str | None]]:
    """Words in confirmation sentences that nothing fills in, with where they stand and what may have been meant."""
    known = [*_RUN_NAMES, *(f"limits.{name}" for name in bundle.limits)]
    return [
        (word, declared.span, did_you_mean(word, known))
        for declared in source.transitions
        for word in _PLACEHOLDER.findall(declared.confirm or "")
        if word not in known
    ]


def compile_machine(
    source: LifecycleSource, bundle: Bundle, environment: PolicyEnvironment, guard: Guard, compile_: Compile
) -> Machine:
    """Compile a lifecycle; conditions that do not compile were reported by `compile_` and stand as None."""
    transitions = tuple(
        Transition(
            frozenset(declared.from_states),
            declared.to,
            declared.by,
            declared.role,
            compile_(declared.require, environment) if declared.require is not None else None,
            compile_(declared.when, environment) if declared.when is not None else None,
            declared.confirm,
            declared.span,
        )
        for declared in source.transitions
    )
    # In canonical words, so that one bundle hash stands for one sentence.
    written = {name: canonical_text(limit.value) for name, limit in bundle.limits.items()}
    return Machine(source.id, source.states, transitions, guard, written)
