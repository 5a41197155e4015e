"""The command line of mqk (floor 10): one module per command group, each loaded only when it is used.

What lives here: reading arguments, calling the packages below, and showing what they say. What does not: any decision.
"""
