"""What is said of collections, as generated code: one loop per quantifier, every element judged.

An element for which `where` is false is judged no further. Nothing stops early: an error in a later element must be
seen although an earlier one has settled the answer.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from typing import TypeVar

from mqk.dsl import syntax
from mqk.dsl.emit_numbers import Number
from mqk.dsl.emit_scopes import Scope, Statements

V = TypeVar("V")


class Loops(Statements, ABC):
    """Writes loops over the elements of collections."""

    def _holds(self, expr: syntax.Quantified) -> str:
        """Code for `some` and `every`."""
        body = expr.body
        assert body is not None
        some = expr.kind == "some"
        loop, condition = self._loop(expr, lambda: self.boolean(body))
        result = self._temporary("False" if some else "True")
        self._write(expr, loop, [f"if {condition if some else f'not {condition}'}: {result} = {some}"])
        return result

    def _tallied(self, expr: syntax.Quantified) -> Number:
        """Code for `count of` and `sum of`; a sum keeps its denominator when all its terms share it."""
        body = expr.body
        if body is None:
            loop, _ = self._loop(expr, lambda: None)
            result = self._temporary("0")
            self._write(expr, loop, [f"{result} += 1"])
            return Number(result)
        loop, term = self._loop(expr, lambda: self.number(body))
        top = self._temporary("0")
        if isinstance(term.denominator, int):
            self._write(expr, loop, [f"{top} += {term.numerator}"])
            return Number(top, term.denominator)
        bottom = self._temporary("1")
        below = term.denominator
        sums = f"{top} * {below} + {term.numerator} * {bottom}"
        self._write(expr, loop, [f"{top}, {bottom} = {sums}, {bottom} * {below}"])
        return Number(top, bottom)

    def _loop(self, expr: syntax.Quantified, write: Callable[[], V]) -> tuple[list[Scope], V]:
        """The blocks of a loop, outermost first, with what is computed in the innermost."""
        assert expr.ref is not None
        self._collection(expr.ref)
        element = f"e{self._elements}"
        self._elements += 1
        outer, self._bound = self._bound, {**self._bound, expr.variable: element}
        loop = Scope(self._stack[-1].indent + 1, element)
        self._stack.append(loop)
        scopes = [loop]
        if expr.where is not None:
            self._line(f"if {self.boolean(expr.where)}:")
            scopes.append(Scope(loop.indent + 1, element))
            self._stack.append(scopes[-1])
        value = write()
        del self._stack[len(self._stack) - len(scopes) :]
        self._bound = outer
        return scopes, value

    def _write(self, expr: syntax.Quantified, scopes: list[Scope], settle: list[str]) -> None:
        innermost = scopes[-1]
        assert innermost.element is not None
        self._line(f"for {innermost.element} in {expr.collection}:")
        for scope in scopes:
            self._splice(scope.all_lines)
        self._splice("    " * innermost.indent + line for line in settle)
