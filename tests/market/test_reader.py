"""Invariants of reading bars: every number exact, every problem named at its place, the order of files irrelevant.

Splits and dividends are tested in test_adjust.py, single fields in test_fields.py.
"""

from __future__ import annotations

import gzip
import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.market import TIMEFRAMES, Bar, BarDataError, CalendarError, calendar_of, data_sha256, read_bars
from mqk.quantity import MICROS, format_instant, parse_instant

HOURLY = "ts_close_utc,open,high,low,close,volume\n"
DAILY = "date,open,high,low,close,volume\n"
CONTRACT = "symbol,timeframe,end_ts,open,high,low,close,volume,is_complete\n"
TWO_HOURS = HOURLY + (
    "2026-01-05T15:00:00Z,470.00,470.90,469.75,470.65,100000\n2026-01-05T16:00:00Z,470.65,471.45,470.40,471.2,0\n"
)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not beside this checkout")

BARS = st.lists(
    st.builds(
        Bar,
        symbol=st.sampled_from(["SPY", "QQQ", "BRK.B"]),
        end=st.integers(0, 4 * 10**9).map(lambda seconds: seconds * MICROS),
        open=st.integers(0, 2**63 - 1),
        high=st.integers(0, 10**9),
        low=st.integers(0, 10**9),
        close=st.integers(0, 10**9),
        volume=st.integers(0, 2**63 - 1),
        complete=st.booleans(),
        timeframe=st.sampled_from(sorted(TIMEFRAMES)),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda bar: (bar.end, bar.symbol, bar.timeframe),
)


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def price(micros: int) -> str:
    return f"{micros // MICROS}.{micros % MICROS:06d}"


def row(bar: Bar) -> str:
    prices = ",".join(price(micros) for micros in (bar.open, bar.high, bar.low, bar.close))
    flag = "true" if bar.complete else "false"
    return f"{bar.symbol},{bar.timeframe},{bar.end // MICROS},{prices},{bar.volume},{flag}\n"


def problems(*paths: Path | str, **options: str) -> list[tuple[str, int, int, str]]:
    with pytest.raises(BarDataError) as caught:
        read_bars(paths, **options)  # type: ignore[arg-type]
    return [(Path(one.file).name, one.line, one.column, one.message) for one in caught.value.problems]


@settings(deadline=None)
@given(BARS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_bars_read_back_exactly_however_they_are_spread_over_files(
    bars: list[Bar], shuffle: random.Random, count: int
) -> None:
    expected = sorted(bars, key=lambda bar: (bar.end, bar.symbol, bar.timeframe))
    shuffle.shuffle(bars)
    with TemporaryDirectory() as name:
        parts = [bars[start::count] for start in range(min(count, len(bars)))]
        paths = [
            write(Path(name), f"part{number}.csv", CONTRACT + "".join(map(row, part)))
            for number, part in enumerate(parts)
        ]
        read = read_bars(paths)
        assert read == expected
        assert data_sha256(read) == data_sha256(expected) == data_sha256(read_bars([Path(name)]))


@given(BARS, st.data())
def test_the_hash_changes_with_any_field_of_any_bar(bars: list[Bar], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(bars) - 1))
    bar = bars[position]
    changed = data.draw(
        st.sampled_from(
            [
                replace(bar, symbol="OTHER"),
                replace(bar, end=bar.end + 1),
                replace(bar, open=bar.open ^ 1),
                replace(bar, high=bar.high + 1),
                replace(bar, low=bar.low + 1),
                replace(bar, close=bar.close + 1),
                replace(bar, volume=bar.volume ^ 1),
                replace(bar, complete=not bar.complete),
                replace(bar, timeframe="1m" if bar.timeframe != "1m" else "5m"),
            ]
        )
    )
    other = [*bars[:position], changed, *bars[position + 1 :]]
    assert data_sha256(other) != data_sha256(bars)
    assert data_sha256([*bars, bar]) != data_sha256(bars)


def test_the_hash_of_given_bars_never_changes_between_versions() -> None:
    bars = [Bar("SPY", 1_767_625_200_000_000, 470_000_000, 470_900_000, 469_750_000, 470_650_000, 100_000, True, "1H")]
    assert data_sha256(bars) == "bae5577db67efab2785e65f0672b1c2b4c8770ce1301b6f2015dbc6a58296c9d"
    assert data_sha256([]) != data_sha256(bars)


def test_hours_are_read_with_the_timeframe_of_their_spacing(tmp_path: Path) -> None:
    path = write(tmp_path, "SPY_1h.csv", TWO_HOURS)
    assert read_bars([path]) == [
        Bar(
            "SPY",
            parse_instant("2026-01-05T15:00:00Z"),
            470_000_000,
            470_900_000,
            469_750_000,
            470_650_000,
            100_000,
            True,
            "1H",
        ),
        Bar(
            "SPY",
            parse_instant("2026-01-05T16:00:00Z"),
            470_650_000,
            471_450_000,
            470_400_000,
            471_200_000,
            0,
            True,
            "1H",
        ),
    ]


@pytest.mark.parametrize(
    ("first", "second", "timeframe"),
    [
        ("2026-01-05T15:00:00Z", "2026-01-05T15:01:00Z", "1m"),
        ("2026-01-05T15:00:00Z", "2026-01-05T15:30:00Z", "30m"),
        ("2026-01-05T21:00:00Z", "2026-01-06T21:00:00Z", "1D"),
        # A half day after a full one, and the day the clocks go forward.
        ("2024-07-02T20:00:00Z", "2024-07-03T17:00:00Z", "1D"),
        ("2024-03-08T21:00:00Z", "2024-03-11T20:00:00Z", "1D"),
    ],
)
def test_the_timeframe_is_the_smallest_spacing(tmp_path: Path, first: str, second: str, timeframe: str) -> None:
    text = HOURLY + f"{first},1,1,1,1,1\n{second},1,1,1,1,1\n"
    assert {bar.timeframe for bar in read_bars([write(tmp_path, "A.csv", text)])} == {timeframe}


def test_a_day_ends_at_the_close_of_its_session(tmp_path: Path) -> None:
    text = DAILY + "2024-07-03,1,2,1,2,5\n2024-07-05,1,2,1,2,5\n"
    bars = read_bars([write(tmp_path, "SPY_1D.csv", text)])
    assert [format_instant(bar.end) for bar in bars] == ["2024-07-03T17:00:00Z", "2024-07-05T20:00:00Z"]
    always = read_bars([tmp_path], calendar=calendar_of("24/7"))
    assert format_instant(always[0].end) == "2024-07-04T00:00:00Z"


def test_files_may_be_zipped_marked_and_from_another_system(tmp_path: Path) -> None:
    plain = read_bars([write(tmp_path, "SPY_1h.csv", TWO_HOURS)])
    other = tmp_path / "other"
    other.mkdir()
    text = TWO_HOURS.replace("\n", "\r\n").replace("open", "OPEN") + "\r\n"
    (other / "SPY_1h.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.encode()))
    assert read_bars([other]) == plain


def test_columns_may_stand_in_any_order(tmp_path: Path) -> None:
    text = "volume,close,low,high,open,ts_close_utc\n" + "\n".join(
        ",".join(reversed(line.split(","))) for line in TWO_HOURS.splitlines()[1:]
    )
    assert read_bars([write(tmp_path, "A.csv", text)]) == read_bars([write(tmp_path, "A_2.csv", TWO_HOURS)])


def test_the_symbol_is_given_before_it_is_guessed(tmp_path: Path) -> None:
    path = write(tmp_path, "bars_1h_trend_up.csv", TWO_HOURS)
    assert {bar.symbol for bar in read_bars([f"SPY={path}"])} == {"SPY"}
    assert {bar.symbol for bar in read_bars([path], symbol="QQQ")} == {"QQQ"}
    assert {bar.symbol for bar in read_bars([f"SPY={path}"], symbol="QQQ")} == {"SPY"}
    with pytest.raises(BarDataError) as caught:
        read_bars([path])
    assert caught.value.problems[0].help == f"write `--bars SPY={path}`"


def test_every_problem_of_every_file_is_named_at_its_place(tmp_path: Path) -> None:
    hours = write(
        tmp_path,
        "SPY_1h.csv",
        HOURLY
        + "2026-01-05T15:00:00Z,470.00,470.90,469.75,470.65,100000\n"
        + "2026-01-05 16:00,470.65,-471.45,470.40,4e2,1.5\n"
        + "2026-01-05T17:00:00Z,470.65,471.45\n",
    )
    days = write(tmp_path, "QQQ_1D.csv", DAILY + "2024-07-04,1,2,1,2,5\n2024-02-30,1,2,1.1234567,2,\n")
    assert problems(hours, days, tmp_path / "absent.csv") == [
        ("SPY_1h.csv", 3, 1, "ts_close_utc: expected an instant, found `2026-01-05 16:00`"),
        ("SPY_1h.csv", 3, 25, "high: expected a price, found `-471.45`"),
        ("SPY_1h.csv", 3, 40, "close: expected a price, found `4e2`"),
        ("SPY_1h.csv", 3, 44, "volume: expected a volume, found `1.5`"),
        ("SPY_1h.csv", 4, 1, "expected 6 fields, found 3"),
        ("QQQ_1D.csv", 2, 1, "date: expected a session of XNYS, found `2024-07-04`"),
        ("QQQ_1D.csv", 3, 1, "date: expected a date, found `2024-02-30`"),
        ("QQQ_1D.csv", 3, 16, "low: expected a price of at most 6 decimals, found `1.1234567`"),
        ("QQQ_1D.csv", 3, 28, "volume: expected a volume, found ``"),
        ("absent.csv", 1, 1, "no such file"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "message"),
    [
        ("A.csv", "", 1, 1, "the first line is not the header of a bar file"),
        ("A.csv", "when,open\n", 1, 1, "the first line is not the header of a bar file"),
        ("A.csv", "date,open,high,low,close,volume,dividnd\n", 1, 33, "unknown column `dividnd`"),
        ("A.csv", "date,open,open,high,low,close,volume\n", 1, 11, "the column `open` is there twice"),
        ("A.csv", "date,open,high,low\n", 1, 1, "missing columns `close, volume`"),
        ("A.csv", DAILY, 1, 1, "the file has no bars"),
        ("A.csv", HOURLY + "2026-01-05T15:00:00Z,1,1,1,1,1\n", 1, 1, "one bar does not tell its timeframe"),
        ("A.csv", DAILY + "2026-01-05,1,1,1,1,٣\n", 2, 20, "expected plain ASCII, found byte 0xd9"),
        ("A.csv", DAILY + '"2026-01-05",1,1,1,1,1\n', 2, 1, 'date: expected a date, found `"2026-01-05"`'),
        ("A.csv", CONTRACT + "spy,1m,60,1,1,1,1,1,true\n", 2, 1, "symbol: expected a symbol, found `spy`"),
        ("A.csv", CONTRACT + "SPY,2m,60,1,1,1,1,1,true\n", 2, 5, "timeframe: expected a timeframe, found `2m`"),
        ("A.csv", CONTRACT + "SPY,1m,-60,1,1,1,1,1,true\n", 2, 8, "end_ts: expected seconds since 1970, found `-60`"),
        (
            "A.csv",
            CONTRACT + "SPY,1m,60,1,1,1,1,1,maybe\n",
            2,
            21,
            "is_complete: expected true or false, found `maybe`",
        ),
        (
            "A.csv",
            CONTRACT + "SPY,1m,60,9999999999999,1,1,1,1,1\n",
            2,
            11,
            "open: `9999999999999` does not fit in 64 bits",
        ),
        ("A.csv.gz", "not gzip", 1, 1, "cannot be read: Not a gzipped file (b'no')"),
        ("bars.csv", DAILY + "2026-01-05,1,1,1,1,1\n", 1, 1, "the file's name does not begin with a symbol"),
    ],
)
def test_a_file_that_is_no_bar_file_is_refused(
    tmp_path: Path, name: str, text: str, line: int, column: int, message: str
) -> None:
    assert problems(write(tmp_path, name, text)) == [(name, line, column, message)]


def test_bars_of_no_known_spacing_are_refused(tmp_path: Path) -> None:
    text = HOURLY + "2026-01-05T15:00:00Z,1,1,1,1,1\n2026-01-05T15:02:00Z,1,1,1,1,1\n"
    assert problems(write(tmp_path, "A.csv", text)) == [("A.csv", 1, 1, "bars 2m apart are of no known timeframe")]


def test_two_bars_that_end_together_are_refused_wherever_they_are(tmp_path: Path) -> None:
    write(tmp_path, "SPY_1.csv", TWO_HOURS)
    seconds = parse_instant("2026-01-05T16:00:00Z") // MICROS
    write(tmp_path, "all.csv", CONTRACT + f"SPY,1H,{seconds},1,1,1,1,1,true\nSPY,1m,{seconds},1,1,1,1,1,true\n")
    expected = "a second bar of SPY 1H that ends at 2026-01-05T16:00:00Z"
    assert problems(tmp_path) == [("all.csv", 2, 1, expected)]


def test_a_symbol_given_for_a_file_holds_for_its_rows(tmp_path: Path) -> None:
    path = write(tmp_path, "all.csv", CONTRACT + "SPY,1m,60,1,1,1,1,1,true\nQQQ,1m,60,1,1,1,1,1,true\n")
    assert problems(f"SPY={path}") == [("all.csv", 3, 1, "expected the symbol `SPY`, found `QQQ`")]


def test_an_implausible_bar_is_read_because_policies_judge_it(tmp_path: Path) -> None:
    path = write(tmp_path, "A.csv", CONTRACT + "SPY,1m,60,5,1,9,0,0,no\n")
    (bar,) = read_bars([path])
    assert (bar.low > bar.high, bar.close, bar.complete) == (True, 0, False)


def test_a_folder_without_bars_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert problems(tmp_path / "empty") == [("empty", 1, 1, "the folder has no csv or csv.gz file")]


def test_a_long_file_is_read_like_a_short_one_also_when_one_row_is_bad(tmp_path: Path) -> None:
    lines = [f"SPY,1m,{60 * n},{n}.5,{n},{n},{n},{n},1\n" for n in range(20_000)]
    bars = read_bars([write(tmp_path, "A.csv", CONTRACT + "".join(lines))])
    assert [bar.open for bar in bars] == [n * MICROS + 500_000 for n in range(20_000)]
    lines[15_000] = "SPY,1m,x,1,1,1,1,1,1\n"
    lines[17_000] = "\n"
    expected = [("A.csv", 15_002, 8, "end_ts: expected seconds since 1970, found `x`")]
    assert problems(write(tmp_path, "A.csv", CONTRACT + "".join(lines))) == expected


def test_a_long_list_of_problems_is_shown_shortened_and_kept_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "A.csv", CONTRACT + "x\n" * 50)
    with pytest.raises(BarDataError) as caught:
        read_bars([path])
    assert len(caught.value.problems) == 50
    assert str(caught.value).splitlines()[-1] == "… and 30 more"


def test_an_unknown_calendar_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "SPY.csv", DAILY + "2026-01-05,1,1,1,1,1\n")
    with pytest.raises(CalendarError, match="`NYX`"):
        read_bars([path], calendar="NYX")


