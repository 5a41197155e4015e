"""How far a decision is from another one: for each rule that decides, the nearest change of one quantity that flips it.

What lives here: the search, on the real guards, and what it finds. What does not: printing.
"""

from mqk.analysis.distance.found import Distance, Flip, RuleDistance
from mqk.analysis.distance.search import distance

__all__ = ["Distance", "Flip", "RuleDistance", "distance"]
