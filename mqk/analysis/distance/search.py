"""The search for the nearest value of one quantity with which a rule passes, on the real guards and nothing else.

What lives here: from a moment to the flips of each rule that decides. Both sides of every boundary told were judged by
a compiled guard. What does not: how a quantity moves (steps.py).

A search goes outward in doubling steps and then halves what is left between, which finds the nearest flip wherever a
rule changes its mind once, as limits do. Sizes of orders are judged one by one as far as that is quick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from typing import Any, Final, TypeVar

from mqk.analysis.distance.found import Distance, Flip, RuleDistance
from mqk.analysis.distance.never import no_size_passes
from mqk.analysis.distance.steps import Line, fact_line, limit_line
from mqk.analysis.names import rests_on, texts_of, with_rules
from mqk.analysis.rules import rules_at
from mqk.dsl import FactRef, syntax
from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.guards import Decision, Guard, GuardSet, Moment, Point, compile_bundle
from mqk.guards.catalogue import facts_at
from mqk.guards.guard import observed
from mqk.guards.lookup import ViewLookup
from mqk.policy import Bundle, LimitValue, PolicyError, RuleSource
from mqk.quantity import format_money

_SIZE: Final = "order.qty"
_PRICES: Final = ("order.limit_price", "order.stop_price", "order.worst_price")
# How many sizes of an order are judged one by one: at some microseconds each, well below a second.
_EACH: Final = 20_000

Passes = Callable[[int], bool]
V = TypeVar("V")


def distance(bundle: Bundle, guards: GuardSet, decision: Decision, moment: Moment) -> Distance:
    """What would make the rules that decide pass, at the moment of a decision, and what size of order all of them."""
    search = _Search(bundle, guards, decision.point, moment)
    rules = [each for each in decision.deciding if each in search.sources]
    found = tuple(search.rule(name) for name in rules)
    if decision.point is not Point.ORDER or not rules:
        return Distance(found)
    size, then, searched = search.size(rules)
    return Distance(found, sized=True, size=size, then=then, searched=searched)


class _Search:
    """One moment, and the rules that are asked about it with something changed."""

    def __init__(self, bundle: Bundle, guards: GuardSet, point: Point, moment: Moment) -> None:
        self._bundle, self._point, self._moment = bundle, point, moment
        self._guard = guards.guards[point]
        self.sources: Mapping[str, RuleSource] = {rule.id: rule for rule in bundle.rules if rule.at == point.value}
        self._alone: dict[str, Guard] = {}
        self._judged = {rule.id: rule for rule in rules_at(bundle, point)}

    # -- one rule ------------------------------------------------------------------------------------------------------

    def rule(self, name: str) -> RuleDistance:
        """What makes one rule pass: another size, another price, or another limit, each with all else as it was."""
        flips: list[Flip] = []
        none: list[str] = []
        guard = self._of_rules((name,))
        for line in self._facts(guard):
            # A size is looked for below before it is looked for above: the other things only where they flip it.
            made = self._sizes(line, guard)[0] if line.name == _SIZE else self._either(line, self._by_fact(line, guard))
            flips += [made] if made is not None else []
            none += [line.name] if made is None else []
        for name_ in self._limits_of(name):
            limit = self._bundle.limits[name_]
            moved = limit_line(limit)
            if moved is not None:
                made = self._either(moved, self._by_limit(name_, moved, name))
            else:
                made = self._switched(name_, name)
            flips += [made] if made is not None else []
            none += [f"limits.{name_}"] if made is None else []
        never = _SIZE in none and no_size_passes(
            self._judged[name], ViewLookup(self._moment.views, self._moment.problems), _SIZE
        )
        return RuleDistance(name, tuple(flips), tuple(none), never)

    def _facts(self, guard: Guard) -> Iterator[Line[syntax.Value]]:
        """What of the moment may be moved: of an order its size and its prices, elsewhere whatever is read."""
        known = facts_at(self._point)
        nodes = [node for rule in guard.rules for expr in rule.expressions for node in observed(expr)]
        read = {node.path for node in nodes if isinstance(node, syntax.Name)}
        names = [_SIZE, *(each for each in _PRICES if each in read)] if self._point is Point.ORDER else sorted(read)
        for name in names:
            entry = known.get(name)
            value = self._held(name)
            if entry is None or not isinstance(entry.ref, FactRef) or value is MISSING or name in self._moment.problems:
                continue
            line = fact_line(name, entry.type, value, 1 if name == _SIZE else entry.minimum)
            if line is not None:
                yield line

    def _limits_of(self, name: str) -> list[str]:
        read = rests_on(self._bundle, texts_of(self.sources[name]))
        return [limit for limit in self._bundle.limits if f"limits.{limit}" in read]

    # -- one quantity --------------------------------------------------------------------------------------------------

    def _either(self, line: Line[V], passes: Passes) -> Flip | None:
        """The nearest flip on either side of where a quantity stands."""
        found = [each for rises in (False, True) if (each := _nearest(line, passes, rises=rises)) is not None]
        near = min(found, key=lambda edge: abs(edge[0] - line.steps), default=None)
        return None if near is None else _flip(line, *near)

    def _sizes(self, line: Line[syntax.Value], guard: Guard) -> tuple[Flip | None, int]:
        """The nearest size with which a guard passes, and up to which size each was judged: smaller ones come first."""
        passes = self._by_fact(line, guard)
        now = int(line.steps)
        below = next((size for size in range(now - 1, 0, -1) if passes(size)), None) if now <= _EACH else None
        if now > _EACH:
            edge = _nearest(line, passes, rises=False)
            below = None if edge is None else edge[0]
        if below is not None:
            return self._sized(line, below, below + 1), 0
        edge = _nearest(line, passes, rises=True)
        judged = now if now <= _EACH else 0
        return (None if edge is None else self._sized(line, *edge)), judged

    def _sized(self, line: Line[syntax.Value], passes: int, fails: int) -> Flip:
        flip, price = _flip(line, passes, fails), self._held("order.worst_price")
        return replace(flip, worth=format_money(passes * price)) if isinstance(price, int) else flip

    def _switched(self, limit: str, rule: str) -> Flip | None:
        """A limit that is yes or no, the other way round; a set with the symbol of the moment in it, or without."""
        held = self._bundle.limits[limit]
        symbol = self._held(f"{self._point.value}.symbol")
        match held.value:
            case bool():
                changed: LimitValue = not held.value
                now, then = (str(each).lower() for each in (held.value, changed))
            case tuple() if isinstance(symbol, str):
                inside = symbol in held.value
                changed = tuple(each for each in held.value if each != symbol) if inside else (*held.value, symbol)
                now, then = (f"{'with' if each else 'without'} {symbol}" for each in (inside, not inside))
            case _:
                return None
        if not self._passes_with(limit, changed, rule):
            return None
        return Flip(f"limits.{limit}", now, then, now, rises=not isinstance(held.value, bool))

    # -- the whole decision --------------------------------------------------------------------------------------------

    def size(self, rules: list[str]) -> tuple[Flip | None, str | None, int]:
        """The nearest size with which rules pass together, what the whole guard says to it, and how far was looked."""
        line = next((each for each in self._facts(self._of_rules(tuple(rules))) if each.name == _SIZE), None)
        if line is None:
            return None, None, 0
        found, judged = self._sizes(line, self._of_rules(tuple(rules)))
        if found is None:
            return None, None, judged
        views = self._with(_SIZE, int(found.passes))
        return found, self._guard.decide(views, self._moment.problems).outcome, judged

    # -- judging -------------------------------------------------------------------------------------------------------

    def _of_rules(self, names: tuple[str, ...]) -> Guard:
        """The compiled guard of some of the rules."""
        key = " ".join(names)
        if key not in self._alone:
            self._alone[key] = compile_bundle(with_rules(self._bundle, names)).guards[self._point]
        return self._alone[key]

    def _passes(self, guard: Guard, views: Mapping[str, Any]) -> bool:
        if self._moment.problems:
            # Only the interpreter knows of facts that cannot be read.
            return not guard.decide(views, self._moment.problems).findings
        return not guard.judge(*(views[name] for name in guard.parameters))

    def _by_fact(self, line: Line[syntax.Value], guard: Guard) -> Passes:
        return lambda steps: self._passes(guard, self._with(line.name, line.value(steps)))

    def _by_limit(self, limit: str, line: Line[LimitValue], rule: str) -> Passes:
        return lambda steps: self._passes_with(limit, line.value(steps), rule)

    def _passes_with(self, limit: str, value: LimitValue, rule: str) -> bool:
        """Whether a rule passes with another limit; one with which the policies do not compile is none."""
        held = self._bundle.limits[limit]
        changed = replace(self._bundle, limits={**self._bundle.limits, limit: replace(held, value=value)})
        try:
            guard = compile_bundle(with_rules(changed, (rule,))).guards[self._point]
        except PolicyError:
            return False
        return self._passes(guard, self._moment.views)

    def _held(self, name: str) -> Any:
        view, _, attribute = ("windows", "", window_attribute(name)) if "(" in name else name.partition(".")
        return getattr(self._moment.views.get(view), attribute, MISSING)

    def _with(self, name: str, value: object) -> dict[str, Any]:
        """The views of the moment with one fact changed."""
        views: dict[str, Any] = dict(self._moment.views)
        view, _, attribute = ("windows", "", window_attribute(name)) if "(" in name else name.partition(".")
        views[view] = copy(views[view])
        setattr(views[view], attribute, value)
        return views


def _nearest(line: Line[V], passes: Passes, *, rises: bool) -> tuple[int, int] | None:
    """The step with which something passes, and the one before it, which does not; None when none is found."""
    way = 1 if rises else -1
    # The first whole step beyond where the quantity stands.
    near = floor(line.steps) if rises else ceil(line.steps)
    reach = 1
    while True:
        far = min(near + reach, line.most) if rises else max(near - reach, line.least)
        if (far - near) * way <= 0:
            return None
        if passes(far):
            break
        near, reach = far, reach * 2
    while abs(far - near) > 1:
        middle = (near + far) // 2
        if passes(middle):
            far = middle
        else:
            near = middle
    return far, near


def _flip(line: Line[V], passes: int, fails: int) -> Flip:
    rises = passes > fails
    # Where the quantity stands between two steps, the nearer side of the boundary is the value itself.
    before = line.now if (fails - line.steps) * (1 if rises else -1) < 0 else line.value(fails)
    return Flip(
        line.name,
        line.written(line.now),
        line.written(line.value(passes)),
        line.written(before),
        rises,
        line.apart(Fraction(passes) - line.steps),
    )
