"""C-5 to C-9, defects of configuration: each shown to be impossible by breaking the shipped policies.

A policy that is decoration, figures in code, defaults that break their own rules, keys that never merge, and limits
whose base nobody can tell.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import pytest

import mqk
from mqk.guards import Point, compile_bundle
from mqk.policy import PolicyError, Span, Text, shipped_policies_dir
from mqk.policy.loader import load_text
from mqk.policy.nodes import Mapping, Node, Sequence
from tests.acceptance.worlds import (
    all_problems,
    as_shipped,
    copied,
    decide,
    parse_ratio,
    problems,
    problems_of_tests,
    shipped_files,
)
from tests.engine.worlds import USD, Desk, guards, shipped
from tests.reading import read

ENGINES: Final = ("MAIN", "EXP")


def mappings(node: Node) -> Iterator[Mapping]:
    """Every mapping of a document, the outermost first."""
    if isinstance(node, Mapping):
        yield node
        for entry in node.entries.values():
            yield from mappings(entry.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from mappings(item)


def with_key(text: str, place: Mapping, key: str) -> str:
    """A document in which one mapping begins with another key."""
    lines = text.split("\n")
    span = place.span
    line = lines[span.line - 1]
    if line[span.column - 1 : span.column] == "{":
        lines[span.line - 1] = f"{line[: span.column]}{key}: 1%, {line[span.column :]}"
    else:
        lines[span.line - 1] = f"{line[: span.column - 1]}{key}: 1%\n{' ' * (span.column - 1)}{line[span.column - 1 :]}"
    return "\n".join(lines)


def with_keys(text: str, places: dict[str, Mapping]) -> str:
    """A document in which each of these mappings begins with another key, from the last to the first."""
    for key, place in sorted(places.items(), key=lambda pair: (pair[1].span.line, pair[1].span.column), reverse=True):
        text = with_key(text, place, key)
    return text


def named(folder: Path, target: Path, text: str) -> set[str]:
    """The keys that are found unheard of once a document has this text, on a day of either margin regime."""
    target.write_text(text, "utf-8")
    if target.name.endswith(".test.yaml"):
        faults = problems_of_tests(folder)
    else:
        faults = [*all_problems(folder), *all_problems(folder, date(2026, 1, 5))]
    lines = text.split("\n")
    # What stands under `keys:` is taken for a secret, and then nothing of it is repeated.
    hidden = [lines[each.span.line - 1] for each in faults if each.code == "MQK-1120"]
    told = " ".join([*(each.message for each in faults), *hidden])
    return set(re.findall(r"unheard_of_\d+", told))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shipped policies, of which one file at a time is spoilt: the others need not be read again."""
    return copied(tmp_path_factory.mktemp("spoilt"))


@pytest.mark.parametrize("file", shipped_files(), ids=lambda file: file.stem)
def test_c05_no_mapping_of_any_shipped_document_takes_a_key_that_nobody_reads(spoilt: Path, file: Path) -> None:
    target = spoilt / file.relative_to(shipped_policies_dir())
    try:
        require_every_key_is_known(spoilt, target, file)
    finally:
        shutil.copyfile(file, target)


def require_every_key_is_known(folder: Path, target: Path, file: Path) -> None:
    """Fail unless a key that nobody has heard of is told of wherever a document could have one."""
    text = file.read_text("utf-8")
    root = load_text(text, file.name).root
    assert root is not None
    places = {f"unheard_of_{n}": place for n, place in enumerate(each for each in mappings(root) if each.entries)}
    target.write_text(with_keys(text, places), "utf-8")
    told = {word for each in read(folder).diagnostics for word in re.findall(r"unheard_of_\d+", each.message)}
    if root.scalar("engine") is not None or root.scalars("engines"):
        # What cases give is held against the policies that they test, all of it at once.
        damaged = text
        for key in sorted(places.keys() - told, key=lambda key: places[key].span.line, reverse=True):
            damaged = with_key(damaged, places[key], key)
        target.write_text(damaged, "utf-8")
        told |= {word for each in problems_of_tests(folder) for word in re.findall(r"unheard_of_\d+", each.message)}
    # Where names are free - limits, parameters, an ordinary moment - it takes more than reading the file to know, and
    # one fault can keep another from being looked for: what was told is left out of the next attempt.
    while free := {key: places[key] for key in places.keys() - told}:
        more = named(folder, target, with_keys(text, free))
        if not more & free.keys():
            break
        told |= more
    # A document may hold on another day than today, and a fault hide one that came before it.
    for key in sorted(places.keys() - told):
        told |= named(folder, target, with_key(text, places[key], key))
    assert places.keys() - told == set()


