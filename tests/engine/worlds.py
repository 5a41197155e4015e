"""Small worlds for tests of the engine and of backtests: shipped guards, bars made by hand, wishes for strategies.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from typing import ClassVar, TypeVar

from mqk.analysis.names import rests_on, texts_of
from mqk.engine import BarArrived, Effect, EngineState, Event, Filled, Submit, step
from mqk.guards import GuardSet, compile_bundle
from mqk.market import TIMEFRAMES, Bar, calendar_of
from mqk.orders import Order, taken_off
from mqk.policy import Bundle, LimitValue, Span, StrategySpec, effective_bundle, load_policies, shipped_policies_dir
from mqk.portfolio import Fill
from mqk.strategies import Context, Param, Registry, StrategyHost, Targets

T = TypeVar("T")

USD = 1_000_000
MINUTE = 60 * 1_000_000
OPEN = calendar_of("XNYS").session_open(date(2024, 1, 3))
DAY = date(2024, 1, 3).toordinal()

# What the tests of the engine are about; the others have tests of their own beside them.
CORE = frozenset(
    {"CAP-01", "CAP-02", "CAP-06", "CAP-07", "KILL-01", "LOSS-01", "LOSS-03", "POSTURE-01", "RATE-05"}
    | {"ORD-03", "ORD-05", "ORD-11", "ORD-13"}
    | {"DATA-01", "DATA-03", "DATA-04", "DATA-05", "DATA-05b", "DATA-06", "DATA-07", "DATA-08"}
)

Wish = Callable[[Context], Targets | None]


@cache
def shipped(engine: str = "MAIN", overlays: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> GuardSet:
    """The guards of a shipped engine, with the rules that a small world can live under, and others by name."""
    policies = load_policies([shipped_policies_dir()])
    assert policies.diagnostics == ()
    return compile_bundle(core(effective_bundle(policies, engine, overlays=overlays), CORE | frozenset(also)))


def core(bundle: Bundle, ids: frozenset[str] = CORE) -> Bundle:
    """A shipped bundle with the rules that a small world can live under, and what they rest on.

    A world of a few bars by hand has no warm-up, no volume to speak of, and no other engines.
    """
    rules = tuple(rule for rule in bundle.rules if rule.id in ids or rule.at in ("difference", "candidate"))
    moves = [move for machine in bundle.lifecycles.values() for move in machine.transitions]
    texts = [text for rule in rules for text in texts_of(rule)]
    texts += [text.text for move in moves for text in (move.require, move.when) if text is not None]
    texts += [move.confirm for move in moves if move.confirm is not None]
    read = rests_on(bundle, texts)
    return replace(
        bundle,
        rules=rules,
        limits={name: limit for name, limit in bundle.limits.items() if f"limits.{name}" in read},
        lets={name: let for name, let in bundle.lets.items() if name in read},
        tables={name: table for name, table in bundle.tables.items() if f"tables.{name}" in read},
    )


@cache
def guards(
    *limits: tuple[str, LimitValue],
    shadow: tuple[str, ...] = (),
    overlays: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> GuardSet:
    """The guards of MAIN for bars of any length, with some limits set otherwise and some rules only watching."""
    bundle = shipped(overlays=overlays, also=also).bundle
    changed = {name: replace(bundle.limits[name], value=value) for name, value in limits}
    rules = tuple(replace(rule, enforce="shadow") if rule.id in shadow else rule for rule in bundle.rules)
    return compile_bundle(
        replace(bundle, limits={**bundle.limits, **changed}, rules=rules, timeframes=tuple(TIMEFRAMES))
    )


def host(wish: Wish, lookback: int = 1, shadows: Mapping[str, Wish] | None = None) -> StrategyHost:
    """A host for a strategy made of a function, and for shadows made of others."""
    registry = Registry()
    specs = []
    for name, function in {"wished": wish, **(shadows or {})}.items():

        class Wished:
            PARAMS: ClassVar[Mapping[str, Param]] = {}
            wish = staticmethod(function)

            def __init__(self) -> None:
                self.lookback = lookback

            def on_bar(self, context: Context) -> Targets | None:
                return self.wish(context)

        registry.register(name, Wished)
        specs.append(StrategySpec(name, {}, shadow=name != "wished", span=Span.nowhere(name)))
    return StrategyHost(specs, tuple(TIMEFRAMES), registry)


def bar(symbol: str, minute: int, close: int, *, open_: int | None = None, spread: int = 0, **other: object) -> Bar:
    """A one-minute bar of 2024-01-03 that ends so many minutes after the open; prices in micros."""
    first = close if open_ is None else open_
    made = Bar(
        symbol,
        OPEN + minute * MINUTE,
        first,
        max(first, close) + spread,
        min(first, close) - spread,
        close,
        100,
        True,
        "1m",
    )
    return replace(made, **other)  # type: ignore[arg-type] # whatever a test wants to be different


def daily(symbol: str, closes: Sequence[int], first: date = date(2024, 1, 3)) -> list[Bar]:
    """Daily bars in consecutive sessions that open where the one before closed; prices in micros."""
    calendar = calendar_of("XNYS")
    days = calendar.sessions_between(first, date(first.year + 3, 12, 31))
    opens = [closes[0], *closes]
    return [
        Bar(symbol, calendar.session_close(day), o, max(o, c), min(o, c), c, 100, True, "1D")
        for day, o, c in zip(days, opens, closes, strict=False)
    ]


@dataclass
class Desk:
    """An engine with its wishes: what the strategy is to want next, and everything that came of it."""

    set: GuardSet = field(default_factory=guards)
    explain: bool = False
    wishes: Targets = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    state: EngineState = field(init=False)

    def __post_init__(self) -> None:
        self.state = EngineState(self.set, run_id="t", explain=self.explain, host=host(lambda _: self.wishes))

    def tell(self, event: Event) -> list[Effect]:
        """One event through the engine."""
        effects = step(self.state, event)
        self.effects += effects
        return effects

    def bar(
        self, symbol: str, minute: int, close: int, *, missing: int = 0, session: int = DAY, **other: object
    ) -> list[Effect]:
        """A bar that arrives when it ends."""
        made = bar(symbol, minute, close, **other)  # type: ignore[arg-type] # handed on as it is
        return self.tell(BarArrived(made, missing, session, made.end))

    def want(self, targets: Targets, symbol: str, minute: int, close: int) -> list[Effect]:
        """A bar at which the strategy wants these positions, and nothing at any later one."""
        self.wishes = dict(targets)
        effects = self.bar(symbol, minute, close)
        self.wishes = {}
        return effects

    def fill(self, order: Order, price: int, qty: int | None = None, *, fee: int = 0, name: str = "1") -> list[Effect]:
        """A fill of an order, whole unless said otherwise, now, by a broker that links orders of one parent."""
        size = order.qty if qty is None else qty
        made = Fill(
            f"{order.client_order_id}-{name}",
            order.client_order_id,
            order.symbol,
            order.side.value,
            size,
            price,
            fee,
            self.state.now,
        )
        return self.tell(Filled(made, order.client_order_id, taken_off=self._linked(order, size)))

    def _linked(self, order: Order, qty: int) -> tuple[tuple[str, int], ...]:
        group = self.state.groups.get(order.parent_id)
        if order.leg is None or group is None:
            return ()
        siblings = tuple(group.orders.values())
        found = taken_off(replace(order, filled=order.filled + qty), qty, siblings)
        return tuple((each.client_order_id, shares) for each, shares in found)

    def hold(self, symbol: str, qty: int, minute: int, price: int) -> None:
        """Come to hold a position at a price, by an order and its fill."""
        for effect in self.want({symbol: qty}, symbol, minute, price):
            if isinstance(effect, Submit):
                self.fill(effect.order, price)


def submits(effects: Iterable[object]) -> list[Order]:
    """The orders among the effects."""
    return [effect.order for effect in effects if isinstance(effect, Submit)]


def of(kind: type[T], effects: Iterable[object]) -> list[T]:
    """The effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]
