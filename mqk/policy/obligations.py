"""Obligations: what is asked of a desk, by whom, and what its policies answer it with.

What lives here: `kind: obligation` documents, read. What does not: the faults of the ids in them (answering.py), and
whether an obligation is answered, which mqk.analysis.assess finds out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from mqk.policy.dates import in_force
from mqk.policy.diagnostics import Span
from mqk.policy.documents import Document, PolicySet
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.reading import line


@dataclass(frozen=True, slots=True)
class Obligation:
    """One thing that is asked, and what is said to answer it; `any_control`: one of the controls is answer enough."""

    id: str
    article: str | None
    title: str
    asks: str
    controls: tuple[str, ...]
    any_control: bool
    cites: tuple[str, ...]
    claims: tuple[str, ...]
    settings: tuple[str, ...]
    built_in: tuple[str, ...]
    by_hand: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Obligations:
    """A document of obligations: whose they are, and each of them in the order written."""

    id: str
    title: str
    owner: str
    source: str
    obligations: tuple[Obligation, ...]
    span: Span


def read_obligations(policies: PolicySet, as_of: date | None) -> tuple[Obligations, ...]:
    """The obligations that are in force on a day, by the ids of their documents."""
    found = (
        in_force(policies.versions["obligation", name], lambda each: each.period, as_of)
        for name in policies.ids("obligation")
    )
    return tuple(_document(each) for each in found if each is not None)


def _document(document: Document) -> Obligations:
    node = document.node
    read = tuple(_obligation(each) for each in node.mappings("obligations"))
    return Obligations(document.id, document.title, document.owner, line(node, "source"), read, document.span)


def _obligation(node: MappingNode) -> Obligation:
    def texts(key: str) -> tuple[str, ...]:
        return tuple(each.text.strip() for each in node.scalars(key))

    article, any_control, id_ = node.scalar("article"), node.scalar("any_control"), node.scalar("id")
    assert id_ is not None
    return Obligation(
        id=id_.text,
        article=None if article is None else article.text.strip(),
        title=line(node, "title"),
        asks=line(node, "asks"),
        controls=texts("controls"),
        any_control=any_control is not None and any_control.text == "true",
        cites=texts("cites"),
        claims=texts("claims"),
        settings=texts("settings"),
        built_in=texts("built_in"),
        by_hand=texts("by_hand"),
        span=id_.span,
    )
