"""The formats that the schemas name, as jsonschema checks: each raises what is wrong, or says nothing.

What the texts mean once they are right is values.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from jsonschema import FormatChecker

from mqk.dsl import DslError, parse_expression
from mqk.dsl.syntax import Name
from mqk.policy.diagnostics import quoted
from mqk.policy.values import read_value
from mqk.quantity import QuantityError

# The formats whose texts stand for a value.
VALUE_FORMATS: Final = (
    "ratio", "money", "price", "duration", "span", "count", "quantity", "rate", "time", "date", "instant", "symbol",
    "commission", "limit", "quantity-any",
)  # fmt: skip


class MalformedError(ValueError):
    """A name that is not written as such names are: `message` and `help` say how."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def format_checker() -> FormatChecker:
    """A checker that knows mqk's formats and no others, so that a misspelt format in a schema does not pass for one."""
    checker = FormatChecker(formats=())
    for name in VALUE_FORMATS:
        checker.checks(name, raises=QuantityError)(_value_check(name))
    for name, pattern, what, help_ in _NAMES:
        checker.checks(name, raises=MalformedError)(_name_check(re.compile(pattern), what, help_))
    checker.checks("person", raises=MalformedError)(_person)
    checker.checks("let-name", raises=MalformedError)(_let_name)
    checker.checks("expression", raises=DslError)(_expression)
    checker.checks("fact", raises=DslError)(_expression)
    return checker


_NAMES: Final = (
    ("identifier", r"[A-Za-z][A-Za-z0-9_]*", "an identifier", "letters, digits and `_`, starting with a letter"),
    ("limit-name", r"[a-z][a-z0-9_]*", "a name", "lower case letters, digits and `_`, starting with a letter"),
    ("rule-id", r"[A-Z][A-Z0-9]*(?:-[0-9A-Za-z]+)+", "the id of a rule", "capitals, a dash and a number, as `CAP-01`"),
    (
        "calendar",
        r"[A-Z][A-Z0-9]{3}|24/7",
        "a calendar",
        "a market identifier code of four capitals, as `XNYS`, or `24/7`",
    ),
    (
        "prose",
        r"(?=.*\S)[^\x00-\x1f\x7f-\x9f]+\n?",
        "one line of text",
        "write it on one line, without control characters",
    ),
)


def _value_check(name: str) -> Callable[[object], bool]:
    def check(text: object) -> bool:
        if isinstance(text, str):
            read_value(name, text)
        return True

    return check


def _name_check(pattern: re.Pattern[str], what: str, help_: str) -> Callable[[object], bool]:
    def check(text: object) -> bool:
        if isinstance(text, str) and pattern.fullmatch(text) is None:
            raise MalformedError(f"{quoted(text)} is not {what}", help_)
        return True

    return check


_one_line = _name_check(re.compile(_NAMES[-1][1]), *_NAMES[-1][2:])
_a_name = _name_check(re.compile(_NAMES[1][1]), *_NAMES[1][2:])


def _person(text: object) -> bool:
    """One line of text in one alphabet: a letter of another that looks the same would make a second person of one."""
    if isinstance(text, str):
        _one_line(text)
        scripts = {unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha()}
        if len(scripts) > 1:
            message = f"{quoted(text)} mixes letters of several alphabets"
            raise MalformedError(message, "write the name in one alphabet")
    return True


def _let_name(text: object) -> bool:
    if isinstance(text, str):
        _a_name(text)
        try:
            free = isinstance(parse_expression(text), Name)
        except DslError:
            free = False
        if not free:
            raise MalformedError(f"{quoted(text)} is a word of the language", "give it another name")
    return True


def _expression(text: object) -> bool:
    if isinstance(text, str):
        parse_expression(text)
    return True
