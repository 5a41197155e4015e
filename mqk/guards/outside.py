"""The facts of what comes from outside an engine: bars, feeds, brokers' books, and candidates for promotion.

What lives here: these views. What does not: the engine's own facts (views.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

from mqk.dsl import types as t
from mqk.guards.fact import LIVE, TRADING, USD, Fact, View

# A week in micros: whatever a policy says of comparing often, what was found before that says nothing of today. No
# shorter, since the clock of a replay jumps over weekends and long holidays.
COMPARISON_AGE = 604_800_000_000

DIFFERENCE = t.enum(
    "ORDER_MISSING",
    "ORDER_UNKNOWN",
    "ORDER_OVER",
    "FILL_UNKNOWN",
    "ORDER_SYMBOL",
    "ORDER_SIDE",
    "ORDER_QTY",
    "ORDER_FILLED",
    "ORDER_STATUS",
    "POSITION",
    "CASH",
    "STALE",
    "UNREADABLE",
)


@dataclass(slots=True, init=False, eq=False)
class Bar(View):
    """A bar that has just arrived, before anybody has used it."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("previous_end", "previous_close", "other_close", "received")

    symbol: Annotated[str, Fact(t.SYMBOL, "the bar's symbol")]
    timeframe: Annotated[str, Fact(t.TEXT, "the bar's length, as `1D` or `5m`")]
    open: Annotated[int, Fact(USD, "first price")]
    high: Annotated[int, Fact(USD, "highest price")]
    low: Annotated[int, Fact(USD, "lowest price")]
    close: Annotated[int, Fact(USD, "last price")]
    volume: Annotated[int, Fact(t.QUANTITY, "shares traded")]
    complete: Annotated[bool, Fact(t.BOOL, "whether the bar's time is over")]
    end: Annotated[int, Fact(t.INSTANT, "the end of the bar")]
    received: Annotated[int, Fact(t.INSTANT, "when the bar reached us", optional=True, modes=LIVE)]
    previous_end: Annotated[int, Fact(t.INSTANT, "the end of the symbol's bar before", optional=True)]
    previous_close: Annotated[int, Fact(USD, "the close of the symbol's bar before", optional=True)]
    other_close: Annotated[int, Fact(USD, "the close of the same bar from another feed", optional=True, modes=LIVE)]
    missing: Annotated[
        int, Fact(t.count_of("bars"), "bars due since the symbol's bar before that did not come, in market time")
    ]


@dataclass(slots=True, init=False, eq=False)
class Feed(View):
    """A symbol's feed, judged by the clock, so that silence is noticed."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("silent",)

    symbol: Annotated[str, Fact(t.SYMBOL, "the feed's symbol")]
    late: Annotated[int, Fact(t.DURATION, "how long the next bar is overdue, zero when it is not")]
    silent: Annotated[
        int,
        Fact(
            t.DURATION,
            "how long ago, in hours of trading, the symbol's last bar ended; missing before its first",
            optional=True,
            minimum=0,
        ),
    ]


@dataclass(slots=True, init=False, eq=False)
class Reconcile(View):
    """The last comparison of the ledger with the broker."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("clean", "age", "differences")

    def was(self, age: int) -> None:
        """Say how long ago the comparison was, and so how old all is that it found."""
        self.age = age
        self.grow_old({"clean": age, "differences": age})

    clean: Annotated[
        bool,
        Fact(
            t.BOOL,
            "whether it found nothing that stops the engine",
            optional=True,
            modes=TRADING,
            max_age=COMPARISON_AGE,
        ),
    ]
    age: Annotated[int, Fact(t.DURATION, "how long ago it was", optional=True, minimum=0, modes=TRADING)]
    differences: Annotated[
        int,
        Fact(
            t.COUNT,
            "how many differences it found, noted or not",
            optional=True,
            minimum=0,
            modes=TRADING,
            max_age=COMPARISON_AGE,
        ),
    ]


