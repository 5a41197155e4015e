"""The facts of an engine as it fills them: one slotted view per subject, every fact declared once, where it is held.

What lives here: facts of the order, its symbol, the account and the run. What does not: facts of bars, feeds, brokers'
books and candidates (outside.py), and facts computed from others (definitions.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from mqk.dsl import types as t
from mqk.guards.fact import (
    MODE,
    ORDER_TYPE,
    POSTURE,
    RUN_STATE,
    SIDE,
    TIME_IN_FORCE,
    TRADING,
    USD,
    Elements,
    Fact,
    View,
)

# A quarter of an hour in micros: clocks that were together then may have come apart since.
SKEW_AGE = 900_000_000

# Five sessions of trading in micros: whatever a policy says of fresh prices, after a week without a bar there is none.
# Counted in hours of trading, so that neither a night nor a weekend makes a price old.
BAR_AGE = 117_000_000_000

_ORDERS = t.count_of("orders")
_TRADES = t.count_of("trades")
_POSITIONS = t.count_of("positions")
_BARS = t.count_of("bars")


@dataclass(slots=True, init=False, eq=False)
class Order(View):
    """The order that is about to be placed."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("limit_price", "stop_price", "same_age")

    symbol: Annotated[str, Fact(t.SYMBOL, "the symbol to trade")]
    side: Annotated[str, Fact(SIDE, "buy or sell")]
    qty: Annotated[int, Fact(t.QUANTITY, "the number of shares, never below zero", minimum=0)]
    type: Annotated[str, Fact(ORDER_TYPE, "how the order is to be executed")]
    tif: Annotated[str, Fact(TIME_IN_FORCE, "how long the order stays in the market")]
    limit_price: Annotated[int, Fact(USD, "the limit of a limit order", optional=True)]
    stop_price: Annotated[int, Fact(USD, "the trigger of a stop order", optional=True)]
    worst_price: Annotated[int, Fact(USD, "the worst price at which the order may fill, costs included", minimum=0)]
    fees: Annotated[int, Fact(USD, "the most that its fills can cost in fees", minimum=0)]
    costs: Annotated[
        int,
        Fact(USD, "what filling it and getting out again takes off equity at worst, fees included", minimum=0),
    ]
    reduce_only: Annotated[bool, Fact(t.BOOL, "whether the order was made to bring a position nearer to zero only")]
    is_day_trade: Annotated[
        bool, Fact(t.BOOL, "whether filling it, with all that works in the symbol, can complete a day trade")
    ]
    same_age: Annotated[
        int,
        Fact(
            t.DURATION,
            "how long ago an order of the same symbol, side, quantity, type and prices was placed",
            optional=True,
            minimum=0,
        ),
    ]


@dataclass(slots=True, init=False, eq=False)
class Position(View):
    """What the engine holds and has working in the order's symbol, before the order."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("average_price", "since_exit")

    qty: Annotated[int, Fact(t.QUANTITY, "shares held, negative when short")]
    working_buy: Annotated[int, Fact(t.QUANTITY, "shares in buy orders not yet filled", minimum=0)]
    working_sell: Annotated[int, Fact(t.QUANTITY, "shares in sell orders not yet filled", minimum=0)]
    working_buy_price: Annotated[
        int, Fact(USD, "the dearest worst price of the symbol's buy orders not yet filled, zero without one", minimum=0)
    ]
    working_sell_price: Annotated[
        int, Fact(USD, "the dearest worst price of its sell orders not yet filled, zero without one", minimum=0)
    ]
    working_orders: Annotated[int, Fact(_ORDERS, "orders of the symbol not yet filled", minimum=0)]
    exposure: Annotated[int, Fact(USD, "the symbol's part of `account.gross_exposure`", minimum=0)]
    average_price: Annotated[
        int, Fact(USD, "what a share held cost on average, rounded against the trader", optional=True, minimum=0)
    ]
    unrealised: Annotated[int, Fact(USD, "the profit of the shares held at the last price, before fees")]
    opened_today: Annotated[
        int, Fact(t.QUANTITY, "how many of the shares held were added in this session, oldest sold first", minimum=0)
    ]
    since_exit: Annotated[
        int, Fact(t.DURATION, "how long ago a position of the symbol was last closed", optional=True, minimum=0)
    ]
    adds: Annotated[
        int, Fact(_ORDERS, "orders beyond the first that made the position larger, or still work on it", minimum=0)
    ]


@dataclass(slots=True, init=False, eq=False)
class Market(View):
    """The market in the order's symbol."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("previous_session_close", "session_low")

    price: Annotated[int, Fact(USD, "the last price, the close of the last completed bar", minimum=0, max_age=BAR_AGE)]
    volume: Annotated[int, Fact(t.QUANTITY, "shares traded in the last completed bar", minimum=0, max_age=BAR_AGE)]
    range: Annotated[int, Fact(USD, "the high less the low of the last completed bar", minimum=0, max_age=BAR_AGE)]
    bars_seen: Annotated[int, Fact(_BARS, "completed bars of the symbol that were used in this run", minimum=0)]
    previous_session_close: Annotated[
        int, Fact(USD, "the close of the last bar of the symbol's session before", optional=True)
    ]
    session_low: Annotated[int, Fact(USD, "the lowest price of the symbol's bars of this session", optional=True)]
    age: Annotated[int, Fact(t.DURATION, "how long ago, in hours of trading, the last completed bar ended", minimum=0)]


