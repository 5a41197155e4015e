"""How documents refer to each other: every name leads somewhere, of the right kind, and never back in a circle.

Across files only; what a single document must keep is checks.py, what the layers add up to is bundle.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mqk.policy.answering import check_obligations
from mqk.policy.dates import check_versions
from mqk.policy.desk import check_desk
from mqk.policy.diagnostics import Diagnostic, error, listed, quoted
from mqk.policy.nodes import Scalar
from mqk.policy.schemas import KINDS, schema_set
from mqk.policy.suggest import did_you_mean

if TYPE_CHECKING:
    from mqk.policy.documents import Document

    Versions = Mapping[tuple[str, str], Sequence[Document]]


# More names than this are not read by anybody.
_MOST_LISTED = 8


def check_references(versions: Versions, unread: Collection[str]) -> list[Diagnostic]:
    """Everything wrong between documents, given all versions of each kind and id in order of their dates.

    `unread` are the ids of files that are refused for a fault of their own: a reference to one is no fault.
    """
    found: list[Diagnostic] = []
    for same in versions.values():
        found += _one_id(same)
        for document in same:
            found += _references(document, versions, unread)
    found += _circles(versions)
    found += check_desk(versions, unread)
    found += check_obligations(versions, unread)
    return found


def _one_id(same: Sequence[Document]) -> Iterator[Diagnostic]:
    if len(same) > 1 and not all(each.effective for each in same):
        for again in same[1:]:
            notes = [("the first one", same[0].span)]
            message = f"a second `{again.kind}` document with the id {quoted(again.id)}"
            help_ = "give it another id, or date both with `effective:`"
            yield error("MQK-1204", message, again.span, help_, notes=notes)
    else:
        yield from check_versions(same[0].id, [(each.period, each.span) for each in same])


def _references(document: Document, versions: Versions, unread: Collection[str]) -> Iterator[Diagnostic]:
    for name in document.node.scalars("extends"):
        # What has no layers has been refused the key, and is not also blamed for where it leads.
        if name.text not in unread and schema_set().at(document.kind, ("extends",)):
            yield from _reference(name, document, document.kind, versions)
    yield from _stresses(document, versions, unread)
    uses = document.node.mapping("uses")
    for kind in (each for each in uses.entries if each in KINDS):
        for name in uses.scalars(kind):
            if name.text in unread:
                continue
            yield from _reference(name, document, kind, versions)
            for used in versions.get((kind, name.text), ())[-1:]:
                if kind == "execution" and _is_overlay(used):
                    message = f"{quoted(name.text)} is an overlay"
                    yield error(
                        "MQK-1212", message, name.span, "an overlay is laid over an engine by name, as a stress"
                    )


def _stresses(document: Document, versions: Versions, unread: Collection[str]) -> Iterator[Diagnostic]:
    """The stresses of a promotion: overlays, and nothing that would undo the costs beneath."""
    for name in document.node.scalars("stress"):
        if name.text in unread:
            continue
        yield from _reference(name, document, "execution", versions)
        for used in versions.get(("execution", name.text), ())[-1:]:
            if not _is_overlay(used):
                help_ = "a stress is an execution document with `overlay: true`"
                yield error("MQK-1212", f"{quoted(name.text)} is no overlay", name.span, help_)


def _is_overlay(document: Document) -> bool:
    overlay = document.node.scalar("overlay")
    return overlay is not None and overlay.text == "true"


def _reference(name: Scalar, by: Document, kind: str, versions: Versions) -> Iterator[Diagnostic]:
    if (kind, name.text) in versions or not name.text:
        return
    known = sorted(id_ for kind_, id_ in versions if kind_ == kind and (kind_, id_) != (by.kind, by.id))
    other = sorted(kind_ for kind_, id_ in versions if id_ == name.text)
    if other:
        message = f"{quoted(name.text)} is {_a(other[0])} document, and {_a(kind)} document is due"
        yield error("MQK-1202", message, name.span, did_you_mean(name.text, known) or _known(kind, known))
    else:
        message = f"there is no `{kind}` document {quoted(name.text)}"
        yield error("MQK-1201", message, name.span, did_you_mean(name.text, known) or _known(kind, known))


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} `{kind}`"


def _known(kind: str, known: Sequence[str]) -> str:
    if len(known) > _MOST_LISTED:
        return f"check the spelling: no `{kind}` document has a name like it"
    if len(known) == 1:
        return f"there is only `{known[0]}`"
    return f"there are {listed(known, 'and')}" if known else f"no other `{kind}` document was loaded"


def _circles(versions: Versions) -> Iterator[Diagnostic]:
    """Each circle of `extends` once, at the reference that closes it."""
    done: set[tuple[str, str]] = set()
    for start in versions:
        path: list[tuple[str, str]] = []
        # Depth first without recursion: a frame is a document's key and the references still to follow.
        pending = [(start, _extended(start, versions))]
        if start in done:
            continue
        path.append(start)
        while pending:
            here, rest = pending[-1]
            name = next(rest, None)
            if name is None:
                pending.pop()
                path.pop()
                done.add(here)
                continue
            there = (here[0], name.text)
            if there in path:
                chain = " → ".join(f"`{id_}`" for _, id_ in [*path[path.index(there) :], there])
                yield error("MQK-1203", f"documents extend each other in a circle: {chain}", name.span, "remove one")
            elif there not in done and there in versions:
                path.append(there)
                pending.append((there, _extended(there, versions)))


def _extended(key: tuple[str, str], versions: Versions) -> Iterator[Scalar]:
    return (name for document in versions[key] for name in document.node.scalars("extends"))
