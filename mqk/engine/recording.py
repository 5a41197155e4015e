"""Every decision about an order, and every other one that is news, kept with the whole moment it was made in.

What lives here: when something is kept, and under which name. What does not: columns and files (mqk.guards.record).
Recording decides nothing: an engine that records does what it would do without.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mqk.dsl.windows import window_attribute
from mqk.engine.figures import FIGURES, bar_age, market, order, position
from mqk.guards.guard import bits
from mqk.guards.points import ALLOW, Point, Result, most_severe
from mqk.guards.record import order_head, other_head, plan
from mqk.guards.record_columns import order_batch
from mqk.guards.record_table import RecordTable
from mqk.guards.whole import written_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mqk.engine.figures import Figure
    from mqk.engine.state import EngineState
    from mqk.guards import Decision, Guard, GuardSet
    from mqk.guards.record import Shot
    from mqk.guards.record_columns import Moments
    from mqk.guards.views import Windows

# What a mask comes to, by column: its place among what `_outcome` says.
_OUTCOME: Final = ("engine", "bundle", "outcome", "deciding")
# What is said where no rule says it: nothing is ordered at a price that nobody knows.
NO_MARKET: Final = ("market",)
_ORDER_ALONE: Final = frozenset({order, position, market, bar_age})
_ELSEWHERE: Final[tuple[Figure, ...]] = tuple(figure for figure in FIGURES if figure not in _ORDER_ALONE)


def decided(state: EngineState, guard: Guard, views: Mapping[str, object], symbol: str | None = None) -> Decision:
    """The full decision of a guard of bars, feeds or the account, kept with its moment where somebody wants it."""
    decision = guard.decide(views)
    if state.explain or state.recording is not None:
        for figure in _ELSEWHERE:
            figure(state)
    if state.recording is not None:
        state.recording.news(state, decision, views, symbol)
    return explained(state, decision, views)


def explained(state: EngineState, decision: Decision, views: Mapping[str, object]) -> Decision:
    """The decision with the whole moment, where the engine explains everything."""
    if not state.explain:
        return decision
    return replace(decision, moment=written_moment(decision.point, views, state.guards.windows))


class Recording:
    """The decisions of one run, named `RUN.NUMBER` as they come; those of the gate after the order it kept back."""

    def __init__(self, guards: GuardSet, run_id: str) -> None:
        self._guards = guards
        self._run_id = run_id
        self._number = 0
        self._take: Callable[[Windows], Shot] | None = None
        self._known: dict[int, tuple[str, str, str, tuple[str, ...]]] = {}
        self.table = RecordTable(tuple(sorted(window_attribute(spec.slot) for spec in guards.windows)))

    def order(
        self, state: EngineState, windows: Windows, mask: int, placed: str | None, *, kept_back: str | None = None
    ) -> None:
        """Keep what the order guard has just said about the order that it was shown.

        `placed` is the order that came of it; `kept_back` one that the gate did not let out.
        """
        outcome = self._outcome(mask)
        if placed is None and outcome[2] != "deny":
            outcome = (*outcome[:2], "deny", NO_MARKET)
        name = f"{kept_back}.gate" if kept_back is not None else self._name()
        if self._take is None:
            self._take = plan(Point.ORDER).taker(state.shown(Point.ORDER, windows))
        shot = self._take(windows)
        client = kept_back if placed is None else placed
        head = order_head(name, self._run_id, state.run.mode, state.clock.now, outcome, state.order, client)
        self.table.add(Point.ORDER, head, shot)

    def orders(
        self, state: EngineState, heads: Callable[[], Mapping[str, Any]], moments: Moments, masks: Sequence[int]
    ) -> None:
        """Keep what the order guard said about many orders, in turn: `heads` tell which, `masks` say what.

        They tell columns of `mqk.guards.record.Head` as Arrow has them; those that are left out are filled in here.
        """
        first, mode = self._number + 1, state.run.mode
        self._number += len(masks)
        if masks:
            table = (heads, moments, masks, first, mode)
            self.table.take(Point.ORDER, lambda schema: self._order_batch(*table, schema))

    def _order_batch(
        self,
        heads: Callable[[], Mapping[str, Any]],
        moments: Moments,
        masks: Sequence[int],
        first: int,
        mode: str,
        schema: Any,
    ) -> Any:
        """Many decisions about orders as a record batch; `first` is the number of the first."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        text, count = pa.string(), len(masks)
        known = {mask: place for place, mask in enumerate(set(masks))}
        outcomes = [self._outcome(mask) for mask in known]
        which = pa.array([known[mask] for mask in masks], pa.int64())
        whole = {
            name: pa.array([outcome[place] for outcome in outcomes], text if place < 3 else pa.list_(text)).take(which)
            for place, name in enumerate(_OUTCOME)
        }
        always = {"run_id": self._run_id, "mode": mode, "point": Point.ORDER.value}
        whole |= {name: pa.repeat(pa.scalar(word, text), count) for name, word in always.items()}
        whole["decision_id"] = pa.array([f"{self._run_id}.{number}" for number in range(first, first + count)], text)
        return order_batch({**whole, **heads()}, moments, schema)

    def news(self, state: EngineState, decision: Decision, views: Mapping[str, object], symbol: str | None) -> None:
        """Keep a decision about a bar, a feed or the account."""
        head = other_head(decision, self._name(), self._run_id, state.run.mode, state.now, symbol)
        self.table.add(decision.point, head, plan(decision.point).take(views))

    def _name(self) -> str:
        self._number += 1
        return f"{self._run_id}.{self._number}"

    def _outcome(self, mask: int) -> tuple[str, str, str, tuple[str, ...]]:
        """What a mask of the order guard comes to, and the rules that ask for it."""
        known = self._known.get(mask)
        if known is None:
            guard = self._guards.order
            effects = {rule.id: rule.effect(Result.BREACH) for rule in (guard.rules[bit] for bit in bits(mask))}
            outcome = most_severe(Point.ORDER, list(effects.values()))
            deciding = tuple(rule for rule, effect in effects.items() if effect == outcome and outcome != ALLOW)
            known = self._known[mask] = (guard.engine, guard.bundle, outcome, deciding)
        return known
