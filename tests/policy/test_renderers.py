"""What pull requests and code scanning are given, and that no renderer ever shows a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from mqk.policy import Diagnostic, Severity, Span, error, render_github, render_json, render_sarif, render_text
from mqk.policy.explanations import explain
from tests.editor import server

SECRET = "c2FtcGxlLW9ubHktc2VjcmV0"
Renderer = Callable[[Iterable[Diagnostic], Mapping[str, str]], str]
RENDERERS: tuple[Renderer, ...] = (render_text, render_json, render_github, render_sarif)


def at(line: int, column: int, end: int, message: str = "a fault", **rest: Any) -> Diagnostic:
    return error(rest.pop("code", "MQK-1101"), message, Span("a.yaml", line, column, line, end), **rest)


def test_github_escapes_what_would_end_a_command_or_a_property() -> None:
    each = error(
        "MQK-1101",
        "50%, a: b\nc\rd",
        Span("odd, dir: 1%/a.yaml", 3, 5, 3, 9),
        "say `20%`",
        notes=[("see", at(1, 1, 2).span)],
    )
    assert render_github([each], {}) == (
        "::error file=odd%2C dir%3A 1%25/a.yaml,line=3,endLine=3,col=5,endColumn=8,title=MQK-1101"
        "::50%25, a: b%0Ac%0Dd%0Ahelp: say `20%25`%0Anote: see (a.yaml:1:1)%0Amqk explain MQK-1101"
    )


def test_github_gets_no_columns_of_a_stretch_over_lines_and_no_place_that_is_none() -> None:
    warning = Diagnostic("MQK-1404", Severity.WARNING, "m", None, Span("a.yaml", 1, 2, 3, 4))
    nowhere = error("MQK-1209", "m", Span.nowhere("engine"))
    assert render_github([warning, nowhere], {}).split("\n") == [
        "::warning file=a.yaml,line=1,endLine=3,title=MQK-1404::m%0Amqk explain MQK-1404",
        "::error title=MQK-1209::m%0Amqk explain MQK-1209",
    ]


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_github_command_is_always_one_line(message: str, help_: str) -> None:
    said = render_github([at(1, 1, 2, message, help=help_)], {})
    assert "\n" not in said
    assert "\r" not in said
    # A command's text begins behind the first `::` that follows its name and properties.
    undone = said.removeprefix("::").partition("::")[2]
    assert undone.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%").find(message) >= 0


def test_sarif_is_valid_against_the_schema_of_the_standard() -> None:
    server.install()
    schema = server.HERE / "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
    found = [
        at(2, 3, 8, help="did you mean `b`?", notes=[("first here", Span("b c.yaml", 1, 1, 1, 2))]),
        Diagnostic("MQK-1404", Severity.WARNING, "a warning", None, Span("/else/where.yaml", 1, 1, 2, 1)),
        error("MQK-1209", "there is no engine", Span.nowhere("engine")),
    ]
    validator = Draft7Validator(json.loads(schema.read_text("utf-8")))
    for diagnostics in ([], found):
        log = json.loads(render_sarif(diagnostics, {"a.yaml": "a: 1\n  bcdef: 2\n"}))
        assert [each.message for each in validator.iter_errors(log)] == []


def test_sarif_rules_carry_the_explanation_and_results_their_places() -> None:
    found = [at(2, 3, 8, help="did you mean `b`?", notes=[("first here", Span("b c.yaml", 1, 1, 1, 2))])]
    run = json.loads(render_sarif(found, {"a.yaml": "a: 1\n  bcdef: 2\n"}))["runs"][0]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["help"]["markdown"] == explain("MQK-1101").text
    (result,) = run["results"]
    assert result["message"]["text"] == "a fault\nhelp: did you mean `b`?"
    place = result["locations"][0]["physicalLocation"]
    assert place["region"]["snippet"]["text"] == "bcdef"
    assert (place["region"]["startLine"], place["region"]["startColumn"], place["region"]["endColumn"]) == (2, 3, 8)
    assert result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "b%20c.yaml"


def test_a_result_keeps_its_fingerprint_when_lines_above_it_come_and_go() -> None:
    prints = {
        json.loads(render_sarif([at(line, 1, 2)], {}))["runs"][0]["results"][0]["partialFingerprints"]["mqk/v1"]
        for line in (1, 7)
    }
    assert len(prints) == 1


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize(
    ("source", "others"),
    [
        (f"key: {SECRET}", []),
        (f'{{key: "{SECRET}", other: 1}}', []),
        (f"key: {SECRET}", [at(1, 6, 10, f"`{SECRET[:4]}` cannot be read", help=f"not {SECRET}")]),
        (
            f"key: {SECRET}",
            [at(1, 1, 4, f"`key` holds `{SECRET}`", notes=[(f"as {SECRET}", Span("a.yaml", 1, 6, 1, 9))])],
        ),
        (f"key: {SECRET}", [error("MQK-1001", "not read", Span("a.yaml", 1, 1, 2, 1))]),
    ],
)
def test_no_renderer_shows_a_secret(render: Renderer, source: str, others: list[Diagnostic]) -> None:
    start = source.index(SECRET) + 1
    secret = at(1, start, start + len(SECRET), f"`{SECRET}` looks like a secret", code="MQK-1120")
    said = render([secret, *others], {"a.yaml": source + "\n"})
    assert SECRET not in said
    assert SECRET[:6] not in said
    assert "MQK-1120" in said


def test_a_secret_over_several_lines_is_hidden_on_each_of_them() -> None:
    source = 'key: "first-half-\n  second-half" # and more\n'
    secret = error("MQK-1120", "a secret", Span("a.yaml", 1, 6, 2, 15))
    later = error("MQK-1101", "a fault", Span("a.yaml", 2, 16, 2, 18))
    said = render_text([secret, later], {"a.yaml": source})
    assert not re.search("first|second|more", said)
    assert " 1 | key: ********\n   |      ^^^^^^^^\n" in said


def test_notes_show_the_line_they_speak_of() -> None:
    each = error("MQK-1005", "twice", Span("a.yaml", 2, 1, 2, 2), notes=[("first here", Span("a.yaml", 1, 1, 1, 2))])
    assert render_text([each], {"a.yaml": "a: 1\na: 2\n"}).endswith(
        "   note: first here (a.yaml:1:1)\n 1 | a: 1\n   | -\n"
    )
