"""An effective bundle to guards: every expression parsed, checked and compiled, or every reason why not.

What lives here: the way from policy to guards, and what is refused on it (unknown facts, limits nobody reads).
What does not: the guards themselves (guard.py, machine.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from mqk.dsl import DslError, check_expression, parse_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.reading import MAX_COST, cost, opened
from mqk.dsl.windows import window_length
from mqk.guards.catalogue import facts_at
from mqk.guards.environment import PolicyEnvironment
from mqk.guards.expiry import ended, while_it_holds
from mqk.guards.guard import Guard, GuardRule, Waiver, WindowSpec, limits_read
from mqk.guards.index import INDEXED, symbols_of
from mqk.guards.machine import Machine, compile_machine, unknown_placeholders
from mqk.guards.names import Names
from mqk.guards.order_life import OrderMoves, compile_moves, strangers
from mqk.guards.points import Enforcement, Point
from mqk.guards.supply import unsupplied
from mqk.policy import (
    Bundle,
    Diagnostic,
    Layer,
    LetSource,
    PolicyError,
    RuleSource,
    Span,
    TableSource,
    Text,
    error,
    expression_fault,
)
from mqk.policy.order_life import ORDER_MACHINE

# Orders that only reduce are judged by rules that say so, and by no others: exits are free.
_GATES: Mapping[Point, str] = {Point.ORDER: "order.reduces"}
EVERYWHERE = syntax.Literal(start=0, end=0, kind="bool", text="true", value=True, type=t.BOOL)
"""The scope of a waiver that names none."""


@dataclass(frozen=True, slots=True)
class GuardSet:
    """The compiled guards of one engine, the lifecycles it moves through and the windows it must count."""

    bundle: Bundle
    guards: Mapping[Point, Guard]
    machines: Mapping[str, Machine]
    windows: tuple[WindowSpec, ...]
    order_moves: OrderMoves | None = None

    @property
    def order(self) -> Guard:
        """The guard of orders."""
        return self.guards[Point.ORDER]

    @property
    def account(self) -> Guard:
        """The guard of the account."""
        return self.guards[Point.ACCOUNT]

    @property
    def bar(self) -> Guard:
        """The guard of arriving bars."""
        return self.guards[Point.BAR]

    @property
    def feed(self) -> Guard:
        """The guard of feeds, judged by the clock."""
        return self.guards[Point.FEED]

    @property
    def difference(self) -> Guard:
        """The guard of differences between our book and the broker's."""
        return self.guards[Point.DIFFERENCE]

    @property
    def candidate(self) -> Guard:
        """The guard of backtests that ask to be promoted."""
        return self.guards[Point.CANDIDATE]


def compile_bundle(bundle: Bundle) -> GuardSet:
    """Compile all guards of an effective bundle. Raises PolicyError with every diagnostic of every rule."""
    compiler = _Compiler(bundle)
    guards = {point: compiler.guard(point) for point in Point}
    machines = {
        name: compile_machine(
            source,
            bundle,
            PolicyEnvironment.of(bundle, Point.TRANSITION, compiler.names),
            guards[Point.TRANSITION],
            compiler.expression,
        )
        for name, source in bundle.lifecycles.items()
    }
    for source in bundle.lifecycles.values():
        compiler.diagnostics += [
            error("MQK-1405", f"nothing fills in `{{{word}}}` in a confirmation", span, help_)
            for word, span, help_ in unknown_placeholders(source, bundle)
        ]
    compiler.transitions(machines.values())
    orders = machines.get(ORDER_MACHINE)
    if orders is not None:
        compiler.diagnostics += strangers(orders)
    compiler.refuse_unread(machines.values())
    if compiler.diagnostics:
        raise PolicyError(compiler.diagnostics)
    windows = tuple(sorted(compiler.windows.values(), key=lambda spec: spec.slot))
    return GuardSet(bundle, guards, machines, windows, None if orders is None else compile_moves(orders))


def compile_guard(bundle: Bundle, point: Point) -> Guard:
    """The guard of one point alone, for judging a bundle that nobody runs: what it does not read is no fault of it.

    Raises PolicyError with every diagnostic of its rules.
    """
    compiler = _Compiler(bundle)
    guard = compiler.guard(point)
    if compiler.diagnostics:
        raise PolicyError(compiler.diagnostics)
    return guard


