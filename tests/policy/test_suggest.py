"""Did you mean: near words are found, far ones are not offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.policy import closest, did_you_mean
from mqk.policy.schemas import schema_set

LIMITS = schema_set().known_limits()


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("max_positon", LIMITS, "max_position"),
        ("MAX_POSITION", LIMITS, "max_position"),
        ("max-position", LIMITS, "max_position"),
        ("position", ["max_position", "rejects"], "max_position"),
        ("dney", ["warn", "deny"], "deny"),
        ("greter-than", ["greater_than", "less_than"], "greater_than"),
        ("colour", ["kind", "id", "title"], None),
        ("2D", ["1D", "1H"], None),
        ("1d", ["1D", "1H"], "1D"),
        ("", ["kind"], None),
        ("kind", [], None),
    ],
)
def test_the_nearest_word_is_offered_and_no_far_one(word: str, known: list[str], meant: str | None) -> None:
    assert closest(word, known) == meant
    assert did_you_mean(word, known) == (None if meant is None else f"did you mean `{meant}`?")


# A slip in a name of three letters leaves too little to tell what was meant.
@given(st.sampled_from(sorted(name for name in LIMITS if len(name) > 3)), st.data())
def test_one_slip_never_hides_a_name(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    slip = data.draw(
        st.sampled_from([name[:at] + name[at + 1 :], name[:at] + "z" + name[at:], name[:at] + "z" + name[at + 1 :]])
    )
    assert closest(slip, [name]) == name


@given(st.text(max_size=30), st.lists(st.text(max_size=10), max_size=5))
def test_what_is_offered_is_always_known(word: str, known: list[str]) -> None:
    assert closest(word, known) in {None, *known}
