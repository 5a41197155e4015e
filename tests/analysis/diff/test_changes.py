"""Each thing that policies can say, changed: told under its own path and kind, in the right direction, both ways."""

from __future__ import annotations

import pytest

from mqk.analysis.diff import Direction, PolicyDiff, compare
from mqk.policy import PolicyError
from tests.analysis.diff.sides import DAY, desk_files, diff, edited, loaded, only

E, T, L, X = Direction.EQUAL, Direction.TIGHTER, Direction.LOOSER, Direction.INCOMPARABLE
POSITION = "require: projected.position_value <= limits.max_position of account.equity"
LOSS = "limits.daily_loss of account.day_start_equity\n    otherwise: halt"
ARM = "{from: CREATED, to: ARMED, by: arm, role: operator, when: run.mode == LIVE, require: reconcile.clean}"
CLEAR = '{from: HALTED, to: CREATED, by: clear, role: risk_officer, confirm: "CLEAR {run.id}"}'
HALT = "{from: any, to: HALTED, by: halt, role: operator}"

# File, what is replaced, by what; the path, the kind, the direction.
Edit = tuple[str, str, str, str, str, Direction]
GUARDED = [
    ("risk.yaml", "max_position: 20%", "max_position: 25%", "limits.max_position", "limit", L),
    ("risk.yaml", "rejects: 5 per 300s", "rejects: 5 per 600s", "limits.rejects", "limit", T),
    ("risk.yaml", POSITION, POSITION + " or order.qty < 60", "rules.CAP-01.require", "rule", L),
    ("risk.yaml", POSITION, POSITION + "\n    when: order.type == MARKET", "rules.CAP-01.when", "rule", L),
    ("risk.yaml", POSITION, POSITION + "\n    exits: {included: always}", "rules.CAP-01.exits", "rule", T),
    ("risk.yaml", POSITION, POSITION + "\n    enforce: shadow", "rules.CAP-01.enforce", "enforcement", L),
    ("risk.yaml", POSITION, POSITION + "\n    enforce: warn", "rules.CAP-01.enforce", "enforcement", L),
    ("engine.yaml", "baseline:", "enforce: {CAP-01: shadow}\nbaseline:", "rules.CAP-01.enforce", "enforcement", L),
    ("risk.yaml", LOSS, LOSS.replace("halt", "flatten"), "rules.LOSS-01.otherwise", "rule", T),
    ("risk.yaml", LOSS, LOSS.replace("halt", "reduce_only"), "rules.LOSS-01.otherwise", "rule", L),
    ("risk.yaml", LOSS, LOSS + "\n    confirm: 2 ticks", "rules.LOSS-01.confirm", "rule", L),
    ("risk.yaml", LOSS, LOSS + "\n    latch: {until: session_end}", "rules.LOSS-01.latch", "rule", T),
]  # fmt: skip


def told(change: Edit) -> tuple[PolicyDiff, PolicyDiff]:
    """What is told of an edit and of the way back, which is told as its mirror."""
    file, old, new, path, kind, direction = change
    before = desk_files()
    after = edited(before, file, old, new)
    there, back = diff(before, after), diff(after, before)
    assert (only(there).path, only(there).kind, only(there).direction) == (path, kind, direction)
    assert (only(back).path, only(back).direction) == (path, direction.mirrored)
    return there, back


@pytest.mark.parametrize("change", GUARDED)
def test_what_guards_judge_is_proven_and_shown_both_ways(change: Edit) -> None:
    found, back = map(only, told(change))
    looser, tighter = (found, back) if found.direction is L else (back, found)
    assert looser.witness is not None
    assert tighter.witness is None
    assert tighter.tighter is not None
    assert looser.engines == ("DESK",)


