"""Two versions of a small desk to compare: its files as texts, edits of them, and the comparison of both.

Nothing here asserts what a change means; the tests beside it do.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from mqk.analysis.diff import Change, PolicyDiff, compare
from mqk.policy import PolicySet
from tests.analysis.testing.desk import BARS, ENGINE, RISK
from tests.policy.support import sound_files
from tests.reading import read

Files = Mapping[str, str]
DAY = date(2026, 6, 15)
TEST = """kind: test
id: desk_cases
title: Tests of the desk
owner: tests
engine: DESK
cases:
  - {name: fifty pass, at: order, given: {order.qty: 50}, expect: allow}
  - {name: more do not, at: order, given: {order.qty: 51}, expect: deny, by: CAP-01}
"""
PROMISES = """kind: risk
id: promises
title: What is promised
owner: risk-office
mandatory: [max_position]
claims:
  - id: PROMISE-01
    title: Nothing is bought while killed
    at: order
    when: run.killed and not order.reduces
    always: [deny]
"""


def desk_files() -> dict[str, str]:
    """The desk, with a test and a claim."""
    sound = {name: text for name, text in sound_files().items() if name in ("run.yaml", "costs.yaml", "clock.yaml")}
    engine = ENGINE.replace("risk: [desk_risk]", "risk: [desk_risk, promises]")
    own = {
        "engine.yaml": engine,
        "risk.yaml": RISK,
        "bars.yaml": BARS,
        "cases.test.yaml": TEST,
        "promises.yaml": PROMISES,
    }
    return {**sound, **own}


def edited(files: Files, name: str, old: str, new: str) -> dict[str, str]:
    """Files with a text replaced that is in one of them, once."""
    assert files[name].count(old) == 1, f"{name} has {files[name].count(old)} times: {old}"
    return {**files, name: files[name].replace(old, new)}


def loaded(files: Files) -> PolicySet:
    """Files as a set of policies without a fault."""
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        policies = read(Path(folder))
    assert not policies.errors, [str(each) for each in policies.errors]
    return policies


def diff(before: Files, after: Files, as_of: date | None = DAY, as_of_base: date | None = None) -> PolicyDiff:
    """The comparison of two versions."""
    return compare(loaded(before), loaded(after), as_of=as_of, as_of_base=as_of_base)


def only(found: PolicyDiff) -> Change:
    """The one change that there is."""
    assert len(found.changes) == 1, [(each.path, each.direction) for each in found.changes]
    return found.changes[0]
