"""The look-ahead prover: a strategy's decisions, bar by bar, with the later bars there and without them.

What a strategy cannot see it cannot use. It is run in a process that is given the bars little by little, so that for
most of the proof the future is nowhere on the machine that the strategy can reach.
"""

from mqk.backtest.lookahead.proof import Leak, Proof
from mqk.backtest.lookahead.prover import prove, prove_each

__all__ = ["Leak", "Proof", "prove", "prove_each"]
