"""Exact numbers for the solver: fractions of polynomials over unknowns, so that equal amounts have equal forms.

What lives here: arithmetic, comparison and choice between numbers, and what the solver is told about products of two
unknowns. What does not: walking expressions (emit_smt.py).

Products are either exact, or opaque: then each product is an unknown of its own that only obeys a few laws of products.
Opaque products leave the solver linear arithmetic, in which it is quick and complete; whatever it proves without them
holds with them, but what it refutes need not be refuted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from itertools import combinations
from math import lcm
from typing import Any, Final

import z3

# The solver's terms have no types.
Term = Any

# An unknown by its number, in the order in which they were met, so that one question is put in one way whatever was
# asked before; a product by the numbers of its factors, sorted; the empty one is 1.
_Factors = tuple[int, ...]

# Laws that compare two products cost more than they bring once there are many.
_MOST_PAIRS: Final = 60


@dataclass(frozen=True, slots=True)
class Sum:
    """A polynomial: what each product of unknowns is multiplied by; products with nothing of them are left out."""

    parts: tuple[tuple[_Factors, Fraction], ...]

    @property
    def constant(self) -> Fraction | None:
        """The value when it does not depend on anything."""
        if not self.parts:
            return Fraction(0)
        return self.parts[0][1] if len(self.parts) == 1 and self.parts[0][0] == () else None


@dataclass(frozen=True, slots=True)
class Ratio:
    """One polynomial over another. Where the divisor is zero the number is not defined, and nobody may ask for it."""

    over: Sum
    under: Sum


ONE: Final = Sum((((), Fraction(1)),))


def constant(value: Fraction | int) -> Ratio:
    """A number written out."""
    return Ratio(Sum((((), Fraction(value)),) if value else ()), ONE)


def scaled(number: Sum, by: Fraction) -> Sum:
    """A polynomial times a constant."""
    return Sum(tuple((factors, part * by) for factors, part in number.parts) if by else ())


def added(left: Sum, right: Sum) -> Sum:
    """The sum of two polynomials."""
    parts = dict(left.parts)
    for factors, part in right.parts:
        parts[factors] = parts.get(factors, Fraction(0)) + part
    return Sum(tuple(sorted((factors, part) for factors, part in parts.items() if part)))


def multiplied(left: Sum, right: Sum) -> Sum:
    """The product of two polynomials."""
    if ONE in (left, right):
        return right if left == ONE else left
    parts: dict[_Factors, Fraction] = {}
    for a, x in left.parts:
        for b, y in right.parts:
            factors = tuple(sorted(a + b))
            parts[factors] = parts.get(factors, Fraction(0)) + x * y
    return Sum(tuple(sorted((factors, part) for factors, part in parts.items() if part)))


def negated(number: Ratio) -> Ratio:
    """The number below zero as far as it was above."""
    return Ratio(scaled(number.over, Fraction(-1)), number.under)


def plus(left: Ratio, right: Ratio) -> Ratio:
    """The sum of two numbers."""
    if left.under == right.under:
        return Ratio(added(left.over, right.over), left.under)
    over = added(multiplied(left.over, right.under), multiplied(right.over, left.under))
    return Ratio(over, multiplied(left.under, right.under))


def times(left: Ratio, right: Ratio) -> Ratio:
    """The product of two numbers."""
    return Ratio(multiplied(left.over, right.over), multiplied(left.under, right.under))


def divided(left: Ratio, right: Ratio) -> Ratio:
    """The quotient of two numbers; that the divisor is not zero is the caller's to demand."""
    over, under = multiplied(left.over, right.under), multiplied(left.under, right.over)
    by = under.constant
    return Ratio(scaled(over, 1 / by), ONE) if by else Ratio(over, under)


