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

from mqk.backtest import texts
from mqk.backtest.errors import BacktestError
from mqk.quantity import MICROS, format_instant

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
    names, at, worst = zip(*record.submitted, strict=True) if record.submitted else ((), (), ())
    held = [orders[name] for name in names]
    columns = (
        *(texts.words(names), texts.instants(at)),
        *(texts.words(order.symbol for order in held), texts.words(order.side for order in held)),
        *(texts.whole([order.qty for order in held]), texts.words(order.type for order in held)),
        *(texts.amounts(worst), texts.words(order.status for order in held)),
        *(texts.whole([order.filled for order in held]), texts.words(order.reason for order in held)),
    )
    return texts.table(header, columns)


def fills_csv(record: Recorder) -> bytes:
    """Every fill, in the order in which it was booked: replayed on the capital, they give the final books."""
    header = ("fill_id", "client_order_id", "at", "symbol", "side", "qty", "price", "fee")
    fills = record.fills
    columns = (
        *(texts.words(fill.fill_id for fill in fills), texts.words(fill.order_id for fill in fills)),
        texts.instants([fill.at for fill in fills]),
        *(texts.words(fill.symbol for fill in fills), texts.words(fill.side for fill in fills)),
        texts.whole([fill.qty for fill in fills]),
        *(texts.amounts([fill.price for fill in fills]), texts.amounts([fill.fee for fill in fills])),
    )
    return texts.table(header, columns)


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
    ends, equity, cash = record.curve.columns()
    return texts.table(("at", "equity", "cash"), (texts.instants(ends), texts.amounts(equity), texts.amounts(cash)))


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
    above = next(each for each in out.absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise BacktestError("out", f"`{out}` cannot be made in `{above}`", "name a folder where you may write")
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


def require_shared(out: Path) -> None:
    """Raise BacktestError "out" for a folder that holds a run itself: those of several engines go into their own."""
    if (out / MANIFEST).exists():
        raise BacktestError("out", f"`{out}` holds the run of one engine", "name a folder for several")


def write_artifacts(out: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into a folder, replacing those of an earlier backtest: all of them or none.

    They are written beside it first. Raises BacktestError "out" as `require_writable` does, and OSError of the folder
    where it cannot be written after all.
    """
    require_writable(out)
    try:
        _write(out, files)
    except OSError as fault:
        # Of the folder that was named, and not of the one beside it.
        raise OSError(fault.errno, fault.strerror or str(fault), str(out)) from fault


def _write(out: Path, files: Mapping[str, bytes]) -> None:
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
