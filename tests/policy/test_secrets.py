"""Secrets: refused wherever they stand, and repeated nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqk.policy import PolicySet, load_policies, render_json, render_text, shipped_policies_dir
from mqk.policy.documents import read_document
from mqk.policy.secrets import load_without_secrets
from tests.policy.support import SOUND, load_texts, sound_files

# Made up for this test and put together here, so that no scanner takes this file for what it is about.
MADE_UP = {
    "aws": "AK" + "IAIOSFODNN7EXAMPLE",
    "alpaca": "P" + "K3XUVYCT9Q1ZB7W0R2D4",
    "alpaca_secret": "u8Xw2" + "LkPzQ0vRt7YhN4mB6sJ1dF3gC5aE9iKoUb",
    "github": "gh" + "p_a8Zk29fLm3QxW7vR1tY6uB4nC5jH0dE2sG8i",
    "slack": "xo" + "xb-123456789012-abcdefABCDEF",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
    "hex": "9f86d081884c7d65" + "9a2feaa0c55ad015",
    "stripe": "sk" + "_live_4eC39HqLyjWDarjtT1",
}
PLACES = (
    "title: {}\n",
    "broker: {{id: paper, account: {}}}\n",
    "keys: {{api_key: {}}}\n",
    "keys:\n  api_key: {}\n",
    "# noted here: {}\n",
    "{}: value\n",
    "enforce: {{LOSS-01: {}}}\n",
    "limits: {{max_position: {}}}\n",
    'limits: {{max_position: "{}"}}\n',
    "capital: {}\n",
    "effective: {{from: {}}}\n",
    "keys: {{api_key: {}\n",
    "universe: [{}, {}]\n",
)


def shown(policies: PolicySet) -> str:
    """Everything that people and programs get to see of a refusal."""
    text = render_text(policies.diagnostics, policies.sources)
    notes = [note for each in policies.diagnostics for note, _ in each.notes]
    return "\n".join((text, render_json(policies.diagnostics), *notes, *policies.sources.values()))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", sorted(MADE_UP))
def test_a_secret_is_refused_wherever_it_stands_and_repeated_nowhere(tmp_path: Path, name: str, place: str) -> None:
    secret = MADE_UP[name]
    key = place.partition(":")[0]
    kept = [line for line in sound_files()["engine.yaml"].splitlines(keepends=True) if not line.startswith(f"{key}:")]
    text = "".join(kept) + place.format(secret, secret)
    policies = load_texts(tmp_path, {"engine.yaml": text})
    assert "MQK-1120" in {each.code for each in policies.errors}
    assert secret not in shown(policies)
    assert secret[4:-4] not in shown(policies)
    assert secret not in repr(policies.documents)


@pytest.mark.parametrize("value", ["hunter2", "correct horse battery", "main_alpaca_key", "$ALPACA", '"12345678"'])
def test_what_names_no_variable_is_not_repeated_even_when_it_looks_like_nothing(tmp_path: Path, value: str) -> None:
    for number, text in enumerate((f"keys: {{k: {value}}}\n", f"keys:\n  k: {value}\n", f"keys: {{k: {value}\n")):
        engine = sound_files()["engine.yaml"] + text
        policies = load_texts(tmp_path / str(number), {"engine.yaml": engine})
        assert "MQK-1120" in {each.code for each in policies.errors}
        assert value.strip('"') not in shown(policies)


@pytest.mark.parametrize("line", ["password: hunter2\n", "api_secret: swordfish\n", "{api_key: abc def, x: y}\n"])
def test_a_key_that_says_what_its_value_is_is_believed(tmp_path: Path, line: str) -> None:
    engine = sound_files()["engine.yaml"] + line
    policies = load_texts(tmp_path, {"engine.yaml": engine})
    assert "MQK-1120" in {each.code for each in policies.errors}
    assert not any(word in shown(policies) for word in ("hunter2", "swordfish", "abc def"))


def test_escapes_and_folds_hide_nothing(tmp_path: Path) -> None:
    secret = MADE_UP["aws"]
    escaped = '"' + "".join(f"\\x{ord(char):02x}" for char in secret) + '"'
    folded = f'"{secret[:7]}\\\n  {secret[7:]}"'
    for number, text in enumerate((escaped, folded)):
        engine = sound_files()["engine.yaml"].replace("title: A sound engine", f"title: {text}")
        policies = load_texts(tmp_path / str(number), {"engine.yaml": engine})
        assert "MQK-1120" in {each.code for each in policies.errors}
        assert text not in shown(policies)
        assert secret not in shown(policies)


def test_a_key_in_a_block_of_lines_is_blacked_out_as_a_whole(tmp_path: Path) -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"
    head, foot = ("-----" + word + " PRIVATE KEY-----" for word in ("BEGIN", "END"))
    engine = sound_files()["engine.yaml"] + f"notes: |\n  {head}\n  {body}\n  {foot}\n"
    policies = load_texts(tmp_path, {"engine.yaml": engine})
    assert "MQK-1120" in {each.code for each in policies.errors}
    assert body not in shown(policies)


def test_a_name_and_password_in_an_address_are_a_secret(tmp_path: Path) -> None:
    engine = sound_files()["engine.yaml"] + "# postgres" + "://mqk:swordfish@db/mqk\n"
    policies = load_texts(tmp_path, {"engine.yaml": engine})
    assert "MQK-1120" in {each.code for each in policies.errors}
    assert "swordfish" not in shown(policies)


def test_the_black_is_where_the_secret_was_and_the_rest_stays() -> None:
    text = f"kind: risk\ntitle: {MADE_UP['aws']} # kept\n"
    loaded = load_without_secrets(text.encode(), "x.yaml")
    assert loaded.text == text.replace(MADE_UP["aws"], "█" * len(MADE_UP["aws"]))
    (told,) = loaded.diagnostics
    assert (told.span.line, told.span.column, told.span.end_column) == (2, 8, 8 + len(MADE_UP["aws"]))
    assert json.loads(render_json([told]))[0]["code"] == "MQK-1120"


def test_no_policy_that_ships_or_is_sound_looks_like_a_secret() -> None:
    for folder in (shipped_policies_dir(), SOUND):
        assert not [each for each in load_policies([folder]).diagnostics if each.code == "MQK-1120"]


WORDS = (
    "limits.max_position", "of", "account.equity", "2026-06-04T13:30:00Z", "25_000", "projected.position_value",
    "count(rejects within 5 business_days)", "US_EQUITIES_2026", "15c3-5(c)(1)(i)", "tier_a_consistent_v12",
    "order.time_in_force", "RTS6-8(c)", "no_more_permissive_than", "4210(f)(8)(B)(iii)",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS)))
def test_the_words_of_policies_are_no_secrets(words: list[str]) -> None:
    _, _, faults = read_document(f"kind: risk\ntitle: {' '.join(words)}\n".encode(), "x.yaml")
    assert "MQK-1120" not in {each.code for each in faults}
