"""Policy documents and the set of them: every file found, read, validated and referred to, with all that is wrong.

What documents mean together for one engine is bundle.py; how they refer to each other is references.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from mqk.policy.checks import check_document
from mqk.policy.dates import Period, read_period
from mqk.policy.diagnostics import Diagnostic, Severity, Span, error, in_order, shown_path
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.references import check_references
from mqk.policy.schemas import schema_set
from mqk.policy.secrets import load_without_secrets
from mqk.policy.validate import dotted_keys, kind_of, validate

SUFFIXES = (".yaml", ".yml")
# The id of a file that is no document for a fault of its own, so that those who refer to it are not blamed.
_ID = re.compile(r"^id: *([A-Za-z][A-Za-z0-9_]*)", re.MULTILINE)
# Beyond this many faults in one file a list helps nobody.
MAX_FAULTS = 200


@dataclass(frozen=True, slots=True)
class Document:
    """One policy document. `effective` is the first day in force and the first day no longer in force."""

    kind: str
    id: str
    title: str
    owner: str
    extends: tuple[str, ...]
    effective: tuple[date | None, date | None] | None
    node: MappingNode = field(repr=False)
    span: Span
    file: str

    @property
    def name(self) -> str:
        """How provenance names it: `risk:tier_a`."""
        return f"{self.kind}:{self.id}"

    @property
    def period(self) -> Period:
        """When it is in force."""
        return Period(*(self.effective or (None, None)))


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All documents of a run of the loader: `versions` has every one, `documents` the latest version of each id."""

    documents: Mapping[tuple[str, str], Document]
    versions: Mapping[tuple[str, str], tuple[Document, ...]]
    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(repr=False)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that refuse the set."""
        return tuple(each for each in self.diagnostics if each.severity is Severity.ERROR)

    def ids(self, kind: str) -> tuple[str, ...]:
        """The ids of the documents of one kind, sorted."""
        return tuple(sorted(id_ for kind_, id_ in self.versions if kind_ == kind))


def load_policies(paths: Sequence[Path], shown: Callable[[Path], str] = shown_path) -> PolicySet:
    """Read every policy file among `paths`, folders with all that is below them; `shown` is how places tell a path.

    Never raises for bad content: whatever is wrong in any file is in the diagnostics of the result, in order of place.
    """
    documents: list[Document] = []
    found: list[Diagnostic] = []
    sources: dict[str, str] = {}
    unread: set[str] = set()
    for path in policy_files(paths, found, shown):
        file = shown(path)
        try:
            data = path.read_bytes()
        except OSError as fault:
            message = f"`{file}` cannot be read: {(fault.strerror or 'unknown reason').lower()}"
            found.append(error("MQK-1018", message, Span(file, 1, 1, 1, 1)))
            continue
        text, document, faults = read_document(data, file)
        sources[file] = text
        found += _capped(faults, file)
        if document is not None:
            documents.append(document)
        else:
            unread |= set(_ID.findall(text))
    versions = _versions(documents)
    found += check_references(versions, unread)
    latest = {key: each[-1] for key, each in versions.items()}
    return PolicySet(latest, versions, in_order(found), sources)


@lru_cache(maxsize=1_000)
def read_document(data: bytes, file: str) -> tuple[str, Document | None, tuple[Diagnostic, ...]]:
    """One file: its text, its document when it has a kind and an id, and everything wrong with it taken alone.

    Nothing of it depends on other files, and whoever asks again and again has changed one of many.
    """
    loaded = load_without_secrets(data, file)
    found = list(loaded.diagnostics)
    root = loaded.root
    if root is None:
        return loaded.text, None, tuple(found)
    kind, faults = kind_of(root)
    if kind is None:
        return loaded.text, None, (*found, *_fresh(found, [*faults, *dotted_keys(root)]))
    more = check_document(root, kind)
    # What a check has told of a token, with what was meant by it, need not be told in the schema's words as well.
    found += _fresh(found, [*_fresh(more, validate(root, kind, schema_set())), *more])
    return loaded.text, _document(root, kind, file), tuple(found)


def _fresh(known: list[Diagnostic], more: list[Diagnostic]) -> Iterator[Diagnostic]:
    """Those of `more` that do not fault a token the loader already faulted: an alias is not also a bad ratio."""
    taken: dict[int, list[int]] = {}
    for each in known:
        taken.setdefault(each.span.line, []).append(each.span.column)

    def faulted(span: Span) -> bool:
        end = span.end_column if span.end_line == span.line else span.column + 1
        return any(span.column <= column < end for column in taken.get(span.line, ()))

    return (each for each in more if not faulted(each.span))


def _document(root: MappingNode, kind: str, file: str) -> Document | None:
    id_ = root.scalar("id")
    if id_ is None:
        return None
    title, owner = root.scalar("title"), root.scalar("owner")
    period = read_period(root)
    dated = isinstance(root.get("effective"), MappingNode)
    return Document(
        kind=kind,
        id=id_.text,
        title=title.text.strip() if title is not None else id_.text,
        owner=owner.text.strip() if owner is not None else "",
        extends=tuple(each.text for each in root.scalars("extends")),
        effective=(period.start, period.end) if dated else None,
        node=root,
        span=id_.span,
        file=file,
    )


def _versions(documents: list[Document]) -> dict[tuple[str, str], tuple[Document, ...]]:
    grouped: dict[tuple[str, str], list[Document]] = {}
    for each in documents:
        grouped.setdefault((each.kind, each.id), []).append(each)
    return {
        key: tuple(sorted(grouped[key], key=lambda each: (each.period.start or date.min, each.file)))
        for key in sorted(grouped)
    }


def _capped(faults: Sequence[Diagnostic], file: str) -> list[Diagnostic]:
    ordered = list(in_order(faults))
    if len(ordered) <= MAX_FAULTS:
        return ordered
    message = f"{len(ordered)} faults in one file; the first {MAX_FAULTS} are shown"
    return [*ordered[:MAX_FAULTS], error("MQK-1019", message, Span(file, 1, 1, 1, 1), "mend those first")]


def policy_files(
    paths: Sequence[Path], found: list[Diagnostic], shown: Callable[[Path], str] = shown_path
) -> list[Path]:
    """The policy files among `paths`, each once, in an order that depends on nothing but their names."""
    files: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            below = list(_below(path))
            if not below:
                message = f"no policy files below `{shown(path)}`"
                place = Span.nowhere(shown(path))
                found.append(error("MQK-1018", message, place, "policies are files named `*.yaml`"))
            for each in below:
                files.setdefault(each.resolve(), each)
        elif path.exists():
            files.setdefault(path.resolve(), path)
        else:
            found.append(error("MQK-1018", f"there is no file or folder `{shown(path)}`", Span.nowhere(shown(path))))
    return sorted(files.values(), key=shown)


def _below(folder: Path) -> Iterator[Path]:
    # Hidden folders hold other tools' YAML: version control, CI, editors.
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            # Some systems tell no capitals from small letters, and a policy is not left out for its name.
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(root, name)
