"""ALC and CST: weights from scores, and which bounds weights break; C-43 and C-44, what was wrong with both."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.strategies import LONG_ONLY, Bound, Bounds, Rejection, StrategyError, broken, share_out, shares

FREE = Bounds()


def hundredths(**weights: int) -> dict[str, Fraction]:
    return {symbol: Fraction(weight, 100) for symbol, weight in weights.items()}


@pytest.mark.parametrize(
    ("scores", "weights"),
    [
        pytest.param({}, {}, id="ALC-02 nothing"),
        pytest.param({"SPY": 2}, {"SPY": 100}, id="ALC-02 one"),
        pytest.param({"SPY": 1, "QQQ": 1}, {"SPY": 50, "QQQ": 50}, id="ALC-02 two"),
        pytest.param({"SPY": -1}, {"SPY": -100}, id="ALC-02 short"),
        pytest.param({"SPY": 1, "TLT": -1}, {"SPY": 50, "TLT": -50}, id="ALC-02 both ways"),
        pytest.param({"SPY": 0, "TLT": 0}, {}, id="ALC-02 zeros"),
    ],
)
def test_weights_are_in_proportion_to_scores(scores: Mapping[str, int], weights: Mapping[str, int]) -> None:
    found = share_out(scores, FREE)
    assert found.weights == hundredths(**weights)
    assert (found.gross, found.rejected) == (1 if weights else 0, {})


def test_alc_03_the_largest_scores_stay_and_the_others_are_named() -> None:
    found = share_out({"SPY": 3, "QQQ": 1, "TLT": Fraction(1, 2)}, Bounds(most=1))
    assert found.weights == {"SPY": 1}
    assert found.rejected == {"QQQ": Rejection.TOO_MANY, "TLT": Rejection.TOO_MANY}


def test_alc_04_no_weight_is_above_the_single_bound_on_either_side() -> None:
    assert share_out({"SPY": 10}, Bounds(single=Fraction(3, 10))).weights == hundredths(SPY=30)
    assert share_out({"TLT": -5}, Bounds(single=Fraction(1, 4))).weights == hundredths(TLT=-25)


def test_alc_06_six_equal_longs_get_a_sixth_each() -> None:
    assert set(share_out(dict.fromkeys("ABCDEF", 1), LONG_ONLY).weights.values()) == {Fraction(1, 6)}


@pytest.mark.parametrize(
    ("weights", "bounds", "expected"),
    [
        pytest.param({"SPY": 30}, Bounds(single=Fraction(1, 5)), [(Bound.SINGLE, "SPY")], id="CST-01 too large"),
        pytest.param({"SPY": -15}, Bounds(shorts=False), [(Bound.SHORT, "SPY")], id="CST-01 too small"),
        pytest.param({"SPY": 60, "QQQ": 60}, Bounds(gross=1), [(Bound.GROSS, "")], id="CST-01 gross"),
        pytest.param({"SPY": 40, "QQQ": 40}, Bounds(net=Fraction(1, 2)), [(Bound.NET, "")], id="CST-01 net"),
        pytest.param(dict.fromkeys("ABCDE", 20), LONG_ONLY, [], id="CST-01 preset"),
        pytest.param({"SPY": -10}, LONG_ONLY, [(Bound.SHORT, "SPY")], id="CST-01 preset, short"),
        pytest.param({}, LONG_ONLY, [], id="CST-01 nothing"),
    ],
)
def test_every_bound_that_is_broken_is_named(
    weights: Mapping[str, int], bounds: Bounds, expected: list[tuple[Bound, str]]
) -> None:
    assert broken(hundredths(**weights), bounds) == expected


@pytest.mark.parametrize(
    ("weights", "bounds", "expected"),
    [
        pytest.param({"SPY": 40, "QQQ": 40}, {"sector_gross": 60}, [(Bound.SECTOR_GROSS, "EQUITY")], id="CST-02 gross"),
        pytest.param({"SPY": 20, "QQQ": 10}, {"sector_net": 20}, [(Bound.SECTOR_NET, "EQUITY")], id="CST-02 net"),
        pytest.param({"SPY": 20, "QQQ": 20}, {"sector_gross": 50}, [], id="CST-02 within"),
        # The original let a symbol of no sector pass: C-44.
        pytest.param({"TLT": 90}, {"sector_gross": 60}, [(Bound.SECTOR_UNKNOWN, "TLT")], id="CST-02 unmapped"),
        pytest.param({"SPY": 30, "QQQ": -25}, {"sector_gross": 60, "sector_net": 10}, [], id="CST-02 both ways"),
    ],
)
def test_sectors_are_bounded_together(
    weights: Mapping[str, int], bounds: Mapping[str, int], expected: list[tuple[Bound, str]]
) -> None:
    limits = {name: {"EQUITY": Fraction(value, 100)} for name, value in bounds.items()}
    sectors = {"SPY": "EQUITY", "QQQ": "EQUITY"}
    assert broken(hundredths(**weights), Bounds(**limits), sectors=sectors) == expected  # type: ignore[arg-type] # two of its bounds


def test_cst_04_a_weight_and_the_turnover_are_told_together() -> None:
    found = broken(
        hundredths(QQQ=50),
        Bounds(single=Fraction(3, 10), turnover=Fraction(1, 10)),
        before=hundredths(SPY=50),
    )
    assert found == [(Bound.SINGLE, "QQQ"), (Bound.TURNOVER, "")]


EXACT = st.fractions(-5, 5, max_denominator=40)
SCORES = st.dictionaries(st.sampled_from("ABCDEFGH"), EXACT, max_size=8)
SHARE = st.fractions(0, 2, max_denominator=20)
BOUNDS = st.builds(
    Bounds,
    single=st.none() | SHARE,
    gross=st.none() | SHARE,
    net=st.none() | SHARE,
    most=st.none() | st.integers(1, 8),
    shorts=st.booleans(),
)


@given(scores=SCORES, bounds=BOUNDS)
def test_c43_what_is_shared_out_breaks_no_bound_in_whatever_order_candidates_come(
    scores: dict[str, Fraction], bounds: Bounds
) -> None:
    found = share_out(scores, bounds)
    assert broken(found.weights, bounds) == []
    assert found.gross <= 1
    assert bounds.most is None or len(found.weights) <= bounds.most
    assert all((weight > 0) == (scores[symbol] > 0) for symbol, weight in found.weights.items())
    for names in list(permutations(scores))[:24]:
        assert share_out({name: scores[name] for name in names}, bounds) == found


def test_c43_what_a_bound_cuts_off_goes_to_the_others() -> None:
    found = share_out({"A": 8, "B": 1, "C": 1}, Bounds(single=Fraction(2, 5)))
    assert found.weights == hundredths(A=40, B=30, C=30)


def test_c43_too_large_a_net_makes_the_heavier_side_lighter_and_removes_nobody() -> None:
    found = share_out({"A": 5, "B": 3, "C": -2}, Bounds(net=Fraction(1, 2)))
    assert found.weights == {"A": Fraction(7, 16), "B": Fraction(21, 80), "C": Fraction(-1, 5)}
    assert found.net == Fraction(1, 2)


def test_c43_long_only_is_long_only() -> None:
    found = share_out({"A": 1, "B": -1}, LONG_ONLY)
    assert (found.weights, found.rejected) == (hundredths(A=20), {"B": Rejection.SHORT})


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.2, "1", True])
def test_c44_what_is_no_exact_number_is_refused_by_name(number: object) -> None:
    for attempt in (
        lambda: share_out({"SPY": number}, FREE),  # type: ignore[dict-item] # the mistake
        lambda: broken({"SPY": number}, FREE),  # type: ignore[dict-item] # the mistake
        lambda: Bounds(single=number),  # type: ignore[arg-type] # the mistake
    ):
        with pytest.raises(StrategyError, match=r"`SPY`|`single`"):
            attempt()


@given(
    weights=st.dictionaries(st.sampled_from("ABCD"), st.fractions(-1, 1, max_denominator=50)),
    equity=st.integers(-(10**9), 10**13),
    price=st.integers(1, 10**9),
    lot=st.integers(1, 100),
)
def test_shares_are_whole_lots_and_never_worth_more_than_the_weight(
    weights: dict[str, Fraction], equity: int, price: int, lot: int
) -> None:
    found = shares(weights, equity, dict.fromkeys(weights, price), lot)
    for symbol, weight in weights.items():
        size = abs(found[symbol])
        assert size % lot == 0
        assert size * price <= abs(weight) * max(equity, 0) < (size + lot) * price or weight == 0 == size
        assert found[symbol] * weight >= 0


def test_shares_need_a_price() -> None:
    with pytest.raises(StrategyError, match="`SPY` has no price"):
        shares({"SPY": Fraction(1, 2)}, 1_000_000, {})
