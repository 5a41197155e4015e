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
            "position.long_exposure",
            USD,
            "the symbol's part of `account.long_exposure`",
            "max(0, position.qty + position.working_buy) * max(market.price, position.working_buy_price)",
        ),
        Definition(
            "position.short_exposure",
            USD,
            "the symbol's part of `account.short_exposure`",
            "max(0, position.working_sell - position.qty) * max(market.price, position.working_sell_price)",
        ),
        Definition(
            "projected.long_value",
            USD,
            "the long position if this order and all working buys fill, and no sell does",
            "max(0, projected.highest_qty) * max(market.price, position.working_buy_price,"
            " if order.side == BUY then order.worst_price else 0 USD)",
        ),
        Definition(
            "projected.short_value",
            USD,
            "the short position if this order and all working sells fill, and no buy does, as a positive sum",
            "max(0, -projected.lowest_qty) * max(market.price, position.working_sell_price,"
            " if order.side == SELL then order.worst_price else 0 USD)",
        ),
        Definition(
            "projected.position_value",
            USD,
            "the largest position that this order and the working ones can lead to, at the dearer of the market's price"
            " and their worst",
            "max(projected.long_value, projected.short_value)",
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
            "max(abs(account.highest_net_exposure + (if order.side == BUY then projected.long_value"
            " - position.long_exposure"
            " + min(order.qty, max(0, -position.qty - position.working_buy)) * market.price else 0 USD)),"
            " abs(account.lowest_net_exposure - (if order.side == SELL then projected.short_value"
            " - position.short_exposure"
            " + min(order.qty, max(0, position.qty - position.working_sell)) * market.price else 0 USD)))",
        ),
        Definition(
            "projected.short_exposure",
            USD,
            "the short positions if this order and all working sells fill, and no buy does",
            "account.short_exposure - position.short_exposure + projected.short_value",
        ),
        Definition(
            "projected.equity",
            USD,
            "equity once this order and all working ones have filled and all that is then held has been got out of, at"
            " worst, fees included",
            "account.equity - account.close_out_costs - order.costs",
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
