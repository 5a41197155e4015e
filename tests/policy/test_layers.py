"""Layers: in which order they lie, which one wins, where a value came from, and what does not fit together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mqk.policy import Bundle, PolicyError, PolicySet, TimeOfDay, check_policies, effective_bundle, load_policies
from mqk.quantity import Duration, Money, SessionSpan, parse_ratio, parse_time
from tests.policy.support import found, load_texts, sound_files

RISK = "kind: risk\nid: {id}\ntitle: {id}\nowner: risk-office\n"


def risk(id_: str, body: str) -> str:
    return RISK.replace("{id}", id_) + body


def rule(require: str, *, id_: str = "ORD-01", more: str = "") -> str:
    return f"  - id: {id_}\n    title: A rule\n    at: order\n    require: {require}\n    otherwise: deny\n{more}"


def using(*names: str) -> str:
    return sound_files()["engine.yaml"].replace("[sound_risk]", f"[{', '.join(names)}]")


def bundle_of(tmp_path: Path, files: Mapping[str, str], *overlays: str) -> Bundle:
    policies = load_texts(tmp_path, {**sound_files(), **files})
    assert found(policies.diagnostics) == []
    return effective_bundle(policies, "SOUND", overlays=overlays)


def refusal(policies: PolicySet, engine: str = "SOUND", *overlays: str) -> list[tuple[str, str, str | None]]:
    with pytest.raises(PolicyError) as caught:
        effective_bundle(policies, engine, overlays=overlays)
    return found(caught.value.diagnostics)


def test_a_limit_carries_every_layer_that_wrote_it_lowest_first(tmp_path: Path) -> None:
    files = {
        "a.yaml": risk("a", "extends: [sound_risk]\nlimits: {max_position: 18%}\n"),
        "b.yaml": risk("b", "extends: [a]\nlimits: {max_position: 17%}\n"),
        "engine.yaml": using("b"),
    }
    bundle = bundle_of(tmp_path, files)
    limit = bundle.limits["max_position"]
    assert [(each.document, each.text) for each in limit.chain] == [
        ("risk:sound_risk", "20%"),
        ("risk:a", "18%"),
        ("risk:b", "17%"),
        ("engine:SOUND", "15%"),
    ]
    assert limit.value == parse_ratio("15%")
    assert limit.span == limit.chain[-1].span
    assert Path(limit.span.file).name == "engine.yaml"
    assert bundle.provenance("limits.max_position") == limit.chain
    assert bundle.limits["daily_loss"].chain[0].document == "risk:sound_risk"


def test_layers_are_laid_depth_first_and_each_once(tmp_path: Path) -> None:
    files = {
        "left.yaml": risk("left", "extends: [sound_risk]\nlimits: {max_net: 60%}\n"),
        "right.yaml": risk("right", "extends: [sound_risk]\nlimits: {max_net: 50%}\n"),
        "top.yaml": risk("top", "extends: [left, right]\nlimits: {max_short: 10%}\n"),
        "engine.yaml": using("top"),
    }
    bundle = bundle_of(tmp_path, files)
    assert [each.document for each in bundle.limits["max_net"].chain] == ["risk:left", "risk:right"]
    assert [each.document for each in bundle.limits["daily_loss"].chain] == ["risk:sound_risk"]


def test_a_long_chain_of_layers_is_no_deeper_than_any_other(tmp_path: Path) -> None:
    files = {"a0.yaml": risk("a0", "limits: {max_position: 20%}\n"), "engine.yaml": using("sound_risk", "a1500")}
    for index in range(1, 1501):
        files[f"a{index}.yaml"] = risk(f"a{index}", f"extends: [a{index - 1}]\n")
    assert len(bundle_of(tmp_path, files).limits["max_position"].chain) == 3


def test_a_rule_of_a_later_layer_replaces_and_remembers_the_earlier(tmp_path: Path) -> None:
    files = {
        "a.yaml": risk("a", f"extends: [sound_risk]\nrules:\n{rule('order.qty >= 1')}"),
        "b.yaml": risk("b", f"extends: [a]\nrules:\n{rule('order.qty >= 2')}"),
        "engine.yaml": using("b"),
    }
    bundle = bundle_of(tmp_path, files)
    (replaced,) = [each for each in bundle.rules if each.id == "ORD-01"]
    assert replaced.require.text == "order.qty >= 2"
    assert replaced.document == "risk:b"
    assert [(each.document, each.text) for each in replaced.chain] == [
        ("risk:a", "order.qty >= 1"),
        ("risk:b", "order.qty >= 2"),
    ]
    assert bundle.provenance("rules.ORD-01") == replaced.chain
    assert [each.id for each in bundle.rules] == sorted(each.id for each in bundle.rules)


def test_an_engine_sets_levels_of_enforcement_and_nothing_else_of_a_rule(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, {})
    levels = {each.id: each.enforce for each in bundle.rules}
    assert levels == {"CAP-01": "block", "DATA-04": "block", "LOSS-01": "shadow"}
    assert [each.text for each in bundle.provenance("rules.LOSS-01.enforce")] == ["shadow"]


def test_a_rule_is_read_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    more = "    exits: {included: it is malformed}\n    when: order.side == BUY\n    enforce: warn\n"
    bundle = bundle_of(
        tmp_path,
        {"a.yaml": risk("a", f"rules:\n{rule('order.qty >= 1', more=more)}"), "engine.yaml": using("sound_risk", "a")},
    )
    rules = {each.id: each for each in bundle.rules}
    order = rules["ORD-01"]
    assert (order.exits_included, order.exits_reason, order.enforce) == (True, "it is malformed", "warn")
    assert order.when is not None
    assert order.when.text == "order.side == BUY"
    loss = rules["LOSS-01"]
    assert loss.confirm == 3
    assert loss.latch is not None
    assert (loss.latch.until, loss.latch.by) == ("session_end", None)
    assert rules["CAP-01"].cites == ("15c3-5(c)(1)(i)",)
    assert rules["CAP-01"].confirm == 1
    assert rules["CAP-01"].latch is None


def test_limits_of_ones_own_are_typed_by_their_written_form(tmp_path: Path) -> None:
    body = (
        "limits:\n  min_equity: 25_000 USD\n  window: 5 business_days\n  rest: 90s\n  no_entry_before: 09:35\n"
        "  policy: HALT_NEW\n  trade_overnight: false\n  allowed: [SPY, QQQ]\n"
    )
    files = {"a.yaml": risk("a", body), "engine.yaml": using("sound_risk", "a")}
    limits = {name: each.value for name, each in bundle_of(tmp_path, files).limits.items()}
    assert limits["min_equity"] == Money(25_000_000_000)
    assert limits["window"] == SessionSpan(5, "business_days")
    assert limits["rest"] == Duration(90_000_000)
    assert limits["no_entry_before"] == TimeOfDay(parse_time("09:35"))
    assert limits["policy"] == "HALT_NEW"
    assert limits["trade_overnight"] is False
    assert limits["allowed"] == ("QQQ", "SPY")


def test_a_limit_never_changes_its_type(tmp_path: Path) -> None:
    files = {
        "a.yaml": risk("a", "limits: {own_cap: 5%}\n"),
        "b.yaml": risk("b", "extends: [a]\nlimits: {own_cap: 5_000 USD}\n"),
        "engine.yaml": using("sound_risk", "b"),
    }
    policies = load_texts(tmp_path, {**sound_files(), **files})
    wanted = (
        "MQK-1207",
        "`limits.own_cap` is money here and a ratio in `risk:a`",
        "a later layer changes the value of a limit, never its type",
    )
    assert refusal(policies) == [wanted]
    assert found(check_policies(policies)) == [wanted]


def test_nested_keys_are_laid_one_by_one(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, {}, "sound_stress")
    assert bundle.execution.spread == parse_ratio("6bps")
    assert bundle.execution.slippage == parse_ratio("5bps")
    assert bundle.execution.latency_bars.submit == 1
    assert bundle.execution.latency_bars.cancel == 0
    assert [each.document for each in bundle.provenance("execution.costs.spread")] == [
        "execution:sound_costs",
        "execution:sound_stress",
    ]
    assert bundle.provenance("execution.latency.cancel") == (), "the schema's default, which nobody wrote"
    assert bundle.schedule.replay_pace == Duration(0)


def test_a_hole_in_the_effective_policy_is_refused(tmp_path: Path) -> None:
    costs = sound_files()["costs.yaml"].replace("  cap: 25bps\n", "").replace("corporate_actions: adjust\n", "")
    policies = load_texts(tmp_path, {**sound_files(), "costs.yaml": costs})
    assert refusal(policies) == [
        ("MQK-1208", "the execution of `SOUND` never sets `corporate_actions`", "set it in `sound_costs`"),
        ("MQK-1208", "the execution of `SOUND` never sets `costs.cap`", "set it in `sound_costs`"),
    ]


def test_a_circle_of_layers_is_told_once_with_its_way(tmp_path: Path) -> None:
    files = {
        "a.yaml": risk("a", "extends: [b]\n"),
        "b.yaml": risk("b", "extends: [c]\n"),
        "c.yaml": risk("c", "extends: [a]\n"),
    }
    policies = load_texts(tmp_path, files)
    assert found(policies.diagnostics) == [
        ("MQK-1203", "documents extend each other in a circle: `a` → `b` → `c` → `a`", "remove one")
    ]


def test_a_fault_in_one_file_is_not_blamed_on_those_that_refer_to_it(tmp_path: Path) -> None:
    for fault in ("effective: {\n", "kind: rsik\n"):
        text = sound_files()["risk.yaml"].replace("kind: risk\n", "" if "kind" in fault else "kind: risk\n") + fault
        policies = load_texts(tmp_path, {**sound_files(), "risk.yaml": text})
        assert [Path(each.span.file).name for each in policies.diagnostics] == ["risk.yaml"]


def test_one_id_is_one_document(tmp_path: Path) -> None:
    policies = load_texts(tmp_path, {"a.yaml": risk("a", ""), "b.yaml": risk("a", "")})
    assert found(policies.diagnostics) == [
        ("MQK-1204", "a second `risk` document with the id `a`", "give it another id, or date both with `effective:`")
    ]


def test_what_is_asked_for_by_name_is_known_or_suggested(tmp_path: Path) -> None:
    policies = load_texts(tmp_path, sound_files())
    assert refusal(policies, "SUOND") == [("MQK-1209", "there is no engine `SUOND`", "did you mean `SOUND`?")]
    assert refusal(policies, "SOUND", "sound_stres") == [
        ("MQK-1212", "there is no overlay `sound_stres`", "did you mean `sound_stress`?")
    ]
    assert refusal(policies, "SOUND", "sound_costs")[0][0] == "MQK-1212", "costs are no stress"
    with pytest.raises(PolicyError) as caught:
        effective_bundle(policies, "SOUND").provenance("limits.max_positon")
    assert found(caught.value.diagnostics) == [
        (
            "MQK-1211",
            "the effective policy of `SOUND` has no `limits.max_positon`",
            "did you mean `limits.max_position`?",
        )
    ]


def test_an_engine_enforces_only_rules_that_it_has(tmp_path: Path) -> None:
    engine = sound_files()["engine.yaml"].replace("LOSS-01: shadow", "LOSS-10: shadow")
    policies = load_texts(tmp_path, {**sound_files(), "engine.yaml": engine})
    assert refusal(policies) == [("MQK-1216", "`SOUND` has no rule `LOSS-10`", "did you mean `LOSS-01`?")]


def test_a_set_with_an_error_has_no_effective_policy(tmp_path: Path) -> None:
    policies = load_texts(tmp_path, {**sound_files(), "stray.yaml": "kind: risk\n"})
    assert {code for code, _, _ in refusal(policies)} == {"MQK-1102"}


def test_a_state_machine_is_read_with_any_written_out(tmp_path: Path) -> None:
    machine = bundle_of(tmp_path, {}).lifecycles["sound_run"]
    assert machine.states == {"CREATED": "initial", "ARMED": "normal", "RUNNING": "normal", "HALTED": "sticky"}
    halt = next(each for each in machine.transitions if each.by == "halt")
    assert halt.from_states == ("CREATED", "ARMED", "RUNNING")
    arm = machine.transitions[0]
    assert arm.require is not None
    assert arm.when is not None
    assert (arm.require.text, arm.when.text, arm.role) == ("reconcile.clean", "run.mode == LIVE", "operator")
    assert machine.transitions[-1].confirm == "CLEAR {run.id}"


def test_a_bundle_is_shown_with_places(tmp_path: Path) -> None:
    shown = bundle_of(tmp_path, {}).to_mapping()
    limits = shown["limits"]
    assert isinstance(limits, dict)
    assert limits["max_position"]["value"] == "15%"
    assert limits["max_position"]["line"] == 20
    assert shown["sha256"] == bundle_of(tmp_path, {}).sha256


def test_files_may_be_given_one_by_one_and_twice(tmp_path: Path) -> None:
    load_texts(tmp_path, sound_files())
    files = sorted(tmp_path.glob("*.yaml"))
    policies = load_policies([*files, tmp_path, *reversed(files)])
    assert found(policies.diagnostics) == []
    assert effective_bundle(policies, "SOUND").sha256 == bundle_of(tmp_path, {}).sha256


def test_a_name_that_two_kinds_of_document_give_a_meaning_to_is_refused(tmp_path: Path) -> None:
    integrity = "kind: integrity\nid: odd\ntitle: Odd\nowner: data\nlimits: {max_position: 90%}\n"
    engine = sound_files()["engine.yaml"]
    uses = next(line for line in engine.splitlines() if "integrity:" in line)
    known = uses.split("[")[1].split("]")[0]
    policies = load_texts(
        tmp_path,
        {**sound_files(), "odd.yaml": integrity, "engine.yaml": engine.replace(f"[{known}]", f"[{known}, odd]")},
    )
    assert [code for code, *_ in refusal(policies)] == ["MQK-1217"]


def test_a_later_layer_never_moves_a_rule_to_another_point(tmp_path: Path) -> None:
    moved = rule("account.equity > 0 USD").replace("at: order", "at: account").replace("deny", "halt")
    files = {
        "a.yaml": risk("a", "extends: [sound_risk]\nrules:\n" + rule("order.qty >= 1", id_="MOVE-01")),
        "b.yaml": risk("b", "extends: [a]\nrules:\n" + moved.replace("ORD-01", "MOVE-01")),
        "engine.yaml": using("b"),
    }
    assert [code for code, *_ in refusal(load_texts(tmp_path, {**sound_files(), **files}))] == ["MQK-1217"]


def test_an_overlay_that_extends_the_costs_it_lies_on_is_refused(tmp_path: Path) -> None:
    costs = next(text for text in sound_files().values() if "kind: execution" in text and "overlay" not in text)
    name = next(line.split()[1] for line in costs.splitlines() if line.startswith("id:"))
    head = "kind: execution\nid: late\ntitle: Late\nowner: t\noverlay: true\n"
    overlay = head + f"extends: [{name}]\nlatency: {{submit: 1 bars}}\n"
    policies = load_texts(tmp_path, {**sound_files(), "late.yaml": overlay})
    assert "MQK-1212" in [code for code, *_ in refusal(policies, "SOUND", "late")]


def test_settings_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    schedule = next(name for name, text in sound_files().items() if "kind: schedule" in text)
    text = "\n".join(
        "deadman: 1s" if line.startswith("deadman:") else line for line in sound_files()[schedule].splitlines()
    )
    engine = sound_files()["engine.yaml"].replace(" USD", " EUR")
    policies = load_texts(tmp_path, {**sound_files(), schedule: text + "\n", "engine.yaml": engine})
    assert [code for code, *_ in refusal(policies)] == ["MQK-1218", "MQK-1218"]
