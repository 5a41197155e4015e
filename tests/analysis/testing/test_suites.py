"""Test documents: every name in them must mean something, and a document with a fault is never run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.testing.desk import HEAD, cases, suites
from tests.policy.support import found

OK = "name: passes, at: order, expect: allow"


@pytest.mark.parametrize(
    ("document", "code", "message", "help_"),
    [
        (
            cases("name: n, at: order, expect: deny, by: CAP-1"),
            "MQK-1450",
            "`DESK` has no rule `CAP-1`",
            "did you mean `CAP-01`?",
        ),
        (
            cases("name: n, at: order, expect: deny, by: LOSS-01"),
            "MQK-1450",
            "rule `LOSS-01` is judged at `account`, and never at `order`",
            "write `at: account`",
        ),
        (
            cases("name: n, at: order, given: {order.quantity: 3}, expect: allow"),
            "MQK-1451",
            "unknown fact `order.quantity`",
            None,
        ),
        (
            cases("name: n, at: order, given: {acount.equity: 3 USD}, expect: allow"),
            "MQK-1451",
            "unknown fact `acount.equity`",
            "did you mean `account.equity`?",
        ),
        (
            cases("name: n, at: order, given: {order.value: 3 USD}, expect: allow"),
            "MQK-1451",
            "`order.value` is computed from other facts",
            "give those instead: it is `order.qty * order.worst_price`",
        ),
        (
            cases("name: n, at: account, missing: [order.qty], expect: allow"),
            "MQK-1451",
            "`order.qty` does not exist at `account`",
            "it is known at `order`",
        ),
        (
            cases("name: n, at: account, given: {count(rejects within 60s): 3}, expect: allow"),
            "MQK-1451",
            "unknown fact `count(rejects within 60s)`",
            "did you mean `count(rejects within 5m)`?",
        ),
        (
            cases("name: n, at: order, given: {order.qty: 5 USD}, expect: allow"),
            "MQK-1452",
            None,
            "a fact that must be unreadable is listed under `unreadable:`",
        ),
        (
            cases("name: n, at: order, stale: [order.qty], expect: allow"),
            "MQK-1451",
            "`order.qty` never grows old",
            "`market.price`, `market.volume`, `market.range`, `account.close_out_costs` and `clock.skew` do",
        ),
        (
            cases("name: n, at: order, stale: [market.prise], expect: allow"),
            "MQK-1451",
            "unknown fact `market.prise`",
            "did you mean `market.price`?",
        ),
        (
            cases(OK, head=HEAD + "baselines: {long: {position.qty: 3}}\n"),
            "MQK-1453",
            "no case uses the baseline `long`",
            "name it in a case by `baseline:`, or remove it",
        ),
        (
            cases("name: n, at: order, given: {order.qty: 3}"),
            "MQK-1454",
            "`n` expects nothing",
            "write `expect:` and one of `allow`, `warn` or `deny`",
        ),
        (
            cases("name: n, at: order, given: {run.killed: true}, expect: deny"),
            "MQK-1454",
            "`n` does not say which rule decides",
            "write `by:` and the id of the rule",
        ),
        (cases(OK, OK), "MQK-1455", "two cases are called `passes`", "a report names a case by its name alone"),
        (
            cases("name: n, at: order, expect: halt, by: KILL-01"),
            "MQK-1456",
            "`halt` is no outcome at `order`",
            "write one of `allow`, `warn` or `deny`",
        ),
        (
            cases("name: n, at: order, baseline: lng, expect: allow", head=HEAD),
            "MQK-1457",
            "unknown baseline `lng`",
            "write it under `baselines:`",
        ),
        (
            cases(OK, head=HEAD.replace("engine: DESK", "engine: DSK")),
            "MQK-1458",
            "there is no engine `DSK`",
            "did you mean `DESK`?",
        ),
        (
            cases(OK, head=HEAD.replace("engine: DESK\n", "")),
            "MQK-1458",
            "a test of no engine",
            "write `engine:` and the id of the engine whose policies are tested",
        ),
        (HEAD, "MQK-1459", "a test without a case", "write a case, or remove the file"),
    ],
)
def test_a_name_without_meaning_is_an_error_with_its_place_and_mend(
    tmp_path: Path, document: str, code: str, message: str | None, help_: str | None
) -> None:
    _, read, faults = suites(tmp_path, document)
    assert [each.code for each in faults] == [code]
    ((_, told, mend),) = found(faults)
    assert message in (None, told)
    assert mend == help_
    assert faults[0].span.file.endswith("t0.test.yaml")
    assert not read, "a document with a fault is not run"


def test_all_faults_of_a_document_are_told_in_one_run(tmp_path: Path) -> None:
    lines = ("name: a, at: order, expect: deny, by: CAP-9", "name: b, at: order, given: {order.qtty: 3}, expect: allow")
    _, _, faults = suites(tmp_path, cases(*lines))
    assert {each.code for each in faults} == {"MQK-1450", "MQK-1451"}


def test_a_fault_in_one_document_keeps_no_other_from_running(tmp_path: Path) -> None:
    other = cases(OK, head=HEAD.replace("desk_test", "other"))
    _, read, faults = suites(tmp_path, cases("name: n, at: order, expect: deny, by: CAP-9"), other)
    assert len(faults) == 1
    assert [each.id for each in read] == ["other"]


def test_a_baseline_lies_over_the_engines_and_a_case_over_both(tmp_path: Path) -> None:
    head = HEAD + "baselines: {poor: {account.equity: 1_000 USD, order.qty: 1}}\n"
    document = cases("name: n, at: order, baseline: poor, given: {order.qty: 2}, expect: deny, by: CAP-01", head=head)
    bench, (suite,), _ = suites(tmp_path, document)
    subject = bench.subject("DESK")
    moment = subject.moment(suite.cases[0], suite.baselines["poor"])
    assert moment.views["account"].equity == 1_000_000_000  # type: ignore[attr-defined]
    assert moment.views["order"].qty == 2  # type: ignore[attr-defined]
    assert moment.views["market"].price == 400_000_000  # type: ignore[attr-defined]
