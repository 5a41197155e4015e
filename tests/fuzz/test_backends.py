"""Every backend says the same of generated policies; `make fuzz` asks a million pairs."""

from __future__ import annotations

import random

from mqk.dsl import format_expression, syntax
from tests.fuzz.campaign import MOMENTS, part
from tests.fuzz.compare import NATIVE, PYTHON, checked, differences
from tests.fuzz.generate import Writer, complete, moment


def test_all_backends_agree_on_ten_thousand_pairs() -> None:
    tally = part(20261124, 0, 10_000 // MOMENTS)
    assert not tally.found, tally.found[0].told()
    assert tally.pairs == 10_000
    # A campaign in which everything were an error, or everything passed, would prove little.
    assert 1_000 < tally.passes < 8_000
    assert 500 < tally.errors < 8_000


def test_every_construct_of_the_language_is_generated() -> None:
    writer = Writer(random.Random(7))
    kinds: set[str] = set()
    for _ in range(400):
        for node in syntax.walk(checked(writer.condition())):
            kinds.add(f"{type(node).__name__}:{getattr(node, 'kind', getattr(node, 'function', ''))}")
    wanted = {f"Quantified:{kind}" for kind in ("some", "every", "sum", "count")}
    wanted |= {f"Call:{name}" for name in ("abs", "min", "max", "multiple_of")}
    wanted |= {f"{name}:" for name in ("If", "Not", "Member", "Compare", "Connective", "Present", "Negate")}
    wanted |= {"Window:count", "Window:total"}
    assert wanted <= kinds


def test_a_condition_is_the_same_for_the_same_seed() -> None:
    assert [Writer(random.Random(3)).condition() for _ in range(2)] == [Writer(random.Random(3)).condition()] * 2


def test_a_backend_that_errs_is_noticed_and_shown_small() -> None:
    """The comparison itself, on a moment at which the generated code of another condition would be wrong."""
    random_ = random.Random(5)
    whole = moment(random_, 0)
    assert complete(whole)
    expr = checked("a.qty <= 3")
    other = checked("a.qty < 3")
    disagreeing = type(whole)({**whole.values, "a.qty": 3}, whole.collections)
    assert not differences(expr, [disagreeing], solver=True)
    found = differences(expr, [disagreeing], solver=False, compiled=other)
    assert [backend for backend, _ in found[0].answers] == ["the interpreter", PYTHON, NATIVE]
    assert format_expression(expr) in found[0].told()
