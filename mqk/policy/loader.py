"""The strict YAML loader: a text in, a tree of nodes with places out, and every trick YAML knows reported.

Refused: duplicate keys, anchors, aliases, merge keys, tags, tabs, directives, further documents, keys that are not
words. Nothing is typed here; what a key or a value may be is the schema's business (validate.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml
from yaml import CSafeLoader

from mqk.policy.diagnostics import Diagnostic, Span, error, quoted
from mqk.policy.faults import yaml_fault
from mqk.policy.nodes import Entry, Mapping, Node, Scalar, Sequence
from mqk.policy.scalars import make_scalar
from mqk.policy.source import Source, clean, decode

MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as read: its text, its tree (None when there is none to go on with) and what was wrong with it."""

    text: str
    root: Mapping | None
    diagnostics: tuple[Diagnostic, ...]


def load_bytes(data: bytes, file: str) -> Loaded:
    """Read the bytes of one policy file. Raises nothing for bad content: it is all in the diagnostics."""
    text, found = decode(data, file)
    if any(each.code == "MQK-1016" for each in found):
        return Loaded(text, None, tuple(found))
    loaded = load_text(text, file)
    return Loaded(loaded.text, loaded.root, (*found, *loaded.diagnostics))


def load_text(text: str, file: str) -> Loaded:
    """Read the text of one policy file, which messages call `file`. Raises nothing for bad content."""
    cleaned, found = clean(Source.of(file, text))
    source = Source.of(file, cleaned)
    builder = _Builder(source)
    try:
        for event in yaml.parse(cleaned, Loader=CSafeLoader):
            if not builder.take(event):
                break
    except yaml.YAMLError as fault:
        diagnostic = yaml_fault(fault, source)
        # A tab in the indentation was already reported, and is what the parser stumbled over.
        if not any(each.code == "MQK-1004" and _indents(source, each.span, diagnostic.span) for each in found):
            found.append(diagnostic)
        builder.broken = True
    return Loaded(text, builder.root(), (*found, *builder.found))


def _indents(source: Source, tab: Span, fault: Span) -> bool:
    start = source.starts[tab.line - 1]
    return tab.line <= fault.line and not source.text[start : start + tab.column - 1].strip()


# A `#` that something stands right behind which can only go on an expression.
_GOES_ON = re.compile(
    r" +(#(?:(?:and|or|of|in|then|else|within|satisfies)\b|not in\b|(?:[<>]=?|[=!]=|[+*/-]) ?[\w(])[^\r\n]*)"
)


def _start(event: yaml.Event) -> int:
    return event.start_mark.index if event.start_mark is not None else 0