@dataclass(slots=True, init=False, eq=False)
class Account(View):
    """The engine's capital."""

    equity: Annotated[int, Fact(USD, "cash and positions at their last prices")]
    cash: Annotated[int, Fact(USD, "cash, settled or not")]
    day_start_equity: Annotated[int, Fact(USD, "equity when the session began, zero if it was below", minimum=0)]
    peak_equity: Annotated[int, Fact(USD, "the highest equity seen, updated by every price", minimum=0)]
    realised_today: Annotated[int, Fact(USD, "profit realised since the session began, all fees since then taken off")]
    losing_streak: Annotated[int, Fact(_TRADES, "closing orders in a row that lost money, up to the last", minimum=0)]
    gross_exposure: Annotated[
        int,
        Fact(
            USD,
            "the sum over symbols of the largest position that working orders can lead to, at the dearer of the"
            " market's price and their worst",
        ),
    ]
    net_exposure: Annotated[
        int,
        Fact(USD, "the largest net of longs and shorts that working orders can lead to, of either sign", minimum=0),
    ]
    highest_net_exposure: Annotated[int, Fact(USD, "longs less shorts if all working buys fill, and no sell does")]
    lowest_net_exposure: Annotated[int, Fact(USD, "longs less shorts if all working sells fill, and no buy does")]
    long_exposure: Annotated[int, Fact(USD, "the long positions if all working buys fill, and no sell does", minimum=0)]
    short_exposure: Annotated[
        int, Fact(USD, "the short positions if all working sells fill, and no buy does, as a positive sum", minimum=0)
    ]
    working_buy_value: Annotated[int, Fact(USD, "what the working buy orders cost at their worst prices")]
    working_sell_value: Annotated[int, Fact(USD, "what the working sell orders bring at their worst prices", minimum=0)]
    working_fees: Annotated[int, Fact(USD, "the most that fills of the working orders can cost in fees", minimum=0)]
    close_out_costs: Annotated[
        int,
        Fact(
            USD,
            "what filling all working orders and getting out of all that is then held takes off equity at worst,"
            " fees included; as old as the oldest price of what is held",
            minimum=0,
            max_age=BAR_AGE,
        ),
    ]
    working_orders: Annotated[int, Fact(_ORDERS, "orders not yet filled, cancelled or rejected")]
    open_positions: Annotated[int, Fact(_POSITIONS, "symbols held")]
    opening_positions: Annotated[int, Fact(_POSITIONS, "symbols not held in which orders work", minimum=0)]


@dataclass(slots=True, init=False, eq=False)
class Margin(View):
    """What margin is computed from. What it must be is the policy's."""

    equity: Annotated[int, Fact(USD, "equity of the account, cash and positions at their last prices")]
    long_value: Annotated[int, Fact(USD, "the value of all long positions at their last prices", minimum=0)]
    short_value: Annotated[
        int, Fact(USD, "the value of all short positions at their last prices, as a positive sum", minimum=0)
    ]


