"""Orders: what they are, how they live and die, what they cost, how far they can move a position, where they come from.

No ledger, no broker and no clock; everything other packages need is exported here.
"""

from mqk.orders.costs import CostModel
from mqk.orders.errors import OrderError, OrderErrorCode, OrderEventError
from mqk.orders.events import EventKind, OrderEvent
from mqk.orders.exposure import Projection, Working, project, working_quantities
from mqk.orders.fees import FeeModel
from mqk.orders.intents import Intent, targets_to_orders
from mqk.orders.linked import most_to_fill, taken_off
from mqk.orders.machine import OrderMachine
from mqk.orders.matching import Touch, at_open, passes, reaches, within
from mqk.orders.order import Leg, Order, OrderStatus, OrderType, Side, TimeInForce, client_order_id
from mqk.orders.splits import split_order

__all__ = [
    "CostModel",
    "EventKind",
    "FeeModel",
    "Intent",
    "Leg",
    "Order",
    "OrderError",
    "OrderErrorCode",
    "OrderEvent",
    "OrderEventError",
    "OrderMachine",
    "OrderStatus",
    "OrderType",
    "Projection",
    "Side",
    "TimeInForce",
    "Touch",
    "Working",
    "at_open",
    "client_order_id",
    "most_to_fill",
    "passes",
    "project",
    "reaches",
    "split_order",
    "taken_off",
    "targets_to_orders",
    "within",
    "working_quantities",
]
