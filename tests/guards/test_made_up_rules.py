"""Small policies made for one purpose each: what a whole bundle must refuse, and what it must never let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from mqk.guards import Decision, GuardSet, Point, compile_bundle, read_facts
from mqk.policy import PolicyError, effective_bundle
from tests.reading import read

SHIPPED = Path(__file__).parents[2] / "policies"
HEAD = "kind: risk\nid: extra\ntitle: Extra\nowner: tests\n"


def folder(home: Path, extra: str, **replaced: tuple[str, str]) -> Path:
    """The shipped policies with one more risk document that MAIN uses, and some text replaced by file."""
    for source in SHIPPED.rglob("*.yaml"):
        text = source.read_text(encoding="utf-8")
        if source.name == "main.yaml":
            text = text.replace("risk: [tier_a_consistent,", "risk: [tier_a_consistent, extra,")
        for name, (old, new) in replaced.items():
            if source.stem == name:
                assert old in text
                text = text.replace(old, new)
        # One flat folder: documents of several kinds may share a file's name.
        name = source.name if source.parent.name == "engines" else f"{source.parent.name}_{source.name}"
        (home / name).write_text(text, encoding="utf-8")
    (home / "extra.yaml").write_text(HEAD + extra, encoding="utf-8")
    return home


def guards(home: Path, extra: str, **replaced: tuple[str, str]) -> GuardSet:
    policies = read(folder(home, extra, **replaced))
    assert not policies.diagnostics, policies.diagnostics
    return compile_bundle(effective_bundle(policies, "MAIN"))


def rule(at: str, require: str, otherwise: str, **more: str) -> str:
    lines = [f"  - id: X-01\n    title: X\n    at: {at}\n    require: {require}\n    otherwise: {otherwise}\n"]
    return "rules:\n" + "".join(lines + [f"    {key}: {value}\n" for key, value in more.items()])


OK = rule("order", "order.qty >= 1", "deny")


def decide(found: GuardSet, point: Point, **changed: object) -> Decision:
    facts: dict[str, object] = {name: text.text for name, text in found.bundle.baseline.items()}
    facts |= {name.replace("__", "."): value for name, value in changed.items()}
    moment = read_facts(facts, found, point, lenient=True)
    return found.guards[point].decide(moment.views, moment.problems)


@pytest.mark.parametrize("limit", ["470 USD", "1 USD", "0.01 USD", "900 USD"])
def test_a_short_is_no_smaller_for_being_offered_cheaply(tmp_path: Path, limit: str) -> None:
    """Caps value a position at the dearer of the order's price and the market's."""
    found = guards(tmp_path, OK)
    decision = decide(
        found,
        Point.ORDER,
        order__side="SELL",
        order__qty=500,
        order__type="LIMIT",
        order__limit_price=limit,
        order__worst_price=limit,
    )
    assert "CAP-01" in [finding.rule for finding in decision.findings]


@pytest.mark.parametrize("level", ["shadow", "warn"])
def test_an_unreadable_fact_blocks_even_where_only_a_rule_that_cannot_block_reads_it(
    tmp_path: Path, level: str
) -> None:
    require = "(not present(order.limit_price) or order.limit_price > 1 USD)"
    found = guards(tmp_path, rule("order", require, "deny", enforce=level))
    assert decide(found, Point.ORDER, order__limit_price="465 USD").outcome == "allow"
    assert decide(found, Point.ORDER, order__limit_price="NaN").outcome == "deny"


@pytest.mark.parametrize(("killed", "possible"), [("false", True), ("true", False)])
def test_rules_at_a_transition_are_asked_about_every_move(tmp_path: Path, killed: str, possible: bool) -> None:
    found = guards(tmp_path, rule("transition", "(not run.killed)", "refuse"))
    moment = read_facts({"run.mode": "PAPER", "run.killed": killed}, found, Point.TRANSITION)
    verdict = found.machines["run"].attempt("CREATED", "arm", role="operator", views=moment.views, names={})
    assert (verdict.to_state == "ARMED") is possible
    assert possible or verdict.reasons == ("X-01: `not run.killed` is false, must be true",)


def test_a_warning_rule_at_a_transition_warns_and_does_not_refuse(tmp_path: Path) -> None:
    found = guards(tmp_path, rule("transition", "(not run.killed)", "refuse", enforce="warn"))
    moment = read_facts({"run.mode": "PAPER", "run.killed": "true"}, found, Point.TRANSITION)
    assert found.guards[Point.TRANSITION].decide(moment.views).outcome == "warn"
    assert found.machines["run"].attempt("CREATED", "arm", role="operator", views=moment.views, names={}).to_state


def refusals(home: Path, extra: str, **replaced: tuple[str, str]) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        guards(home, extra, **replaced)
    return [(each.code, each.message, each.help) for each in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("extra", "code", "said"),
    [
        (OK + "limits: {my_cap: 5%}\n", "MQK-1401", "no rule of `MAIN` reads the limit `my_cap`"),
        (
            rule("account", "order.qty >= 1", "halt"),
            "MQK-1302",
            "`order.qty` does not exist at `account`: it is known at `order`",
        ),
        (rule("account", "count(rejects within 0s) < 1", "halt"), "MQK-1305", "a window of no length counts nothing"),
        (
            rule("order", "limits.max_postion of order.value > 1 USD", "deny"),
            "MQK-1302",
            "unknown name `limits.max_postion`",
        ),
    ],
)
def test_a_rule_that_cannot_do_its_work_does_not_compile(tmp_path: Path, extra: str, code: str, said: str) -> None:
    assert [(c, m) for c, m, _ in refusals(tmp_path, extra)] == [(code, said)]


def test_a_confirmation_with_a_word_that_nothing_fills_in_does_not_compile(tmp_path: Path) -> None:
    found = refusals(tmp_path, OK, run=("{limits.daily_loss}", "{limits.dialy_loss} {run.idd}"))
    assert [(code, help_) for code, _, help_ in found] == [
        ("MQK-1405", "did you mean `limits.daily_loss`?"),
        ("MQK-1405", "did you mean `run.id`?"),
    ]


def test_a_sticky_state_is_left_only_by_a_move_that_names_it(tmp_path: Path) -> None:
    found = guards(
        tmp_path,
        OK,
        run=(
            "{from: [ARMED, RUNNING], to: STOPPED, by: stop, role: operator}",
            "{from: any, to: STOPPED, by: stop, role: operator}",
        ),
    )
    moment = read_facts({"run.mode": "PAPER"}, found, Point.TRANSITION)
    verdict = found.machines["run"].attempt("HALTED", "stop", role="operator", views=moment.views, names={})
    assert verdict.reasons == ("`stop` is not possible from HALTED",)


def test_a_finding_points_at_the_limit_that_decided(tmp_path: Path) -> None:
    extra = (
        rule("order", "limits.low <= order.value <= limits.high", "deny") + "limits:\n  low: 5 USD\n  high: 50 USD\n"
    )
    found = guards(tmp_path, extra)
    (finding,) = [f for f in decide(found, Point.ORDER, order__qty=1).findings if f.rule == "X-01"]
    assert (finding.limit, finding.line) == (
        "50 USD",
        extra[: extra.index("  high:")].count("\n") + HEAD.count("\n") + 1,
    )
    (finding,) = [
        f for f in decide(found, Point.ORDER, order__qty=1, order__worst_price="2 USD").findings if f.rule == "X-01"
    ]
    assert (finding.limit, finding.line) == ("5 USD", extra[: extra.index("  low:")].count("\n") + HEAD.count("\n") + 1)


@pytest.mark.parametrize("fact", ["order__qty", "position__working_buy", "position__working_sell"])
def test_a_number_of_shares_below_zero_is_no_fact(tmp_path: Path, fact: str) -> None:
    found = guards(tmp_path, OK)
    facts: dict[str, object] = {"position__qty": 10, "order__side": "SELL", "order__qty": 5, fact: -100_000}
    decision = decide(found, Point.ORDER, **facts)
    assert decision.outcome == "deny"
