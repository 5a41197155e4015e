"""Names, decision tables, waivers and collections in whole policies: what they decide, and what is refused of them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from mqk.guards import Decision, GuardSet, Point, Result, compile_bundle, read_facts
from mqk.guards.lookup import ViewLookup
from mqk.policy import PolicyError, effective_bundle
from tests.guards.test_made_up_rules import folder, rule
from tests.reading import read

BANDS = """
tables:
  - id: band
    title: Band by price and side
    input: {price: market.price, side: order.side}
    output: {width: ratio, lots: quantity, name: word, open: boolean}
    rows:
      - {price: below 3 USD, width: 20%, lots: 1, name: PENNY, open: false}
      - {price: at least 3 USD and below 50 USD, side: BUY, width: 10%, lots: 10, name: MIDDLE, open: true}
      - {price: at least 3 USD and below 50 USD, side: [SELL], width: 5%, lots: 10, name: MIDDLE, open: true}
      - {price: at least 50 USD, side: any, width: 2%, lots: 100, name: BIG, open: true}
"""


def compiled(home: Path, extra: str) -> GuardSet:
    policies = read(folder(home, extra))
    assert not policies.diagnostics, [(d.code, d.message) for d in policies.diagnostics]
    return compile_bundle(effective_bundle(policies, "MAIN"))


def refused(home: Path, extra: str) -> list[tuple[str, str]]:
    policies = read(folder(home, extra))
    assert not policies.diagnostics, [(d.code, d.message) for d in policies.diagnostics]
    with pytest.raises(PolicyError) as caught:
        compile_bundle(effective_bundle(policies, "MAIN"))
    return [(each.code, each.message) for each in caught.value.diagnostics]


def decide(found: GuardSet, point: Point, facts: dict[str, object]) -> Decision:
    """The decision, once both backends have agreed on it."""
    given: dict[str, object] = {name: text.text for name, text in found.bundle.baseline.items()} | facts
    moment = read_facts(given, found, point, lenient=True)
    guard = found.guards[point]
    if not moment.problems:
        answers = guard.results(ViewLookup(moment.views))
        mask = guard.judge(*(moment.views[name] for name in guard.parameters))
        assert [bool(mask >> bit & 1) for bit in range(len(answers))] == [r is not Result.PASS for r, _ in answers]
    return guard.decide(moment.views, moment.problems)


def test_a_name_stands_for_its_expression_also_in_other_names(tmp_path: Path) -> None:
    extra = "let: {open_loss: account.day_start_equity - account.equity, worst_loss: 3 * open_loss}\n" + rule(
        "account", "worst_loss < 5_000 USD", "halt"
    )
    found = compiled(tmp_path, extra)
    fine = decide(found, Point.ACCOUNT, {"account.day_start_equity": "100_000 USD", "account.equity": "99_000 USD"})
    assert "X-01" not in fine.deciding
    breach = decide(found, Point.ACCOUNT, {"account.day_start_equity": "100_000 USD", "account.equity": "98_000 USD"})
    (finding,) = [each for each in breach.findings if each.rule == "X-01"]
    assert (finding.observed, finding.limit) == ("6_000 USD", "5_000 USD")


def test_a_name_for_a_condition_is_explained_by_the_part_that_decides(tmp_path: Path) -> None:
    extra = "let: {sound: account.cash >= 0 USD and account.equity > 5_000 USD}\n" + rule("account", "sound", "halt")
    breach = decide(compiled(tmp_path, extra), Point.ACCOUNT, {"account.equity": "4_000 USD"})
    (finding,) = [each for each in breach.findings if each.rule == "X-01"]
    assert finding.message == "`account.equity` is 4_000 USD, must be above 5_000 USD"


@pytest.mark.parametrize(
    ("extra", "code", "said"),
    [
        ("let: {a: b + 1 USD, b: a}\n" + rule("account", "a < 5 USD", "halt"), "MQK-1308", "`a` -> `b` -> `a`"),
        ("let: {a: a}\n" + rule("account", "a < 5 USD", "halt"), "MQK-1308", "`a` is defined by itself"),
        ("let: {a: account.equity}\n" + rule("account", "account.cash > 5 USD", "halt"), "MQK-1406", "the name `a`"),
        ("let: {a: account.eqity}\n" + rule("account", "a < 5 USD", "halt"), "MQK-1302", "`account.eqity`"),
        ("let: {a: account.equity + 1}\n" + rule("account", "a < 5 USD", "halt"), "MQK-1304", "do not add"),
        (
            "let: {a: order.qty}\n" + rule("account", "a < 5", "halt"),
            "MQK-1302",
            "`a` cannot be used at `account`: `order.qty` does not exist at `account`",
        ),
        (BANDS + rule("order", "order.qty >= 1", "deny"), "MQK-1406", "the table `band`"),
        (
            BANDS.replace("at least 50 USD", "above 50 USD") + rule("order", "tables.band.open", "deny"),
            "MQK-1229",
            "no row of `band` fits `price: 50 USD",
        ),
        (
            BANDS.replace("at least 3 USD and below 50 USD, side: BUY", "below 50 USD, side: BUY")
            + rule("order", "tables.band.open", "deny"),
            "MQK-1230",
            "rows 1 and 2 of `band` both fit",
        ),
        (
            BANDS.replace("at least 50 USD", "at least 50") + rule("order", "tables.band.open", "deny"),
            "MQK-1304",
            "money (USD) cannot be compared with a number",
        ),
        (rule("bar", "bar.received > bar.end", "reject"), "MQK-1407", "nobody supplies `bar.received` in PAPER"),
        (
            rule("bar", "bar.received > bar.end", "reject", when="run.mode != LIVE"),
            "MQK-1407",
            "it is known in LIVE",
        ),
        (
            rule("account", "some p in positions satisfies some q in positions satisfies p.qty == q.qty", "halt"),
            "MQK-1307",
            "steps at worst",
        ),
    ],
)
def test_a_name_without_meaning_is_refused_once(tmp_path: Path, extra: str, code: str, said: str) -> None:
    faults = refused(tmp_path, extra)
    assert len(faults) == 1, faults
    assert faults[0][0] == code
    assert said in faults[0][1]


@pytest.mark.parametrize(
    ("require", "when"),
    [
        ("bar.received > bar.end", "run.mode == LIVE"),
        ("bar.received > bar.end", "bar.complete and run.mode in [LIVE, BACKTEST]"),
        ("not present(bar.received) or bar.received > bar.end", "bar.complete"),
    ],
)
def test_a_fact_of_another_mode_may_be_read_where_it_is_known(tmp_path: Path, require: str, when: str) -> None:
    assert compiled(tmp_path, rule("bar", require, "reject", when=when)).bar.rules


def test_a_move_that_needs_what_nobody_supplies_is_refused(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        rule("account", "account.equity > 0 USD", "halt"),
        main=("mode: PAPER", "mode: BACKTEST"),
        run=("when: run.mode == LIVE", "when: run.mode == BACKTEST"),
    )
    with pytest.raises(PolicyError) as caught:
        compile_bundle(effective_bundle(read(place), "MAIN"))
    assert {(each.code, each.message.split(":")[0]) for each in caught.value.diagnostics} == {
        ("MQK-1407", f"nobody supplies `reconcile.{fact}` in BACKTEST") for fact in ("age", "clean")
    }


@pytest.mark.parametrize(
    ("price", "side", "row"),
    [
        ("2.99 USD", "BUY", ("20%", "1", "PENNY")),
        ("3 USD", "BUY", ("10%", "10", "MIDDLE")),
        ("49.99 USD", "SELL", ("5%", "10", "MIDDLE")),
        ("50 USD", "SELL", ("2%", "100", "BIG")),
    ],
)
def test_a_table_answers_with_the_row_that_fits(tmp_path: Path, price: str, side: str, row: tuple[str, ...]) -> None:
    require = (
        f"tables.band.width == {row[0]} and tables.band.lots == {row[1]} and tables.band.name == {row[2]}"
        f" and (tables.band.open or tables.band.name == PENNY)"
    )
    found = compiled(tmp_path, BANDS + rule("order", require, "deny", exits="{included: the test says so}"))
    facts = {"market.price": price, "order.side": side}
    assert "X-01" not in [each.rule for each in decide(found, Point.ORDER, facts).findings]


COLLECTED = """
tables:
  - id: fee
    title: Fees of an order
    hit: collect
    collect: {how}
    input: {{qty: order.qty, side: order.side}}
    output: {{amount: {kind}}}
    rows:
      - {{qty: at least 10, amount: {one}}}
      - {{qty: above 50 and at most 90, side: not BUY, amount: {two}}}
      - {{side: SELL, amount: {three}}}
