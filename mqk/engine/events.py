"""Everything that can happen to an engine: bars, the clock, the broker's answers and people's switches.

What lives here: the events `step` understands, as immutable records with their JSON. What does not: what they cause.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mqk.market import Bar, Ex, SessionPlan
from mqk.portfolio import Fill

if TYPE_CHECKING:
    from collections.abc import Mapping


class BarArrived(NamedTuple):
    """A bar came in at `now` (epoch micros of the injected clock; a backtest says the bar's own end).

    `missing` counts the bars that were due since the symbol's bar before and did not come; `session` is the ordinal of
    the calendar session the bar belongs to (`date.toordinal`); `other_close` is the close of the same bar from a second
    feed, in micros; `received` is when the bar reached us. A tuple, because there is one per bar and they are made by
    the million.
    """

    bar: Bar
    missing: int
    session: int
    now: int
    other_close: int | None = None
    more: bool = False
    received: int | None = None


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """The clock moved on to `now`.

    `late` names each symbol whose next bar is overdue and by how many micros; symbols on time are left out. `session`
    is the session at that moment, when known: it lets a new session begin before its first bar or fill.
    """

    now: int
    late: tuple[tuple[str, int], ...] = ()
    session: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """The broker took the order."""

    client_order_id: str
    at: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The broker refused the order; it counts as a reject."""

    client_order_id: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Filled:
    """Shares of an order traded.

    `mark` is the market's price at that moment in micros, when the broker tells it; without one the price of the fill
    stands for it, so that the shares are never valued at a price from before the fill. `taken_off` are the orders of
    the same parent that the broker made smaller for it, by id, and by how many shares: only what it says is taken off.
    """

    fill: Fill
    client_order_id: str
    mark: int | None = None
    taken_off: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The order is off the market, whoever asked for it; also an order that the gate refused and that never left."""

    client_order_id: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class CancelRejected:
    """The broker would not cancel: the order is as it was."""

    client_order_id: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """The broker changed the order: its total in shares, and its prices in micros where its type has them."""

    client_order_id: str
    qty: int
    limit_price: int | None
    stop_price: int | None
    at: int


@dataclass(frozen=True, slots=True)
class ReplaceRejected:
    """The broker would not change the order: it is as it was."""

    client_order_id: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Expired:
    """The order's time in force is over: what had not filled by then is off the market."""

    client_order_id: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Somebody threw the kill switch, or took it back."""

    on: bool
    by: str
    at: int


@dataclass(frozen=True, slots=True)
class LatchReleased:
    """Somebody in `role` releases what the rule holds; nothing happens when it holds nothing any more.

    `new_peak` lets drawdown count from the equity of this moment: without it, a drawdown that still stands holds again
    at once. `by` is who it was, for the record.
    """

    rule: str
    role: str
    at: int
    new_peak: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True)
class RunMoved:
    """The run came to another state of its lifecycle."""

    state: str
    at: int


@dataclass(frozen=True, slots=True)
class SessionPlanned:
    """The calendar's word on a session: the one that the engine is in, or will enter with its next bar or tick.

    It only informs: no time passes with it, and nothing is judged. Without it, facts of sessions are missing.
    """

    plan: SessionPlan

    @property
    def at(self) -> int:
        """When the session opens."""
        return self.plan.opens


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """Shares of a symbol go ex before the session `ex_session` (`date.toordinal`) trades.

    Every share becomes `split` shares (1 without a split), each of which is paid `dividend` micros; both exact. It
    comes before the symbol's first bar and first fill of the session, and begins the session where nothing else has.
    """

    symbol: str
    ex_session: int
    at: int
    split: Fraction = Fraction(1)
    dividend: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class BorrowCharged:
    """Who is short of a symbol pays `per_share` micros, exact, for having borrowed each share until `session`.

    It comes before what goes ex of the symbol, once a session, and begins the session where nothing else has.
    """

    symbol: str
    session: int
    at: int
    per_share: Fraction


@dataclass(frozen=True, slots=True)
class FirmSeen:
    """What the other engines of the desk come to, as they were last recorded: equity and gross exposure, in micros.

    It only informs: no time passes with it, and nothing is judged.
    """

    equity: int
    gross_exposure: int
    at: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The books were compared: whether nothing was found that stops the engine, and how many differences there are.

    It only informs: no time passes with it, and nothing is judged.
    """

    clean: bool
    differences: int
    at: int


@dataclass(frozen=True, slots=True)
class SkewMeasured:
    """The clocks of this machine and of the database were so many micros apart.

    It only informs: no time passes with it, and nothing is judged.
    """

    skew: int
    at: int


Event = (
    BarArrived
    | ClockTicked
    | Accepted
    | Rejected
    | Filled
    | Cancelled
    | CancelRejected
    | Replaced
    | ReplaceRejected
    | Expired
    | KillSwitch
    | LatchReleased
    | RunMoved
    | SessionPlanned
    | CorporateAction
    | BorrowCharged
    | FirmSeen
    | Reconciled
    | SkewMeasured
)

_PLAIN: Final[Mapping[str, Any]] = {
    kind.__name__: kind
    for kind in (
        Accepted,
        Rejected,
        Cancelled,
        CancelRejected,
        Replaced,
        ReplaceRejected,
        Expired,
        KillSwitch,
        LatchReleased,
        RunMoved,
        FirmSeen,
        Reconciled,
        SkewMeasured,
    )
}


Informing = SessionPlanned | FirmSeen | Reconciled | SkewMeasured
"""What only informs the engine: no time passes with it, and nothing is judged."""


def instant_of(event: Event) -> int:
    """When the event happened, in epoch micros."""
    match event:
        case BarArrived(now=now) | ClockTicked(now=now):
            return now
        case Filled(fill=fill):
            return fill.at
        case _:
            return event.at


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as plain JSON values, for a journal: integers, text, lists; nothing is rounded."""
    fields = event._asdict() if isinstance(event, BarArrived) else asdict(event)
    if isinstance(event, BarArrived):
        fields["bar"] = _bar_to_json(event.bar)
    elif isinstance(event, SessionPlanned):
        fields["plan"] = event.plan.to_json()
    elif isinstance(event, CorporateAction):
        fields["split"], fields["dividend"] = str(event.split), str(event.dividend)
    elif isinstance(event, BorrowCharged):
        fields["per_share"] = str(event.per_share)
    return {"event": type(event).__name__, **fields}


def event_from_json(record: Mapping[str, Any]) -> Event:
    """The event that `event_to_json` wrote. Raises ValueError for what is none."""
    fields = dict(record)
    name = fields.pop("event", None)
    try:
        if name == "BarArrived":
            return BarArrived(**{**fields, "bar": _bar_from_json(fields["bar"])})
        if name == "Filled":
            taken_off = tuple((order, shares) for order, shares in fields.get("taken_off", ()))
            return Filled(**{**fields, "fill": Fill(**fields["fill"]), "taken_off": taken_off})
        if name == "ClockTicked":
            return ClockTicked(**{**fields, "late": tuple((symbol, micros) for symbol, micros in fields["late"])})
        if name == "SessionPlanned":
            return SessionPlanned(SessionPlan.from_json(fields["plan"]))
        if name == "CorporateAction":
            exact = {each: Fraction(fields[each]) for each in ("split", "dividend")}
            return CorporateAction(**{**fields, **exact})
        if name == "BorrowCharged":
            return BorrowCharged(**{**fields, "per_share": Fraction(fields["per_share"])})
        if name in _PLAIN:
            event: Event = _PLAIN[name](**fields)
            return event
    except (KeyError, TypeError, ZeroDivisionError) as fault:
        raise ValueError(f"`{name}` is not an event as it was written: {fault}") from None
    raise ValueError(f"`{name}` is not an event")


def _bar_to_json(bar: Bar) -> dict[str, Any]:
    """A bar; what went ex only where something did."""
    fields = asdict(bar)
    ex = fields.pop("ex")
    return fields if ex is None else {**fields, "ex": [str(ex.split), str(ex.dividend)]}


def _bar_from_json(fields: Mapping[str, Any]) -> Bar:
    ex = fields.get("ex")
    return Bar(**{**fields, "ex": None if ex is None else Ex(*map(Fraction, ex))})
