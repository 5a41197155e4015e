"""That every layer of an engine's policy only tightens those beneath it, or says that it loosens, and why.

What lives here: from the stages of one bundle to diagnostics with the two places and a witness. What does not: the
comparison itself (tightening.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from mqk.analysis.moments import lookup_of, ordinary
from mqk.analysis.names import Part, changed, rests_on
from mqk.analysis.rules import condition, true
from mqk.analysis.tightening import Looser, lasts, looser, without
from mqk.analysis.verdicts import Answer, Verdict, Witness
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.points import Point
from mqk.policy import Bundle, Diagnostic, RuleSource, Span, TransitionSource, error, quoted

if TYPE_CHECKING:
    from mqk.dsl.emit_smt import Encoder
    from mqk.dsl.emit_smt_numbers import Term

_HELP = "tighten it, or declare it under `loosen:` with `why`, `approved_by` and `until`"


def loosenings(bundle: Bundle) -> tuple[Diagnostic, ...]:
    """Everything that a layer lets pass, undeclared, and one beneath stops; what is not proven counts as such."""
    found: list[Diagnostic] = []
    stages = [bundle.at_stage(index) for index in range(len(bundle.stages))]
    for stage, (low, high) in zip(bundle.stages[1:], pairwise(stages), strict=True):
        # A leave to loosen is its own document's alone: no layer above inherits it.
        declared = frozenset(each.target for each in stage.loosened if each.document == stage.document)
        floor = without(low, high, declared)
        found += _merged([_looser(each) for each in looser(floor, high)])
        found += _waivable(floor, high)
        found += _moves(floor, high)
    return tuple(found)


def _looser(found: Looser) -> Diagnostic:
    what, here, beneath = _place(found)
    if found.answer.verdict is Verdict.UNDECIDED:
        message = f"it is not proven that {what} lets pass no more than the layer beneath"
        notes = [("the layer beneath", beneath), (f"the rule in question is {quoted(found.rule.id)}", found.rule.span)]
        return error("MQK-1421", message, here, f"{_HELP}; {found.answer.why}", notes=notes)
    message = f"{what}: what {quoted(found.rule.id)} stops there may pass here"
    notes = [("the layer beneath", beneath)]
    if found.answer.witness is not None:
        notes.append((f"as with {found.answer.witness}: {found.says}", found.rule.span))
    return error("MQK-1420", message, here, _HELP, notes=notes)


def _place(found: Looser) -> tuple[str, Span, Span]:
    """What differs, where it is written in the upper layer, and where in the one beneath."""
    rule, other = found.rule.source, None if found.other is None else found.other.source
    if other is None:
        cause = next((after for _, after in found.causes if after is not None), None)
        span = rule.span if cause is None else cause.span
        return f"{quoted(rule.id)} is gone", span, rule.span
    facet = _facet(rule, other)
    if facet is not None:
        return f"{quoted(rule.id)} {facet}", other.span, rule.span
    for before, after in found.causes:
        if after is not None and before is not None:
            return (
                f"`{after.name}` is {quoted(after.text)} here and {quoted(before.text)} beneath",
                after.span,
                before.span,
            )
        part = before if before is not None else after
        if part is not None:
            return f"`{part.name}` has come or gone", part.span, rule.span
    return f"{quoted(rule.id)} differs", other.span, rule.span


def _facet(rule: RuleSource, other: RuleSource) -> str | None:
    """What of a rule itself differs, in words; None when it is only what it rests on."""
    if other.enforce != rule.enforce:
        return f"is enforced as `{other.enforce}` here and as `{rule.enforce}` beneath"
    if other.otherwise != rule.otherwise:
        return f"leads to `{other.otherwise}` here and to `{rule.otherwise}` beneath"
    if other.exits_included != rule.exits_included:
        return "treats exits otherwise"
    if other.confirm != rule.confirm:
        return f"counts after {other.confirm} judgements here and after {rule.confirm} beneath"
    if other.latch != rule.latch and not lasts(other.latch, rule.latch):
        return "lets go of its outcome sooner, or by other hands"
    if _squeezed(other.require.text) != _squeezed(rule.require.text):
        return "asks for something else"
    if _squeezed("" if other.when is None else other.when.text) != _squeezed(
        "" if rule.when is None else rule.when.text
    ):
        return "applies at other moments"
    return None


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _merged(found: list[Diagnostic]) -> Iterator[Diagnostic]:
    """One diagnostic for one place: several rules that rest on one limit are one mistake."""
    seen: set[Span] = set()
    for each in found:
        if each.span not in seen:
            seen.add(each.span)
            yield each


def _waivable(low: Bundle, high: Bundle) -> Iterator[Diagnostic]:
    """A rule that nobody may set aside stays one."""
    beneath = {rule.id: rule for rule in low.rules}
    for rule in high.rules:
        was = beneath.get(rule.id)
        if was is not None and rule.waivable and not was.waivable:
            message = f"{quoted(rule.id)} may be waived here, which the layer beneath rules out"
            yield error("MQK-1420", message, rule.span, _HELP, notes=[("the layer beneath", was.span)])


def _moves(low: Bundle, high: Bundle) -> Iterator[Diagnostic]:
    """Moves of state machines rest on limits too: none becomes possible that was not."""
    differing = changed(low, high)
    if not differing:
        return
    environments = [PolicyEnvironment.of(bundle, Point.TRANSITION) for bundle in (low, high)]
    read: dict[tuple[str, ...], frozenset[str]] = {}
    for machine in high.lifecycles.values():
        for move in machine.transitions:
            texts = tuple(text.text for text in (move.when, move.require) if text is not None)
            if texts not in read:
                read[texts] = rests_on(high, texts) if texts else frozenset()
            causes = [differing[name] for name in differing if name in read[texts]]
            if not causes:
                continue
            answer = _opened(move, environments[0], environments[1], high)
            if answer.verdict is not Verdict.PROVED:
                yield _moved(move, causes[0], answer)


def _opened(move: TransitionSource, low: PolicyEnvironment, high: PolicyEnvironment, bundle: Bundle) -> Answer:
    from mqk.analysis import model, prove  # noqa: PLC0415 - only what differs pays for the solver

    texts = [text.text for text in (move.when, move.require) if text is not None]
    before, after = (
        [checked for text in texts if (checked := condition(text, environment)) is not None]
        for environment in (low, high)
    )
    if len(before) + len(after) < 2 * len(texts):
        return Answer(Verdict.PROVED)  # what does not check is reported as that

    def possible(encoder: Encoder) -> Term:
        return model.opened(encoder, before, after)

    def really(witness: Witness) -> bool:
        lookup = lookup_of(witness)
        return all(true(each, lookup) for each in after) and not all(true(each, lookup) for each in before)

    return prove.find(Point.TRANSITION, possible, ordinary(bundle, Point.TRANSITION), really)


def _moved(move: TransitionSource, cause: tuple[Part | None, Part | None], answer: Answer) -> Diagnostic:
    before, after = cause
    part = after or before
    assert part is not None
    code = "MQK-1420" if answer.verdict is Verdict.REFUTED else "MQK-1421"
    message = f"`{part.name}` lets {quoted(move.by)} be done where the layer beneath refuses it"
    notes = [(f"the move to {quoted(move.to)}", move.span)]
    if before is not None:
        notes.append(("the layer beneath", before.span))
    if answer.witness is not None:
        notes.append((f"as with {answer.witness}", move.span))
    return error(code, message, part.span, _HELP, notes=notes)
