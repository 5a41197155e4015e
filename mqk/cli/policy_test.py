"""`mqk policy test`: the cases of `kind: test` documents, their coverage, boundary cases made for them, and mutants.

What lives here: the arguments, the report and how it ends. What does not: what a case means (mqk.analysis.testing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from mqk.analysis.testing import (
    BOUNDARIES,
    Bench,
    Coverage,
    Suite,
    Tally,
    Verdict,
    boundary_cases,
    measure,
    needed,
    read_suites,
    run_suites,
    survivors,
    write_documents,
)
from mqk.cli.bound import policies_at
from mqk.cli.exits import Exit, Failure
from mqk.cli.options import Format, FormatOption, PathsArgument, day
from mqk.cli.output import in_color, note, print_json, say
from mqk.policy import Diagnostic, PolicyError, PolicySet, in_order, load_policies, render_text
from mqk.policy.formatting import format_bytes
from mqk.quantity import QuantityError, format_ratio, parse_ratio

_INDENT = " " * 4


def _share(text: str) -> Fraction:
    try:
        return parse_ratio(text).value
    except QuantityError as fault:
        raise typer.BadParameter(fault.message if fault.help is None else f"{fault.message}: {fault.help}") from fault


def run(
    paths: PathsArgument = None,
    *,
    engine: Annotated[str | None, typer.Option("--engine", metavar="ID", help="Test this engine alone.")] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Make the boundary cases of every rule, run them, and print them.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="With --generate: write them beside the rules.")] = False,
    brief: Annotated[
        bool,
        typer.Option("--brief", help="With --generate: only cases that cover or notice what no other test does."),
    ] = False,
    mutate: Annotated[
        bool, typer.Option("--mutate", help="Make one mistake after another in the policies; list those no case sees.")
    ] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List every rule that no case makes pass, breach or err.")
    ] = False,
    min_coverage: Annotated[
        Fraction | None,
        typer.Option("--min-coverage", metavar="RATIO", parser=_share, help="Fail below it: `100%`."),
    ] = None,
    as_of: Annotated[
        date | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            parser=day,
            help="The day whose rules count, where a test names none.",
            show_default="the latest of everything",
        ),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Run the test cases of policies. Exit 1 when a case fails, coverage is too low or a mutant survives."""
    policies = load_policies(paths or [policies_at(None)])
    if policies.errors:
        raise PolicyError(policies.errors)
    bench = Bench(policies, as_of)
    if (write or brief) and not generate:
        option = "--write" if write else "--brief"
        raise Failure(f"`{option}` is about what `--generate` makes", "add `--generate`")
    if generate:
        _generate(bench, engine, write=write, brief=brief)
        return
    report = _run(policies, bench, engine, mutate=mutate)
    if format_ is Format.JSON:
        print_json(report.to_json())
    else:
        _say(report, coverage=coverage, min_coverage=min_coverage)
    raise typer.Exit(Exit.DONE if report.good(min_coverage) else Exit.FINDING)


@dataclass(frozen=True, slots=True)
class _Report:
    """Everything a run found."""

    policies: PolicySet
    suites: Sequence[Suite]
    faults: Sequence[Diagnostic]
    verdicts: Sequence[Verdict]
    coverage: Coverage
    tallies: Sequence[Tally] | None

    @property
    def failures(self) -> list[Verdict]:
        """The cases that did not pass."""
        return [each for each in self.verdicts if not each.passed]

    def good(self, min_coverage: Fraction | None) -> bool:
        """Whether the command ends well: a run without a case proves nothing, and is no pass."""
        enough = min_coverage is None or self.coverage.share >= min_coverage
        left = any(tally.survivors for tally in self.tallies or ())
        return bool(self.verdicts) and not self.faults and not self.failures and enough and not left

    def to_json(self) -> dict[str, Any]:
        """The report for programs."""
        tallies = self.tallies or ()
        return {
            "cases": len(self.verdicts),
            "passed": sum(each.passed for each in self.verdicts),
            "faults": [each.to_json() for each in in_order(self.faults)],
            "failures": [
                {
                    "suite": each.suite.id,
                    "case": each.case.name,
                    "engine": each.engine,
                    "file": each.case.span.file,
                    "line": each.case.span.line,
                    "expected": each.case.expect,
                    "actual": each.answer.outcome,
                    "differences": list(each.differences),
                }
                for each in self.failures
            ],
            "coverage": {
                "cells": len(self.coverage.cells),
                "covered": len(self.coverage.cells) - len(self.coverage.uncovered),
                "uncovered": [
                    {"rule": each.rule, "result": each.result.value, "file": each.span.file, "line": each.span.line}
                    for each in self.coverage.uncovered
                ],
            },
            "mutants": None
            if self.tallies is None
            else {
                "total": sum(each.total for each in tallies),
                "killed": sum(each.killed for each in tallies),
                "unusable": sum(each.unusable for each in tallies),
                "equivalent": sum(each.equivalent for each in tallies),
                "survivors": [
                    {
                        "engine": left.engine,
                        "what": left.mutant.what,
                        "file": left.mutant.place.file,
                        "line": left.mutant.place.line,
                    }
                    for tally in tallies
                    for left in tally.survivors
                ],
            },
        }


