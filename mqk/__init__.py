"""mqk turns a trading desk's risk rules into reviewed, typed YAML and enforces them in backtests, paper and live runs.

This module holds the version only; each package below it is imported by its own name (mqk.quantity, mqk.policy, ...).
"""

__version__ = "0.1.0"
