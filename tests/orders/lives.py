"""The life of an order as the shipped policy has it, for tests that need no engine.

Nothing here asserts; the tests beside it do.
"""

from __future__ import annotations

from functools import cache

from mqk.guards import compile_bundle
from mqk.orders import Order, OrderEvent, OrderMachine
from mqk.policy import Bundle, effective_bundle, load_policies, shipped_policies_dir


@cache
def shipped(engine: str) -> Bundle:
    """The policy that binds a shipped engine."""
    return effective_bundle(load_policies([shipped_policies_dir()]), engine)


@cache
def machine() -> OrderMachine:
    """The machine of the shipped engine MAIN."""
    return OrderMachine.of(compile_bundle(shipped("MAIN")))


def apply(order: Order, event: OrderEvent) -> Order:
    """The order after the event, by the shipped policy."""
    return machine().apply(order, event)
