"""The page: what a risk officer looks for first on top, every figure with its unit, nothing from anywhere else.

What lives here: from series to words, tables and the template beside this file. What does not: drawing (charts.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.beside import parted
from mqk.backtest.report import charts, series
from mqk.quantity import MICROS, Rounding, divide, format_instant, parse_money

if TYPE_CHECKING:
    from mqk.market import Bar

Files = Mapping[str, bytes]
_TEMPLATE: Final = "report.html.jinja"
_MOST_TRADES: Final = 200
_NONE: Final = "\N{EN DASH}"
_MINUS: Final = "\N{MINUS SIGN}"
_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_HOLDING: Final = ("halt", "flatten", "disarm", "reduce_only")
_MEASURES: Final = {
    "position_value": "largest position",
    "gross_exposure": "gross exposure",
    "net_exposure": "net exposure",
}


def report_html(files: Files, bars: Sequence[Bar], stressed: Mapping[str, Files] | None = None) -> bytes:
    """The page of a run, from its artifacts and bars. `stressed` are the artifacts of the same under each stress."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only pages pay for it

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(_TEMPLATE).render(_told(files, bars, stressed or {})).encode()


def _told(files: Files, bars: Sequence[Bar], stressed: Mapping[str, Files]) -> dict[str, Any]:
    manifest, metrics = json.loads(files["manifest.json"]), json.loads(files["metrics.json"])
    lines = series.audit(files)
    points = series.curve(files)
    initial = _money(metrics["initial_equity"])
    days = series.daily(points)
    exposures = series.exposures(lines, parted(list(bars))[0], days)
    caps = series.caps(manifest)
    trades = series.trades(lines)
    return {
        "manifest": manifest,
        "metrics": metrics,
        "days": [manifest["data"]["first"][:10], manifest["data"]["last"][:10]],
        "strategies": ", ".join(
            each["id"] + (" (shadow)" if each["shadow"] else "") for each in manifest["strategies"]
        ),
        "verdict": _verdict(metrics),
        "key": _key_figures(metrics),
        "halts": _halts(lines),
        "stale": [(name, at[:10]) for name, at in metrics["stale_positions"].items()],
        "why": {(stop["at"], stop["rule"]): stop["why"] for stop in metrics["stops"]},
        "equity": _equity_chart(initial, points),
        "drawdown": _drawdown_chart(points.at, series.drawdowns(initial, points)),
        "exposure": _exposure_charts(exposures, caps),
        "headroom": _headroom(exposures, caps),
        "denials": _denials(metrics, manifest),
        "denial_bars": charts.bars(
            "Denials by rule",
            f"{metrics['denied']} intents were denied",
            [(rule, count, f"{count:,}") for rule, count in _by_count(metrics["denied_by_rule"])[:12]],
        ),
        "trades": [_trade(each) for each in trades[-_MOST_TRADES:]][::-1],
        "trade_count": len(trades),
        "months": _MONTHS,
        "years": _monthly(initial, days),
        "figures": _figures(metrics),
        "stress": _stress(metrics, stressed),
    }


def _verdict(metrics: Mapping[str, Any]) -> tuple[str, str]:
    """How it ended, and in which tone to say so."""
    if metrics["failed"] is not None:
        return f"ended early: {metrics['failed']}", "bad"
    if metrics["posture"] != "NORMAL":
        rules = ", ".join(each["rule"] for each in metrics["held"])
        return f"{metrics['posture']} at the end, held by {rules}", "bad"
    if metrics["halts"]:
        times = "once" if metrics["halts"] == 1 else f"{metrics['halts']:,} times"
        return f"stopped {times} on the way, free to trade at the end", "warn"
    return "never stopped, free to trade at the end", "good"


def _key_figures(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Final equity", _dollars(_money(metrics["final_equity"]))),
        ("Return", _percent(metrics["total_return"], signed=True)),
        ("Max drawdown", _percent(metrics["max_drawdown"])),
        ("Sharpe", _NONE if metrics["sharpe"] is None else f"{metrics['sharpe']:.2f}"),
        ("Denied", f"{metrics['denied']:,}"),
        ("Halts", f"{metrics['halts']:,}"),
        ("Orders", f"{metrics['orders']:,}"),
        ("Fees", _dollars(_money(metrics["fees"]))),
    ]


