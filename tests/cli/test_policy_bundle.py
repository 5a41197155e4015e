"""`mqk policy bundle`, `verify`, `keygen`: the way of a set of policies from one machine to another."""

from __future__ import annotations

from pathlib import Path

from tests.cli.shell import Mqk


def test_a_bundle_is_packed_signed_verified_and_refused(mqk: Mqk, tmp_path: Path) -> None:
    made = mqk("policy", "keygen", "--out", "desk.key")
    assert (made.code, made.err) == (0, "")
    assert (tmp_path / "desk.key").read_text().splitlines()[1] not in made.out
    packed = mqk("policy", "bundle", "--out", "desk.mqk", "--revision", "7", "--sign", "desk.key", "--format", "json")
    assert (packed.code, packed.json["revision"], len(packed.json["signed_by"])) == (0, 7, 1)
    verified = mqk("policy", "verify", "desk.mqk", "--keys", "desk.key.pub", "--format", "json")
    assert verified.json == {**packed.json, "verified": True}
    text = mqk("policy", "verify", "desk.mqk", "--as-of", "2026-11-24").out
    assert "no keys are configured" in text
    assert "from 2027-10-20 on" in text

    mqk("policy", "bundle", "--out", "plain.mqk", "--revision", "7")
    refused = mqk("policy", "verify", "plain.mqk", "--keys", "desk.key.pub")
    assert (refused.code, refused.out) == (2, "")
    assert "plain.mqk: error[MQK-1572]: it is not signed, and keys are configured" in refused.err
    assert "payload" not in refused.err, "the file is one long line, and is not shown"