@dataclass(slots=True)
class Algebra:
    """Numbers of one question to the solver: its unknowns, and its products where they are opaque.

    `numbers` are the unknowns' own, by their identities in the solver.
    """

    exact: bool
    unknowns: dict[int, Term] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    products: dict[_Factors, Term] = field(default_factory=dict)
    wholes: dict[Ratio, Term] = field(default_factory=dict)

    def unknown(self, term: Term) -> Ratio:
        """A number that the solver has a term for."""
        key = self.numbers.setdefault(term.get_id(), len(self.numbers))
        self.unknowns[key] = term
        return Ratio(Sum((((key,), Fraction(1)),)), ONE)

    def term(self, number: Sum) -> Term:
        """A polynomial as a term, multiplied by whatever positive number leaves no fractions in it."""
        return self._whole(number, lcm(*(part.denominator for _, part in number.parts)))

    def _whole(self, number: Sum, scale: int) -> Term:
        if not number.parts:
            return z3.IntVal(0)
        terms = []
        for factors, part in number.parts:
            by = int(part * scale)
            if not factors:
                terms.append(z3.IntVal(by))
            else:
                product = self._product(factors)
                terms.append(product if by == 1 else by * product)
        return terms[0] if len(terms) == 1 else z3.Sum(terms)

    def _product(self, factors: _Factors) -> Term:
        if len(factors) == 1:
            return self.unknowns[factors[0]]
        if factors not in self.products:
            terms = [self.unknowns[each] for each in factors]
            if self.exact:
                self.products[factors] = reduce(lambda a, b: a * b, terms)
            else:
                sort = z3.IntSort() if all(each.is_int() for each in terms) else z3.RealSort()
                self.products[factors] = z3.Const(f"product {len(self.products)}", sort)
        return self.products[factors]

    def positive(self, number: Sum) -> Term:
        """Whether a polynomial is above zero."""
        value = number.constant
        return z3.BoolVal(value > 0) if value is not None else self.term(number) > 0

    def zero(self, number: Ratio) -> Term:
        """Whether a number is zero."""
        value = number.over.constant
        return z3.BoolVal(value == 0) if value is not None else self.term(number.over) == 0

    def compare(self, op: str, left: Ratio, right: Ratio) -> Term:
        """`left op right`, multiplied out: where a divisor is below zero, the comparison turns round."""
        if left.under == right.under:
            difference, under = added(left.over, scaled(right.over, Fraction(-1))), left.under
        else:
            crossed = scaled(multiplied(right.over, left.under), Fraction(-1))
            difference = added(multiplied(left.over, right.under), crossed)
            under = multiplied(left.under, right.under)
        value, below = difference.constant, under.constant
        if value is not None and (value == 0 or op in ("==", "!=")):
            return z3.BoolVal(_holds(op, int(value != 0)))
        term = self.term(difference)
        if op in ("==", "!="):
            return _related(op, term)
        if below is not None:
            return _related(op, term if below > 0 else -term)
        return z3.If(self.positive(under), _related(op, term), _related(op, -term))

    def whole(self, number: Ratio) -> Term:
        """Whether a number is whole."""
        if number.under == ONE:
            scale = lcm(*(part.denominator for _, part in number.over.parts))
            term = self._whole(number.over, scale)
            return term % scale == 0 if term.is_int() else z3.IsInt(term / scale)
        parts = (*number.over.parts, *number.under.parts)
        scale = lcm(*(part.denominator for _, part in parts))
        if self.exact:
            over, under = (_real(self._whole(each, scale)) for each in (number.over, number.under))
            return z3.IsInt(over / under)
        if number not in self.wholes:
            self.wholes[number] = z3.Bool(f"whole {len(self.wholes)}")
        return self.wholes[number]

    def choose(self, condition: Term, then: Ratio, otherwise: Ratio) -> Ratio:
        """One number or the other."""
        if then == otherwise:
            return then
        if then.under == otherwise.under:
            return Ratio(self._either(condition, then.over, otherwise.over), then.under)
        return Ratio(
            self._either(condition, then.over, otherwise.over), self._either(condition, then.under, otherwise.under)
        )

    def _either(self, condition: Term, then: Sum, otherwise: Sum) -> Sum:
        scale = lcm(*(part.denominator for _, part in (*then.parts, *otherwise.parts)))
        chosen = z3.If(condition, *_alike(self._whole(then, scale), self._whole(otherwise, scale)))
        return scaled(self.unknown(chosen).over, Fraction(1, scale))

    def largest(self, numbers: Sequence[Ratio], op: str = ">=") -> Ratio:
        """The largest of some numbers; the smallest with `<=`."""
        return reduce(lambda a, b: self.choose(self.compare(op, a, b), a, b), numbers)

    def laws(self) -> list[Term]:
        """What opaque products are known to obey: their sign, and that they grow with each factor.

        All of it is true of products, so that telling the solver never proves too much.
        """
        if self.exact:
            return []
        found: list[Term] = []
        # Reading a product's smaller half may make a new one, whose laws are then due as well.
        done: set[_Factors] = set()
        splits: dict[int, list[tuple[Term, Term]]] = {}
        while todo := [factors for factors in self.products if factors not in done]:
            for factors in todo:
                done.add(factors)
                product = self.products[factors]
                for first in dict.fromkeys(factors):
                    rest = list(factors)
                    rest.remove(first)
                    other = self._product(tuple(rest))
                    splits.setdefault(first, []).append((other, product))
                    found += _sign_laws(self.unknowns[first], other, product)
        for first, pairs in splits.items():
            for pair in list(combinations(pairs, 2))[:_MOST_PAIRS]:
                found += _growth_laws(self.unknowns[first], *pair)
        return found


def _sign_laws(a: Term, b: Term, product: Term) -> Iterable[Term]:
    yield (product == 0) == z3.Or(a == 0, b == 0)
    yield (product > 0) == z3.Or(z3.And(a > 0, b > 0), z3.And(a < 0, b < 0))
    if a.is_int() and b.is_int():
        # Whole numbers other than zero do not make anything smaller.
        yield z3.Implies(z3.And(a >= 1, b >= 0), product >= b)
        yield z3.Implies(z3.And(b >= 1, a >= 0), product >= a)


def _growth_laws(factor: Term, one: tuple[Term, Term], two: tuple[Term, Term]) -> Iterable[Term]:
    (x, product_x), (y, product_y) = one, two
    yield z3.Implies(z3.And(factor >= 0, x <= y), product_x <= product_y)
    yield z3.Implies(z3.And(factor >= 0, y <= x), product_y <= product_x)
    yield z3.Implies(z3.And(factor <= 0, x <= y), product_x >= product_y)
    yield z3.Implies(z3.And(factor <= 0, y <= x), product_y >= product_x)


def _alike(left: Term, right: Term) -> tuple[Term, Term]:
    if left.is_int() == right.is_int():
        return left, right
    return _real(left), _real(right)


def _real(term: Term) -> Term:
    return z3.ToReal(term) if term.is_int() else term


def _related(op: str, term: Term) -> Term:
    match op:
        case "<":
            return term < 0
        case "<=":
            return term <= 0
        case "==":
            return term == 0
        case "!=":
            return term != 0
        case ">=":
            return term >= 0
        case _:
            return term > 0


def _holds(op: str, sign: int) -> bool:
    return {"<": sign < 0, "<=": sign <= 0, "==": sign == 0, "!=": sign != 0, ">=": sign >= 0, ">": sign > 0}[op]