def _halts(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Every outcome that held something: since when, the rule, what it was, and until when."""
    found: list[list[str]] = []
    for line in lines:
        data = line["data"]
        if line["kind"] == "latch_set" and data["outcome"] in _HOLDING:
            found.append([line["at"], data["rule"], data["outcome"], "the end of the run"])
        elif line["kind"] == "latch_lifted":
            for each in reversed(found):
                if each[1] == data["rule"] and each[3] == "the end of the run":
                    each[3] = line["at"]
                    break
    return [(each[0], each[1], each[2], each[3]) for each in found]


def _equity_chart(initial: int, points: series.Points) -> str:
    final = int(points.equity[-1]) if len(points.equity) else initial
    return charts.line_chart(
        "Equity",
        f"Equity from {_dollars(initial)} to {_dollars(final)}",
        [charts.Line("equity", charts.thinned(points.at, points.equity), "equity")],
        _dollars,
        levels=[charts.Level("capital", initial, "quiet")],
        height=240,
    )


def _drawdown_chart(at: Any, drawdowns: Any) -> str:
    worst = int(drawdowns.max(initial=0))
    return charts.line_chart(
        "Drawdown",
        f"Fall from the highest equity until then; {_millionths(worst)} at its worst",
        [charts.Line("drawdown", charts.thinned(at, -drawdowns), "loss", filled=True)],
        _millionths,
        height=130,
        least=0,
    )


def _exposure_charts(exposures: Sequence[series.Exposure], caps: Sequence[series.Cap]) -> list[tuple[str, str]]:
    """One chart for each thing that a cap is about, with every cap on it."""
    found = []
    for measure, name in _MEASURES.items():
        own = [cap for cap in caps if cap.measure == measure]
        if not own and measure != "gross_exposure":
            continue
        tightest = min((cap.ratio for cap in own), default=None)
        probe = own[0] if own else series.Cap("", measure, "", Fraction(0))
        line = [(each.at, _part(probe.of(each), each.equity)) for each in exposures]
        shown = [cap for cap in own if tightest is None or cap.ratio <= 4 * tightest]
        levels = [charts.Level(f"{cap.rule} {_ratio(cap.ratio)}", _millionth(cap.ratio)) for cap in _apart(shown)]
        most = max((value for _, value in line), default=0)
        told = f"{name} as a part of equity, at the end of each day; at most {_millionths(most)}"
        picture = charts.line_chart(
            name.capitalize(), told, [charts.Line(name, line, "exposure", filled=True)], _millionths,
            levels=levels, height=150, least=0,
        )  # fmt: skip
        found.append((name.capitalize(), picture))
    return found


def _apart(caps: Sequence[series.Cap]) -> list[series.Cap]:
    """Caps of one height as one line with all their names."""
    by_ratio: dict[Fraction, list[str]] = {}
    for cap in caps:
        by_ratio.setdefault(cap.ratio, []).append(cap.rule)
    return [series.Cap(", ".join(rules), "", "", ratio) for ratio, rules in sorted(by_ratio.items())]


def _headroom(exposures: Sequence[series.Exposure], caps: Sequence[series.Cap]) -> list[dict[str, str]]:
    """Of each cap the day on which least was left of it, and how that day looked; caps hold orders, not prices."""
    found = []
    for cap in caps:
        known = [(cap.ratio - Fraction(cap.of(each), each.equity), each) for each in exposures if each.equity > 0]
        if not known:
            continue
        left, day = min(known, key=lambda each: (each[0], each[1].at))
        used = Fraction(cap.of(day), day.equity)
        found.append(
            {
                "rule": cap.rule,
                "what": _MEASURES[cap.measure],
                "cap": _ratio(cap.ratio),
                "most": _ratio(used) + (f" ({day.symbol})" if cap.measure == "position_value" and day.symbol else ""),
                "left": _ratio(left),
                "day": format_instant(day.at)[:10],
                "over": "prices carried it past the cap" if left < 0 else "",
            }
        )
    return found


def _denials(metrics: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rules = manifest["bundle"]["content"]["rules"]
    return [
        (rule, f"{count:,}", rules[rule]["require"] if rule in rules else "")
        for rule, count in _by_count(metrics["denied_by_rule"])
    ]


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))


def _trade(trade: series.Trade) -> dict[str, str]:
    return {
        "opened": format_instant(trade.opened)[:16].replace("T", " "),
        "closed": format_instant(trade.at)[:16].replace("T", " "),
        "symbol": trade.symbol,
        "side": "long" if trade.qty > 0 else "short",
        "qty": f"{abs(trade.qty):,}",
        "entry": _cents(trade.entry),
        "price": _cents(trade.price),
        "gain": _dollars(trade.gain, signed=True),
        "tone": "up" if trade.gain > 0 else "down",
    }


def _monthly(initial: int, days: Sequence[series.Point]) -> list[dict[str, Any]]:
    by_year = series.months(initial, days)
    whole = series.years(initial, days)
    return [
        {
            "year": year,
            "months": [_cell(by_year[year].get(month)) for month in range(1, 13)],
            "year_return": _cell(whole[year]),
        }
        for year in sorted(by_year)
    ]


def _cell(gain: Fraction | None) -> tuple[str, str]:
    if gain is None:
        return "", ""
    return _ratio(gain, signed=True), "up" if gain > 0 else "down" if gain < 0 else ""


def _figures(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every figure of the run, as metrics.json has it."""
    found = []
    for name, value in metrics.items():
        if isinstance(value, Mapping | list) or name.endswith("_micros"):
            continue
        shown = _NONE if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
        found.append((name.replace("_", " "), shown))
    return found


def _stress(metrics: Mapping[str, Any], stressed: Mapping[str, Files]) -> list[dict[str, Any]]:
    """The run and the same under each stress, side by side; nothing without stresses."""
    if not stressed:
        return []
    found = [_compared("as it is", metrics, metrics)]
    for name, files in sorted(stressed.items()):
        found.append(_compared(name, json.loads(files["metrics.json"]), metrics))
    return found


def _compared(name: str, metrics: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    final = _money(metrics["final_equity"])
    change = final - _money(base["final_equity"])
    return {
        "name": name,
        "final": _dollars(final),
        "change": "" if metrics is base else _dollars(change, signed=True),
        "tone": "up" if change > 0 else "down" if change < 0 else "",
        "return": _percent(metrics["total_return"], signed=True),
        "drawdown": _percent(metrics["max_drawdown"]),
        "sharpe": _NONE if metrics["sharpe"] is None else f"{metrics['sharpe']:.2f}",
        "denied": f"{metrics['denied']:,}",
        "halts": f"{metrics['halts']:,}",
        "end": metrics["posture"],
    }


# -- how figures are written ---------------------------------------------------------------------------------------


def _money(text: str) -> int:
    return parse_money(text).micros


def _dollars(micros: int, *, signed: bool = False) -> str:
    """Whole dollars, rounded half to even, with thousands apart."""
    whole = divide(micros, MICROS, Rounding.HALF_EVEN)
    return f"{'+' if signed and whole > 0 else _MINUS if whole < 0 else ''}${abs(whole):,}"


def _cents(micros: int) -> str:
    whole = divide(micros, MICROS // 100, Rounding.HALF_EVEN)
    return f"{whole // 100:,}.{whole % 100:02d}"


def _percent(value: float | None, *, signed: bool = False) -> str:
    return _NONE if value is None else f"{value:{'+' if signed else ''}.1%}".replace("-", _MINUS)


def _part(value: int, equity: int) -> int:
    return value * MICROS // equity if equity > 0 else 0


def _millionth(ratio: Fraction) -> int:
    return ratio.numerator * MICROS // ratio.denominator


def _millionths(value: int) -> str:
    return _ratio(Fraction(value, MICROS))


def _ratio(value: Fraction, *, signed: bool = False) -> str:
    """A ratio in per cent with one decimal, half to even; none where there is nothing behind it."""
    tenths = divide(value.numerator * 1_000, value.denominator, Rounding.HALF_EVEN)
    sign = _MINUS if tenths < 0 else "+" if signed and tenths > 0 else ""
    whole, rest = divmod(abs(tenths), 10)
    return f"{sign}{whole:,}{f'.{rest}' if rest or signed else ''}%"
