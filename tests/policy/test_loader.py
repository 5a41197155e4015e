"""The strict loader: what it refuses, where it says things stand, and that no text whatsoever can break it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqk.policy import Mapping, Scalar, Sequence, load_policies
from mqk.policy.documents import read_document
from mqk.policy.loader import MAX_DEPTH, load_bytes, load_text
from mqk.policy.source import MAX_BYTES
from tests.policy.support import sound_files

HEAD = "kind: risk\nid: any\ntitle: Any\nowner: risk-office\n"
# Pieces that YAML gives a meaning to, so that arbitrary texts reach into the corners of its grammar.
PIECES = st.sampled_from(
    ["a", "limits", "rules", ": ", ":", "- ", "\n", "  ", "\n  ", "{", "}", "[", "]", ", ", "&x ", "*x", "<<: ", "!t ",
     "!!int ", "#", " #", "'", '"', "|", ">", "|\n  ", "? ", "---\n", "...\n", "%YAML 1.2\n", "\t", "\\", "\x00",
     "\ufeff", "\u2028", "\r", "é", "20%", "kind: risk\n", "id: x\n", "no", "~", "max_position", "require: "]
)  # fmt: skip
YAMLISH = st.lists(PIECES, max_size=40).map("".join)


@given(st.one_of(st.text(max_size=200), YAMLISH, YAMLISH.map(lambda text: HEAD + text)))
@example("\ud800")
@example("a: &" + "x" * 2000)
@example("[" * 5000)
@example("- " * 5000)
@example("? " * 200 + "a")
def test_no_text_makes_the_loader_raise(text: str) -> None:
    loaded = load_text(text, "any.yaml")
    assert loaded.root is not None or loaded.diagnostics
    data = text.encode("utf-8", "surrogatepass")
    _, document, faults = read_document(data, "any.yaml")
    assert document is not None or faults
    for each in faults:
        assert each.span.line >= 1
        assert each.span.column >= 1


@given(st.binary(max_size=200))
def test_no_bytes_make_the_loader_raise(data: bytes) -> None:
    loaded = load_bytes(data, "any.yaml")
    assert loaded.root is not None or loaded.diagnostics


@given(st.sampled_from(sorted(sound_files())), st.data())
def test_a_cut_or_damaged_policy_is_diagnosed_and_never_raises(name: str, data: st.DataObject) -> None:
    text = sound_files()[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 12, len(text))))
    damaged = text[:start] + data.draw(YAMLISH) + text[end:]
    read_document(damaged.encode("utf-8", "surrogatepass"), name)


WORDS = st.lists(st.text("abc<=>.()é漢", min_size=1, max_size=6), min_size=1, max_size=8)


@given(WORDS, st.sampled_from(["plain", "single", "double", "escaped", "folded", "literal", "lines"]))
def test_every_character_of_a_value_knows_its_place(words: list[str], style: str) -> None:
    gap = "\n    " if style in ("folded", "literal", "lines") else " "
    body = gap.join(word.lstrip("<=>.()") + "x" for word in words)
    written = {
        "single": "'" + body + "'",
        "double": '"' + body + '"',
        "escaped": '"' + body.replace("a", "\\x61").replace("b", "\\u0062") + '"',
        "folded": ">-\n    " + body,
        "literal": "|  # a comment\n    " + body,
    }.get(style, body)
    loaded = load_text(f"some: thing\nrequire: {written}\n", "any.yaml")
    assert loaded.root is not None
    value = loaded.root.get("require")
    assert isinstance(value, Scalar)
    lines = loaded.text.split("\n")
    for index, char in enumerate(value.text):
        place = value.part(index, index + 1)
        there = lines[place.line - 1][place.column - 1 :]
        if not char.isspace():
            assert there.startswith((char, "\\")), (char, there)


def test_a_part_over_several_lines_spans_them() -> None:
    loaded = load_text("require: a and\n  b\n", "any.yaml")
    assert loaded.root is not None
    value = loaded.root.scalar("require")
    assert value is not None
    assert value.text == "a and b"
    part = value.part(2, 7)
    assert (part.line, part.column, part.end_line, part.end_column) == (1, 12, 2, 4)


@pytest.mark.parametrize("text", ["a: 15:59\n", "a: 0200\n", "a: no\n", "a: 1e-3\n", "a: 2026-06-04\n", "a: ~\n"])
def test_scalars_stay_text(text: str) -> None:
    loaded = load_text(text, "any.yaml")
    assert loaded.root is not None
    value = loaded.root.scalar("a")
    assert value is not None
    assert value.text == text[3:-1]
    assert not loaded.diagnostics


def test_json_is_read_as_yaml_and_typed_by_the_schema_alone() -> None:
    limits = '{"max_position": 0.2, "allow_short": "false"}'
    text = f'{{"kind": "risk", "id": "a", "title": "A", "owner": "b", "limits": {limits}}}'
    _, document, faults = read_document(text.encode(), "a.json")
    assert document is not None
    assert sorted(each.code for each in faults) == ["MQK-1111", "MQK-1115"]


def test_line_breaks_of_every_system_count_alike() -> None:
    for line_break in ("\n", "\r\n", "\r"):
        loaded = load_text(f"a: b{line_break}c: &x d{line_break}", "any.yaml")
        assert [(each.span.line, each.span.column) for each in loaded.diagnostics] == [(2, 4)]


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    loaded = load_bytes(b"\xef\xbb\xbfa: &x b\n", "any.yaml")
    assert [(each.code, each.span.column) for each in loaded.diagnostics] == [("MQK-1006", 4)]


def test_a_duplicate_never_replaces_the_first() -> None:
    loaded = load_text("a: 1\na: 2\n", "any.yaml")
    assert loaded.root is not None
    first = loaded.root.scalar("a")
    assert first is not None
    assert first.text == "1"


def test_nesting_is_bounded() -> None:
    deep = load_text("a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1), "any.yaml")
    assert not deep.diagnostics
    deeper = load_text("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, "any.yaml")
    assert [each.code for each in deeper.diagnostics] == ["MQK-1017"]


def test_a_huge_file_is_refused_unread() -> None:
    loaded = load_bytes(b"#" * (MAX_BYTES + 1), "any.yaml")
    assert [each.code for each in loaded.diagnostics] == ["MQK-1016"]


def test_the_tree_keeps_order_and_shape() -> None:
    loaded = load_text("a: {c: 1, b: [x, {y: z}]}\n", "any.yaml")
    assert loaded.root is not None
    inner = loaded.root.get("a")
    assert isinstance(inner, Mapping)
    assert list(inner.entries) == ["c", "b"]
    items = inner.get("b")
    assert isinstance(items, Sequence)
    assert [type(item) for item in items.items] == [Scalar, Mapping]


def test_what_cannot_be_read_is_told_and_the_rest_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "good.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "ci.yaml").write_text("on: push\n", encoding="utf-8")
    policies = load_policies([tmp_path, tmp_path / "empty", tmp_path / "nowhere", tmp_path / "good.yaml"])
    assert [each.code for each in policies.diagnostics] == ["MQK-1018", "MQK-1018"]
    assert policies.ids("risk") == ("any",)


def test_faults_of_one_file_are_capped(tmp_path: Path) -> None:
    rows = "".join(f"  own_{index}: 5\n" for index in range(400))
    (tmp_path / "many.yaml").write_text(HEAD + "limits:\n" + rows, encoding="utf-8")
    policies = load_policies([tmp_path])
    assert len(policies.diagnostics) == 201
    assert "MQK-1019" in {each.code for each in policies.diagnostics}
