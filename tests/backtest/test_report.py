"""The report: one page that needs nothing else, whose every figure is the run's; and what stresses leave beside it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from fractions import Fraction
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mqk.backtest import BacktestError, artifacts_sha256, run_backtest, run_battery
from mqk.backtest.report import report_html, series
from mqk.backtest.report.charts import Line, line_chart, thinned, ticks
from mqk.market import Bar
from tests.backtest.test_run import restless
from tests.backtest.worlds import walk
from tests.engine.worlds import USD, guards, host, shipped

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "link", "br", "hr", "img", "input"}
LOADS = {"src", "srcset", "data", "poster", "action", "formaction", "background", "ping", "cite"}


class Page(HTMLParser):
    """What is checked of a page: that its elements nest, what it would load, the ids it has and speaks of, its text."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.spoken_of: set[str] = set()
        self.loads: list[str] = []
        self.text: list[str] = []
        self.scripts = 0
        self.headings: list[int] = []
        self.unnamed = 0
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.scripts += tag == "script"
        self.loads += [str(value) for name, value in attrs if name in LOADS]
        if tag == "link":
            self.loads += [str(given["href"])]
        if "id" in given:
            self.ids.append(str(given["id"]))
        self.spoken_of |= set(str(given.get("aria-labelledby") or "").split())
        if tag == "svg" and not (given.get("role") == "img" and given.get("aria-labelledby")):
            self.unnamed += 1
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def bars() -> list[Bar]:
    return walk(["AAPL", "MSFT", "SPY"], 120, 11, swing=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, bars: list[Bar]) -> Path:
    """A run that trades and is refused, with two stresses."""
    out = tmp_path_factory.mktemp("report") / "run"
    stresses = {name: guards(overlays=(name,)) for name in ("slippage_x2", "latency_high")}
    run_battery(guards(), stresses, bars, out=out, host=lambda: host(restless, 2))
    return out


def test_the_page_needs_nothing_else_and_nests(folder: Path) -> None:
    content = (folder / "report.html").read_bytes()
    page = Page(content)
    assert page.open == []
    assert page.scripts == 0
    assert [each for each in page.loads if not each.startswith("data:")] == []
    assert re.findall(rb"https?://|@import|url\(", content) == []
    assert b"default-src 'none'" in content


def test_the_page_can_be_read_without_seeing_it(folder: Path) -> None:
    page = Page((folder / "report.html").read_bytes())
    assert page.unnamed == 0
    assert page.spoken_of <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(page.headings))
    content = (folder / "report.html").read_text()
    assert '<html lang="en">' in content
    assert "prefers-color-scheme: dark" in content


def test_what_stands_on_the_page_is_what_the_run_came_to(folder: Path) -> None:
    text = " ".join(" ".join(Page((folder / "report.html").read_bytes()).text).split())
    metrics = json.loads((folder / "metrics.json").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    for told in (
        manifest["run_id"],
        manifest["bundle"]["sha256"],
        manifest["data"]["sha256"],
        f"{metrics['orders']:,}",
    ):
        assert told in text
    assert f"${round(metrics['final_equity_micros'] / USD):,}" in text
    assert f"{metrics['denied']:,} intents were denied" in text
    for rule, count in metrics["denied_by_rule"].items():
        assert f"{rule} {count:,}" in text
    for name in ("slippage_x2", "latency_high"):
        stressed = json.loads((folder / "stress" / name / "metrics.json").read_text())
        assert f"{name} ${round(stressed['final_equity_micros'] / USD):,}" in text


def test_one_run_has_one_page(folder: Path, bars: list[Bar]) -> None:
    def files(of: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in of.iterdir() if path.is_file()}

    stressed = {path.name: files(path) for path in (folder / "stress").iterdir()}
    backwards = dict(reversed(stressed.items()))
    assert report_html(files(folder), bars[::-1], backwards) == (folder / "report.html").read_bytes()


def test_what_was_held_adds_up_to_the_books(folder: Path, bars: list[Bar]) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    days = series.daily(series.curve(files))
    found = series.exposures(series.audit(files), bars, days)
    assert len(found) == len(days) == 120
    for exposure, point in zip(found, days, strict=True):
        assert exposure.net == point.equity - point.cash
        assert exposure.largest <= exposure.gross
    assert max(each.gross for each in found) > 0


def test_trades_of_the_page_gain_what_the_books_realised(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    metrics = json.loads(files["metrics.json"])
    found = series.trades(series.audit(files))
    assert len(found) == metrics["trades"] > 3
    assert sum(each.gain > 0 for each in found) == metrics["winning_trades"]
    realised = Fraction(metrics["realised"].removesuffix(" USD").replace("_", ""))
    assert sum(each.gain for each in found) == realised * USD


def test_months_and_years_compound_to_the_whole(folder: Path) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    days = series.daily(series.curve(files))
    initial = 100_000 * USD
    by_month = series.months(initial, days)
    whole = Fraction(days[-1].equity, initial)
    for growth in (
        [gain for year in by_month.values() for gain in year.values()],
        list(series.years(initial, days).values()),
    ):
        product = Fraction(1)
        for gain in growth:
            assert gain is not None
            product *= 1 + gain
        assert product == whole


def test_drawdown_is_measured_from_the_highest_until_then() -> None:
    for unit in (1, 10**12, 10**16):
        equity = np.array([100 * unit, 120 * unit, 90 * unit, 120 * unit, 60 * unit], np.int64)
        points = series.Points(np.arange(5), equity, equity)
        assert series.drawdowns(110 * unit, points).tolist() == [90_909, 0, 250_000, 0, 500_000]


def test_only_caps_that_always_block_are_drawn(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {cap.rule: cap.measure for cap in series.caps(manifest)} == {
        "CAP-01": "position_value",
        "CAP-02": "gross_exposure",
        "CAP-06": "gross_exposure",
    }
    manifest["bundle"]["content"]["rules"]["CAP-01"]["when"] = "order.side == BUY"
    manifest["bundle"]["content"]["rules"]["CAP-02"]["enforce"] = "shadow"
    assert [cap.rule for cap in series.caps(manifest)] == ["CAP-06"]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-5, 5), (999_999, 1_000_001), (-(10**15), 3), (0, 10**12)])
