"""Who reckons: DuckDB in this process, on disk when memory does not do, or Spark.

What lives here: opening and closing an engine, and showing it the files. The expressions are the same for all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Protocol

from mqk.analysis.history.records import Part


class Engine(StrEnum):
    """The engines that recorded decisions can be judged on."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Backend(Protocol):
    """An engine at work."""

    def table(self, part: Part) -> Any:
        """The files of a part as one table."""

    def run(self, query: Any) -> Any:
        """What a query comes to, as an Arrow table."""


class _Duck:
    """DuckDB, which puts on disk what does not fit into memory."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def table(self, part: Part) -> Any:
        return self._connection.read_parquet([str(path) for path in part.files])

    def run(self, query: Any) -> Any:
        return query.to_pyarrow()


class _Spark:
    """Spark, in a session of its own or in one that is there."""

    def __init__(self, connection: Any, session: Any) -> None:
        self._connection = connection
        self._session = session
        self._views = 0

    def table(self, part: Part) -> Any:
        self._views += 1
        name = f"decisions_{self._views}"
        self._session.read.parquet(*(str(path) for path in part.files)).createOrReplaceTempView(name)
        return self._connection.table(name)

    def run(self, query: Any) -> Any:
        # Not by way of Ibis, which goes through pandas and loses exact numbers' types.
        return self._session.sql(self._connection.compile(query)).toArrow()


@contextmanager
def opened(engine: Engine, session: Any | None = None) -> Iterator[Backend]:
    """An engine, for as long as it is needed. `session` is a Spark session to use; it is left open."""
    import ibis  # noqa: PLC0415 - heavy

    if engine is Engine.DUCKDB:
        with tempfile.TemporaryDirectory(prefix="mqk-duckdb-") as spill:
            connection = ibis.duckdb.connect(temp_directory=spill)
            try:
                # Dates do not depend on where the machine is.
                connection.raw_sql("SET TimeZone = 'UTC'")
                # It would write over what a report or a program's JSON is written to.
                connection.raw_sql("SET enable_progress_bar = false")
                yield _Duck(connection)
            finally:
                connection.disconnect()
        return
    used = _session() if session is None else session
    try:
        yield _Spark(ibis.pyspark.connect(used), used)
    finally:
        if session is None:
            used.stop()


def _session() -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - heavy

    builder = SparkSession.builder.appName("mqk").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.log.level", "ERROR")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    return builder.getOrCreate()
