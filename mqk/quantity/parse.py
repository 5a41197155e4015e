"""Reading of amounts with units, as people write them in policies: money, prices, quantities, counts, ratios, spans.

Strict on purpose: one unit, no guessing, and an error that offers the right text. Times and dates live in moments.py.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, cast

from mqk.quantity.errors import QuantityError
from mqk.quantity.exact import MICROS
from mqk.quantity.format import DURATION_MICROS, RATIO_DECIMALS, RATIO_SCALE, RatioUnit, format_duration, format_ratio
from mqk.quantity.values import Count, Duration, Money, Price, Quantity, Rate, Ratio, SessionSpan, SpanUnit

NOUNS: Final = ("ticks", "orders", "trades", "rejects", "bars", "fills", "shares", "symbols", "positions")
# Longer texts are refused before any conversion, so that a hostile document cannot make integers of megabytes.
_LONGEST: Final = 64
# Digits are grouped in threes or not at all: `2_0%` is a slip, and nobody can tell of what.
_NUMBER: Final = re.compile(r"(-?)(0|[1-9][0-9]{0,2}(?:_[0-9]{3})+|[1-9][0-9]*)(?:\.([0-9]+))?")
# Everything that looks like an attempt at a number, and the unit after it.
_SPLIT: Final = re.compile(r"([-+]?[$€£]?[0-9_.,]*(?:(?<=[0-9.])[eE][-+]?[0-9]+)?)( ?)(.*)", re.DOTALL)
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_NOT_FINITE: Final = re.compile(r"[-+]?(?:\.?nan|\.?inf|infinity)\b.*", re.IGNORECASE | re.DOTALL)


def _quoted(text: str) -> str:
    """The user's text between back-quotes, shortened when it is long."""
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:40]}…`"


def _split(text: str, what: str) -> tuple[str, str, str]:
    """Split into number, the space between, and unit, refusing what is no number at all."""
    if len(text) > _LONGEST:
        raise QuantityError("syntax", f"{_quoted(text)} is too long for {what}")
    if text != text.strip():
        raise QuantityError("syntax", f"{_quoted(text)} has spaces around it", f"write `{text.strip()}`")
    if _NOT_FINITE.fullmatch(text):
        raise QuantityError("syntax", f"{_quoted(text)} is not a finite number", f"write {what} in digits")
    match = _SPLIT.fullmatch(text)
    if match is None or not match[1].strip("-+_.,$€£"):
        raise QuantityError("syntax", f"{_quoted(text)} is not {what}")
    return match[1], match[2], match[3]


def _respelled(number: str) -> str | None:
    """The plain form of a number that is almost right (`+5`, `25,000`, `0200`, `.5`, `5.`), or None."""
    plain = number.translate({ord(c): None for c in "+$€£_"})
    if re.fullmatch(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", plain):
        plain = plain.replace(",", "")
    match = re.fullmatch(r"(-?)0*([0-9]*)\.?([0-9]*)", plain)
    if match is None or not (match[2] or match[3] or "0" in plain):
        return None
    whole = f"{int(match[2] or '0'):_}"
    return f"{match[1]}{whole}.{match[3]}" if match[3] else f"{match[1]}{whole}"


def _scaled(number: str, decimals: int, what: str, tail: str = "") -> int:
    """Read digits as an exact integer of 10**-decimals; `tail` is the unit to show in the advice."""
    match = _NUMBER.fullmatch(number)
    if match is None:
        plain = _respelled(number)
        advice = None if plain is None else f"write `{plain}{tail}`"
        if re.search("[eE]", number):
            raise QuantityError("syntax", f"`{number}` has an exponent", "write the number out in digits")
        raise QuantityError("syntax", f"`{number}` is not a number mqk reads", advice)
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if len(fraction) > decimals:
        if decimals == 0:
            raise QuantityError("precision", f"{what} is a whole number, found `{number}`")
        raise QuantityError("precision", f"{what} has at most {decimals} decimals, found `{number}`")
    value = int(whole + fraction.ljust(decimals, "0"))
    if sign and value == 0:
        raise QuantityError("sign", f"`{number}` is a negative zero", f"write `{number[1:]}{tail}`")
    return -value if sign else value


def _amount(text: str, what: str) -> tuple[int, str]:
    """Read `25_000 USD` as micros and currency."""
    number, space, unit = _split(text, what)
    if not unit:
        plain = _respelled(number)
        example = "25_000" if plain is None else _grouped(plain)
        raise QuantityError("unit", f"`{text}` has no currency", f"write `{example} USD`")
    if _CURRENCY.fullmatch(unit) is None:
        advice = f"write `{number} {unit.strip().upper()}`" if re.fullmatch("[A-Za-z]{3}", unit.strip()) else None
        raise QuantityError("unit", f"`{unit}` is not a currency", advice or f"write {what} as `25_000 USD`")
    if not space:
        raise QuantityError("syntax", f"`{text}` needs a space before the currency", f"write `{number} {unit}`")
    return _scaled(number, 6, what, f" {unit}"), unit


def _grouped(plain: str) -> str:
    """Group the digits of a plain number in threes, keeping its decimals as written."""
    whole, dot, fraction = plain.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.lstrip('-')):_}{dot}{fraction}"


def parse_money(text: str) -> Money:
    """Read an amount such as `25_000 USD`, `470.12 USD` or `-5 USD`: digits, one space, a currency of three capitals.

    At most six decimals. Raises QuantityError "syntax", "unit", "precision", "sign" (negative zero) or "overflow".
    """
    micros, currency = _amount(text, "money")
    return Money(micros, currency)


def parse_price(text: str) -> Price:
    """Read a price per share such as `470.12 USD`; as money, but QuantityError "sign" below zero."""
    micros, currency = _amount(text, "a price")
    return Price(micros, currency)


def parse_quantity(text: str) -> Quantity:
    """Read a signed whole number of shares, `100` or `-5`, without a unit.

    Raises QuantityError "syntax", "unit" (anything after the digits), "precision" (a fraction) or "overflow".
    """
    number, _, unit = _split(text, "a quantity")
    if unit:
        raise QuantityError("unit", f"{_quoted(text)} is not a quantity", f"write `{number}`")
    return Quantity(_scaled(number, 0, "a quantity"))


def parse_count(text: str) -> Count:
    """Read a count such as `3` or `3 trades`; the noun is one of NOUNS, singular or plural, and is kept plural.

    Raises QuantityError "syntax", "unit" (another noun), "precision", "sign" (negative) or "overflow".
    """
    number, space, noun = _split(text, "a count")
    tail = f"{space}{noun}"
    value = _scaled(number, 0, "a count", tail)
    if not noun:
        return Count(value)
    plural = noun if noun.endswith("s") else f"{noun}s"
    if plural not in NOUNS:
        raise QuantityError("unit", f"`{noun}` is not something mqk counts", "counts are of " + ", ".join(NOUNS))
    if not space:
        raise QuantityError("syntax", f"`{text}` needs a space before the noun", f"write `{number} {noun}`")
    return Count(value, plural)


def parse_ratio(text: str) -> Ratio:
    """Read a ratio such as `20%`, `5bps`, `1.5x` or `-3%`, exactly; no space before the unit, at most 12 decimals.

    A bare number is QuantityError "unit" with help that offers both readings. Also "syntax", "precision", "overflow".
    """
    number, space, unit = _split(text, "a ratio")
    if not unit:
        raise QuantityError("unit", f"`{text}` has no unit", _ratio_readings(number))
    if unit not in RATIO_SCALE:
        raise QuantityError("unit", f"`{text}` is not a ratio", "write a ratio as `20%`, `5bps` or `1.5x`")
    if space:
        raise QuantityError("syntax", f"`{text}` has a space before its unit", f"write `{number}{unit}`")
    scaled = _scaled(number, RATIO_DECIMALS, "a ratio", unit)
    return Ratio(Fraction(scaled, RATIO_SCALE[unit] * 10**RATIO_DECIMALS), cast("RatioUnit", unit))


def _ratio_readings(number: str) -> str:
    """The two ratios a bare number may have meant: a fraction, or a percentage without its sign."""
    plain = _respelled(number)
    if plain is None or len(plain.partition(".")[2]) > RATIO_DECIMALS:
        return "write a ratio as `20%`, `5bps` or `1.5x`"
    value = Fraction(plain.replace("_", ""))
    if abs(value) <= 1:
        return f"write `{format_ratio(value)}` or `{plain}%`"
    return f"write `{plain}%` or `{plain}x`"


def parse_duration(text: str) -> Duration:
    """Read a duration such as `90s`, `5m`, `2h`, `250ms` or `10us`: a whole number and its unit, no space.

    Raises QuantityError "unit" for none or another unit (days are sessions or hours, see the help), "syntax",
    "precision" (a fraction; the help says the smaller unit), "sign" (negative) or "overflow".
    """
    number, space, unit = _split(text, "a duration")
    if not unit:
        plain = _respelled(number) or "90"
        raise QuantityError("unit", f"`{text}` has no unit", f"write `{plain}s` or `{plain}m`")
    if unit in ("d", "day", "days"):
        plain = _respelled(number) or "1"
        days = int(plain.replace("_", "")) if "." not in plain else 1
        raise QuantityError("unit", f"`{text}` is not a duration", f"write `{24 * days:_}h` or `{days:_} sessions`")
    if unit not in DURATION_MICROS:
        advice = "write a duration as `90s`, `5m`, `2h`, `250ms` or `10us`"
        raise QuantityError("unit", f"`{text}` is not a duration", advice)
    if space:
        raise QuantityError("syntax", f"`{text}` has a space before its unit", f"write `{number}{unit}`")
    if "." in number:
        exact = Fraction(_scaled(number, 6, "a duration", unit) * DURATION_MICROS[unit], MICROS)
        fits = exact.denominator == 1 and exact >= 0
        advice = f"write `{format_duration(int(exact))}`" if fits else "write it in a smaller unit"
        raise QuantityError("precision", f"a duration is a whole number, found `{text}`", advice)
    return Duration(_scaled(number, 0, "a duration", unit) * DURATION_MICROS[unit])


def parse_span(text: str) -> SessionSpan:
    """Read a span of the calendar, `3 sessions` or `5 business_days` (singular is read too).

    Raises QuantityError "unit" for none or another unit, "syntax", "precision", "sign" or "overflow".
    """
    number, space, unit = _split(text, "a number of sessions")
    if not unit:
        plain = _respelled(number) or "3"
        raise QuantityError("unit", f"`{text}` has no unit", f"write `{plain} sessions` or `{plain} business_days`")
    plural = {"session": "sessions", "business_day": "business_days"}.get(unit, unit)
    if plural not in ("sessions", "business_days"):
        advice = "write a span as `3 sessions` or `5 business_days`"
        raise QuantityError("unit", f"`{text}` is not a number of sessions", advice)
    if not space:
        raise QuantityError("syntax", f"`{text}` needs a space before its unit", f"write `{number} {unit}`")
    return SessionSpan(_scaled(number, 0, "a number of sessions", f" {unit}"), cast("SpanUnit", plural))


def parse_rate(text: str) -> Rate:
    """Read a rate such as `5 per 300s` or `100 per 1 sessions`: a whole number above zero, ` per `, and how long.

    Raises QuantityError "syntax" without ` per `, "range" for zero, and what parse_duration raises for the window.
    """
    count, per, window = text.partition(" per ")
    if not per:
        plain = _respelled(text) if text and len(text) <= _LONGEST else None
        raise QuantityError("syntax", f"{_quoted(text)} is not a rate", f"write a rate as `{plain or 5} per 300s`")
    number, _, unit = _split(count, "the count of a rate")
    if unit:
        raise QuantityError("unit", f"`{count}` has a unit", f"write `{number} per {window}`")
    spans = ("session", "sessions", "business_day", "business_days")
    length = parse_span(window) if window.split(" ")[-1] in spans else parse_duration(window)
    return Rate(_scaled(number, 0, "the count of a rate"), length)
