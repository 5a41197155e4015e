"""A report of titled tables, written as text, Markdown or HTML. No wording of any command is here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from mqk.cli.output import table

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}"
    "td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table; columns numbered in `right` hold numbers. `lines` are said below it."""

    title: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    right: Sequence[int] = ()
    lines: Sequence[str] = ()


def text_lines(sections: Iterable[Section]) -> list[str]:
    """The sections as plain text."""
    lines: list[str] = []
    for section in sections:
        if lines:
            lines.append("")
        lines.append(section.title)
        head = [section.header] if section.header and section.rows else []
        lines += table([*head, *section.rows], right=section.right)
        lines += [f"  {line}" for line in section.lines]
    return lines


def markdown_lines(sections: Iterable[Section]) -> list[str]:
    """The sections as Markdown, as a pull request shows it."""
    lines: list[str] = []
    for number, section in enumerate(sections):
        lines += [f"{'##' if number == 0 else '###'} {section.title}", ""]
        if section.rows:
            width = max(len(row) for row in section.rows)
            header = list(section.header) or [""] * width
            lines.append("| " + " | ".join(map(_cell, header)) + " |")
            lines.append("|" + "|".join("---:" if i in section.right else "---" for i in range(width)) + "|")
            lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in section.rows]
            lines.append("")
        for line in section.lines:
            lines += [line, ""]
    return lines


def html_page(title: str, sections: Iterable[Section]) -> str:
    """The sections as a page that needs nothing else."""
    parts = [f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>']
    parts.append(f"<style>{_STYLE}</style>")
    for number, section in enumerate(sections):
        level = "h1" if number == 0 else "h2"
        parts.append(f"<{level}>{escape(section.title)}</{level}>")
        if section.rows:
            parts.append("<table>")
            if section.header:
                parts.append(_row("th", section.header, section.right))
            parts += [_row("td", row, section.right) for row in section.rows]
            parts.append("</table>")
        parts += [f"<p>{escape(line)}</p>" for line in section.lines]
    parts.append("</html>")
    return "\n".join(parts) + "\n"


def _row(tag: str, cells: Sequence[str], right: Sequence[int]) -> str:
    written = (
        f'<{tag} class="n">{escape(cell)}</{tag}>' if i in right else f"<{tag}>{escape(cell)}</{tag}>"
        for i, cell in enumerate(cells)
    )
    return f"<tr>{''.join(written)}</tr>"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
