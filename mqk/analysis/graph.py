"""State machines, and the documents that bind an engine, as graphs: nodes, edges and Mermaid text.

What lives here: what is drawn. What does not: where it stands on the page (drawing.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mqk.policy import Bundle, Document, LifecycleSource, PolicySet, TransitionSource


@dataclass(frozen=True, slots=True)
class Node:
    """A box: its kind decides how it looks (`initial`, `normal`, `sticky`, `final`, or a kind of document)."""

    name: str
    label: str
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line from one or more boxes to another: what it is called, and what else is to be known of it, line by line."""

    starts: tuple[str, ...]
    end: str
    label: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph to draw; `states` tells a state machine from documents that rest on each other."""

    title: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    states: bool


def of_lifecycle(machine: LifecycleSource) -> Picture:
    """A state machine. What only leaves a state as it is, unasked, is not drawn: it changes nothing."""
    nodes = tuple(Node(state, state, kind) for state, kind in machine.states.items())
    arrows = tuple(
        Arrow(starts, move.to, move.by, _conditions(move))
        for move in machine.transitions
        if (starts := tuple(state for state in move.from_states if state != move.to))
    )
    return Picture(machine.id, nodes, arrows, states=True)


def _conditions(move: TransitionSource) -> tuple[str, ...]:
    lines = []
    if move.role is not None:
        lines.append(f"by {move.role}")
    if move.when is not None:
        lines.append(f"when {_line(move.when.text)}")
    if move.require is not None:
        lines.append(f"requires {_line(move.require.text)}")
    if move.confirm is not None:
        lines.append(f"typed: {move.confirm}")
    return tuple(lines)


def of_engine(policies: PolicySet, bundle: Bundle) -> Picture:
    """The documents that bind an engine: what it uses, and what those extend."""
    by_name = {each.name: each for versions in policies.versions.values() for each in versions}
    engine = by_name[f"engine:{bundle.engine}"]
    nodes: dict[str, Node] = {}
    arrows: list[Arrow] = []
    pending = [engine]
    while pending:
        document = pending.pop(0)
        if document.name in nodes:
            continue
        nodes[document.name] = Node(document.name, document.id, document.kind, _content(document))
        below = [f"{document.kind}:{each}" for each in document.extends]
        if document is engine:
            uses = document.node.mapping("uses")
            below = [f"{kind}:{each.text}" for kind in uses.entries for each in uses.scalars(kind)]
        for name in below:
            if name in by_name:
                arrows.append(Arrow((document.name,), name, "uses" if document is engine else "extends"))
                pending.append(by_name[name])
    return Picture(f"what binds {bundle.engine}", tuple(nodes.values()), tuple(arrows), states=False)


def _content(document: Document) -> str:
    limits, rules = len(document.node.mapping("limits").entries), len(document.node.mappings("rules"))
    counted = [_counted(limits, "limit"), _counted(rules, "rule")]
    return ", ".join([document.kind, *(each for each in counted if each)])


def _counted(number: int, noun: str) -> str:
    return "" if number == 0 else f"{number} {noun}" + ("" if number == 1 else "s")


def mermaid(picture: Picture) -> str:
    """The graph as Mermaid text."""
    return _states(picture) if picture.states else _documents(picture)


def _states(picture: Picture) -> str:
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {node.name}" for node in picture.nodes if node.kind == "initial"]
    for arrow in picture.arrows:
        said = " / ".join([arrow.label, *arrow.details])
        lines += [f"    {start} --> {arrow.end}: {_plain(said)}" for start in arrow.starts]
    lines += [f"    {node.name} --> [*]" for node in picture.nodes if node.kind == "final"]
    sticky = [node.name for node in picture.nodes if node.kind == "sticky"]
    if sticky:
        lines.append("    classDef sticky fill:#fde8e0,stroke:#b4431f")
        lines.append(f"    class {','.join(sticky)} sticky")
    return "\n".join(lines) + "\n"


def _documents(picture: Picture) -> str:
    keys = {node.name: f"n{number}" for number, node in enumerate(picture.nodes)}
    lines = ["flowchart TD"]
    lines += [f'    {keys[node.name]}["{_plain(node.label)}<br/>{_plain(node.detail)}"]' for node in picture.nodes]
    lines += [
        f"    {keys[start]} -->|{arrow.label}| {keys[arrow.end]}" for arrow in picture.arrows for start in arrow.starts
    ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    """Text without the characters that Mermaid gives a meaning of its own."""
    return re.sub(r"[;:#\"{}]", lambda match: f"#{ord(match.group())};", text)
