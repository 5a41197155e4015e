"""How values cross the border of the database: instants, JSON, hashes.

Exactly, in both directions. No tables here, and no clock: every instant is given by the caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import rfc8785
from sqlalchemy import TIMESTAMP
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

from mqk.store.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MICRO: Final = timedelta(microseconds=1)

NUMBERS_HELP: Final = "write it as an integer in its smallest unit, or as text"


def instant(micros: int) -> datetime:
    """The aware datetime of an instant in epoch microseconds, exactly.

    Raises StoreError `range` outside the years 1 to 9999.
    """
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError as error:
        raise StoreError("range", f"the instant `{micros}` lies outside the years 1 to 9999") from error


def micros_of(moment: datetime) -> int:
    """The epoch microseconds of an aware datetime, exactly. Raises StoreError `zone` when it has no time zone."""
    if moment.tzinfo is None:
        raise StoreError("zone", f"the time `{moment.isoformat()}` has no time zone")
    return (moment - EPOCH) // ONE_MICRO


class EpochMicros(TypeDecorator[int]):
    """A `timestamptz` that Python sees as epoch microseconds. Both have microsecond precision, so nothing is lost."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else instant(value)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros_of(value)


def canonical_json(value: Any) -> str:
    """The RFC 8785 form of `value`: what the store hashes, and what it writes as JSON.

    Raises StoreError `json` for floats, for integers beyond 2**53 and for what JSON cannot say: a record that
    reads back differently from how it was written proves nothing.
    """
    _refuse_floats(value, "$")
    try:
        return rfc8785.dumps(value).decode()
    except rfc8785.CanonicalizationError as error:
        raise StoreError("json", f"cannot be stored as JSON: {error}", NUMBERS_HELP) from error


def sha256(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse_floats(value: Any, where: str) -> None:
    if isinstance(value, float):
        raise StoreError("json", f"a float is not stored: `{value!r}` at `{where}`", NUMBERS_HELP)
    if isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_floats(item, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _refuse_floats(item, f"{where}[{index}]")
