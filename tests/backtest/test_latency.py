"""Orders that arrive late: a run under the latency stress ends, and a refused cancel is not asked again at once."""

from __future__ import annotations

import pytest

from mqk.backtest import run_backtest
from tests.runtime.world import desk_bars, desk_guards


@pytest.mark.parametrize("seed", [1, 5, 9])
def test_a_cancel_that_crosses_a_fill_is_not_repeated_without_end(seed: int) -> None:
    """A halt at the instant of several fills asks for orders back that have just filled; the market refuses."""
    summary = run_backtest(desk_guards("latency_high"), desk_bars(200, seed=seed))
    assert summary.bars
    assert summary.fills <= summary.orders
