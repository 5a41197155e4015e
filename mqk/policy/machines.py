"""State machines as documents declare them, read into LifecycleSource.

Whether the machine makes sense is checks.py; what a move costs or proves is mqk.guards.
"""

from __future__ import annotations

from collections.abc import Iterator

from mqk.policy.checks import SAME, expanded, state_kinds
from mqk.policy.documents import Document
from mqk.policy.nodes import Mapping
from mqk.policy.reading import read_invariants
from mqk.policy.sources import LifecycleSource, TransitionSource


def read_lifecycle(document: Document) -> LifecycleSource:
    """The machine of a document that is known to be without errors."""
    states = state_kinds(document.node)
    moves = tuple(move for node in document.node.mappings("transitions") for move in _transitions(node, states))
    return LifecycleSource(document.id, states, moves, read_invariants(document.node))


def _transitions(node: Mapping, states: dict[str, str]) -> Iterator[TransitionSource]:
    """The move that is written, or one for each state where it leads from each to itself."""
    target, command = node.scalar("to"), node.scalar("by")
    assert target is not None
    assert command is not None
    role, confirm = node.scalar("role"), node.scalar("confirm")
    sources = expanded([each.text for each in node.one_or_more("from")], target.text, states)
    ends = [((state,), state) for state in sources] if target.text == SAME else [(sources, target.text)]
    for from_states, to in ends:
        yield TransitionSource(
            from_states=from_states,
            to=to,
            by=command.text,
            role=None if role is None else role.text,
            require=node.scalar("require"),
            when=node.scalar("when"),
            confirm=None if confirm is None else confirm.text.strip(),
            span=command.span,
        )
