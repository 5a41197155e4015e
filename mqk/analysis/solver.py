"""The solver of one question: alone in its world, so that what was asked before it has no say in the answer.

What lives here: z3's solver, with a context of its own. What does not: questions (prove.py).

Terms are made in the process's common context, whose numbering depends on everything that was ever made there, and the
solver's search depends on that numbering: a question that is decided within its budget today could run out of it when
asked second. So every question is copied, in its own order, to a context that holds nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import z3

from mqk.dsl.emit_smt_numbers import Term


class Solver:
    """What z3 is asked for one question. Terms go in and models come out in the common context."""

    def __init__(self, budget: int) -> None:
        self._context = z3.Context()
        self._solver = z3.Solver(ctx=self._context)
        self._solver.set("random_seed", 0)
        # It would put its own handler in the place of the process's and give that back altered: a run that waits would
        # then not be woken by an interrupt.
        self._solver.set("ctrl_c", False)
        self.spend(budget)

    def spend(self, budget: int) -> None:
        """What each check from now on may cost, in the solver's own steps."""
        self._solver.set("rlimit", budget)

    def add(self, *terms: Term) -> None:
        """Have these hold too."""
        self._solver.add(*(term.translate(self._context) for term in terms))

    def check(self, *assumed: Term) -> Any:
        """Whether all that was added can hold, with what is assumed for this once."""
        return self._solver.check(*(term.translate(self._context) for term in assumed))

    def push(self) -> None:
        """Begin what `pop` takes back."""
        self._solver.push()

    def pop(self) -> None:
        """Take back what was added since `push`."""
        self._solver.pop()

    def model(self) -> Any:
        """The moment that the last check found."""
        return self._solver.model().translate(z3.main_ctx())

    def unsat_core(self) -> list[str]:
        """The names of what was assumed in the last check and cannot all hold."""
        return [str(term) for term in self._solver.unsat_core()]

    def reason_unknown(self) -> str:
        """Why the last check was not decided."""
        return str(self._solver.reason_unknown())


class _Asked(NamedTuple):
    """A question as it is written: equal to one that was asked in the same words."""

    text: str
    budget: int
    terms: tuple[Term, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and (self.text, self.budget) == (other.text, other.budget)

    def __hash__(self) -> int:
        return hash((self.text, self.budget))


def refuted(terms: Sequence[Term], budget: int) -> bool:
    """Whether it is proven that these cannot all hold, at a cost of `budget` steps at most; False is open.

    Policies are checked again and again with little changed, so that what was asked before is remembered.
    """
    return _refuted(_Asked("\n".join(term.sexpr() for term in terms), budget, tuple(terms)))


@lru_cache(maxsize=1_000)
def _refuted(asked: _Asked) -> bool:
    solver = Solver(asked.budget)
    solver.add(*asked.terms)
    return bool(solver.check() == z3.unsat)
