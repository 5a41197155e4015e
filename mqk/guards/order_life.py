"""The lifecycle `order` as a table: where an order goes on every event, whatever is true of it, worked out once.

What lives here: its compilation. What does not: what the document must be (mqk.policy.order_life), or any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from mqk.dsl import EvaluationError, evaluate, syntax
from mqk.dsl.reading import opened
from mqk.guards.lookup import ViewLookup
from mqk.guards.outside import OrderLife
from mqk.policy import Diagnostic, error, listed, quoted
from mqk.policy.order_life import EVENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqk.guards.machine import Machine, Transition

CONDITIONS: Final = ("complete", "started", "replacing", "acknowledged")
"""What conditions of moves may ask of an order, in the order in which `OrderMoves.find` is told of it."""

_ALL: Final = tuple(product((False, True), repeat=len(CONDITIONS)))


@dataclass(frozen=True, slots=True)
class OrderMoves:
    """Where an order in a state goes on an event, for each of the ways in which its conditions can hold.

    `table` has sixteen answers for each state and event that has any move, numbered as bits of `CONDITIONS`, the last
    one counting least. None: it cannot have happened.
    """

    table: Mapping[tuple[str, str], tuple[str | None, ...]]


def strangers(machine: Machine) -> Iterator[Diagnostic]:
    """Conditions of order moves that ask for anything but the order: their answer could change between two events."""
    known = {f"order.{name}" for name in CONDITIONS}
    for move in machine.transitions:
        for node in () if move.when is None else opened(move.when):
            if isinstance(node, syntax.Window) or (isinstance(node, syntax.Name) and node.path not in known):
                what = node.path if isinstance(node, syntax.Name) else f"{node.function}({node.stream} …)"
                message = f"a move of orders depends on {quoted(what)}"
                yield error("MQK-1644", message, move.span, f"ask for {listed(sorted(known), 'or')} only")
                break


def compile_moves(machine: Machine) -> OrderMoves:
    """The table of a lifecycle that nothing was found wrong with.

    Where two moves apply at once neither is taken: which of them was meant is not known (`mqk policy check` tells).
    """
    held = [[_holds(move, truths) for truths in _ALL] for move in machine.transitions]
    table: dict[tuple[str, str], tuple[str | None, ...]] = {}
    for state in machine.states:
        for event in EVENTS:
            moves = [
                (move, when)
                for move, when in zip(machine.transitions, held, strict=True)
                if move.event == event and state in move.from_states
            ]
            if moves:
                table[state, event] = tuple(_target(moves, index) for index in range(len(_ALL)))
    return OrderMoves(table)


def _target(moves: Sequence[tuple[Transition, Sequence[bool]]], index: int) -> str | None:
    applying = [move.to_state for move, when in moves if when[index]]
    return applying[0] if len(applying) == 1 else None


def _holds(move: Transition, truths: tuple[bool, ...]) -> bool:
    if move.when is None:
        return True
    life = OrderLife()
    for name, truth in zip(CONDITIONS, truths, strict=True):
        setattr(life, name, truth)
    try:
        return evaluate(move.when, ViewLookup({"order": life})) is True
    except EvaluationError:
        # Of nothing but an order's own conditions, only a sum that fails can err: such a move never applies.
        return False
