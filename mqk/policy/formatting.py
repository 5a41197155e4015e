"""`mqk policy fmt`: a file's text in the house layout, proven to say the same before it may replace anything.

What lives here: refusing what has faults, and comparing what was read before and after. How it is written is layout.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from mqk.dsl import DslError, format_expression, parse_expression
from mqk.policy.checks import check_document
from mqk.policy.comments import Comments
from mqk.policy.diagnostics import Diagnostic, Severity, Span, error, in_order
from mqk.policy.layout import Layout, UnknownLayoutError
from mqk.policy.loader import Loaded, load_text
from mqk.policy.nodes import Mapping, Node, Scalar, Sequence
from mqk.policy.schemas import schema_set
from mqk.policy.secrets import load_without_secrets
from mqk.policy.source import Source
from mqk.policy.validate import kind_of, validate


@dataclass(frozen=True, slots=True)
class Formatted:
    """A file's text before and after, or why it is left as it is."""

    before: str
    after: str
    diagnostics: tuple[Diagnostic, ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.before != self.after


def format_bytes(data: bytes, file: str) -> Formatted:
    """The bytes of a policy file in the house layout. A file with faults is left as it is, with all of them."""
    loaded = load_without_secrets(data, file)
    before = data.decode("utf-8", errors="replace")
    found = [each for each in _faults(loaded) if each.severity is Severity.ERROR]
    if found or loaded.root is None:
        return Formatted(before, before, in_order(found))
    kind, _ = kind_of(loaded.root)
    assert kind is not None
    source = Source.of(file, loaded.text)
    layout = Layout(source, loaded.root, kind, schema_set())
    try:
        after = layout.text()
    except UnknownLayoutError:
        return _left(before, file)
    again = load_text(after, file)
    if again.root is None or again.diagnostics or not _same(loaded.root, again.root):
        return _left(before, file)
    kept = Comments(Source.of(file, after), again.root)
    if Counter(kept.texts) != Counter(layout.comments.texts):
        return _left(before, file)
    return Formatted(before, after, ())


def _faults(loaded: Loaded) -> list[Diagnostic]:
    """What is wrong with a file on its own."""
    found = list(loaded.diagnostics)
    if loaded.root is None:
        return found
    kind, unknown = kind_of(loaded.root)
    found += unknown
    if kind is not None:
        found += validate(loaded.root, kind, schema_set())
    # What a document must keep beyond its schema is only asked of one that its schema accepts.
    return found if found or kind is None else check_document(loaded.root, kind)


def _left(before: str, file: str) -> Formatted:
    help_ = "write its values and comments more plainly; the file is left as it is"
    found = error("MQK-1480", "this file cannot be laid out anew without a change", Span(file, 1, 1, 1, 1), help_)
    return Formatted(before, before, (found,))


def _same(one: Node, other: Node) -> bool:
    """Whether two trees say the same: the order of keys and the spaces in an expression say nothing."""
    match one, other:
        case Mapping(entries=mine), Mapping(entries=theirs):
            return mine.keys() == theirs.keys() and all(_same(mine[key].value, theirs[key].value) for key in mine)
        case Sequence(items=mine_), Sequence(items=theirs_):
            return len(mine_) == len(theirs_) and all(map(_same, mine_, theirs_))
        case Scalar(), Scalar():
            if one.quoted != other.quoted:
                return False
            return one.text == other.text or _meaning(one.text) == _meaning(other.text)
        case _:
            return False


def _meaning(text: str) -> str:
    try:
        return format_expression(parse_expression(text))
    except DslError:
        return text
