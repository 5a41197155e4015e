"""Invariants of the demo's data: four stocks, the same bytes every time, readable as any other bars.

Reading itself is tested in test_reader.py.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from mqk.market import SampleDataError, calendar_of, demo_bars, read_bars
from mqk.quantity import MICROS

needs_samples = pytest.mark.skipif(
    importlib.util.find_spec("bokeh_sampledata") is None, reason="the extra mqk[demo] is not installed"
)


@needs_samples
def test_the_demo_has_four_stocks_without_a_missing_day(tmp_path: Path) -> None:
    paths = demo_bars(tmp_path / "bars")
    assert [path.name for path in paths] == ["AAPL_1D.csv", "GOOG_1D.csv", "IBM_1D.csv", "MSFT_1D.csv"]
    bars, calendar = read_bars(paths), calendar_of("XNYS")
    assert len(bars) == 3 * 3270 + 2148
    for symbol in ("AAPL", "GOOG", "IBM", "MSFT"):
        own = [bar for bar in bars if bar.symbol == symbol]
        for one, other in pairwise(own):
            assert calendar.missing_bars(one.end, other.end, "1D") == 0
            assert one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high


@needs_samples
def test_splits_leave_no_jump_in_the_demo(tmp_path: Path) -> None:
    bars = [bar for bar in read_bars(demo_bars(tmp_path)) if bar.symbol == "AAPL"]
    assert bars[0].close == round(4.186662803811 * MICROS)
    worst = max(abs(other.close - one.close) * 100 // one.close for one, other in pairwise(bars))
    # The real one: 29 September 2000. The splits of 2000 and 2005 would show as 50 % each.
    assert worst == 51
    assert sum(abs(other.close - one.close) * 100 // one.close > 40 for one, other in pairwise(bars)) == 1


@needs_samples
def test_the_demo_writes_the_same_bytes_every_time(tmp_path: Path) -> None:
    first, second = (
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in demo_bars(tmp_path / name)] for name in ("a", "b")
    )
    assert first == second


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    with pytest.raises(SampleDataError) as caught:
        demo_bars(tmp_path / "bars")
    assert str(caught.value) == "the package `bokeh_sampledata` is not installed: install the extra `mqk[demo]`"
    assert not (tmp_path / "bars").exists()
