"""Everything that guards rest on and two bundles do not say alike: limits, names, tables, rules, waivers, the engine.

What lives here: the inventory, each difference with the way to make it alone. What does not: which way it leads, which
is for the solver to say (directions.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mqk.analysis.diff.differences import Difference, both, place
from mqk.analysis.diff.results import Direction
from mqk.analysis.names import Part, changed
from mqk.policy import Bundle, LatchSource, RuleSource, Span, WaiverSource
from mqk.policy.canonical import canonical_expression, canonical_table
from mqk.quantity import format_date


def differences(low: Bundle, high: Bundle) -> Iterator[Difference]:
    """What guards may judge otherwise by."""
    yield from _named(low, high)
    yield from _rules(low, high)
    yield from _waivers(low, high)


def _named(low: Bundle, high: Bundle) -> Iterator[Difference]:
    for name, (before, after) in changed(low, high).items():
        if _same_meaning(low, high, name):
            continue
        section = name.partition(".")[0]
        known = section in ("limits", "tables", "engine")
        kind = {"limits": "limit", "tables": "table", "engine": "engine"}[section] if known else "let"
        if name == "engine.universe":
            kind = "universe"
        path = name if known else f"lets.{name}"
        # What nothing reads yet, or any more, binds nobody by itself: the rules that read it are what differs.
        alone = before is None or after is None
        why = "nothing but the rules that read it" if alone else ""
        if name == "engine.universe":
            why = "other symbols may be traded"
        yield Difference(
            path,
            kind,
            _text(before),
            _text(after),
            _place(before),
            _place(after),
            Direction.EQUAL if alone else _inclusion(low, high) if name == "engine.universe" else None,
            why=why,
            apply=None if alone else _applied(high, name),
            name=name,
        )


def _text(part: Part | None) -> str | None:
    return None if part is None else " ".join(part.text.split())


def _place(part: Part | None) -> Span | None:
    return None if part is None else part.span


def _inclusion(low: Bundle, high: Bundle) -> Direction:
    """More symbols to trade are looser, whatever rules say of them."""
    before, after = set(low.universe), set(high.universe)
    if before < after:
        return Direction.LOOSER
    return Direction.TIGHTER if after < before else Direction.INCOMPARABLE


def _applied(high: Bundle, name: str) -> Callable[[Bundle], Bundle]:
    """The way to say one named thing as the new side does."""
    section, _, key = name.partition(".")

    def apply(bundle: Bundle) -> Bundle:
        match section:
            case "limits":
                return replace(bundle, limits={**bundle.limits, key: high.limits[key]})
            case "tables":
                return replace(bundle, tables={**bundle.tables, key: high.tables[key]})
            case "engine" if key == "universe":
                return replace(bundle, universe=high.universe)
            case "engine":
                return replace(bundle, capital=high.capital)
            case _:
                return replace(bundle, lets={**bundle.lets, name: high.lets[name]})

    return apply


@dataclass(frozen=True, slots=True)
class _Facet:
    """One thing that a rule says, by the name of its key: as it is compared, and as it is told."""

    key: str
    attribute: str
    said: Callable[[RuleSource], object]
    told: Callable[[RuleSource], str | None]


def _squeezed(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())


def _same_meaning(low: Bundle, high: Bundle, name: str) -> bool:
    """Whether a named thing is merely laid out otherwise."""
    section, _, key = name.partition(".")
    if not key and name in low.lets and name in high.lets:
        return canonical_expression(low.lets[name].text) == canonical_expression(high.lets[name].text)
    if section == "tables" and key in low.tables and key in high.tables:
        return canonical_table(low.tables[key]) == canonical_table(high.tables[key])
    return False


def _latch(latch: LatchSource | None) -> str | None:
    return None if latch is None else f"until {latch.until}" + (f", by {latch.by}" if latch.by else "")


def _require(rule: RuleSource) -> str | None:
    return _squeezed(rule.require.text)


def _when(rule: RuleSource) -> str | None:
    return None if rule.when is None else _squeezed(rule.when.text)


def _exits(rule: RuleSource) -> str:
    return "included" if rule.exits_included else "free"


_LEVELS: Final = ("shadow", "warn", "block")
FACETS: Final = (
    _Facet("require", "require", lambda rule: canonical_expression(rule.require), _require),
    _Facet("when", "when", lambda rule: canonical_expression(rule.when), _when),
    _Facet("otherwise", "otherwise", lambda rule: rule.otherwise, lambda rule: rule.otherwise),
    _Facet("confirm", "confirm", lambda rule: rule.confirm, lambda rule: f"after {rule.confirm} in a row"),
    _Facet("latch", "latch", lambda rule: rule.latch, lambda rule: _latch(rule.latch)),
    _Facet("exits", "exits_included", lambda rule: rule.exits_included, _exits),
    _Facet("enforce", "enforce", lambda rule: rule.enforce, lambda rule: rule.enforce),
)


def _rules(low: Bundle, high: Bundle) -> Iterator[Difference]:
    before = {rule.id: rule for rule in low.rules}
    after = {rule.id: rule for rule in high.rules}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        path = f"rules.{name}"
        if one is None or other is None or one.at != other.at:
            # What comes and goes is what it is, whatever stands before it today; elsewhere a rule is another one.
            moved = Direction.INCOMPARABLE if one is not None and other is not None else None
            why = "it is not asked any more" if other is None else "it is asked"
            yield Difference(
                path,
                "rule",
                *both(one, other, _require if moved is None else lambda rule: f"at {rule.at}: {rule.otherwise}"),
                *both(one, other, lambda rule: rule.span),
                moved or (Direction.LOOSER if other is None else Direction.TIGHTER),
                "it asks elsewhere" if moved is not None else why,
                apply=_with_rule(name, other),
                name=path,
            )
            continue
        for facet in FACETS:
            if facet.said(one) != facet.said(other):
                yield _facet(low, high, one, other, facet)
        if one.waivable is not other.waivable:
            yield Difference(
                f"{path}.waivable",
                "rule",
                str(one.waivable).lower(),
                str(other.waivable).lower(),
                one.span,
                other.span,
                Direction.LOOSER if other.waivable else Direction.TIGHTER,
                "it may be set aside" if other.waivable else "nobody may set it aside any more",
                name=path,
            )


def _facet(low: Bundle, high: Bundle, one: RuleSource, other: RuleSource, facet: _Facet) -> Difference:
    attribute = facet.attribute

    def apply(bundle: Bundle) -> Bundle:
        rules = tuple(
            replace(rule, **{attribute: getattr(other, attribute)}) if rule.id == one.id else rule
            for rule in bundle.rules
        )
        return replace(bundle, rules=rules)

    key = f"rules.{one.id}.enforce"
    enforced = facet.key == "enforce"
    weaker = enforced and _LEVELS.index(other.enforce) < _LEVELS.index(one.enforce)
    nature = None if not enforced else Direction.LOOSER if weaker else Direction.TIGHTER
    return Difference(
        f"rules.{one.id}.{facet.key}",
        "enforcement" if enforced else "rule",
        facet.told(one),
        facet.told(other),
        _written(one, facet) or (place(low, key) if enforced else None) or one.span,
        _written(other, facet) or (place(high, key) if enforced else None) or other.span,
        nature,
        "" if nature is None else "it may do less" if weaker else "it may do more",
        apply=apply,
        name=f"rules.{one.id}",
    )


def _written(rule: RuleSource, facet: _Facet) -> Span | None:
    """The place of a facet, where a rule knows it."""
    text = {"require": rule.require, "when": rule.when}.get(facet.key)
    return None if text is None else text.span


def _with_rule(name: str, rule: RuleSource | None) -> Callable[[Bundle], Bundle]:
    """The way to have one rule, or not to."""

    def apply(bundle: Bundle) -> Bundle:
        others = [each for each in bundle.rules if each.id != name]
        rules = sorted([*others, *([] if rule is None else [rule])], key=lambda each: each.id)
        return replace(bundle, rules=tuple(rules))

    return apply


def _waivers(low: Bundle, high: Bundle) -> Iterator[Difference]:
    before, after = ({each.id: each for each in bundle.waivers} for bundle in (low, high))
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        path = f"waivers.{name}"
        if one is None or other is None or _bears(one) != _bears(other):
            come, gone = one is None, other is None
            yield Difference(
                path,
                "waiver",
                _waiver(one),
                _waiver(other),
                None if one is None else one.span,
                None if other is None else other.span,
                Direction.LOOSER if come else Direction.TIGHTER if gone else None,
                "the rule is set aside" if come else "the rule binds again" if gone else "",
                apply=_with_waiver(one, other),
                name=f"rules.{one.rule}" if one is not None else f"rules.{other.rule}" if other is not None else "",
            )
        if one is not None and other is not None and one.end != other.end:
            yield Difference(
                f"{path}.until",
                "waiver",
                format_date(one.end),
                format_date(other.end),
                one.span,
                other.span,
                Direction.LOOSER if other.end > one.end else Direction.TIGHTER,
                "the rule is set aside for longer" if other.end > one.end else "the rule binds again sooner",
                name=f"rules.{other.rule}",
            )


def _bears(waiver: WaiverSource) -> tuple[object, ...]:
    return (waiver.rule, canonical_expression(waiver.scope))


def _waiver(waiver: WaiverSource | None) -> str | None:
    if waiver is None:
        return None
    scope = "everywhere" if waiver.scope is None else f"where {_squeezed(waiver.scope.text)}"
    return f"{waiver.rule} {scope}, until {format_date(waiver.end)}"


def _with_waiver(one: WaiverSource | None, other: WaiverSource | None) -> Callable[[Bundle], Bundle]:
    """The way to have one waiver as the new side has it."""

    def apply(bundle: Bundle) -> Bundle:
        rules = []
        for rule in bundle.rules:
            waivers = [each for each in rule.waivers if one is None or each.id != one.id]
            if other is not None and other.rule == rule.id:
                waivers.append(other)
            rules.append(replace(rule, waivers=tuple(waivers)))
        return replace(bundle, rules=tuple(rules))

    return apply


def hybrid(low: Bundle, high: Bundle) -> Bundle:
    """The old side, with every name that only the new side has: so that what rests on one can be made alone."""
    return replace(
        low,
        limits={**high.limits, **low.limits},
        lets={**high.lets, **low.lets},
        tables={**high.tables, **low.tables},
    )


def renamed(low: Bundle, high: Bundle) -> dict[str, tuple[str, Span]]:
    """Rules that have another name and say the same: the old name, the new one, and where the old one stood."""
    before = {rule.id: rule for rule in low.rules}
    after = {rule.id: rule for rule in high.rules}
    gone = [rule for name, rule in before.items() if name not in after]
    come = {_content(rule): name for name, rule in after.items() if name not in before}
    found: dict[str, tuple[str, Span]] = {}
    for rule in gone:
        new = come.pop(_content(rule), None)
        if new is not None:
            found[rule.id] = (new, rule.span)
    return found


def _content(rule: RuleSource) -> tuple[object, ...]:
    waivers = tuple(sorted((str(canonical_expression(each.scope)), each.start, each.end) for each in rule.waivers))
    return (rule.at, *(facet.said(rule) for facet in FACETS), rule.waivable, waivers)


def under_new_names(bundle: Bundle, names: Mapping[str, tuple[str, Span]]) -> Bundle:
    """A bundle with rules called by their new names."""
    if not names:
        return bundle

    def new(name: str) -> str:
        return names[name][0] if name in names else name

    rules = []
    for rule in bundle.rules:
        waivers = tuple(replace(each, rule=new(each.rule)) for each in rule.waivers)
        rules.append(replace(rule, id=new(rule.id), waivers=waivers))
    waivers = tuple(replace(each, rule=new(each.rule)) for each in bundle.waivers)
    return replace(bundle, rules=tuple(sorted(rules, key=lambda each: each.id)), waivers=waivers)