"""


@pytest.mark.parametrize("how", ["sum", "min", "max", "count"])
def test_collected_rows_are_put_together_as_said(tmp_path: Path, how: str) -> None:
    written = {"one": "3 USD", "two": "7 USD", "three": "5 USD"} if how != "count" else {}
    written = written or {"one": "1", "two": "1", "three": "1"}
    kind = "count" if how == "count" else "money"
    text = COLLECTED.format(how=how, kind=kind, **written)
    text += "    otherwise: {amount: %s}\n" % ("9" if how == "count" else "11 USD")
    unit = "" if how == "count" else " USD"
    # One rule for every amount that can come out: the one that fails names it.
    amounts = (1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 15)
    rules = "".join(
        f"  - {{id: V-{amount}, title: T, at: order, require: 'tables.fee.amount != {amount}{unit}', otherwise: deny,"
        " exits: {included: the test says so}}\n"
        for amount in amounts
    )
    found = compiled(tmp_path, f"{text}rules:\n{rules}")
    for qty, side in product((1, 10, 60, 91), ("BUY", "SELL")):
        fits = [qty >= 10, 50 < qty <= 90 and side != "BUY", side == "SELL"]
        values = [v for v, fit in zip((3, 7, 5), fits, strict=True) if fit]
        if how == "count":
            expected = len(values) or 9
        else:
            expected = {"sum": sum, "min": min, "max": max}[how](values) if values else 11
        assert expected in amounts
        decision = decide(found, Point.ORDER, {"order.qty": qty, "order.side": side})
        failed = [each.rule for each in decision.findings if each.rule.startswith("V-")]
        assert failed == [f"V-{expected}"], (qty, side)


def test_a_long_table_compiles_and_answers_in_its_last_row(tmp_path: Path) -> None:
    rows = "".join(f"      - {{qty: {n}, width: {n} USD}}\n" for n in range(1, 201))
    text = (
        "tables:\n  - id: long\n    title: Long\n    hit: first\n    input: {qty: order.qty}\n"
        f"    output: {{width: money}}\n    rows:\n{rows}    otherwise: {{width: 0 USD}}\n"
    )
    found = compiled(tmp_path, text + rule("order", "tables.long.width == 200 USD", "warn"))
    assert "X-01" not in [each.rule for each in decide(found, Point.ORDER, {"order.qty": 200}).findings]
    assert "X-01" in [each.rule for each in decide(found, Point.ORDER, {"order.qty": 199}).findings]
    assert "X-01" in [each.rule for each in decide(found, Point.ORDER, {"order.qty": 201}).findings]
    longer = text.replace("    otherwise", "      - {qty: 201, width: 201 USD}\n    otherwise")
    home = tmp_path / "longer"
    home.mkdir()
    faults = refused(home, longer + rule("order", "tables.long.width == 200 USD", "warn"))
    assert faults == [("MQK-1306", "a table of 201 rows is too long to review")]


def test_what_is_said_of_positions_names_the_one_that_settles_it(tmp_path: Path) -> None:
    require = "every p in positions where p.qty != 0 satisfies p.exposure <= 30% of account.equity"
    found = compiled(tmp_path, rule("account", require, "halt"))
    held = [
        {"symbol": "SPY", "qty": 10, "exposure": "4_700 USD"},
        {"symbol": "IBM", "qty": 300, "exposure": "60_000 USD"},
        {"symbol": "QQQ", "qty": 0, "exposure": "99_000 USD"},
    ]
    decision = decide(found, Point.ACCOUNT, {"account.equity": "100_000 USD", "positions": held})
    (finding,) = [each for each in decision.findings if each.rule == "X-01"]
    assert finding.message == "`p.exposure` is 60_000 USD, must be at most 30_000 USD (`30% of account.equity`) for IBM"
    moment = read_facts(dict(decision.facts), found, Point.ACCOUNT)
    assert found.account.decide(moment.views, moment.problems) == decision
    missing = found.account.decide(read_facts({"account.equity": "100_000 USD"}, found, Point.ACCOUNT).views)
    (finding,) = [each for each in missing.findings if each.rule == "X-01"]
    assert finding.message == "`positions` is missing"
    partly = decide(found, Point.ACCOUNT, {"account.equity": "1 USD", "positions": [{"symbol": "SPY", "qty": 1}]})
    (finding,) = [each for each in partly.findings if each.rule == "X-01"]
    assert finding.message == "`p.exposure` is missing: of `SPY`"
    empty = decide(found, Point.ACCOUNT, {"account.equity": "100_000 USD", "positions": []})
    assert "X-01" not in [each.rule for each in empty.findings]


@pytest.mark.parametrize("given", ["abc", 3, [3], [{"qty": "many"}], [{"colour": "red"}], None])
def test_positions_that_cannot_be_read_never_pass(tmp_path: Path, given: object) -> None:
    found = compiled(tmp_path, rule("account", "count of p in positions < 3", "halt"))
    decision = decide(found, Point.ACCOUNT, {"positions": given})
    assert "X-01" in decision.deciding


WAIVER = """kind: waiver
id: auction
title: The auction
owner: desk
rule: X-01
engines: [MAIN]
scope: order.symbol == SPY
why: the auction moves
requested_by: desk
approved_by: risk office
effective: {from: 2026-01-01, until: 2026-03-01}
"""


def waived(home: Path, day: int) -> GuardSet:
    from datetime import date  # noqa: PLC0415 - only here

    extra = rule("order", "order.qty <= 5", "deny")
    place = folder(home, extra)
    (place / "waiver.yaml").write_text(WAIVER, encoding="utf-8")
    policies = read(place)
    assert not policies.diagnostics, [(d.code, d.message) for d in policies.diagnostics]
    return compile_bundle(effective_bundle(policies, "MAIN", as_of=date(2026, day, 1)))


def test_a_waived_rule_is_judged_only_outside_the_waiver_and_the_decision_names_it(tmp_path: Path) -> None:
    found = waived(tmp_path, 2)
    assert found.order.waives
    assert not found.account.waives
    now = {"clock.now": "2026-02-28T23:59:59Z"}
    inside = decide(found, Point.ORDER, {"order.qty": 6, "order.symbol": "SPY", **now})
    assert "X-01" not in [each.rule for each in inside.findings]
    assert inside.waivers == ("auction",)
    small = decide(found, Point.ORDER, {"order.qty": 5, "order.symbol": "SPY", **now})
    assert small.waivers == ()
    outside = decide(found, Point.ORDER, {"order.qty": 6, "order.symbol": "QQQ", **now})
    assert "X-01" in outside.deciding
    assert outside.waivers == ()
    everything = found.order.decide(
        read_facts(
            {n: t.text for n, t in found.bundle.baseline.items()} | {"order.qty": "6", **now},
            found,
            Point.ORDER,
            lenient=True,
        ).views,
        passes=True,
    )
    assert "waived by `auction`" in [each.message for each in everything.findings if each.rule == "X-01"]


@pytest.mark.parametrize("now", ["2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z", None])
def test_a_waiver_that_ends_while_a_guard_is_at_work_is_not_honoured(tmp_path: Path, now: str | None) -> None:
    """Nobody has to bind it again: its rule is back by the moment's clock, and without one it never was away."""
    found = waived(tmp_path, 2)
    clock = {} if now is None else {"clock.now": now}
    decision = decide(found, Point.ORDER, {"order.qty": 6, "order.symbol": "SPY", **clock})
    assert "X-01" in decision.deciding
    assert decision.waivers == ()


def test_an_expired_waiver_is_gone(tmp_path: Path) -> None:
    decision = decide(waived(tmp_path, 3), Point.ORDER, {"order.qty": 6, "order.symbol": "SPY"})
    assert "X-01" in decision.deciding
    assert decision.waivers == ()


def test_a_rule_about_one_symbol_says_nothing_of_others_even_when_its_facts_are_missing(tmp_path: Path) -> None:
    found = compiled(
        tmp_path,
        rule(
            "order", "order.limit_price > 0 USD", "deny", when="order.symbol in [IBM, JPM] and order.stop_price > 1 USD"
        ),
    )
    (of,) = [each for each in found.order.rules if each.id == "X-01"]
    assert of.symbols == {"IBM", "JPM"}
    assert "X-01" not in [each.rule for each in decide(found, Point.ORDER, {"order.symbol": "SPY"}).findings]
    (finding,) = [e for e in decide(found, Point.ORDER, {"order.symbol": "IBM"}).findings if e.rule == "X-01"]
    assert finding.fault == "missing"
