"""The effective policy of an engine: documents in, one Bundle out, or everything that keeps it from being one.

The order of layers is layers.py, what a Bundle is bundle.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from mqk.dsl import format_expression, parse_expression
from mqk.policy.binding import Binding, waived
from mqk.policy.bundle import Bundle, StrategySpec
from mqk.policy.dates import in_force
from mqk.policy.diagnostics import Diagnostic, PolicyError, Span, error, in_order, listed, quoted
from mqk.policy.documents import Document, PolicySet
from mqk.policy.layers import Said, Stack, stack, written
from mqk.policy.machines import read_lifecycle
from mqk.policy.nodes import Mapping as MappingNode
from mqk.policy.nodes import Scalar, Text  # fmt: skip
from mqk.policy.reading import required
from mqk.policy.ruling import Ruling
from mqk.policy.schemas import RULING
from mqk.policy.settings import read_execution, read_schedule
from mqk.policy.sources import Layer
from mqk.policy.suggest import did_you_mean
from mqk.quantity import format_date, parse_money

# Every kind that an engine uses, in layers.
_LAYERED = (*(kind for kind in RULING if kind != "engine"), "lifecycle", "execution", "schedule")


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


def check_policies(policies: PolicySet, as_of: date | None = None) -> tuple[Diagnostic, ...]:
    """Everything wrong with a set: its own diagnostics, or what keeps its engines from having an effective policy."""
    found = list(policies.diagnostics)
    if not policies.errors:
        for name in policies.ids("engine"):
            try:
                effective_bundle(policies, name, as_of=as_of)
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
        ruling = self._ruling([each for kind in _LAYERED if kind in RULING for each in stacks[kind].documents])
        binding = Binding(self.policies, self.engine, self.as_of)
        waivers = binding.waivers(ruling)
        allocation = binding.allocation()
        self.dropped += binding.dropped
        self.found += binding.found
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
            limits={name: ruling.limits[name] for name in sorted(ruling.limits)},
            rules=waived([ruling.rules[name] for name in sorted(ruling.rules)], waivers),
            lifecycles={name: machines[name] for name in sorted(machines)},
            execution=execution,
            schedule=schedule,
            baseline=self._baseline(node.mapping("baseline")),
            layers={key: self.layers[key] for key in sorted(self.layers)},
            as_of=self.as_of,
            overlays=overlays,
            not_in_force=tuple(self.dropped),
            lets={name: ruling.lets[name] for name in sorted(ruling.lets)},
            tables={name: ruling.tables[name] for name in sorted(ruling.tables)},
            waivers=waivers,
            claims=binding.claims(ruling.documents),
            loosened=tuple(ruling.loosened),
            mandatory={name: ruling.mandatory[name] for name in sorted(ruling.mandatory)},
            allocation=allocation,
            stresses=binding.stresses(ruling.documents),
            broker=binding.broker(),
            keys=binding.keys(),
            stages=tuple(ruling.stages),
        )

    def _ruling(self, beneath: Sequence[Document]) -> Ruling:
        ruling = Ruling(self.engine, self.as_of)
        for document in (*beneath, self.engine):
            ruling.lay(document)
        ruling.finish()
        self.layers |= ruling.layers
        self.dropped += ruling.dropped
        self.found += ruling.found
        return ruling

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

    def _strategies(self) -> tuple[StrategySpec, ...]:
        found = []
        for node in self.engine.node.mappings("strategies"):
            id_ = required(node, "id")
            params = {name: written(entry.value) for name, entry in sorted(node.mapping("params").entries.items())}
            shadow = node.scalar("shadow")
            watches = shadow is not None and shadow.text == "true"
            tried = node.mapping("grid")
            grid = {name: tuple(written(each) for each in tried.items(name)) for name in sorted(tried.entries)}
            found.append(StrategySpec(id_.text, params, watches, id_.span, grid))
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
