"""State machines and what binds an engine can be looked at: as Mermaid, and as a picture where nothing overlaps."""

from __future__ import annotations

import re
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest

from mqk.analysis.drawing import svg
from mqk.analysis.graph import Picture, mermaid, of_engine, of_lifecycle
from tests.analysis.worlds import shipped, shipped_policies

SVG = "{http://www.w3.org/2000/svg}"
PICTURES = {
    **{name: of_lifecycle(machine) for name, machine in shipped().lifecycles.items()},
    "MAIN": of_engine(shipped_policies(), shipped("MAIN")),
    "EXP": of_engine(shipped_policies(), shipped("EXP")),
}


def boxes(drawn: ET.Element) -> list[tuple[float, float, float, float]]:
    return [
        (float(each.get("x", 0)), float(each.get("y", 0)), float(each.get("width", 0)), float(each.get("height", 0)))
        for each in drawn.iter(f"{SVG}rect")
        if each.get("x") is not None and each.get("fill") != "none"
    ]


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_every_state_and_move_is_in_the_mermaid_text(picture: Picture) -> None:
    text = mermaid(picture)
    assert all(node.label in text for node in picture.nodes)
    assert text.count("-->") >= sum(len(arrow.starts) for arrow in picture.arrows)
    # Mermaid ends a statement at a semicolon and reads braces its own way; both are written as their number.
    assert not re.search(r"[{}]", text)


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_is_well_formed_holds_everything_and_no_two_boxes_overlap(picture: Picture) -> None:
    drawn = ET.fromstring(svg(picture))
    words = [each.text for each in drawn.iter(f"{SVG}text")]
    assert all(node.label in words for node in picture.nodes)
    assert not picture.states or all(arrow.label in words for arrow in picture.arrows)
    placed = boxes(drawn)
    assert len(placed) == len(picture.nodes)
    for (x, y, w, h), (u, v, s, t) in combinations(placed, 2):
        assert x + w <= u or u + s <= x or y + h <= v or v + t <= y


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_everything_lies_on_the_page(picture: Picture) -> None:
    drawn = ET.fromstring(svg(picture))
    width, height = float(drawn.get("width", 0)), float(drawn.get("height", 0))
    for path in drawn.iter(f"{SVG}path"):
        numbers = [float(each) for each in re.findall(r"-?\d+\.?\d*", path.get("d", ""))]
        assert all(-1 <= x <= width for x in numbers[::2])
        assert all(-1 <= y <= height for y in numbers[1::2])


def test_one_picture_is_the_same_text_every_time() -> None:
    picture = PICTURES["run"]
    assert len({svg(picture) for _ in range(3)}) == 1
