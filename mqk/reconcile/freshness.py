"""Whether a broker's book is young enough to be compared at all: neither old, nor older than the last, nor of tomorrow.

The moments are given; what the books say is compare.py's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqk.quantity import format_duration, format_instant
from mqk.reconcile.compare import Difference, Kind

if TYPE_CHECKING:
    from mqk.reconcile.book import Book


def freshness(broker: Book, *, now: int, max_age: int, last: int | None = None) -> Difference | None:
    """What is wrong with the age of a broker's book, as a difference; None when nothing is.

    `now` and `last` (the `as_of` of the book accepted before) in epoch microseconds, `max_age` in microseconds. A book
    from the future is refused and must not be kept as `last`, so that it cannot make all later books look old. One as
    old as the last is no news, but no step back either; it ages out by `max_age`.
    """
    if broker.as_of > now:
        return _stale(f"now is {format_instant(now)}", broker)
    if last is not None and broker.as_of < last:
        return _stale(f"the last one was of {format_instant(last)}", broker)
    if now - broker.as_of > max_age:
        return _stale(f"at most {format_duration(max_age)} before {format_instant(now)}", broker)
    return None


def _stale(local: str, broker: Book) -> Difference:
    return Difference(Kind.STALE, "book", local, f"a book of {format_instant(broker.as_of)}")