OTHERS = [
    ("risk.yaml", POSITION, POSITION + "\n    waivable: false", "rules.CAP-01.waivable", "rule", T),
    ("clock.yaml", "deadman: 5s", "deadman: 10s", "schedule.deadman", "schedule", L),
    ("clock.yaml", "tick: {every: 1s}", "tick: {every: 500ms}", "schedule.jobs.tick.every", "schedule", T),
    ("costs.yaml", "spread: 3bps", "spread: 2bps", "execution.costs.spread", "execution", L),
    ("costs.yaml", "commission: 1 USD", "commission: 2 USD", "execution.costs.commission", "execution", T),
    ("engine.yaml", "universe: [SPY, QQQ]", "universe: [SPY, QQQ, IWM]", "engine.universe", "universe", L),
    ("engine.yaml", "timeframes: [1D]", "timeframes: [1D, 1H]", "timeframes", "engine", L),
    ("costs.yaml", "{market: next_open}", "{market: next_open, limit: touch}", "execution.fills.limit", "execution", L),
    ("costs.yaml", "{market: next_open}", "{market: next_open, ambiguity: nearest_first}", "execution.fills.ambiguity",
     "execution", L),
    ("costs.yaml", "{market: next_open}", "{market: next_open, participation: 10%}", "execution.fills.participation",
     "execution", T),
    ("costs.yaml", "  cap: 25bps", "  cap: 25bps\n  commission_per_share: 0.01 USD",
     "execution.costs.commission_per_share", "execution", T),
    ("costs.yaml", "  cap: 25bps", "  cap: 25bps\n  commission_rate: 1bps", "execution.costs.commission_rate",
     "execution", T),
    ("costs.yaml", "  cap: 25bps", "  cap: 25bps\n  commission_minimum: 1 USD", "execution.costs.commission_minimum",
     "execution", T),
    ("costs.yaml", "  cap: 25bps", "  cap: 25bps\n  commission_maximum: 9 USD", "execution.costs.commission_maximum",
     "execution", L),
    ("costs.yaml", "  cap: 25bps", "  cap: 25bps\n  borrow: 3%", "execution.costs.borrow", "execution", T),
    ("costs.yaml", "costs:", "faults: {seed: 4}\ncosts:", "execution.faults.seed", "execution", X),
    ("costs.yaml", "costs:", "faults: {rejects: 4%}\ncosts:", "execution.faults.rejects", "execution", T),
    ("costs.yaml", "costs:", "faults: {partial_fills: 4%}\ncosts:", "execution.faults.partial_fills", "execution", T),
    ("costs.yaml", "costs:", "entries: {lot: 100 shares}\ncosts:", "execution.entries.lot", "execution", X),
    ("costs.yaml", "costs:", "entries: {minimum: 500 USD}\ncosts:", "execution.entries.minimum", "execution", T),
    ("costs.yaml", "costs:", "protection: {stop_within: 2m}\ncosts:", "execution.protection.stop_within", "execution",
     L),
    ("engine.yaml", "mode: PAPER\nuses", "mode: LIVE\nuses", "mode", "engine", L),
    ("engine.yaml", "params: {lookback: 50}", "params: {lookback: 50}\n    shadow: true",
     "strategies.swing_trend_v1.shadow", "strategy", T),
    ("engine.yaml", "{lookback: 50}", "{lookback: 60}", "strategies.swing_trend_v1.params", "strategy", E),
    ("engine.yaml", "order.qty: 10", "order.qty: 20", "baseline.order.qty", "baseline", X),
    ("engine.yaml", "baseline:", "broker: {id: paper, account: main}\nbaseline:", "broker", "broker", X),
    ("engine.yaml", "baseline:", "keys: {api_key: DESK_KEY}\nbaseline:", "keys.api_key", "keys", X),
    ("promises.yaml", "mandatory: [max_position]\n", "", "mandatory.max_position", "mandatory", L),
    ("promises.yaml", "always: [deny]", "always: [deny, warn]", "claims.PROMISE-01", "claim", L),
    ("promises.yaml", "killed and not order.reduces", "killed and not order.reduces and order.qty > 1",
     "claims.PROMISE-01", "claim", X),
    ("cases.test.yaml", "  - {name: fifty pass, at: order, given: {order.qty: 50}, expect: allow}\n", "",
     "tests.desk_cases.fifty pass", "test", L),
    ("run.yaml", ARM, ARM.replace("reconcile.clean", "reconcile.clean and reconcile.age < 60s"),
     "lifecycle.sound_run.CREATED->ARMED.require", "transition", T),
    ("run.yaml", ARM, ARM.replace(", require: reconcile.clean", ""), "lifecycle.sound_run.CREATED->ARMED.require",
     "transition", L),
    ("run.yaml", CLEAR, CLEAR.replace("risk_officer", "operator"), "lifecycle.sound_run.HALTED->CREATED.role",
     "transition", X),
    ("run.yaml", CLEAR, CLEAR.replace(', confirm: "CLEAR {run.id}"', ""), "lifecycle.sound_run.HALTED->CREATED.confirm",
     "transition", L),
    ("run.yaml", CLEAR, CLEAR + "\n  - {from: RUNNING, to: CREATED, by: reset, role: operator}",
     "lifecycle.sound_run.RUNNING->CREATED", "transition", X),
    ("run.yaml", HALT, HALT.replace("any", "[ARMED, RUNNING]"), "lifecycle.sound_run.CREATED->HALTED", "transition", L),
]  # fmt: skip