def _run(policies: PolicySet, bench: Bench, engine: str | None, *, mutate: bool) -> _Report:
    suites, faults = read_suites(policies, bench, engine=engine)
    verdicts = run_suites(suites, bench, engine=engine)
    covered = measure(policies, bench, verdicts, engine=engine)
    tallies = survivors(verdicts, bench) if mutate else None
    return _Report(policies, suites, in_order(faults), verdicts, covered, tallies)


def _say(report: _Report, *, coverage: bool, min_coverage: Fraction | None) -> None:
    if report.faults:
        say(render_text(report.faults, report.policies.sources, color=in_color()))
    for each in report.failures:
        say(f"{each.case.span.file}:{each.case.span.line}: {each.engine}: {each.case.name}: failed")
        say(*(f"{_INDENT}{line}" for difference in each.differences for line in difference.splitlines()))
    uncovered = report.coverage.uncovered
    if coverage or min_coverage is not None:
        say(*(str(cell) for cell in uncovered))
    for tally in report.tallies or ():
        say(*(f"{left}: no case sees it" for left in tally.survivors))
    say(*_summary(report, min_coverage))


def _summary(report: _Report, min_coverage: Fraction | None) -> list[str]:
    passed = len(report.verdicts) - len(report.failures)
    suites = f"{len(report.suites)} test document{'s' * (len(report.suites) != 1)}"
    lines = [f"{passed} of {len(report.verdicts)} cases passed, in {suites}"]
    if not report.verdicts:
        lines.append("no case was run: write test documents, or make some by `--generate --write`")
    covered = len(report.coverage.cells) - len(report.coverage.uncovered)
    least = (
        "" if min_coverage is None or report.coverage.share >= min_coverage else f", below {format_ratio(min_coverage)}"
    )
    lines.append(
        f"coverage {_percent(report.coverage.share)}: {covered} of {len(report.coverage.cells)} "
        f"(every rule passing, in breach and in error){least}"
    )
    if report.tallies is not None:
        made, left = report.tallies, sum(len(each.survivors) for each in report.tallies)
        lines.append(
            f"{sum(each.killed for each in made)} of {sum(each.total for each in made)} mutants killed, "
            f"{sum(each.unusable for each in made)} do not compile, "
            f"{sum(each.equivalent for each in made)} are proven to change nothing, {left} survive"
        )
    return lines


def _percent(share: Fraction) -> str:
    """Rounded down, so that 100% is said of nothing less."""
    return format_ratio(Fraction(int(share * 1000), 1000))


def _generate(bench: Bench, engine: str | None, *, write: bool, brief: bool) -> None:
    """Make the boundary cases of engines; print them, or write each document beside its rules."""
    verdicts = _others(bench) if brief else []
    for name in bench.engines if engine is None else (engine,):
        subject = bench.subject(name)
        made = boundary_cases(subject)
        cases = needed(subject, made.cases, verdicts, bench) if brief else made.cases
        for file, written in write_documents(subject, cases).items():
            text = format_bytes(written.encode(), file).after
            if write:
                path = Path(file)
                changed = not path.is_file() or path.read_text("utf-8") != text
                if changed:
                    path.write_text(text, "utf-8")
                say(f"{file}: {'written' if changed else 'unchanged'}")
            else:
                say(f"# {file}", text)
        for rule, said in made.unreached:
            note(f"{name}: no single change makes {rule} {said.value}")


def _others(bench: Bench) -> list[Verdict]:
    """What comes of the cases that people wrote: those that were made are made anew."""
    suites, faults = read_suites(bench.policies, bench)
    if faults:
        raise PolicyError(in_order(faults))
    return run_suites([suite for suite in suites if not suite.file.endswith(BOUNDARIES)], bench)
