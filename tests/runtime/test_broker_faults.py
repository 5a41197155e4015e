"""A broker that is away, unsure, unwilling or wrong: orders wait, are asked for, fail or halt; none twice or lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from mqk.brokers import Ack, Ambiguous, BrokerError, BrokerUnavailable, Message, PermitRefused
from mqk.engine import Filled
from mqk.portfolio import Fill
from mqk.reconcile import Book, BookError
from mqk.runtime import LifecycleRefused, PaperSummary, Step
from mqk.store.database import open_engine
from tests.runtime.harness import Noting, Player, nothing, record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from mqk.engine import Permit
    from mqk.orders import Order

Undisturbed = tuple[PaperSummary, dict[str, Any]]


@dataclass
class Failing:
    """Raises at the given calls of a method."""

    method: str
    calls: set[int]
    error: Callable[[], BaseException]
    seen: int = 0

    def __call__(self, method: str, _subject: str) -> None:
        if method == self.method:
            self.seen += 1
            if self.seen in self.calls:
                raise self.error()


def away() -> BrokerUnavailable:
    return BrokerUnavailable("connect", "nobody answers")


def unsure() -> Ambiguous:
    return Ambiguous("connection", "the line went dead")


def assert_same_trades(player: Player, summary: PaperSummary, undisturbed: Undisturbed) -> None:
    expected, kept = undisturbed
    found = record(player.url)
    for part, rows in kept.items():
        assert found[part] == rows, part
    assert replace(summary, reconcile=expected.reconcile) == expected
    assert set(player.sent.values()) == {1}


@pytest.mark.parametrize(
    ("method", "calls"),
    [("submit", {1, 2, 5}), ("on_market", {1, 2, 9}), ("events_after", {3, 4}), ("book", {2, 3, 4})],
)
def test_while_the_broker_is_away_the_feed_waits(
    player: Player, undisturbed: Undisturbed, method: str, calls: set[int]
) -> None:
    player.before = Failing(method, calls, away)
    assert_same_trades(player, player.play(), undisturbed)


@pytest.mark.parametrize("side", ["before", "after"])
def test_when_nobody_knows_whether_an_order_arrived_the_broker_is_asked(
    player: Player, undisturbed: Undisturbed, side: str
) -> None:
    setattr(player, side, Failing("submit", {1, 4}, unsure))
    assert_same_trades(player, player.play(), undisturbed)


def test_a_broker_that_does_not_know_either_is_asked_again(player: Player, undisturbed: Undisturbed) -> None:
    class Unsure(Failing):
        def __call__(self, method: str, subject: str) -> None:
            super().__call__("submit" if method in {"submit", "find"} else method, subject)

    player.before = Unsure("submit", {1, 2, 3, 7, 8}, lambda: unsure() if player.before.seen in {1, 7} else away())  # type: ignore[attr-defined]
    assert_same_trades(player, player.play(), undisturbed)


def test_a_broker_out_of_reach_at_the_start_lets_nothing_start(player: Player, undisturbed: Undisturbed) -> None:
    player.before = Failing("book", {1}, away)
    with pytest.raises(BrokerUnavailable):
        player.play()
    assert record(player.url)["run"][0][0] == "CREATED"
    summary = player.play()
    assert_same_trades(player, replace(summary, resumed=False), undisturbed)


def test_a_broker_out_of_reach_for_longer_than_the_deadman_allows_halts(player: Player) -> None:
    def gone(method: str, _subject: str) -> None:
        if method == "on_market" and len(player.sent) > 3:
            player.wall.pass_(20)
            raise away()

    player.before = gone
    summary = player.play()
    assert summary.state == "HALTED"
    assert summary.halt_reason is not None
    # Three watchmen look at the same clock, and whoever looks first is right.
    watchmen = ("out of reach", "lease had expired", "no sign of life")
    assert any(said in summary.halt_reason for said in watchmen), summary.halt_reason


def rows(url: str, query: str) -> list[Any]:
    engine = open_engine(url, poolclass=NullPool)
    with engine.begin() as conn:
        result = conn.execute(text(query))
        return [tuple(row) for row in result] if result.returns_rows else []


@dataclass
class Rejecting(Noting):
    """Rejects every order, and remembers that it did, as a broker would."""

    rejected: dict[str, Ack] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(Counter(), nothing, nothing)

    def submit(self, permit: Permit, order: Order) -> Ack:  # noqa: ARG002
        key = order.client_order_id
        self.calls[key] += 1
        return self.rejected.setdefault(key, Ack(key, f"no-{key}", "not today"))

    def find(self, client_order_id: str) -> Ack | None:
        return self.rejected.get(client_order_id)


@pytest.mark.parametrize("crash", [None, Step.ORDER_SUBMITTED, Step.ORDER_STAGED, Step.ORDER_FAILED])
def test_a_rejected_order_fails_the_engine_hears_of_it_and_a_storm_stops_it_trading(
    player: Player, crash: Step | None
) -> None:
    broker = Rejecting()
    if crash is not None:
        player.crash(crash, 2, open_broker=broker)
    summary = player.play(open_broker=broker)
    assert set(broker.calls.values()) == {1}
    # Five rejects in five minutes latch RATE-05, and nothing more is placed.
    assert (summary.state, summary.orders, summary.fills) == ("STOPPED", 0, 0)
    assert summary.withdrawn >= 5
    assert summary.posture == "HALTED"
    assert summary.denied_by_rule["POSTURE-01"] > 0
    assert {row[0] for row in rows(player.url, "SELECT reason FROM outbox")} == {"rejected: not today"}
    assert rows(player.url, "SELECT rule_id, outcome FROM latches") == [("RATE-05", "halt")]
    told = rows(
        player.url, "SELECT count(*) FROM inbox WHERE message_id LIKE '%\\:rejected' AND applied_at IS NOT NULL"
    )
    assert told == [(summary.withdrawn,)]


@pytest.mark.parametrize(
    "error",
    [
        PermitRefused("permit", "the permit was not made by the gate"),
        BrokerError("conflict", "the id stands for another order already"),
    ],
)
def test_what_a_broker_must_never_have_to_refuse_halts_the_run(player: Player, error: BrokerError) -> None:
    player.before = Failing("submit", {3}, lambda: error)
    summary = player.play()
    assert (summary.state, len(player.sent)) == ("HALTED", 2)
    assert error.message in str(summary.halt_reason)


class Inventing(Noting):
    """Tells, beside the truth, messages that it is given, once the broker has told something."""

    def __init__(self, invented: Callable[[list[Message]], list[Message]]) -> None:
        super().__init__(Counter(), nothing, nothing)
        self._invented = invented

    def events_after(self, cursor: int) -> list[Message]:
        told = super().events_after(cursor)
        return [*told, *self._invented(told)] if told else told


def test_a_fill_nobody_ordered_halts_and_is_kept_but_never_booked(player: Player) -> None:
    fill = Fill("ghost-1", "ghost", "AAA", "BUY", 100, 100_000_000, 0, 1)
    message = Message("ghost:fill", 10_000, Filled(fill, "ghost"))
    summary = player.play(open_broker=Inventing(lambda _: [message]))
    assert summary.state == "HALTED"
    assert "which this engine did not place" in str(summary.halt_reason)
    assert summary.fills == 0
    kept = rows(player.url, "SELECT message_id, applied_at FROM inbox WHERE message_id = 'ghost:fill'")
    assert kept == [("ghost:fill", None)]
    # And so it stays, for everybody, until somebody clears it.
    for settings in ({}, {"run_id": None}, {"run_id": None, "fresh": True}):
        with pytest.raises(LifecycleRefused, match="was halted"):
            player.play(**settings)


def test_what_is_told_twice_in_whatever_envelope_counts_once(player: Player, undisturbed: Undisturbed) -> None:
    def again(told: list[Message]) -> list[Message]:
        fills = [message for message in told if message.fill_id]
        return [*told, *(replace(message, message_id=f"{message.message_id}:again") for message in fills)]

    summary = player.play(open_broker=Inventing(again))
    expected, kept = undisturbed
    assert record(player.url)["inbox"] == kept["inbox"]
    assert summary.state_sha256 == expected.state_sha256


class Misreporting(Noting):
    """Reports a book that is not the account's."""

    def __init__(self, wrong: Callable[[Book], Book]) -> None:
        super().__init__(Counter(), nothing, nothing)
        self._wrong = wrong

    def book(self, orders: Collection[str] = ()) -> Book:
        book = super().book(orders)
        return self._wrong(book) if book.positions else book


