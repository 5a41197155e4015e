"""`mqk policy whatif`: limits set otherwise on the command line, for a decision and for what the policies let pass."""

from __future__ import annotations

import pytest

from tests.cli.shell import Ended, Mqk

pytestmark = pytest.mark.usefixtures("policies")
FIFTY = '{"order.qty": 50}'


def whatif(mqk: Mqk, *options: str, facts: str = FIFTY) -> Ended:
    return mqk("policy", "whatif", "--engine", "MAIN", "--facts", "-", *options, stdin=facts)


def test_a_wider_limit_shows_the_decision_before_and_after_and_what_else_may_pass(mqk: Mqk) -> None:
    ended = whatif(mqk, "--set", "limits.max_position=25%")
    assert (ended.code, ended.err) == (0, "")
    before, after = ended.out.split("after: ")
    assert before.startswith("before: deny at order of MAIN")
    assert "    CAP-01  8 shares too many: passes at 42 shares (19_745.04 USD), and not at 43\n" in before
    assert "passes with `limits.max_position` of at least 23.51%, and not 23.5%\n" in before
    assert after.startswith("allow at order of MAIN")
    assert "LOOSER: something may pass that was stopped" in after
    assert "  MAIN: LOOSER limits.max_position: 20% -> 25%\n    BUY 43 SPY" in after


def test_a_narrower_limit_is_tighter_and_says_where_it_is_set(mqk: Mqk) -> None:
    ended = whatif(mqk, "--set", "limits.max_position=4%", facts='{"order.qty": 9}')
    assert "before: allow" in ended.out
    assert "after: deny" in ended.out
    assert "set in --set limits.max_position=4%" in ended.out
    assert "TIGHTER: nothing that was stopped may pass" in ended.out


def test_several_limits_are_set_at_once_in_every_engine_that_has_them(mqk: Mqk) -> None:
    settings = ("--set", "limits.max_order_qty=10", "--set", "limits.restricted=[GME]")
    found = mqk("policy", "whatif", *settings, "--format", "json").json
    assert list(found["engines"]) == ["EXP", "MAIN"]
    assert (found["before"], found["after"], found["history"]) == (None, None, None)
    assert {(each["path"], each["engines"][0]) for each in found["changes"]} == {
        (path, engine) for path in ("limits.max_order_qty", "limits.restricted") for engine in ("EXP", "MAIN")
    }


def test_the_value_it_has_already_changes_nothing(mqk: Mqk) -> None:
    ended = mqk("policy", "whatif", "--engine", "MAIN", "--set", "limits.max_position=2_000bps", "--format", "json")
    assert ended.json["verdict"] == "EQUAL"


def test_everything_wrong_with_the_settings_is_told_at_its_place(mqk: Mqk) -> None:
    settings = (
        "limits.max_positon=25%",
        "limits.max_position=25",
        "max_gross=3x",
        "limits.daily_loss",
        "limits.max_positions=3 orders",
        "limits.max_order_value=5 EUR",
    )
    ended = whatif(mqk, *(word for each in settings for word in ("--set", each)))
    assert (ended.code, ended.out) == (2, "")
    for told in (
        "error: there is no limit `limits.max_positon`\n  --set limits.max_positon=25%\n        ^^^^^^^^^^^^^^^^^^\n",
        "   help: did you mean `limits.max_position`?\n",
        "error: `25` has no unit\n  --set limits.max_position=25\n                            ^^\n",
        "error: there is no limit `max_gross`\n  --set max_gross=3x\n        ^^^^^^^^^\n",
        "   help: did you mean `limits.max_gross`?\n",
        "error: `limits.daily_loss` sets nothing\n",
        "error: `3 orders` counts orders, and `limits.max_positions` counts positions\n",
        "error: `5 EUR` is not in USD\n",
    ):
        assert told in ended.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--facts", "-", "--decision", "x"), "two decisions"),
        (("--facts", "-"), "name it by `--engine`"),
        (("--engine", "MIAN"), "there is no engine `MIAN`"),
    ],
)
def test_what_cannot_be_asked_is_refused(mqk: Mqk, options: tuple[str, ...], words: str) -> None:
    ended = mqk("policy", "whatif", "--set", "limits.max_position=25%", *options, stdin=FIFTY)
    assert ended.code == 2
    assert words in ended.err
