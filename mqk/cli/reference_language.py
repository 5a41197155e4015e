"""The reference pages of the expression language, of the kinds of document and of diagnostics.

What lives here: pages written from the grammar's functions, the schemas and the explanation pages. Facts have a module
of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from mqk.cli.reference_facts import table
from mqk.guards.points import LADDERS
from mqk.policy import CODES
from mqk.policy.explanations import explain
from mqk.policy.schemas import KINDS, schema_set
from mqk.policy.wording import flow

# What can stand under a key is described once, on the page of the kind where it stands.
_DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Construct:
    """A form of expression: how it is written, what it gives, an example, and the point at which that compiles."""

    form: str
    meaning: str
    example: str
    point: str = "order"


CONSTRUCTS: Final[Mapping[str, Construct]] = MappingProxyType(
    {
        "and": Construct(
            "A and B", "True when both hold. An error in either is an error.", "order.qty >= 1 and order.qty <= 500"
        ),
        "or": Construct(
            "A or B",
            "True when at least one holds. An error in either is an error.",
            "order.side == BUY or order.qty <= 500",
        ),
        "not": Construct("not A", "True when it does not hold.", "not run.killed"),
        "compare": Construct(
            "A < B <= C", "Comparisons, which may be chained. Both sides have one unit.", "1 <= order.qty <= 500"
        ),
        "in": Construct("X in SET", "True when the set holds it; also `not in`.", "order.symbol not in [TSLA, GME]"),
        "arithmetic": Construct(
            "A + B - C * D / E",
            "Exact arithmetic. Dividing by zero is an error.",
            "account.equity - account.cash >= 0 USD",
        ),
        "of": Construct(
            "RATIO of AMOUNT",
            "A share of an amount, with the unit of the amount.",
            "order.value <= 20% of account.equity",
        ),
        "if": Construct(
            "if C then A else B",
            "One of two values. Only the one that is chosen is judged.",
            "order.qty <= (if order.side == BUY then 100 else 500)",
        ),
        "abs": Construct("abs(A)", "The amount without its sign.", "abs(position.qty) <= 1_000"),
        "min": Construct(
            "min(A, B, …)",
            "The least of 2 to 16 values of one unit.",
            "order.value <= min(5_000 USD, 20% of account.equity)",
        ),
        "max": Construct(
            "max(A, B, …)", "The greatest of 2 to 16 values of one unit.", "max(order.value, 1 USD) <= 5_000 USD"
        ),
        "multiple_of": Construct(
            "multiple_of(A, B)",
            "True when A is a whole multiple of B. B must not be zero.",
            "multiple_of(order.qty, 100)",
        ),
        "present": Construct(
            "present(FACT)",
            "True when an optional fact is there. Without it, reading one that is missing is an error.",
            "not present(order.limit_price) or order.limit_price > 0 USD",
        ),
        "count": Construct(
            "count(EVENTS within SPAN)",
            "How many events there were in the time up to now.",
            "count(rejects within 300s) < 5",
        ),
        "total": Construct(
            "total(EVENTS within SPAN)",
            "What the amounts of the events add up to in the time up to now.",
            "total(results within 5 sessions) > -1_000 USD",
        ),
        "some": Construct(
            "some X in ALL satisfies C",
            "True when at least one element satisfies it; every element is judged. `where` leaves elements out first.",
            "not (some p in positions satisfies p.qty < 0)",
        ),
        "every": Construct(
            "every X in ALL satisfies C",
            "True when all elements satisfy it; every element is judged. `where` leaves elements out first.",
            "every p in positions satisfies p.qty >= 0",
        ),
        "sum": Construct(
            "sum of A for X in ALL where C",
            "What an amount adds up to over the elements.",
            "sum of p.exposure for p in positions <= 2x of account.equity",
        ),
        "count of": Construct(
            "count of X in ALL where C",
            "How many elements there are.",
            "(count of p in positions where p.qty != 0) <= 20",
        ),
    }
)


_INTRODUCTION: Final = """\
# Expressions

What `require:`, `when:` and the definitions under `let:` are made of. From what binds loosest: `or`, `and`, `not`,
comparisons, `+ -`, `* /`, `of`.
"""
_POINTS: Final = """
## Guard points

From the mildest outcome to the most severe, which wins when several rules are in breach.
"""


def functions() -> str:
    """The page of everything that an expression can be made of."""
    rows = ((f"`{each.form}`", each.meaning, f"`{each.example}`") for each in CONSTRUCTS.values())
    ladders = ((f"`{point.value}`", ", ".join(rungs)) for point, rungs in LADDERS.items())
    forms = table(("Form", "Meaning", "Example"), rows)
    return "\n".join([_INTRODUCTION, *forms, _POINTS, *table(("Point", "Outcomes"), ladders), ""])


def diagnostics() -> str:
    """The page of all diagnostic codes: what `mqk explain` says of each, without the examples."""
    rows = ((code, CODES[code], explain(code).meaning) for code in CODES)
    lines = ["# Diagnostics", "", "`mqk explain CODE` adds an example and the mend.", ""]
    return "\n".join([*lines, *table(("Code", "What", "Meaning"), rows), ""])


def kinds() -> str:
    """The page of all kinds of document, with every key."""
    lines = ["# Kinds of documents", "", "Every key of every kind. A star marks what must be there.", ""]
    for kind in KINDS:
        schema = schema_set().schemas[kind]
        lines += [f"## `{kind}`", "", str(schema.get("description", "")), ""]
        rows = (
            (path, _type(each), str(each.get("description", "")), _example(each)) for path, each in _keys(schema, "", 0)
        )
        lines += [*table(("Key", "Value", "Meaning", "Example"), rows), ""]
    return "\n".join(lines)


def _keys(schema: Mapping[str, Any], above: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every key under a schema, with the path to it."""
    if depth > _DEEPEST:
        return
    needed = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        path = f"{above}{name}"
        yield f"`{path}`{' *' if name in needed else ''}", each
        yield from _keys(each, f"{path}.", depth + 1)
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        yield f"`{above}…`", rest
        yield from _keys(rest, f"{above}….", depth + 1)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _keys(items, f"{above.removesuffix('.')}[].", depth + 1)


def _type(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    said = schema.get("x-mqk-unit") or schema.get("format") or schema.get("type", "")
    return " or ".join(said) if isinstance(said, list) else str(said)


def _example(schema: Mapping[str, Any]) -> str:
    examples = schema.get("examples")
    if not examples:
        return ""
    text = flow(examples[0])
    return f"`{text}`" if len(text) <= 80 else ""
