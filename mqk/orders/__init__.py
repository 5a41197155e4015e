"""Orders: what they are, how they live and die, what they cost, how far they can move a position, where they come from.

No ledger, no broker, no policy and no clock; everything other packages need is exported here.
"""

from mqk.orders.costs import CostModel
from mqk.orders.errors import OrderError, OrderErrorCode, OrderEventError
from mqk.orders.events import EventKind, OrderEvent
from mqk.orders.exposure import Projection, Working, project, working_quantities
from mqk.orders.fees import FeeModel
from mqk.orders.intents import Intent, targets_to_orders
from mqk.orders.machine import CONDITIONS, EDGES, Edge, apply
from mqk.orders.matching import Touch, at_open, passes, reaches, within
from mqk.orders.order import Leg, Order, OrderStatus, OrderType, Side, TimeInForce, client_order_id
from mqk.orders.splits import split_order

__all__ = [
    "CONDITIONS",
    "EDGES",
    "CostModel",
    "Edge",
    "EventKind",
    "FeeModel",
    "Intent",
    "Leg",
    "Order",
    "OrderError",
    "OrderErrorCode",
    "OrderEvent",
    "OrderEventError",
    "OrderStatus",
    "OrderType",
    "Projection",
    "Side",
    "TimeInForce",
    "Touch",
    "Working",
    "apply",
    "at_open",
    "client_order_id",
    "passes",
    "project",
    "reaches",
    "split_order",
    "targets_to_orders",
    "within",
    "working_quantities",
]
