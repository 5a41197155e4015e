"""The effective policy of an engine: documents in, one Bundle out, or everything that keeps it from being one.

The order of layers is layers.py, what a Bundle is bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mqk.dsl import format_expression, parse_expression
from mqk.policy.bundle import Bundle, StrategySpec
from mqk.policy.dates import in_force
from mqk.policy.diagnostics import Diagnostic, PolicyError, Span, error, in_order, listed, quoted
from mqk.policy.documents import Document, PolicySet
from mqk.policy.layers import RuleSaid, Said, Stack, limits_said, rules_said, stack, written
from mqk.policy.machines import read_lifecycle
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.nodes import Scalar, Text  # fmt: skip
from mqk.policy.nodes import Sequence as SequenceNode
from mqk.policy.schemas import schema_set
from mqk.policy.settings import read_execution, read_schedule
from mqk.policy.sources import LatchSource, Layer, Limit, RuleSource
from mqk.policy.suggest import did_you_mean
from mqk.policy.values import LimitValue, read_value, type_name
from mqk.quantity import format_date, parse_count, parse_money

_LAYERED = ("risk", "integrity", "lifecycle", "execution", "schedule")


def effective_bundle(
    policies: PolicySet, engine_id: str, *, as_of: date | None = None, overlays: Sequence[str] = ()
) -> Bundle:
    """What binds an engine on a day (None: the latest of everything), with stresses laid over it by name.

    Raises PolicyError with every diagnostic that is in the way; a set with any error has no effective policy.
    """
    if policies.errors:
        raise PolicyError(policies.errors)
    engine = _engine(policies, engine_id, as_of)
    builder = _Builder(policies, engine, as_of)
    bundle = builder.build(tuple(overlays))
    if builder.found or bundle is None:
        raise PolicyError(in_order(builder.found))
    return bundle


def check_policies(policies: PolicySet) -> tuple[Diagnostic, ...]:
    """Everything wrong with a set: its own diagnostics, or what keeps its engines from having an effective policy."""
    found = list(policies.diagnostics)
    if not policies.errors:
        for name in policies.ids("engine"):
            try:
                effective_bundle(policies, name)
            except PolicyError as fault:
                found += fault.diagnostics
    return in_order(found)


def _engine(policies: PolicySet, name: str, as_of: date | None) -> Document:
    versions = policies.versions.get(("engine", name))
    if versions is None:
        known = policies.ids("engine")
        help_ = did_you_mean(name, known) or (f"there are {listed(known, 'and')}" if known else "no engine was loaded")
        raise PolicyError([error("MQK-1209", f"there is no engine {quoted(name)}", Span.nowhere("engine"), help_)])
    engine = in_force(versions, lambda each: each.period, as_of)
    if engine is None:
        day = "" if as_of is None else f" on {format_date(as_of)}"
        message = f"no version of engine {quoted(name)} is in force{day}"
        raise PolicyError([error("MQK-1210", message, versions[0].span)])
    return engine


@dataclass(slots=True)
class _Builder:
    """Puts a bundle together, collecting what is wrong instead of stopping at it."""

    policies: PolicySet
    engine: Document
    as_of: date | None
    found: list[Diagnostic] = field(default_factory=list)
    layers: dict[str, tuple[Layer, ...]] = field(default_factory=dict)
    dropped: list[Layer] = field(default_factory=list)

    def build(self, overlays: tuple[str, ...]) -> Bundle | None:
        """The bundle, or None when something it cannot do without is missing."""
        stacks = {kind: self._stack(kind) for kind in _LAYERED}
        stacks["execution"].documents += self._overlays(overlays)
        ruling = [*stacks["risk"].documents, *stacks["integrity"].documents, self.engine]
        limits = self._limits(ruling)
        rules = self._rules(ruling)
        execution, chains, holes = read_execution(self.engine, stacks["execution"].documents)
        self._note("execution", chains, holes)
        schedule, chains, holes = read_schedule(self.engine, stacks["schedule"].documents)
        self._note("schedule", chains, holes)
        if schedule is not None and schedule.heartbeat.micros >= schedule.deadman.micros:
            message = f"a heartbeat every {schedule.heartbeat} never comes within the deadman's {schedule.deadman}"
            span = self.layers["schedule.deadman"][-1].span
            self.found.append(error("MQK-1218", message, span, "let several heartbeats fit into the deadman's time"))
        if self._own("capital").split()[-1] != "USD":
            message = f"facts are in USD, and the capital of {quoted(self.engine.id)} is not"
            span = self.layers["capital"][-1].span
            self.found.append(error("MQK-1218", message, span, "write the capital in USD"))
        machines = {each.id: read_lifecycle(each) for each in stacks["lifecycle"].documents}
        self.layers |= {
            f"lifecycles.{each.id}": (Layer(each.name, each.title, each.span),)
            for each in stacks["lifecycle"].documents
        }
        if execution is None or schedule is None:
            return None
        node = self.engine.node
        return Bundle(
            engine=self.engine.id,
            mode=self._own("mode"),
            capital=parse_money(self._own("capital")),
            calendar=self._own("calendar"),
            timeframes=tuple(each.text for each in self._own_items("timeframes")),
            universe=tuple(sorted(each.text for each in self._own_items("universe"))),
            strategies=self._strategies(),
            limits={name: limits[name] for name in sorted(limits)},
            rules=rules,
            lifecycles={name: machines[name] for name in sorted(machines)},
            execution=execution,
            schedule=schedule,
            baseline=self._baseline(node.mapping("baseline")),
            layers={key: self.layers[key] for key in sorted(self.layers)},
            as_of=self.as_of,
            overlays=overlays,
            not_in_force=tuple(self.dropped),
        )

    def _stack(self, kind: str) -> Stack:
        uses = self.engine.node.mapping("uses")
        names = uses.scalars(kind)
        found = stack(self.policies, kind, [each.text for each in names], self.as_of)
        self.dropped += [Layer(each.name, each.title, each.span) for each in found.dropped]
        if names and not found.documents:
            day = "" if self.as_of is None else f" on {format_date(self.as_of)}"
            message = f"no `{kind}` document that {quoted(self.engine.id)} uses is in force{day}"
            self.found.append(error("MQK-1210", message, uses.entries[kind].key.span))
        return found

    def _overlays(self, names: Sequence[str]) -> list[Document]:
        known = [
            each for each in self.policies.ids("execution") if _is_overlay(self.policies.documents["execution", each])
        ]
        for name in names:
            if name not in known:
                help_ = did_you_mean(name, known) or (f"there are {listed(known, 'and')}" if known else None)
                message = f"there is no overlay {quoted(name)}"
                self.found.append(error("MQK-1212", message, Span.nowhere("overlay"), help_))
        wanted = [name for name in names if name in known]
        found = stack(self.policies, "execution", wanted, self.as_of)
        for document in [*found.dropped, *found.documents]:
            what = "is not in force" if document in found.dropped else "is no overlay, and would undo the costs beneath"
            if document in found.dropped or not _is_overlay(document):
                self.found.append(error("MQK-1212", f"{quoted(document.id)} {what}", document.span))
        return found.documents

    def _limits(self, documents: Sequence[Document]) -> dict[str, Limit]:
        limits: dict[str, Limit] = {}
        for name, said in limits_said(documents).items():
            self._one_meaning(f"limits.{name}", [each.document for each in said], [each.layer for each in said])
            values = [_limit_value(name, each) for each in said]
            chain = tuple(each.layer for each in said)
            for each, value in zip(said, values, strict=True):
                if type(value) is not type(values[0]):
                    self._changed_type(name, said[0], values[0], each, value)
            self.layers[f"limits.{name}"] = chain
            limits[name] = Limit(name, values[-1], chain[-1].text, chain[-1].span, chain)
        return limits

    def _changed_type(self, name: str, first: Said, was: LimitValue, later: Said, now: LimitValue) -> None:
        message = f"`limits.{name}` is {type_name(now)} here and {type_name(was)} in `{first.document.name}`"
        notes = [("first written here", first.layer.span)]
        help_ = "a later layer changes the value of a limit, never its type"
        self.found.append(error("MQK-1207", message, later.layer.span, help_, notes=notes))

    def _one_meaning(self, key: str, documents: Sequence[Document], layers: Sequence[Layer]) -> None:
        """A name that two kinds of document give a meaning to: one would silently take the other's place."""
        for document, layer in zip(documents, layers, strict=True):
            if document.kind not in ("engine", documents[0].kind):
                message = f"`{key}` is written in `{documents[0].name}` and, for something else, in `{document.name}`"
                notes = [("first written here", layers[0].span)]
                help_ = f"give it another name: a {documents[0].kind} document's is replaced by one that extends it"
                self.found.append(error("MQK-1217", message, layer.span, help_, notes=notes))

    def _rules(self, documents: Sequence[Document]) -> tuple[RuleSource, ...]:
        said, dropped = rules_said(documents, self.as_of)
        self.dropped += [each.layer for each in dropped.values()]
        levels = self.engine.node.mapping("enforce").entries
        for name, entry in levels.items():
            if name not in said and name not in dropped:
                message = f"{quoted(self.engine.id)} has no rule {quoted(name)}"
                self.found.append(error("MQK-1216", message, entry.key.span, did_you_mean(name, said)))
        rules = []
        for name in sorted(said):
            chain = tuple(each.layer for each in said[name])
            self._one_meaning(f"rules.{name}", [each.document for each in said[name]], chain)
            first, last = (_required(each.rule, "at") for each in (said[name][0], said[name][-1]))
            if first.text != last.text:
                message = f"rule {quoted(name)} is judged at `{last.text}` here and at `{first.text}` beneath"
                help_ = "a later layer changes what a rule asks, never where it asks"
                notes = [("first written here", first.span)]
                self.found.append(error("MQK-1217", message, last.span, help_, notes=notes))
            self.layers[f"rules.{name}"] = chain
            level = levels.get(name)
            own = said[name][-1].rule.entries.get("enforce")
            enforced = [Said(said[name][-1].document, own.key, own.value)] if own is not None else []
            if level is not None:
                enforced.append(Said(self.engine, level.key, level.value))
            self.layers[f"rules.{name}.enforce"] = tuple(each.layer for each in enforced)
            rules.append(_rule(said[name][-1], chain, written(enforced[-1].node) if enforced else "block"))
        return tuple(rules)

    def _strategies(self) -> tuple[StrategySpec, ...]:
        found = []
        for node in self.engine.node.mappings("strategies"):
            id_ = _required(node, "id")
            params = {name: written(entry.value) for name, entry in sorted(node.mapping("params").entries.items())}
            shadow = node.scalar("shadow")
            found.append(StrategySpec(id_.text, params, shadow is not None and shadow.text == "true", id_.span))
            self.layers[f"strategies.{id_.text}"] = (Layer(self.engine.name, written(node), id_.span),)
        return tuple(sorted(found, key=lambda each: each.id))

    def _baseline(self, node: MappingNode) -> Mapping[str, Text]:
        facts: dict[str, Text] = {}
        for name, entry in sorted(node.entries.items()):
            if isinstance(entry.value, Scalar):
                fact = format_expression(parse_expression(name))
                facts[fact] = entry.value
                self.layers[f"baseline.{fact}"] = (Said(self.engine, entry.key, entry.value).layer,)
        return facts

    def _own(self, key: str) -> str:
        entry = self.engine.node.entries[key]
        self.layers[key] = (Said(self.engine, entry.key, entry.value).layer,)
        return written(entry.value)

    def _own_items(self, key: str) -> tuple[Scalar, ...]:
        self._own(key)
        return self.engine.node.scalars(key)

    def _note(self, kind: str, chains: Mapping[str, tuple[Layer, ...]], holes: Sequence[Diagnostic]) -> None:
        self.layers |= {f"{kind}.{key}": chain for key, chain in chains.items()}
        self.found += holes