@pytest.mark.parametrize("engine", ENGINES)
def test_c05_no_limit_counts_as_read_because_it_is_there(engine: str) -> None:
    """Without the rules and machines that read them, each limit of the shipped policies is refused by name."""
    bundle = as_shipped(engine).bundle
    with pytest.raises(PolicyError) as caught:
        compile_bundle(replace(bundle, rules=(), lifecycles={}))
    unread = [each.message for each in caught.value.diagnostics if each.code == "MQK-1401"]
    assert bundle.limits
    assert [name for name in bundle.limits if not any(f"`{name}`" in message for message in unread)] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_c05_a_limit_that_no_rule_reads_is_refused_whatever_its_name(engine: str) -> None:
    bundle = as_shipped(engine).bundle
    known = bundle.limits["max_position"]
    idle = replace(known, name="idle")
    with pytest.raises(PolicyError) as caught:
        compile_bundle(replace(bundle, limits={**bundle.limits, "idle": idle}))
    assert [(each.code, "`idle`" in each.message) for each in caught.value.diagnostics] == [("MQK-1401", True)]


@pytest.mark.parametrize("engine", ENGINES)
def test_c05_every_rule_of_an_engine_is_judged(engine: str) -> None:
    """No rule is dropped on its way from the effective policy to the guards."""
    set_ = as_shipped(engine)
    judged = {(rule.id, point.value) for point in Point for rule in set_.guards[point].rules}
    assert judged == {(rule.id, rule.at) for rule in set_.bundle.rules}


# What a figure in code may be: a place in a tuple, a unit of time or money, a bound of a machine. Never a limit.
_MACHINE: Final = {0, 1, 2, 3, 4, 8, 16, 24, 32, 60, 63, 64, 100, 1_000, 3_600, 10_000, 86_400, 1_000_000}


def test_c06_no_figure_that_decides_is_in_code() -> None:
    """Thresholds, counts and percentages are in policies: the packages that decide hold none."""
    root = Path(mqk.__file__).parent
    found = [
        f"{path.relative_to(root)}:{node.lineno}: {node.value}"
        for package in ("engine", "orders")
        for path in sorted((root / package).glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value not in _MACHINE
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "outcome", "posture"),
    [
        ("RATE-05", "halt", "HALTED"),
        ("RATE-05", "flatten", "FLATTENING"),
        ("RATE-05", "reduce_only", "REDUCE_ONLY"),
        ("LOSS-01", "halt", "HALTED"),
        ("LOSS-01", "disarm", "DISARMED"),
    ],
)
def test_c06_what_a_breach_leads_to_is_written_in_the_policy(rule: str, outcome: str, posture: str) -> None:
    bundle = guards().bundle
    rules = tuple(replace(each, otherwise=outcome) if each.id == rule else each for each in bundle.rules)
    desk = Desk(compile_bundle(replace(bundle, rules=rules)))
    desk.hold("SPY", 40, 1, 400 * USD)
    if rule == "RATE-05":
        for _ in range(5):
            desk.state.windows.record("rejects", desk.state.now)
    desk.bar("SPY", 2, 400 * USD if rule == "RATE-05" else 340 * USD)
    assert desk.state.run.posture == posture


