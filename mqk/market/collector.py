"""Python's garbage collector, out of the way while millions of bars are in memory.

Nothing here is about markets; it lives with the code that makes the objects.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Millions of objects that stay alive and form no cycles: looking for some among them would only cost time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
