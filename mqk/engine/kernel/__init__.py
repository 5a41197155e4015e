"""The step of an engine as one native loop, for strategies that offer their targets as arrays."""
