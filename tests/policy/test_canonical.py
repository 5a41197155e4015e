"""The hash: blind to everything that changes nothing, and awake to everything that does."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqk.policy import Document, Mapping, Node, PolicySet, Scalar, Sequence, effective_bundle, load_policies
from mqk.policy.documents import read_document
from mqk.policy.loader import load_text
from tests.policy.support import SOUND, found, load_texts, sound_files
from tests.policy.test_layers import using


def set_of(files: dict[str, str]) -> PolicySet:
    """A policy set from texts, without touching the disk."""
    documents: dict[tuple[str, str], Document] = {}
    for name, text in files.items():
        _, document, faults = read_document(text.encode(), name)
        assert document is not None
        assert found(faults) == []
        documents[document.kind, document.id] = document
    return PolicySet(documents, {key: (each,) for key, each in documents.items()}, (), files)


def hash_of(files: dict[str, str]) -> str:
    return effective_bundle(set_of(files), "SOUND").sha256


BASE = hash_of(sound_files())


def rewritten(node: Node, chance: random.Random) -> str:
    """A node in flow style, its keys and its unordered lists shuffled, its scalars as they were."""
    match node:
        case Scalar(text=text):
            return text if text in ("", "true", "false") else json.dumps(text)
        case Sequence(items=items):
            return "[" + ", ".join(rewritten(item, chance) for item in items) + "]"
        case Mapping(entries=entries):
            pairs = list(entries.items())
            chance.shuffle(pairs)
            body = ",\n ".join(f"{json.dumps(key)}: {shuffled(key, entry.value, chance)}" for key, entry in pairs)
            return "{ # a comment\n " + body + "\n }"


def shuffled(key: str, node: Node, chance: random.Random) -> str:
    if key in ("rules", "universe", "restricted", "transitions", "from") and isinstance(node, Sequence):
        items = list(node.items)
        chance.shuffle(items)
        return rewritten(Sequence(tuple(items), node.span), chance)
    return rewritten(node, chance)


@given(st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
def test_order_comments_style_and_file_names_do_not_count(chance: random.Random) -> None:
    files = {}
    for index, text in enumerate(sound_files().values()):
        root = load_text(text, "any.yaml").root
        assert root is not None
        files[f"{chance.random()}-{index}.yaml"] = rewritten(root, chance)
    assert hash_of(files) == BASE


def test_how_layers_are_cut_into_files_does_not_count(tmp_path: Path) -> None:
    text = sound_files()["risk.yaml"]
    head, rules = text.split("rules:\n")
    upper = "kind: risk\nid: upper\ntitle: Upper\nowner: somebody\nextends: [sound_risk]\nrules:\n" + rules
    files = {**sound_files(), "risk.yaml": head, "upper.yaml": upper, "engine.yaml": using("upper")}
    policies = load_texts(tmp_path, files)
    assert found(policies.diagnostics) == []
    assert effective_bundle(policies, "SOUND").sha256 == BASE


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("risk.yaml", "max_position: 20%", "max_position: 0.2x"),
        ("risk.yaml", "5 per 300s", "5 per 5m"),
        ("risk.yaml", "confirm: 3 ticks", "confirm: 3"),
        ("risk.yaml", "at: account", "at: account\n    enforce: block"),
        ("risk.yaml", "limits.max_position of account.equity", "(limits.max_position of (account.equity))"),
        ("risk.yaml", "projected.position_value <=", ">-\n      projected.position_value\n      <="),
        ("bars.yaml", "0 bars", "0"),
        ("costs.yaml", "slippage: 5bps", "slippage: 0.05%"),
        ("engine.yaml", "100_000 USD\ncalendar", "100000.00 USD\ncalendar"),
        ("engine.yaml", "count(rejects within 300s)", '"count( rejects  within 300s )"'),
        ("clock.yaml", "1m", "60s"),
        ("run.yaml", "ARMED: {}", "ARMED: normal"),
        ("run.yaml", "from: any", "from: [RUNNING, CREATED, ARMED]"),
        ("risk.yaml", "title: A sound floor", "title: Another name for it"),
    ],
)
def test_how_a_value_is_written_does_not_count(name: str, old: str, new: str) -> None:
    files = sound_files()
    assert old in files[name]
    assert hash_of({**files, name: files[name].replace(old, new)}) == BASE


# What each value of the sound documents may change to. A value that is in no table here fails the test below.
CHANGES = {
    "20%": "21%", "15%": "14%", "2%": "3%", "50%": "49%", "3bps": "4bps", "5bps": "6bps", "25bps": "26bps",
    "5 per 300s": "5 per 301s", "false": "true", "TSLA": "TSM", "GME": "GM", "order": "account", "account": "feed",
    "bar": "feed", "deny": "warn", "halt": "disarm", "reject": "halt", "3 ticks": "4 ticks", "session_end": "released",
    "0 bars": "1 bars", "initial": "initial", "normal": "sticky", "sticky": "normal", "operator": "risk_officer",
    "risk_officer": "operator", "1 USD per order": "2 USD per order", "next_open": "next_open", "adjust": "forbid",
    "XNYS": "XNAS", "1s": "2s", "1m": "2m", "5s": "6s", "PAPER": "LIVE", "100_000 USD": "100_001 USD", "1D": "1H",
    "SPY": "SPX", "QQQ": "QQQM", "swing_trend_v1": "swing_trend_v2", "50": "51", "shadow": "warn", "10": "11", "0": "1",
    "CAP-01": "CAP-99", "LOSS-01": "LOSS-99", "DATA-04": "DATA-99", "SOUND": "SOUND", "any": "RUNNING",
    "arm": "arms", "start": "starts", "stop": "stops", "halts": "halted", "clear": "cleared",
    "bar.complete": "not bar.complete", "reconcile.clean": "not reconcile.clean", "CLEAR {run.id}": "CLEARED {run.id}",
    "run.mode == LIVE": "run.mode == PAPER", "run.mode != LIVE": "run.mode != PAPER",
    "projected.position_value <= limits.max_position of account.equity": "projected.position_value < 1 USD",
    "account.day_start_equity - account.equity < limits.daily_loss of account.day_start_equity": "run.killed",
}  # fmt: skip
# What is said about the policy, not by it; what names other documents; what has one value only.
SILENT = {"kind", "id", "title", "owner", "cites", "uses", "overlay", "market", "enforce"}
STRUCTURE = {"CREATED", "ARMED", "RUNNING", "HALTED", "initial", "any"}


def leaves(node: Node, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Scalar]]:
    match node:
        case Scalar():
            yield path, node
        case Sequence(items=items):
            for index, item in enumerate(items):
                yield from leaves(item, (*path, index))
        case Mapping(entries=entries):
            for key, entry in entries.items():
                yield from leaves(entry.value, (*path, key))


def changeable() -> Iterator[tuple[str, str, tuple[str | int, ...]]]:
    for name, text in sound_files().items():
        root = load_text(text, name).root
        assert root is not None
        for path, leaf in leaves(root):
            silent = SILENT & {str(step) for step in path} and not (name == "engine.yaml" and path[0] == "strategies")
            overruled = path == ("limits", "max_position") and name == "risk.yaml"
            if name != "stress.yaml" and not silent and not overruled and leaf.text not in STRUCTURE:
                yield name, leaf.text, path


@pytest.mark.parametrize(("name", "text", "path"), list(changeable()), ids=str)
def test_any_value_counts(name: str, text: str, path: tuple[str | int, ...]) -> None:
    files = sound_files()
    root = load_text(files[name], name).root
    assert root is not None
    leaf = dict(leaves(root))[path]
    lines = files[name].split("\n")
    row = lines[leaf.span.line - 1]
    start, end = leaf.span.column - 1, leaf.span.end_column - 1
    lines[leaf.span.line - 1] = row[:start] + row[start:end].replace(text, CHANGES[text]) + row[end:]
    policies = set_of_any({**files, name: "\n".join(lines)})
    assert effective_bundle(policies, "SOUND").sha256 != BASE, path


def set_of_any(files: dict[str, str]) -> PolicySet:
    """As `set_of`, for documents whose change the schema need not approve: only the hash is asked about."""
    documents = {}
    for name, text in files.items():
        _, document, _ = read_document(text.encode(), name)
        assert document is not None
        documents[document.kind, document.id] = document
    return PolicySet(documents, {key: (each,) for key, each in documents.items()}, (), files)


def test_a_name_of_a_rule_or_limit_or_state_counts() -> None:
    for name, old, new in (
        ("risk.yaml", "id: CAP-01", "id: CAP-02"),
        ("risk.yaml", "restricted:", "forbidden:"),
        ("run.yaml", "ARMED", "READY"),
        ("engine.yaml", "lookback", "look_back"),
        ("engine.yaml", "order.qty: 10", "position.qty: 10"),
        ("engine.yaml", "timeframes: [1D]", "timeframes: [1D, 1H]"),
    ):
        files = sound_files()
        assert old in files[name]
        assert hash_of({**files, name: files[name].replace(old, new)}) != BASE, new
    stressed = load_policies([SOUND])
    assert effective_bundle(stressed, "SOUND", overlays=["sound_stress"]).sha256 != BASE
    assert effective_bundle(stressed, "SOUND").sha256 == BASE


def test_the_canonical_form_is_json_without_places() -> None:
    bundle = effective_bundle(load_policies([SOUND]), "SOUND")
    content = json.loads(bundle.canonical_bytes)
    assert content["limits"]["max_position"] == {"type": "ratio", "value": "15%"}
    assert b".yaml" not in bundle.canonical_bytes
    assert b"title" not in bundle.canonical_bytes


def test_a_bundle_travels_between_processes_unchanged() -> None:
    bundle = effective_bundle(load_policies([SOUND]), "SOUND")
    assert pickle.loads(pickle.dumps(bundle)).sha256 == bundle.sha256 == BASE