@dataclass(slots=True, init=False, eq=False)
class OrderLife(View):
    """An order to which something happens, with that taken in; what moves of the lifecycle `order` see."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("complete", "started", "replacing", "acknowledged")

    complete: Annotated[bool, Fact(t.BOOL, "in moves of orders, whether nothing of it is left to fill", optional=True)]
    started: Annotated[bool, Fact(t.BOOL, "in moves of orders, whether any share of it has filled", optional=True)]
    replacing: Annotated[
        bool, Fact(t.BOOL, "in moves of orders, whether a change of it is asked for and unanswered", optional=True)
    ]
    acknowledged: Annotated[
        bool, Fact(t.BOOL, "in moves of orders, whether the broker has ever answered for it", optional=True)
    ]


@dataclass(slots=True, init=False, eq=False)
class Difference(View):
    """One difference between the engine's book and the broker's."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("symbol", "ours", "theirs")

    kind: Annotated[str, Fact(DIFFERENCE, "what differs", modes=TRADING)]
    subject: Annotated[str, Fact(t.TEXT, "the order, the symbol, or the book it is about", modes=TRADING)]
    symbol: Annotated[str, Fact(t.SYMBOL, "the symbol it is about", optional=True, modes=TRADING)]
    ours: Annotated[int, Fact(t.QUANTITY, "the shares in our book", optional=True, modes=TRADING)]
    theirs: Annotated[int, Fact(t.QUANTITY, "the shares in the broker's book", optional=True, modes=TRADING)]
    in_flight: Annotated[
        bool,
        Fact(t.BOOL, "whether news on its way explains it: the broker is ahead, as an order can move", modes=TRADING),
    ]
    foreign: Annotated[
        bool, Fact(t.BOOL, "whether orders under other names than this engine's explain it", modes=TRADING)
    ]
    age: Annotated[
        int, Fact(t.DURATION, "for how long it has been there, comparison after comparison", minimum=0, modes=TRADING)
    ]


@dataclass(slots=True, init=False, eq=False)
class Candidate(View):
    """A finished backtest that asks to be promoted, measured exactly from its artifacts."""

    OPTIONAL: ClassVar[tuple[str, ...]] = ("lookahead_proven",)

    cagr: Annotated[Fraction, Fact(t.RATIO, "growth a year, compounded, from the initial capital")]
    max_drawdown: Annotated[Fraction, Fact(t.RATIO, "the deepest fall of equity below its peak so far", minimum=0)]
    sharpe: Annotated[
        Fraction, Fact(t.RATIO, "mean over deviation of session returns, annualised; not there without volatility")
    ]
    sortino: Annotated[
        Fraction, Fact(t.RATIO, "mean over downside deviation of session returns, annualised; not there without one")
    ]
    calmar: Annotated[Fraction, Fact(t.RATIO, "`candidate.cagr` over `candidate.max_drawdown`; not there without one")]
    profit_factor: Annotated[
        Fraction, Fact(t.RATIO, "profits over losses and fees of closing orders; not there without either", minimum=0)
    ]
    profitable_months: Annotated[Fraction, Fact(t.RATIO, "the part of whole calendar months that gained", minimum=0)]
    volatility: Annotated[Fraction, Fact(t.RATIO, "deviation of session returns, annualised", minimum=0)]
    exposure: Annotated[Fraction, Fact(t.RATIO, "the part of sessions that ended with a position", minimum=0)]
    turnover: Annotated[Fraction, Fact(t.RATIO, "value traded a year, over the mean equity", minimum=0)]
    worst_5_days: Annotated[Fraction, Fact(t.RATIO, "the worst return over five sessions; zero when none lost")]
    trades: Annotated[int, Fact(t.count_of("trades"), "orders that closed something", minimum=0)]
    fills: Annotated[int, Fact(t.count_of("fills"), "fills booked", minimum=0)]
    days: Annotated[int, Fact(t.COUNT, "sessions from the first to the last with a bar", minimum=0)]
    halted: Annotated[bool, Fact(t.BOOL, "whether the run halted, or ended with anything held against it")]
    stress_passed: Annotated[
        bool,
        Fact(t.BOOL, "whether a run under each stress overlay, of the same bars, is there and ended well"),
    ]
    lookahead_proven: Annotated[
        bool, Fact(t.BOOL, "whether a proof that no decision saw the future is there and agrees", optional=True)
    ]
    bundle_matches: Annotated[bool, Fact(t.BOOL, "whether the run was made under the policies that judge it")]
    code_matches: Annotated[bool, Fact(t.BOOL, "whether the run was made by this version of mqk")]
