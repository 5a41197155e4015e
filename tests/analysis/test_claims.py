"""Claims end in a proof, or in a moment at which they are wrong."""

from __future__ import annotations

import pytest

from mqk.analysis.claims import Proof, prove, prove_all
from mqk.analysis.verdicts import Verdict
from mqk.policy import Bundle, Text
from mqk.policy.sources import ClaimSource
from tests.analysis.worlds import NOWHERE, shipped, with_rule


def claim(
    *, at: str = "order", when: str | None = None, never: tuple[str, ...] = (), always: tuple[str, ...] = ()
) -> ClaimSource:
    text = None if when is None else Text(when, NOWHERE)
    return ClaimSource("C-1", "made up", at, text, never, always, None, None, "risk:t", NOWHERE)


def laxer(engine: str, than: str, at: str = "order") -> ClaimSource:
    return ClaimSource("C-2", "no laxer", at, None, (), (), engine, than, "risk:t", NOWHERE)


def ask(asked: ClaimSource, bundle: Bundle | None = None) -> Proof:
    return prove(asked, bundle or shipped(), {"MAIN": shipped("MAIN"), "EXP": shipped("EXP")}.get)


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
@pytest.mark.parametrize(
    "asked",
    [
        claim(when="order.reduces and order.qty >= 1", never=("deny",)),
        claim(when="run.killed and not order.reduces", always=("deny",)),
        claim(when="run.posture == HALTED and not order.reduces", always=("deny",)),
        claim(when="projected.lowest_qty < 0 and not order.reduces", always=("deny",)),
        claim(
            at="account", when="account.equity <= 0 USD and account.day_start_equity > 0 USD", never=("allow", "warn")
        ),
        claim(at="bar", when="not bar.complete", never=("allow", "warn")),
    ],
    ids=lambda asked: asked.when.text,
)
def test_what_is_so_at_every_moment_is_proven(engine: str, asked: ClaimSource) -> None:
    found = ask(asked, shipped(engine))
    assert found.answer.verdict is Verdict.PROVED, (found.answer, found.shows)


def test_what_is_wrong_at_one_moment_is_refuted_by_it_in_the_words_of_the_rule() -> None:
    found = ask(claim(when="order.reduces", never=("deny",)))
    assert found.answer.verdict is Verdict.REFUTED
    assert found.shows == ("`ORD-03` says `deny`: `order.qty` is 0, must be at least 1",)
    diagnostic = found.diagnostic()
    assert diagnostic is not None
    assert diagnostic.code == "MQK-1428"


def test_always_is_refuted_by_a_moment_that_comes_to_something_else() -> None:
    found = ask(claim(when="order.qty > 40", always=("deny",)))
    assert found.shows == ("the outcome is `allow`",)
    assert found.answer.witness is not None
    assert int(found.answer.witness.values["order.qty"]) > 40  # type: ignore[arg-type] # a quantity


def test_an_engine_that_stops_all_that_another_stops_is_no_more_permissive() -> None:
    assert ask(laxer("EXP", "MAIN"), shipped("EXP")).holds


def test_an_engine_that_lets_more_pass_is_shown_an_order_that_only_it_allows() -> None:
    found = ask(laxer("MAIN", "EXP"), shipped("MAIN"))
    assert found.answer.verdict is Verdict.REFUTED
    assert any(shown.startswith("`CAP-01` of EXP") for shown in found.shows)


def test_a_kill_that_only_warns_is_noticed() -> None:
    bundle = with_rule(shipped(), "KILL-01", enforce="warn")
    found = ask(claim(when="run.killed and not order.reduces", always=("deny",)), bundle)
    assert found.answer.verdict is Verdict.REFUTED
    assert found.answer.witness is not None
    assert found.answer.witness.written()["run.killed"] == "true"


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
def test_every_shipped_claim_is_proven(engine: str) -> None:
    proofs = prove_all(shipped(engine), {"MAIN": shipped("MAIN"), "EXP": shipped("EXP")}.get)
    assert [each.id for each in proofs if not each.holds] == []
