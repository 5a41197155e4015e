"""What the kernel's functions are provided with when they are compiled: facts in the buffer, and the guards.

What lives here: their names and kinds, so that they can be checked; none is ever called as it stands. What does not:
their code (compiled.py).
"""

from __future__ import annotations

from typing import NoReturn

from mqk.engine.kernel.places import Ints


def _only_compiled(name: str) -> NoReturn:
    raise AssertionError(f"`{name}` is there in compiled code only")


def show(f: Ints, name: str, value: int) -> None:  # noqa: ARG001 - the compiler reads it
    """Put a fact into the buffer, where a rule reads it."""
    _only_compiled(name)


def show_given(f: Ints, name: str, given: int, value: int) -> None:  # noqa: ARG001 - the compiler reads it
    """Put a fact that may be missing into the buffer, where a rule reads it."""
    _only_compiled(name)


def show_element(f: Ints, collection: str, number: int, field: str, value: int) -> None:  # noqa: ARG001 - the compiler reads it
    """Put a field of an element into the buffer."""
    _only_compiled(collection)


def given(f: Ints, collection: str, number: int, field: str, present: int) -> None:  # noqa: ARG001 - the compiler reads it
    """Say whether a field of an element is there."""
    _only_compiled(collection)


def show_count(f: Ints, collection: str, count: int) -> None:  # noqa: ARG001 - the compiler reads it
    """Say how many elements a collection has."""
    _only_compiled(collection)


def reads(*names: str) -> bool:
    """Whether any rule reads one of these facts or collections."""
    _only_compiled(", ".join(names))


def guard(point: str, facts: Ints, answer: Ints) -> int:  # noqa: ARG001 - likewise
    """Judge all rules of a point: 0 when all pass, 1 when some do not, 2 when that is not decided."""
    _only_compiled(point)


def settles() -> bool:
    """Whether the rules of the account allow a box in which all of them are known to pass."""
    _only_compiled("settles")


def scans() -> bool:
    """Whether the rules of bars ask for nothing that a bar and the one before it do not tell."""
    _only_compiled("scans")


def plain(*told: int) -> int:
    """Whether a bar that follows another passes every rule of bars: what `guard` would say, without a buffer.

    It is told its symbol, open, high, low, close, volume and end, and the end and the close of the one before it.
    """
    _only_compiled(f"plain({told})")


def broken(answer: Ints) -> int:  # noqa: ARG001 - the compiler reads it
    """The rules that the last judgement found broken, a bit each."""
    _only_compiled("broken")


def errors(answer: Ints) -> int:  # noqa: ARG001 - the compiler reads it
    """The rules that were errors in the last judgement, a bit each."""
    _only_compiled("errors")


def denies() -> int:
    """The rules of orders that deny, a bit each."""
    _only_compiled("denies")


def side_word(buying: int) -> int:  # noqa: ARG001 - the compiler reads it
    """The id of the word for a side."""
    _only_compiled("side_word")
