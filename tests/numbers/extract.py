"""The General Decimal Arithmetic vectors that CPython ships, as a table: `python -m tests.numbers.extract` writes it.

What lives here: from the interpreter's own test data to `decimal_vectors.csv`, so that the suite runs where an
interpreter comes without its tests. Left out: operands that are no finite numbers, numbers of more than 40 digits when
written out, and results that are traps of a limited format (overflow, underflow, clamping), which exact numbers have
not.
"""

from __future__ import annotations

import csv
import io
import re
import sysconfig
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("decimal_vectors.csv")
FOLDER: Final = Path(sysconfig.get_path("stdlib")) / "test" / "decimaltestdata"
OPERATIONS: Final = ("add", "subtract", "multiply", "divide", "compare", "quantize")
_WIDEST: Final = 40
_CASE: Final = re.compile(r"^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+->\s+(\S+)\s*(.*)$")
_TRAPS: Final = frozenset({"overflow", "underflow", "subnormal", "clamped", "invalid_operation", "division_undefined"})


@dataclass(frozen=True)
class Vector:
    """One vector: operands and result in plain digits; `step` is one in the result's last place.

    `exact` says that nothing was rounded; `rounding` is how, when something was. The result of a division by zero is
    empty.
    """

    id: str
    operation: str
    a: str
    b: str
    result: str
    step: str
    exact: bool
    rounding: str


def vectors() -> list[Vector]:
    """The table as committed."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [Vector(**{**row, "exact": row["exact"] == "True"}) for row in csv.DictReader(file)]


def table(folder: Path = FOLDER) -> str:
    """The table as this interpreter's own files give it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Vector))
    for operation in OPERATIONS:
        writer.writerows(astuple(vector) for vector in _read(folder / f"{operation}.decTest"))
    return text.getvalue()


def _read(file: Path) -> Iterator[Vector]:
    rounding = "half_even"
    for line in file.read_text("utf-8").splitlines():
        text = line.partition("--")[0].strip()
        directive = re.match(r"(?i)rounding:\s*(\S+)", text)
        if directive:
            rounding = directive[1].lower()
        case = _CASE.match(text)
        if case is None or case[2] not in OPERATIONS:
            continue
        name, operation, a, b, result, conditions = case.groups()
        raised = frozenset(conditions.lower().split())
        if raised & _TRAPS:
            continue
        numbers = [_plain(each) for each in (a, b)]
        if None in numbers:
            continue
        if "division_by_zero" in raised:
            yield Vector(name, operation, str(numbers[0]), str(numbers[1]), "", "", False, rounding)
            continue
        value = _plain(result)
        if value is not None:
            step = _plain(f"1E{_decimal(result).as_tuple().exponent}")
            assert step is not None
            yield Vector(name, operation, *map(str, numbers), value, step, "inexact" not in raised, rounding)


def _decimal(text: str) -> Decimal:
    return Decimal(text.strip("'\""))


def _plain(text: str) -> str | None:
    """A finite number written out without an exponent; None for anything else, or for too many digits."""
    try:
        value = _decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or len(value.as_tuple().digits) + abs(int(value.as_tuple().exponent)) > _WIDEST:
        return None
    return format(value, "f")


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