@pytest.mark.parametrize("change", OTHERS)
def test_what_no_guard_judges_has_its_direction_from_what_it_is(change: Edit) -> None:
    there, back = told(change)
    found = only(there)
    assert found.why or found.witness is not None or found.kind == "transition"
    assert back.verdict is found.direction.mirrored


def test_a_newly_possible_move_is_shown_as_a_path_from_the_beginning() -> None:
    before = desk_files()
    after = edited(before, "run.yaml", CLEAR, CLEAR.replace("to: CREATED", "to: RUNNING"))
    found = diff(before, after)
    looser, tighter = found.changes
    assert (looser.path, looser.direction) == ("lifecycle.sound_run.HALTED->RUNNING", L)
    assert (tighter.path, tighter.direction) == ("lifecycle.sound_run.HALTED->CREATED", T)
    assert looser.witness is not None
    assert looser.witness.path == ("CREATED -halt-> HALTED", "HALTED -clear-> RUNNING")
    assert looser.witness.text.startswith("CREATED -halt-> HALTED -clear-> RUNNING: was refused")
    assert found.engines["DESK"].points["transition"].verdict is X


def test_an_answer_about_one_state_is_not_given_for_another() -> None:
    go = "{from: [CREATED, ARMED], to: RUNNING, by: go, when: run.mode == LIVE, require: reconcile.clean}"
    before = edited(desk_files(), "run.yaml", ARM, f"{ARM}\n  - {go}")
    less = "{from: ARMED, to: RUNNING, by: go, when: run.mode == LIVE and run.posture != NORMAL}"
    after = edited(before, "run.yaml", go, f"{go.replace('LIVE', 'LIVE and run.posture == NORMAL')}\n  - {less}")
    told = {each.path: each.direction for each in diff(before, after).changes}
    assert told["lifecycle.sound_run.CREATED->RUNNING.require"] is T
    assert told["lifecycle.sound_run.ARMED->RUNNING"].loosens


@pytest.mark.parametrize("asked", ['confirm: "ARM {run.id}"', "role: risk_officer"])
def test_a_hand_or_a_word_that_is_asked_for_at_other_moments_is_looser(asked: str) -> None:
    plain = [ARM.replace("role: operator, ", ""), ARM.replace("role: operator, ", "").replace("==", "!=")]
    with_it = [each.replace("by: arm, ", f"by: arm, {asked}, ") for each in plain]
    files = edited(desk_files(), "run.yaml", ARM, with_it[0])
    other = "{from: CREATED, to: ARMED, by: arm, role: operator, when: run.mode != LIVE}"
    before, after = edited(files, "run.yaml", other, plain[1]), edited(files, "run.yaml", other, with_it[1])
    after = edited(after, "run.yaml", with_it[0], plain[0])
    found = only(diff(before, after))
    assert found.path.startswith("lifecycle.sound_run.CREATED->ARMED")
    assert found.direction is X
    assert found.witness is not None
    assert found.witness.facts["run.mode"] == "LIVE"


