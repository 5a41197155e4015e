"""What the acceptance tests share: moments judged by shipped guards, and shipped policies with something changed.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

from mqk.analysis.testing import Bench, read_suites
from mqk.cli.checking import check
from mqk.engine import Cancelled, Rejected
from mqk.guards import Decision, GuardSet, Point, compile_bundle, read_facts
from mqk.policy import Diagnostic, PolicyError, Severity, effective_bundle, load_policies, shipped_policies_dir
from mqk.quantity import parse_duration, parse_money, parse_rate, parse_ratio
from tests.engine.worlds import USD, Desk, submits
from tests.reading import read

__all__ = [
    "USD",
    "all_problems",
    "as_shipped",
    "copied",
    "decide",
    "keyed",
    "parse_duration",
    "parse_money",
    "parse_rate",
    "parse_ratio",
    "problems",
    "problems_of_tests",
    "reject",
    "shipped_files",
]


def decide(guards: GuardSet, point: Point = Point.ORDER, /, **changed: object) -> Decision:
    """The decision on the engine's baseline with some facts changed: `order__qty=5`; None takes a fact away."""
    facts: dict[str, object] = {name: text.text for name, text in guards.bundle.baseline.items()}
    facts |= {name.replace("__", "."): value for name, value in changed.items()}
    moment = read_facts({n: v for n, v in facts.items() if v is not None}, guards, point, lenient=True)
    return guards.guards[point].decide(moment.views, moment.problems)


def reject(desk: Desk, minute: int, symbol: str = "SPY", price: int = 100 * USD) -> None:
    """One order of the strategy that the broker rejects, at the bar of a minute."""
    for order in submits(desk.want({symbol: desk.state.ledger.qty(symbol) + 1}, symbol, minute, price)):
        desk.tell(Rejected(order.client_order_id, "no", desk.state.now))


def cancel_all(desk: Desk) -> None:
    """The broker takes every working order off the market."""
    for order in list(desk.state.working.values()):
        desk.tell(Cancelled(order.client_order_id, "", desk.state.now))


def shipped_files() -> list[Path]:
    """The shipped documents."""
    return sorted(shipped_policies_dir().rglob("*.yaml"))


def copied(folder: Path, changes: Mapping[str, tuple[str, str]] | None = None) -> Path:
    """A copy of the shipped policies in which, by file, one text that stands there once is another."""
    root = Path(shutil.copytree(shipped_policies_dir(), folder / "policies"))
    for name, (old, new) in (changes or {}).items():
        file = root / name
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{name} has {text.count(old)} times: {old}"
        file.write_text(text.replace(old, new), "utf-8")
    return root


@cache
def as_shipped(engine: str = "MAIN") -> GuardSet:
    """The guards of a shipped engine with every rule there is."""
    return compile_bundle(effective_bundle(load_policies([shipped_policies_dir()]), engine))


def problems(folder: Path) -> list[Diagnostic]:
    """Every error that keeps the engines of a folder from being compiled; nothing is proven, which takes longer."""
    policies = read(folder)
    found = list(policies.errors)
    for engine in () if found else policies.ids("engine"):
        try:
            compile_bundle(effective_bundle(policies, engine))
        except PolicyError as fault:
            found += (each for each in fault.diagnostics if each not in found)
    return found


def all_problems(folder: Path, day: date | None = None) -> list[Diagnostic]:
    """Every error that `mqk policy check` finds in a folder on a day."""
    return [each for each in check(read(folder), day).diagnostics if each.severity is Severity.ERROR]


def problems_of_tests(folder: Path) -> list[Diagnostic]:
    """Everything that `mqk policy test` finds wrong with the tests of a folder before it runs one.

    The folder differs from what ships in its tests alone, so that what they test needs to be compiled once.
    """
    return read_suites(read(folder), _bench())[1]


@cache
def _bench() -> Bench:
    return Bench(load_policies([shipped_policies_dir()]))


def keyed(folder: Path, file: str, *keys: str) -> None:
    """Give an engine keys, in place of those it has."""
    path = folder / file
    lines = path.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("keys:")]
    path.write_text("\n".join([*kept, f"keys: {{{', '.join(keys)}}}", ""]), "utf-8")
