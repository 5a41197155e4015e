"""What is said of the elements of a recorded collection, as Ibis expressions over an array of structs.

Every element is judged to a small number: what it says, that it is not meant, or that it cannot be judged; the largest
of them is the answer. Sums add up exact numbers over one constant divisor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mqk.dsl import syntax
from mqk.dsl.emit_ibis_numbers import WIDE, NotEmitted, Number, Whole, constant, number
from mqk.dsl.emit_ibis_truths import Truth

if TYPE_CHECKING:
    from mqk.dsl.emit_ibis import Emitter

# What one element comes to; the largest of all settles it.
_NOT_MEANT: Final = 0
_NO: Final = 1
_YES: Final = 2
_ERROR: Final = 3


def quantified(emitter: Emitter, expr: syntax.Quantified) -> Truth | Number:
    """A quantifier: a condition for `some` and `every`, a number for `sum` and `count`."""
    assert expr.ref is not None
    elements = emitter.facts.elements(expr.ref)
    if expr.kind in ("some", "every"):
        return _holds(emitter, expr, elements)
    if expr.kind == "count":
        return _count(emitter, expr, elements)
    return _sum(emitter, expr, elements)


def _bounded(elements: Any, maximum: int, empty: Any, full: Any) -> Any:
    """`empty` without elements, `full` of up to so many, NULL of more and where the collection is NULL."""
    import ibis  # noqa: PLC0415 - heavy

    size = elements.length()
    return ibis.cases((size == 0, empty), (size <= maximum, full), else_=ibis.null(full.type()))


def _small(value: int) -> Any:
    import ibis  # noqa: PLC0415 - heavy

    return ibis.literal(value, "int64")


def _meant(where: Truth | None, said: Any) -> Any:
    """What an element comes to, where it is meant."""
    import ibis  # noqa: PLC0415 - heavy

    if where is None:
        return said
    return ibis.cases((where.column, said), (~where.column, _small(_NOT_MEANT)), else_=_small(_ERROR))


def _holds(emitter: Emitter, expr: syntax.Quantified, elements: Any) -> Truth:
    """`every` is the negation of `some` that does not."""
    import ibis  # noqa: PLC0415 - heavy

    settles = expr.kind == "some"

    def judged(element: Any) -> Any:
        inside = emitter.within(expr, element)
        assert expr.body is not None
        body = inside.truth(expr.body)
        where = None if expr.where is None else inside.truth(expr.where)
        yes, no = (_YES, _NO) if settles else (_NO, _YES)
        said = ibis.cases((body.column, _small(yes)), (~body.column, _small(no)), else_=_small(_ERROR))
        return _meant(where, said)

    assert expr.ref is not None
    worst = elements.map(judged).maxs()
    true, false = ibis.literal(value=True), ibis.literal(value=False)
    found, none = (true, false) if settles else (false, true)
    full = ibis.cases((worst == _YES, found), (worst < _YES, none), else_=ibis.null("boolean"))
    return Truth(_bounded(elements, expr.ref.maximum, none, full), nullable=True)


def _count(emitter: Emitter, expr: syntax.Quantified, elements: Any) -> Number:
    import ibis  # noqa: PLC0415 - heavy

    assert expr.ref is not None
    most = expr.ref.maximum
    if expr.where is None:
        full = elements.length().cast("int64")
    else:
        asked = expr.where

        def judged(element: Any) -> Any:
            return _meant(emitter.within(expr, element).truth(asked), _small(_YES))

        said = elements.map(judged)
        full = ibis.cases(
            (said.maxs() <= _YES, said.filter(lambda each: each == _YES).length().cast("int64")),
            else_=ibis.null("int64"),
        )
    column = _bounded(elements, most, _small(0), full)
    return Number(Whole(column, 0, most, nullable=True), constant(1))


def _sum(emitter: Emitter, expr: syntax.Quantified, elements: Any) -> Number:
    import ibis  # noqa: PLC0415 - heavy

    assert expr.ref is not None
    bodies: list[Number] = []

    def amount(element: Any) -> Any:
        """What an element adds; NULL when it cannot be judged."""
        inside = emitter.within(expr, element)
        assert expr.body is not None
        body = inside.number(expr.body)
        bodies.append(body)
        added = body.top.held(wide=body.top.wide)
        if expr.where is None:
            return added
        where = inside.truth(expr.where)
        nothing = Whole(0, 0, 0).held(wide=body.top.wide)
        return ibis.cases((where.column, added), (~where.column, nothing), else_=ibis.null(added.type()))

    amounts = elements.map(amount)
    body = bodies[0]
    if body.bottom.constant is None:
        raise NotEmitted("it adds up quotients by facts of the elements")
    most = expr.ref.maximum
    low, high = min(body.top.low, 0) * most, max(body.top.high, 0) * most
    total = Whole(0, low, high, wide=body.top.wide)
    wide = total.wide or constant(low).wide or constant(high).wide
    kind = WIDE if wide else "int64"
    lost = amounts.filter(lambda each: each.isnull()).length()
    full = ibis.cases((lost == 0, amounts.cast(f"array<{kind}>").sums().cast(kind)), else_=ibis.null(kind))
    empty = number(0).top.held(wide=wide)
    column = _bounded(elements, most, empty, full)
    return Number(Whole(column, low, high, wide, nullable=True), body.bottom)
