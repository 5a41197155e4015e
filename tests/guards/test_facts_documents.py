"""Facts documents: totals and windows of sessions under any spelling, and collections element by element."""

from __future__ import annotations

import pytest

from mqk.dsl import types as t
from mqk.dsl.missing import MISSING
from mqk.guards import GuardSet, Point, canonical_name, read_facts
from mqk.guards.values import format_value, parse_fact


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("count(rejects within 300s)", "count(rejects within 5m)"),
        ("count(day_trades within 5 business_days)", "count(day_trades within 5 business_days)"),
        ("total(results  within  10 sessions)", "total(results within 10 sessions)"),
        ("total(orders within 60m)", "total(orders within 1h)"),
        ("order.qty", "order.qty"),
        ("count(nonsense", "count(nonsense"),
    ],
)
def test_a_window_has_one_name_however_it_is_written(written: str, canonical: str) -> None:
    assert canonical_name(written) == canonical


def test_the_elements_of_a_collection_are_read_field_by_field(main: GuardSet) -> None:
    given = {"positions": [{"symbol": "SPY", "qty": 10, "exposure": "4_700 USD"}, {"symbol": "QQQ", "qty": "-3"}]}
    moment = read_facts(given, main, Point.ACCOUNT)
    spy, qqq = moment.views["positions"]  # type: ignore[misc] # a list
    assert (spy.symbol, spy.qty, spy.exposure) == ("SPY", 10, 4_700_000_000)
    assert (qqq.symbol, qqq.qty) == ("QQQ", -3)
    assert not hasattr(qqq, "exposure")
    assert moment.problems == {}


@pytest.mark.parametrize(
    ("element", "says"),
    [
        ({"qyt": 3}, "`qyt` is no field, `qty` is"),
        ({"qty": "3 USD"}, "`3 USD`"),
        ({"exposure": "-1 USD"}, "below 0"),
        ({"qty": None}, "found nothing"),
        (7, "`positions` is no field"),
    ],
)
def test_a_fault_in_one_element_spoils_the_collection(main: GuardSet, element: object, says: str) -> None:
    moment = read_facts({"positions": [{"symbol": "SPY", "qty": 1}, element]}, main, Point.ACCOUNT)
    assert list(moment.problems) == ["positions"]
    assert says in moment.problems["positions"]


def test_a_collection_that_is_not_given_is_missing_except_in_a_baseline(main: GuardSet) -> None:
    assert read_facts({}, main, Point.ACCOUNT).views["positions"] is MISSING
    assert read_facts({}, main, Point.ACCOUNT, lenient=True).views["positions"] == []


def test_a_day_is_written_as_it_is_read() -> None:
    assert format_value(parse_fact("2026-06-04", t.DATE), t.DATE) == "2026-06-04"
