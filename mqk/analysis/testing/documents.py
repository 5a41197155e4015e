"""Boundary cases as test documents: one for every document of rules, in words that never change by themselves.

What lives here: the writing of YAML that the loader takes and `mqk policy fmt` leaves alone. What does not: the cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from mqk.analysis.testing.boundaries import Boundary
from mqk.analysis.testing.subjects import Subject
from mqk.guards import Result

# How the names of files of boundary cases end.
BOUNDARIES = ".boundaries.test.yaml"
_HEAD = (
    "# yaml-language-server: $schema=../../schemas/test.schema.json\n"
    "# Made by `mqk policy test --generate --write`: change the rules and make it again, rather than changing it."
)


def write_documents(subject: Subject, cases: Iterable[Boundary], owner: str = "tests") -> dict[str, str]:
    """The test documents of an engine's boundary cases: the text of each by the file it belongs in.

    Cases stand beside the rules they are for, in a file named after the rules' own and the engine.
    """
    by_file: dict[str, list[Boundary]] = {}
    for case in cases:
        by_file.setdefault(subject.rules[case.rule].span.file, []).append(case)
    return {
        str(_beside(file, subject.engine)): write_document(subject, file, chosen, owner)
        for file, chosen in sorted(by_file.items())
    }


def write_document(subject: Subject, file: str, cases: Sequence[Boundary], owner: str = "tests") -> str:
    """One test document: the boundary cases of the rules of one file."""
    engine = subject.engine
    stem = PurePosixPath(file).stem
    lines = [
        _HEAD,
        "kind: test",
        f"id: {stem}_boundaries_{engine.lower()}",
        f"title: Boundaries of {stem} for {engine}",
        f"owner: {owner}",
        f"engine: {engine}",
    ]
    if subject.bundle.as_of is not None:
        lines.append(f"as_of: {subject.bundle.as_of.isoformat()}")
    lines += ["", "cases:"]
    lines += [f"  - {_case(case)}" for case in cases]
    return "\n".join(lines) + "\n"


def _beside(file: str, engine: str) -> PurePosixPath:
    path = PurePosixPath(file)
    return path.with_name(f"{path.stem}.{engine.lower()}{BOUNDARIES}")


def _case(case: Boundary) -> str:
    """A case on one line."""
    parts = [f'name: "{case.name}"', f"at: {case.at.value}"]
    if case.given:
        parts.append(f"given: {_mapping(case.given)}")
    if case.missing:
        parts.append(f"missing: {_list(case.missing)}")
    if case.unreadable:
        parts.append(f"unreadable: {_list(case.unreadable)}")
    if case.stale:
        parts.append(f"stale: {_list(case.stale)}")
    parts.append(f"expect: {case.expect}")
    if case.by:
        parts.append(f"by: {case.by[0] if len(case.by) == 1 else _list(case.by)}")
    if case.result is Result.ERROR:
        parts.append("result: error")
    return "{" + ", ".join(parts) + "}"


def _mapping(given: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_key(name)}: {text}" for name, text in given.items()) + "}"


def _key(name: str) -> str:
    return f'"{name}"' if "," in name else name


def _list(names: Iterable[str]) -> str:
    return "[" + ", ".join(names) + "]"
