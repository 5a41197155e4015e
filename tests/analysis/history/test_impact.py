"""What an impact says is what the real guards of both sides say of every recorded decision, one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from mqk.analysis.history.backends import Engine, opened
from mqk.analysis.history.impact import Impact, measure_impact
from mqk.analysis.history.records import RecordsError, read_parts
from mqk.guards import GuardSet, Point, compile_bundle
from mqk.quantity import Ratio, parse_ratio
from tests.analysis.history.histories import judged, recorded, rows, shipped


def changed(guards: GuardSet, **limits: Ratio) -> GuardSet:
    """The same engine with some limits set otherwise."""
    bundle = guards.bundle
    layers = {name: replace(bundle.limits[name], value=value) for name, value in limits.items()}
    return compile_bundle(replace(bundle, limits={**bundle.limits, **layers}))


def impact(source: Path, base: GuardSet, head: GuardSet, *, limit: int = 10) -> Impact:
    with opened(Engine.DUCKDB) as backend:
        return measure_impact(backend, read_parts(source), {"MAIN": base}, {"MAIN": head}, limit=limit)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("history"))


def test_what_was_recorded_comes_out_the_same_when_it_is_judged_again(history: Path) -> None:
    found = rows(history)
    assert {row["outcome"] for row in found if row["point"] == "order"} == {"allow", "deny"}
    for row in found:
        decision = judged(row, shipped())
        assert (decision.outcome, decision.deciding) == (row["outcome"], tuple(row["deciding"])), row["decision_id"]
    same = impact(history, shipped(), shipped())
    assert (same.flips, same.unlike, same.lost, dict(same.unknown)) == ((), 0, (), {})
    assert sum(same.judged.values()) == len(found)


@pytest.mark.parametrize(("before", "after"), [("20%", "3%"), ("2%", "4%")])
def test_an_impact_lists_exactly_the_decisions_that_the_guards_of_both_sides_judge_otherwise(
    history: Path, before: str, after: str
) -> None:
    base, head = (changed(shipped(), max_position=parse_ratio(each)) for each in (before, after))
    expected: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    notional = 0
    for row in rows(history):
        was, now = judged(row, base), judged(row, head)
        if was.outcome != now.outcome:
            severer = now if now.outcome == "deny" else was
            expected[str(row["at"].date()), was.outcome, now.outcome, severer.deciding] += 1
            notional += row["notional"]
    found = impact(history, base, head, limit=4)
    said: Counter[tuple[str, str, str, tuple[str, ...]]] = Counter()
    for flip in found.flips:
        said[str(flip.day), flip.before, flip.after, flip.rules] += flip.decisions
    assert said == expected
    assert expected
    assert sum(flip.notional for flip in found.flips) == notional
    assert 0 < len(found.sample) <= 4
    for shown in found.sample:
        assert shown.before.outcome != shown.after.outcome


def test_spark_says_of_recorded_decisions_what_duckdb_says(history: Path, spark: SparkSession) -> None:
    head = changed(shipped(), max_position=parse_ratio("3%"))
    with opened(Engine.SPARK, spark) as backend:
        found = measure_impact(backend, read_parts(history), {"MAIN": shipped()}, {"MAIN": head}, limit=0)
    expected = impact(history, shipped(), head, limit=0)
    assert found.flips
    assert found == expected


def test_a_rule_that_reads_what_was_not_recorded_is_lost_and_never_a_pass(history: Path) -> None:
    (part,) = read_parts(history)
    fewer = replace(part, columns=part.columns - {"facts.market.volume"})
    with opened(Engine.DUCKDB) as backend:
        found = measure_impact(backend, [fewer], {"MAIN": shipped()}, {"MAIN": shipped()})
    assert {each.rule for each in found.lost if each.side == "head"} == {"DATA-09", "ORD-08"}
    assert {each.why for each in found.lost} == {"`market.volume` was not recorded"}
    open_ = sum(row["outcome"] != "deny" for row in rows(history) if row["point"] == "order")
    assert found.unknown["MAIN", Point.ORDER] == open_


def test_what_holds_no_decisions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "decisions.parquet").write_text("no", "utf-8")
    for source in (tmp_path / "nothing", tmp_path / "decisions.parquet"):
        with pytest.raises(RecordsError, match="`"):
            read_parts(source)


def test_long_questions_draw_nothing_over_what_is_written() -> None:
    with opened(Engine.DUCKDB) as backend:
        asked = backend._connection.raw_sql("SELECT current_setting('enable_progress_bar')")  # type: ignore[attr-defined]
        assert asked.fetchall() == [(False,)]
