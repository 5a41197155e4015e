"""Bundle files: the same bytes for the same policies, all of it back again, and nothing else is ever read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.policy import PolicyError, load_policies
from mqk.policy.explanations import explanations_dir
from mqk.policy.packing import (
    Packed,
    check_hashes,
    laid_out,
    pack,
    read_packed,
    unpack,
    unpacked,
    verify_packed,
    write_packed,
)
from mqk.policy.signing import KEYS_VARIABLE, Signature, make_keys
from mqk.policy.timeline import Spell, spell_on, timeline

DESK = explanations_dir() / "desk"


@pytest.fixture(scope="module")
def packed() -> Packed:
    return pack(DESK, 3)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    private = tmp_path_factory.mktemp("keys") / "desk.key"
    make_keys(private)
    return private


@pytest.fixture(scope="module")
def signed(packed: Packed, key: Path) -> Packed:
    return packed.signed(key)


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def refusal(attempt: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(PolicyError) as refused:
        attempt(*arguments)
    (only,) = refused.value.diagnostics
    assert only.help is not None
    return only.code, only.message


def test_what_is_packed_comes_back_whole(signed: Packed, tmp_path: Path) -> None:
    file = tmp_path / "desk.mqk"
    write_packed(signed, file)
    assert read_packed(file) == signed
    assert [each.name for each in tmp_path.iterdir()] == ["desk.mqk"], "nothing half-written is left"
    with unpacked(file) as folder:
        for path, text in signed.files.items():
            assert (folder / path).read_bytes() == text.encode() == (DESK / path).read_bytes()
        assert len([each for each in folder.rglob("*") if each.is_file()]) == len(signed.files)
        check_hashes(signed, folder, "desk.mqk")
        assert timeline(load_policies([folder]), "DESK") == signed.engines["DESK"]
    assert not folder.exists()


def test_two_processes_with_other_hash_seeds_pack_the_same_bytes(packed: Packed) -> None:
    program = (
        "import sys; from pathlib import Path; from mqk.policy.packing import pack;"
        "sys.stdout.buffer.write(pack(Path(sys.argv[1]), 3).content)"
    )
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        found = subprocess.run(
            [sys.executable, "-c", program, str(DESK)], capture_output=True, check=True, env=environment
        )
        assert found.stdout == packed.content


def test_policies_with_an_error_and_revisions_that_are_none_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "risk.yaml").write_text("kind: risk\nkind: risk\n")
    with pytest.raises(PolicyError) as refused:
        pack(tmp_path, 1)
    assert "MQK-1005" in {each.code for each in refused.value.diagnostics}
    for folder, revision in ((DESK, 0), (DESK, 2**53), (tmp_path / "risk.yaml", 1)):
        with pytest.raises(PolicyError) as refused:
            pack(folder, revision)
        assert {each.code for each in refused.value.diagnostics} == {"MQK-1570"}


def test_a_bundle_states_every_hash_that_its_engines_come_to_and_when() -> None:
    shipped = Path(__file__).parents[2] / "policies"
    spells = timeline(load_policies([shipped]), "MAIN")
    assert [each.since for each in spells] == [date.min, date(2026, 6, 4)]
    assert spell_on(spells, date(2026, 6, 3)) == spells[0]
    assert spell_on(spells, date(2026, 6, 4)) == spells[1]


def with_payload(packed: Packed, **changes: Any) -> bytes:
    """A bundle file with another payload, whose hash is right."""
    import hashlib  # noqa: PLC0415

    import rfc8785  # noqa: PLC0415

    payload = {**json.loads(packed.payload), **changes}
    whole = {"payload": payload, "sha256": hashlib.sha256(rfc8785.dumps(payload)).hexdigest(), "signatures": []}
    return rfc8785.dumps(whole) + b"\n"


@pytest.mark.parametrize(
    "path",
    [
        "../risk.yaml",
        "/etc/risk.yaml",
        "a/../risk.yaml",
        "a//risk.yaml",
        ".git/risk.yaml",
        "a\\risk.yaml",
        "C:risk.yaml",
        "risk.yaml ",
        "risk.sh",
        "",
        "a/",
        "a\n.yaml",
        "a/.risk.yaml",
        f"{'a' * 260}.yaml",
    ],
)
def test_no_path_leads_out_of_a_bundle(packed: Packed, path: str) -> None:
    code, message = refusal(unpack, with_payload(packed, files={path: "kind: risk"}), "desk.mqk")
    assert code == "MQK-1570"
    assert "the path" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"files": {"a.yaml": "x", "A.yaml": "x"}}, "capitals"),
        ({"files": {"a.yaml": "x", "a.yaml/b.yaml": "x"}}, "a file and a folder"),
        ({"files": {}}, "0 files"),
        ({"files": []}, "no object"),
        ({"files": {"a.yaml": 1}}, "no text"),
        ({"files": {"a.yaml": "x" * 1_048_577}}, "no text of at most"),
        ({"format": 2}, "format `2`"),
        ({"format": True}, "format `True`"),
        ({"revision": 0}, "revision"),
        ({"revision": "1"}, "revision"),
        ({"revision": True}, "revision"),
        ({"engines": {"A": []}}, "no list"),
        ({"engines": {"A": [{"since": "2026-02-30", "sha256": None}]}}, "the day"),
        ({"engines": {"A": [{"since": "2026-02-03", "sha256": "f" * 63}]}}, "the hash"),
        ({"engines": {"A": [{"since": "2026-02-03"}]}}, "has no `sha256`"),
        ({"more": 1}, "unknown `more`"),
    ],
)
def test_a_bundle_of_another_form_is_refused(packed: Packed, changes: dict[str, Any], words: str) -> None:
    code, message = refusal(unpack, with_payload(packed, **changes), "desk.mqk")
    assert (code, words in message) == ("MQK-1570", True), message


def test_what_json_readers_read_differently_is_refused(packed: Packed) -> None:
    text = packed.content.decode()
    for changed in (
        text.replace('"revision":3', '"revision":3,"revision":4'),
        text.replace('"revision":3', '"revision":3.0'),
        text.replace('"revision":3', '"revision":NaN'),
        text.replace('"revision":3', f'"revision":{"9" * 5000}'),
        text.replace('"revision":3', '"revision":"\\ud800"'),
        "[" * 100_000,
        "",
        text[:-1],
        text + " ",
        text.replace(",", ", ", 1),
    ):
        assert changed != text
        assert refusal(unpack, changed.encode(), "desk.mqk")[0] == "MQK-1570"
    assert refusal(unpack, b"\xff" + packed.content, "desk.mqk") == ("MQK-1570", "it is not UTF-8")
    assert "larger than" in refusal(unpack, b" " * (64 * 1_048_576 + 1), "desk.mqk")[1]


def test_other_content_than_stated_is_refused(packed: Packed) -> None:
    lies = replace(packed, engines={"DESK": (Spell(date.min, "0" * 64),)})
    with laid_out(lies) as folder:
        code, message = refusal(check_hashes, lies, folder, "desk.mqk")
    assert (code, "`DESK`" in message) == ("MQK-1571", True)
    changed = packed.content.replace(b"kind: risk", b"kind: fish", 1)
    assert refusal(unpack, changed, "desk.mqk")[0] == "MQK-1571"


def test_where_keys_are_configured_only_what_they_signed_is_taken(
    packed: Packed, signed: Packed, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That keys are there decides, not that a signature is: an unsigned bundle is no way around."""
    make_keys(tmp_path / "other")
    by_other = packed.signed(tmp_path / "other")
    stolen = replace(packed, revision=4, signatures=signed.signatures)
    named_alike = replace(packed, signatures=(replace(by_other.signatures[0], key=signed.signatures[0].key),))
    verify_packed(packed, "desk.mqk")
    verify_packed(signed, "desk.mqk", public(key))
    verify_packed(signed.signed(tmp_path / "other"), "desk.mqk", public(key))
    for refused, words in (
        (packed, "it is not signed"),
        (by_other, "nobody here knows"),
        (stolen, "not one of this content"),
        (named_alike, "not one of this content"),
    ):
        code, message = refusal(verify_packed, refused, "desk.mqk", public(key))
        assert (code, words in message) == ("MQK-1572", True), message
        monkeypatch.setenv(KEYS_VARIABLE, str(public(key)))
        assert refusal(verify_packed, refused, "desk.mqk")[0] == "MQK-1572"
        # Keys of one's own do not stand in for those of the desk.
        assert refusal(verify_packed, refused, "desk.mqk", tmp_path / "other.pub")[0] == "MQK-1572"
        monkeypatch.delenv(KEYS_VARIABLE)
    file = tmp_path / "desk.mqk"
    write_packed(packed, file)
    monkeypatch.setenv(KEYS_VARIABLE, str(key.parent))
    with pytest.raises(PolicyError, match="it is not signed"), unpacked(file):
        raise AssertionError("it was read")
    write_packed(signed, file)
    with unpacked(file) as folder:
        assert folder.is_dir()


