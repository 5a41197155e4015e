"""What no bundle holds and a desk stands on all the same: stresses, obligations, symbols that are one engine's own."""

from __future__ import annotations

import pytest

from mqk.analysis.diff import Direction
from tests.analysis.diff.sides import desk_files, diff, edited, only

E, T, L, X = Direction.EQUAL, Direction.TIGHTER, Direction.LOOSER, Direction.INCOMPARABLE
STRESS = """kind: execution
id: costs_x2
title: Costs doubled
owner: trading
overlay: true
costs: {spread: 6bps, slippage: 10bps}
"""
GATES = """kind: promotion
id: gates
title: Gates
owner: risk-office
stress: [costs_x2]
"""
ASKED = """kind: obligation
id: asked
title: What is asked
owner: compliance
source: the regulator
obligations:
  - {id: ASK-1, title: Limits, asks: Orders have limits., controls: [CAP-01, KILL-01], built_in: [a log]}
  - {id: ASK-2, title: A kill switch, asks: It can be stopped., controls: [KILL-01]}
"""
ALLOCATION = """kind: allocation
id: desk
title: The desk's capital
owner: risk-office
capital: 200_000 USD
exclusive_symbols: true
engines: {DESK: {capital: 100_000 USD}}
"""


def files() -> dict[str, str]:
    own = {"stress.yaml": STRESS, "gates.yaml": GATES, "asked.yaml": ASKED, "capital.yaml": ALLOCATION}
    return edited(
        {**desk_files(), **own}, "engine.yaml", "  risk: [", "  promotion: [gates]\n  allocation: [desk]\n  risk: ["
    )


CHANGED = [
    ("stress.yaml", "spread: 6bps", "spread: 3bps", "stress.costs_x2.costs.spread", L),
    ("stress.yaml", "slippage: 10bps", "slippage: 20bps", "stress.costs_x2.costs.slippage", T),
    ("asked.yaml", "controls: [CAP-01, KILL-01]", "controls: [KILL-01]", "obligations.ASK-1.controls", L),
    ("asked.yaml", "built_in: [a log]", "built_in: [a diary]", "obligations.ASK-1.built_in", X),
    ("asked.yaml", "controls: [CAP-01, KILL-01]", "controls: [CAP-01, KILL-01], any_control: true",
     "obligations.ASK-1.any_control", L),
    ("capital.yaml", "exclusive_symbols: true", "exclusive_symbols: false", "allocation.exclusive_symbols", L),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "path", "direction"), CHANGED)
def test_what_documents_say_of_the_desk_has_its_direction(
    file: str, old: str, new: str, path: str, direction: Direction
) -> None:
    before = files()
    after = edited(before, file, old, new)
    found = diff(before, after)
    assert (only(found).path, only(found).direction, found.verdict) == (path, direction, direction)
    assert found.engines["DESK"].verdict is (direction if only(found).engines else E)
    assert bool(only(found).engines) is (file != "asked.yaml")
    back = only(diff(after, before))
    assert (back.path, back.direction) == (path, direction.mirrored)


def test_an_obligation_that_has_gone_is_looser_and_one_in_another_document_is_nothing() -> None:
    before = files()
    without = {name: text for name, text in before.items() if name != "asked.yaml"}
    gone = diff(before, without)
    assert [(each.path, each.direction) for each in gone.changes] == [
        ("obligations.ASK-1", L),
        ("obligations.ASK-2", L),
    ]
    assert diff(without, before).verdict is T
    assert diff(before, edited(before, "asked.yaml", "id: asked", "id: asked_of_us")).changes == ()


def test_an_obligation_follows_a_rule_to_its_new_name() -> None:
    before = files()
    after = edited(before, "risk.yaml", "id: KILL-01", "id: KILL-99")
    after = {**after, "asked.yaml": after["asked.yaml"].replace("KILL-01", "KILL-99")}
    assert only(diff(before, after)).path == "rules.KILL-99"


def test_a_stress_that_becomes_easier_on_a_day_to_come_is_looser() -> None:
    before = files()
    first = STRESS.replace("overlay:", "effective: {until: 2026-09-01}\noverlay:")
    then = STRESS.replace("overlay:", "effective: {from: 2026-09-01}\noverlay:").replace("6bps", "1bps")
    found = diff(before, {**before, "stress.yaml": first, "then.yaml": then})
    loosens = [(each.path, each.direction) for each in found.changes if each.direction.loosens]
    assert loosens == [("regime.2026-09-01.stress.costs_x2.costs.spread", L)]
