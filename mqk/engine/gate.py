"""The one door: an order becomes something a broker may take only here, judged again at the moment it leaves.

What lives here: the permit, what it is bound to, and the only code that can make one. What does not: sending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from mqk.engine.errors import EngineError
from mqk.engine.placing import judge_working
from mqk.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from mqk.quantity import format_instant

if TYPE_CHECKING:
    from mqk.engine.state import EngineState
    from mqk.guards import Decision

# Whoever holds this can mint permits. It has no other use, leaves this module nowhere, and cannot be copied or pickled
# into being: it is compared by identity.
_SEAL: Final = object()


@final
class Permit:
    """Leave to send one order, once, under one bundle, in one epoch of the run's lease, until it expires.

    Only `authorise` makes one. It cannot be changed, copied, pickled, or made by hand: a broker asks `refusal` before
    it takes an order. `decision` is the gate's own, with the facts it saw.
    """

    __slots__ = ("_seal", "bundle", "client_order_id", "decision", "epoch", "expires_at", "intent")

    client_order_id: str
    intent: tuple[str, Side, int, OrderType, int | None, int | None, TimeInForce, str]
    bundle: str
    epoch: int
    expires_at: int
    decision: Decision

    def __new__(cls, seal: object, fields: dict[str, Any]) -> Permit:
        """Refuse to exist without the gate's seal. Raises EngineError "permit"."""
        if seal is not _SEAL:
            raise EngineError("permit", "a permit is made by the gate and by nobody else", "ask `gate.authorise`")
        permit = super().__new__(cls)
        object.__setattr__(permit, "_seal", seal)
        for name, value in fields.items():
            object.__setattr__(permit, name, value)
        return permit

    def refusal(self, order: Order, *, now: int, epoch: int, bundle: str) -> str | None:
        """Why this permit does not let this order out now, in this epoch, under this bundle; None when it does."""
        if getattr(self, "_seal", None) is not _SEAL:
            return "the permit was not made by the gate"
        if self.client_order_id != order.client_order_id or self.intent != order.terms:
            return f"the permit is for another order than `{order.client_order_id}`"
        if self.bundle != bundle:
            return "the permit was given under another policy bundle"
        if self.epoch != epoch:
            return f"the permit is of epoch {self.epoch}, and this is epoch {epoch}"
        if now > self.expires_at:
            return f"the permit expired at {format_instant(self.expires_at)}"
        return None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise EngineError("permit", "a permit cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise EngineError("permit", "a permit cannot be changed")

    def __copy__(self) -> NoReturn:
        raise EngineError("permit", "a permit cannot be copied")

    def __deepcopy__(self, memo: object) -> NoReturn:
        raise EngineError("permit", "a permit cannot be copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise EngineError("permit", "a permit cannot be stored: it is asked for when the order leaves")

    def __init_subclass__(cls) -> NoReturn:
        raise EngineError("permit", "a permit has no other kinds")

    def __repr__(self) -> str:
        return f"Permit({self.client_order_id!r}, epoch={self.epoch}, expires_at={self.expires_at})"


def authorise(state: EngineState, order: Order, *, epoch: int, now: int, ttl: int) -> Permit | Decision:
    """Judge an order that is about to leave, as if it were not working yet: a permit, or the decision against it.

    `now` (epoch micros) is the moment of leaving, `ttl` (micros) how long the permit lasts, `epoch` the fencing epoch
    of the run's lease. The state is left exactly as it was. A refused order is still working: the caller tells `step`
    that it is off the market (`Cancelled`).

    Raises EngineError "permit" for an order that this engine has not placed, or that is no longer waiting to leave.
    """
    held = state.orders.get(order.client_order_id)
    if held is None or held.terms != order.terms:
        raise EngineError("permit", f"order `{order.client_order_id}` is not one that this engine placed")
    if held.status is not OrderStatus.NEW or held.filled:
        raise EngineError("permit", f"order `{order.client_order_id}` is `{held.status}` and does not leave again")
    return _leave(state, held, held, epoch=epoch, now=now, ttl=ttl)


def authorise_replacement(state: EngineState, order: Order, *, epoch: int, now: int, ttl: int) -> Permit | Decision:
    """Judge a change that is about to leave, as what it makes of the order: a permit for it, or the decision against.

    `order` is the order as it will be. Instants as in `authorise`; a refused change is answered with `ReplaceRejected`.

    Raises EngineError "permit" for a change that this engine has not asked for, or asks for no longer.
    """
    held = state.orders.get(order.client_order_id)
    if held is None:
        raise EngineError("permit", f"order `{order.client_order_id}` is not one that this engine placed")
    asked = (held.replace_qty, held.replace_limit, held.replace_stop)
    if held.status is not OrderStatus.PENDING_REPLACE or asked != (order.qty, order.limit_price, order.stop_price):
        raise EngineError("permit", f"order `{order.client_order_id}` is not to be changed like this any more")
    return _leave(state, held, order, epoch=epoch, now=now, ttl=ttl)


def _leave(state: EngineState, held: Order, order: Order, *, epoch: int, now: int, ttl: int) -> Permit | Decision:
    """A permit for an order at work to be at the market as `order`, or the decision against it."""
    decision = judge_working(state, held, now, order)
    if not decision.allowed:
        return decision
    return Permit(
        _SEAL,
        {
            "client_order_id": order.client_order_id,
            "intent": order.terms,
            "bundle": state.bundle_sha256,
            "epoch": epoch,
            "expires_at": now + ttl,
            "decision": decision,
        },
    )
