"""The General Decimal Arithmetic vectors hold in the policy language, which rounds nothing.

Where a vector's result was rounded, ours is exact, and the vector says how near and on which side theirs must lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

import pytest

from tests.numbers.extract import FOLDER, OPERATIONS, TABLE, Vector, table, vectors
from tests.numbers.judged import compiled, interpreted

_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}


def number(text: str) -> str:
    """A number as the language writes it: no sign in a literal, and decimals, since whole ones are of 64 bits."""
    digits = text.lstrip("-")
    digits = digits if "." in digits else f"{digits}.0"
    return f"(-{digits})" if text.startswith("-") else digits


def near(exact: str, vector: Vector, unit: str = "") -> str:
    """That a vector's result is the rounding of an exact value; `unit` makes both sides of one type."""
    result, step = f"({number(vector.result)}{unit})", f"({number(vector.step)}{unit})"
    if vector.exact:
        return f"{exact} == {result}"
    distance = f"abs({exact} - {result})"
    match vector.rounding:
        case "half_up" | "half_even" | "half_down":
            return f"{distance} * 2 <= {step}"
        case "down":
            return f"{distance} < {step} and abs({result}) <= abs({exact})"
        case "up":
            return f"{distance} < {step} and abs({result}) >= abs({exact})"
        case "floor":
            return f"{distance} < {step} and {result} <= {exact}"
        case "ceiling":
            return f"{distance} < {step} and {result} >= {exact}"
        case other:
            raise AssertionError(f"rounding {other}")


def condition(vector: Vector) -> str:
    """What a vector claims, as a condition of a policy."""
    a, b = number(vector.a), number(vector.b)
    match vector.operation:
        case "compare":
            return f"{a} {dict(zip(('-1', '0', '1'), '<=>', strict=True))[vector.result].replace('=', '==')} {b}"
        case "quantize":
            return near(a, vector)
        case "divide":
            return near(f"({a} / {b})", vector, " / 1") if vector.result else f"{a} / {b} == 1 / 1"
        case operation:
            return near(f"({a} {_SIGNS[operation]} {b})", vector)


def batches(of: list[Vector], size: int = 50) -> Iterator[list[Vector]]:
    every = iter(of)
    while batch := list(islice(every, size)):
        yield batch


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_vector_holds_in_the_interpreter_and_in_generated_code(operation: str) -> None:
    chosen = [vector for vector in vectors() if vector.operation == operation]
    assert len(chosen) >= 150
    for batch in batches(chosen):
        conditions = [condition(vector) for vector in batch]
        # A division by zero is an error, and an error is no pass.
        expected = [True if vector.result else None for vector in batch]
        assert dict(zip(conditions, interpreted(conditions), strict=True)) == dict(
            zip(conditions, expected, strict=True)
        )
        assert compiled(conditions) == [answer is True for answer in expected]


def test_a_result_one_step_away_is_never_taken_for_the_exact_one() -> None:
    for vector in vectors():
        if vector.exact and vector.operation in ("add", "subtract", "multiply"):
            off = str(format(Decimal(vector.result) + Decimal(vector.step), "f"))
            wrong = near(
                f"({number(vector.a)} {_SIGNS[vector.operation]} {number(vector.b)})",
                Vector(**{**vars(vector), "result": off}),
            )
            assert interpreted([wrong]) == [False], wrong


@pytest.mark.skipif(not FOLDER.is_dir(), reason="this interpreter comes without its own test data")
def test_the_table_is_what_the_interpreter_ships() -> None:
    """Another release may have added vectors; none of ours may have changed."""
    assert not set(TABLE.read_text("utf-8").splitlines()) - set(table().splitlines())
