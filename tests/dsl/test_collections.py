"""What is said of collections, windows over sessions, multiples and words: what it is worth, and when it is refused."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from mqk.dsl import DslError, EvaluationError, check_expression, evaluate, format_expression, parse_expression, syntax
from mqk.dsl import types as t
from mqk.dsl.errors import Fault
from mqk.dsl.windows import window_attribute
from tests.dsl.worlds import Moment, World

WORLD = World()
M = 1_000_000


def holding(**changed: object) -> SimpleNamespace:
    usual = {"symbol": "SPY", "value": 5 * M, "qty": 10, "weight": Fraction(1, 10), "side": "BUY", "frozen": False}
    return SimpleNamespace(**{**usual, **changed})


BOOK = Moment(
    {"a.money": 7 * M, "a.price": 0, "a.qty": 0, "a.flag": True},
    {"holdings": (holding(), holding(symbol="IBM", value=3 * M, qty=-4)), "resting": ()},
)


def worth(text: str, moment: Moment = BOOK) -> object:
    checked = check_expression(parse_expression(text), WORLD, None)
    assert not checked.errors, [error.message for error in checked.errors]
    return evaluate(checked.expr, moment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("some h in holdings satisfies h.qty < 0", True),
        ("every h in holdings satisfies h.qty < 0", False),
        ("every h in holdings where h.qty < 0 satisfies h.symbol == IBM", True),
        ("some h in resting satisfies h.qty < 0", False),
        ("every r in resting satisfies r.qty < 0", True),
        ("sum of h.value for h in holdings", 8 * M),
        ("sum of h.value for h in holdings where h.symbol in limits.list", 5 * M),
        ("sum of h.value for h in holdings + 1 USD", 9 * M),
        ("sum of r.qty for r in resting", 0),
        ("count of h in holdings", 2),
        ("count of h in holdings where h.qty > 0 and h.side == BUY", 1),
        ("sum of h.weight for h in holdings", Fraction(1, 5)),
        ("20% of sum of h.value for h in holdings", Fraction(16 * M, 10)),
        ("some h in holdings satisfies some k in holdings satisfies h.qty + k.qty == 6", True),
        ("some h in holdings satisfies h.value > sum of k.value for k in holdings where k.symbol != h.symbol", True),
        ("multiple_of(6 USD, 3 USD)", True),
        ("multiple_of(0.07 USD, 0.05 USD)", False),
        ("multiple_of(0, 5)", True),
        ("multiple_of(1.5, 0.5)", True),
        ("multiple_of(-10%, 5%)", True),
    ],
)
def test_each_construct_is_worth_what_it_says(text: str, expected: object) -> None:
    assert worth(text) == expected


@pytest.mark.parametrize(
    ("text", "moment", "fault", "subject"),
    [
        ("some h in holdings satisfies h.qty < 0", Moment(), Fault.MISSING, "holdings"),
        (
            "some h in holdings satisfies h.qty < 0",
            Moment({}, {"holdings": (holding(),) * 4}),
            Fault.INVALID,
            "holdings",
        ),
        # The first element settles it, and the second is judged all the same.
        (
            "some h in holdings satisfies h.cost > 0 USD",
            Moment({}, {"holdings": (holding(cost=1), holding())}),
            Fault.MISSING,
            "h.cost",
        ),
        ("count of h in holdings where 1 / h.qty > 0x", Moment({}, {"holdings": (holding(qty=0),)}), None, "/"),
        (
            "every h in holdings satisfies multiple_of(h.value, a.money)",
            Moment({"a.money": 0}, BOOK.collections),
            None,
            "/",
        ),
        ("sum of h.value for h in holdings where h.value / a.qty > 0 USD", BOOK, None, "/"),
    ],
)
def test_an_error_in_one_element_is_never_absorbed(
    text: str, moment: Moment, fault: Fault | None, subject: str
) -> None:
    with pytest.raises(EvaluationError) as caught:
        worth(text, moment)
    assert caught.value.fault is (fault or Fault.DIVISION_BY_ZERO)
    assert caught.value.subject == subject


def test_an_element_left_out_by_where_is_not_judged() -> None:
    moment = Moment({}, {"holdings": (holding(cost=3 * M), holding())})
    assert worth("sum of h.cost for h in holdings where present(h.cost)", moment) == 3 * M


@pytest.mark.parametrize(
    ("text", "underlined", "message", "help_"),
    [
        ("some h in holding satisfies h.qty > 0", None, "unknown collection `holding`", "did you mean `holdings`?"),
        ("some h in holdings satisfies h.qyt > 0", "h.qyt", "an element of `holdings` has no `qyt`", "`h.qty`"),
        ("some h in holdings satisfies h > 0", "h", "an element of `holdings` has no `h`", "`h.qty`"),
        ("holdings > 3", "holdings", "unknown name `holdings`", "say `some p in holdings satisfies ...`"),
        ("some a in holdings satisfies a.qty > 0", None, "`a` has a meaning already", "another letter"),
        ("some h.x in holdings satisfies a.flag", "h.x", "`h.x` cannot name an element", "such as `p`"),
        (
            "some h in holdings satisfies some h in resting satisfies h.qty > 0",
            "some h in resting satisfies h.qty > 0",
            "`h` has a meaning already",
            None,
        ),
        ("every h in holdings satisfies h.qty > 0 and a.flag", "a.flag", "this does not speak of `h`", "bracket"),
        ("every h in holdings satisfies h.value", "h.value", "found money (USD) where yes or no is expected", None),
        ("sum of h.side for h in holdings > 3", "h.side", "`sum of` does not apply to one of `BUY`, `SELL`", None),
        ("present(h.qty)", "h.qty", "unknown name `h.qty`", None),
        ("some h in holdings satisfies present(h.qty)", None, "`h.qty` is always there", None),
        (
            "count of n in named > 3 trades",
            None,
            "a count of positions cannot be compared",
            None,
        ),
        (
            "3 trades > count(rejects within 60s)",
            None,
            "a count of trades cannot be compared",
            None,
        ),
        ("3 sessions > 2 business_days", None, "a number of sessions cannot be compared", None),
        ("total(rejects within 60s) > 3 USD", None, "the events of `rejects` carry no amount to add up", "`orders`"),
        ("count(rejects within a.count) > 3", "a.count", "a window's length is fixed", None),
        ("count(rejects within 0 sessions) > 3", "0 sessions", "a window of no length counts nothing", None),
        ("multiple_of(a.money, a.qty)", None, "`multiple_of` mixes money (USD) with a quantity", None),
        ("b.side in limits.list", "limits.list", "`QQQ` in `limits.list` is not one of `BUY`, `SELL`", None),
        ("b.side == limits.sell_word", None, None, None),
        ("b.side in limits.sides", None, None, None),
        ("b.side in limits.nothing", None, None, None),
        ("b.symbol in limits.nothing", None, None, None),
        ("a.count < 3 trades", None, None, None),
        ("count(rejects within 60s) <= 20% of count(orders within 60s)", None, None, None),
        ("count(day_trades within 5 business_days) < 4 trades", None, None, None),
        ("total(orders within 1 session) < 4 USD", None, None, None),
    ],
)
def test_what_cannot_be_meant_is_refused_and_what_can_is_not(
    text: str, underlined: str | None, message: str | None, help_: str | None
) -> None:
    try:
        errors = check_expression(parse_expression(text), WORLD).errors
    except DslError as error:
        errors = (error,)
    if message is None:
        assert not errors, [error.message for error in errors]
        return
    assert errors, f"`{text}` was accepted"
    assert message in errors[0].message
    assert underlined in (None, text[errors[0].start : errors[0].end])
    assert help_ is None or help_ in (errors[0].help or "")


@pytest.mark.parametrize(
    ("text", "slot", "attribute", "kind"),
    [
        (
            "count(day_trades within 5 business_days)",
            "count(day_trades within 5 business_days)",
            "day_trades_5_business_days",
            "count of trades",
        ),
        ("count(rejects within 300s)", "count(rejects within 5m)", "rejects_5m", "count of rejects"),
        (
            "count(rejects within 1 session)",
            "count(rejects within 1 sessions)",
            "rejects_1_sessions",
            "count of rejects",
        ),
        (
            "total(orders within 5 sessions)",
            "total(orders within 5 sessions)",
            "total_orders_5_sessions",
            "money (USD)",
        ),
    ],
)
def test_a_window_has_one_name_however_its_length_is_written(
    text: str, slot: str | None, attribute: str, kind: str
) -> None:
    checked = check_expression(parse_expression(text), WORLD, None)
    assert not checked.errors
    assert isinstance(checked.expr, syntax.Window)
    slot = slot or text
    assert checked.expr.slot == slot
    assert str(checked.expr.type) == kind
    assert window_attribute(slot) == attribute


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a.flag and some h in holdings satisfies h.qty>1", "a.flag and (some h in holdings satisfies h.qty > 1)"),
        ("not some h in holdings satisfies h.qty > 1", "not (some h in holdings satisfies h.qty > 1)"),
        (
            "sum of h.value for h in holdings where h.symbol in limits.list <= 3 USD",
            "(sum of h.value for h in holdings where h.symbol in limits.list) <= 3 USD",
        ),
        ("count of h in holdings <= 3", "count of h in holdings <= 3"),
        ("max(sum of h.value for h in holdings where h.qty > 1, 3 USD)", None),
    ],
)
def test_the_canonical_form_brackets_what_would_swallow_its_neighbours(text: str, canonical: str | None) -> None:
    tree = parse_expression(text)
    assert format_expression(tree) == (canonical or text)
    assert parse_expression(format_expression(tree)) == tree


def test_types_that_differ_in_their_noun_only_are_one_type() -> None:
    assert t.count_of("trades") == t.COUNT
    assert t.unify(t.count_of("trades"), t.COUNT) == t.COUNT
    assert t.unify(t.count_of("trades"), t.count_of("bars")) is None