def _end(event: yaml.Event) -> int:
    return event.end_mark.index if event.end_mark is not None else 0


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is still open."""

    start: int
    is_mapping: bool
    entries: dict[str, Entry] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    key: Scalar | None = None
    # A key is due, or the value of one; a value whose key was refused is read and dropped.
    key_due: bool = True
    dropping: bool = False
    partial: bool = False


class _Builder:
    """Makes the tree from the parser's events, without recursion."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.found: list[Diagnostic] = []
        self.broken = False
        self._stack: list[_Frame] = []
        self._documents = 0
        self._tree: Node | None = None

    def root(self) -> Mapping | None:
        """The document, when there is a whole one and it is a mapping; reports it when not."""
        if self.broken:
            return None
        if isinstance(self._tree, Mapping):
            return self._tree
        if self._tree is None or (isinstance(self._tree, Scalar) and self._tree.empty):
            message = "the file holds no document"
            self.found.append(error("MQK-1012", message, self.source.span(0, 1), "begin with `kind:` and `id:`"))
        else:
            message = "a policy is a mapping of keys to values"
            self.found.append(error("MQK-1013", message, self._tree.span, "begin with `kind:` and `id:`"))
        return None

    def take(self, event: yaml.Event) -> bool:
        """Take the next event; False when there is no use in going on."""
        match event:
            case yaml.ScalarEvent():
                self._properties(event)
                start, end = self._content(event), _end(event)
                self._place(make_scalar(self.source, event.value, event.style, start, end))
                if not event.style:
                    self._cut(end)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                return self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close(event)
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                return self._document(event)
            case _:
                pass
        return True

    def _cut(self, end: int) -> None:
        """Report a text that goes on behind what YAML takes for a comment: half of a rule would be gone unseen."""
        found = _GOES_ON.match(self.source.text, end)
        if found is not None:
            span = self.source.span(found.start(1), found.end(1))
            message = f"{quoted(found[1])} is a comment, and cuts off what stands before it"
            self.found.append(error("MQK-1600", message, span, "remove the `#`, or write a space behind it"))

    def _document(self, event: yaml.DocumentStartEvent) -> bool:
        if event.version or event.tags:
            found = re.search("^%", self.source.text, flags=re.MULTILINE)
            at = found.start() if found else 0
            message = "a YAML directive"
            self.found.append(error("MQK-1010", message, self.source.span(at, at + 1), "remove the line"))
        self._documents += 1
        if self._documents == 2:
            start = _start(event)
            span = self.source.span(start, max(_end(event), start + 1))
            message = "a second document in the file"
            self.found.append(error("MQK-1011", message, span, "put each document in a file of its own"))
        return True

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> bool:
        self._properties(event)
        start = self._content(event)
        if len(self._stack) >= MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} deep"
            self.found.append(error("MQK-1017", message, self.source.span(start, start + 1), "flatten it"))
            self.broken = True
            return False
        top = self._stack[-1] if self._stack else None
        if top is not None and top.is_mapping and top.key_due:
            self._refuse_key(top, self.source.span(start, start + 1))
        self._stack.append(_Frame(start, isinstance(event, yaml.MappingStartEvent)))
        return True

    def _close(self, event: yaml.MappingEndEvent | yaml.SequenceEndEvent) -> None:
        frame = self._stack.pop()
        span = self.source.span(frame.start, max(_end(event), frame.start + 1))
        if frame.is_mapping:
            self._place(Mapping(frame.entries, span, frame.partial))
        else:
            self._place(Sequence(tuple(frame.items), span))

    def _alias(self, event: yaml.AliasEvent) -> None:
        start, end = _start(event), _end(event)
        top = self._stack[-1] if self._stack else None
        if top is not None and top.is_mapping and top.key_due:
            self._refuse_key(top, self.source.span(start, end))
            self._place(Scalar("", self.source.span(start, end)))
            return
        # The alias behind `<<` is part of the merge that was already reported.
        if top is None or not top.dropping:
            message = f"an alias, `*{event.anchor}`"
            self.found.append(error("MQK-1007", message, self.source.span(start, end), "write the value out"))
        self._place(make_scalar(self.source, f"*{event.anchor}", None, start, end))

    def _place(self, node: Node) -> None:
        """Put a finished node where it belongs: in the open mapping or sequence, or at the top."""
        if self._documents > 1:
            if self._stack:
                self._into(self._stack[-1], node)
            return
        if self._stack:
            self._into(self._stack[-1], node)
        else:
            self._tree = node

    def _into(self, frame: _Frame, node: Node) -> None:
        if not frame.is_mapping:
            frame.items.append(node)
        elif not frame.key_due:
            if not frame.dropping and frame.key is not None:
                frame.entries[frame.key.text] = Entry(frame.key, node)
            frame.key_due, frame.dropping, frame.key = True, False, None
        else:
            frame.key_due = False
            if not frame.dropping:
                self._key(frame, node)

    def _key(self, frame: _Frame, node: Node) -> None:
        if not isinstance(node, Scalar) or not node.text:
            self._refuse_key(frame, node.span)
        elif node.text == "<<" and not node.quoted:
            self.found.append(
                error("MQK-1008", "a merge key, `<<`", node.span, "write the keys out, or use `extends:`")
            )
            frame.dropping = frame.partial = True
        elif node.text in frame.entries:
            first = frame.entries[node.text].key.span
            notes = [("first written here", first)]
            message = f"the key {quoted(node.text)} is written twice"
            self.found.append(error("MQK-1005", message, node.span, "keep one of them", notes=notes))
            frame.dropping = True
        else:
            frame.key = node

    def _refuse_key(self, frame: _Frame, span: Span) -> None:
        self.found.append(error("MQK-1014", "a key is one word", span, "write `key: value`"))
        frame.dropping = frame.partial = True

    def _properties(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        """Report the anchor and the tag of a node."""
        start = _start(event)
        if event.anchor is not None:
            word = f"&{event.anchor}"
            at = self.source.text.find(word, start)
            message = f"an anchor, `{word}`"
            span = self.source.span(at, at + len(word))
            self.found.append(error("MQK-1006", message, span, "remove it, and write the value out where it is used"))
        if event.tag is not None:
            at = self.source.text.find("!", start)
            end = at
            while end < len(self.source.text) and not self.source.text[end].isspace():
                end += 1
            message = f"a tag, {quoted(self.source.text[at:end])}"
            help_ = "remove it: the schema says what a value is"
            self.found.append(error("MQK-1009", message, self.source.span(at, end), help_))

    def _content(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent) -> int:
        """Where a node itself begins, behind its anchor and tag."""
        index = _start(event)
        text, end = self.source.text, _end(event)
        if event.anchor is None and event.tag is None:
            return index
        while index < end and text[index] in "&!":
            while index < end and not text[index].isspace():
                index += 1
            while index < end and text[index].isspace():
                index += 1
        return index
