"""One Spark session for all tests of histories: it takes seconds to start."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession


@pytest.fixture
def spark(started: SparkSession) -> Iterator[SparkSession]:
    """The session; the sockets that it leaves to be collected are collected here, and are no test's fault."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield started
        gc.collect()


@pytest.fixture(scope="session")
def started() -> Iterator[SparkSession]:
    """A small Spark on this machine, without a web page and without chatter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        session = (
            SparkSession.builder.master("local[2]")
            .appName("mqk-tests")
            .config("spark.ui.enabled", "false")
            .config("spark.log.level", "ERROR")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.driver.memory", "1g")
            .getOrCreate()
        )
        yield session
        session.stop()
