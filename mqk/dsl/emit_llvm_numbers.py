"""Exact whole numbers and ratios in native code: each with the interval it lies in, as wide as the interval asks for.

What lives here: arithmetic. A number that its interval keeps within 64 bits is computed in 64; any other in 128; one
that could leave 128 is checked, and says so by setting the function's `undecided`. What does not: expressions
(emit_llvm_values.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any, Final

NARROW: Final = 64
WIDE: Final = 128
MOST_NARROW: Final = 2**63 - 1
# Symmetric, so that every number of 128 bits can be negated.
MOST_WIDE: Final = 2**127 - 1


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between `low` and `high`; `code` is its value, None where the two are the same."""

    low: int
    high: int
    code: Any = None

    @property
    def constant(self) -> int | None:
        """The number, where it is known beforehand."""
        return self.low if self.low == self.high else None

    @property
    def width(self) -> int:
        """In how many bits its code is held."""
        return NARROW if self.low >= -MOST_NARROW - 1 and self.high <= MOST_NARROW else WIDE


@dataclass(frozen=True, slots=True)
class Exact:
    """A number: one whole number over another, which is above zero."""

    top: Whole
    bottom: Whole


def known(value: int) -> Whole:
    """A constant."""
    return Whole(value, value)


ONE: Final = known(1)
ZERO: Final = known(0)


