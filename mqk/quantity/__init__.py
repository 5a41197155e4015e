"""Exact numbers with units, their checked arithmetic, and reading and writing of them (floor 0).

No floats, no clock, no I/O; everything other packages need is exported here.
"""

from mqk.quantity.errors import ErrorCode, QuantityError
from mqk.quantity.exact import DAY_MICROS, INT64_MAX, INT64_MIN, MICROS, Rounding, checked, divide, mul_div
from mqk.quantity.format import (
    RatioUnit,
    format_count,
    format_date,
    format_duration,
    format_instant,
    format_money,
    format_quantity,
    format_rate,
    format_ratio,
    format_span,
    format_time,
)
from mqk.quantity.moments import parse_date, parse_instant, parse_time
from mqk.quantity.parse import (
    NOUNS,
    parse_count,
    parse_duration,
    parse_money,
    parse_price,
    parse_quantity,
    parse_rate,
    parse_ratio,
    parse_span,
)
from mqk.quantity.values import Count, Duration, Money, Price, Quantity, Rate, Ratio, SessionSpan, SpanUnit

__all__ = [
    "DAY_MICROS",
    "INT64_MAX",
    "INT64_MIN",
    "MICROS",
    "NOUNS",
    "Count",
    "Duration",
    "ErrorCode",
    "Money",
    "Price",
    "Quantity",
    "QuantityError",
    "Rate",
    "Ratio",
    "RatioUnit",
    "Rounding",
    "SessionSpan",
    "SpanUnit",
    "checked",
    "divide",
    "format_count",
    "format_date",
    "format_duration",
    "format_instant",
    "format_money",
    "format_quantity",
    "format_rate",
    "format_ratio",
    "format_span",
    "format_time",
    "mul_div",
    "parse_count",
    "parse_date",
    "parse_duration",
    "parse_instant",
    "parse_money",
    "parse_price",
    "parse_quantity",
    "parse_rate",
    "parse_ratio",
    "parse_span",
    "parse_time",
]
