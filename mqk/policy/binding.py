"""What binds one engine beside its rules: the waivers in force, its allocation, broker, keys and claims.

The ruling content itself is ruling.py; putting it all into one Bundle is effective.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from mqk.policy.bundle import AllocationSource, BrokerSource
from mqk.policy.dates import in_force
from mqk.policy.diagnostics import Diagnostic, error, quoted
from mqk.policy.documents import Document, PolicySet
from mqk.policy.nodes import Mapping, Scalar
from mqk.policy.reading import read_claims, read_waiver, required
from mqk.policy.ruling import Ruling
from mqk.policy.sources import ClaimSource, Layer, RuleSource, WaiverSource
from mqk.policy.suggest import did_you_mean
from mqk.quantity import format_date, parse_money


@dataclass(slots=True)
class Binding:
    """Reads what else binds an engine on a day; what is wrong with it, and what is not in force, is collected."""

    policies: PolicySet
    engine: Document
    as_of: date | None
    found: list[Diagnostic] = field(default_factory=list)
    dropped: list[Layer] = field(default_factory=list)

    def waivers(self, ruling: Ruling) -> tuple[WaiverSource, ...]:
        """The waivers in force for the engine; those that have ended are noted, those to come are checked as well.

        Without a day none is in force: nothing that holds only for a while may hold for good.
        """
        holding = []
        for waiver in self._own_waivers():
            if self.as_of is not None and waiver.end <= self.as_of:
                text = f"{waiver.rule} waived until {format_date(waiver.end)}"
                self.dropped.append(Layer(waiver.document, text, waiver.span))
                continue
            rule = ruling.rules.get(waiver.rule)
            if not ruling.has_rule(waiver.rule):
                message = f"{quoted(self.engine.id)} has no rule {quoted(waiver.rule)} to set aside"
                self.found.append(error("MQK-1220", message, waiver.span, did_you_mean(waiver.rule, ruling.rules)))
            elif rule is not None and not rule.waivable:
                message = f"rule {quoted(waiver.rule)} is not waivable"
                notes = [("the rule", rule.span)]
                self.found.append(error("MQK-1221", message, waiver.span, "remove the waiver", notes=notes))
            elif self.as_of is not None and waiver.start <= self.as_of:
                holding.append(waiver)
        return tuple(sorted(holding, key=lambda each: each.id))

    def _own_waivers(self) -> Iterator[WaiverSource]:
        for name in self.policies.ids("waiver"):
            for document in self.policies.versions["waiver", name]:
                if self.engine.id in {each.text for each in document.node.scalars("engines")}:
                    yield read_waiver(document)

    def allocation(self) -> AllocationSource | None:
        """The engine's part of the allocation it uses, and whether it keeps within it."""
        uses = self.engine.node.mapping("uses").scalars("allocation")
        if not uses:
            return None
        versions = self.policies.versions["allocation", uses[0].text]
        document = in_force(versions, lambda each: each.period, self.as_of)
        if document is None:
            day = "" if self.as_of is None else f" on {format_date(self.as_of)}"
            message = f"no version of the allocation {quoted(uses[0].text)} is in force{day}"
            self.found.append(error("MQK-1210", message, uses[0].span))
            return None
        entry = document.node.mapping("engines").entries.get(self.engine.id)
        if entry is None or not isinstance(entry.value, Mapping):
            message = f"{quoted(self.engine.id)} has no part of the allocation {quoted(document.id)}"
            notes = [("the allocation", document.span)]
            self.found.append(error("MQK-1225", message, uses[0].span, "give it one", notes=notes))
            return None
        part = required(entry.value, "capital")
        confined = "symbols" in entry.value.entries
        symbols = tuple(sorted(each.text for each in entry.value.scalars("symbols")))
        found = AllocationSource(
            id=document.id,
            capital=parse_money(required(document.node, "capital").text),
            part=parse_money(part.text),
            symbols=symbols if confined else None,
            document=document.name,
            span=entry.key.span,
        )
        self._within(found, part)
        return found

    def _within(self, allocation: AllocationSource, part: Scalar) -> None:
        capital = required(self.engine.node, "capital")
        own = parse_money(capital.text)
        if own.currency != allocation.part.currency or own.micros > allocation.part.micros:
            message = f"{quoted(self.engine.id)} starts with {own}, and its part is {allocation.part}"
            notes = [("its part", part.span)]
            self.found.append(error("MQK-1225", message, capital.span, "lower it, or raise the part", notes=notes))
        for symbol in self.engine.node.scalars("universe"):
            if allocation.symbols is not None and symbol.text not in allocation.symbols:
                message = f"{quoted(self.engine.id)} may not trade {quoted(symbol.text)}"
                notes = [("the symbols of its part", allocation.span)]
                help_ = "remove it, or add it to the engine's part"
                self.found.append(error("MQK-1226", message, symbol.span, help_, notes=notes))

    def stresses(self, ruling: Sequence[Document]) -> tuple[str, ...]:
        """The overlays under which a candidate for promotion is run as well."""
        names = (each.text for document in ruling for each in document.node.scalars("stress"))
        return tuple(dict.fromkeys(names))

    def broker(self) -> BrokerSource | None:
        """Who carries the engine's orders out, when it says so."""
        node = self.engine.node.mapping("broker")
        id_, account = node.scalar("id"), node.scalar("account")
        return None if id_ is None else BrokerSource(id_.text, None if account is None else account.text, id_.span)

    def keys(self) -> dict[str, str]:
        """The environment variables that hold the engine's keys, by what they are for."""
        entries = sorted(self.engine.node.mapping("keys").entries.items())
        return {name: entry.value.text for name, entry in entries if isinstance(entry.value, Scalar)}

    def claims(self, ruling: Sequence[Document]) -> tuple[ClaimSource, ...]:
        """The claims of the documents that rule the engine, and of the tests of it."""
        tests = (
            document
            for name in self.policies.ids("test")
            for document in self.policies.versions["test", name]
            if self.engine.id in {each.text for each in _tested(document)}
        )
        return tuple(claim for document in (*ruling, *tests) for claim in read_claims(document))


def _tested(document: Document) -> tuple[Scalar, ...]:
    alone = document.node.scalar("engine")
    return document.node.scalars("engines") if alone is None else (alone,)


def waived(rules: Iterable[RuleSource], waivers: Sequence[WaiverSource]) -> tuple[RuleSource, ...]:
    """The rules, each with the waivers that set it aside."""
    by_rule: dict[str, list[WaiverSource]] = {}
    for waiver in waivers:
        by_rule.setdefault(waiver.rule, []).append(waiver)
    return tuple(replace(rule, waivers=tuple(by_rule[rule.id])) if rule.id in by_rule else rule for rule in rules)