def unreadable(_book: Book) -> Book:
    raise BookError("quantity", "shares in halves")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (lambda book: replace(book, positions={}), "position"),
        (lambda book: replace(book, cash=book.cash - 1), "cash"),
        (lambda book: replace(book, as_of=book.as_of - 1), "stale"),
        (lambda book: replace(book, as_of=book.as_of + 1), "stale"),
        (unreadable, "unreadable"),
    ],
)
def test_books_that_differ_halt_the_run_and_the_difference_is_audited(
    player: Player, wrong: Callable[[Book], Book], kind: str
) -> None:
    summary = player.play(open_broker=Misreporting(wrong))
    assert summary.state == "HALTED"
    assert kind in str(summary.halt_reason)
    assert (summary.reconcile.clean, summary.reconcile.halts > 0) == (False, True)
    assert summary.reconcile.last is not None
    assert kind in {difference["kind"] for difference in summary.reconcile.last["differences"]}


def test_an_order_that_the_broker_confirmed_and_lost_is_not_sent_again(player: Player) -> None:
    player.crash(Step.ORDER_DISPATCHING, 2)
    rows(
        player.url,
        "UPDATE outbox SET status = 'SENT', sent_at = dispatching_at WHERE status = 'DISPATCHING'",
    )
    summary = player.play()
    assert summary.state == "HALTED"
    assert "has lost order" in str(summary.halt_reason)
    assert len(player.sent) == 1


@pytest.mark.parametrize("step", [Step.ORDER_CLAIMED, Step.ORDER_SUBMITTED])
def test_a_claim_left_behind_is_asked_about_and_then_sent_at_most_once(
    player: Player, undisturbed: Undisturbed, step: Step
) -> None:
    player.crash(step, 2)
    left = "'PENDING'" if step is Step.ORDER_CLAIMED else "'DISPATCHING'"
    claim = (
        "UPDATE outbox SET status = 'CLAIMED', claimed_by = 'somebody', claimed_at = created_at"
        " WHERE id = (SELECT min(id) FROM outbox WHERE status = 'PENDING')"
    )
    assert rows(player.url, f"SELECT count(*) FROM outbox WHERE status = {left}") != [(0,)]
    if step is Step.ORDER_CLAIMED:
        rows(player.url, claim)
    summary = player.play()
    assert_same_trades(player, replace(summary, resumed=False), undisturbed)
