"""What documents say, read but not yet compiled: limits, rules, names, tables, waivers, claims, state machines.

Plain data with its places. How layers add up to these is effective.py; what binds one engine is bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from mqk.policy.diagnostics import Span
from mqk.policy.nodes import Sequence, Text
from mqk.policy.values import LimitValue


@dataclass(frozen=True, slots=True)
class Layer:
    """One document's say in a value: the document (`risk:tier_a`), what it wrote and where."""

    document: str
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as it stands: its value, as written by the uppermost layer, and every layer from the lowest up."""

    name: str
    value: LimitValue
    text: str
    span: Span
    chain: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class LatchSource:
    """How long an outcome lasts (`session_end` or `released`) and which role may release it."""

    until: str
    by: str | None


@dataclass(frozen=True, slots=True)
class WaiverSource:
    """A rule set aside where `scope` holds (None: everywhere), from the beginning of `start` to that of `end`."""

    id: str
    title: str
    rule: str
    scope: Text | None
    why: str
    ticket: str | None
    requested_by: str
    approved_by: str
    start: date
    end: date
    document: str
    span: Span


@dataclass(frozen=True, slots=True)
class RuleSource:
    """A rule as it stands; `confirm` counts judgements in a row, `document` and `span` are the uppermost layer's.

    The rule is judged only where the scope of none of its `waivers` holds.
    """

    id: str
    title: str
    at: str
    require: Text
    when: Text | None
    otherwise: str
    confirm: int
    latch: LatchSource | None
    exits_included: bool
    exits_reason: str | None
    enforce: str
    cites: tuple[str, ...]
    document: str
    span: Span
    chain: tuple[Layer, ...]
    rationale: str | None = None
    waivable: bool = True
    waivers: tuple[WaiverSource, ...] = ()


@dataclass(frozen=True, slots=True)
class LetSource:
    """A name for an expression, as the uppermost layer defines it."""

    name: str
    text: Text
    document: str
    span: Span
    chain: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row: a cell for each input it narrows, as written, and a value for each output. An absent cell is any."""

    cells: Mapping[str, Text | Sequence]
    outputs: Mapping[str, Text]
    span: Span


@dataclass(frozen=True, slots=True)
class TableSource:
    """A decision table: inputs are names of expressions, outputs names of types, `otherwise` what fills the gaps."""

    id: str
    title: str
    hit: str
    collect: str | None
    inputs: tuple[tuple[str, Text], ...]
    outputs: tuple[tuple[str, str], ...]
    rows: tuple[TableRow, ...]
    otherwise: Mapping[str, Text] | None
    document: str
    span: Span
    chain: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class LoosenSource:
    """A layer's leave to loosen one thing (`limits.max_position`, `rules.CAP-01`) until the beginning of a day."""

    target: str
    why: str
    approved_by: str
    until: date
    document: str
    span: Span


@dataclass(frozen=True, slots=True)
class ClaimSource:
    """What is to be proven: outcomes that never or always follow at a point, or an engine no laxer than another."""

    id: str
    title: str
    at: str
    when: Text | None
    never: tuple[str, ...]
    always: tuple[str, ...]
    engine: str | None
    than: str | None
    document: str
    span: Span


@dataclass(frozen=True, slots=True)
class InvariantSource:
    """No path from the initial state, or from any visit of `since`, gets to `reach` without a move needing `without`.

    `when` narrows it to the moments in which it holds.
    """

    id: str
    title: str
    reach: str
    when: Text | None
    without: Text
    since: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class TransitionSource:
    """One move of a state machine, from each of `from_states` (`any` written out, the target left out) to `to`."""

    from_states: tuple[str, ...]
    to: str
    by: str
    role: str | None
    require: Text | None
    when: Text | None
    confirm: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class LifecycleSource:
    """A state machine: what each state is (`initial`, `normal`, `sticky`), the moves there are, what must be true."""

    id: str
    states: Mapping[str, str]
    transitions: tuple[TransitionSource, ...]
    invariants: tuple[InvariantSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """What rules after one more layer, from the lowest up; no waiver is in it, so that layers compare as written."""

    document: str
    limits: Mapping[str, Limit]
    rules: tuple[RuleSource, ...]
    lets: Mapping[str, LetSource]
    tables: Mapping[str, TableSource]
    loosened: tuple[LoosenSource, ...]