def test_a_state_made_sticky_does_not_hide_that_anybody_may_leave_a_halt() -> None:
    before = desk_files()
    after = edited(before, "run.yaml", CLEAR, "{from: HALTED, to: CREATED, by: clear}")
    for files in (after, edited(after, "run.yaml", "CREATED: initial, ARMED: {}", "CREATED: initial, ARMED: sticky")):
        found = {each.path: each.direction for each in diff(before, files).changes}
        assert found["lifecycle.sound_run.HALTED->CREATED"] is L


def test_a_running_engine_that_can_be_stopped_less_is_no_tightening() -> None:
    stop = "\n  - {from: [ARMED, RUNNING], to: CREATED, by: stop, role: operator}"
    before = edited(desk_files(), "run.yaml", CLEAR, CLEAR + stop)
    for less in (stop.replace("[ARMED, RUNNING]", "ARMED"), stop.replace("}", ", require: reconcile.clean}")):
        assert diff(before, edited(before, "run.yaml", stop, less)).verdict.loosens


def test_less_that_is_typed_is_looser() -> None:
    before = desk_files()
    after = edited(before, "run.yaml", 'confirm: "CLEAR {run.id}"', 'confirm: "{run.id}"')
    assert only(diff(before, after)).direction is L


def test_a_condition_of_a_move_that_is_dropped_is_shown_by_both_machines() -> None:
    before = desk_files()
    after = edited(before, "run.yaml", ", require: reconcile.clean", "")
    witness = only(diff(before, after)).witness
    assert witness is not None
    assert witness.facts["run.mode"] == "LIVE"
    assert witness.text.startswith("CREATED -arm-> ARMED: was refused (`reconcile.clean` is ")


def test_an_engine_that_has_come_is_looser_and_one_that_has_gone_tighter() -> None:
    before = desk_files()
    other = before["engine.yaml"].replace("id: DESK", "id: NEW")
    found = diff(before, {**before, "other.yaml": other})
    assert (only(found).path, found.verdict, found.engines["NEW"].verdict) == ("engines.NEW", L, L)
    witness = only(found).witness
    assert witness is not None
    assert witness.text == "BUY 10 SPY at 400.00 USD: there was no engine NEW, now allowed"
    assert diff({**before, "other.yaml": other}, before).verdict is T


def test_loosenings_that_only_together_let_something_pass_are_all_told() -> None:
    rules = "  - {id: A-1, title: a, at: order, require: order.value <= limits.one, otherwise: deny}\n"
    rules += "  - {id: A-2, title: a, at: order, require: order.value <= limits.two, otherwise: deny}\n"
    before = edited(desk_files(), "risk.yaml", "rules:\n", "rules:\n" + rules)
    before = edited(before, "risk.yaml", "limits:\n", "limits:\n  one: 3_000 USD\n  two: 3_000 USD\n")
    one = edited(before, "risk.yaml", "one: 3_", "one: 4_")
    hidden = diff(before, one)
    assert (only(hidden).direction, only(hidden).why) == (L, "A-2 still stops it today")
    assert hidden.engines["DESK"].points["order"].verdict is E
    both = diff(before, edited(one, "risk.yaml", "two: 3_", "two: 4_"))
    assert [(each.path, each.direction) for each in both.changes] == [("limits.one", L), ("limits.two", L)]
    assert all(each.witness is not None for each in both.changes)


def test_what_does_not_compile_is_refused_and_never_equal() -> None:
    before = desk_files()
    after = edited(before, "risk.yaml", "require: not run.killed", "require: not run.kiled")
    with pytest.raises(PolicyError) as refused:
        diff(before, after)
    assert [each.code for each in refused.value.diagnostics] == ["MQK-1302"]


