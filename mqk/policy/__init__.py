"""The documents people write: strict YAML with places, schemas, layers with provenance, dates, canonical form, hash.

What lives here: from files to one Bundle per engine, and Diagnostics with their renderers.
What does not: which facts exist and what a rule decides (mqk.guards).
"""

from mqk.policy.bundle import (
    Bundle,
    ExecutionPolicy,
    LatchSource,
    LatencyBars,
    Layer,
    LifecycleSource,
    Limit,
    RuleSource,
    SchedulePolicy,
    StrategySpec,
    TransitionSource,
)
from mqk.policy.codes import CODES, EXPRESSION_CODES, QUANTITY_CODES
from mqk.policy.diagnostics import Diagnostic, PolicyError, Severity, Span, error, in_order, listed, quoted
from mqk.policy.documents import Document, PolicySet, load_policies
from mqk.policy.effective import check_policies, effective_bundle
from mqk.policy.nodes import Entry, Mapping, Node, Scalar, Sequence, Text
from mqk.policy.render import render_json, render_text
from mqk.policy.resources import schemas_dir, shipped_policies_dir
from mqk.policy.suggest import closest, did_you_mean
from mqk.policy.values import Instant, LimitValue, TimeOfDay, canonical_text, read_any, read_limit, type_name
from mqk.policy.wording import expression_fault

__all__ = [
    "CODES",
    "EXPRESSION_CODES",
    "QUANTITY_CODES",
    "Bundle",
    "Diagnostic",
    "Document",
    "Entry",
    "ExecutionPolicy",
    "Instant",
    "LatchSource",
    "LatencyBars",
    "Layer",
    "LifecycleSource",
    "Limit",
    "LimitValue",
    "Mapping",
    "Node",
    "PolicyError",
    "PolicySet",
    "RuleSource",
    "Scalar",
    "SchedulePolicy",
    "Sequence",
    "Severity",
    "Span",
    "StrategySpec",
    "Text",
    "TimeOfDay",
    "TransitionSource",
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
    "render_json",
    "render_text",
    "schemas_dir",
    "shipped_policies_dir",
    "type_name",
]