def test_a_configuration_without_a_key_trusts_nobody(
    signed: Packed, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "not.pub").write_text("nothing")
    (tmp_path / "long.pub").write_bytes(public(key).read_bytes() + b"\n" * 5000)
    for place in ("empty", "missing", "not.pub", "long.pub"):
        assert refusal(verify_packed, signed, "desk.mqk", tmp_path / place)[0] == "MQK-1573"
    # A private key is no public one, and a variable that is set and says nothing was meant to say something.
    assert refusal(verify_packed, signed, "desk.mqk", key)[0] == "MQK-1573"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEYS_VARIABLE, "")
    assert refusal(verify_packed, signed, "desk.mqk")[0] == "MQK-1573"


@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_bit_of_a_signed_bundle_can_be_changed(signed: Packed, key: Path, where: float, bit: int) -> None:
    content = bytearray(signed.content)
    content[int(where * len(content))] ^= 1 << bit
    assert_refused(bytes(content), public(key))


def test_no_byte_of_hash_signature_revision_or_hashes_can_be_changed(signed: Packed, key: Path) -> None:
    """The whole tail of the file (hash, signatures), and what stands before the files, byte for byte."""
    content = signed.content
    regions = [*range(content.index(b'"files"')), *range(content.index(b'"format"'), len(content))]
    assert len(regions) > 400
    for place in regions:
        changed = bytearray(content)
        changed[place] ^= 1
        assert_refused(bytes(changed), public(key))


