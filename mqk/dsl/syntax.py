"""The one syntax tree of policy expressions: what the parser makes, the checker annotates and every backend reads.

Nodes are immutable. `start` and `end` are 0-based offsets into the source text; `type` and `ref` are None until the
checker returns an annotated copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from mqk.dsl.environment import CollectionRef, Ref
    from mqk.dsl.types import Type

# A value as backends hold it: micros for money, prices, durations, instants and times of day; days for dates.
Value = bool | int | Fraction | str | frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expr:
    """Any expression; `type` is set by the checker."""

    start: int = field(compare=False)
    end: int = field(compare=False)
    type: Type | None = field(default=None, compare=False)

    # The fields that hold expressions, or tuples of them, in source order.
    BELOW: ClassVar[tuple[str, ...]] = ()

    def children(self) -> Iterator[Expr]:
        """The expressions directly below this one, in source order."""
        for name in self.BELOW:
            value = getattr(self, name)
            if isinstance(value, tuple):
                yield from value
            elif value is not None:
                yield value


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Expr):
    """A value written out; `kind` names its form (`ratio`, `money`, ...), `text` is as written, `value` as held."""

    kind: str
    text: str
    value: Value | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Expr):
    """A lower-case name: a fact, a limit, a definition or a field of an element; `ref` says which, once checked."""

    path: str
    ref: Ref | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol(Expr):
    """An upper-case word: a member of an enumeration or a ticker symbol, decided by what it is compared with."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOf(Expr):
    """A set written out, `[SPY, QQQ]`."""

    items: tuple[Expr, ...]

    BELOW: ClassVar[tuple[str, ...]] = ("items",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate(Expr):
    """`-a`."""

    operand: Expr

    BELOW: ClassVar[tuple[str, ...]] = ("operand",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Expr):
    """`not a`."""

    operand: Expr

    BELOW: ClassVar[tuple[str, ...]] = ("operand",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Expr):
    """`a + b`, `a - b`, `a * b`, `a / b`, and `ratio of a`; `op` is `+ - * /` or `of`."""

    op: str
    left: Expr
    right: Expr

    BELOW: ClassVar[tuple[str, ...]] = ("left", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare(Expr):
    """A chain of comparisons, `a < b <= c`: true when every neighbouring pair holds."""

    operands: tuple[Expr, ...]
    ops: tuple[str, ...]

    BELOW: ClassVar[tuple[str, ...]] = ("operands",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Expr):
    """`item in container`, or its negation."""

    item: Expr
    container: Expr
    negated: bool

    BELOW: ClassVar[tuple[str, ...]] = ("item", "container")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connective(Expr):
    """`a and b and ...` or `a or b or ...`; `op` is `and` or `or`."""

    op: str
    operands: tuple[Expr, ...]

    BELOW: ClassVar[tuple[str, ...]] = ("operands",)


@dataclass(frozen=True, slots=True, kw_only=True)
class If(Expr):
    """`if condition then a else b`: only the chosen branch is evaluated."""

    condition: Expr
    then: Expr
    otherwise: Expr

    BELOW: ClassVar[tuple[str, ...]] = ("condition", "then", "otherwise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Expr):
    """`abs(a)`, `min(a, b, ...)`, `max(a, b, ...)`, `multiple_of(a, b)`."""

    function: str
    arguments: tuple[Expr, ...]

    BELOW: ClassVar[tuple[str, ...]] = ("arguments",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present(Expr):
    """`present(fact)`: whether a fact that may be missing is there. Never an error."""

    fact: Name

    BELOW: ClassVar[tuple[str, ...]] = ("fact",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window(Expr):
    """`count(stream within span)`: how many events lie in the window that ends now; `total(...)`: what they add up to.

    `function` is `count` or `total`; `slot` is the name of the input that carries the answer, set by the checker.
    """

    function: str = "count"
    stream: str
    duration: Expr
    slot: str | None = None

    BELOW: ClassVar[tuple[str, ...]] = ("duration",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantified(Expr):
    """What is said of the elements of a bounded collection, each called `variable` in turn.

    `kind` is `some` or `every` (`... satisfies body`), `sum` (`sum of body for ...`) or `count` (without a body). Only
    elements for which `where` holds are meant; None means all of them.
    """

    kind: str
    variable: str
    collection: str
    where: Expr | None = None
    body: Expr | None = None
    ref: CollectionRef | None = field(default=None, compare=False)

    BELOW: ClassVar[tuple[str, ...]] = ("where", "body")


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and everything below it, outermost first."""
    # Without recursion: a decision table is a chain as long as it has rows.
    pending = [expr]
    while pending:
        node = pending.pop()
        yield node
        pending += reversed(list(node.children()))


def free_variables(expr: Expr) -> frozenset[str]:
    """The elements, by the first part of dotted names, that an expression speaks of and does not name itself."""
    if isinstance(expr, Name):
        return frozenset({expr.path.partition(".")[0]})
    below = frozenset(name for child in expr.children() for name in free_variables(child))
    return below - {expr.variable} if isinstance(expr, Quantified) else below
