"""What a policy means: what follows from it for all inputs, what a change lets happen, whether its tests are any good.

Floor 4. What lives here: questions about guards, answered by proof or by judging. What does not: guards at work.
Modules that load the solver are imported where they are needed, so that what asks nothing pays nothing.
"""
