"""What binds one engine once all layers are laid: the Bundle, and where each of its parts came from.

Plain data with its hash; rules, limits and the like are sources.py, laying the layers is layers.py and effective.py,
compiling it is mqk.guards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

from mqk.policy.canonical import canonical_bytes
from mqk.policy.describe import describe
from mqk.policy.diagnostics import PolicyError, Span, error, listed, quoted
from mqk.policy.nodes import Text
from mqk.policy.sources import (
    ClaimSource,
    Layer,
    LetSource,
    LifecycleSource,
    Limit,
    LoosenSource,
    RuleSource,
    Stage,
    TableSource,
    WaiverSource,
)
from mqk.policy.suggest import did_you_mean
from mqk.quantity import Duration, Money, Ratio


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A strategy by its registered name, with its parameters as written; a shadow strategy's orders do not leave.

    `grid` are the values that a walk-forward may try in place of parameters; what is enforced does not depend on it.
    """

    id: str
    params: Mapping[str, str]
    shadow: bool
    span: Span
    grid: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LatencyBars:
    """How many bars pass before a message reaches the market."""

    submit: int
    cancel: int
    replace: int


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong at a market under stress, by the order's id and a seed: the part of orders that meet it."""

    seed: int
    rejects: Ratio
    partial_fills: Ratio


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """What trading costs and how orders fill; ratios are of the price, volatility of the fill bar's range.

    `ambiguity` is what one bar that touches two orders means, `limit_fill` when a limit order trades; `participation`
    the part of a bar's volume that our orders are filled with at most (None: whatever they ask for); `borrow` what a
    short position costs a year, of its value; `commission_maximum` None is without end. What adds to a position is in
    whole lots of `lot` shares and worth at least `minimum`; a position that is to be guarded and has no accepted stop
    within `stop_within` is flattened. `linking` says who takes what one order of a position trades off the others:
    the `broker`, or nobody, so that the `engine` never has orders at work for more than is held.
    """

    market_fill: str
    spread: Ratio
    slippage: Ratio
    volatility: Ratio
    cap: Ratio
    commission_per_order: Money
    latency_bars: LatencyBars
    corporate_actions: str
    limit_fill: str
    ambiguity: str
    participation: Ratio | None
    commission_per_share: Money
    commission_rate: Ratio
    commission_minimum: Money
    commission_maximum: Money | None
    borrow: Ratio
    faults: Faults
    lot: int
    minimum: Money
    stop_within: Duration
    linking: str


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """When the loop does what: the time between two runs of each job, and how long silence is tolerated."""

    calendar: str
    tick: Duration
    reconcile: Duration
    heartbeat: Duration
    deadman: Duration
    replay_pace: Duration


@dataclass(frozen=True, slots=True)
class BrokerSource:
    """Who carries the orders out: the broker's registered name, and the account there."""

    id: str
    account: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class AllocationSource:
    """The engine's part of the firm's capital, and the symbols it is confined to (None: no others' business)."""

    id: str
    capital: Money
    part: Money
    symbols: tuple[str, ...] | None
    document: str
    span: Span


@dataclass(frozen=True)
class Bundle:
    """Everything that binds one engine. `as_of` and `overlays` say how it was asked for, `not_in_force` what fell out.

    Two bundles with one `sha256` mean the same, whatever files, comments, titles or order they were written in.
    `stages` are the layers of limits, rules, names and tables from the lowest up, the last being what rules.
    """

    engine: str
    mode: str
    capital: Money
    calendar: str
    timeframes: tuple[str, ...]
    universe: tuple[str, ...]
    strategies: tuple[StrategySpec, ...]
    limits: Mapping[str, Limit]
    rules: tuple[RuleSource, ...]
    lifecycles: Mapping[str, LifecycleSource]
    execution: ExecutionPolicy
    schedule: SchedulePolicy
    baseline: Mapping[str, Text]
    layers: Mapping[str, tuple[Layer, ...]] = field(repr=False)
    as_of: date | None = None
    overlays: tuple[str, ...] = ()
    not_in_force: tuple[Layer, ...] = ()
    lets: Mapping[str, LetSource] = field(default_factory=dict)
    tables: Mapping[str, TableSource] = field(default_factory=dict)
    waivers: tuple[WaiverSource, ...] = ()
    claims: tuple[ClaimSource, ...] = ()
    loosened: tuple[LoosenSource, ...] = ()
    mandatory: Mapping[str, Layer] = field(default_factory=dict)
    allocation: AllocationSource | None = None
    stresses: tuple[str, ...] = ()
    broker: BrokerSource | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = field(default=(), repr=False)

    def at_stage(self, index: int) -> Bundle:
        """The bundle with its ruling content as it stands after one stage: for comparing a layer with those below."""
        stage = self.stages[index]
        return replace(
            self,
            limits=stage.limits,
            rules=stage.rules,
            lets=stage.lets,
            tables=stage.tables,
            loosened=stage.loosened,
            waivers=(),
            stages=self.stages[: index + 1],
        )

    def provenance(self, key: str) -> tuple[Layer, ...]:
        """The layers behind a dotted key (`limits.max_position`, `rules.CAP-01`), lowest first.

        Empty for a value that no document wrote and the schema supplies. Raises PolicyError for an unknown key.
        """
        if key not in self.layers:
            sections = listed([f"{each}." for each in ("limits", "rules", "lets", "tables", "execution", "schedule")])
            help_ = did_you_mean(key, self.layers) or f"keys begin with {sections}"
            message = f"the effective policy of {quoted(self.engine)} has no {quoted(key)}"
            raise PolicyError([error("MQK-1211", message, Span.nowhere("key"), help_)])
        return self.layers[key]

    @cached_property
    def canonical_bytes(self) -> bytes:
        """The effective content as canonical JSON (RFC 8785): what is hashed."""
        return canonical_bytes(self)

    @cached_property
    def sha256(self) -> str:
        """The hash that runs, decisions and artifacts carry, in hexadecimal."""
        return hashlib.sha256(self.canonical_bytes).hexdigest()

    def to_mapping(self) -> dict[str, object]:
        """The bundle as plain JSON values for people and tools, with file and line of every limit and rule."""
        return describe(self)
