"""Guards: policies compiled into something that says yes or no, and why (floor 3).

What lives here: the facts catalogue, guard points, compiled guards, decisions, latches and state machines.
What does not: how policies are written (mqk.policy) and what is done about a decision (mqk.engine, mqk.runtime).
"""

from mqk.guards.catalogue import facts_at, points_of
from mqk.guards.compile import GuardSet, compile_bundle
from mqk.guards.decision import Decision, Finding
from mqk.guards.facts import FactsError, Moment, canonical_name, read_facts
from mqk.guards.guard import Guard, GuardRule, WindowSpec
from mqk.guards.latches import Latch, LatchBook
from mqk.guards.machine import Edge, Machine, Verdict
from mqk.guards.points import LADDERS, Enforcement, Point, Result

__all__ = [
    "LADDERS",
    "Decision",
    "Edge",
    "Enforcement",
    "FactsError",
    "Finding",
    "Guard",
    "GuardRule",
    "GuardSet",
    "Latch",
    "LatchBook",
    "Machine",
    "Moment",
    "Point",
    "Result",
    "Verdict",
    "WindowSpec",
    "canonical_name",
    "compile_bundle",
    "facts_at",
    "points_of",
    "read_facts",
]
