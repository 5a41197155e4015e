"""C-42, defects of isolation: each shown to be impossible with two engines on one desk.

A token that was any part of a name, a multiplier that was one when it could not be read, and isolation that nothing
enforced.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from mqk.policy import effective_bundle
from tests.acceptance.worlds import copied, keyed, problems
from tests.reading import read

MAIN: Final = "engines/main.yaml"
EXP: Final = "engines/exp.yaml"
DESK: Final = "desk_test.yaml"
ALLOCATION: Final = """kind: allocation
id: desk_test
title: The desk's capital
owner: risk-office
capital: {capital}
engines:
  MAIN: {{capital: {main}}}
  EXP: {{capital: {exp}}}
"""


def allocated(folder: Path, capital: str, main: str, exp: str) -> None:
    """Put the engines of a desk under an allocation, in place of the one they have."""
    for shipped in (folder / "allocation").glob("*.yaml"):
        shipped.unlink()
    (folder / DESK).write_text(ALLOCATION.format(capital=capital, main=main, exp=exp), "utf-8")
    for file in (MAIN, EXP):
        path = folder / file
        lines = [line for line in path.read_text("utf-8").splitlines() if not line.startswith("  allocation:")]
        path.write_text("\n".join(lines).replace("uses:\n", "uses:\n  allocation: [desk_test]\n") + "\n", "utf-8")


@pytest.mark.parametrize("variable", ["EXPORT_KEY", "MY_EXPERIMENT_KEY", "ALPACA_KEY", "KEY_EXP1", "MAIN_ALPACA_KEY"])
def test_c42_a_key_carries_the_engines_id_as_a_word_of_its_own(tmp_path: Path, variable: str) -> None:
    folder = copied(tmp_path)
    keyed(folder, EXP, f"api_key: {variable}")
    assert [(each.code, f"`{variable}`" in each.message) for each in problems(folder)] == [("MQK-1122", True)]


@pytest.mark.parametrize("variable", ["EXP_ALPACA_KEY", "ALPACA_EXP_KEY", "ALPACA_KEY_EXP"])
def test_c42_a_key_may_carry_it_anywhere(tmp_path: Path, variable: str) -> None:
    folder = copied(tmp_path)
    keyed(folder, EXP, f"api_key: {variable}")
    assert problems(folder) == []


def test_c42_two_engines_never_share_a_key(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    keyed(folder, MAIN, "api_key: MAIN_EXP_KEY")
    keyed(folder, EXP, "api_key: MAIN_EXP_KEY")
    assert "MQK-1228" in {each.code for each in problems(folder)}


@pytest.mark.parametrize("part", ["lots", "1.5", "0.5x", "-1 USD", "NaN USD", "100_000 EUR"])
def test_c42_a_part_that_cannot_be_read_is_refused_and_never_one(tmp_path: Path, part: str) -> None:
    folder = copied(tmp_path)
    allocated(folder, "200_000 USD", part, "25_000 USD")
    assert problems(folder)


def test_c42_parts_do_not_add_up_to_more_than_there_is(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    allocated(folder, "124_999.99 USD", "100_000 USD", "25_000 USD")
    assert {each.code for each in problems(folder)} == {"MQK-1224"}


def test_c42_an_engine_starts_with_no_more_than_its_part(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    allocated(folder, "200_000 USD", "99_999.99 USD", "25_000 USD")
    assert {each.code for each in problems(folder)} == {"MQK-1225"}


def test_c42_an_allocation_binds_every_engine_that_it_names(tmp_path: Path) -> None:
    """An engine that is given a part and does not use the allocation would take what it likes."""
    folder = copied(tmp_path)
    allocated(folder, "200_000 USD", "100_000 USD", "25_000 USD")
    path = folder / EXP
    path.write_text(path.read_text("utf-8").replace("  allocation: [desk_test]\n", ""), "utf-8")
    assert {each.code for each in problems(folder)} == {"MQK-1225"}


def test_c42_within_their_parts_engines_trade(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    allocated(folder, "125_000 USD", "100_000 USD", "25_000 USD")
    assert problems(folder) == []
    bundle = effective_bundle(read(folder), "EXP")
    assert bundle.allocation is not None
    assert str(bundle.allocation.part) == "25_000 USD"