def _is_overlay(document: Document) -> bool:
    overlay = document.node.scalar("overlay")
    return overlay is not None and overlay.text == "true"


def _limit_value(name: str, said: Said) -> LimitValue:
    if isinstance(said.node, SequenceNode):
        return tuple(sorted(item.text for item in said.node.items if isinstance(item, Scalar)))
    return read_value(schema_set().limit_format(name), written(said.node))


def _required(node: MappingNode, key: str) -> Scalar:
    """A scalar that the schema made sure of."""
    value = node.scalar(key)
    assert value is not None, key
    return value


def _rule(said: RuleSaid, chain: tuple[Layer, ...], enforce: str) -> RuleSource:
    rule = said.rule
    confirm, latch = rule.scalar("confirm"), rule.mapping("latch")
    until, by = latch.scalar("until"), latch.scalar("by")
    exits = rule.mapping("exits").scalar("included")
    return RuleSource(
        id=said.id.text,
        title=_required(rule, "title").text.strip(),
        at=_required(rule, "at").text,
        require=_required(rule, "require"),
        when=rule.scalar("when"),
        otherwise=_required(rule, "otherwise").text,
        confirm=1 if confirm is None else parse_count(confirm.text).value,
        latch=None if until is None else LatchSource(until.text, None if by is None else by.text),
        exits_included=exits is not None,
        exits_reason=None if exits is None else exits.text.strip(),
        enforce=enforce,
        cites=tuple(each.text.strip() for each in rule.scalars("cites")),
        document=said.document.name,
        span=said.id.span,
        chain=chain,
    )
