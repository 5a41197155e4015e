"""Graphs as SVG: layers from top to bottom, every label at a place of its own.

What lives here: the page. What does not: what is drawn (graph.py).

The words on an arrow are laid out as a small box in the middle of it, so that no words ever lie on top of each other or
on a state; the layout then only has to keep boxes apart, which is what it is good at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import Any, Final

from grandalf.graphs import Edge, Graph, Vertex
from grandalf.layouts import SugiyamaLayout
from grandalf.routing import EdgeViewer

from mqk.analysis.graph import Arrow, Node, Picture

_FONT: Final = "ui-sans-serif, system-ui, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
_MARGIN: Final = 28
_WIDEST: Final = 34
_APART: Final = 40.0
# Fill and border by kind of box.
_COLORS: Final = {
    "initial": ("#e3eefb", "#2c65ad"),
    "normal": ("#f4f6f8", "#5b6b7a"),
    "sticky": ("#fde8e0", "#b4431f"),
    "final": ("#e7f3e8", "#3a7a40"),
    "engine": ("#e3eefb", "#2c65ad"),
    "risk": ("#fde8e0", "#b4431f"),
    "margin": ("#fde8e0", "#b4431f"),
    "integrity": ("#fff4d9", "#94690a"),
    "lifecycle": ("#e7f3e8", "#3a7a40"),
}
_PLAIN: Final = ("#f4f6f8", "#5b6b7a")
_INK, _QUIET, _LINE = "#1d2733", "#566474", "#7d8a98"


@dataclass(slots=True)
class _Box:
    """What the layout moves about: a size, and the place it comes to stand at (its middle)."""

    w: float
    h: float
    lines: tuple[str, ...] = ()
    node: Node | None = None
    xy: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class _Wire:
    """One arrow: the lines that it is made of, and whether each of them ends in a head."""

    arrow: Arrow
    parts: list[tuple[Any, bool]] = field(default_factory=list)


def svg(picture: Picture) -> str:
    """The graph as an SVG document."""
    vertices = {node.name: _vertex(_node_box(node), number) for number, node in enumerate(picture.nodes)}
    wires, labels = _wires(picture, vertices)
    everything = [*vertices.values(), *labels]
    graph = Graph(everything, [part for wire in wires for part, _ in wire.parts])
    left = 0.0
    for component in graph.C:
        layout = SugiyamaLayout(component)
        layout.xspace, layout.yspace = 26, 30
        roots = [vertex for vertex in component.sV if _is_root(vertex)] or [next(iter(component.sV))]
        layout.init_all(roots=roots[:1], optimize=True)
        layout.draw(12)
        left = _beside(component, left)
    boxes = [vertex.view for vertex in everything]
    return "".join(_document(picture, boxes, wires, left - _APART))


class _Numbered:
    """Hashed by its number, not by its address: the layout iterates over sets, and must do so alike every time."""

    number = 0

    def __hash__(self) -> int:
        return self.number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Vertex(_Numbered, Vertex):  # type: ignore[misc] # the library has no types
    """A box in the layout's terms."""


class _Edge(_Numbered, Edge):  # type: ignore[misc] # the library has no types
    """A line in the layout's terms."""


def _vertex(box: _Box, number: int) -> Any:
    vertex = _Vertex(box)
    vertex.view, vertex.number = box, number
    return vertex


def _edge(start: Any, end: Any, number: int) -> Any:
    edge = _Edge(start, end)
    edge.view, edge.number = EdgeViewer(), number
    return edge


def _is_root(vertex: Any) -> bool:
    node = vertex.view.node
    return node is not None and node.kind in ("initial", "engine")


def _beside(component: Any, left: float) -> float:
    """Move one part of the graph to the right of those before it; returns where the next one begins."""
    boxes = [vertex.view for vertex in component.sV]
    lines = [edge.view for edge in component.sE]
    bends = [x for line in lines for x, _ in line._pts[1:-1]]  # noqa: SLF001 - it has no other reader
    shift = left - min([*(box.xy[0] - box.w / 2 for box in boxes), *bends])
    top = min(box.xy[1] - box.h / 2 for box in boxes)
    for box in boxes:
        box.xy = (box.xy[0] + shift, box.xy[1] - top)
    for line in lines:
        line.setpath([(x + shift, y - top) for x, y in line._pts])  # noqa: SLF001
    right: float = max([*(box.xy[0] + box.w / 2 for box in boxes), *(x + shift for x in bends)])
    return right + _APART


def _node_box(node: Node) -> _Box:
    wide = max(8.6 * len(node.label), 6.4 * len(node.detail)) + (48 if node.kind == "initial" else 34)
    return _Box(max(96.0, wide), 52.0 if node.detail else 40.0, node=node)


def _wires(picture: Picture, vertices: dict[str, Any]) -> tuple[list[_Wire], list[Any]]:
    wires: list[_Wire] = []
    labels: list[Any] = []
    count = 0
    for arrow in picture.arrows:
        wire = _Wire(arrow)
        lines = _words(arrow) if picture.states else ()
        starts, end = [vertices[start] for start in arrow.starts], vertices[arrow.end]
        if lines:
            width = max(6.3 * len(line) for line in lines) + 16
            label = _vertex(_Box(width, 15.0 * len(lines) + 8, lines), len(vertices) + len(labels))
            labels.append(label)
            ends = [*((start, label, False) for start in starts), (label, end, True)]
        else:
            ends = [(start, end, True) for start in starts]
        wire.parts = [(_edge(a, b, count + number), head) for number, (a, b, head) in enumerate(ends)]
        count += len(ends)
        wires.append(wire)
    return wires, labels


def _words(arrow: Arrow) -> tuple[str, ...]:
    return (arrow.label, *(line for detail in arrow.details for line in wrap(detail, _WIDEST)))


