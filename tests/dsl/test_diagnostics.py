"""What the language says about a wrong expression: the message, the mend, and the very text it points at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.dsl import DslError, check_expression, format_expression, parse_expression
from mqk.dsl.parse import MAX_LENGTH
from tests.dsl.worlds import World

WORLD = World()


def errors(text: str) -> list[tuple[str, str, str, str | None]]:
    """(code, underlined text, message, help) of everything wrong with an expression."""
    try:
        found = check_expression(parse_expression(text), WORLD).errors
    except DslError as error:
        found = (error,)
    return [(e.code, text[e.start : e.end], e.message, e.help) for e in found]


@pytest.mark.parametrize(
    ("text", "code", "underlined", "message", "help_"),
    [
        ("a.qty = 3", "syntax", "=", "found `=`, which has no meaning here", "write `==`"),
        ("a.flag && a.flag", "syntax", "&&", "found `&&`, which has no meaning here", "write `and`"),
        ("!a.flag", "syntax", "!", "found `!`, which has no meaning here", "write `not`"),
        ("a.flag AND a.flag", "syntax", "AND", None, "write `and`"),
        (
            "20 % of a.money > a.price",
            "syntax",
            "%",
            None,
            "a percentage is written right behind its number, as in `20%`",
        ),
        ("a.qty >", "syntax", ">", "the expression ends too early", None),
        ("(a.qty > 3", "syntax", "3", "the expression ends too early", "close the bracket with `)`"),
        ("a.money > USD 5", "syntax", "5", None, "a currency is written behind its amount: `5 USD`"),
        ("", "syntax", "", "an expression is empty", "write a condition, such as `order.qty >= 1`"),
        ("a.quantity > 3", "name", "a.quantity", "unknown name `a.quantity`", None),
        ("a.qtty > 3", "name", "a.qtty", "unknown name `a.qtty`", "did you mean `a.qty`?"),
        ("elsewhere.fact > 3", "name", "elsewhere.fact", "`elsewhere.fact` does not exist here", None),
        ("abbs(a.qty) > 3", "name", "abbs(a.qty)", "unknown function `abbs`", "did you mean `abs`?"),
        (
            "count(reject within 300s) < 5",
            "name",
            "count(reject within 300s)",
            "unknown stream `reject`",
            "did you mean `rejects`?",
        ),
        ("b.side == BUYY", "value", "BUYY", None, "did you mean `BUY`?"),
        ("a.money < 5", "unit", "a.money < 5", "money (USD) cannot be compared with a number", "write `5 USD`"),
        ("a.money <= 0.20 of a.price", "unit", "0.20 of a.price", None, "write `20%` or `0.20%`"),
        (
            "a.money + 20% > a.price",
            "unit",
            "a.money + 20%",
            "money (USD) and a ratio do not add",
            "say of what: `limits.max_position of account.equity`",
        ),
        (
            "limits.cap < a.money",
            "unit",
            "limits.cap < a.money",
            None,
            "say of what: `limits.max_position of account.equity`",
        ),
        ("a.money + 5 EUR > a.price", "unit", "a.money + 5 EUR", None, "amounts of different currencies do not mix"),
        ("a.count < b.age", "unit", "a.count < b.age", "a count cannot be compared with a duration", None),
        ("b.age > 90", "unit", "b.age > 90", None, "write `90s` or `90m`"),
        ("a.count < a.qty", "unit", "a.count < a.qty", "a count cannot be compared with a quantity", None),
        (
            "a.money",
            "type",
            "a.money",
            "found money (USD) where yes or no is expected",
            "a rule is a condition: compare the value with a limit",
        ),
        ("a.flag and a.qty", "type", "a.qty", "found a quantity where yes or no is expected", None),
        ("present(a.qty)", "type", "present(a.qty)", "`a.qty` is always there", None),
        ("b.side < BUY", "type", "b.side < BUY", None, "use `==` or `!=`"),
        ("if a.flag then a.qty else a.money > 3 USD", "type", None, None, None),
        (
            "count(rejects within b.age) < 5",
            "type",
            "b.age",
            "a window's length is fixed: write a duration or a limit",
            None,
        ),
        ("a.money > 1.1234567 USD", "value", "1.1234567 USD", None, None),
        ("a.qty > 99999999999999999999", "value", "99999999999999999999", None, None),
    ],
)
def test_each_mistake_is_named_underlined_and_mended(
    text: str, code: str, underlined: str | None, message: str | None, help_: str | None
) -> None:
    found = errors(text)
    assert found, f"`{text}` was accepted"
    first = found[0]
    assert first[0] == code
    if underlined is not None and code != "syntax":
        assert first[1] == underlined
    if message is not None:
        assert first[2] == message
    if help_ is not None:
        assert first[3] is not None
        assert help_ in first[3]


def test_all_type_errors_of_an_expression_are_reported_at_once() -> None:
    found = errors("a.qtty > 3 and b.side == BUYY and a.money < 5")
    assert [code for code, *_ in found] == ["name", "value", "unit"]


@given(st.text(max_size=60) | st.text(alphabet="ab.()[]<>=+-*/ 0123456789%USDifthenelseandornotofin,\"'", max_size=60))
def test_any_text_is_an_expression_or_one_clear_error_inside_it(text: str) -> None:
    try:
        tree = parse_expression(text)
    except DslError as error:
        assert 0 <= error.start <= error.end <= max(len(text), 1)
        assert error.message
    else:
        assert parse_expression(format_expression(tree)) == tree


@pytest.mark.parametrize(
    "text", ["(" * 900 + "a" + ")" * 900, "-" * 900 + "a.qty", "a.qty" + " + a.qty" * 200, "not " * 400 + "a.flag"]
)
def test_deep_expressions_are_refused_or_parsed_but_never_exhaust_the_stack(text: str) -> None:
    assert len(text) < MAX_LENGTH
    try:
        format_expression(parse_expression(text))
    except DslError as error:
        assert error.code == "limit"


def test_what_was_reported_once_is_not_reported_again_by_its_users() -> None:
    assert len(errors("abs(a.qtty) + a.qty > min(a.qtty, 3)")) == 2
