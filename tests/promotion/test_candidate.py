"""A candidate before its gates: good ones pass, all that speaks against others is named, and files are not believed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from mqk.backtest import run_backtest
from mqk.backtest.code import code_sha256
from mqk.guards import GuardSet, compile_bundle
from mqk.market import calendar_of
from mqk.policy import effective_bundle, load_policies, shipped_policies_dir
from mqk.portfolio import Fill
from mqk.promotion import Evidence, Promotion, PromotionError, promote, read_evidence
from mqk.promotion.stresses import required_stresses
from tests.backtest.test_run import restless
from tests.backtest.worlds import walk
from tests.engine.worlds import guards, host, shipped

USD: Final = 1_000_000
STRESS: Final = {"slippage_x2": "f" * 64}


def trades(count: int, start: int) -> Iterator[Fill]:
    """Pairs of orders that gain two dollars a share, and at every third time lose one."""
    for number in range(count):
        at = start + number * USD
        price = (99 if number % 3 == 2 else 102) * USD
        yield Fill(f"b{number}", f"buy{number}", "SPY", "BUY", 10, 100 * USD, 0, at)
        yield Fill(f"s{number}", f"sell{number}", "SPY", "SELL", 10, price, 0, at)


def good(set_: GuardSet, *, overlays: tuple[str, ...] = ()) -> Evidence:
    """A run that passes every gate of MAIN: two years that climb by steps, each fall smaller than the climb before."""
    calendar = calendar_of("XNYS")
    days = calendar.sessions_between(*map(type(calendar.first).fromisoformat, ("2022-01-03", "2023-12-29")))
    equity, curve = 100_000 * USD, []
    for number, day in enumerate(days):
        equity += (-150 if number % 3 == 2 else 200) * USD
        curve.append((calendar.session_close(day), equity))
    return Evidence(
        engine="MAIN",
        run_id="bt1",
        bundle_sha256=set_.bundle.sha256 if not overlays else STRESS[overlays[0]],
        overlays=overlays,
        data_sha256="d" * 64,
        code_sha256=code_sha256(set_.bundle),
        calendar="XNYS",
        capital=100_000 * USD,
        curve=tuple(curve),
        fills=tuple(trades(60, curve[0][0])),
        actions=(),
        halted=False,
    )


def judged(changed: Callable[[Evidence], Evidence] = lambda each: each, **stressed: Any) -> Promotion:
    set_ = shipped("MAIN")
    stress = replace(good(set_, overlays=("slippage_x2",)), **stressed)
    return promote(set_, changed(good(set_)), [stress], stresses=STRESS)


def test_a_good_candidate_passes_every_gate_and_every_gate_is_told() -> None:
    found = judged()
    assert found.passed, found.decision.findings
    assert found.decision.outcome == "allow"
    assert {each.rule for each in found.decision.findings} == {f"GATE-{number:02}" for number in range(1, 13)}
    told = found.to_json()
    assert (told["passed"], told["stress"]) == (True, {"slippage_x2": None})
    assert json.loads(json.dumps(told)) == told


def test_the_decision_can_be_made_again_from_its_facts() -> None:
    found = judged()
    facts = dict(found.decision.facts)
    assert facts["candidate.trades"] == "60"
    assert not [text for text in facts.values() if text.startswith("~")]


def few(run: Evidence) -> Evidence:
    return replace(run, fills=run.fills[:1])


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        (lambda run: replace(run, bundle_sha256="0" * 64), {"GATE-01"}),
        (lambda run: replace(run, overlays=("slippage_x2",)), {"GATE-01"}),
        (lambda run: replace(run, code_sha256="0" * 64), {"GATE-02"}),
        (lambda run: replace(run, code_sha256=None), {"GATE-02"}),
        (lambda run: replace(run, halted=True), {"GATE-03"}),
        (few, {"GATE-04", "GATE-09"}),
        (lambda run: replace(run, curve=run.curve[:100]), {"GATE-05"}),
        (lambda run: replace(run, fills=run.fills[:4] * 1), {"GATE-04", "GATE-09"}),
    ],
)
def test_c_51_and_c_52_what_speaks_against_a_candidate_is_named(
    changed: Callable[[Evidence], Evidence], failing: set[str]
) -> None:
    found = judged(changed)
    assert not found.passed
    assert {each.rule for each in found.decision.findings if each.effect == "fail"} >= failing


@pytest.mark.parametrize(
    ("stressed", "fault"),
    [
        ({"overlays": ("latency_high",)}, "there is no run under it"),
        ({"overlays": ("slippage_x2", "latency_high")}, "there is no run under it"),
        ({"engine": "EXP"}, "its run was made under other policies"),
        ({"bundle_sha256": "0" * 64}, "its run was made under other policies"),
        ({"data_sha256": "0" * 64}, "its run was made on other bars"),
        ({"code_sha256": "0" * 64}, "its run was made by other code"),
        ({"halted": True}, "it halted"),
        ({"curve": ((1, 100_000 * USD),)}, "it gained nothing"),
    ],
)
def test_c_52_a_stress_is_passed_by_a_run_of_its_own_and_never_by_a_word(stressed: Any, fault: str) -> None:
    found = judged(**stressed)
    assert found.stress == {"slippage_x2": fault}
    assert found.decision.deciding == ("GATE-12",)


def test_c_53_a_figure_that_cannot_be_had_fails_and_is_never_infinite() -> None:
    found = judged(lambda run: replace(run, fills=tuple(fill for fill in run.fills if fill.price != 99 * USD)))
    assert found.figures.profit_factor is None
    assert found.decision.deciding == ("GATE-09",)
    (gate,) = [each for each in found.decision.findings if each.rule == "GATE-09"]
    assert (gate.result.value, "`candidate.profit_factor` is missing" in gate.message) == ("ERROR", True)


def test_an_engine_without_gates_promotes_nothing() -> None:
    set_ = shipped("MAIN")
    rules = tuple(rule for rule in set_.bundle.rules if rule.at != "candidate")
    limits = {name: limit for name, limit in set_.bundle.limits.items() if not name.startswith("candidate_")}
    bare = compile_bundle(replace(set_.bundle, rules=rules, limits=limits))
    with pytest.raises(PromotionError, match="has no gates"):
        promote(bare, good(set_), stresses={})
    with pytest.raises(PromotionError, match="the run is of `MAIN`, not of `EXP`"):
        promote(shipped("EXP"), good(set_), stresses={})


def test_only_runs_that_read_bars_at_their_worst_are_promoted() -> None:
    set_ = shipped("MAIN")
    kinder = replace(set_.bundle.execution, ambiguity="nearest_first")
    with pytest.raises(PromotionError, match="a run with `ambiguity: nearest_first` shows nothing"):
        promote(compile_bundle(replace(set_.bundle, execution=kinder)), good(set_), stresses={})


def test_the_stresses_are_those_of_every_layer() -> None:
    policies = load_policies([shipped_policies_dir()])
    assert required_stresses(policies, "MAIN", None) == ("slippage_x2",)
    assert required_stresses(policies, "EXP", None) == ("slippage_x2",)
    assert effective_bundle(policies, "MAIN", overlays=["slippage_x2"]).sha256 != shipped("MAIN").bundle.sha256


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    run_backtest(guards(), walk(("AAPL", "MSFT", "SPY"), 60, 3, swing=6), out=out, host=host(restless, 2))
    return out


@pytest.fixture
def run_dir(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_what_a_backtest_wrote_is_read_as_it_was(run_dir: Path) -> None:
    evidence = read_evidence(run_dir)
    manifest = json.loads((run_dir / "manifest.json").read_text())
    assert evidence.bundle_sha256 == guards().bundle.sha256
    assert evidence.code_sha256 == manifest["code"] == code_sha256(guards().bundle)
    assert (evidence.engine, evidence.calendar, evidence.overlays) == ("MAIN", "XNYS", ())
    assert len(evidence.fills) == json.loads((run_dir / "metrics.json").read_text())["fills"] > 10
    found = promote(guards(), evidence, stresses=STRESS)
    failing = {each.rule for each in found.decision.findings if each.effect == "fail"}
    assert {"GATE-05", "GATE-12"} <= failing
    assert not {"GATE-01", "GATE-02"} & failing


def rehash(folder: Path) -> None:
    """What a forger would do, too."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["artifacts"]:
        manifest["artifacts"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def fewer_fills(folder: Path) -> None:
    lines = (folder / "fills.csv").read_text().splitlines()
    (folder / "fills.csv").write_text("\n".join([lines[0], *lines[2:], ""]))


def richer(folder: Path) -> None:
    *lines, last = (folder / "equity_curve.csv").read_text().splitlines()
    at, _, cash = last.split(",")
    (folder / "equity_curve.csv").write_text("\n".join([*lines, f"{at},999999.000000,{cash}", ""]))


def other_policies(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["bundle"]["content"]["limits"]["max_position"] = "90%"
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("forge", "about"),
    [(fewer_fills, "the fills"), (richer, "the final equity"), (other_policies, "the bundle")],
)
def test_files_that_were_changed_contradict_each_other_even_with_new_hashes(
    run_dir: Path, forge: Callable[[Path], None], about: str
) -> None:
    forge(run_dir)
    if about != "the bundle":
        with pytest.raises(PromotionError, match="is not the file that the manifest names"):
            read_evidence(run_dir)
    rehash(run_dir)
    with pytest.raises(PromotionError) as refused:
        read_evidence(run_dir)
    assert f"the files of `{run_dir}` contradict each other about {about}" in refused.value.reasons
    assert refused.value.help is not None


def test_every_file_that_is_missing_or_changed_is_named(run_dir: Path) -> None:
    (run_dir / "fills.csv").unlink()
    change(run_dir / "audit.jsonl", '"seq":3', '"seq":4')
    with pytest.raises(PromotionError) as refused:
        read_evidence(run_dir)
    assert [reason.partition("/")[0] != "" for reason in refused.value.reasons] == [True, True, True]
    assert "has no `fills.csv`" in str(refused.value)
    assert "not number 3 of the chain" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "has no `manifest.json`"), ("{", "is not JSON"), ("[]", "is no backtest's"), ('{"kind": "x"}', "is no")],
)
def test_a_folder_of_something_else_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PromotionError, match=words):
        read_evidence(tmp_path)


@pytest.mark.parametrize("content", ["1", '{"fills": 3}', ""])
def test_a_file_of_another_shape_is_refused(run_dir: Path, content: str) -> None:
    (run_dir / "metrics.json").write_text(content)
    rehash(run_dir)
    with pytest.raises(PromotionError, match="is not as a backtest writes it"):
        read_evidence(run_dir)


def test_an_amount_that_was_rounded_is_refused(run_dir: Path) -> None:
    lines = (run_dir / "equity_curve.csv").read_text().splitlines()
    lines[1] = lines[1].split(",")[0] + ",1e5,1"
    (run_dir / "equity_curve.csv").write_text("\n".join([*lines, ""]))
    rehash(run_dir)
    with pytest.raises(PromotionError, match="`1e5` is not an amount with six decimals"):
        read_evidence(run_dir)


def test_a_run_that_was_stopped_on_the_way_says_so(tmp_path: Path) -> None:
    """C-51: also when it was let go again, and ended free to trade."""
    bars = walk(("AAPL", "MSFT", "SPY"), 60, 3, swing=30)
    run_backtest(guards(), bars, out=tmp_path / "run", host=host(restless, 2))
    stopped = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert stopped["halts"] > 0
    assert read_evidence(tmp_path / "run").halted
