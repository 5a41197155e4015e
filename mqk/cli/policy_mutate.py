"""`mqk policy mutate`: small mistakes in policies that neither tests nor recorded decisions would notice.

What lives here: the arguments and the report. What does not: which mistakes there are and what they change
(mqk.analysis.testing, mqk.analysis.history).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from mqk.analysis.testing import Bench, read_suites, run_suites, survivors
from mqk.cli import policy_test
from mqk.cli.bound import policies_at
from mqk.cli.exits import Exit
from mqk.cli.history_source import (
    BackendOption,
    MaybeDecisionsOption,
    Reckoner,
    ReportFormat,
    ReportOption,
    compiled,
    history,
    report,
)
from mqk.cli.options import DATA_DIR, DataDirOption, MaybeAsOfOption, PathsArgument, today
from mqk.cli.output import print_json
from mqk.cli.policy_coverage import of_tests
from mqk.cli.sections import Section
from mqk.policy import load_policies

if TYPE_CHECKING:
    from mqk.analysis.history.mutation import Noticed
    from mqk.analysis.testing import Tally
    from mqk.analysis.testing.mutants import Mutant


def run(
    paths: PathsArgument = None,
    *,
    decisions: MaybeDecisionsOption = None,
    engine: BackendOption = Reckoner.DUCKDB,
    data_dir: DataDirOption = DATA_DIR,
    as_of: MaybeAsOfOption = None,
    format_: ReportOption = ReportFormat.TEXT,
) -> None:
    """List mistakes in policies that no test, and with `--decisions` no recorded decision, notices. Exit 1 if any."""
    if decisions is None:
        policy_test.run(paths, mutate=True, as_of=as_of, format_=of_tests(format_))
        return
    from mqk.analysis.history.judging import engines_in  # noqa: PLC0415 - loads Ibis
    from mqk.analysis.history.mutation import measure_mutants  # noqa: PLC0415 - loads Ibis

    policies = load_policies(paths or [policies_at(None)])
    guards = compiled(policies, as_of or today())
    with history(decisions, data_dir, engine) as (backend, parts):
        recorded = engines_in(backend, parts)
        found = [measure_mutants(backend, parts, name, set_) for name, set_ in guards.items() if name in recorded]
    bench = Bench(policies, as_of)
    suites, _ = read_suites(policies, bench)
    verdicts = [each for each in run_suites(suites, bench) if each.engine in recorded]
    seen = {_key(mutant) for each in found for mutant in each.noticed}
    tallies = survivors(verdicts, bench, lambda mutant: _key(mutant) not in seen)
    left = [str(survivor) for tally in tallies for survivor in tally.survivors]
    if format_ is ReportFormat.JSON:
        print_json(_counts(found, tallies, left))
    else:
        title = f"mutants held against the decisions of {decisions} and the tests"
        report(_sections(title, found, tallies, left), title, format_)
    raise typer.Exit(Exit.FINDING if left else Exit.DONE)


def _key(mutant: Mutant) -> tuple[str, str]:
    return str(mutant.place), mutant.what


def _counts(found: list[Noticed], tallies: list[Tally], left: list[str]) -> dict[str, object]:
    """The report for programs."""
    return {
        "engines": {
            each.engine: {"mutants": len(each.mutants), "noticed_by_history": len(each.noticed)} for each in found
        },
        "noticed_by_tests_alone": sum(tally.killed for tally in tallies),
        "equivalent": sum(tally.equivalent for tally in tallies),
        "survivors": left,
    }


def _sections(title: str, found: list[Noticed], tallies: list[Tally], left: list[str]) -> list[Section]:
    rows = [(each.engine, f"{len(each.mutants):,}", f"{len(each.noticed):,}") for each in found]
    killed, same = sum(tally.killed for tally in tallies), sum(tally.equivalent for tally in tallies)
    lines = [f"of the others, tests notice {killed:,}; {same:,} are proven to change nothing; {len(left):,} survive"]
    made = [Section(title, ("engine", "mutants", "noticed by history"), rows, (1, 2), lines)]
    if left:
        made.append(Section("noticed by neither", (), [(each,) for each in left]))
    return made
