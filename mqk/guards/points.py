"""Guard points and what can come of judging there: the places where the engine asks, and the ladders of outcomes.

What lives here: names and severities. What does not: rules, facts, decisions.
"""

from __future__ import annotations

from enum import StrEnum


class Point(StrEnum):
    """Where a rule is judged."""

    ORDER = "order"
    ACCOUNT = "account"
    BAR = "bar"
    FEED = "feed"
    TRANSITION = "transition"
    DIFFERENCE = "difference"
    CANDIDATE = "candidate"


class Result(StrEnum):
    """What one rule says. ERROR blocks exactly like BREACH."""

    PASS = "PASS"  # noqa: S105 - not a password
    BREACH = "BREACH"
    ERROR = "ERROR"


class Enforcement(StrEnum):
    """How much a rule may do: shadow only reports, warn never blocks, block does what the rule says."""

    SHADOW = "shadow"
    WARN = "warn"
    BLOCK = "block"


ALLOW = "allow"
WARN = "warn"

# From mildest to most severe; the most severe outcome of all rules at a point wins.
LADDERS: dict[Point, tuple[str, ...]] = {
    Point.ORDER: (ALLOW, WARN, "deny"),
    Point.ACCOUNT: (ALLOW, WARN, "reduce_only", "halt", "flatten", "disarm"),
    Point.BAR: (ALLOW, WARN, "reject", "halt", "disarm"),
    Point.FEED: (ALLOW, WARN, "halt", "disarm"),
    Point.TRANSITION: (ALLOW, WARN, "refuse"),
    Point.DIFFERENCE: (ALLOW, "note", WARN, "halt", "disarm"),
    Point.CANDIDATE: (ALLOW, WARN, "fail"),
}

# What the engine may still do once an outcome holds; mildest first.
POSTURES = ("NORMAL", "REDUCE_ONLY", "HALTED", "FLATTENING", "DISARMED")
POSTURE_OF = {"reduce_only": "REDUCE_ONLY", "halt": "HALTED", "flatten": "FLATTENING", "disarm": "DISARMED"}


def most_severe(point: Point, outcomes: list[str]) -> str:
    """The outcome that wins at a point; `allow` when there is none."""
    ladder = LADDERS[point]
    return max(outcomes, key=ladder.index, default=ALLOW)


def worst_posture(postures: list[str]) -> str:
    """The posture that wins; `NORMAL` when there is none."""
    return max(postures, key=POSTURES.index, default=POSTURES[0])
