"""What a written literal is worth: its value as every backend holds it, and its type.

The forms themselves are read by mqk.quantity; here they meet the type system.
"""

from __future__ import annotations

from fractions import Fraction

from mqk.dsl import syntax
from mqk.dsl import types as t
from mqk.dsl.errors import DslError
from mqk.quantity import (
    QuantityError,
    parse_count,
    parse_date,
    parse_duration,
    parse_instant,
    parse_money,
    parse_quantity,
    parse_ratio,
    parse_span,
    parse_time,
)


def literal(expr: syntax.Literal) -> tuple[syntax.Value, t.Type]:
    """Value and type of a literal. Raises DslError (`value`) when it is not a value mqk can hold exactly."""
    text = expr.text
    try:
        match expr.kind:
            case "bool":
                return text == "true", t.BOOL
            case "ratio":
                return parse_ratio(text).value, t.RATIO
            case "money":
                amount = parse_money(text)
                return amount.micros, t.money(amount.currency)
            case "count":
                count = parse_count(text)
                return count.value, t.count_of(count.noun)
            case "duration":
                return parse_duration(text).micros, t.DURATION
            case "span":
                span = parse_span(text)
                return span.count, t.span_in(span.unit)
            case "time":
                return parse_time(text), t.TIME
            case "date":
                return parse_date(text).toordinal(), t.DATE
            case "instant":
                return parse_instant(text), t.INSTANT
            case "number":
                return (Fraction(text.replace("_", "")) if "." in text else parse_quantity(text).value), t.NUMBER
            case "text":
                return text[1:-1], t.TEXT
            case kind:
                raise AssertionError(f"unknown literal {kind}")
    except QuantityError as error:
        raise DslError("value", error.message, expr.start, expr.end, error.help) from None
