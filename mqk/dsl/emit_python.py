"""Checked rules to one Python function over plain integers: the fast twin of the reference interpreter.

What lives here: code generation for one guard point. The function judges all rules and returns a bit per rule that did
not pass, so 0 means that everything passed. Ratios stay exact: a value is a pair (numerator, denominator) in the
generated code and comparisons multiply across, so nothing is ever divided or rounded.

Rules about certain symbols cost nothing for all others: each set of symbols has a function of its own, found by the
symbol of the moment.

What does not: what happens when a fact is missing. The generated code just raises, and calls `_explain`, which asks the
interpreter. Facts that must be there are attributes that are not set when they are missing, so that reading them all
at the top makes every missing fact visible, whatever `and` and `or` would have skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mqk.dsl import syntax
from mqk.dsl.emit_scopes import attribute
from mqk.dsl.emit_values import Emitter
from mqk.dsl.missing import MISSING, MissingFact

Judge = Callable[..., int]

# What generated code raises where a fact is missing or cannot be used.
FAULTS: Final = (AttributeError, MissingFact, ZeroDivisionError, TypeError)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule to compile: it passes when `unless` is true, when `when` is false, or when `require` is true.

    `gated` rules are judged only where the gate of the point is false; rules with `symbols` only for those symbols.
    What is not judged is neither a breach nor an error.
    """

    require: syntax.Expr
    when: syntax.Expr | None = None
    gated: bool = False
    unless: syntax.Expr | None = None
    symbols: frozenset[str] | None = None

    @property
    def parts(self) -> list[syntax.Expr]:
        """Its expressions, in the order in which they are judged."""
        return [each for each in (self.unless, self.when, self.require) if each is not None]


@dataclass(frozen=True, slots=True)
class Emitted:
    """Generated source, and the function it defines. Rule number i owns bit i of the result."""

    source: str
    judge: Judge


def emit_point(
    rules: Sequence[Rule],
    parameters: Sequence[str],
    gate: syntax.Expr | None,
    explain: Callable[..., int],
    index: str | None = None,
) -> Emitted:
    """Compile the rules of one guard point.

    `parameters` are the views the function takes, in order; a fact `order.qty` is read as `order.qty`, a window as an
    attribute of `windows`. `explain` takes the same views and returns the bits when a fact could not be used. `index`
    is the fact that holds the symbol of the moment, where there is one; without it `symbols` of rules mean nothing.
    """
    signature = ", ".join(parameters)
    general = [(i, rule) for i, rule in enumerate(rules) if index is None or rule.symbols is None]
    special: dict[frozenset[str], list[tuple[int, Rule]]] = {}
    for i, rule in enumerate(rules):
        if index is not None and rule.symbols is not None:
            special.setdefault(rule.symbols, []).append((i, rule))
    sources: list[str] = []
    parts: dict[str, list[str]] = {}
    for number, (symbols, theirs) in enumerate(special.items()):
        name = f"part{number}"
        body = emit_body(theirs, gate, 1)
        sources += [f"def {name}({signature}):", "    mask = 0", *body, "    return mask"]
        for symbol in symbols:
            parts.setdefault(symbol, []).append(name)
    dispatch = []
    if special:
        rows = (f"    {symbol!r}: ({', '.join(names)},)," for symbol, names in sorted(parts.items()))
        sources += ["PARTS = {", *rows, "}"]
        dispatch = [
            f"        for part in PARTS.get({attribute(index or '')}, ()):",
            f"            mask |= part({signature})",
        ]
    source = "\n".join(
        [
            *sources,
            f"def judge({signature}):",
            "    try:",
            "        mask = 0",
            *emit_body(general, gate, 2),
            *dispatch,
            "        return mask",
            "    except FAULTS:",
            f"        return explain({signature})",
            "",
        ]
    )
    namespace: dict[str, object] = {
        "MISSING": MISSING,
        "MissingFact": MissingFact,
        "FAULTS": FAULTS,
        "explain": explain,
    }
    exec(compile(source, "<guard>", "exec"), namespace)  # noqa: S102 - generated from a checked tree, never from text
    judge = namespace["judge"]
    assert callable(judge)
    return Emitted(source, judge)


def emit_body(
    rules: Sequence[tuple[int, Rule]], gate: syntax.Expr | None, indent: int, facts: Mapping[str, str] | None = None
) -> list[str]:
    """The statements that judge some rules of a point. `facts` says where facts are read that are in no view."""
    roots = [part for _, rule in rules for part in rule.parts]
    emitter = _Rules([*roots, *([gate] if gate else [])], facts or {})
    outer = emitter.open_section(indent)
    for i, rule in rules:
        if not rule.gated:
            emitter.rule(i, rule)
    gated = [(i, rule) for i, rule in rules if rule.gated]
    if gate is None or not gated:
        for i, rule in gated:
            emitter.rule(i, rule)
        return outer.all_lines
    condition = emitter.boolean(gate)
    inner = emitter.open_section(indent + 1)
    for i, rule in gated:
        emitter.rule(i, rule)
    return [*outer.all_lines, "    " * indent + f"if not {condition}:", *inner.all_lines]


class _Rules(Emitter):
    """Writes the statements of whole rules."""

    def rule(self, number: int, rule: Rule) -> None:
        """The statements that set the rule's bit when it does not pass."""
        # A large number would be written out, in thousands of digits.
        bit = str(1 << number) if number < 64 else f"1 << {number}"
        if rule.unless is not None:
            condition = self.boolean(rule.unless)
            scope, _ = self._inside(lambda: self._judged(rule, bit))
            self._line(f"if not {condition}:")
            self._splice(scope.all_lines)
        else:
            self._judged(rule, bit)

    def _judged(self, rule: Rule, bit: str) -> None:
        if rule.when is None:
            self._line(f"if not {self.boolean(rule.require)}: mask |= {bit}")
            return
        # Facts are read at the top of the section even when `when` is false: the interpreter then sorts it out.
        condition = self.boolean(rule.when)
        scope, require = self._inside(lambda: self.boolean(rule.require))
        self._line(f"if {condition}:")
        self._splice(scope.all_lines)
        self._line(f"    if not {require}: mask |= {bit}")
