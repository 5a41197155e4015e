"""Recorded decisions judged again: what a change of policies would have done to the history of a desk.

What lives here: reading records, asking all rules of guards about them in one query, and what differs. Decisions are
judged one by one, each at the moment that was recorded: what would have followed from another answer is not played.
"""
