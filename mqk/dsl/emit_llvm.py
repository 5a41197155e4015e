"""Checked rules to native code over a flat buffer of facts: the same answers as the reference interpreter, or none.

What lives here: the function of one guard point. It writes two words of bits for every 64 rules, those that are broken
and those that are errors, and returns whether all rules passed, some did not, or the moment is not decided here because
a number left 128 bits. What does not: compiling (native.py), what facts are worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mqk.dsl import syntax
from mqk.dsl.emit_llvm_layout import Layout
from mqk.dsl.emit_llvm_reads import Said
from mqk.dsl.emit_llvm_values import Values
from mqk.dsl.emit_python import Rule
from mqk.dsl.environment import FactRef
from mqk.dsl.types import SYMBOL

# What the function returns.
PASSES: Final = 0
FAILS: Final = 1
UNDECIDED: Final = 2
# Rules to a word of the answer.
WORD: Final = 64


def words_of(rules: int) -> int:
    """How many words the answer takes: a broken and an errors word for every 64 rules, at least one pair."""
    return 2 * max(-(-rules // WORD), 1)


def emit_native(
    module: Any, name: str, rules: Sequence[Rule], gate: syntax.Expr | None, layout: Layout, index: str | None = None
) -> Any:
    """Add the function `name(facts, answer) -> i64` that judges these rules to a module; returns it.

    `facts` is a buffer of `layout`, to which the places that the rules need are added; `answer` has room for
    `words_of(len(rules))` words, broken and errors by turns. `gate` and `index` are as in `emit_point`.
    """
    from llvmlite import ir  # noqa: PLC0415 - only who compiles pays for it

    number = ir.IntType(64)
    function = ir.Function(module, ir.FunctionType(number, [number.as_pointer(), number.as_pointer()]), name)
    facts, answer = function.args
    for each in function.args:
        each.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    undecided = builder.alloca(ir.IntType(1))
    builder.store(ir.Constant(ir.IntType(1), 0), undecided)
    point = _Point(Values(builder, layout, facts, undecided), gate, index)
    broken = [ir.Constant(number, 0)] * (words_of(len(rules)) // 2)
    errors = list(broken)
    for i, rule in enumerate(rules):
        fails, error = point.judged(rule)
        word, bit = i // WORD, ir.Constant(number, i % WORD)
        broken[word] = builder.or_(broken[word], builder.shl(builder.zext(fails, number), bit))
        if error is not None:
            errors[word] = builder.or_(errors[word], builder.shl(builder.zext(error, number), bit))
    found = ir.Constant(number, 0)
    for i, word in enumerate(each for pair in zip(broken, errors, strict=True) for each in pair):
        builder.store(word, builder.gep(answer, [ir.Constant(number, i)]))
        found = builder.or_(found, word)
    failing = builder.zext(builder.icmp_signed("!=", found, ir.Constant(number, 0)), number)
    builder.ret(builder.select(builder.load(undecided), ir.Constant(number, UNDECIDED), failing))
    return function


class _Point:
    """Writes rules as a guard point judges them."""

    def __init__(self, values: Values, gate: syntax.Expr | None, index: str | None) -> None:
        self._values = values
        self._builder = values.builder
        self._index = index
        self._layout = values.layout
        self._gate = None if gate is None else values.boolean(gate)

    def judged(self, rule: Rule) -> tuple[Any, Any]:
        """Whether a rule is broken, and whether it is an error (None: never): in the interpreter's order of things."""
        values, builder = self._values, self._builder
        said: Said[Any] = values.boolean(rule.require)
        broken, error = builder.not_(said.value), said.error
        if rule.when is not None:
            when = values.boolean(rule.when)
            broken, error = builder.and_(broken, when.value), values.either(when.error, values.where(when.value, error))
        if rule.unless is not None:
            broken, error = self._unless(values.boolean(rule.unless), broken, error)
        if rule.gated and self._gate is not None:
            broken, error = self._unless(self._gate, broken, error)
        if rule.symbols is not None and self._index is not None:
            symbol = values.word(syntax.Name(start=0, end=0, path=self._index, ref=FactRef(self._index, SYMBOL)))
            members = [values.constant(self._layout.word(each)) for each in sorted(rule.symbols)]
            meant = values.one_of(symbol.value, members)
            broken = builder.and_(broken, meant)
            error = values.either(symbol.error, values.where(meant, error))
        if error is not None:
            broken = builder.and_(broken, builder.not_(error))
        return broken, error

    def _unless(self, said: Said[Any], broken: Any, error: Any) -> tuple[Any, Any]:
        judged = self._builder.not_(said.value)
        return (
            self._builder.and_(broken, judged),
            self._values.either(said.error, self._values.where(judged, error)),
        )