@needs_shared
def test_every_real_day_is_a_session_and_none_is_missing() -> None:
    bars = read_bars([SHARED / "bars"])
    calendar = calendar_of("XNYS")
    assert len(bars) > 50_000
    previous: dict[str, int] = {}
    for bar in bars:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert calendar.is_session_end(bar.end)
        if bar.symbol in previous:
            assert calendar.missing_bars(previous[bar.symbol], bar.end, "1D") == 0
        previous[bar.symbol] = bar.end


@needs_shared
def test_a_real_price_is_the_recorded_one_and_what_went_ex_stands_beside_it() -> None:
    bars = read_bars([SHARED / "bars" / "AAPL_1D.csv.gz"])
    last = gzip.decompress((SHARED / "bars" / "AAPL_1D.csv.gz").read_bytes()).decode().splitlines()[-1].split(",")
    assert bars[-1].close == Fraction(last[4]) * MICROS
    assert bars[0].close == 38_380_000
    splits = [bar.ex.split for bar in bars if bar.ex is not None and bar.ex.split != 1]
    assert splits == [2, 2, 7, 4]


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "fixtures" / "bars").glob("*.csv")), ids=lambda path: path.stem)
def test_the_recorded_hours_are_read_whole(path: Path) -> None:
    bars = read_bars([f"SPY={path}"])
    calendar = calendar_of("XNYS")
    assert [bar.timeframe for bar in bars] == ["1H"] * 10
    missing = sum(calendar.missing_bars(one.end, other.end, "1H") for one, other in pairwise(bars))
    assert missing == (1 if "missing" in path.stem else 0)
