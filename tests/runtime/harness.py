"""How tests play runs: faults at named steps, a clock that can be moved, a broker that notes what it was sent."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.pool import NullPool

from mqk.runtime import PaperSummary, Step, start_or_resume_paper_run
from mqk.runtime.paper import open_paper_broker
from mqk.store.database import open_engine
from mqk.venue import Part
from tests.runtime.world import desk_bars, desk_guards

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mqk.brokers import Ack, Message
    from mqk.engine import EngineState, Permit
    from mqk.guards import GuardSet
    from mqk.market import Bar
    from mqk.orders import Order
    from mqk.reconcile import Book
    from mqk.runtime.leader import Lead
    from mqk.runtime.session import InProgress
    from mqk.venue import Moment

RUN = UUID(int=1)
MINUTES = 36
SECOND = 1_000_000


class Crash(BaseException):
    """What a crash is in a test: nobody catches it, and nobody tidies up."""


class Wall:
    """The wall's clock, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return time.time_ns() // 1000 + self.ahead

    def pass_(self, seconds: int) -> None:
        self.ahead += seconds * SECOND


@dataclass
class Faults:
    """A probe that crashes at the given passings of steps, each once, and counts all it sees."""

    at: list[tuple[Step, int]] = field(default_factory=list)
    seen: Counter[Step] = field(default_factory=Counter)

    def passed(self, step: Step, detail: str = "") -> None:
        self.seen[step] += 1
        if (step, self.seen[step]) in self.at:
            self.at.remove((step, self.seen[step]))
            raise Crash(f"{step} {detail}")


class Noting:
    """A broker in front of the real one that notes which orders it was sent, over all restarts, and may fail.

    `before` and `after` are called with the method's name and the order's id, and may raise.
    """

    def __init__(
        self, sent: Counter[str], before: Callable[[str, str], None], after: Callable[[str, str], None]
    ) -> None:
        self._sent = sent
        self._before = before
        self._after = after
        self._broker: Any = None

    def __call__(self, url: str, state: EngineState, lead: Lead, in_progress: InProgress) -> Noting:
        self._broker = open_paper_broker(url, state, lead, in_progress)
        return self

    def on_market(self, moment: Moment, until: Part = Part.ENDED) -> Part:
        self._before("on_market", str(moment.at))
        reached: Part = self._broker.on_market(moment, until)
        self._after("on_market", str(moment.at))
        return reached

    def shown(self) -> tuple[int, Part]:
        left: tuple[int, Part] = self._broker.shown()
        return left

    def submit(self, permit: Permit, order: Order) -> Ack:
        self._before("submit", order.client_order_id)
        ack: Ack = self._broker.submit(permit, order)
        self._sent[order.client_order_id] += 1
        self._after("submit", order.client_order_id)
        return ack

    def find(self, client_order_id: str) -> Ack | None:
        self._before("find", client_order_id)
        found: Ack | None = self._broker.find(client_order_id)
        return found

    def cancel(self, client_order_id: str) -> bool:
        self._before("cancel", client_order_id)
        cancelled: bool = self._broker.cancel(client_order_id)
        self._after("cancel", client_order_id)
        return cancelled

    def replace(self, permit: Permit, order: Order) -> bool:
        self._before("replace", order.client_order_id)
        changed: bool = self._broker.replace(permit, order)
        self._after("replace", order.client_order_id)
        return changed

    def events_after(self, cursor: int) -> list[Message]:
        self._before("events_after", str(cursor))
        told: list[Message] = self._broker.events_after(cursor)
        return told

    def book(self, orders: Collection[str] = ()) -> Book:
        self._before("book", "")
        book: Book = self._broker.book(orders)
        return book

    def close(self) -> None:
        self._broker.close()


def nothing(_method: str, _subject: str) -> None:
    """No fault of the broker's."""


@dataclass
class Player:
    """Plays one run on one database, again and again until it is over."""

    url: str
    bars: Sequence[Bar] = field(default_factory=lambda: desk_bars(MINUTES))
    guards: GuardSet = field(default_factory=desk_guards)
    before: Callable[[str, str], None] = nothing
    after: Callable[[str, str], None] = nothing
    wall: Wall = field(default_factory=Wall)
    sent: Counter[str] = field(default_factory=Counter)
    crashes: int = 0

    def play(self, faults: Faults | None = None, **settings: Any) -> PaperSummary:
        """Play once, to the end or a crash. A crash leaves the lease behind, which has expired by the next time."""
        self.wall.pass_(120)
        return start_or_resume_paper_run(
            self.url,
            self.guards,
            self.bars,
            **{
                "run_id": RUN,
                "probe": faults or Faults(),
                "wall": self.wall,
                "open_broker": Noting(self.sent, self.before, self.after),
                **settings,
            },
        )

    def crash(self, step: Step, passing: int = 1, **settings: Any) -> None:
        """Play until a crash, which there has to be."""
        try:
            self.play(Faults([(step, passing)]), **settings)
        except Crash:
            self.crashes += 1
            return
        raise AssertionError(f"the run never came to passing {passing} of {step}")

    def play_through(self, *crashes: tuple[Step, int]) -> PaperSummary:
        """Play until the run is over, crashing on the way; each crash counts its steps from its own start."""
        for crash in crashes:
            try:
                return self.play(Faults([crash]))
            except Crash:
                self.crashes += 1
        return self.play()


def record(url: str) -> dict[str, Any]:
    """All that a run left behind, on our side and the broker's, apart from when it really was and who played it."""
    queries = {
        "run": "SELECT state, feed_cursor, feed_part, halt_reason, bundle_sha256 FROM runs",
        "transitions": "SELECT seq, from_state, event, to_state, actor, role, reason FROM run_transitions ORDER BY seq",
        "outbox": "SELECT client_order_id, decision_id, payload, status,"
        " CASE status WHEN 'FAILED' THEN reason END FROM outbox ORDER BY id",
        "inbox": "SELECT message_id, fill_id, payload, applied_at, applied_part FROM inbox ORDER BY id",
        "decisions": "SELECT * FROM decisions ORDER BY decision_id",
        "latches": "SELECT rule_id, outcome, decision_id, since, released_at, released_by FROM latches ORDER BY id",
        "audit": "SELECT kind, at, actor, payload FROM audit WHERE kind NOT IN ('reconcile', 'settled') ORDER BY seq",
        "broker_orders": "SELECT client_order_id, symbol, side, qty, filled, status, due, reason"
        " FROM paper_broker.orders ORDER BY number",
        "broker_messages": "SELECT seq, message_id, event FROM paper_broker.messages ORDER BY seq",
        "broker_positions": "SELECT symbol, qty FROM paper_broker.positions ORDER BY symbol",
        "broker_account": "SELECT cash, market_time, last_message FROM paper_broker.accounts",
    }
    engine = open_engine(url, poolclass=NullPool)
    with engine.connect() as conn:
        return {name: [tuple(row) for row in conn.execute(text(query))] for name, query in queries.items()}


def position(url: str) -> int:
    """How many instants the run has played."""
    engine = open_engine(url, poolclass=NullPool)
    with engine.connect() as conn:
        return conn.scalar(text("SELECT feed_cursor FROM runs")) or 0
