"""Did you mean: the known word that a mistyped one most likely stands for.

Only the comparison of words; what to say about it is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher


def closest(word: str, known: Iterable[str], *, steps: int | None = None) -> str | None:
    """The one of `known` that `word` is a slip of, or None when none is near enough to be worth offering.

    A slip is a letter too many, too few, wrong, or two swapped, at most `steps` of them (without it: one for every
    three letters, or a whole word left out); the case of letters and `-` against `_` cost nothing. Among equals the
    more similar spelling wins, then the alphabet.
    """
    wanted = _plain(word)
    if not wanted:
        return None
    # In a word of one or two letters any other word is a slip away.
    allowed = (len(wanted) > 2) * max(1, len(wanted) // 3) if steps is None else steps
    ranked = []
    for candidate in set(known):
        plain = _plain(candidate)
        if abs(len(plain) - len(wanted)) <= allowed:
            distance = _distance(wanted, plain)
            if distance <= allowed and distance < max(len(plain), len(wanted)):
                ranked.append((distance, -SequenceMatcher(None, wanted, plain).ratio(), candidate))
        # `position` for `max_position`: a whole word left out is a slip as well.
        elif steps is None and len(wanted) >= 4 and wanted in plain.split("_"):
            ranked.append((allowed + 1, 0.0, candidate))
    return min(ranked)[2] if ranked else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The help for a mistyped word: the nearest known one, as a question."""
    found = closest(word, known)
    return None if found is None else f"did you mean `{found}`?"


def _plain(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


def _distance(left: str, right: str) -> int:
    """Edit distance in which swapping two neighbours is one step (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            steps = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                steps = min(steps, older[j - 2] + 1)
            row.append(steps)
    return row[-1]
