"""What can be said about policies without running them, and whether their tests are any good (floor 4).

What lives here: proofs, tests, coverage, mutation. What does not: what a rule decides (mqk.guards).
"""
