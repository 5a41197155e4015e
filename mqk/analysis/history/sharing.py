"""What several Ibis expressions have in common, made once: a column of its own, that all of them read.

What lives here: finding it, and rewriting. What does not: what the expressions mean. Engines find common parts by
themselves, but not within the branches of a choice, and rules are full of those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def shared(table: Any, keep: Mapping[str, Any], columns: Sequence[Any]) -> tuple[Any, dict[str, Any], list[Any]]:
    """A new table that holds all common parts of the columns, and over it those to `keep` and the columns themselves.

    All are expressions over `table`. Common is what more than one place reads and is no plain column or constant.
    """
    import ibis.expr.operations as ops  # noqa: PLC0415 - heavy

    roots = [column.op() for column in columns]
    readers: Counter[Any] = Counter(roots)
    fields: dict[str, Any] = {}
    # What is inside of a function of elements, and reads the element, has no column of its own.
    free: dict[Any, frozenset[Any]] = {}
    for node in _bottom_up(roots):
        inside = {child for child in node.__children__ if isinstance(child, ops.Value)}
        readers.update(inside)
        if isinstance(node, ops.Field):
            fields[node.name] = node
        bound = {node} if isinstance(node, ops.Argument) else frozenset()
        free[node] = frozenset(bound).union(*(free[child] for child in inside)) - {getattr(node, "param", None)}
    plain = (ops.Field, ops.Literal, ops.Cast, ops.Argument)
    common = [each for each in free if readers[each] > 1 and not free[each] and not isinstance(each, plain)]
    made = {f"common_{number}": node for number, node in enumerate(common) if node.relations}
    staged = table.select(
        **{f"kept_{name}": column for name, column in keep.items()},
        **{name: node.to_expr() for name, node in {**fields, **made}.items()},
    )
    places = {node: staged[name].op() for name, node in {**fields, **made}.items()}
    return staged, {name: staged[f"kept_{name}"] for name in keep}, [root.replace(places).to_expr() for root in roots]


def _bottom_up(roots: Sequence[Any]) -> list[Any]:
    """All values that are read, each once and after what it reads."""
    import ibis.expr.operations as ops  # noqa: PLC0415 - heavy

    done: dict[Any, None] = {}
    waiting: list[tuple[Any, bool]] = [(root, False) for root in reversed(roots)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            done[node] = None
        elif node not in done:
            waiting.append((node, True))
            waiting += [(child, False) for child in node.__children__ if isinstance(child, ops.Value)]
    return list(done)
