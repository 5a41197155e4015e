"""A rule that says nothing is told: one that no moment breaches, and one that every moment breaches."""

from __future__ import annotations

import pytest

from mqk.analysis.vacuity import vacuous
from tests.analysis.worlds import only, rule, shipped, with_limit


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
def test_every_shipped_rule_says_something(engine: str) -> None:
    assert vacuous(shipped(engine)) == ()


@pytest.mark.parametrize(
    ("require", "when", "code"),
    [
        ("order.qty >= 0", None, "MQK-1422"),
        ("order.qty > 5 or order.qty <= 5", None, "MQK-1422"),
        ("order.qty * abs(account.equity) >= 0 USD", None, "MQK-1422"),
        ("order.side == BUY or order.side == SELL", None, "MQK-1422"),
        ("order.qty <= 10", "order.qty < 0", "MQK-1422"),
        ("order.qty <= 10", "order.side == BUY and order.side == SELL", "MQK-1422"),
        ("order.qty <= 10", "order.qty <= 10", "MQK-1422"),
        ("order.qty < 0", None, "MQK-1423"),
        ("order.qty > 10", "order.qty <= 10", "MQK-1423"),
        ("false", None, "MQK-1423"),
    ],
)
def test_a_rule_that_never_or_always_fires_is_an_error(require: str, when: str | None, code: str) -> None:
    (found,) = vacuous(only(shipped(), rule("A", require, when=when)))
    assert found.code == code


@pytest.mark.parametrize(
    ("require", "when"),
    [
        ("order.qty <= 10", None),
        ("order.qty != 123_456", None),
        ("order.qty * market.price != 7_777 USD", None),
        ("limits.allow_short or projected.lowest_qty >= 0", None),
        ("order.symbol in [SPY]", None),
        ("order.qty <= 10", "present(order.limit_price) and order.limit_price > market.price"),
    ],
)
def test_a_rule_that_some_moment_breaches_is_none(require: str, when: str | None) -> None:
    assert vacuous(only(shipped(), rule("A", require, when=when))) == ()


def test_a_switch_does_not_make_the_rule_that_it_governs_a_fault() -> None:
    assert vacuous(with_limit(shipped(), "allow_short", True)) == ()
