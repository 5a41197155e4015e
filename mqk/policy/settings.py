"""Execution and schedule: nested keys laid over each other, read into their policies; a hole is a diagnostic.

Limits and rules, which merge by name, are effective.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mqk.policy.bundle import ExecutionPolicy, Faults, LatencyBars, SchedulePolicy
from mqk.policy.diagnostics import Diagnostic, error, listed, quoted
from mqk.policy.documents import Document
from mqk.policy.layers import Said, keys_said, written
from mqk.policy.sources import Layer
from mqk.policy.values import read_commission
from mqk.quantity import Duration, Money, Ratio, parse_count, parse_duration, parse_money, parse_ratio

# What stands when no document says anything, as the schemas' `default` tells; everything else must be written.
_DEFAULTS = {
    "fills.limit": "through",
    "fills.ambiguity": "worst_case",
    "costs.commission_per_share": "0 USD",
    "costs.commission_rate": "0%",
    "costs.commission_minimum": "0 USD",
    "costs.borrow": "0%",
    "latency.submit": "0 bars",
    "latency.cancel": "0 bars",
    "latency.replace": "0 bars",
    "faults.seed": "0",
    "faults.rejects": "0%",
    "faults.partial_fills": "0%",
    "entries.lot": "1 shares",
    "entries.minimum": "0 USD",
    "protection.stop_within": "1m",
    "protection.linking": "broker",
    "replay.pace": "0s",
}
Chains = dict[str, tuple[Layer, ...]]


def read_execution(
    engine: Document, documents: Sequence[Document]
) -> tuple[ExecutionPolicy | None, Chains, list[Diagnostic]]:
    """The costs and fills that the documents add up to, the layers behind each key, and the keys nobody set."""
    settings = _Settings("execution", engine, keys_said(documents))
    policy = ExecutionPolicy(
        market_fill=settings.text("fills.market"),
        spread=settings.ratio("costs.spread"),
        slippage=settings.ratio("costs.slippage"),
        volatility=settings.ratio("costs.volatility"),
        cap=settings.ratio("costs.cap"),
        commission_per_order=settings.commission("costs.commission"),
        latency_bars=LatencyBars(
            submit=settings.count("latency.submit"),
            cancel=settings.count("latency.cancel"),
            replace=settings.count("latency.replace"),
        ),
        corporate_actions=settings.text("corporate_actions"),
        limit_fill=settings.text("fills.limit"),
        ambiguity=settings.text("fills.ambiguity"),
        participation=settings.ratio("fills.participation") if settings.says("fills.participation") else None,
        commission_per_share=settings.money("costs.commission_per_share"),
        commission_rate=settings.ratio("costs.commission_rate"),
        commission_minimum=settings.money("costs.commission_minimum"),
        commission_maximum=(
            settings.money("costs.commission_maximum") if settings.says("costs.commission_maximum") else None
        ),
        borrow=settings.ratio("costs.borrow"),
        faults=Faults(
            seed=settings.count("faults.seed"),
            rejects=settings.ratio("faults.rejects"),
            partial_fills=settings.ratio("faults.partial_fills"),
        ),
        lot=max(settings.count("entries.lot"), 1),
        minimum=settings.money("entries.minimum"),
        stop_within=settings.duration("protection.stop_within"),
        linking=settings.text("protection.linking"),
    )
    most = policy.commission_maximum
    if most is not None and policy.commission_minimum.micros > most.micros:
        settings.contradiction(
            "MQK-1660",
            f"the least fee of an order, {policy.commission_minimum}, is above the most, {most}",
            ("costs.commission_minimum", "costs.commission_maximum"),
            "lower the minimum, or raise the maximum",
        )
    return (None if settings.holes else policy), settings.chains, settings.holes


def read_schedule(
    engine: Document, documents: Sequence[Document]
) -> tuple[SchedulePolicy | None, Chains, list[Diagnostic]]:
    """The clock that the documents add up to, the layers behind each key, and the keys nobody set."""
    settings = _Settings("schedule", engine, keys_said(documents))
    policy = SchedulePolicy(
        calendar=settings.text("calendar"),
        tick=settings.duration("jobs.tick.every"),
        reconcile=settings.duration("jobs.reconcile.every"),
        heartbeat=settings.duration("jobs.heartbeat.every"),
        deadman=settings.duration("deadman"),
        replay_pace=settings.duration("replay.pace"),
    )
    return (None if settings.holes else policy), settings.chains, settings.holes


@dataclass(slots=True)
class _Settings:
    """Reads keys one by one, noting for each where it came from or that it is missing."""

    kind: str
    engine: Document
    said: dict[str, list[Said]]
    chains: Chains = field(default_factory=dict)
    holes: list[Diagnostic] = field(default_factory=list)

    def _written(self, key: str) -> str | None:
        said = self.said.get(key, [])
        self.chains[key] = tuple(each.layer for each in said)
        if said:
            return written(said[-1].node)
        if key not in _DEFAULTS:
            uses = self.engine.node.mapping("uses")
            names = listed([each.text for each in uses.scalars(self.kind)])
            message = f"the {self.kind} of {quoted(self.engine.id)} never sets `{key}`"
            self.holes.append(error("MQK-1208", message, uses.entries[self.kind].key.span, f"set it in {names}"))
        return _DEFAULTS.get(key)

    def contradiction(self, code: str, message: str, keys: tuple[str, str], help_: str) -> None:
        """Two keys that cannot stand together, told at the one of them that the uppermost layer wrote."""
        spans = [self.chains[key][-1].span for key in keys if self.chains[key]]
        self.holes.append(error(code, message, spans[-1], help_, notes=[("and here", span) for span in spans[:-1]]))

    def says(self, key: str) -> bool:
        """Whether any layer sets a key that may be left out."""
        return key in self.said

    def text(self, key: str) -> str:
        return self._written(key) or ""

    def ratio(self, key: str) -> Ratio:
        return parse_ratio(self._written(key) or "0%")

    def money(self, key: str) -> Money:
        return parse_money(self._written(key) or "0 USD")

    def duration(self, key: str) -> Duration:
        return parse_duration(self._written(key) or "0s")

    def count(self, key: str) -> int:
        return parse_count(self._written(key) or "0").value

    def commission(self, key: str) -> Money:
        return read_commission(self._written(key) or "0 USD per order")
