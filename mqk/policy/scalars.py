"""From a scalar as written (plain, quoted, folded over lines) to its text with the place of every character.

Which scalars there are is loader.py; what their text means is left to the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mqk.policy.diagnostics import Span
from mqk.policy.nodes import Scalar
from mqk.policy.source import Source

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r\n|.)", re.DOTALL)
_ESCAPES = dict(zip('0abtnvfre "/\\N_LP', '\0\a\b\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))


def make_scalar(source: Source, text: str, style: str | None, start: int, end: int) -> Scalar:
    """The scalar that stands in `source` between two characters, in a YAML style (None or "" plain, ' " | >)."""
    line, column = source.place(start)
    end_line, end_column = source.place(end)
    span = Span(source.file, line, column, end_line, end_column)
    quoted = style in ("'", '"')
    lead = 1 if quoted else 0
    if end - start == len(text) + 2 * lead and source.text.startswith(text, start + lead):
        return Scalar(text, span, lead, None, quoted)
    places = _places(source, text, style, start, end)
    if style in ("|", ">"):
        # A block reaches to the line after it; what is worth underlining is its text.
        last_line, last_column = places[-1] if places else (line, column + 1)
        span = Span(source.file, line, column, last_line, max(last_column, column + 1 if last_line == line else 1))
    return Scalar(text, span, lead, places, quoted)


def _places(source: Source, text: str, style: str | None, start: int, end: int) -> tuple[tuple[int, int], ...]:
    """Where each character of a folded or escaped scalar stands, or () when that cannot be told for certain.

    Folding only ever changes white space, so the other characters are the same in the file and in the text, in the
    same order: they are paired off, and white space takes the place before the character that follows it.
    """
    written = iter(_written(source.text, style, start, end))
    indexes: list[int] = []
    spaces = 0
    last = start
    for char in text:
        if char.isspace():
            spaces += 1
            continue
        found = next(written, None)
        if found is None or found[0] != char:
            return ()
        index = found[1]
        indexes += [max(index - back, last) for back in range(spaces, 0, -1)]
        spaces = 0
        indexes.append(index)
        last = found[2]
    if next(written, None) is not None:
        return ()
    indexes += [last] * (spaces + 1)
    return tuple(source.place(index) for index in indexes)


def _written(text: str, style: str | None, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """The characters that are not white space, as (character, where it starts, where it ends)."""
    index = start
    if style in ("|", ">"):
        # The header (`>-`, perhaps a comment) is not part of the text.
        while index < end and text[index] not in "\r\n":
            index += 1
    elif style in ("'", '"'):
        index, end = start + 1, end - 1
    while index < end:
        char, after = text[index], index + 1
        if style == "'" and char == "'":
            after = index + 2
        elif style == '"' and char == "\\" and (match := _ESCAPE.match(text, index, end)):
            after = match.end()
            char = _unescaped(match[0])
        if not char.isspace():
            yield char, index, after
        index = after


def _unescaped(escape: str) -> str:
    letter, digits = escape[1], escape[2:]
    if letter in "xuU" and digits:
        return chr(int(digits, 16))
    return " " if letter in "\r\n" else _ESCAPES.get(letter, letter)
