"""What a change of policies means: directions proven both ways, each with a decision that comes out otherwise.

What lives here: `compare`, and the records it comes to. What does not: reading policies, printing.
"""

from mqk.analysis.diff.compare import BUDGET, compare
from mqk.analysis.diff.results import (
    Change,
    Direction,
    EngineDiff,
    Judgement,
    PointDiff,
    PolicyDiff,
    ShownWitness,
    joined,
)

__all__ = [
    "BUDGET",
    "Change",
    "Direction",
    "EngineDiff",
    "Judgement",
    "PointDiff",
    "PolicyDiff",
    "ShownWitness",
    "compare",
    "joined",
]
