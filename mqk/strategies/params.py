"""A strategy's parameters: declared with kind, default and least value, read from what a policy says.

What lives here: text to exact values, with every problem at once. What does not: what a parameter means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from typing import Final, Literal

from mqk.quantity import QuantityError, parse_count, parse_ratio
from mqk.strategies.errors import StrategyError

ParamKind = Literal["count", "ratio", "number", "bool"]
ParamValue = int | Fraction | bool

_NUMBER: Final = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]{1,6})?")
_WRITTEN: Final[Mapping[str, str]] = {
    "count": "a whole number, such as `50`",
    "ratio": "a ratio, such as `0.5%`",
    "number": "a number, such as `1.8`",
    "bool": "`true` or `false`",
}


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter: its kind, its default as a policy would write it, what it is, and the least it may be."""

    kind: ParamKind
    default: str
    title: str
    least: Fraction | int = 0


def read_params(strategy: str, declared: Mapping[str, Param], given: Mapping[str, str]) -> dict[str, ParamValue]:
    """The values of all declared parameters, defaults included. Raises StrategyError with every problem."""
    problems = []
    for name in given:
        if name not in declared:
            close = get_close_matches(name, declared, n=1, cutoff=0.6)
            known = ", ".join(f"`{each}`" for each in declared) or "none"
            help_ = f"did you mean `{close[0]}`?" if close else f"its parameters are {known}"
            problems.append(f"`{strategy}` has no parameter `{name}`: {help_}")
    values: dict[str, ParamValue] = {}
    for name, param in declared.items():
        text = given.get(name, param.default)
        try:
            value = _READERS[param.kind](text)
        except QuantityError:
            problems.append(f"`{name}: {text}` of `{strategy}` is not {_WRITTEN[param.kind]}")
            continue
        if value < param.least:
            problems.append(f"`{name}: {text}` of `{strategy}` is below its least value, {param.least}")
        values[name] = value
    if problems:
        raise StrategyError("params", problems)
    return values


def _number(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text):
        raise QuantityError("syntax", f"`{text}` is not a number")
    return Fraction(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise QuantityError("syntax", f"`{text}` is neither `true` nor `false`")
    return text == "true"


_READERS: Final[Mapping[str, Callable[[str], ParamValue]]] = {
    "count": lambda text: parse_count(text).value,
    "ratio": lambda text: parse_ratio(text).value,
    "number": _number,
    "bool": _truth,
}