def _document(picture: Picture, boxes: Sequence[_Box], wires: Sequence[_Wire], right: float) -> Iterator[str]:
    width = right + 2 * _MARGIN
    height = max(box.xy[1] + box.h / 2 for box in boxes) + 2 * _MARGIN + 34
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{_FONT}" role="img">\n'
        f"<title>{escape(picture.title)}</title>\n"
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0.8 L10 5 L0 9.2 z" fill="{_LINE}"/></marker></defs>\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        f'<text x="{_MARGIN}" y="{_MARGIN}" font-size="15" font-weight="600" fill="{_INK}">'
        f"{escape(picture.title)}</text>\n"
        f'<g transform="translate({_MARGIN} {_MARGIN + 26})">\n'
    )
    yield from (_curve(run) for run in _runs(wires))
    for box in boxes:
        yield _drawn(box)
    yield "</g>\n</svg>\n"


@dataclass(slots=True)
class _Run:
    """A line on the page: from the middle of one box to that of another, then to a place on their edges of its own."""

    start: _Box
    end: _Box
    between: list[tuple[float, float]]
    head: bool
    x0: float = 0.0
    x1: float = 0.0

    @property
    def down(self) -> bool:
        """Whether it leads down the page."""
        return self.end.xy[1] > self.start.xy[1]

    def ends(self) -> Iterator[tuple[_Box, str, float, str]]:
        """Each end: the box, its side, where the line comes from, and which of the two it is."""
        first, last = (*self.between, self.end.xy)[0], (self.start.xy, *self.between)[-1]
        yield self.start, "bottom" if self.down else "top", first[0], "x0"
        yield self.end, "top" if self.down else "bottom", last[0], "x1"


def _runs(wires: Sequence[_Wire]) -> list[_Run]:
    """Every line, no two of which touch a box at one place."""
    runs = []
    for wire in wires:
        for part, head in wire.parts:
            start, end = part.v[0].view, part.v[1].view
            between = list(part.view._pts[1:-1])  # noqa: SLF001 - it has no other reader
            if between and abs(between[0][1] - start.xy[1]) > abs(between[-1][1] - start.xy[1]):
                between.reverse()
            runs.append(_Run(start, end, between, head))
    sides: dict[tuple[int, str], list[tuple[float, int, str]]] = {}
    for number, run in enumerate(runs):
        for box, side, toward, which in run.ends():
            sides.setdefault((id(box), side), []).append((toward, number, which))
    for at in sides.values():
        for place, (_, number, which) in enumerate(sorted(at), 1):
            box = runs[number].start if which == "x0" else runs[number].end
            wide = box.w * 0.8 if box.node is not None else min(box.w, 60.0)
            setattr(runs[number], which, box.xy[0] + wide * (place / (len(at) + 1) - 0.5))
    return runs


def _curve(run: _Run) -> str:
    """A curve that leaves and enters boxes upright, through the gaps that the layout kept for it."""
    sign = 1 if run.down else -1
    points = [
        (run.x0, run.start.xy[1] + sign * run.start.h / 2),
        *run.between,
        (run.x1, run.end.xy[1] - sign * run.end.h / 2),
    ]
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (ax, ay), (bx, by) in pairwise(points):
        bend = sign * max(10.0, abs(by - ay) / 2)
        path += f" C{ax:.1f} {ay + bend:.1f} {bx:.1f} {by - bend:.1f} {bx:.1f} {by:.1f}"
    arrow = ' marker-end="url(#head)"' if run.head else ""
    return f'<path d="{path}" fill="none" stroke="{_LINE}" stroke-width="1.4"{arrow}/>\n'


def _drawn(box: _Box) -> str:
    x, y = box.xy[0] - box.w / 2, box.xy[1] - box.h / 2
    if box.node is None:
        return "".join(
            _words_at(box.xy[0], y + 16 + 15 * number, line, number) for number, line in enumerate(box.lines)
        )
    fill, border = _COLORS.get(box.node.kind, _PLAIN)
    shape = (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.w:.1f}" height="{box.h:.1f}" rx="9" fill="{fill}" '
        f'stroke="{border}" stroke-width="{2 if box.node.kind in ("sticky", "engine") else 1.4}"/>\n'
    )
    if box.node.kind == "final":
        shape += (
            f'<rect x="{x + 3:.1f}" y="{y + 3:.1f}" width="{box.w - 6:.1f}" height="{box.h - 6:.1f}" rx="7" '
            f'fill="none" stroke="{border}"/>\n'
        )
    if box.node.kind == "initial":
        shape += f'<circle cx="{x + 12:.1f}" cy="{box.xy[1]:.1f}" r="4.5" fill="{border}"/>\n'
    middle = box.xy[1] + (4.5 if not box.node.detail else -2.5)
    text = (
        f'<text x="{box.xy[0]:.1f}" y="{middle:.1f}" text-anchor="middle" font-size="13" font-weight="600" '
        f'fill="{_INK}">{escape(box.node.label)}</text>\n'
    )
    if box.node.detail:
        text += (
            f'<text x="{box.xy[0]:.1f}" y="{middle + 16:.1f}" text-anchor="middle" font-size="11" '
            f'fill="{_QUIET}">{escape(box.node.detail)}</text>\n'
        )
    return shape + text


def _words_at(x: float, y: float, line: str, number: int) -> str:
    """One line of the words on an arrow, on a white ground that lets lines behind it be seen around it."""
    look = f'font-size="12" font-weight="600" fill="{_INK}"' if number == 0 else f'font-size="11" fill="{_QUIET}"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" {look} stroke="#ffffff" stroke-width="4" '
        f'paint-order="stroke" stroke-linejoin="round">{escape(line)}</text>\n'
    )
