"""What a run is told of the desk around it: its other engines, its books and its clocks, and again after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.pool import NullPool

from mqk.quantity import parse_money
from mqk.runtime import Step
from mqk.store.database import open_engine
from tests.runtime.harness import MINUTES, Player, record
from tests.runtime.world import MINUTE, T0, desk_guards

if TYPE_CHECKING:
    from collections.abc import Callable

    from mqk.guards import GuardSet

OTHER = UUID(int=2)
RULES = """
rules:
  - id: DESK-01
    title: The desk is known
    at: order
    require: firm.equity > account.equity and firm.gross_exposure >= account.gross_exposure
    otherwise: deny
  - id: DESK-02
    title: The books were compared, and the clocks
    at: account
    when: clock.now > %s and present(reconcile.age)
    require: reconcile.clean and reconcile.age <= 20m and reconcile.differences == 0 and clock.skew < 1h
    otherwise: reduce_only

baseline:
"""
# By then the books have been compared while the market moved.
SETTLED = "2024-02-16T00:10:00Z"


def guards(engine: str = "DESK", *, rules: bool = True) -> GuardSet:
    """The engine DESK, under another name when asked, with rules that read of the desk."""
    changes = (("id: DESK\n", f"id: {engine}\n"),) + ((("\nbaseline:\n", RULES % SETTLED),) if rules else ())
    return desk_guards(changes=changes, engine=engine)


def played(url: str, crash: tuple[Step, int] | None = None) -> Player:
    """Another engine's run to its end, and then one of DESK that knows of it."""
    Player(url, guards=guards("OTHER", rules=False)).play(run_id=OTHER)
    player = Player(url, guards=guards())
    if crash is not None:
        player.crash(*crash)
    return player


def test_rules_of_the_firm_read_what_all_its_engines_come_to(player: Player) -> None:
    summary = played(player.url).play()
    assert summary.state == "STOPPED"
    with open_engine(player.url, poolclass=NullPool).begin() as conn:
        accounts = {
            engine: (equity, gross)
            for engine, equity, gross in conn.execute(
                text("SELECT engine_id, equity, gross_exposure FROM engine_accounts WHERE mode = 'PAPER'")
            )
        }
        decisions = [
            facts
            for (facts,) in conn.execute(
                text("SELECT facts FROM decisions WHERE facts ? 'firm.equity' AND point = 'order'")
            )
        ]
    assert accounts.keys() == {"DESK", "OTHER"}
    assert decisions
    for facts in decisions:
        told = {
            name: parse_money(value).micros
            for name, value in facts.items()
            if name.endswith(("equity", "gross_exposure"))
        }
        assert told["firm.equity"] - told["account.equity"] == accounts["OTHER"][0]
        assert told["firm.gross_exposure"] - told["account.gross_exposure"] == accounts["OTHER"][1]
    assert summary.denied_by_rule.get("DESK-01", 0) == 0


def test_a_run_is_told_the_same_of_its_desk_when_it_is_taken_up_again(
    player: Player, new_database: Callable[[], str]
) -> None:
    played(player.url).play()
    placed = record(player.url)["outbox"]
    assert placed
    again = played(new_database(), (Step.RECONCILED, 3))
    again.play()
    assert record(again.url)["outbox"] == placed


def test_the_books_comparisons_are_facts_of_the_account(player: Player) -> None:
    played(player.url).play()
    with open_engine(player.url, poolclass=NullPool).begin() as conn:
        told = conn.execute(
            text("SELECT payload FROM inbox WHERE run_id = :run AND payload -> 'event' ->> 'event' = 'Reconciled'"),
            {"run": UUID(int=1)},
        ).all()
        held = conn.execute(text("SELECT count(*) FROM latches WHERE rule_id = 'DESK-02'")).scalar_one()
    assert len(told) > 1
    assert held == 0
    assert told[-1][0]["event"]["at"] <= T0 + MINUTES * MINUTE
