"""The one door: who gets a permit, what it is bound to, and that nobody else can make one."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import pytest

from mqk.engine import EngineError, KillSwitch, Permit
from mqk.engine.gate import authorise
from mqk.guards import Decision, compile_bundle
from mqk.orders import Order, Side
from mqk.policy import Span, Text
from tests.engine.worlds import USD, Desk, guards, submits

TTL = 1_000_000


def permitted(desk: Desk, order: Order, epoch: int = 7) -> Permit:
    leave = authorise(desk.state, order, epoch=epoch, now=desk.state.now, ttl=TTL)
    assert isinstance(leave, Permit)
    return leave


def test_a_permit_is_bound_to_the_order_the_bundle_the_epoch_and_the_time() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    now, bundle = desk.state.now, desk.state.bundle_sha256
    permit = permitted(desk, order)
    assert permit.refusal(order, now=now + TTL, epoch=7, bundle=bundle) is None
    assert "expired" in (permit.refusal(order, now=now + TTL + 1, epoch=7, bundle=bundle) or "")
    assert "epoch" in (permit.refusal(order, now=now, epoch=8, bundle=bundle) or "")
    assert "bundle" in (permit.refusal(order, now=now, epoch=7, bundle="0" * 64) or "")
    for other in (
        replace(order, qty=11),
        replace(order, side=Side.SELL),
        replace(order, symbol="QQQ"),
        replace(order, client_order_id="MAIN_t_1"),
    ):
        assert "another order" in (permit.refusal(other, now=now, epoch=7, bundle=bundle) or "")


def test_asking_the_gate_leaves_the_engine_as_it_was() -> None:
    desk = Desk()
    desk.hold("QQQ", 10, 1, 300 * USD)
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 2, 400 * USD))
    digest = desk.state.digest()
    permitted(desk, order)
    desk.state.run.killed = True
    assert isinstance(authorise(desk.state, order, epoch=0, now=desk.state.now + 10**12, ttl=TTL), Decision)
    desk.state.run.killed = False
    assert desk.state.digest() == digest


def test_an_order_at_the_cap_is_not_counted_twice_when_it_leaves() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 49}, "SPY", 1, 400 * USD))
    assert permitted(desk, order).decision.outcome == "allow"


def test_a_rate_of_orders_does_not_count_the_order_itself() -> None:
    bundle = guards().bundle
    rule = next(rule for rule in bundle.rules if rule.id == "ORD-03")
    rate = replace(
        rule, id="RATE-01", exits_included=False, require=Text("count(orders within 60s) < 2", Span.nowhere(""))
    )
    desk = Desk(compile_bundle(replace(bundle, rules=(*bundle.rules, rate))))
    orders = [submits(desk.want({symbol: 1}, symbol, 1, 100 * USD)) for symbol in ("AAPL", "QQQ", "SPY")]
    assert [len(each) for each in orders] == [1, 1, 0]
    for (order,) in orders[:2]:
        permitted(desk, order)


def test_what_changed_since_is_judged_again() -> None:
    desk = Desk()
    (entry,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    desk.tell(KillSwitch(True, "operator", desk.state.now))
    with pytest.raises(EngineError):  # the kill has asked for it to be cancelled: it does not leave any more
        authorise(desk.state, entry, epoch=0, now=desk.state.now, ttl=TTL)

    desk = Desk()
    (entry,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    desk.state.run.killed = True
    refused = authorise(desk.state, entry, epoch=0, now=desk.state.now, ttl=TTL)
    assert isinstance(refused, Decision)
    assert refused.deciding == ("KILL-01",)


def test_exits_leave_in_every_posture() -> None:
    desk = Desk()
    desk.hold("SPY", 10, 1, 400 * USD)
    desk.tell(KillSwitch(True, "operator", desk.state.now))
    desk.bar("SPY", 2, 400 * USD, missing=9)
    (order,) = submits(desk.want({"SPY": 0}, "SPY", 3, 400 * USD))
    permitted(desk, order)


def test_an_order_that_was_not_placed_here_gets_no_permit() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    for stranger in (replace(order, client_order_id="MAIN_t_9"), replace(order, qty=9)):
        with pytest.raises(EngineError) as caught:
            authorise(desk.state, stranger, epoch=0, now=0, ttl=TTL)
        assert caught.value.code == "permit"
    desk.fill(order, 400 * USD)
    with pytest.raises(EngineError):
        authorise(desk.state, order, epoch=0, now=0, ttl=TTL)


def test_a_permit_cannot_be_forged_changed_copied_or_kept() -> None:
    desk = Desk()
    (order,) = submits(desk.want({"SPY": 10}, "SPY", 1, 400 * USD))
    permit = permitted(desk, order)
    fields = {name: getattr(permit, name) for name in Permit.__slots__ if name != "_seal"}
    for attempt in (
        lambda: Permit(object(), fields),
        lambda: Permit(None, fields),
        lambda: copy.copy(permit),
        lambda: copy.deepcopy(permit),
        lambda: pickle.dumps(permit),
        lambda: setattr(permit, "epoch", 8),
        lambda: setattr(permit, "_seal", object()),
        lambda: delattr(permit, "epoch"),
        lambda: type("Mine", (Permit,), {}),
    ):
        with pytest.raises(EngineError) as caught:
            attempt()
        assert caught.value.code == "permit"
    blank = object.__new__(Permit)
    for name, value in fields.items():
        object.__setattr__(blank, name, value)
    refusal = blank.refusal(order, now=desk.state.now, epoch=7, bundle=desk.state.bundle_sha256)
    assert refusal == "the permit was not made by the gate"
