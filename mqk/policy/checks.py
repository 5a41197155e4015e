"""What one document must keep beyond its schema: ids once, periods in order, a state machine that makes sense.

A list of small functions, each reporting its own kind of fault and silent about what the schema already refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from mqk.policy.columns import check_tables
from mqk.policy.dates import check_period, check_versions, read_period
from mqk.policy.diagnostics import Diagnostic, error, listed, quoted
from mqk.policy.governance import check_claims, check_keys, check_loosenings, check_once, check_waiver
from mqk.policy.nodes import Mapping, Scalar
from mqk.policy.order_life import check_order_machine
from mqk.policy.schemas import RULING, schema_set
from mqk.policy.suggest import closest, did_you_mean
from mqk.policy.values import read_value
from mqk.quantity import QuantityError

SAME: Final = "same"
"""Where a move leads that leaves every state as it is."""


def check_document(root: Mapping, kind: str) -> list[Diagnostic]:
    """Every fault of a document that a schema cannot express."""
    checks: tuple[Callable[[Mapping], Iterable[Diagnostic]], ...] = (check_period, _limit_names, _rules, _strategies)
    if kind == "lifecycle":
        checks += (_initial_state, _known_states, _distinct_transitions, _invariants, check_order_machine)
    elif kind == "waiver":
        checks += (check_waiver,)
    elif kind == "engine":
        checks += (check_tables, check_loosenings, check_claims, check_keys)
    elif kind in RULING:
        checks += (check_tables, check_loosenings, check_claims)
    elif kind == "test":
        checks += (check_claims,)
    elif kind == "obligation":
        checks += (lambda root: check_once(root, "obligations", "obligation"),)
    return [each for check in checks for each in check(root)]


def _rules(root: Mapping) -> Iterator[Diagnostic]:
    """Rules with one id: refused, unless they are dated versions without gap or overlap."""
    by_id: dict[str, list[tuple[Mapping, Scalar]]] = {}
    for rule in root.mappings("rules"):
        yield from check_period(rule)
        id_ = rule.scalar("id")
        if id_ is not None:
            by_id.setdefault(id_.text, []).append((rule, id_))
    for name, versions in by_id.items():
        if all("effective" in rule.entries for rule, _ in versions):
            dated = [(read_period(rule), id_.span) for rule, id_ in versions]
            yield from check_versions(name, sorted(dated, key=lambda each: (each[0].start is not None, each[0].start)))
        else:
            yield from _twice([id_ for _, id_ in versions], "rule")


def _limit_names(root: Mapping) -> Iterator[Diagnostic]:
    """A limit of one's own that is one slip away from a known one and is written as that one is."""
    schemas = schema_set()
    known = schemas.known_limits()
    for name, entry in root.mapping("limits").entries.items():
        meant = None if name in known or "." in name else closest(name, known, steps=1)
        if meant is not None and isinstance(entry.value, Scalar):
            try:
                read_value(schemas.limit_format(meant), entry.value.text)
            except QuantityError:
                continue  # it holds something else, so it is something else
            yield error("MQK-1101", f"unknown limit {quoted(name)}", entry.key.span, f"did you mean `{meant}`?")


def _strategies(root: Mapping) -> Iterator[Diagnostic]:
    by_id: dict[str, list[Scalar]] = {}
    for strategy in root.mappings("strategies"):
        id_ = strategy.scalar("id")
        if id_ is not None:
            by_id.setdefault(id_.text, []).append(id_)
    for same in by_id.values():
        yield from _twice(same, "strategy")


def _twice(same: list[Scalar], what: str) -> Iterator[Diagnostic]:
    for again in same[1:]:
        notes = [("first written here", same[0].span)]
        message = f"the {what} {quoted(again.text)} is written twice"
        yield error("MQK-1118", message, again.span, "give one of them another id, or remove it", notes=notes)


def _initial_state(root: Mapping) -> Iterator[Diagnostic]:
    states = root.entries.get("states")
    if states is None or not isinstance(states.value, Mapping):
        return
    initial = [
        entry
        for entry in states.value.entries.values()
        if isinstance(entry.value, Scalar) and entry.value.text == "initial"
    ]
    if not initial:
        yield error("MQK-1214", "no state is `initial`", states.key.span, "mark the state that a run begins in")
    for again in initial[1:]:
        notes = [("the first one", initial[0].key.span)]
        yield error("MQK-1214", "a second `initial` state", again.value.span, "keep one of them", notes=notes)


def _known_states(root: Mapping) -> Iterator[Diagnostic]:
    known = list(root.mapping("states").entries)
    if not known:
        return
    for transition in root.mappings("transitions"):
        for key in ("from", "to"):
            for state in transition.one_or_more(key):
                # What is not even written like a state is the schema's to refuse.
                if state.text in known or (key == "from" and state.text == "any") or not state.text.isupper():
                    continue
                help_ = did_you_mean(state.text, known) or f"the states are {listed(known, 'and')}"
                yield error("MQK-1213", f"{quoted(state.text)} is not a state of this machine", state.span, help_)


def _invariants(root: Mapping) -> Iterator[Diagnostic]:
    """Invariants with one id, and states in them that the machine does not have."""
    yield from check_once(root, "invariants", "invariant")
    known = list(root.mapping("states").entries)
    for invariant in root.mappings("invariants"):
        for key in ("never_reach", "since"):
            state = invariant.mapping("claim").scalar(key)
            if state is not None and known and state.text not in known and state.text.isupper():
                help_ = did_you_mean(state.text, known) or f"the states are {listed(known, 'and')}"
                yield error("MQK-1213", f"{quoted(state.text)} is not a state of this machine", state.span, help_)


def _distinct_transitions(root: Mapping) -> Iterator[Diagnostic]:
    """Two moves from one state by one command: one condition, or none, leaves it open which of them is meant."""
    seen: dict[tuple[str, str], dict[str, Scalar]] = {}
    states = state_kinds(root)
    for transition in root.mappings("transitions"):
        command, target, when = transition.scalar("by"), transition.scalar("to"), transition.scalar("when")
        if command is None or target is None:
            continue
        condition = " ".join(when.text.split()) if when is not None else ""
        for state in expanded([each.text for each in transition.one_or_more("from")], target.text, states):
            moves = seen.setdefault((state, command.text), {})
            rival = moves.get(condition) or moves.get("") or (None if condition else next(iter(moves.values()), None))
            if rival is not None:
                message = f"a second move by {quoted(command.text)} from {quoted(state)} under the same condition"
                help_ = "tell them apart with `when:`, or remove one"
                yield error("MQK-1215", message, command.span, help_, notes=[("the first one", rival.span)])
                break
            moves[condition] = command


def state_kinds(root: Mapping) -> dict[str, str]:
    """The states of a machine as written, each with what it is: `initial`, `normal` or `sticky`."""
    return {
        name: entry.value.text if isinstance(entry.value, Scalar) else "normal"
        for name, entry in root.mapping("states").entries.items()
    }


def expanded(sources: Iterable[str], target: str, states: dict[str, str]) -> tuple[str, ...]:
    """The states a transition leaves, in the machine's order. `states` maps each to what it is.

    `any` is every state but the one it reaches, the final ones, and the sticky ones, which are left only by a move that
    names them.
    """
    wanted = set(sources)
    return tuple(
        state
        for state, kind in states.items()
        if state in wanted or ("any" in wanted and state != target and kind not in ("sticky", "final"))
    )
