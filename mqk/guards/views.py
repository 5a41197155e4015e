"""The facts catalogue as the engine fills it: one slotted view per subject, every fact declared once, where it is held.

What lives here: facts that somebody observes or keeps. Facts computed from them are definitions (definitions.py).

Values are held as the language holds them: money, prices, instants and durations in micros, quantities and counts as
whole numbers. A fact that must be there and is not is an attribute that was never set; a fact that may be missing is
MISSING. Both raise when a compiled rule reads them, at no cost when they are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from mqk.dsl import types as t
from mqk.dsl.missing import MISSING


@dataclass(frozen=True, slots=True)
class Fact:
    """What a fact is: its type with its unit, and one sentence for the reference page.

    `optional` facts may be missing; `minimum` is the least value a fact can have, where it has one.
    """

    type: t.Type
    title: str
    optional: bool = False
    minimum: int | None = None


USD = t.money("USD")
SIDE = t.enum("BUY", "SELL")
ORDER_TYPE = t.enum("MARKET", "LIMIT", "STOP", "STOP_LIMIT")
MODE = t.enum("BACKTEST", "PAPER", "LIVE")
POSTURE = t.enum("NORMAL", "REDUCE_ONLY", "HALTED", "FLATTENING", "DISARMED")
RUN_STATE = t.enum("CREATED", "ARMED", "RUNNING", "STOPPED", "HALTED")


class View:
    """A subject's facts. Facts that may be missing start as MISSING; all others start unset."""

    __slots__ = ()
    OPTIONAL: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        for name in self.OPTIONAL:
            setattr(self, name, MISSING)


class Elements(list[Any]):
    """A collection that rules quantify over: a list of views of one class, one per element.

    `MAXIMUM` is how many elements it can have: what is said of more is an error. `NOUN` is what they are counted in.
    """

    ELEMENT: ClassVar[type[View]]
    MAXIMUM: ClassVar[int]
    NOUN: ClassVar[str] = ""


@dataclass(slots=True, init=False, eq=False)
class Order(View):
    """The order that is about to be placed."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("limit_price", "stop_price")

    symbol: Annotated[str, Fact(t.SYMBOL, "the symbol to trade")]
    side: Annotated[str, Fact(SIDE, "buy or sell")]
    qty: Annotated[int, Fact(t.QUANTITY, "the number of shares, never below zero", minimum=0)]
    type: Annotated[str, Fact(ORDER_TYPE, "how the order is to be executed")]
    limit_price: Annotated[int, Fact(USD, "the limit of a limit order", optional=True)]
    stop_price: Annotated[int, Fact(USD, "the trigger of a stop order", optional=True)]
    worst_price: Annotated[int, Fact(USD, "the worst price at which the order may fill, costs included")]


@dataclass(slots=True, init=False, eq=False)
class Position(View):
    """What the engine holds and has working in the order's symbol, before the order."""

    qty: Annotated[int, Fact(t.QUANTITY, "shares held, negative when short")]
    working_buy: Annotated[int, Fact(t.QUANTITY, "shares in buy orders not yet filled", minimum=0)]
    working_sell: Annotated[int, Fact(t.QUANTITY, "shares in sell orders not yet filled", minimum=0)]
    exposure: Annotated[int, Fact(USD, "the symbol's part of `account.gross_exposure`", minimum=0)]


@dataclass(slots=True, init=False, eq=False)
class Market(View):
    """The market in the order's symbol."""

    price: Annotated[int, Fact(USD, "the last price, the close of the last completed bar")]


@dataclass(slots=True, init=False, eq=False)
class Account(View):
    """The engine's capital."""

    equity: Annotated[int, Fact(USD, "cash and positions at their last prices")]
    cash: Annotated[int, Fact(USD, "cash, settled or not")]
    day_start_equity: Annotated[int, Fact(USD, "equity when the session began")]
    peak_equity: Annotated[int, Fact(USD, "the highest equity seen, updated by every price")]
    gross_exposure: Annotated[
        int, Fact(USD, "the sum over symbols of the largest position that working orders can lead to")
    ]
    working_buy_value: Annotated[int, Fact(USD, "what the working buy orders cost at their worst prices")]
    working_orders: Annotated[int, Fact(t.COUNT, "orders not yet filled, cancelled or rejected")]
    open_positions: Annotated[int, Fact(t.COUNT, "symbols held")]


@dataclass(slots=True, init=False, eq=False)
class Run(View):
    """The run that is trading."""

    mode: Annotated[str, Fact(MODE, "what a fill is worth: nothing, paper or money")]
    state: Annotated[str, Fact(RUN_STATE, "where the run is in its life")]
    posture: Annotated[str, Fact(POSTURE, "what the account rules let the engine do")]
    killed: Annotated[bool, Fact(t.BOOL, "whether the kill switch is on")]


@dataclass(slots=True, init=False, eq=False)
class Clock(View):
    """The injected clock."""

    now: Annotated[int, Fact(t.INSTANT, "the moment of judging")]


@dataclass(slots=True, init=False, eq=False)
class Bar(View):
    """A bar that has just arrived, before anybody has used it."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("previous_end", "previous_close", "other_close")

    symbol: Annotated[str, Fact(t.SYMBOL, "the bar's symbol")]
    open: Annotated[int, Fact(USD, "first price")]
    high: Annotated[int, Fact(USD, "highest price")]
    low: Annotated[int, Fact(USD, "lowest price")]
    close: Annotated[int, Fact(USD, "last price")]
    volume: Annotated[int, Fact(t.QUANTITY, "shares traded")]
    complete: Annotated[bool, Fact(t.BOOL, "whether the bar's time is over")]
    end: Annotated[int, Fact(t.INSTANT, "the end of the bar")]
    previous_end: Annotated[int, Fact(t.INSTANT, "the end of the symbol's bar before", optional=True)]
    previous_close: Annotated[int, Fact(USD, "the close of the symbol's bar before", optional=True)]
    other_close: Annotated[int, Fact(USD, "the close of the same bar from another feed", optional=True)]
    missing: Annotated[int, Fact(t.COUNT, "bars due since the symbol's bar before that did not come, in market time")]


@dataclass(slots=True, init=False, eq=False)
class Feed(View):
    """A symbol's feed, judged by the clock, so that silence is noticed."""

    symbol: Annotated[str, Fact(t.SYMBOL, "the feed's symbol")]
    late: Annotated[int, Fact(t.DURATION, "how long the next bar is overdue, zero when it is not")]


@dataclass(slots=True, init=False, eq=False)
class Reconcile(View):
    """The last comparison of the ledger with the broker."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("clean", "age")

    clean: Annotated[bool, Fact(t.BOOL, "whether it found no difference", optional=True)]
    age: Annotated[int, Fact(t.DURATION, "how long ago it was", optional=True)]


class Windows:
    """Event counts over windows of time: one attribute per window that rules count, unset until counted."""

    __slots__ = ("__dict__",)
