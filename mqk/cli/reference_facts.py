"""The reference page of facts: written from the catalogue, so that it never says anything but what rules can read.

What lives here: the page of facts, collections and events. What does not: the facts themselves (mqk.guards.catalogue).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mqk.guards import Point
from mqk.guards.catalogue import STREAMS, Entry, collections_at, facts_at, fields_at, streams_at
from mqk.guards.fact import MODES
from mqk.quantity import Duration

INTRODUCTION = """\
# Facts

What rules can read. Each fact exists at certain guard points; a rule at another point that reads it does not compile.
A fact that is *optional* can be missing at a moment: ask `present(…)` first, or the rule is in error, and an error
blocks. A fact that is older than its greatest age is stale, and reading it is an error as well. Where no mode is named,
every mode supplies the fact.
"""


def page() -> str:
    """The whole page, in Markdown."""
    lines = [INTRODUCTION]
    for family, entries in _families().items():
        lines += [f"## {family}", ""]
        lines += table(
            ("Fact", "Type", "Unit", "Points", "Notes", "Meaning"),
            (
                (f"`{entry.name}`", _type(entry), entry.unit, points, _notes(entry), _meaning(entry))
                for entry, points in entries
            ),
        )
        lines.append("")
    lines += ["## Collections", ""]
    lines += ["Read element by element, as `some p in positions satisfies p.value > 1_000 USD`.", ""]
    for name in dict.fromkeys(name for point in Point for name in fields_at(point)):
        lines += _collection(name)
    lines += ["## Events", ""]
    lines += [
        "Counted and added up over windows, as `count(rejects within 300s)`, `total(results within 5 sessions)`.",
        "",
    ]
    lines += table(
        ("Events", "Points", "Amount", "Meaning"),
        (
            (
                f"`{name}`",
                _listed(point.value for point in Point if name in streams_at(point)),
                "" if stream.amount is None else str(stream.amount),
                _sentence(stream.title),
            )
            for name, stream in STREAMS.items()
        ),
    )
    return "\n".join(lines) + "\n"


def _families() -> Mapping[str, list[tuple[Entry, str]]]:
    """The facts by the word before their dot, each with the points at which it exists."""
    where: dict[str, list[str]] = {}
    entries: dict[str, Entry] = {}
    for point in Point:
        for name, entry in facts_at(point).items():
            where.setdefault(name, []).append(point.value)
            entries.setdefault(name, entry)
    families: dict[str, list[tuple[Entry, str]]] = {}
    for name, entry in entries.items():
        families.setdefault(name.partition(".")[0], []).append((entry, _listed(where[name])))
    return families


def _collection(name: str) -> Iterator[str]:
    points = [point for point in Point if name in fields_at(point)]
    maximum = collections_at(points[0])[name].maximum
    yield f"### `{name}`"
    yield ""
    yield f"At {_listed(point.value for point in points)}; at most {maximum} elements: more are an error."
    yield ""
    fields = fields_at(points[0])[name].values()
    yield from table(
        ("Field", "Type", "Unit", "Notes", "Meaning"),
        ((f"`{entry.name}`", _type(entry), entry.unit, _notes(entry), _sentence(entry.title)) for entry in fields),
    )
    yield ""


def _type(entry: Entry) -> str:
    return str(entry.type)


def _notes(entry: Entry) -> str:
    notes = []
    if getattr(entry.ref, "optional", False):
        notes.append("optional")
    if tuple(entry.modes) != MODES:
        notes.append(f"only in {_listed(entry.modes)}")
    if entry.max_age is not None:
        notes.append(f"stale after {Duration(entry.max_age)}")
    if entry.minimum is not None:
        notes.append(f"never below {entry.minimum}")
    return "; ".join(notes)


def _meaning(entry: Entry) -> str:
    said = _sentence(entry.title)
    return said if entry.expression is None else f"{said} Defined as `{entry.expression}`."


def _sentence(text: str) -> str:
    """A title as a sentence."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]
