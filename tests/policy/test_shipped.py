"""The policies that ship: without a fault, and with the numbers they are meant to have."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest

from mqk.policy import Bundle, PolicySet, check_policies, effective_bundle, load_policies, shipped_policies_dir
from mqk.quantity import MICROS, Count, Duration, Money, Rate, Ratio


@cache
def shipped() -> PolicySet:
    return load_policies([shipped_policies_dir()])


def percent(value: int) -> Ratio:
    return Ratio(Fraction(value, 100))


def bps(value: int) -> Ratio:
    return Ratio(Fraction(value, 10_000))


def test_every_shipped_policy_loads_without_a_diagnostic() -> None:
    assert check_policies(shipped()) == ()
    assert {"MAIN", "EXP"} <= set(shipped().ids("engine"))


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
@pytest.mark.parametrize("overlays", [(), ("slippage_x2",), ("latency_high",), ("slippage_x2", "latency_high")])
def test_every_engine_has_an_effective_policy_under_every_stress(engine: str, overlays: tuple[str, ...]) -> None:
    bundle = effective_bundle(shipped(), engine, overlays=overlays)
    assert bundle.engine == engine
    assert bundle.overlays == overlays


def values(bundle: Bundle, *names: str) -> list[object]:
    return [bundle.limits[name].value for name in names]


def test_main_has_the_firms_numbers() -> None:
    bundle = effective_bundle(shipped(), "MAIN")
    names = ("max_position", "max_gross", "max_leverage", "allow_short", "daily_loss", "max_drawdown", "outlier")
    assert values(bundle, *names) == [
        percent(20), percent(100), percent(100), False, percent(2), percent(18), percent(20)
    ]  # fmt: skip
    assert values(bundle, "rejects", "stale_after", "gap_tolerance") == [
        Rate(5, Duration(300 * MICROS)), Duration(120 * MICROS), Count(0)
    ]  # fmt: skip
    costs = bundle.execution
    assert (costs.spread, costs.slippage, costs.volatility, costs.cap) == (bps(3), bps(5), percent(50), bps(25))
    assert costs.commission_per_order == Money(0)
    assert bundle.schedule.reconcile == Duration(60 * MICROS)


def test_the_sandbox_has_the_smaller_numbers() -> None:
    bundle = effective_bundle(shipped(), "EXP")
    assert values(bundle, "max_position", "daily_loss", "max_drawdown") == [percent(10), percent(1), percent(10)]
    assert values(bundle, "rejects") == [Rate(3, Duration(300 * MICROS))]
    costs = bundle.execution
    assert (costs.spread, costs.slippage, costs.volatility, costs.cap) == (bps(4), bps(7), percent(50), bps(35))


def test_stresses_have_their_numbers() -> None:
    dear = effective_bundle(shipped(), "MAIN", overlays=["slippage_x2"]).execution
    assert (dear.spread, dear.slippage, dear.volatility, dear.cap) == (bps(6), bps(10), percent(100), bps(50))
    late = effective_bundle(shipped(), "MAIN", overlays=["latency_high"]).execution.latency_bars
    assert (late.submit, late.cancel, late.replace) == (1, 1, 1)
    thin = effective_bundle(shipped(), "MAIN", overlays=["thin_volume"]).execution
    assert thin.participation == percent(1)
    broken = effective_bundle(shipped(), "MAIN", overlays=["rejects", "partial_fills"]).execution.faults
    assert (broken.seed, broken.rejects, broken.partial_fills) == (1, percent(10), percent(50))
    fees = effective_bundle(shipped(), "MAIN", overlays=["fees_high"]).execution
    assert (fees.commission_per_order, fees.commission_per_share) == (Money(MICROS), Money(MICROS // 100))
    assert (fees.commission_rate, fees.commission_minimum, fees.commission_maximum) == (bps(2), Money(2 * MICROS), None)
    assert fees.borrow == percent(25)


def test_what_the_firm_ships_reads_every_bar_at_its_worst() -> None:
    for engine in ("MAIN", "EXP"):
        execution = effective_bundle(shipped(), engine).execution
        assert (execution.ambiguity, execution.limit_fill) == ("worst_case", "through")


def test_every_rule_of_the_floor_reaches_every_engine() -> None:
    floor = {
        id_.text
        for rule in shipped().documents["risk", "us_equities_base"].node.mappings("rules")
        if (id_ := rule.scalar("id")) is not None
    }
    for engine in shipped().ids("engine"):
        assert floor <= {rule.id for rule in effective_bundle(shipped(), engine).rules}
