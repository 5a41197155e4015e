"""The value of a fact that is not there: any use of it raises, so that compiled code pays nothing to check for it."""

from __future__ import annotations

from typing import Any, NoReturn, final


class MissingFact(Exception):
    """A missing fact was used. Compiled guards answer by asking the reference interpreter what is wrong."""


@final
class Missing:
    """The sentinel for a missing fact. It can be passed around and tested with `is`; nothing else."""

    __slots__ = ()

    def _used(self, *_: object) -> NoReturn:
        raise MissingFact

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __abs__ = _used
    __lt__ = __le__ = __gt__ = __ge__ = __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _used
    __eq__ = __ne__ = __hash__ = __bool__ = __int__ = __index__ = __float__ = _used

    def __getattr__(self, name: str) -> NoReturn:
        raise MissingFact

    def __repr__(self) -> str:
        return "MISSING"


# Typed Any because it stands wherever a value may: `is` is the only thing that may be asked of it.
MISSING: Any = Missing()
