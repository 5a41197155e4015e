"""Decisions of the database as files: the same columns as a backtest's `decisions.parquet`, one file for each bundle.

What lives here: from rows to files. What does not: the columns (mqk.guards.record_table), and judging them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from mqk.cli.exits import Failure
from mqk.dsl.missing import MISSING
from mqk.dsl.windows import window_attribute
from mqk.guards import FactsError, Moment, Point
from mqk.guards.record import Head, plan
from mqk.guards.record_table import RecordTable, write
from mqk.guards.whole import TOLD, is_whole, read_whole
from mqk.quantity import INT64_MAX

if TYPE_CHECKING:
    from sqlalchemy import Connection

DATABASE: Final = "database"


@contextmanager
def source(given: str, data_dir: Path) -> Iterator[Path]:
    """Where recorded decisions lie: a file, a folder, or, for `database` or a URL, what is exported from there."""
    if Path(given).exists() or not (given == DATABASE or "://" in given):
        yield Path(given)
        return
    from mqk.cli.database import reading, reading_at  # noqa: PLC0415 - loads SQLAlchemy

    opened = reading(data_dir) if given == DATABASE else reading_at(given)
    with TemporaryDirectory(prefix="mqk-decisions-") as folder:
        with opened as connection:
            export(connection, Path(folder))
        yield Path(folder)


def export(conn: Connection, folder: Path, run_id: UUID | None = None) -> dict[Path, int]:
    """Write the decisions of one run, or of all, into a folder; returns the files with how many each holds.

    Raises Failure when no decision was kept with its whole moment.
    """
    from mqk.store import decisions  # noqa: PLC0415 - loads SQLAlchemy

    written: dict[Path, int] = {}
    partial = 0
    for bundle, windows, known in _bundles(conn, run_id):
        table = RecordTable(windows, lacking=TOLD - known)
        count = 0
        for record in decisions.of_bundle(conn, bundle, run_id=run_id):
            point = Point(record["point"])
            if not is_whole(record["facts"], point):
                partial += 1
                continue
            try:
                moment = read_whole(record["facts"], point)
            except FactsError as fault:
                raise Failure(f"decision `{record['decision_id']}` cannot be read: {fault}") from fault
            table.add(point, _head(record, point, moment), plan(point).take(moment.views))
            count += 1
        if count:
            path = folder / f"decisions-{bundle[:16]}.parquet"
            with path.open("wb") as file:
                write(file, table.batches(), table.windows, table.lacking)
            written[path] = count
    if not written:
        help_ = "run `mqk run paper`, or name the `decisions.parquet` of a backtest"
        kept = f": {partial} were recorded with what their own rules read alone" if partial else ""
        raise Failure(f"the database holds no decision that can be judged again{kept}", help_)
    return written


def _bundles(conn: Connection, run_id: UUID | None) -> Iterator[tuple[str, tuple[str, ...], frozenset[str]]]:
    """The bundles that decisions were made under, with the windows that they count and the facts they were told."""
    from mqk.store import decisions  # noqa: PLC0415 - loads SQLAlchemy

    for bundle, names in decisions.names_by_bundle(conn, run_id=run_id).items():
        slots = {name for name in names if name.startswith(("count(", "total("))}
        yield bundle, tuple(sorted(window_attribute(slot) for slot in slots)), frozenset(names)


def _head(record: dict[str, Any], point: Point, moment: Moment) -> Head:
    """What is told of a decision, from its row."""
    facts, order = record["facts"], moment.views.get("order")
    qty, price = (
        None if (held := getattr(order, name, MISSING)) is MISSING else held for name in ("qty", "worst_price")
    )
    notional = qty * price if qty is not None and price is not None else None
    return Head(
        record["decision_id"],
        str(record["run_id"]),
        record["engine_id"],
        record["bundle_sha256"],
        record["mode"],
        point.value,
        record["at"],
        record["outcome"],
        tuple(finding["rule"] for finding in record["findings"] if _decides(finding, record["outcome"])),
        record["client_order_id"],
        facts.get(f"{point.value}.symbol"),
        facts.get("order.side"),
        qty,
        price,
        notional if notional is not None and abs(notional) <= INT64_MAX else None,
    )


def _decides(finding: dict[str, Any], outcome: str) -> bool:
    """Whether a finding asks for the outcome that won."""
    if finding["result"] == "PASS" or finding["enforcement"] == "shadow":
        return False
    return bool(outcome == ("warn" if finding["enforcement"] == "warn" else finding["outcome"]))
