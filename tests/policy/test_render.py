"""How diagnostics look: the caret under the token, nothing that can drive a terminal, JSON with the agreed fields."""

from __future__ import annotations

import json

from mqk.policy import Diagnostic, Severity, Span, error, render_json, render_text


def at(line: int, column: int, width: int, *, message: str = "a fault", help_: str | None = None) -> Diagnostic:
    return error("MQK-1101", message, Span("a.yaml", line, column, line, column + width), help_)


def test_the_caret_stands_under_the_token_behind_wide_characters() -> None:
    text = render_text([at(1, 4, 3)], {"a.yaml": "漢字 abc: 1\n"})
    assert text.split("\n")[1:3] == [" 1 | 漢字 abc: 1", "   |      ^^^"]


def test_a_token_over_several_lines_is_underlined_on_its_first() -> None:
    each = error("MQK-1101", "a fault", Span("a.yaml", 1, 4, 2, 3))
    assert render_text([each], {"a.yaml": "a: bc\n  d\n"}).split("\n")[2] == "   |    ^^"


def test_no_file_can_send_control_sequences_to_a_terminal() -> None:
    each = at(1, 1, 1, message="found `\x1b[2J`", help_="\x1b]0;title\x07")
    text = render_text([each], {"a.yaml": "\x1b[2J\n"})
    assert "\x1b" not in text
    assert "\x07" not in text


def test_a_place_without_a_source_is_named_alone() -> None:
    each = error("MQK-1209", "there is no engine `X`", Span.nowhere("engine"), "did you mean `Y`?")
    assert render_text([each], {}) == "engine: error[MQK-1209]: there is no engine `X`\n   help: did you mean `Y`?\n"


def test_notes_name_their_places() -> None:
    each = error("MQK-1005", "twice", Span("a.yaml", 2, 1, 2, 2), notes=[("first here", Span("a.yaml", 1, 1, 1, 2))])
    assert "   note: first here (a.yaml:1:1)\n" in render_text([each], {"a.yaml": "a: 1\na: 2\n"})


def test_colour_is_only_there_when_asked_for() -> None:
    assert "\x1b[" in render_text([at(1, 1, 1)], {"a.yaml": "a\n"}, color=True)
    assert "\x1b[" not in render_text([at(1, 1, 1)], {"a.yaml": "a\n"})


def test_json_has_the_fields_that_others_rely_on() -> None:
    warning = Diagnostic("MQK-1101", Severity.WARNING, "a `fault`", None, Span("a.yaml", 1, 2, 3, 4))
    assert json.loads(render_json([warning])) == [
        {
            "code": "MQK-1101",
            "severity": "warning",
            "message": "a `fault`",
            "help": None,
            "file": "a.yaml",
            "line": 1,
            "column": 2,
            "end_line": 3,
            "end_column": 4,
        }
    ]
    assert json.loads(render_json([])) == []
