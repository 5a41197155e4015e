"""Nothing that adds is ordered while the price of anything that is held is missing or stale, in any mode.

What lives here: prices that are too old by themselves, where no rule of feeds has stopped the engine before. What does
not: rules of feeds, which stop it much earlier.
"""

from __future__ import annotations

from datetime import date

import pytest

from mqk.engine import BarArrived, EngineState, Filled, Refused, SessionPlanned, Submit, step
from mqk.engine.effects import Effect
from mqk.guards import Finding, Result
from mqk.guards.fact import MODES
from mqk.guards.views import BAR_AGE
from mqk.market import Bar, calendar_of
from mqk.orders import Side
from mqk.portfolio import Fill
from tests.engine.worlds import USD, guards, host, of

CALENDAR = calendar_of("XNYS")
DAYS = CALENDAR.sessions_between(date(2024, 1, 3), date(2024, 1, 16))
# The rules that hold orders against what is left of equity.
CAPS = {"CAP-01", "CAP-02", "CAP-06"}


class World:
    """An engine that is told daily bars, at each of which it wants what it is told to want."""

    def __init__(self, mode: str) -> None:
        self.wishes: dict[str, int] = {}
        self.state = EngineState(guards(), run_id="t", mode=mode, host=host(lambda _: self.wishes))

    def close(self, day: date, *symbols: str, wishes: dict[str, int] | None = None) -> list[Effect]:
        """The close of a day, with a bar of each of the symbols."""
        found = step(self.state, SessionPlanned(CALENDAR.plan(day)))
        end, price = CALENDAR.session_close(day), 100 * USD
        for symbol in symbols:
            self.wishes = dict(wishes or {}) if symbol == symbols[-1] else {}
            bar = Bar(symbol, end, price, price, price, price, 1_000, True, "1D")
            found += step(self.state, BarArrived(bar, 0, day.toordinal(), end))
        return found

    def hold(self, symbol: str, day: date, *symbols: str) -> None:
        """Come to hold ten shares at the close of a day."""
        for effect in self.close(day, *symbols, wishes={symbol: 10}):
            if isinstance(effect, Submit):
                order = effect.order
                fill = Fill(
                    "1", order.client_order_id, symbol, order.side.value, order.qty, 100 * USD, 0, self.state.now
                )
                step(self.state, Filled(fill, order.client_order_id))


def unusable(effects: list[Effect]) -> dict[str, Finding]:
    """The rules that were errors in what was refused, by id."""
    decisions = [refused.decision for refused in of(Refused, effects)]
    return {f.rule: f for d in decisions if d is not None for f in d.findings if f.result is Result.ERROR}


@pytest.mark.parametrize("mode", MODES)
def test_an_order_that_adds_is_an_error_once_a_price_of_what_is_held_is_stale(mode: str) -> None:
    world = World(mode)
    world.hold("SPY", DAYS[0], "QQQ", "SPY")
    traded = CALENDAR.session_close(DAYS[0]) - CALENDAR.session_open(DAYS[0])
    for number, day in enumerate(DAYS[1:], 1):
        effects = world.close(day, "QQQ", wishes={"QQQ": number, "SPY": 10})
        if number * traded <= BAR_AGE:
            assert of(Submit, effects)
            continue
        assert not of(Submit, effects)
        found = unusable(effects)
        assert found.keys() >= CAPS
        assert {found[rule].fault for rule in CAPS} == {"stale"}
        break
    else:
        raise AssertionError("no price was ever stale")
    # The next day: what is held can be got out of, its price being as old as it is.
    orders = [each.order for each in of(Submit, world.close(DAYS[number + 1], "QQQ", wishes={"SPY": 0}))]
    assert [(order.symbol, order.side) for order in orders] == [("SPY", Side.SELL)]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_is_allowed_again_once_there_is_a_price_or_nothing_is_held(mode: str) -> None:
    for held in (True, False):
        world = World(mode)
        if held:
            world.hold("SPY", DAYS[0], "QQQ", "SPY")
        else:
            world.close(DAYS[0], "QQQ", "SPY")
        for day in DAYS[1:7]:
            world.close(day, "QQQ")
        symbols = ("SPY", "QQQ") if held else ("QQQ",)
        assert of(Submit, world.close(DAYS[7], *symbols, wishes={"QQQ": 1}))


@pytest.mark.parametrize("mode", MODES)
def test_an_order_that_adds_is_an_error_while_what_is_held_has_no_price(mode: str) -> None:
    world = World(mode)
    world.hold("SPY", DAYS[0], "QQQ", "SPY")
    world.state.lines["SPY"].price = None
    effects = world.close(DAYS[1], "QQQ", wishes={"QQQ": 1})
    assert not of(Submit, effects)
    found = unusable(effects)
    assert found.keys() >= CAPS
    assert {found[rule].fault for rule in CAPS} == {"missing"}