class _Compiler:
    """Collects the diagnostics of a whole bundle."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._read: set[str] = set()
        self._own_read: set[str] = set()
        self.names = Names.of(bundle)
        self.diagnostics: list[Diagnostic] = self.names.diagnostics
        self.windows: dict[str, WindowSpec] = {}

    def guard(self, point: Point) -> Guard:
        """The guard of one point; rules that do not compile are reported and left out."""
        environment = PolicyEnvironment.of(self._bundle, point, self.names)
        sources = [rule for rule in self._bundle.rules if rule.at == point.value]
        rules = [rule for source in sources if (rule := self._rule(source, point, environment)) is not None]
        rules += [replace(rule, cost=cost(rule.require)) for rule in ended(self._bundle, point, environment)]
        self.diagnostics += self.names.judged_tables(point, environment)
        limits: dict[str, Layer] = {name: limit.chain[-1] for name, limit in self._bundle.limits.items()}
        return Guard(point, self._bundle.engine, self._bundle.sha256, rules, self._gate(point, environment), limits)

    def _gate(self, point: Point, environment: PolicyEnvironment) -> syntax.Expr | None:
        if point not in _GATES:
            return None
        return check_expression(parse_expression(_GATES[point]), environment).expr

    def _rule(self, source: RuleSource, point: Point, environment: PolicyEnvironment) -> GuardRule | None:
        require = self.expression(source.require, environment)
        when = self.expression(source.when, environment) if source.when is not None else None
        waivers = [
            Waiver(each.id, while_it_holds(each, scope, point, environment))
            for each in source.waivers
            if (scope := EVERYWHERE if each.scope is None else self.expression(each.scope, environment)) is not None
        ]
        if require is None or (source.when is not None and when is None) or len(waivers) < len(source.waivers):
            return None
        rule = GuardRule(
            id=source.id,
            title=source.title,
            require=require,
            when=when,
            outcome=source.otherwise,
            enforcement=Enforcement(source.enforce),
            gated=point in _GATES and not source.exits_included,
            confirm=source.confirm,
            latch=source.latch,
            span=source.span,
            document=source.document,
            symbols=symbols_of(when, INDEXED[point]) if point in INDEXED else None,
            waivers=tuple(waivers),
        )
        self._refuse_unsupplied(when, rule.expressions, point, source.require.span)
        return replace(rule, cost=sum(cost(each) for each in rule.expressions))

    def _refuse_unsupplied(
        self, when: syntax.Expr | None, parts: Sequence[syntax.Expr], point: Point, span: Span
    ) -> None:
        if point is Point.DIFFERENCE:
            return  # where nobody finds differences, nothing is judged there
        for name in unsupplied(when, parts, point, self._bundle.mode):
            modes = " and ".join(facts_at(point)[name].modes)
            message = f"nobody supplies `{name}` in {self._bundle.mode}: it is known in {modes}"
            help_ = f"ask for it with `present({name})`, or write `when: run.mode == ...`"
            self.diagnostics.append(error("MQK-1407", message, span, help_))

    def transitions(self, machines: Iterable[Machine]) -> None:
        """What is asked of the conditions of moves once they are compiled."""
        point = Point.TRANSITION
        self.diagnostics += self.names.judged_tables(point, PolicyEnvironment.of(self._bundle, point, self.names))
        for machine in machines:
            for move in machine.transitions:
                parts = [part for part in (move.when, move.require) if part is not None]
                self._refuse_unsupplied(move.when, parts, point, move.span)

    def expression(self, text: Text, environment: PolicyEnvironment) -> syntax.Expr | None:
        """The checked condition written in a policy; None when it was reported."""
        try:
            parsed = parse_expression(text.text)
        except DslError as fault:
            self.diagnostics.append(expression_fault(fault, text))
            return None
        checked = check_expression(parsed, environment, t.BOOL)
        self.diagnostics += [expression_fault(each, text) for each in checked.errors]
        if checked.errors:
            # What a broken rule meant to read counts as read: one mistake, one diagnostic.
            self._own_read |= set(_names(parsed))
            self._read |= {name.split(".")[1] for name in _names(parsed) if name.startswith("limits.")}
            return None
        self._read |= limits_read(checked.expr)
        self._own_read |= {node.path for node in opened(checked.expr) if isinstance(node, syntax.Name)}
        if any(isinstance(node, syntax.Name) and node.ref is None for node in syntax.walk(checked.expr)):
            return None  # a name whose definition was reported
        if cost(checked.expr) > MAX_COST:
            help_ = "say it of fewer elements, or split it into several rules"
            message = f"this needs {cost(checked.expr):_} steps at worst, more than {MAX_COST:_}"
            self.diagnostics.append(error("MQK-1307", message, text.span, help_))
            return None
        for node in opened(checked.expr):
            if isinstance(node, syntax.Window) and node.slot is not None:
                length = window_length(node.duration)
                assert length is not None
                amount, unit = length
                timed = unit == "us"
                self.windows[node.slot] = WindowSpec(
                    slot=node.slot,
                    stream=node.stream,
                    micros=amount if timed else None,
                    sessions=None if timed else amount,
                    unit=unit,
                    total=node.function == "total",
                )
        return checked.expr

    def refuse_unread(self, machines: Iterable[Machine]) -> None:
        """A limit or a name that nothing reads protects nobody, and is most often a misspelt one."""
        self._refuse_unread_names()
        read = self._read | {name for machine in machines for name in machine.limits_read}
        for name, limit in self._bundle.limits.items():
            if name in read:
                continue
            close = get_close_matches(name, sorted(read), n=1, cutoff=0.6)
            help_ = f"did you mean `{close[0]}`?" if close else "write a rule that reads it, or remove it"
            message = f"no rule of `{self._bundle.engine}` reads the limit `{name}`"
            self.diagnostics.append(error("MQK-1401", message, limit.span, help_))

    def _refuse_unread_names(self) -> None:
        # Whatever a name stands for was opened, so that a name read by read names is read.
        read = self._own_read | self.names.reported
        sources: dict[str, LetSource | TableSource] = {
            **self._bundle.lets,
            **{f"tables.{name}": table for name, table in self._bundle.tables.items()},
        }
        for name, source in sources.items():
            if name in read or any(each.startswith(f"{name}.") for each in read):
                continue
            close = get_close_matches(name, sorted(read), n=1, cutoff=0.7)
            help_ = f"did you mean `{close[0]}`?" if close else "use it in a rule, or remove it"
            what = "table" if name.startswith("tables.") else "name"
            message = f"no rule of `{self._bundle.engine}` uses the {what} `{name.removeprefix('tables.')}`"
            self.diagnostics.append(error("MQK-1406", message, source.span, help_))


def _names(expr: syntax.Expr) -> set[str]:
    return {node.path for node in syntax.walk(expr) if isinstance(node, syntax.Name)}
