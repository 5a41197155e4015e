"""The pages of an assessment: Markdown, one HTML file that prints well, JSON. All are made from the same document.

What lives here: filling the templates beside this file. What does not: what is in the document (mqk.analysis.assess).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES: Final = Path(__file__).with_name("assess_templates")
_STATUS: Final = {
    "answered": "answered",
    "people": "answered, people's part aside",
    "look": "to be looked at",
    "gap": "with a gap",
}
_VERDICTS: Final = {"PROVED": "proven", "REFUTED": "WRONG", "UNDECIDED": "not decided"}


def json_text(document: Mapping[str, Any]) -> str:
    """The document itself."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def markdown(document: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    return _page("assessment.md.jinja", document, escape=False)


def html(document: Mapping[str, Any]) -> str:
    """The report as one HTML file that needs nothing else, with a style for print."""
    return _page("assessment.html.jinja", document, escape=True)


def one_line(document: Mapping[str, Any]) -> str:
    """The result in a line."""
    counts = document["summary"]["obligations"]
    told = ", ".join(f"{counts[status]} {word}" for status, word in _STATUS.items() if counts[status])
    return f"{sum(counts.values())} obligations: {told}"


def _page(template: str, document: Mapping[str, Any], *, escape: bool) -> str:
    return _environment(escape=escape).get_template(template).render(document, one_line=one_line(document))


def _environment(*, escape: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only pages pay for it

    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=escape,  # noqa: S701 - Markdown has a filter of its own, `cell`
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(cell=_cell, status=_STATUS.__getitem__, verdict=_verdict, counted=_counted, place=_place)
    made.filters.update(ticked=_ticked, limits=limits, levels=levels, tests=tests, fired=fired, proofs=proofs)
    return made


def _cell(text: object) -> str:
    """Text that stands in a line of Markdown or in a cell of its tables, and means nothing but itself and its code."""
    plain, *rest = " ".join(str(text).split()).split("`")
    if len(rest) % 2:  # a back-quote without another one
        return _escaped(" ".join(str(text).split()))
    code = (part.replace("|", r"\|") for part in rest[::2])
    pairs = zip(code, map(_escaped, rest[1::2]), strict=True)
    shown = (f"`{inside}`{behind}" for inside, behind in pairs)
    return _escaped(plain) + "".join(shown)


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "|\\`*_[]<>" else char for char in text)


def _ticked(text: str) -> Markup:
    """Text for HTML, with what stands between back-quotes as code."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - only pages pay for it

    parts = text.split("`")
    shown = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    ]
    return Markup("").join(shown)


def _verdict(word: str) -> str:
    return _VERDICTS.get(word, word)


def _counted(number: int) -> str:
    return f"{number:,}"


def _place(value: Mapping[str, Any]) -> str:
    return "" if value.get("file") is None else f"{value['file']}:{value['line']}"


def limits(control: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The limits of a control: each value once, with its place and the engines that have it (none named: all)."""
    every = [each["engine"] for each in control["engines"]]
    found: dict[tuple[str, str, str], list[str]] = {}
    for standing in control["engines"]:
        for limit in standing["limits"]:
            found.setdefault((limit["name"], limit["value"], _place(limit)), []).append(standing["engine"])
    return [
        {"name": name.removeprefix("limits."), "value": value, "place": place, "engines": _unless(engines, every)}
        for (name, value, place), engines in sorted(found.items())
    ]


def levels(control: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a control does at which point, and how strictly: each once, with the engines."""
    every = [each["engine"] for each in control["engines"]]
    found: dict[tuple[str, str, str], list[str]] = {}
    for each in control["engines"]:
        found.setdefault((each["at"], each["otherwise"], each["enforce"]), []).append(each["engine"])
    return [
        {"at": at, "otherwise": otherwise, "enforce": enforce, "engines": _unless(engines, every)}
        for (at, otherwise, enforce), engines in found.items()
    ]


def tests(control: Mapping[str, Any]) -> dict[str, int]:
    """The cases about a control, those of all engines together."""
    return {
        what: sum(each["tests"][what] for each in control["engines"]) for what in ("pass", "breach", "error", "failing")
    }


def fired(control: Mapping[str, Any]) -> dict[str, Any]:
    """How often a control fired for all engines together, errors among it, when last, in which decision."""
    told = [each for each in control["engines"] if each["fired"] is not None]
    last = max(told, key=lambda each: str(each["last_fired"]), default=None)
    return {
        "times": sum(each["fired"] for each in told),
        "errors": sum(each["errors"] for each in told),
        "shadowed": sum(each["shadowed"] for each in told),
        "last": None if last is None else last["last_fired"],
        "decision": None if last is None else last["last_decision"],
        "recorded": any(each["recorded"] for each in control["engines"]),
    }


def _unless(engines: list[str], every: list[str]) -> list[str]:
    return [] if engines == every else engines


def proofs(claims: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Claims, those of several engines once: the id, the title, and the verdict of each engine."""
    found: dict[str, dict[str, Any]] = {}
    for each in claims:
        known = found.setdefault(each["id"], {**each, "verdicts": []})
        known["verdicts"].append((each["engine"], each["verdict"]))
    return list(found.values())