@dataclass(slots=True, init=False, eq=False)
class HeldPosition(View):
    """A symbol that is held, or in which orders work."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("average_price",)

    symbol: Annotated[str, Fact(t.SYMBOL, "the symbol")]
    qty: Annotated[int, Fact(t.QUANTITY, "shares held, negative when short")]
    working_buy: Annotated[int, Fact(t.QUANTITY, "shares in buy orders not yet filled", minimum=0)]
    working_sell: Annotated[int, Fact(t.QUANTITY, "shares in sell orders not yet filled", minimum=0)]
    price: Annotated[int, Fact(USD, "the last price")]
    value: Annotated[int, Fact(USD, "what the shares held are worth at the last price, negative when short")]
    exposure: Annotated[int, Fact(USD, "the symbol's part of `account.gross_exposure`", minimum=0)]
    cost: Annotated[int, Fact(USD, "what the shares held cost, or brought when sold short", minimum=0)]
    average_price: Annotated[
        int, Fact(USD, "what a share held cost on average, rounded against the trader", optional=True, minimum=0)
    ]
    unrealised: Annotated[int, Fact(USD, "the profit of the shares held at the last price, before fees")]


class Positions(Elements):
    """All symbols that are held, or in which orders work, by symbol."""

    ELEMENT = HeldPosition
    MAXIMUM = 500
    NOUN = "positions"


@dataclass(slots=True, init=False, eq=False)
class WorkingOrder(View):
    """An order that may still fill."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("limit_price", "stop_price")

    symbol: Annotated[str, Fact(t.SYMBOL, "the symbol to trade")]
    side: Annotated[str, Fact(SIDE, "buy or sell")]
    qty: Annotated[int, Fact(t.QUANTITY, "shares not yet filled", minimum=0)]
    filled: Annotated[int, Fact(t.QUANTITY, "shares filled so far", minimum=0)]
    type: Annotated[str, Fact(ORDER_TYPE, "how the order is to be executed")]
    limit_price: Annotated[int, Fact(USD, "the limit of a limit order", optional=True)]
    stop_price: Annotated[int, Fact(USD, "the trigger of a stop order", optional=True)]
    worst_price: Annotated[int, Fact(USD, "the worst price at which the order was judged, costs included")]
    age: Annotated[int, Fact(t.DURATION, "how long ago the order was placed", minimum=0)]


class Working(Elements):
    """All orders that may still fill, oldest first."""

    ELEMENT = WorkingOrder
    MAXIMUM = 500
    NOUN = "orders"


@dataclass(slots=True, init=False, eq=False)
class Firm(View):
    """All engines of the desk together, as last recorded; in a backtest, those that are run in one stream with it."""

    equity: Annotated[
        int,
        Fact(
            USD,
            "the equity of all engines of the desk: of the others, what is left of it once all that works has filled"
            " and all that is then held has been got out of, at worst",
        ),
    ]
    gross_exposure: Annotated[int, Fact(USD, "the gross exposure of all engines of the desk", minimum=0)]


@dataclass(slots=True, init=False, eq=False)
class Session(View):
    """The session of the exchange that began last."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("since_open", "until_close")

    open: Annotated[bool, Fact(t.BOOL, "whether the exchange trades now, its opens and closes included")]
    since_open: Annotated[
        int, Fact(t.DURATION, "how long the session has been open; missing outside of it", optional=True, minimum=0)
    ]
    until_close: Annotated[
        int, Fact(t.DURATION, "how long until the session closes; missing outside of it", optional=True, minimum=0)
    ]
    date: Annotated[int, Fact(t.DATE, "the day of the session")]


@dataclass(slots=True, init=False, eq=False)
class Run(View):
    """The run that is trading."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("armed_for",)

    mode: Annotated[str, Fact(MODE, "what a fill is worth: nothing, paper or money")]
    state: Annotated[str, Fact(RUN_STATE, "where the run is in its life")]
    posture: Annotated[str, Fact(POSTURE, "what the account rules let the engine do")]
    killed: Annotated[bool, Fact(t.BOOL, "whether the kill switch is on")]
    ticks: Annotated[int, Fact(t.count_of("ticks"), "instants of the market that the run has played", minimum=0)]
    armed_for: Annotated[
        int, Fact(t.DURATION, "how long the run has been armed; missing while it is not", optional=True, minimum=0)
    ]
    errors: Annotated[
        int,
        Fact(t.COUNT, "bars that could not be used, and orders and cancels that were rejected", minimum=0),
    ]


@dataclass(slots=True, init=False, eq=False)
class Clock(View):
    """The injected clock."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("skew",)

    now: Annotated[int, Fact(t.INSTANT, "the moment of judging")]
    time: Annotated[int, Fact(t.TIME, "the time of day at the exchange", minimum=0)]
    skew: Annotated[
        int,
        Fact(
            t.DURATION,
            "how far this machine's clock and the database's were apart when they were last compared",
            optional=True,
            minimum=0,
            modes=TRADING,
            max_age=SKEW_AGE,
        ),
    ]


class Windows:
    """Event counts over windows of time: one attribute per window that rules count, unset until counted."""

    __slots__ = ("__dict__",)