def test_ticks_are_few_round_and_hold_everything(low: int, high: int) -> None:
    found = ticks(low, high)
    assert found[0] <= low < high <= found[-1]
    assert 2 <= len(found) <= 8
    step = found[1] - found[0]
    assert str(step).strip("0") in {"1", "2", "5"}
    assert {later - earlier for earlier, later in pairwise(found)} == {step}


def test_thinning_keeps_every_extreme() -> None:
    points = [(i, 0) for i in range(100_000)]
    points[54_321], points[77_777] = (54_321, 9), (77_777, -9)
    columns = np.array(points, np.int64)
    found = thinned(columns[:, 0], columns[:, 1])
    assert len(found) < 2_000
    assert {points[54_321], points[77_777], points[0], points[-1]} <= set(found)
    assert found == sorted(found)


def test_what_a_run_is_called_cannot_break_out_of_the_page() -> None:
    picture = line_chart("<b>&", '"><script>', [Line("</title>", [(0, 1), (1, 2)], "equity")], lambda v: f"<{v}")
    assert "<script" not in picture
    assert "<b>" not in picture
    assert picture.count("</title>") == 2


def test_a_run_that_did_nothing_has_a_page(tmp_path: Path) -> None:
    run_backtest(shipped(), walk(["SPY"], 1, 3), out=tmp_path / "run", host=host(lambda _: None))
    text = " ".join(Page((tmp_path / "run" / "report.html").read_bytes()).text)
    assert "No intent was denied." in text
    assert "Nothing was closed." in text


def test_stresses_lie_beside_their_run_and_are_replaced_with_it(folder: Path, tmp_path: Path, bars: list[Bar]) -> None:
    out = Path(shutil.copytree(folder, tmp_path / "run"))
    assert sorted(path.name for path in (out / "stress").iterdir()) == ["latency_high", "slippage_x2"]
    alone = run_backtest(guards(), bars, host=host(restless, 2))
    own = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert artifacts_sha256(own) == alone.artifacts_sha256
    run_battery(guards(), {}, bars, out=out, host=lambda: host(restless, 2))
    assert not (out / "stress").exists()
    Path(shutil.copytree(folder / "stress", out / "stress"))
    (out / "stress" / "slippage_x2" / "notes.txt").write_text("mine")
    with pytest.raises(BacktestError, match=r"stress/slippage_x2/notes\.txt"):
        run_battery(guards(), {}, bars, out=out, host=lambda: host(restless, 2))
    assert (out / "stress" / "slippage_x2" / "notes.txt").read_text() == "mine"


@pytest.mark.skipif(
    CHROMIUM is None and "CI" not in os.environ,
    reason="no Chromium here; where changes are judged it has to be there (`.ci/run` installs it)",
)
def test_a_browser_shows_the_page_without_a_word_of_complaint(folder: Path, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    command += [f"--user-data-dir={tmp_path}", "--dump-dom", (folder / "report.html").resolve().as_uri()]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120, text=True)
    assert "CONSOLE" not in done.stderr
    shown = Page(done.stdout.encode())
    assert shown.open == []
    assert "Exposure against its caps" in " ".join(shown.text)
