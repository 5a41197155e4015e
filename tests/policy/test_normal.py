"""What `git diff` compares: the same for every way to lay a document out, and another for everything it may say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mqk.policy import shipped_policies_dir
from mqk.policy.formatting import format_bytes
from mqk.policy.normal import normal_lines

SHIPPED = sorted(shipped_policies_dir().rglob("*.yaml"))
RISK = """\
kind: risk
id: caps
title: Caps
owner: risk-office
limits:
  max_position: 20%
  stale_after: 120s
rules:
  - id: CAP-01
    title: A cap
    at: order
    require: order.value <= limits.max_position of account.equity
    otherwise: deny
  - {id: CAP-02, title: Another, at: order, require: order.qty <= 500, otherwise: deny}
"""


def told(text: str) -> list[str]:
    lines = normal_lines(text.encode(), "caps.yaml")
    assert lines is not None
    return lines


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_policy_is_told_and_its_layout_is_not(path: Path) -> None:
    data = path.read_bytes()
    lines = normal_lines(data, path.name)
    assert lines
    assert all(re.match(r"[^:]+: \S", line) for line in lines)
    # Spread out, with comments between: no value of it says anything else.
    spread = re.sub(rb"(?m)^(\S)", rb"\n# a comment\n\1", data)
    assert normal_lines(spread, path.name) == lines
    assert normal_lines(format_bytes(data, path.name).after.encode(), path.name) == lines


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  max_position: 20%\n  stale_after: 120s\n", "  stale_after: 2m\n  max_position: 20.0%\n"),
        ("limits.max_position of account.equity", "(limits.max_position  of  account.equity)"),
        ("title: A cap\n    at: order\n", "at: order  # where\n    title: A cap\n"),
    ],
)
def test_another_way_to_write_the_same_is_the_same(old: str, new: str) -> None:
    assert old in RISK
    assert told(RISK.replace(old, new)) == told(RISK)


def test_rules_may_change_places() -> None:
    head, first, second = re.split(r"(?m)^(?=  - )", RISK)
    assert told(head + second + first) == told(RISK)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("20%", "25%", "limits.max_position: 25%"),
        ("order.qty <= 500", "order.qty < 500", "rules[CAP-02].require: order.qty < 500"),
        ("title: A cap", "title: The cap", "rules[CAP-01].title: The cap"),
        ("id: CAP-02", "id: CAP-03", "rules[CAP-03].at: order"),
    ],
)
def test_what_says_something_else_is_a_line_with_its_path(old: str, new: str, line: str) -> None:
    changed = told(RISK.replace(old, new))
    assert line in changed
    assert line not in told(RISK)


def test_what_is_no_document_is_left_to_git() -> None:
    for text in (b"", b"a: [", b"name: a workflow\n", b"kind: nothing\n", b"\xff\xfe", b"kind: risk\nkind: risk\n"):
        assert normal_lines(text, "any.yaml") is None
