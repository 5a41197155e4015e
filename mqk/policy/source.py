"""The text of a policy file before YAML sees it: encoding, size, forbidden characters, tabs, lines and columns.

What the text means as YAML is loader.py.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from mqk.policy.diagnostics import Diagnostic, Span, error

MAX_BYTES = 1_048_576
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
# Control characters; surrogates and non-characters; the marks that hide or reverse text, so that a reviewer reads what
# mqk reads; and the line separators on which YAML's versions disagree.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffc\ufffe\uffff]"
)
_TAB = re.compile(r"\t")


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML 1.2 and editors count them (not as str.splitlines does)."""
    return _LINE_BREAK.split(text)


@dataclass(frozen=True, slots=True)
class Source:
    """A file's text with the place of each of its characters."""

    file: str
    text: str
    starts: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, file: str, text: str) -> Source:
        """Index the lines of `text`."""
        return cls(file, text, (0, *(match.end() for match in _LINE_BREAK.finditer(text))))

    def place(self, index: int) -> tuple[int, int]:
        """Line and column (from 1) of a character."""
        line = bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The span between two characters, at least one column wide."""
        line, column = self.place(start)
        end_line, end_column = self.place(end)
        if (end_line, end_column) <= (line, column):
            end_line, end_column = line, column + 1
        return Span(self.file, line, column, end_line, end_column)


def decode(data: bytes, file: str) -> tuple[str, list[Diagnostic]]:
    """The text of a file, without a byte order mark. Raises nothing: what is not UTF-8 is replaced and reported."""
    if len(data) > MAX_BYTES:
        message = f"a policy file of {len(data):_} bytes is too large to review"
        return "", [error("MQK-1016", message, Span(file, 1, 1, 1, 1), f"keep it under {MAX_BYTES:_} bytes")]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as fault:
        good = data[: fault.start].decode("utf-8-sig")
        source = Source.of(file, good)
        line, column = source.place(len(good))
        message = f"the byte 0x{data[fault.start]:02x} is not UTF-8"
        found = error("MQK-1002", message, Span(file, line, column, line, column + 1), "save the file as UTF-8")
        return data.decode("utf-8-sig", errors="replace"), [found]


def clean(source: Source) -> tuple[str, list[Diagnostic]]:
    """The text with every forbidden character and tab reported and replaced by one space, so that places stay true."""
    found: list[Diagnostic] = []
    for match in _FORBIDDEN.finditer(source.text):
        message = f"the character U+{ord(match[0]):04X} has no place in a policy"
        found.append(error("MQK-1003", message, source.span(match.start(), match.end()), "remove it"))
    lines_with_tabs: set[int] = set()
    for match in _TAB.finditer(source.text):
        span = source.span(match.start(), match.end())
        if span.line not in lines_with_tabs:
            lines_with_tabs.add(span.line)
            found.append(error("MQK-1004", "a tab character", span, "write spaces"))
    if not found:
        return source.text, found
    return _TAB.sub(" ", _FORBIDDEN.sub(" ", source.text)), found