class Numbers:
    """Writes arithmetic at the end of a builder's block; an overflow sets `undecided`, a bit in memory."""

    def __init__(self, builder: Any, undecided: Any) -> None:
        from llvmlite import ir  # noqa: PLC0415 - only who compiles pays for it

        self._ir = ir
        self.builder = builder
        self._undecided = undecided

    # -- whole numbers ---------------------------------------------------------------------------------------------

    def code(self, number: Whole, width: int) -> Any:
        """The number's value in so many bits, at least its own."""
        kind = self._ir.IntType(width)
        if number.constant is not None:
            return self._ir.Constant(kind, number.constant)
        return number.code if number.width == width else self.builder.sext(number.code, kind)

    def _same(self, *numbers: Whole) -> list[Any]:
        width = max(number.width for number in numbers)
        return [self.code(number, width) for number in numbers]

    def _made(self, low: int, high: int, op: str, a: Whole, b: Whole) -> Whole:
        """The outcome of an operation whose exact result lies in an interval."""
        if low == high:
            return known(low)
        result = Whole(low, high)
        if low < -MOST_WIDE or high > MOST_WIDE:
            both = getattr(self.builder, f"{op}_with_overflow")(self.code(a, WIDE), self.code(b, WIDE))
            self.tell(self.builder.extract_value(both, 1))
            value = self.builder.extract_value(both, 0)
            least = self._ir.Constant(self._ir.IntType(WIDE), -MOST_WIDE - 1)
            self.tell(self.builder.icmp_signed("==", value, least))
            return Whole(max(low, -MOST_WIDE), min(high, MOST_WIDE), value)
        width = max(result.width, a.width, b.width)
        value = getattr(self.builder, op.removeprefix("s"))(self.code(a, width), self.code(b, width))
        if width > result.width:
            value = self.builder.trunc(value, self._ir.IntType(result.width))
        return Whole(low, high, value)

    def add(self, a: Whole, b: Whole) -> Whole:
        """`a + b`."""
        if b.constant == 0:
            return a
        if a.constant == 0:
            return b
        return self._made(a.low + b.low, a.high + b.high, "sadd", a, b)

    def subtract(self, a: Whole, b: Whole) -> Whole:
        """`a - b`."""
        return a if b.constant == 0 else self._made(a.low - b.high, a.high - b.low, "ssub", a, b)

    def multiply(self, a: Whole, b: Whole) -> Whole:
        """`a * b`."""
        if b.constant == 1:
            return a
        if a.constant == 1:
            return b
        ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
        return self._made(min(ends), max(ends), "smul", a, b)

    def relation(self, op: str, a: Whole, b: Whole) -> Any:
        """Whether `a op b`, as a bit."""
        return self.builder.icmp_signed(op, *self._same(a, b))

    def select(self, condition: Any, a: Whole, b: Whole) -> Whole:
        """`a` where the condition holds, else `b`."""
        if a.constant is not None and a.constant == b.constant:
            return a
        chosen = Whole(min(a.low, b.low), max(a.high, b.high))
        first, second = (self.code(each, chosen.width) for each in (a, b))
        return Whole(chosen.low, chosen.high, self.builder.select(condition, first, second))

    def absolute(self, a: Whole) -> Whole:
        """The number without its sign."""
        if a.low >= 0:
            return a
        negated = self.subtract(ZERO, a)
        chosen = self.select(self.relation(">=", a, ZERO), a, negated)
        if chosen.constant is not None:
            return known(abs(chosen.constant))
        high = max(-a.low, a.high)
        result = Whole(0, high, chosen.code)
        if result.width < chosen.width:
            return Whole(0, high, self.builder.trunc(chosen.code, self._ir.IntType(result.width)))
        return result

    def tell(self, overflow: Any) -> None:
        """Note that a number may have left 128 bits: what this moment comes to is then not known here."""
        before = self.builder.load(self._undecided)
        self.builder.store(self.builder.or_(before, overflow), self._undecided)

    # -- exact numbers ---------------------------------------------------------------------------------------------

    def combine(self, op: str, a: Exact, b: Exact) -> Exact:
        """`a + b`, `a - b` or `a * b`; a quotient is a product with a reciprocal."""
        if op not in ("+", "-"):
            return Exact(self.multiply(a.top, b.top), self.multiply(a.bottom, b.bottom))
        join = self.add if op == "+" else self.subtract
        if a.bottom == b.bottom:
            return Exact(join(a.top, b.top), a.bottom)
        top = join(self.multiply(a.top, b.bottom), self.multiply(b.top, a.bottom))
        return Exact(top, self.multiply(a.bottom, b.bottom))

    def compare(self, op: str, a: Exact, b: Exact) -> Any:
        """Whether `a op b`, by multiplying across: both denominators are above zero."""
        left, right = a.bottom, b.bottom
        if left == right:
            return self.relation(op, a.top, b.top)
        if left.constant is not None and right.constant is not None:
            common = gcd(left.constant, right.constant)
            left, right = known(left.constant // common), known(right.constant // common)
        return self.relation(op, self.multiply(a.top, right), self.multiply(b.top, left))

    def choose(self, condition: Any, a: Exact, b: Exact) -> Exact:
        """`a` where the condition holds, else `b`."""
        return Exact(self.select(condition, a.top, b.top), self.select(condition, a.bottom, b.bottom))

    def reciprocal(self, a: Exact) -> tuple[Exact, Any]:
        """One over `a`, and whether `a` is zero; what it is then means nothing, and is above zero below the line."""
        zero = self.relation("==", a.top, ZERO)
        top = self.select(self.relation(">", a.top, ZERO), a.bottom, self.subtract(ZERO, a.bottom))
        size = self.select(zero, ONE, self.absolute(a.top))
        if size.constant is None:
            size = Whole(1, max(size.high, 1), size.code)
        return Exact(top, size), zero

    def divides(self, whole: Exact, part: Exact) -> tuple[Any, Any]:
        """Whether `whole` is a whole multiple of `part`, and whether `part` is zero."""
        zero = self.relation("==", part.top, ZERO)
        one = self.absolute(self.multiply(whole.top, part.bottom))
        other = self.absolute(self.multiply(part.top, whole.bottom))
        other = self.select(self.relation("==", other, ZERO), ONE, other)
        # One operand of 128 bits is divided step by step: no library of the machine is asked for it.
        if max(one.width, other.width) == NARROW:
            rest = self.builder.urem(*self._same(one, other))
        else:
            rest = self._remainder(self.code(one, WIDE), self.code(other, WIDE))
        return self.builder.icmp_signed("==", rest, self._ir.Constant(rest.type, 0)), zero

    def _remainder(self, top: Any, bottom: Any) -> Any:
        """The remainder of 128 bits, by long division: both are zero or more, the divisor is above zero."""
        ir, module = self._ir, self.builder.module
        wide = ir.IntType(WIDE)
        name = "remainder128"
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(wide, [wide, wide]), name)
            function.linkage = "internal"
            _long_division(ir, function)
        return self.builder.call(function, [top, bottom])


def _long_division(ir: Any, function: Any) -> None:
    """The body of `remainder128`: bring down one bit at a time, and take the divisor off where it fits."""
    wide = ir.IntType(WIDE)
    entry, body, done = (function.append_basic_block(name) for name in ("entry", "body", "done"))
    builder = ir.IRBuilder(entry)
    builder.branch(body)
    builder.position_at_end(body)
    place, rest = builder.phi(wide), builder.phi(wide)
    top, bottom = function.args
    bit = builder.and_(builder.lshr(top, place), wide(1))
    brought = builder.or_(builder.shl(rest, wide(1)), bit)
    left = builder.select(builder.icmp_unsigned(">=", brought, bottom), builder.sub(brought, bottom), brought)
    place.add_incoming(wide(WIDE - 1), entry)
    rest.add_incoming(wide(0), entry)
    place.add_incoming(builder.sub(place, wide(1)), body)
    rest.add_incoming(left, body)
    builder.cbranch(builder.icmp_unsigned("==", place, wide(0)), done, body)
    builder.position_at_end(done)
    builder.ret(left)
