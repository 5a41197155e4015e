"""An engine with orders that wait to leave, and the bars around them: what the paper broker is tested with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from mqk.brokers import PaperBroker
from mqk.brokers.paper import AT_ONCE, WHOLE
from mqk.engine import BarArrived, EngineState, Permit, Submit, step
from mqk.engine.gate import authorise
from mqk.orders import Order
from mqk.quantity import INT64_MAX
from mqk.venue import FillRules, Moment, Overnight, Part
from tests.runtime.world import MINUTE, desk_bars, desk_guards

if TYPE_CHECKING:
    from mqk.market import Bar
    from mqk.policy import LatencyBars

ACCOUNT = "00000000-0000-0000-0000-000000000001"
CAPITAL = 100_000_000_000
EPOCH = 3


@dataclass
class Desk:
    """An engine whose last bars made it place an order, with the bars shown so far and those to come, by instant."""

    state: EngineState
    order: Order
    shown: list[list[Bar]]
    coming: list[list[Bar]]

    @property
    def now(self) -> int:
        return self.shown[-1][0].end

    def permit(self, *, epoch: int = EPOCH, ttl: int = 1_000_000, order: Order | None = None) -> Permit:
        permit = authorise(self.state, order or self.order, epoch=epoch, now=self.now, ttl=ttl)
        assert isinstance(permit, Permit)
        return permit

    def other(self, **changes: object) -> Order:
        """The same order with something changed, which nobody judged."""
        return replace(self.order, **changes)  # type: ignore[arg-type]


def desk() -> Desk:
    """Play minutes until an order is placed."""
    state = EngineState(desk_guards(), run_id=ACCOUNT, explain=True)
    instants = [list(bars) for _, bars in groupby(desk_bars(), key=lambda bar: bar.end)]
    for number, bars in enumerate(instants):
        effects = [effect for bar in bars for effect in step(state, BarArrived(bar, 0, 1, bar.end))]
        placed = [effect.order for effect in effects if isinstance(effect, Submit)]
        if placed:
            return Desk(state, placed[0], instants[: number + 1], instants[number + 1 :])
    raise AssertionError("no order was placed")


def paper(
    url: str,
    *,
    account: str = ACCOUNT,
    cash: int = CAPITAL,
    epoch: int = EPOCH,
    bundle: str | None = None,
    latency: LatencyBars = AT_ONCE,
    rules: FillRules = WHOLE,
) -> PaperBroker:
    """The paper broker with the costs of the engine's own policy."""
    guards = desk_guards()
    costs = EngineState(guards, run_id=account).costs
    sha256 = guards.bundle.sha256 if bundle is None else bundle
    return PaperBroker(
        url, account, opening_cash=cash, costs=costs, epoch=epoch, bundle=sha256, latency=latency, rules=rules
    )


def moment(bars: list[Bar], overnight: Overnight | None = None, closes: int = INT64_MAX) -> Moment:
    """An instant of minutes, in a session that does not close with it unless it is said to."""
    return Moment(bars[0].end, tuple((bar, bar.end - MINUTE) for bar in bars), closes, overnight)


def show(broker: PaperBroker, bars: list[Bar], overnight: Overnight | None = None, closes: int = INT64_MAX) -> None:
    """Show an instant to its end, with nothing asked for in between."""
    while broker.on_market(moment(bars, overnight, closes)) is not Part.ENDED:
        continue
