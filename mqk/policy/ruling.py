"""What rules one engine: limits, rules, names and tables, laid layer upon layer, with what each layer left standing.

The order of the layers is layers.py, reading a single rule or table reading.py. Whether a layer only tightens is
proven elsewhere, from the stages kept here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date

from mqk.policy.dates import Period, check_holes, in_force, read_period
from mqk.policy.diagnostics import Diagnostic, Span, error, quoted
from mqk.policy.documents import Document
from mqk.policy.layers import Said, written
from mqk.policy.nodes import Mapping, Scalar
from mqk.policy.nodes import Sequence as SequenceNode
from mqk.policy.reading import read_loosenings, read_rule, read_table, required
from mqk.policy.schemas import schema_set
from mqk.policy.sources import Layer, LetSource, Limit, LoosenSource, RuleSource, Stage, TableSource
from mqk.policy.suggest import did_you_mean
from mqk.policy.values import LimitValue, read_value, type_name
from mqk.quantity import format_date


@dataclass(frozen=True, slots=True)
class _First:
    """Who first gave a key its meaning."""

    document: Document
    layer: Layer


@dataclass(slots=True)
class Ruling:
    """The ruling content as it stands after the layers laid so far; what is wrong is collected, not raised.

    `layers` are the layers behind each dotted key, `dropped` what is written but not in force.
    """

    engine: Document
    as_of: date | None
    documents: list[Document] = field(default_factory=list)
    limits: dict[str, Limit] = field(default_factory=dict)
    rules: dict[str, RuleSource] = field(default_factory=dict)
    lets: dict[str, LetSource] = field(default_factory=dict)
    tables: dict[str, TableSource] = field(default_factory=dict)
    loosened: list[LoosenSource] = field(default_factory=list)
    mandatory: dict[str, Layer] = field(default_factory=dict)
    stages: list[Stage] = field(default_factory=list)
    layers: dict[str, tuple[Layer, ...]] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)
    _first: dict[str, _First] = field(default_factory=dict)
    _lapsed: list[Layer] = field(default_factory=list)
    _dropped: dict[str, Layer] = field(default_factory=dict)
    _periods: dict[str, list[tuple[Period, Span]]] = field(default_factory=dict)
    # What the document being laid may no longer say, its leave to loosen having ended.
    _silenced: dict[str, LoosenSource] = field(default_factory=dict)

    def lay(self, document: Document) -> None:
        """Lay one more document over all that is there."""
        self.documents.append(document)
        granted = read_loosenings(document)
        # Without a day nothing that holds only for a while holds.
        holding = [each for each in granted if self.as_of is not None and self.as_of < each.until]
        self._silenced = {each.target: each for each in granted if each not in holding}
        for each in granted:
            self._something_beneath(each)
        before = (len(self.limits), len(self.rules))
        self._limits(document)
        self._lets(document)
        self._tables(document)
        self._rules(document)
        if document is self.engine:
            self._levels()
        for name in document.node.scalars("mandatory"):
            self.mandatory.setdefault(name.text, Layer(document.name, name.text, name.span))
        self.loosened += holding
        self._keep_stage(document, changed=before != (len(self.limits), len(self.rules)))

    def finish(self) -> None:
        """Say what is wrong with the whole once every layer is laid."""
        for name, periods in self._periods.items():
            self.found += check_holes(name, periods)
        loosened = {each.target: each for each in self.loosened}
        for name, layer in self.mandatory.items():
            if name not in self.limits and f"mandatory.{name}" not in loosened:
                message = f"{quoted(self.engine.id)} does not set the mandatory limit `{name}`"
                help_ = "set it, or loosen it with why, by whom approved and until when"
                notes = [("made mandatory here", layer.span)]
                self.found.append(error("MQK-1223", message, self.engine.span, help_, notes=notes))

    def has_rule(self, name: str) -> bool:
        """Whether a rule is written in any layer, in force or not."""
        return name in self.rules or name in self._dropped

    @property
    def dropped(self) -> list[Layer]:
        """What is written but not in force: rules out of their time, loosenings that have ended."""
        return [*(layer for name, layer in self._dropped.items() if name not in self.rules), *self._lapsed]

    def _keep_stage(self, document: Document, *, changed: bool) -> None:
        last = self.stages[-1] if self.stages else None
        node = document.node.entries
        said = changed or last is None or not node.keys().isdisjoint(("limits", "rules", "let", "tables", "enforce"))
        if said or last is None:
            limits = {name: self.limits[name] for name in sorted(self.limits)}
            rules = tuple(self.rules[name] for name in sorted(self.rules))
            lets = {name: self.lets[name] for name in sorted(self.lets)}
            tables = {name: self.tables[name] for name in sorted(self.tables)}
            stage = Stage(document.name, limits, rules, lets, tables, tuple(self.loosened))
        else:
            stage = replace(last, document=document.name, loosened=tuple(self.loosened))
        self.stages.append(stage)

    def _something_beneath(self, loosening: LoosenSource) -> None:
        section, _, name = loosening.target.partition(".")
        beneath: dict[str, Collection[str]] = {
            "limits": self.limits,
            "rules": self.rules,
            "lets": self.lets,
            "tables": self.tables,
        }
        known = beneath.get(section, self.mandatory.keys())
        if name not in known and name not in self._dropped:
            what = "no layer makes" if section == "mandatory" else "no layer beneath says"
            message = f"{quoted(name)} cannot be loosened: {what} " + (
                "it mandatory" if section == "mandatory" else "anything of it"
            )
            self.found.append(error("MQK-1219", message, loosening.span, did_you_mean(name, known)))

    def _say(self, key: str, document: Document, layer: Layer) -> tuple[Layer, ...] | None:
        """The layers behind a key with one more, or None when that one may no longer say it."""
        silenced = self._silenced.get(key)
        if silenced is not None:
            ended = f"{layer.text} (loosened until {format_date(silenced.until)})"
            self._lapsed.append(Layer(layer.document, ended, layer.span))
            return None
        first = self._first.setdefault(key, _First(document, layer))
        if document.kind not in ("engine", first.document.kind):
            # One would silently take the other's place.
            message = f"`{key}` is written in `{first.document.name}` and, for something else, in `{document.name}`"
            notes = [("first written here", first.layer.span)]
            help_ = f"give it another name: a {first.document.kind} document's is replaced by one that extends it"
            self.found.append(error("MQK-1217", message, layer.span, help_, notes=notes))
        self.layers[key] = (*self.layers.get(key, ()), layer)
        return self.layers[key]

    def _limits(self, document: Document) -> None:
        for name, entry in document.node.mapping("limits").entries.items():
            said = Said(document, entry.key, entry.value)
            chain = self._say(f"limits.{name}", document, said.layer)
            if chain is None:
                continue
            value = _limit_value(name, said)
            below = self.limits.get(name)
            if below is not None and type(value) is not type(below.value):
                message = f"`limits.{name}` is {type_name(value)} here and {type_name(below.value)} in"
                notes = [("first written here", below.chain[0].span)]
                help_ = "a later layer changes the value of a limit, never its type"
                message += f" `{below.chain[0].document}`"
                self.found.append(error("MQK-1207", message, said.layer.span, help_, notes=notes))
            self.limits[name] = Limit(name, value, chain[-1].text, chain[-1].span, chain)

    def _lets(self, document: Document) -> None:
        for name, entry in document.node.mapping("let").entries.items():
            if isinstance(entry.value, Scalar):
                layer = Layer(document.name, written(entry.value), entry.key.span)
                chain = self._say(f"lets.{name}", document, layer)
                if chain is not None:
                    self.lets[name] = LetSource(name, entry.value, document.name, entry.key.span, chain)

    def _tables(self, document: Document) -> None:
        for node in document.node.mappings("tables"):
            id_, title = required(node, "id"), required(node, "title")
            chain = self._say(f"tables.{id_.text}", document, Layer(document.name, title.text.strip(), id_.span))
            if chain is not None:
                self.tables[id_.text] = read_table(document, node, chain)

    def _rules(self, document: Document) -> None:
        by_id: dict[str, list[Mapping]] = {}
        for node in document.node.mappings("rules"):
            by_id.setdefault(required(node, "id").text, []).append(node)
        for name, versions in by_id.items():
            for each in versions:
                self._periods.setdefault(name, []).append((read_period(each), required(each, "id").span))
            current = in_force(versions, read_period, self.as_of)
            if current is None:
                self._dropped[name] = _rule_layer(document, versions[-1])
            else:
                self._rule(name, document, current)

    def _rule(self, name: str, document: Document, node: Mapping) -> None:
        chain = self._say(f"rules.{name}", document, _rule_layer(document, node))
        if chain is None:
            return
        own = node.entries.get("enforce")
        level = () if own is None else (Said(document, own.key, own.value).layer,)
        self.layers[f"rules.{name}.enforce"] = level
        rule = read_rule(document, node, chain, level[-1].text if level else "block")
        below = self.rules.get(name)
        if below is not None and below.at != rule.at:
            at = required(node, "at")
            message = f"rule {quoted(name)} is judged at `{rule.at}` here and at `{below.at}` beneath"
            help_ = "a later layer changes what a rule asks, never where it asks"
            self.found.append(error("MQK-1217", message, at.span, help_, notes=[("first written here", below.span)]))
        if below is not None and not below.waivable:
            asked = node.scalar("waivable")
            if asked is not None and rule.waivable:
                message = f"rule {quoted(name)} is not waivable beneath, and cannot be made so"
                notes = [("first written here", below.span)]
                self.found.append(error("MQK-1221", message, asked.span, "remove the line", notes=notes))
            # What one layer denies, no later layer grants by leaving it out.
            rule = replace(rule, waivable=False)
        self.rules[name] = rule

    def _levels(self) -> None:
        """The engine's own levels of enforcement."""
        for name, entry in self.engine.node.mapping("enforce").entries.items():
            if not self.has_rule(name):
                message = f"{quoted(self.engine.id)} has no rule {quoted(name)}"
                self.found.append(error("MQK-1216", message, entry.key.span, did_you_mean(name, self.rules)))
            elif name in self.rules:
                layer = Said(self.engine, entry.key, entry.value).layer
                silenced = self._silenced.get(f"rules.{name}")
                if silenced is not None:
                    ended = f"{name}: {layer.text} (loosened until {format_date(silenced.until)})"
                    self._lapsed.append(Layer(layer.document, ended, layer.span))
                    continue
                key = f"rules.{name}.enforce"
                self.layers[key] = (*self.layers[key], layer)
                self.rules[name] = replace(self.rules[name], enforce=layer.text)


def _rule_layer(document: Document, node: Mapping) -> Layer:
    """As provenance shows a rule: the condition, at the rule's id."""
    return Layer(document.name, required(node, "require").text.strip(), required(node, "id").span)


def _limit_value(name: str, said: Said) -> LimitValue:
    if isinstance(said.node, SequenceNode):
        return tuple(sorted(item.text for item in said.node.items if isinstance(item, Scalar)))
    return read_value(schema_set().limit_format(name), written(said.node))
