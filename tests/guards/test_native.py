"""Guards in native code say of every rule what the reference interpreter says, and nothing where they cannot know."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from mqk.dsl import CollectionRef, FactRef, Type, syntax
from mqk.dsl.missing import MISSING
from mqk.dsl.types import Kind
from mqk.dsl.windows import window_attribute
from mqk.guards import Guard, Point, Result, compile_bundle
from mqk.guards.catalogue import VIEWS, collections_at, facts_at
from mqk.guards.fact import Elements
from mqk.guards.guard import observed
from mqk.guards.lookup import ViewLookup
from mqk.guards.native import NativeGuard
from tests.analysis.worlds import shipped

_WORDS = ("SPY", "AAPL", "GME", "ZZZ")


def _value(chance: random.Random, kind: Type) -> object:
    match kind.kind:
        case Kind.BOOL:
            return chance.random() < 0.5
        case Kind.ENUM:
            return chance.choice(kind.members)
        case Kind.RATIO:
            return Fraction(chance.randint(-200, 300), chance.choice([1, 7, 100]))
        case Kind.SYMBOL | Kind.TEXT:
            return chance.choice(_WORDS)
        case Kind.MONEY:
            price = chance.randint(0, 200) * 1_000_000
            return chance.choice([price, price + 1, chance.randint(-(10**12), 10**12), 2**63 - 1])
        case Kind.QUANTITY | Kind.COUNT | Kind.NUMBER:
            return chance.choice([0, 1, chance.randint(0, 60), chance.randint(-500, 100_000)])
        case _:
            return chance.choice([0, chance.randint(0, 10**8), chance.randint(0, 10**13), -(2**63)])


def _set(chance: random.Random, view: Any, name: str, ref: FactRef, holes: float) -> None:
    if chance.random() >= holes:
        setattr(view, name, _value(chance, ref.type) if chance.random() > holes / 4 else 0.5)
    elif ref.optional:
        setattr(view, name, MISSING)


def _views(chance: random.Random, guard: Guard, holes: float) -> list[object]:
    views: dict[str, Any] = {name: view() for name, view in VIEWS[guard.point].items()}
    for name, entry in facts_at(guard.point).items():
        if isinstance(entry.ref, FactRef):
            view, _, attribute = name.partition(".")
            _set(chance, views[view], attribute.replace(".", "_"), entry.ref, holes)
            if entry.ref.max_age is not None and chance.random() < holes:
                views[view].ages = {attribute: entry.ref.max_age + chance.randint(-1, 1)}
    for slot in _windows(guard):
        if chance.random() >= holes:
            setattr(views["windows"], window_attribute(slot), chance.randint(-1 if holes else 0, 60))
    for name, ref in collections_at(guard.point).items():
        _elements(chance, views[name], ref, holes)
    return list(views.values())


def _windows(guard: Guard) -> list[str]:
    nodes = [node for rule in guard.rules for part in rule.expressions for node in observed(part)]
    return sorted({node.slot for node in nodes if isinstance(node, syntax.Window) and node.slot is not None})


def _elements(chance: random.Random, elements: Elements, ref: CollectionRef, holes: float) -> None:
    for _ in range(chance.choice([0, 1, 3, 501 if chance.random() < holes else 2])):
        element = elements.ELEMENT()
        for field, each in ref.fields.items():
            _set(chance, element, field, each, holes / 4)
        elements.append(element)


@pytest.mark.parametrize("engine", ["MAIN", "EXP"])
def test_native_guards_agree_with_the_interpreter_rule_by_rule(engine: str) -> None:
    guards = compile_bundle(shipped(engine))
    chance = random.Random(engine)
    for point, guard in guards.guards.items():
        native = NativeGuard(guard)
        seen = dict.fromkeys(Result, 0)
        for number in range(60 if point is Point.ORDER else 120):
            views = _views(chance, guard, 0.04 if number % 2 else 0.0)
            lookup = ViewLookup(dict(zip(guard.parameters, views, strict=True)))
            buffer = native.layout.buffer()
            found = native.results(buffer) if native.layout.fill(buffer, lookup) else None
            said = [result for result, _ in guard.results(lookup)]
            for result in said:
                seen[result] += 1
            # Money near 64 bits times shares fits 128 bits: only more than that may be left undecided.
            assert found is not None or any(abs(each) > 2**60 for each in buffer)
            if found is not None:
                broken = sum(1 << i for i, result in enumerate(said) if result is Result.BREACH)
                errors = sum(1 << i for i, result in enumerate(said) if result is Result.ERROR)
                assert found == (broken, errors), (point, [r.id for r in guard.rules])
            if number % 2 == 0:
                # Generated Python does not look at types; where a value has none of a fact, the interpreter does.
                assert native.judge(*views) == guard.judge(*views)
        if guard.rules:
            assert seen[Result.PASS]
            assert seen[Result.BREACH] or seen[Result.ERROR]


def test_a_number_beyond_128_bits_is_left_to_python() -> None:
    guard = compile_bundle(shipped()).order
    native = NativeGuard(guard)
    chance = random.Random(1)
    views = _views(chance, guard, 0.0)
    order, position, account = (views[guard.parameters.index(name)] for name in ("order", "position", "account"))
    most = 2**63 - 1
    order.qty = order.worst_price = position.qty = position.working_buy = account.equity = most  # type: ignore[attr-defined]
    order.side, order.limit_price = "BUY", most  # type: ignore[attr-defined]
    buffer = native.layout.buffer()
    assert native.layout.fill(buffer, ViewLookup(dict(zip(guard.parameters, views, strict=True))))
    assert native.results(buffer) is None
    assert native.judge(*views) == guard.judge(*views)
