"""An effective policy as text for people, and the chain of layers behind one key.

What is in force is decided by mqk.policy; here it is laid out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mqk.cli.output import table
from mqk.policy import Bundle, Layer
from mqk.quantity import format_date


def lines(bundle: Bundle) -> list[str]:
    """Everything in force: limits, rules, execution, schedule and lifecycles, each with where it is set."""
    out = [*head(bundle), "", "limits", *limit_lines(bundle), "", "rules"]
    rules = [
        [rule.id, rule.at, rule.otherwise + ("" if rule.enforce == "block" else f" ({rule.enforce})"), rule.title]
        for rule in bundle.rules
    ]
    out += table([*row, _place(rule.chain)] for row, rule in zip(rules, bundle.rules, strict=True))
    out += _own_names(bundle) + _exceptions(bundle)
    for section in ("execution", "schedule", "lifecycles"):
        # What no document sets is as its schema says, and has no line to show.
        keys = [key for key, layers in bundle.layers.items() if layers and key.startswith(f"{section}.")]
        out += ["", section, *table([key.partition(".")[2], *_setting(bundle.layers[key])] for key in keys)]
    if bundle.not_in_force:
        out += ["", "not in force", *table([layer.document, layer.text, _at(layer)] for layer in bundle.not_in_force)]
    return out


def _own_names(bundle: Bundle) -> list[str]:
    """What the policy gives names to: definitions and tables."""
    lets = [[let.name, " ".join(let.text.text.split()), _place(let.chain)] for let in bundle.lets.values()]
    tables = [
        [each.id, each.title, f"{len(each.rows)} rows, {each.hit}", _place(each.chain)]
        for each in bundle.tables.values()
    ]
    return _section("names", lets) + _section("tables", tables)


def _exceptions(bundle: Bundle) -> list[str]:
    """What holds for a while only: rules set aside, and layers that may loosen."""
    waivers = [
        [
            each.rule,
            each.id,
            "everywhere" if each.scope is None else " ".join(each.scope.text.split()),
            f"until {format_date(each.end)}",
            f"by {each.approved_by}",
            f"{each.span.file}:{each.span.line}",
        ]
        for each in bundle.waivers
    ]
    loosened = [
        [
            each.target,
            each.document,
            each.why,
            f"until {format_date(each.until)}",
            f"by {each.approved_by}",
            f"{each.span.file}:{each.span.line}",
        ]
        for each in bundle.loosened
    ]
    return _section("waived", waivers) + _section("loosened", loosened)


def _section(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    return ["", title, *table([*row] for row in rows)] if rows else []


def head(bundle: Bundle) -> list[str]:
    """What the engine is, and the hash of its policies."""
    day = "" if bundle.as_of is None else f" as of {format_date(bundle.as_of)}"
    rows = [
        ["mode", bundle.mode],
        ["capital", str(bundle.capital)],
        ["calendar", bundle.calendar],
        ["timeframes", ", ".join(bundle.timeframes)],
        ["universe", ", ".join(bundle.universe)],
    ]
    if bundle.broker is not None:
        account = "" if bundle.broker.account is None else f", account {bundle.broker.account}"
        rows.append(["broker", bundle.broker.id + account])
    if bundle.allocation is not None:
        rows.append(["allocation", f"{bundle.allocation.part} of {bundle.allocation.capital} ({bundle.allocation.id})"])
    for spec in bundle.strategies:
        params = ", ".join(f"{name}: {value}" for name, value in spec.params.items())
        rows.append(["strategy", spec.id + (f" ({params})" if params else "") + (" shadow" if spec.shadow else "")])
    if bundle.overlays:
        rows.append(["overlays", ", ".join(bundle.overlays)])
    return [f"{bundle.engine}{day}  bundle {bundle.sha256}", *table(rows)]


def limit_lines(bundle: Bundle) -> list[str]:
    """Each limit, its value, and the file and line that set it."""
    return table(
        [name, limit.text, limit.chain[-1].document, _at(limit.chain[-1])] for name, limit in bundle.limits.items()
    )


def why_lines(bundle: Bundle, key: str, layers: Sequence[Layer]) -> list[str]:
    """The layers behind a key from the lowest up; the last one counts."""
    if not layers:
        return [f"{key}: no document sets it; its default is in force"]
    marks = [*["  "] * (len(layers) - 1), "→ "]
    rows = ([mark + layer.document, layer.text, _at(layer)] for mark, layer in zip(marks, layers, strict=True))
    return [f"{key} of {bundle.engine}, from the lowest layer up; the last one counts", *table(rows)]


def why_mapping(bundle: Bundle, key: str, layers: Iterable[Layer]) -> dict[str, object]:
    """The same for programs."""
    return {
        "engine": bundle.engine,
        "key": key,
        "chain": [
            {
                "document": layer.document,
                "text": layer.text,
                "file": layer.span.file,
                "line": layer.span.line,
                "column": layer.span.column,
            }
            for layer in layers
        ],
        "bundle": bundle.sha256,
    }


def _setting(layers: Sequence[Layer]) -> list[str]:
    return [layers[-1].text, layers[-1].document, _at(layers[-1])]


def _place(layers: Sequence[Layer]) -> str:
    return _at(layers[-1]) if layers else ""


def _at(layer: Layer) -> str:
    return f"{layer.span.file}:{layer.span.line}"
