"""Derived facts: named definitions over observed facts, written in the policy language itself.

Being expressions, they are compiled into the guards, shown to reviewers and visible to proofs; nothing supplies them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mqk.dsl import types as t
from mqk.guards.points import Point
from mqk.guards.views import USD


@dataclass(frozen=True, slots=True)
class Definition:
    """A derived fact: its name, type, meaning, and the expression that computes it."""

    name: str
    type: t.Type
    title: str
    expression: str


DEFINITIONS: dict[Point, tuple[Definition, ...]] = {
    Point.ORDER: (
        Definition("order.value", USD, "what the order costs at its worst price", "order.qty * order.worst_price"),
        Definition(
            "order.reduces",
            t.BOOL,
            "whether the order can only bring the position nearer to zero, whatever else is working",
            "if order.side == BUY"
            " then position.qty < 0 and position.working_buy + order.qty <= -position.qty"
            " else position.qty > 0 and position.working_sell + order.qty <= position.qty",
        ),
        Definition(
            "projected.highest_qty",
            t.QUANTITY,
            "the position if this order and all working buys fill, and no sell does",
            "position.qty + position.working_buy + (if order.side == BUY then order.qty else 0)",
        ),
        Definition(
            "projected.lowest_qty",
            t.QUANTITY,
            "the position if this order and all working sells fill, and no buy does",
            "position.qty - position.working_sell - (if order.side == SELL then order.qty else 0)",
        ),
        Definition(
            "projected.position_value",
            USD,
            "the largest position that this order can lead to, at the dearer of its worst price and the market's",
            "max(abs(projected.highest_qty), abs(projected.lowest_qty)) * max(order.worst_price, market.price)",
        ),
        Definition(
            "projected.gross_exposure",
            USD,
            "all symbols' exposure with this order's symbol at `projected.position_value`",
            "account.gross_exposure - position.exposure + projected.position_value",
        ),
    ),
}
