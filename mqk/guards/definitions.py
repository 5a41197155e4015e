"""Derived facts: named definitions over observed facts, written in the policy language itself.

Being expressions, they are compiled into the guards, shown to reviewers and visible to proofs; nothing supplies them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mqk.dsl import types as t
from mqk.guards.fact import USD
from mqk.guards.points import Point


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
            "order.adds",
            t.BOOL,
            "whether the order can make the position larger, or turn it round",
            "not order.reduces",
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
        Definition(
            "order.flips",
            t.BOOL,
            "whether the order, with what works on its side, can turn a long position short, or a short one long",
            "if order.side == BUY then position.qty < 0 and projected.highest_qty > 0"
            " else position.qty > 0 and projected.lowest_qty < 0",
        ),
        Definition(
            "projected.net_exposure",
            USD,
            "the largest net of longs and shorts, of either sign, that this order and the working ones can lead to",
            "max(abs(account.highest_net_exposure"
            " + (if order.side == BUY then order.qty else 0) * max(order.worst_price, market.price)),"
            " abs(account.lowest_net_exposure"
            " - (if order.side == SELL then order.qty else 0) * max(order.worst_price, market.price)))",
        ),
        Definition(
            "projected.short_exposure",
            USD,
            "the short positions if this order and all working sells fill, and no buy does",
            "account.short_exposure + (max(0, -projected.lowest_qty) - max(0, position.working_sell - position.qty))"
            " * max(order.worst_price, market.price)",
        ),
        Definition(
            "projected.open_positions",
            t.count_of("positions"),
            "the symbols held once this order and all working ones fill",
            "account.open_positions + account.opening_positions"
            " + (if position.qty == 0 and position.working_buy == 0 and position.working_sell == 0 then 1 else 0)",
        ),
    ),
}
