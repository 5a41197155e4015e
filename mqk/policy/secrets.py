"""Secrets that have no place in a policy: found in the text before anything reads it, and blacked out for good.

Nothing that is found here is ever repeated, in no message, no excerpt and no JSON: what goes on to the loader, and
into the sources that excerpts are cut from, is the text without it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from mqk.policy.diagnostics import Diagnostic, Span, error
from mqk.policy.loader import Loaded, load_text
from mqk.policy.nodes import Mapping, Scalar, walk
from mqk.policy.source import Source, decode

_BLACK: Final = "\N{FULL BLOCK}"
_HELP: Final = "remove it, change it wherever it is in use, and name the environment variable that holds the new one"
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")

# What is a secret by its shape alone; the group `it` is what to black out.
_SHAPES: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<it>-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z))",
        r"\b(?P<it>(?:AKIA|ASIA)[0-9A-Z]{16})\b",
        r"\b(?P<it>[PACS]K[0-9A-Z]{16,24})\b",
        r"\b(?P<it>gh[pousr]_[A-Za-z0-9]{20,})",
        r"\b(?P<it>github_pat_[A-Za-z0-9_]{20,})",
        r"\b(?P<it>glpat-[A-Za-z0-9_-]{16,})",
        r"\b(?P<it>xox[abeoprs]-[A-Za-z0-9-]{10,})",
        r"\b(?P<it>[sr]k_(?:live|test)_[A-Za-z0-9]{10,})",
        r"(?<![\w-])(?P<it>sk-[A-Za-z0-9_-]{16,})",
        r"\b(?P<it>AIza[A-Za-z0-9_-]{30,})",
        r"\b(?P<it>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)",
        r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?P<it>[^@\s/]+)@",
        r"https://(?P<it>hooks\.slack\.com/services/\S+|(?:ptb\.)?discord(?:app)?\.com/api/webhooks/\S+)",
    )
)
# A key that says what its value is, whatever the value looks like.
_NAMED: Final = re.compile(
    r"""(?mix) (?: ^ | [{,] ) [ \t]* (?: - [ \t]+ )? ["']? [\w-]*
    (?: secret | passw(?:or)?d | passphrase | (?:api|private|access)_?key | credentials? | token )
    \w* ["']? [ \t]* : [ \t]+ (?P<it> "[^"\n]+" | '[^'\n]+' | [^\s,}\]#"'{\[][^\n,}\]#]* )"""
)
_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{40}")
# Where capitals and small letters meet.
_CASES: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z])")


def load_without_secrets(data: bytes, file: str) -> Loaded:
    """Read the bytes of one policy file, blacking out whatever looks like a secret. Raises nothing for bad content."""
    text, found = decode(data, file)
    if any(each.code == "MQK-1016" for each in found):
        return Loaded(text, None, tuple(found))
    hidden = list(_in_text(text))
    loaded = load_text(_blackened(text, hidden), file)
    source = Source.of(file, text)
    more = _in_lines(text) if loaded.root is None else _in_tree(loaded.root, source)
    late = [each for each in more if not _within(each, hidden)]
    if late:
        hidden += late
        loaded = load_text(_blackened(text, hidden), file)
    told = [_fault(source.span(start, end)) for start, end in sorted(hidden)]
    return Loaded(loaded.text, loaded.root, (*found, *told, *loaded.diagnostics))


def _fault(span: Span) -> Diagnostic:
    # The span of a secret over several lines is underlined on its first one.
    return error("MQK-1120", "this looks like a secret, and a policy is read by many", span, _HELP)


def _in_text(text: str) -> Iterator[tuple[int, int]]:
    """Where secrets stand, wherever they are: in values, keys and comments."""
    taken: list[tuple[int, int]] = []
    for pattern in (*_SHAPES, _NAMED):
        for match in pattern.finditer(text):
            start, end = match.span("it")
            end = start + len(text[start:end].rstrip())
            if pattern is _NAMED and _VARIABLE.fullmatch(text[start:end].strip("\"'")):
                continue
            if not _within((start, end), taken):
                taken.append((start, end))
                yield start, end
    for match in _TOKEN.finditer(text):
        if _random(match[0]) and not _within(match.span(), taken):
            yield match.span()


def _within(place: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start < place[1] and place[0] < end for start, end in others)


def _random(token: str) -> bool:
    """Whether a word looks drawn by lot: letters and digits mixed, as no name of anything in a policy is."""
    longest = max(re.split(r"[^A-Za-z0-9]", token), key=len)
    if _mixed(longest, 16, 3.0) or (_mixed(token, 32, 4.0) and not re.search(r"[a-z]{5}", token)):
        return True
    # Forty characters of base 64 are what a key of many services is, and may be short of digits.
    return _BASE64.fullmatch(token) is not None and len(_CASES.findall(token)) >= 6


def _mixed(word: str, length: int, entropy: float) -> bool:
    digits, letters = sum(map(str.isdigit, word)), sum(map(str.isalpha, word))
    if len(word) < length or digits < 3 or letters < 3:
        return False
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares) >= entropy


def _in_tree(root: Mapping, source: Source) -> Iterator[tuple[int, int]]:
    """What escapes and folding hid from a look at the text, and what stands under `keys:` and names no variable."""
    keys = root.entries.get("keys")
    named = {id(node) for node in (walk(keys.value) if keys is not None else ())}
    for node in _scalars(root):
        folded = node.places is not None and next(_in_text(node.text), None) is not None
        if folded or (id(node) in named and not node.empty and not _VARIABLE.fullmatch(node.text)):
            start = source.starts[node.span.line - 1] + node.span.column - 1
            yield start, source.starts[node.span.end_line - 1] + node.span.end_column - 1


def _scalars(root: Mapping) -> Iterator[Scalar]:
    for node in walk(root):
        if isinstance(node, Scalar):
            yield node
        elif isinstance(node, Mapping):
            yield from (entry.key for entry in node.entries.values())


def _in_lines(text: str) -> Iterator[tuple[int, int]]:
    """What stands under `keys:` in a text that is no YAML."""
    for block in re.finditer(r"(?m)^keys:.*(?:\n[ \t].*)*", text):
        for match in re.finditer(r":[ \t]+([^\s{][^\n,}]*)", block[0]):
            if not _VARIABLE.fullmatch(match[1].strip(" \t\"'")):
                yield block.start() + match.start(1), block.start() + match.end(1)


def _blackened(text: str, hidden: list[tuple[int, int]]) -> str:
    for start, end in hidden:
        text = text[:start] + re.sub(r"[^\s]", _BLACK, text[start:end]) + text[end:]
    return text
