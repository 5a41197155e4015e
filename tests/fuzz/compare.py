"""One condition at many moments, in every backend; and the smallest condition on which they still differ.

What lives here: judging and shrinking. What does not: making conditions (generate.py), and counting (campaign.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mqk.dsl import EvaluationError, Expr, check_expression, evaluate, format_expression, parse_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.emit_python import Rule, emit_point
from tests.analysis.agreement import Reading
from tests.dsl.worlds import Moment, World
from tests.fuzz.generate import complete
from tests.fuzz.native import UNDECIDED, InNative
from tests.numbers.judged import EMPTY, PARAMETERS

WORLD = World()
INTERPRETER, PYTHON, NATIVE, SOLVER = "the interpreter", "generated Python", "native code", "the solver"


@dataclass(frozen=True)
class Difference:
    """Two answers to one question: true, false, or None for an error."""

    condition: str
    moment: Moment
    answers: tuple[tuple[str, bool | None], ...]

    def told(self) -> str:
        """What a person needs to see it again."""
        answers = ", ".join(f"{backend} says {answer}" for backend, answer in self.answers)
        facts = ", ".join(f"{name}={value}" for name, value in sorted(self.moment.values.items()))
        return f"{self.condition}\n  {answers}\n  at {facts}\n  with {dict(self.moment.collections)}"


def checked(text: str) -> Expr:
    """The checked tree of a generated condition, which is always sound."""
    result = check_expression(parse_expression(text), WORLD)
    if result.errors:
        raise AssertionError(f"{text}: {[error.message for error in result.errors]}")
    return result.expr


def interpreted(expr: Expr, moment: Moment) -> bool | None:
    """What the specification says: true, false, or None for an error."""
    try:
        return bool(evaluate(expr, moment))
    except EvaluationError:
        return None


def differences(
    expr: Expr, moments: Sequence[Moment], *, solver: bool, compiled: Expr | None = None
) -> list[Difference]:
    """The moments at which the backends do not say the same of a condition.

    Generated Python knows only pass and no pass: an error is no pass, and for a fact that is missing it asks the
    interpreter, as a guard does. Native code knows errors, and may leave a moment to Python. `compiled` is what to
    compile when it is not the condition itself.
    """
    now = [EMPTY]
    asked: list[bool] = []

    def explain(*_: object) -> int:
        asked.append(True)
        return 0 if interpreted(expr, now[0]) else 1

    judge = emit_point([Rule(compiled or expr)], PARAMETERS, None, explain).judge
    reading = Reading(expr) if solver else None
    native = InNative(compiled or expr)
    found = []
    for moment in moments:
        expected = interpreted(expr, moment)
        now[0] = moment
        asked.clear()
        passes = judge(*moment.views()) == 0
        answers: list[tuple[str, bool | None]] = [(INTERPRETER, expected)]
        if passes is not (expected is True):
            answers.append((PYTHON, passes))
        if asked and expected is not None and complete(moment):
            # It may give up where something is missing; where nothing is, it must know the answer itself.
            answers.append((f"{PYTHON}, which gave up,", None))
        said_natively = native.at(moment)
        if said_natively is not UNDECIDED and said_natively is not expected:
            answers.append((NATIVE, said_natively))
        if reading is not None:
            said = reading.at(moment)
            if said is not expected:
                answers.append((SOLVER, None if said is None else bool(said)))
        if len(answers) > 1:
            found.append(Difference(format_expression(expr), moment, tuple(answers)))
    return found


def smallest(difference: Difference, *, solver: bool) -> Difference:
    """A part of the condition, with as few facts as can be, on which the backends still differ."""
    shrunk = True
    while shrunk:
        shrunk = False
        for condition in _parts(checked(difference.condition)):
            again = _again(format_expression(condition), difference.moment, solver=solver)
            if again is not None and len(again.condition) < len(difference.condition):
                difference, shrunk = again, True
                break
    for name in sorted(difference.moment.values):
        fewer = {key: value for key, value in difference.moment.values.items() if key != name}
        again = _again(difference.condition, Moment(fewer, difference.moment.collections), solver=solver)
        difference = again or difference
    return difference


def _again(text: str, moment: Moment, *, solver: bool) -> Difference | None:
    found = differences(checked(text), [moment], solver=solver)
    return found[0] if found else None


def _parts(expr: Expr) -> Iterable[Expr]:
    """The conditions that stand by themselves within a condition: those in which no element is named."""
    for node in syntax.walk(expr):
        if node is not expr and node.type == t.BOOL and not isinstance(node, syntax.Literal) and _closed(node):
            yield node


def _closed(expr: Expr) -> bool:
    bound = {node.variable for node in syntax.walk(expr) if isinstance(node, syntax.Quantified)}
    named = {node.path.split(".")[0] for node in syntax.walk(expr) if isinstance(node, syntax.Name)}
    return "p" not in named - bound
