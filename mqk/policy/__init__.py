"""The documents people write: strict YAML with places, schemas, layers with provenance, dates, canonical form, hash.

What lives here: from files to one Bundle per engine, and Diagnostics with their renderers.
What does not: which facts exist and what a rule decides (mqk.guards).
"""

from mqk.policy.answering import answers
from mqk.policy.bundle import (
    AllocationSource,
    BrokerSource,
    Bundle,
    ExecutionPolicy,
    Faults,
    LatencyBars,
    SchedulePolicy,
    StrategySpec,
)
from mqk.policy.codes import CODES, EXPRESSION_CODES, QUANTITY_CODES
from mqk.policy.diagnostics import Diagnostic, PolicyError, Severity, Span, error, in_order, listed, quoted
from mqk.policy.documents import Document, PolicySet, load_policies
from mqk.policy.effective import check_policies, effective_bundle
from mqk.policy.nodes import Entry, Mapping, Node, Scalar, Sequence, Text
from mqk.policy.obligations import Obligation, Obligations, read_obligations
from mqk.policy.render import render_json, render_text
from mqk.policy.render_github import render_github
from mqk.policy.render_sarif import render_sarif
from mqk.policy.resources import schemas_dir, shipped_policies_dir
from mqk.policy.sources import (
    ClaimSource,
    InvariantSource,
    LatchSource,
    Layer,
    LetSource,
    LifecycleSource,
    Limit,
    LoosenSource,
    RuleSource,
    Stage,
    TableRow,
    TableSource,
    TransitionSource,
    WaiverSource,
)
from mqk.policy.suggest import closest, did_you_mean
from mqk.policy.values import Instant, LimitValue, TimeOfDay, canonical_text, read_any, read_limit, type_name
from mqk.policy.wording import expression_fault

__all__ = [
    "CODES",
    "EXPRESSION_CODES",
    "QUANTITY_CODES",
    "AllocationSource",
    "BrokerSource",
    "Bundle",
    "ClaimSource",
    "Diagnostic",
    "Document",
    "Entry",
    "ExecutionPolicy",
    "Faults",
    "Instant",
    "InvariantSource",
    "LatchSource",
    "LatencyBars",
    "Layer",
    "LetSource",
    "LifecycleSource",
    "Limit",
    "LimitValue",
    "LoosenSource",
    "Mapping",
    "Node",
    "Obligation",
    "Obligations",
    "PolicyError",
    "PolicySet",
    "RuleSource",
    "Scalar",
    "SchedulePolicy",
    "Sequence",
    "Severity",
    "Span",
    "Stage",
    "StrategySpec",
    "TableRow",
    "TableSource",
    "Text",
    "TimeOfDay",
    "TransitionSource",
    "WaiverSource",
    "answers",
    "canonical_text",
    "check_policies",
    "closest",
    "did_you_mean",
    "effective_bundle",
    "error",
    "expression_fault",
    "in_order",
    "listed",
    "load_policies",
    "quoted",
    "read_any",
    "read_limit",
    "read_obligations",
    "render_github",
    "render_json",
    "render_sarif",
    "render_text",
    "schemas_dir",
    "shipped_policies_dir",
    "type_name",
]
