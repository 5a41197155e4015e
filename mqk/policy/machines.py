"""State machines as documents declare them, read into LifecycleSource.

Whether the machine makes sense is checks.py; what a move costs or proves is mqk.guards.
"""

from __future__ import annotations

from mqk.policy.checks import expanded, state_kinds
from mqk.policy.documents import Document
from mqk.policy.nodes import Mapping
from mqk.policy.reading import read_invariants
from mqk.policy.sources import LifecycleSource, TransitionSource


def read_lifecycle(document: Document) -> LifecycleSource:
    """The machine of a document that is known to be without errors."""
    states = state_kinds(document.node)
    moves = tuple(_transition(node, states) for node in document.node.mappings("transitions"))
    return LifecycleSource(document.id, states, moves, read_invariants(document.node))


def _transition(node: Mapping, states: dict[str, str]) -> TransitionSource:
    target, command = node.scalar("to"), node.scalar("by")
    assert target is not None
    assert command is not None
    role, confirm = node.scalar("role"), node.scalar("confirm")
    return TransitionSource(
        from_states=expanded([each.text for each in node.one_or_more("from")], target.text, states),
        to=target.text,
        by=command.text,
        role=None if role is None else role.text,
        require=node.scalar("require"),
        when=node.scalar("when"),
        confirm=None if confirm is None else confirm.text.strip(),
        span=command.span,
    )
