"""A bundle from its canonical form: what an artifact carries is enough to bind the same engine again.

What lives here: the way back from canonical.py. What does not: files, layers and places, which the form leaves out, and
the names of waivers, which it leaves out too: those come back numbered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import rfc8785

from mqk.policy.bundle import BrokerSource, Bundle, ExecutionPolicy, Faults, LatencyBars, SchedulePolicy, StrategySpec
from mqk.policy.diagnostics import PolicyError, Span, error
from mqk.policy.nodes import Scalar, Sequence, Text
from mqk.policy.sources import (
    LatchSource,
    Layer,
    LetSource,
    LifecycleSource,
    Limit,
    LoosenSource,
    RuleSource,
    TableRow,
    TableSource,
    TransitionSource,
    WaiverSource,
)
from mqk.policy.values import LimitValue, read_value
from mqk.quantity import parse_date, parse_duration, parse_money, parse_ratio

_SPAN: Final = Span.nowhere("manifest")
_WHERE: Final = "manifest"
# What a value of each type is read as; the other types are named as their format is.
_FORMATS: Final = MappingProxyType({"span": "span", "quantity": "quantity-any"})
_READERS: Final[Mapping[str, Callable[[str], LimitValue]]] = MappingProxyType(
    {"set": lambda text: tuple(text.split(", ")) if text else (), "word": str}
)


def restored_bundle(content: Mapping[str, Any]) -> Bundle:
    """The bundle whose canonical form is `content`: it compiles to the same guards and has the same hash.

    Raises PolicyError MQK-1700 when it is no canonical form that this version of mqk writes.
    """
    try:
        bundle = _bundle(content)
        same = bundle.canonical_bytes == rfc8785.dumps(dict(content))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as fault:
        raise PolicyError([_unreadable(f"`{type(fault).__name__}: {fault}`")]) from fault
    if not same:
        raise PolicyError([_unreadable("it comes back as another policy")])
    return bundle


def _unreadable(why: str) -> Any:
    help_ = "replay the run with the version of mqk that its manifest names"
    return error("MQK-1700", f"the policy in the manifest cannot be bound again: {why}", _SPAN, help_)


def _bundle(content: Mapping[str, Any]) -> Bundle:
    limits = {name: _limit(name, each) for name, each in content["limits"].items()}
    until = content.get("loosened_until")
    return Bundle(
        engine=content["engine"],
        mode=content["mode"],
        capital=parse_money(content["capital"]),
        calendar=content["calendar"],
        timeframes=tuple(content["timeframes"]),
        universe=tuple(content["universe"]),
        strategies=tuple(
            StrategySpec(each["id"], dict(each["params"]), each["shadow"], _SPAN) for each in content["strategies"]
        ),
        limits=limits,
        rules=tuple(_rule(name, each) for name, each in content["rules"].items()),
        lifecycles={name: _lifecycle(name, each) for name, each in content["lifecycles"].items()},
        execution=_execution(content["execution"]),
        schedule=_schedule(content["schedule"]),
        baseline={name: _fact(each) for name, each in content["baseline"].items()},
        layers={},
        lets={name: LetSource(name, _text(each), _WHERE, _SPAN, ()) for name, each in content["lets"].items()},
        tables={name: _table(name, each) for name, each in content["tables"].items()},
        loosened=() if until is None else (LoosenSource("", "", "", parse_date(until), _WHERE, _SPAN),),
        stresses=tuple(content["stresses"]),
        broker=None if content["broker"] is None else _broker(content["broker"]),
    )


def _text(text: str) -> Text:
    return Text(text, _SPAN)


def _maybe(text: str | None) -> Text | None:
    return None if text is None else _text(text)


def _value(tagged: Mapping[str, str]) -> LimitValue:
    kind, text = tagged["type"], tagged["value"]
    own = _READERS.get(kind)
    return own(text) if own is not None else read_value(_FORMATS.get(kind, kind), text)


def _fact(tagged: Mapping[str, str]) -> Scalar:
    """A fact as a document would write it: a count says what it counts."""
    text = tagged["value"]
    return Scalar(f"{text} trades" if tagged["type"] == "count" else text, _SPAN)


def _limit(name: str, tagged: Mapping[str, str]) -> Limit:
    text = tagged["value"]
    return Limit(name, _value(tagged), text, _SPAN, (Layer(_WHERE, text, _SPAN),))


def _rule(name: str, rule: Mapping[str, Any]) -> RuleSource:
    latch = rule["latch"]
    return RuleSource(
        id=name,
        title="",
        at=rule["at"],
        require=_text(rule["require"]),
        when=_maybe(rule["when"]),
        otherwise=rule["otherwise"],
        confirm=rule["confirm"],
        latch=None if latch is None else LatchSource(latch["until"], latch["by"]),
        exits_included=rule["exits_included"],
        exits_reason=None,
        enforce=rule["enforce"],
        cites=(),
        document=_WHERE,
        span=_SPAN,
        chain=(),
        waivers=tuple(_waiver(name, number, each) for number, each in enumerate(rule["waivers"], 1)),
    )


def _waiver(rule: str, number: int, waiver: Mapping[str, Any]) -> WaiverSource:
    start, end = parse_date(waiver["from"]), parse_date(waiver["until"])
    scope = _maybe(waiver["scope"])
    return WaiverSource(f"{rule}-{number}", "", rule, scope, "", None, "", "", start, end, _WHERE, _SPAN)


def _table(name: str, table: Mapping[str, Any]) -> TableSource:
    otherwise = table["otherwise"]
    return TableSource(
        id=name,
        title="",
        hit=table["hit"],
        collect=table["collect"],
        inputs=tuple((each, _text(text)) for each, text in table["input"].items()),
        outputs=tuple(table["output"].items()),
        rows=tuple(TableRow(_cells(row["cells"]), _outputs(row["outputs"]), _SPAN) for row in table["rows"]),
        otherwise=None if otherwise is None else _outputs(otherwise),
        document=_WHERE,
        span=_SPAN,
        chain=(),
    )


def _cells(cells: Mapping[str, Any]) -> dict[str, Text | Sequence]:
    return {
        name: Scalar(cell, _SPAN)
        if isinstance(cell, str)
        else Sequence(tuple(Scalar(item, _SPAN) for item in cell), _SPAN)
        for name, cell in cells.items()
    }


def _outputs(outputs: Mapping[str, Any]) -> dict[str, Text]:
    return {name: _fact(each) for name, each in outputs.items()}


def _lifecycle(name: str, machine: Mapping[str, Any]) -> LifecycleSource:
    moves = tuple(
        TransitionSource(
            from_states=tuple(move["from"]),
            to=move["to"],
            by=move["by"],
            role=move["role"],
            require=_maybe(move["require"]),
            when=_maybe(move["when"]),
            confirm=move["confirm"],
            span=_SPAN,
        )
        for move in machine["transitions"]
    )
    return LifecycleSource(name, dict(machine["states"]), moves)


def _broker(broker: Mapping[str, Any]) -> BrokerSource:
    return BrokerSource(broker["id"], broker["account"], _SPAN)


def _execution(content: Mapping[str, Any]) -> ExecutionPolicy:
    fills, costs, latency, faults = (content[each] for each in ("fills", "costs", "latency_bars", "faults"))
    part, most = fills["participation"], costs["commission_maximum"]
    return ExecutionPolicy(
        market_fill=fills["market"],
        spread=parse_ratio(costs["spread"]),
        slippage=parse_ratio(costs["slippage"]),
        volatility=parse_ratio(costs["volatility"]),
        cap=parse_ratio(costs["cap"]),
        commission_per_order=parse_money(costs["commission_per_order"]),
        latency_bars=LatencyBars(latency["submit"], latency["cancel"], latency["replace"]),
        corporate_actions=content["corporate_actions"],
        limit_fill=fills["limit"],
        ambiguity=fills["ambiguity"],
        participation=None if part is None else parse_ratio(part),
        commission_per_share=parse_money(costs["commission_per_share"]),
        commission_rate=parse_ratio(costs["commission_rate"]),
        commission_minimum=parse_money(costs["commission_minimum"]),
        commission_maximum=None if most is None else parse_money(most),
        borrow=parse_ratio(costs["borrow"]),
        faults=Faults(int(faults["seed"]), parse_ratio(faults["rejects"]), parse_ratio(faults["partial_fills"])),
        lot=content["entries"]["lot"],
        minimum=parse_money(content["entries"]["minimum"]),
        stop_within=parse_duration(content["stop_within"]),
        linking=content.get("linking", "broker"),
    )


def _schedule(content: Mapping[str, Any]) -> SchedulePolicy:
    names = ("tick", "reconcile", "heartbeat", "deadman", "replay_pace")
    return SchedulePolicy(content["calendar"], *(parse_duration(content[name]) for name in names))
