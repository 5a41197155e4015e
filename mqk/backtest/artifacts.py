"""The files a backtest leaves behind: the same bytes for the same run, and written whole or not at all.

What lives here: text, CSV and the folder. What does not: what the figures mean (summary.py).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mqk.backtest.errors import BacktestError
from mqk.quantity import DAY_MICROS, MICROS, format_instant

if TYPE_CHECKING:
    from pathlib import Path

    from mqk.backtest.recorder import Recorder
    from mqk.engine import EngineState
    from mqk.orders import Order

MANIFEST: Final = "manifest.json"
NAMES: Final = (
    "audit.jsonl",
    "corporate_actions.csv",
    "decisions.parquet",
    "equity_curve.csv",
    "fills.csv",
    MANIFEST,
    "metrics.json",
    "orders.csv",
)
REPORT: Final = "report.html"
"""A view of the others, for people: no part of what a run comes to, and vouched for by nothing but a replay."""
WALK_FORWARD: Final = "walk_forward.json"
"""What came of a walk-forward on the same bars."""
BESIDE: Final = (REPORT, WALK_FORWARD)
"""What may lie beside the files of a run."""
STRESS: Final = "stress"
"""The folder with the runs of the same under stress, one folder each."""
KIND: Final = "mqk backtest"
PROVENANCE: Final = "provenance"
"""What the manifest says of the machine and of names of files: no part of what a run comes to."""


def decimal_text(micros: int) -> str:
    """An amount with all six decimals and nothing else, as a table holds it."""
    if micros >= 0:
        return f"{micros // MICROS}.{micros % MICROS:06d}"
    return f"-{-micros // MICROS}.{-micros % MICROS:06d}"


def artifacts_of(state: EngineState, record: Recorder, metrics: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a run that is over, but for the manifest that vouches for them."""
    return {
        "audit.jsonl": record.audit.to_bytes(),
        "corporate_actions.csv": corporate_actions_csv(record),
        "decisions.parquet": state.recording.table.to_bytes() if state.recording is not None else b"",
        "equity_curve.csv": equity_csv(record),
        "fills.csv": fills_csv(record),
        "metrics.json": json_bytes(metrics),
        "orders.csv": orders_csv(record, state.orders),
    }


def orders_csv(record: Recorder, orders: Mapping[str, Order]) -> bytes:
    """Every order that was placed, as it ended."""
    header = ("client_order_id", "at", "symbol", "side", "qty", "type", "worst_price", "status", "filled", "reason")
    rows = []
    for name, at, worst_price in record.submitted:
        order = orders[name]
        rows.append(
            (
                order.client_order_id,
                format_instant(at),
                order.symbol,
                order.side.value,
                order.qty,
                order.type.value,
                decimal_text(worst_price),
                order.status.value,
                order.filled,
                order.reason,
            )
        )
    return _csv(header, rows)


def fills_csv(record: Recorder) -> bytes:
    """Every fill, in the order in which it was booked: replayed on the capital, they give the final books."""
    header = ("fill_id", "client_order_id", "at", "symbol", "side", "qty", "price", "fee")
    rows = (
        (
            fill.fill_id,
            fill.order_id,
            format_instant(fill.at),
            fill.symbol,
            fill.side,
            fill.qty,
            decimal_text(fill.price),
            decimal_text(fill.fee),
        )
        for fill in record.fills
    )
    return _csv(header, rows)


def corporate_actions_csv(record: Recorder) -> bytes:
    """What went ex of shares that were held, each before every fill of its instant.

    With the fills, replayed on the capital, they give the final books. `split` and `dividend` (dollars a share of after
    the split) are exact: a whole number, or one over another.
    """
    header = ("action_id", "at", "symbol", "split", "dividend", "price_before", "held", "holds", "cash", "realised")
    rows = (
        (
            action.action_id,
            format_instant(action.at),
            action.symbol,
            action.split,
            action.dividend / MICROS,
            decimal_text(action.price_before),
            action.held,
            action.holds,
            decimal_text(action.cash),
            decimal_text(action.realised),
        )
        for action in record.actions
    )
    return _csv(header, rows)


def equity_csv(record: Recorder) -> bytes:
    """Equity and cash at every instant of the feed, after all its bars."""
    lines = ["at,equity,cash"]
    # Dates change once a day, times of the day come back every day, and both amounts seldom move: each is written once.
    day, date, times = -DAY_MICROS, "", _Times()
    amount, amounts = 0, f"{decimal_text(0)},{decimal_text(0)}"
    known = 0
    add = lines.append
    for at, equity, cash in zip(*record.curve.columns(), strict=True):
        since = at - day
        if not 0 <= since < DAY_MICROS:
            day = at // DAY_MICROS * DAY_MICROS
            date, since = format_instant(day)[:11], at - day
        if equity != amount or cash != known:
            amount, known = equity, cash
            amounts = f"{decimal_text(equity)},{decimal_text(cash)}"
        add(f"{date}{times[since]},{amounts}")
    add("")
    return "\n".join(lines).encode()


class _Times(dict[int, str]):
    """Times of the day, by micros since midnight UTC, each written out once."""

    def __missing__(self, since: int) -> str:
        text = self[since] = format_instant(since)[11:]
        return text


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """A JSON file for people and programs: sorted keys, two spaces, no NaN."""
    text = json.dumps(content, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def artifacts_sha256(files: Mapping[str, bytes]) -> str:
    """One hash over all files, by name: equal exactly when every name and every byte is, whoever ran it and where.

    The manifest counts without its `provenance`: the same run on another machine, or on renamed files, is the same run.
    What lies beside the files of a run, such as its report, does not count.
    """
    digest = hashlib.sha256()
    for name in sorted(set(files).intersection(NAMES)):
        content = _without_provenance(files[name]) if name == MANIFEST else files[name]
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def require_writable(out: Path) -> None:
    """Raise BacktestError "out" unless results may be written here: a new or empty folder, or one of our own."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise BacktestError("out", f"`{out}` is not a folder", "name a folder that does not exist yet")
    foreign = _foreign(out)
    if foreign is not None:
        raise BacktestError(
            "out",
            f"`{out}` holds other files, such as `{foreign}`",
            "name a new folder, or one of an earlier backtest",
        )


def write_artifacts(out: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into a folder, replacing those of an earlier backtest: all of them or none.

    They are written beside it first. Raises BacktestError "out" as `require_writable` does.
    """
    require_writable(out)
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.parent / f".{out.name}.writing-{os.getpid()}"
    stale = out.parent / f".{out.name}.replaced-{os.getpid()}"
    for leftover in (fresh, stale):
        if leftover.exists():
            shutil.rmtree(leftover)
    fresh.mkdir()
    try:
        for name in sorted(files):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(files[name])
        if out.exists():
            out.rename(stale)
        fresh.rename(out)
    finally:
        if stale.exists() and not out.exists():
            stale.rename(out)
        for leftover in (fresh, stale):
            if leftover.exists():
                shutil.rmtree(leftover)


def _without_provenance(manifest: bytes) -> bytes:
    return json_bytes({key: value for key, value in json.loads(manifest).items() if key != PROVENANCE})


def _foreign(out: Path) -> str | None:
    """A file in a folder that is no backtest's; None when all of them are, or there is none."""
    for entry in sorted(out.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            inside = _foreign(entry)
            if inside is not None:
                return f"{entry.name}/{inside}"
        elif entry.name not in {*NAMES, *BESIDE} or not _is_ours(out / MANIFEST):
            return entry.name
    return None


def _is_ours(manifest: Path) -> bool:
    try:
        content = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") == KIND


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()