def test_a_rule_that_counts_later_or_is_let_go_sooner_is_told_by_how_long_it_holds() -> None:
    before = edited(desk_files(), "risk.yaml", LOSS, LOSS + "\n    latch: {until: released, by: risk_officer}")
    after = edited(before, "risk.yaml", "{until: released, by: risk_officer}", "{until: session_end}")
    witness = only(diff(before, after)).witness
    assert witness is not None
    assert "was halted until released, by risk_officer by LOSS-01" in witness.text
    assert witness.text.endswith("now halted until the session ends")


def test_a_warning_that_is_dropped_is_a_change_and_stops_nothing() -> None:
    before = edited(desk_files(), "risk.yaml", POSITION, POSITION + "\n    enforce: warn")
    after = edited(before, "risk.yaml", "enforce: warn", "enforce: shadow")
    found = diff(before, after)
    assert (only(found).direction, found.verdict) == (L, L)
    assert found.engines["DESK"].points["order"].verdict is E


def test_what_is_not_decided_counts_as_loosening() -> None:
    before = desk_files()
    after = edited(before, "risk.yaml", "max_position: 20%", "max_position: 10%")
    found = compare(loaded(before), loaded(after), as_of=DAY, budget=1)
    assert (only(found).direction, found.verdict, found.verdict.loosens) == (
        Direction.UNDECIDED,
        Direction.UNDECIDED,
        True,
    )
    assert only(found).witness is None
    assert "solver gave up" in only(found).why


SECOND = """  - {id: CAP-02, title: Behind, at: order, otherwise: deny,
     require: projected.position_value <= limits.max_position of account.equity}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("deny,\n", "deny, enforce: shadow,\n"),
        ("deny,\n", "deny, enforce: warn,\n"),
        ("<= limits", "<= 4 * limits"),
        (SECOND, ""),
    ],
)
def test_a_control_behind_another_is_not_taken_away_as_equal(old: str, new: str) -> None:
    before = edited(desk_files(), "risk.yaml", "rules:\n", f"rules:\n{SECOND}")
    text = SECOND if old == SECOND else SECOND.replace(old, new)
    after = edited(before, "risk.yaml", SECOND, "" if old == SECOND else text)
    found = diff(before, after)
    assert (only(found).direction, found.verdict) == (L, L)
    assert "CAP-01 still stops it today" in only(found).why
    assert found.engines["DESK"].points["order"].verdict is E
    assert diff(after, before).verdict is T


def test_a_waiver_of_a_control_behind_another_is_looser() -> None:
    before = edited(desk_files(), "risk.yaml", "rules:\n", f"rules:\n{SECOND}")
    leave = "kind: waiver\nid: w\ntitle: w\nowner: risk-office\nrule: CAP-02\nengines: [DESK]\nwhy: w\n"
    leave += "requested_by: ann\napproved_by: bob\neffective: {from: 2026-06-01, until: 2026-07-01}\n"
    assert only(diff(before, {**before, "w.yaml": leave})).direction is L


def test_a_rule_that_asks_elsewhere_is_looser_where_it_asked() -> None:
    before = desk_files()
    text = before["risk.yaml"]
    begin, end = text.index("    at: account\n    require: account.day"), text.index("  - id: RATE-05")
    asks = "account.equity > limits.daily_loss of account.day_start_equity"
    moved = f"    at: order\n    require: {asks}\n    otherwise: deny\n"
    found = diff(before, {**before, "risk.yaml": text[:begin] + moved + text[end:]})
    change = next(each for each in found.changes if each.path == "rules.LOSS-01")
    assert change.direction is X
    assert found.engines["DESK"].points["account"].verdict is L


def test_an_engine_that_is_disarmed_leaves_its_book_open_and_one_that_is_flattened_stays_armed() -> None:
    before = edited(desk_files(), "risk.yaml", LOSS, LOSS.replace("halt", "flatten"))
    after = edited(before, "risk.yaml", LOSS.replace("halt", "flatten"), LOSS.replace("halt", "disarm"))
    assert only(diff(before, after)).direction is X
    assert only(diff(after, before)).direction is X
