"""`mqk policy fmt` changes how a file looks and nothing else: not a value, not the bundle's hash, not a comment."""

from __future__ import annotations

import random
import re
import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqk.cli.main import main
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.policy.comments import Comments
from mqk.policy.formatting import format_bytes
from mqk.policy.loader import load_text
from mqk.policy.nodes import Mapping, Node, Scalar, Sequence, walk
from mqk.policy.source import Source
from tests.policy.support import BROKEN, SOUND

SHIPPED = sorted(shipped_policies_dir().rglob("*.yaml"))
GOOD = [*SHIPPED, *sorted(SOUND.glob("*.yaml"))]
TEXTS = {path: path.read_text("utf-8") for path in GOOD}


def formatted(text: str) -> str:
    result = format_bytes(text.encode(), "a.yaml")
    assert result.diagnostics == (), result.diagnostics
    return result.after


def meaning(node: Node) -> object:
    """A tree as plain values; the order of keys says nothing."""
    match node:
        case Mapping(entries=entries):
            return {name: meaning(entry.value) for name, entry in entries.items()}
        case Sequence(items=items):
            return [meaning(item) for item in items]
        case Scalar():
            return (" ".join(node.text.split()), node.quoted)


def read(text: str) -> Mapping:
    loaded = load_text(text, "a.yaml")
    assert loaded.root is not None
    assert loaded.diagnostics == ()
    return loaded.root


class Untidy:
    """Writes a document as a person in a hurry might: the same content in another look, with comments thrown in."""

    def __init__(self, text: str, seed: int) -> None:
        self._root = read(text)
        self._text = text
        self._chance = random.Random(seed)
        self.comments: list[str] = []

    def text(self) -> str:
        end = self._chance.choice(["\n", "\r\n"])
        return end.join(["", *self._mapping(self._root, 0)]) + self._chance.choice(["", end, end * 3])

    def _comment(self) -> str:
        self.comments.append(f"# remark {len(self.comments)}: why `this`, and not that?")
        return self.comments[-1]

    def _above(self, indent: int) -> list[str]:
        return [
            *([""] * self._chance.choice([0, 0, 0, 1, 3])),
            *([" " * indent + self._comment()] if self._chance.random() < 0.2 else []),
        ]

    def _behind(self) -> str:
        spaces = " " * self._chance.randint(1, 9)
        return spaces + self._comment() if self._chance.random() < 0.2 else " " * self._chance.choice([0, 0, 2])

    def _mapping(self, node: Mapping, indent: int) -> list[str]:
        lines: list[str] = []
        entries = list(node.entries.items())
        self._chance.shuffle(entries)
        for _, entry in entries:
            lines += [*self._above(indent), *self._value(f"{self._slice(entry.key)}:", entry.value, indent)]
        return lines

    def _value(self, prefix: str, node: Node, indent: int) -> list[str]:
        start = " " * indent + prefix
        if isinstance(node, Scalar) and self._slice(node)[:1] in (">", "|"):
            sign, *content = self._slice(node).split("\n")
            own = min(len(line) - len(line.lstrip()) for line in content if line.strip())
            step = " " * (indent + self._chance.randint(1, 4))
            return [f"{start} {sign}", *(step + line[own:] if line.strip() else "" for line in content)]
        brackets = not isinstance(node, Scalar) and self._slice(node)[:1] in "{["
        if isinstance(node, Scalar) or brackets or (self._chance.random() < 0.3 and self._plain(node)):
            return [start + " " * self._chance.randint(1, 4) + self._inline(node) + self._behind()]
        below = indent + self._chance.randint(1, 4)
        if isinstance(node, Mapping):
            return [start + self._behind(), *self._mapping(node, below)]
        lines = [start + self._behind()]
        for item in node.items:
            lines += [*self._above(below), *self._item(item, below)]
        return lines

    def _plain(self, node: Node) -> bool:
        """Whether a block may as well stand in brackets."""
        scalars = (each for each in walk(node) if isinstance(each, Scalar))
        return all(re.fullmatch(r"[A-Za-z0-9_%.]+(?: [A-Za-z0-9_%.]+)*", self._slice(each)) for each in scalars)

    def _item(self, item: Node, indent: int) -> list[str]:
        if isinstance(item, Mapping) and self._slice(item)[:1] != "{":
            gap = self._chance.randint(1, 3)
            inner = self._mapping(item, indent + 1 + gap)
            first = next(index for index, line in enumerate(inner) if line.strip() and line.strip()[0] != "#")
            dash = " " * indent + "-" + " " * gap + inner[first].lstrip()
            return [*inner[:first], dash, *inner[first + 1 :]]
        return [" " * indent + "-" + " " * self._chance.randint(1, 3) + self._inline(item) + self._behind()]

    def _inline(self, node: Node) -> str:
        gap = " " * self._chance.choice([0, 1, 2])
        match node:
            case Scalar():
                return re.sub(r"\s*\n\s*", " ", self._slice(node))
            case Mapping(entries=entries):
                parts = [f"{self._slice(each.key)}: {gap}{self._inline(each.value)}" for each in entries.values()]
                return "{" + gap + f",{gap or ' '}".join(parts) + gap + "}"
            case Sequence(items=items):
                return "[" + gap + f",{gap or ' '}".join(self._inline(item) for item in items) + gap + "]"

    def _slice(self, node: Node) -> str:
        source = Source.of("a.yaml", self._text)
        start = source.starts[node.span.line - 1] + node.span.column - 1
        end = source.starts[node.span.end_line - 1] + node.span.end_column - 1
        return self._text[start:end].rstrip()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GOOD), st.integers(0, 2**32))
