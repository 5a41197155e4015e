"""Parts of documents read into their sources: rules, tables, claims, loosenings, waivers, invariants.

For documents that are known to be without errors of their own; what those would be is checks.py and governance.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from mqk.policy.dates import read_period
from mqk.policy.diagnostics import Span
from mqk.policy.documents import Document
from mqk.policy.nodes import Mapping, Scalar, Sequence, Text
from mqk.policy.sources import (
    ClaimSource,
    InvariantSource,
    LatchSource,
    Layer,
    LoosenSource,
    RuleSource,
    TableRow,
    TableSource,
    WaiverSource,
)
from mqk.quantity import parse_count, parse_date

# What a loosening may name, each with the section it stands in.
LOOSENED = {"limit": "limits", "rule": "rules", "table": "tables", "let": "lets", "mandatory": "mandatory"}


def required(node: Mapping, key: str) -> Scalar:
    """A scalar that the schema made sure of."""
    value = node.scalar(key)
    assert value is not None, key
    return value


def line(node: Mapping, key: str) -> str:
    """A text that the schema made sure of, without the white space around it."""
    return required(node, key).text.strip()


def read_rule(document: Document, node: Mapping, chain: tuple[Layer, ...], enforce: str) -> RuleSource:
    """A rule as one document has it, with the layers behind it and the level at which it is enforced."""
    confirm, latch = node.scalar("confirm"), node.mapping("latch")
    until, by = latch.scalar("until"), latch.scalar("by")
    exits, waivable = node.mapping("exits").scalar("included"), node.scalar("waivable")
    rationale = node.scalar("rationale")
    id_ = required(node, "id")
    return RuleSource(
        id=id_.text,
        title=line(node, "title"),
        at=required(node, "at").text,
        require=required(node, "require"),
        when=node.scalar("when"),
        otherwise=required(node, "otherwise").text,
        confirm=1 if confirm is None else parse_count(confirm.text).value,
        latch=None if until is None else LatchSource(until.text, None if by is None else by.text),
        exits_included=exits is not None,
        exits_reason=None if exits is None else exits.text.strip(),
        enforce=enforce,
        cites=tuple(each.text.strip() for each in node.scalars("cites")),
        document=document.name,
        span=id_.span,
        chain=chain,
        rationale=None if rationale is None else rationale.text.strip(),
        waivable=waivable is None or waivable.text == "true",
    )


def read_table(document: Document, node: Mapping, chain: tuple[Layer, ...]) -> TableSource:
    """A table as one document has it."""
    hit, collect, otherwise = node.scalar("hit"), node.scalar("collect"), node.get("otherwise")
    inputs, outputs = node.mapping("input"), node.mapping("output")
    id_ = required(node, "id")
    return TableSource(
        id=id_.text,
        title=line(node, "title"),
        hit="unique" if hit is None else hit.text,
        collect=None if collect is None else collect.text,
        inputs=tuple((name, required(inputs, name)) for name in inputs.entries),
        outputs=tuple((name, required(outputs, name).text) for name in outputs.entries),
        rows=tuple(_row(row, inputs, outputs) for row in node.mappings("rows")),
        otherwise=dict(_scalars(otherwise)) if isinstance(otherwise, Mapping) else None,
        document=document.name,
        span=id_.span,
        chain=chain,
    )


def _row(row: Mapping, inputs: Mapping, outputs: Mapping) -> TableRow:
    cells: dict[str, Text | Sequence] = {}
    for name in inputs.entries:
        cell = row.get(name)
        if isinstance(cell, Scalar | Sequence):
            cells[name] = cell
    return TableRow(cells, {name: required(row, name) for name in outputs.entries}, first_key(row))


def first_key(node: Mapping) -> Span:
    """Where a mapping begins: its first key."""
    return next((entry.key.span for entry in node.entries.values()), node.span)


def _scalars(node: Mapping) -> Iterator[tuple[str, Text]]:
    return ((name, entry.value) for name, entry in node.entries.items() if isinstance(entry.value, Scalar))


def read_loosenings(document: Document) -> tuple[LoosenSource, ...]:
    """What a document deliberately loosens."""
    found = []
    for node in document.node.mappings("loosen"):
        what = next(each for each in LOOSENED if each in node.entries)
        name = required(node, what)
        found.append(
            LoosenSource(
                target=f"{LOOSENED[what]}.{name.text}",
                why=line(node, "why"),
                approved_by=line(node, "approved_by"),
                until=parse_date(required(node, "until").text),
                document=document.name,
                span=name.span,
            )
        )
    return tuple(found)


def read_claims(document: Document) -> tuple[ClaimSource, ...]:
    """What a document claims to be true for all inputs."""
    return tuple(_claim(document, node) for node in document.node.mappings("claims"))


def _claim(document: Document, node: Mapping) -> ClaimSource:
    engine, than = node.scalar("engine"), node.scalar("no_more_permissive_than")
    id_ = required(node, "id")
    return ClaimSource(
        id=id_.text,
        title=line(node, "title"),
        at=required(node, "at").text,
        when=node.scalar("when"),
        never=tuple(each.text for each in node.scalars("never")),
        always=tuple(each.text for each in node.scalars("always")),
        engine=None if engine is None else engine.text,
        than=None if than is None else than.text,
        document=document.name,
        span=id_.span,
    )


def read_waiver(document: Document) -> WaiverSource:
    """The waiver that a document is."""
    node, period = document.node, read_period(document.node)
    ticket = node.scalar("ticket")
    return WaiverSource(
        id=document.id,
        title=document.title,
        rule=required(node, "rule").text,
        scope=node.scalar("scope"),
        why=line(node, "why"),
        ticket=None if ticket is None else ticket.text.strip(),
        requested_by=line(node, "requested_by"),
        approved_by=line(node, "approved_by"),
        start=period.start or date.min,
        end=period.end or date.min,
        document=document.name,
        span=document.span,
    )


def read_invariants(node: Mapping) -> tuple[InvariantSource, ...]:
    """What a state machine's document says is true of every path."""
    return tuple(_invariant(each) for each in node.mappings("invariants"))


def _invariant(node: Mapping) -> InvariantSource:
    claim, id_ = node.mapping("claim"), required(node, "id")
    since = claim.scalar("since")
    return InvariantSource(
        id=id_.text,
        title=line(node, "title"),
        reach=required(claim, "never_reach").text,
        when=claim.scalar("when"),
        without=required(claim, "without"),
        since=None if since is None else since.text,
        span=id_.span,
    )
