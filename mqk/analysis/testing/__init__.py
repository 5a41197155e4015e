"""Tests of policies: running them, what they leave uncovered, boundary cases made for them, mutants they should kill.

What lives here: `kind: test` documents from cases to verdicts. What does not: what a rule decides (mqk.guards), how a
report looks (mqk.cli).
"""

from mqk.analysis.testing.boundaries import Boundaries, boundary_cases
from mqk.analysis.testing.brief import needed
from mqk.analysis.testing.coverage import Cell, Coverage, measure
from mqk.analysis.testing.documents import BOUNDARIES, write_document, write_documents
from mqk.analysis.testing.mutants import Mutant, mutants
from mqk.analysis.testing.mutation import Survivor, Tally, survivors
from mqk.analysis.testing.running import Verdict, run_case, run_suites
from mqk.analysis.testing.subjects import Bench, Subject
from mqk.analysis.testing.suites import Case, Suite, read_suites

__all__ = [
    "BOUNDARIES",
    "Bench",
    "Boundaries",
    "Case",
    "Cell",
    "Coverage",
    "Mutant",
    "Subject",
    "Suite",
    "Survivor",
    "Tally",
    "Verdict",
    "boundary_cases",
    "measure",
    "mutants",
    "needed",
    "read_suites",
    "run_case",
    "run_suites",
    "survivors",
    "write_document",
    "write_documents",
]