@pytest.mark.parametrize("engine", ENGINES)
def test_c07_the_shipped_policies_keep_their_own_rules(tmp_path: Path, engine: str) -> None:
    """They are checked like anybody's, and an ordinary moment of each engine is allowed everywhere."""
    assert all_problems(copied(tmp_path)) == []
    for point in (Point.ORDER, Point.ACCOUNT, Point.BAR, Point.FEED):
        assert decide(as_shipped(engine), point).outcome == "allow"


@pytest.mark.parametrize(
    "text", ["risk.pdt: {mode: auto}", '"risk.pdt": {mode: auto}', "limits.max_position: 1%", "  risk.pdt: 1"]
)
def test_c08_a_dotted_key_is_refused_and_never_a_key_of_its_own(tmp_path: Path, text: str) -> None:
    folder = copied(tmp_path)
    file = next(folder.rglob("tier_a_consistent.yaml"))
    written = file.read_text("utf-8")
    file.write_text(written.replace("limits:\n", f"limits:\n{text}\n") if text[0] == " " else f"{written}\n{text}\n")
    assert "MQK-1015" in {each.code for each in problems(folder)}


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0.02", "MQK-1111"),
        ("2", "MQK-1111"),
        ("2_000 USD", "MQK-1111"),
        ("two percent", "MQK-1110"),
        ("-2%", "MQK-1114"),
    ],
)
def test_c09_a_limit_says_its_unit_or_is_refused(tmp_path: Path, written: str, code: str) -> None:
    folder = copied(tmp_path)
    file = next(folder.rglob("tier_a_consistent.yaml"))
    text = file.read_text("utf-8")
    file.write_text(text.replace("daily_loss: 2%", f"daily_loss: {written}"), "utf-8")
    assert code in {each.code for each in problems(folder)}


@pytest.mark.parametrize(
    "require",
    [
        "account.day_start_equity - account.equity < limits.daily_loss",
        "account.equity > limits.max_drawdown",
        "projected.position_value <= limits.max_position",
        "account.equity + limits.daily_loss > 0 USD",
        "order.qty < limits.max_gross of account.equity",
    ],
)
def test_c09_a_limit_without_its_base_does_not_compile(require: str) -> None:
    bundle = shipped().bundle
    spoilt = replace(
        next(rule for rule in bundle.rules if rule.id == "CAP-01"), require=Text(require, Span.nowhere("test"))
    )
    with pytest.raises(PolicyError) as caught:
        compile_bundle(replace(bundle, rules=tuple(r if r.id != "CAP-01" else spoilt for r in bundle.rules)))
    assert {each.code for each in caught.value.diagnostics} & {"MQK-1303", "MQK-1304"}


def test_c09_the_base_of_a_loss_is_the_one_that_is_written_and_moves_with_it() -> None:
    """Two percent of this morning's equity, not of the capital of the first day: after a gain it is more money."""
    set_ = guards(("daily_loss", parse_ratio("2%")))
    for start, lost, outcome in (("100_000", "98_000", "halt"), ("200_000", "197_999", "allow")):
        decision = decide(
            set_,
            Point.ACCOUNT,
            account__day_start_equity=f"{start} USD",
            account__peak_equity=f"{start} USD",
            account__equity=f"{lost} USD",
            account__cash=f"{lost} USD",
        )
        assert decision.outcome == outcome


def test_c09_the_same_percentage_of_another_base_is_another_answer() -> None:
    bundle = guards().bundle
    of_peak = replace(
        next(rule for rule in bundle.rules if rule.id == "LOSS-01"),
        require=Text(
            "account.peak_equity - account.equity < limits.daily_loss of account.peak_equity", Span.nowhere("test")
        ),
    )
    other = compile_bundle(
        replace(bundle, rules=tuple(of_peak if rule.id == "LOSS-01" else rule for rule in bundle.rules), lets={})
    )
    for set_, posture in ((guards(), "NORMAL"), (other, "HALTED")):
        desk = Desk(set_)
        desk.hold("SPY", 45, 1, 400 * USD)
        desk.bar("SPY", 2, 440 * USD)
        desk.bar("SPY", 3, 394 * USD)  # 2_070 USD below the peak, 270 below this morning
        assert desk.state.run.posture == posture