def assert_refused(content: bytes, keys: Path) -> None:
    with pytest.raises(PolicyError) as refused:
        verify_packed(unpack(content, "desk.mqk"), "desk.mqk", keys)
    assert {each.code for each in refused.value.diagnostics} <= {"MQK-1570", "MQK-1571", "MQK-1572"}


def test_a_private_key_is_its_owners_alone_and_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private = tmp_path / "desk.key"
    _, shown = make_keys(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert len(shown) == 64
    secret = private.read_text().splitlines()[1]
    with pytest.raises(PolicyError) as refused:
        make_keys(private)
    assert {each.code for each in refused.value.diagnostics} == {"MQK-1573"}
    assert secret not in f"{refused.value}{capsys.readouterr()}"
    assert private.read_text().splitlines()[1] == secret


def test_signatures_do_not_depend_on_the_order_of_signing(packed: Packed, signed: Packed, tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_keys(tmp_path / name)
    one = packed.signed(tmp_path / "a").signed(tmp_path / "b")
    assert one.content == packed.signed(tmp_path / "b").signed(tmp_path / "a").signed(tmp_path / "b").content
    assert one.sha256 == signed.sha256 == packed.sha256
    twice = replace(packed, signatures=(Signature("0" * 64, ""), Signature("0" * 64, "")))
    assert "same key" in refusal(unpack, twice.content, "desk.mqk")[1]