def test_a_file_says_the_same_however_it_was_written(path: Path, seed: int) -> None:
    untidy = Untidy(TEXTS[path], seed)
    text = untidy.text()
    tidy = formatted(text)
    assert meaning(read(tidy)) == meaning(read(text)) == meaning(read(TEXTS[path]))
    assert sorted(Comments(Source.of("a.yaml", tidy), read(tidy)).texts) == sorted(untidy.comments), (
        "no comment is lost"
    )
    assert formatted(tidy) == tidy, "what is tidy stays"
    assert "\r" not in tidy
    assert not re.search(r"[ \t]$|\n\n\n|\A\n|\n\n\Z", tidy, flags=re.MULTILINE)


def test_the_effective_policies_keep_their_hash(tmp_path: Path) -> None:
    before = load_policies([shipped_policies_dir()])
    for seed, path in enumerate(SHIPPED):
        target = tmp_path / path.relative_to(shipped_policies_dir())
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Untidy(TEXTS[path], seed).text(), "utf-8")
    assert main(["policy", "fmt", str(tmp_path)]) == 0
    after = load_policies([tmp_path])
    day = date(2026, 6, 5)
    for engine in before.ids("engine"):
        one, other = (effective_bundle(each, engine, as_of=day) for each in (before, after))
        assert one.sha256 == other.sha256


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_what_ships_is_tidy(path: Path) -> None:
    assert formatted(TEXTS[path]) == TEXTS[path]


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_broken_file_is_left_as_it_is_or_keeps_its_faults(path: Path) -> None:
    data = path.read_bytes()
    result = format_bytes(data, "a.yaml")
    if result.diagnostics:
        assert not result.changed
    elif result.changed:
        assert format_bytes(result.after.encode(), "a.yaml").after == result.after


LAYOUT = """\
# yaml-language-server: $schema=risk.schema.json
kind: risk
id: tier_c
title: Tier C
owner: risk-office

limits:
  # the firm's own
  max_position: 20%  # of equity
  daily_loss: 2%     # realised and open
  restricted: [TSLA, GME]

rules:
  # the first
  - id: CAP-01
    title: No symbol dominates the book
    rationale: >-
      one name must not sink the desk,
      whatever it is
    at: order
    require: projected.position_value <= limits.max_position of account.equity
    otherwise: deny  # always
    # more to come
"""
UNTIDY = """\
# yaml-language-server: $schema=risk.schema.json

owner:   risk-office
title: Tier C
kind: risk
id: tier_c


rules:
# the first
- at: order
  id:  CAP-01
  otherwise: deny # always
  require: projected.position_value<=limits.max_position  of account.equity
  title: No symbol dominates the book
  rationale: >-
        one name must not sink the desk,
        whatever it is
  # more to come

limits:

      # the firm's own
      max_position: 20% # of equity
      daily_loss: 2% # realised and open
      restricted: [ TSLA,GME ]
"""


def test_the_house_layout() -> None:
    assert formatted(LAYOUT) == LAYOUT
    assert sorted(formatted(UNTIDY).split("\n")) == sorted(["", *LAYOUT.split("\n")])


def test_a_long_line_in_brackets_is_broken_between_its_parts() -> None:
    move = '{from: A, to: B, by: start, role: operator, when: run.mode == LIVE, confirm: "' + "X" * 60 + '"}'
    text = f"kind: lifecycle\nid: m\ntitle: M\nowner: o\nstates: {{A: initial, B: sticky}}\ntransitions:\n  - {move}\n"
    lines = formatted(text).split("\n")
    assert lines[6] == "  - {from: A, to: B, by: start, role: operator, when: run.mode == LIVE,"
    assert lines[7] == '     confirm: "' + "X" * 60 + '"}'


def test_check_and_diff_write_nothing_and_fmt_writes_whole_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "policies" / "risk.yaml"
    file.parent.mkdir()
    file.write_text(UNTIDY, "utf-8")
    file.chmod(0o640)
    assert main(["policy", "fmt", "--check"]) == 1
    assert capsys.readouterr().out == (
        "policies/risk.yaml: would be laid out anew\n1 of 1 file would be laid out anew\n"
    )
    assert main(["policy", "fmt", "--diff"]) == 1
    assert "-owner:   risk-office\n" in capsys.readouterr().out
    assert file.read_text("utf-8") == UNTIDY
    assert main(["policy", "fmt"]) == 0
    assert file.read_text("utf-8") == formatted(UNTIDY)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in file.parent.iterdir()] == ["risk.yaml"], "nothing is left beside it"
    assert main(["policy", "fmt", "--check"]) == 0


def test_nothing_is_written_where_nobody_pointed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["policy", "fmt"]) == 2
    assert "there is no folder `policies` here" in capsys.readouterr().err


def test_files_with_errors_are_refused_and_the_others_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(UNTIDY, "utf-8")
    shutil.copy(BROKEN / "mistyped_limit.yaml", tmp_path / "bad.yaml")
    before = (tmp_path / "bad.yaml").read_bytes()
    assert main(["policy", "fmt", "."]) == 1
    assert "error[MQK-1101]" in capsys.readouterr().out
    assert (tmp_path / "bad.yaml").read_bytes() == before
    assert (tmp_path / "good.yaml").read_text("utf-8") == formatted(UNTIDY)
