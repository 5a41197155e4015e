"""What a lifecycle with the id `order` must be beyond any other: nine states, and twelve things that happen to orders.

What lives here: the names, and the checks of the document as it is written. What does not: its table (mqk.guards).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mqk.policy.diagnostics import Diagnostic, Span, error, listed, quoted
from mqk.policy.nodes import Mapping, Scalar
from mqk.policy.suggest import did_you_mean

ORDER_MACHINE: Final = "order"
WORKING: Final = ("NEW", "ACCEPTED", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE")
ENDED: Final = ("FILLED", "CANCELLED", "EXPIRED", "REJECTED")
EVENTS: Final = (
    "accepted", "partial_fill", "fill", "cancel_requested", "cancelled", "cancel_rejected", "replace_requested",
    "replaced", "replace_rejected", "rejected", "expired", "reduced",
)  # fmt: skip
_STATES: Final = (*WORKING, *ENDED)


def lifeless(engine: str, span: Span) -> Diagnostic:
    """MQK-1640: an engine that trades, and whose policy has no machine of orders."""
    message = f"{quoted(engine)} trades, and its policy has no lifecycle `{ORDER_MACHINE}`"
    help_ = f"add `{ORDER_MACHINE}` under `uses.lifecycle`: it says what can happen to an order"
    return error("MQK-1640", message, span, help_)


def check_order_machine(root: Mapping) -> Iterator[Diagnostic]:
    """What makes a machine of orders none that orders could live by. Silent about every other machine."""
    name = root.scalar("id")
    if name is None or name.text != ORDER_MACHINE:
        return
    yield from _states(root, name)
    for move in root.mappings("transitions"):
        yield from _move(move)


def _states(root: Mapping, name: Scalar) -> Iterator[Diagnostic]:
    states = root.mapping("states").entries
    for state, entry in states.items():
        if state not in _STATES:
            help_ = did_you_mean(state, _STATES) or f"the states of orders are {listed(_STATES, 'and')}"
            yield error("MQK-1641", f"{quoted(state)} is no state of an order", entry.key.span, help_)
        elif isinstance(entry.value, Scalar) and entry.value.text == "initial" and state != "NEW":
            help_ = "let `NEW` be `initial`: no broker has spoken yet"
            yield error("MQK-1642", f"orders would begin as {quoted(state)}", entry.value.span, help_)
    missing = [state for state in _STATES if state not in states]
    if missing and states:
        message = f"the machine of orders has no state {listed(missing, 'and')}"
        yield error("MQK-1642", message, name.span, "add it, with the moves that lead to it and from it")


def _move(move: Mapping) -> Iterator[Diagnostic]:
    command, target = move.scalar("by"), move.scalar("to")
    if command is not None and command.text not in EVENTS:
        help_ = did_you_mean(command.text, EVENTS) or f"write one of {listed(EVENTS, 'and')}"
        message = f"nothing that happens to an order is called {quoted(command.text)}"
        yield error("MQK-1641", message, command.span, help_)
    for state in move.one_or_more("from"):
        if target is not None and target.text in WORKING and state.text in ENDED:
            message = f"an order that has ended as {quoted(state.text)} would be {quoted(target.text)} again"
            yield error("MQK-1643", message, state.span, "let it stay as it ended: write `to: same`")
    for key in ("role", "require", "confirm"):
        if key in move.entries:
            message = f"a move of orders has a {quoted(key)}, and what a broker says has happened already"
            help_ = "remove it; a `when:` tells moves apart, and what has no move halts the engine"
            yield error("MQK-1644", message, move.entries[key].key.span, help_)
