"""The golden corpus: each file in `broken/` says in its first lines what is wrong with it, and exactly that is found.

A line `#! 8:3 | MQK-1101 | vaule | unknown key `vaule` | did you mean `value`?` gives line and column, code, the text
that is underlined, message and help (`-` for none), in the order of the diagnostics.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from mqk.policy import CODES, Diagnostic, PolicySet, load_policies, render_text
from tests.policy.support import BROKEN, SOUND

CASES = sorted(path.stem for path in BROKEN.glob("*.yaml"))


@cache
def broken_set() -> PolicySet:
    """All broken files in one run, beside the sound ones that they refer to."""
    return load_policies([BROKEN, SOUND])


def diagnostics_of(name: str) -> list[Diagnostic]:
    return [each for each in broken_set().diagnostics if Path(each.span.file).stem == name]


def expected_of(name: str) -> list[str]:
    text = (BROKEN / f"{name}.yaml").read_bytes().decode(errors="replace")
    return re.findall(r"^#! (.*)$", text, flags=re.MULTILINE)


def underlined(each: Diagnostic) -> str:
    line = re.split(r"\r\n|\r|\n", broken_set().sources[each.span.file])[each.span.line - 1]
    end = each.span.end_column - 1 if each.span.end_line == each.span.line else len(line)
    text = line[each.span.column - 1 : end]
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_told_once_at_its_place_with_its_mend(name: str) -> None:
    told = [
        f"{each.span.line}:{each.span.column} | {each.code} | {underlined(each)} | {each.message} | {each.help or '-'}"
        for each in diagnostics_of(name)
    ]
    assert expected_of(name), "a broken file says what is wrong with it"
    assert told == expected_of(name)


def test_sound_files_beside_broken_ones_stay_without_faults() -> None:
    assert not [each for each in broken_set().diagnostics if "sound" in Path(each.span.file).parts]


@pytest.mark.parametrize("name", CASES)
def test_messages_keep_the_house_style(name: str) -> None:
    for each in diagnostics_of(name):
        assert each.code in CODES
        assert re.match(r"[a-z`0-9]", each.message), "lower case"
        assert not each.message.endswith("."), "no full stop"
        assert each.message.count("`") % 2 == 0, "back-quotes come in pairs"
        assert "\n" not in each.message, "one line"
        assert len(each.message) < 160, "a glance"
        assert not re.search(r"\$ref|properties|regex|jsonschema|Traceback|mqk\.", each.message + (each.help or ""))


def test_a_diagnostic_is_a_paragraph_with_a_caret() -> None:
    each = diagnostics_of("mistyped_limit")[0]
    assert render_text([each], broken_set().sources) == (
        f"{each.span.file}:7:3: error[MQK-1101]: unknown limit `max_positon`\n"
        " 7 |   max_positon: 20%\n"
        "   |   ^^^^^^^^^^^\n"
        "   help: did you mean `max_position`?\n"
    )
