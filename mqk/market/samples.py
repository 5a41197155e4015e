"""The demo's data: real daily bars of four stocks, 2000 to 2013, from the package bokeh_sampledata.

Written as files of the daily shape, so that the demo reads them as it would read any other. Nothing is downloaded.
"""

from __future__ import annotations

import csv
import gzip
import io
from fractions import Fraction
from importlib import resources
from typing import TYPE_CHECKING, Final

from mqk.market.errors import SampleDataError
from mqk.quantity import MICROS, Rounding, divide

if TYPE_CHECKING:
    from pathlib import Path

# FB is in the data too, but with 196 days it would leave every indicator of the demo without history.
SYMBOLS: Final = ("AAPL", "GOOG", "IBM", "MSFT")
_HELP: Final = "install the extra `mqk[demo]`"


def demo_bars(directory: Path) -> list[Path]:
    """Write one csv per symbol (`AAPL_1D.csv`, ...) into `directory`, which is made if need be; return their paths.

    Prices are adjusted for splits and dividends by the data's own adjusted close: each times adjusted close over
    close, exact, then rounded half to even to six decimals. Volumes stay as they are. The same bytes every time.
    Raises SampleDataError when bokeh_sampledata is not installed or does not hold these stocks.
    """
    series: dict[str, list[str]] = {symbol: [] for symbol in SYMBOLS}
    for row in csv.DictReader(io.StringIO(_stocks())):
        lines = series.get(row["Ticker"])
        if lines is not None:
            lines.append(_adjusted(row))
    empty = [symbol for symbol, lines in series.items() if not lines]
    if empty:
        raise SampleDataError(f"bokeh_sampledata has no bars of {', '.join(empty)}", _HELP)
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    for symbol, lines in series.items():
        path = directory / f"{symbol}_1D.csv"
        path.write_bytes("\n".join(["date,open,high,low,close,volume", *sorted(lines), ""]).encode("ascii"))
        paths.append(path)
    return paths


def _stocks() -> str:
    try:
        raw = (resources.files("bokeh_sampledata") / "_data" / "stocks.csv.gz").read_bytes()
    except ModuleNotFoundError as error:
        raise SampleDataError("the package `bokeh_sampledata` is not installed", _HELP) from error
    except FileNotFoundError as error:
        raise SampleDataError("the package `bokeh_sampledata` has no stocks.csv.gz", _HELP) from error
    return gzip.decompress(raw).decode("ascii")


def _adjusted(row: dict[str, str]) -> str:
    """One line of the daily shape. Rounding never changes the order of two prices, so the bar stays sane if it was."""
    ratio = Fraction(row["Adj Close"]) / Fraction(row["Close"])
    prices = []
    for column in ("Open", "High", "Low", "Close"):
        exact = Fraction(row[column]) * ratio * MICROS
        micros = divide(exact.numerator, exact.denominator, Rounding.HALF_EVEN)
        prices.append(f"{micros // MICROS}.{micros % MICROS:06d}")
    return ",".join([row["Date"], *prices, row["Volume"]])
