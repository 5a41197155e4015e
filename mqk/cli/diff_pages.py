"""A comparison of policies as the comment of a pull request, in Markdown, and as one HTML page that needs nothing else.

What lives here: the layout of both. What does not: what a change means (mqk.analysis.diff).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from mqk.analysis.diff import Change, Direction, PolicyDiff
from mqk.cli.diff_report import VERDICTS, told, where

_TEMPLATES: Final = Path(__file__).with_name("diff_templates")
# What a person reads in a minute; the rest is folded away.
_ROWS: Final = 12
_SHOWN: Final = 6


def markdown(found: PolicyDiff, title: str) -> str:
    """The body of a comment: the verdict, a table of changes, what shows them; short, with the rest folded."""
    return "\n".join(_markdown(found, title)) + "\n"


def _markdown(found: PolicyDiff, title: str) -> Iterator[str]:
    yield f"### Policies: {found.verdict}"
    yield ""
    yield f"**{VERDICTS[found.verdict].capitalize()}.** {cell(title)}"
    telling = [each for each in found.changes if each.direction is not Direction.EQUAL]
    same = [each for each in found.changes if each.direction is Direction.EQUAL]
    if telling:
        yield ""
        yield from _table(telling[:_ROWS])
    if len(telling) > _ROWS:
        yield from _folded(f"{len(telling) - _ROWS} more changes", _table(telling[_ROWS:]))
    shown = [line for each in telling for line in _shown(each)]
    if shown:
        yield ""
        yield "**What shows it**"
        yield ""
        yield from shown[:_SHOWN]
    if len(shown) > _SHOWN:
        yield from _folded(f"{len(shown) - _SHOWN} more witnesses", shown[_SHOWN:])
    if same:
        yield from _folded(f"{len(same)} changes that let nothing more and nothing less pass", _table(same))
    if found.engines:
        yield from _folded("By engine and guard point", _points(found))


def _table(changes: Iterable[Change]) -> Iterator[str]:
    yield "| | What | Before | After | Where | Engines |"
    yield "|---|---|---|---|---|---|"
    for each in changes:
        columns = (each.before or "", each.after or "", where(each), ", ".join(each.engines))
        said = " | ".join(cell(column) for column in columns)
        yield f"| **{each.direction}** | `{each.path.replace('|', '/').replace('`', '')}` | {said} |"


def _shown(change: Change) -> Iterator[str]:
    texts = [each.text for each in (change.witness, change.tighter) if each is not None]
    if not texts and change.direction.loosens and change.why:
        texts = [change.why]
    for text in texts:
        yield f"- `{change.path.replace('`', '')}`: {cell(text)}"


def _points(found: PolicyDiff) -> Iterator[str]:
    points = list(dict.fromkeys(name for engine in found.engines.values() for name in engine.points))
    yield f"| | all | {' | '.join(points)} |"
    yield f"|---|---|{'---|' * len(points)}"
    for name, engine in found.engines.items():
        verdicts = [engine.points[point].verdict.value if point in engine.points else "" for point in points]
        yield f"| {cell(name)} | **{engine.verdict}** | {' | '.join(verdicts)} |"


def _folded(summary: str, lines: Iterable[str] | Sequence[str]) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{summary}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def cell(text: str) -> str:
    """Text of a policy that means nothing to Markdown but itself; code stays code."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        parts = ["'".join(parts)]
    return "`".join(part.replace("|", "\\|") if number % 2 else _plain(part) for number, part in enumerate(parts))


def _plain(text: str) -> str:
    return "".join(f"\\{char}" if char in "|\\*_[]<>#~@" else char for char in text)


def html(found: PolicyDiff, title: str) -> str:
    """One page with everything, style included."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only pages pay for it

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(where=where, told=told)
    points = list(dict.fromkeys(name for engine in found.engines.values() for name in engine.points))
    page = made.get_template("diff.html.jinja")
    return page.render(found=found, title=title, verdicts=VERDICTS, points=points)
