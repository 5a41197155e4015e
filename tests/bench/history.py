"""Recorded decisions judged again: `mqk policy impact` on DuckDB beside SQL written by hand, and beside a Python loop.

The history is a real backtest's, multiplied in DuckDB with other instants, quantities and equities, so that it is the
same every time. Eight rules of MAIN are judged under two values of two limits; all three must find the same flips.
1,000,000 decisions, and as many as MQK_BENCH_DECISIONS says, such as 50_000_000.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow.parquet as pq

from mqk.analysis.history.backends import Engine, opened
from mqk.analysis.history.impact import measure_impact
from mqk.analysis.history.records import read_parts
from mqk.analysis.history.replay import moment_of
from mqk.backtest import run_backtest
from mqk.guards import GuardSet, Point, compile_bundle
from mqk.policy import Bundle, effective_bundle, load_policies
from mqk.quantity import Ratio, parse_ratio
from tests.bench.backtest import SYMBOLS, walk
from tests.bench.memory import peak_megabytes

RULES = ("CAP-01", "CAP-02", "CAP-05", "CAP-07", "ORD-01", "ORD-02", "ORD-08", "ORD-18")
LIMITS = {"max_position": ("20%", "18%"), "max_gross": ("100%", "95%")}
LOOP = 5_000


@dataclass(frozen=True, slots=True)
class Judged:
    """How long one way of judging a history took, and what it found."""

    decisions: int
    name: str
    seconds: float
    ratio: float
    flips: int
    peak_megabytes: int


def sides(policies: Path) -> tuple[GuardSet, GuardSet]:
    """MAIN with eight of its rules, before and after a change of two limits."""
    bundle = effective_bundle(load_policies([policies]), "MAIN")
    names = {"max_position", "max_gross", "max_positions", "tradable", "max_order_qty", "max_order_value"}
    names |= {"max_volume_share", "warm_up"}
    small = replace(
        bundle,
        rules=tuple(rule for rule in bundle.rules if rule.id in RULES),
        limits={name: limit for name, limit in bundle.limits.items() if name in names},
        lets={},
        tables={},
        lifecycles={},
    )
    before, after = (
        _with(small, {name: parse_ratio(texts[side]) for name, texts in LIMITS.items()}) for side in (0, 1)
    )
    return compile_bundle(before), compile_bundle(after)


def _with(bundle: Bundle, values: dict[str, Ratio]) -> Bundle:
    changed = {name: replace(bundle.limits[name], value=value) for name, value in values.items()}
    return replace(bundle, limits={**bundle.limits, **changed})


def multiplied(seed: Path, out: Path, decisions: int) -> None:
    """A history of so many decisions, in files of five million at most."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    # Numbered while it is small: to number the whole is to hold it in memory.
    connection.execute(
        f"CREATE TABLE seed AS SELECT *, row_number() OVER () AS number FROM '{seed}' WHERE point = 'order'"
    )
    (rows,) = connection.execute("SELECT count(*) FROM seed").fetchone() or (0,)
    done = 0
    for number in range(-(-decisions // 5_000_000)):
        many = min(decisions - done, 5_000_000)
        connection.execute(
            f"""
            COPY (
                SELECT s.* EXCLUDE (number) REPLACE (
                    'd' || (i * {rows} + number) AS decision_id,
                    s."at" + to_days(CAST(i % 250 AS INTEGER)) AS "at",
                    s."day" + CAST(i % 250 AS INTEGER) AS "day",
                    s."facts.order.qty" + i % 7 AS "facts.order.qty",
                    s."facts.account.equity" + (i % 1000) * 1_000_000 AS "facts.account.equity",
                    s."facts.positions"[1:2] AS "facts.positions",
                    s."facts.working"[1:2] AS "facts.working"
                )
                FROM seed s,
                     range({done // rows}, {(done + many) // rows + 1}) r(i)
                LIMIT {many}
            ) TO '{out / f"decisions-{number}.parquet"}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 100_000)
            """
        )
        done += many
    connection.close()


BY_HAND = """
WITH facts AS (
    SELECT "facts.order.side" AS side, "facts.order.qty" AS qty, "facts.order.worst_price" AS worst,
           "facts.position.qty" AS held, "facts.position.working_buy" AS buying,
           "facts.position.working_sell" AS selling,
           "facts.position.working_buy_price" AS buying_price, "facts.position.working_sell_price" AS selling_price,
           "facts.account.equity" - "facts.account.close_out_costs" - "facts.order.costs" AS "left",
           "facts.account.working_fees" + "facts.order.fees" AS fees,
           "facts.position.exposure" AS exposure, "facts.account.cash" AS cash,
           "facts.account.gross_exposure" AS gross, "facts.account.working_buy_value" AS buying_value,
           "facts.account.open_positions" AS open_positions, "facts.account.opening_positions" AS opening,
           "facts.market.bars_seen" AS bars_seen, notional, "day",
           CASE WHEN coalesce("ages.market.price", 0) <= 117000000000 THEN "facts.market.price" END AS price,
           CASE WHEN coalesce("ages.market.volume", 0) <= 117000000000 THEN "facts.market.volume" END AS volume
    FROM read_parquet('{files}') WHERE engine = 'MAIN' AND point = 'order'
), projected AS (
    SELECT *, CASE WHEN side = 'BUY' THEN held < 0 AND buying + qty <= -held
                   ELSE held > 0 AND selling + qty <= held END AS reduces,
           greatest(
               greatest(held + buying + CASE WHEN side = 'BUY' THEN qty ELSE 0 END, 0)
                   * greatest(price, buying_price, CASE WHEN side = 'BUY' THEN worst ELSE 0 END),
               greatest(selling - held + CASE WHEN side = 'SELL' THEN qty ELSE 0 END, 0)
                   * greatest(price, selling_price, CASE WHEN side = 'SELL' THEN worst ELSE 0 END)) AS value
    FROM facts
), judged AS (
    SELECT day, notional, reduces,
           value * 100 <= {position[0]} * "left" AS position_before,
           value * 100 <= {position[1]} * "left" AS position_after,
           (gross - exposure + value) * 100 <= {gross[0]} * "left" AS gross_before,
           (gross - exposure + value) * 100 <= {gross[1]} * "left" AS gross_after,
           open_positions + opening + CASE WHEN held = 0 AND buying = 0 AND selling = 0 THEN 1 ELSE 0 END <= 20
           AND (side <> 'BUY' OR buying_value + qty * worst <= cash - fees)
           AND qty <= 250000 AND qty * worst <= 1000000000000 AND qty * 1000 <= 25 * volume AND bars_seen >= 20 AS rest
    FROM projected
), decided AS (
    SELECT day, notional,
           reduces OR coalesce(position_before AND gross_before AND rest, false) AS allowed_before,
           reduces OR coalesce(position_after AND gross_after AND rest, false) AS allowed_after
    FROM judged
)
SELECT day, count(*), sum(notional) FROM decided
WHERE allowed_before <> allowed_after GROUP BY day
"""


def measure(policies: Path, counts: Sequence[int] = ()) -> list[Judged]:
    """Every way over every size of history; ratios are to the SQL written by hand."""
    wanted = counts or (1_000_000, *_asked_for())
    found: list[Judged] = []
    with tempfile.TemporaryDirectory() as folder:
        guards = compile_bundle(effective_bundle(load_policies([policies]), "MAIN"))
        run_backtest(guards, walk(SYMBOLS, 2_000), out=Path(folder) / "run")
        seed = Path(folder) / "run" / "decisions.parquet"
        for count in wanted:
            history = Path(folder) / f"history-{count}"
            history.mkdir()
            multiplied(seed, history, count)
            found += _of_one(policies, history, count)
            for file in history.iterdir():
                file.unlink()
    return found


def _asked_for() -> tuple[int, ...]:
    asked = os.environ.get("MQK_BENCH_DECISIONS")
    return (int(asked),) if asked else ()


def _of_one(policies: Path, history: Path, count: int) -> list[Judged]:
    """Each way in a process of its own, so that its memory is its own, and the better of two times."""
    by_hand, ours = _alone(_by_hand, policies, history), _alone(_impact, policies, history)
    loop = _alone(_loop, policies, history)
    assert by_hand.found == ours.found, f"by hand {by_hand.found}, by impact {ours.found}"
    in_all = loop.seconds / LOOP * count
    named = {
        "SQL by hand on DuckDB": (by_hand.seconds, by_hand.megabytes),
        "mqk policy impact on DuckDB": (ours.seconds, ours.megabytes),
        f"Python loop over both guards (from {LOOP:,})": (in_all, loop.megabytes),
    }
    return [
        Judged(count, name, seconds, seconds / by_hand.seconds, ours.found[0], megabytes)
        for name, (seconds, megabytes) in named.items()
    ]


class Measured(NamedTuple):
    """What one way took, what it found - flips and their notional - and the most memory its process held."""

    seconds: float
    found: tuple[int, int]
    megabytes: int


_Way = Callable[[Path, Path], tuple[float, tuple[int, int]]]


def _alone(way: _Way, policies: Path, history: Path) -> Measured:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measured, way, policies, history).result()


def _measured(way: _Way, policies: Path, history: Path) -> Measured:
    seconds, found = min(way(policies, history) for _ in range(2))
    return Measured(seconds, found, peak_megabytes())


def _by_hand(_: Path, history: Path) -> tuple[float, tuple[int, int]]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    query = BY_HAND.format(files=history / "*.parquet", position=(20, 18), gross=(100, 95))
    start = time.perf_counter()
    rows = connection.execute(query).fetchall()
    taken = time.perf_counter() - start
    connection.close()
    return taken, (sum(row[1] for row in rows), sum(int(row[2]) for row in rows))


def _impact(policies: Path, history: Path) -> tuple[float, tuple[int, int]]:
    before, after = sides(policies)
    start = time.perf_counter()
    with opened(Engine.DUCKDB) as backend:
        found = measure_impact(backend, read_parts(history), {"MAIN": before}, {"MAIN": after}, limit=0)
    taken = time.perf_counter() - start
    assert not found.lost
    return taken, (sum(flip.decisions for flip in found.flips), sum(flip.notional for flip in found.flips))


def _loop(policies: Path, history: Path) -> tuple[float, tuple[int, int]]:
    """The compiled guards of both sides, one decision after another, views made beforehand."""
    before, after = sides(policies)
    first = pq.ParquetFile(min(history.iterdir()))
    rows: list[dict[str, Any]] = next(first.iter_batches(LOOP)).to_pylist()
    start = time.perf_counter()
    for row in rows:
        views = moment_of(row, Point.ORDER).views
        shown = [views[name] for name in before.order.parameters]
        before.order.judge(*shown)
        after.order.judge(*shown)
    return time.perf_counter() - start, (0, 0)
