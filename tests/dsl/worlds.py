"""A small world for the language's tests: an environment of facts of every type, and generators of typed expressions.

Expressions are built as syntax trees, so that every construct and every type is reached; facts are drawn with holes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import SimpleNamespace

from hypothesis import strategies as st

from mqk.dsl import (
    CollectionRef,
    ConstantRef,
    DerivedRef,
    ElementRef,
    EvaluationError,
    Expr,
    FactRef,
    check_expression,
    parse_expression,
    syntax,
)
from mqk.dsl import types as t
from mqk.dsl.environment import Ref
from mqk.dsl.errors import Fault
from mqk.dsl.missing import MISSING
from mqk.dsl.syntax import free_variables
from mqk.dsl.windows import window_attribute

USD = t.money("USD")
SIDE = t.enum("BUY", "SELL")

FACTS: dict[str, FactRef] = {
    ref.name: ref
    for ref in (
        FactRef("a.money", USD),
        FactRef("a.price", USD),
        FactRef("a.maybe", USD, optional=True),
        FactRef("a.qty", t.QUANTITY),
        FactRef("a.count", t.COUNT),
        FactRef("a.ratio", t.RATIO),
        FactRef("a.flag", t.BOOL),
        FactRef("a.perhaps", t.BOOL, optional=True),
        FactRef("b.side", SIDE),
        FactRef("b.symbol", t.SYMBOL),
        FactRef("b.alias", t.SYMBOL, optional=True),
        FactRef("b.now", t.INSTANT),
        FactRef("b.age", t.DURATION),
        FactRef("b.shares", t.QUANTITY, optional=True),
    )
}
CONSTANTS: dict[str, ConstantRef] = {
    ref.name: ref
    for ref in (
        ConstantRef("limits.cap", t.RATIO, Fraction(1, 5)),
        ConstantRef("limits.floor", USD, 25_000_000_000),
        ConstantRef("limits.open", t.BOOL, False),
        ConstantRef("limits.list", t.set_of(t.SYMBOL), frozenset({"SPY", "QQQ"})),
        ConstantRef("limits.nothing", t.set_of(t.SYMBOL), frozenset()),
        ConstantRef("limits.sides", t.set_of(t.SYMBOL), frozenset({"SELL"})),
        ConstantRef("limits.sell_word", t.SYMBOL, "SELL"),
        ConstantRef("limits.rejects.window", t.DURATION, 300_000_000),
        ConstantRef("limits.rejects.count", t.COUNT, 5),
    )
}
COLLECTIONS: dict[str, CollectionRef] = {
    ref.name: ref
    for ref in (
        CollectionRef(
            "holdings",
            {
                field.name: field
                for field in (
                    FactRef("symbol", t.SYMBOL),
                    FactRef("value", USD),
                    FactRef("qty", t.QUANTITY),
                    FactRef("cost", USD, optional=True),
                    FactRef("weight", t.RATIO),
                    FactRef("frozen", t.BOOL, optional=True),
                    FactRef("side", SIDE),
                )
            },
            maximum=3,
        ),
        CollectionRef("named", {"qty": FactRef("qty", t.QUANTITY)}, maximum=2, noun="positions"),
        CollectionRef("resting", {"qty": FactRef("qty", t.QUANTITY), "side": FactRef("side", SIDE)}, maximum=2),
    )
}
SLOTS = (
    "count(rejects within 5m)",
    "count(cancels within 1m)",
    "count(cancels within 2 sessions)",
    "total(orders within 5 business_days)",
)


class World:
    """The environment: everything above, and two definitions built on it."""

    def __init__(self) -> None:
        self._refs: dict[str, Ref] = {**FACTS, **CONSTANTS}
        for name, kind, text in (
            ("d.value", USD, "a.qty * a.price"),
            ("d.held", USD, "sum of h.value for h in holdings where h.qty > 0"),
            ("d.crowded", t.BOOL, "some h in holdings satisfies h.weight > limits.cap and h.cost > h.value"),
            ("d.rising", t.BOOL, "if b.side == BUY then a.qty > 0 else a.money / a.price > 2x"),
        ):
            checked = check_expression(parse_expression(text), self, kind)
            assert not checked.errors
            self._refs[name] = DerivedRef(name, kind, checked.expr)

    def lookup(self, name: str) -> Ref | None:
        return self._refs.get(name)

    def names(self) -> list[str]:
        return sorted(self._refs)

    def streams(self) -> Mapping[str, t.Type | None]:
        return {"rejects": None, "cancels": None, "orders": USD, "day_trades": None}

    def collection(self, name: str) -> CollectionRef | None:
        return COLLECTIONS.get(name)

    def collections(self) -> frozenset[str]:
        return frozenset(COLLECTIONS)

    def absence(self, name: str) -> str | None:
        return "does not exist here" if name == "elsewhere.fact" else None


@dataclass(frozen=True)
class Moment:
    """Values of facts and windows, and elements of collections; what is not in here is missing."""

    values: Mapping[str, syntax.Value] = field(default_factory=dict)
    collections: Mapping[str, Sequence[SimpleNamespace]] = field(default_factory=dict)

    def fact(self, ref: FactRef) -> syntax.Value:
        if ref.name not in self.values:
            raise EvaluationError(Fault.MISSING, ref.name)
        return self.values[ref.name]

    def present(self, ref: FactRef) -> bool:
        return ref.name in self.values

    def window(self, slot: str) -> int:
        value = self.values.get(slot)
        if not isinstance(value, int):
            raise EvaluationError(Fault.MISSING, slot)
        return value

    def elements(self, ref: CollectionRef) -> Sequence[object]:
        if ref.name not in self.collections:
            raise EvaluationError(Fault.MISSING, ref.name)
        elements = self.collections[ref.name]
        if len(elements) > ref.maximum:
            raise EvaluationError(Fault.INVALID, ref.name)
        return elements

    def field(self, element: object, ref: ElementRef) -> syntax.Value:
        value: syntax.Value = getattr(element, ref.field, MISSING)
        if value is MISSING:
            raise EvaluationError(Fault.MISSING, ref.name)
        return value

    def has(self, element: object, ref: ElementRef) -> bool:
        return getattr(element, ref.field, MISSING) is not MISSING

    def views(self) -> tuple[object, ...]:
        """The same moment as compiled code takes it: required facts unset when missing, optional ones MISSING."""
        views = {"a": SimpleNamespace(), "b": SimpleNamespace(), "windows": SimpleNamespace()}
        for name, ref in FACTS.items():
            view, _, attribute = name.partition(".")
            if name in self.values:
                setattr(views[view], attribute, self.values[name])
            elif ref.optional:
                setattr(views[view], attribute, MISSING)
        for slot in SLOTS:
            if slot in self.values:
                setattr(views["windows"], window_attribute(slot), self.values[slot])
        return (*views.values(), *(self.collections.get(name, MISSING) for name in COLLECTIONS))


def node(cls: type[Expr], **fields: object) -> Expr:
    return cls(start=0, end=0, **fields)  # type: ignore[arg-type]


def name_node(path: str) -> Expr:
    return node(syntax.Name, path=path)


def literal_node(kind: str, text: str) -> Expr:
    return node(syntax.Literal, kind=kind, text=text)


_small = st.integers(0, 6)
_LEAVES: dict[t.Type, st.SearchStrategy[Expr]] = {
    USD: st.one_of(
        st.sampled_from(["a.money", "a.price", "a.maybe", "limits.floor", "d.value", "d.held"]).map(name_node),
        st.just(
            node(syntax.Window, function="total", stream="orders", duration=literal_node("span", "5 business_days"))
        ),
        _small.map(lambda n: literal_node("money", f"{n} USD")),
    ),
    t.QUANTITY: st.sampled_from(["a.qty", "b.shares"]).map(name_node),
    t.COUNT: st.one_of(
        st.sampled_from(["a.count", "limits.rejects.count"]).map(name_node),
        st.just(node(syntax.Window, stream="rejects", duration=name_node("limits.rejects.window"))),
        st.just(node(syntax.Window, stream="cancels", duration=literal_node("duration", "60s"))),
        st.just(node(syntax.Window, stream="cancels", duration=literal_node("span", "2 sessions"))),
    ),
    t.RATIO: st.one_of(
        st.sampled_from(["a.ratio", "limits.cap"]).map(name_node),
        _small.map(lambda n: literal_node("ratio", f"{n * 10}%")),
        st.just(literal_node("ratio", "5bps")),
    ),
    t.DURATION: st.one_of(st.just(name_node("b.age")), _small.map(lambda n: literal_node("duration", f"{n}s"))),
    t.INSTANT: st.one_of(st.just(name_node("b.now")), st.just(literal_node("instant", "1970-01-01T00:00:03Z"))),
    t.NUMBER: st.one_of(_small.map(lambda n: literal_node("number", str(n))), st.just(literal_node("number", "1.5"))),
    SIDE: st.just(name_node("b.side")),
    t.SYMBOL: st.sampled_from(["b.symbol", "b.alias"]).map(name_node),
    t.BOOL: st.one_of(
        st.sampled_from(["a.flag", "a.perhaps", "limits.open", "d.rising", "d.crowded"]).map(name_node),
        st.sampled_from(["a.maybe", "a.perhaps", "b.alias", "b.shares"]).map(
            lambda path: node(syntax.Present, fact=name_node(path))
        ),
        st.sampled_from(["true", "false"]).map(lambda text: literal_node("bool", text)),
    ),
}
_SCALARS = (USD, t.QUANTITY, t.COUNT, t.RATIO, t.DURATION)


def _arith(op: str, left: Expr, right: Expr) -> Expr:
    return node(syntax.Arithmetic, op=op, left=left, right=right)


@dataclass(frozen=True)
class Vocabulary:
    """What generated expressions are made of: leaves by type, the names a set may be, and collections.

    `elements` are what elements may be called, the collection, and the leaves that speak of them, outermost first.
    """

    leaves: Mapping[t.Type, st.SearchStrategy[Expr]]
    enum: t.Type
    words: tuple[str, ...]
    set_name: str
    word_set: str | None = None
    elements: tuple[tuple[str, str, Mapping[t.Type, st.SearchStrategy[Expr]]], ...] = ()

    def inside(self) -> Vocabulary:
        """The words inside a quantifier over the first collection."""
        (_, _, leaves), *rest = self.elements
        mixed = {kind: leaves[kind] | leaf if kind in leaves else leaf for kind, leaf in self.leaves.items()}
        return replace(self, leaves=mixed, elements=tuple(rest))


def _fields(*paths: str) -> st.SearchStrategy[Expr]:
    return st.sampled_from(paths).map(name_node)


TEST_WORLD = Vocabulary(
    _LEAVES,
    SIDE,
    ("BUY", "SELL"),
    "limits.list",
    "limits.sides",
    (
        (
            "h",
            "holdings",
            {
                USD: _fields("h.value", "h.cost"),
                t.QUANTITY: _fields("h.qty"),
                t.RATIO: _fields("h.weight"),
                t.SYMBOL: _fields("h.symbol"),
                SIDE: _fields("h.side"),
                t.BOOL: _fields("h.frozen")
                | st.sampled_from(["h.cost", "h.frozen"]).map(lambda path: node(syntax.Present, fact=name_node(path))),
            },
        ),
        ("r", "resting", {t.QUANTITY: _fields("r.qty"), SIDE: _fields("r.side")}),
    ),
)


def _speaking(expr: Expr, variable: str) -> Expr:
    """A condition without the parts that do not speak of an element, which the checker refuses."""
    if not isinstance(expr, syntax.Connective):
        return expr
    parts = tuple(part for part in expr.operands if variable in free_variables(part))
    if len(parts) > 1:
        return replace(expr, operands=parts)
    return parts[0] if parts else expr.operands[0]


def quantified(kinds: tuple[str, ...], of: t.Type, depth: int, words: Vocabulary) -> list[st.SearchStrategy[Expr]]:
    """Quantifiers of some kinds over the next collection; `of` is the type of a body."""
    if not words.elements or depth < 0:
        return []
    variable, collection, _ = words.elements[0]
    inside = words.inside()
    where = st.none() | expressions(t.BOOL, depth, inside).map(lambda expr: _speaking(expr, variable))
    body = expressions(of, depth, inside).map(lambda expr: _speaking(expr, variable))
    return [
        st.builds(
            lambda kind, where, body: node(
                syntax.Quantified,
                kind=kind,
                variable=variable,
                collection=collection,
                where=where,
                body=None if kind == "count" else body,
            ),
            st.sampled_from(kinds),
            where,
            body,
        )
    ]


def expressions(kind: t.Type, depth: int = 3, words: Vocabulary = TEST_WORLD) -> st.SearchStrategy[Expr]:
    """Syntax trees of a type, every construct of the language included."""
    leaf = words.leaves[kind]
    if depth == 0 or kind in (words.enum, t.SYMBOL):
        return leaf
    below = expressions(kind, depth - 1, words)
    numbers = expressions(t.NUMBER, 0, words)
    if kind == t.BOOL:
        return st.one_of(leaf, *_conditions(depth - 1, words))
    branches = [
        leaf,
        st.builds(
            lambda c, a, b: node(syntax.If, condition=c, then=a, otherwise=b),
            expressions(t.BOOL, depth - 1, words),
            below,
            below,
        ),
    ]
    if kind in _SCALARS:
        branches += [
            st.builds(_arith, st.sampled_from("+-"), below, below),
            st.builds(_arith, st.sampled_from("*/"), below, numbers),
            st.builds(_arith, st.sampled_from(["*", "of"]), expressions(t.RATIO, depth - 1, words), below),
            below.map(lambda e: node(syntax.Negate, operand=e)),
            below.map(lambda e: node(syntax.Call, function="abs", arguments=(e,))),
            st.builds(
                lambda f, args: node(syntax.Call, function=f, arguments=tuple(args)),
                st.sampled_from(["min", "max"]),
                st.lists(below, min_size=2, max_size=3),
            ),
            *quantified(("sum", "count") if kind == t.COUNT else ("sum",), kind, depth - 1, words),
        ]
    if kind == t.RATIO:
        same = st.sampled_from([USD, t.QUANTITY, t.COUNT, t.DURATION])
        branches.append(
            same.flatmap(
                lambda k: st.builds(
                    _arith, st.just("/"), expressions(k, depth - 1, words), expressions(k, depth - 1, words)
                )
            )
        )
    if kind == USD:
        quantity = expressions(t.QUANTITY, depth - 1, words)
        branches.append(st.builds(_arith, st.just("*"), quantity, below))
        branches.append(st.builds(_arith, st.just("/"), below, quantity))
    if kind == t.INSTANT:
        branches.append(st.builds(_arith, st.sampled_from("+-"), below, expressions(t.DURATION, depth - 1, words)))
    return st.one_of(branches)


def _conditions(depth: int, words: Vocabulary) -> list[st.SearchStrategy[Expr]]:
    truth = expressions(t.BOOL, depth, words)
    ordered = st.sampled_from([*_SCALARS, t.INSTANT]).flatmap(
        lambda kind: st.tuples(
            st.lists(expressions(kind, depth, words), min_size=2, max_size=3),
            st.lists(st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]), min_size=2, max_size=2),
        )
    )
    compared = st.builds(
        lambda name, op, word: node(syntax.Compare, operands=(name, node(syntax.Symbol, text=word)), ops=(op,)),
        expressions(words.enum, 0, words),
        st.sampled_from(["==", "!="]),
        st.sampled_from(words.words),
    )
    members = st.builds(
        lambda item, written, negated: node(syntax.Member, item=item, container=written, negated=negated),
        expressions(t.SYMBOL, 0, words),
        st.one_of(
            st.just(name_node(words.set_name)),
            st.lists(st.sampled_from(["SPY", "IBM", "BRK.B"]), max_size=3).map(
                lambda symbols: node(syntax.SetOf, items=tuple(node(syntax.Symbol, text=each) for each in symbols))
            ),
        ),
        st.booleans(),
    )
    multiples = st.sampled_from(_SCALARS).flatmap(
        lambda kind: st.builds(
            lambda a, b: node(syntax.Call, function="multiple_of", arguments=(a, b)),
            expressions(kind, depth, words),
            expressions(kind, depth, words),
        )
    )
    chosen_words = (
        []
        if words.word_set is None
        else [
            st.builds(
                lambda item, container: node(syntax.Member, item=item, container=container, negated=False),
                expressions(words.enum, 0, words),
                st.just(name_node(words.word_set)),
            )
        ]
    )
    truths = st.builds(
        lambda parts, op: node(syntax.Compare, operands=tuple(parts), ops=(op,) * (len(parts) - 1)),
        st.lists(expressions(t.BOOL, 0, words), min_size=2, max_size=3),
        st.sampled_from(["==", "!="]),
    )
    symbols_compared = st.builds(
        lambda parts, op: node(syntax.Compare, operands=tuple(parts), ops=(op,) * (len(parts) - 1)),
        st.lists(expressions(t.SYMBOL, 0, words), min_size=2, max_size=3),
        st.sampled_from(["==", "!="]),
    )
    return [
        multiples,
        *chosen_words,
        *quantified(("some", "every"), t.BOOL, depth - 1, words),
        truths,
        symbols_compared,
        ordered.map(lambda p: node(syntax.Compare, operands=tuple(p[0]), ops=tuple(p[1][: len(p[0]) - 1]))),
        compared,
        members,
        truth.map(lambda e: node(syntax.Not, operand=e)),
        st.builds(
            lambda op, parts: node(syntax.Connective, op=op, operands=tuple(parts)),
            st.sampled_from(["and", "or"]),
            st.lists(truth, min_size=2, max_size=3),
        ),
        st.builds(lambda c, a, b: node(syntax.If, condition=c, then=a, otherwise=b), truth, truth, truth),
    ]


def moments(holes: bool = True) -> st.SearchStrategy[Moment]:
    """Moments with values near each other, so that comparisons go both ways; with `holes`, facts go missing."""
    near = st.one_of(
        st.integers(-3, 6), st.integers(-3, 6).map(lambda n: n * 1_000_000), st.integers(-(2**63), 2**63 - 1)
    )
    count = st.integers(0, 6)
    values: dict[str, st.SearchStrategy[object]] = {
        "a.money": near,
        "a.price": near,
        "a.maybe": near,
        "a.qty": near,
        "a.count": count,
        "a.ratio": st.fractions(min_value=-2, max_value=2, max_denominator=50),
        "a.flag": st.booleans(),
        "a.perhaps": st.booleans(),
        "b.side": st.sampled_from(["BUY", "SELL"]),
        "b.symbol": st.sampled_from(["SPY", "QQQ", "IBM"]),
        "b.alias": st.sampled_from(["SPY", "QQQ", "IBM"]),
        "b.now": near,
        "b.age": near,
        "b.shares": near,
        **dict.fromkeys(SLOTS, count),
        "total(orders within 5 business_days)": near,
    }
    fields: dict[str, dict[str, st.SearchStrategy[object]]] = {
        "holdings": {
            "symbol": st.sampled_from(["SPY", "QQQ", "IBM"]),
            "value": near,
            "qty": near,
            "cost": near,
            "weight": st.fractions(min_value=-2, max_value=2, max_denominator=50),
            "frozen": st.booleans(),
            "side": st.sampled_from(["BUY", "SELL"]),
        },
        "resting": {"qty": near, "side": st.sampled_from(["BUY", "SELL"])},
    }

    def elements(name: str) -> st.SearchStrategy[tuple[SimpleNamespace, ...]]:
        gone = st.lists(st.sampled_from(sorted(fields[name])), max_size=1) if holes else st.just([])
        optional = {field for field, ref in COLLECTIONS[name].fields.items() if ref.optional}
        element = st.tuples(st.fixed_dictionaries(fields[name]), gone).map(
            lambda pair: SimpleNamespace(
                **{k: v for k, v in pair[0].items() if k not in pair[1]},
                **{k: MISSING for k in pair[1] if k in optional},
            )
        )
        most = COLLECTIONS[name].maximum + (1 if holes else 0)
        return st.lists(element, max_size=most).map(tuple)

    books = st.fixed_dictionaries({name: elements(name) for name in fields})
    if not holes:
        return st.builds(Moment, st.fixed_dictionaries(values), books)
    gone = st.sets(st.sampled_from([*sorted(values), *fields]), max_size=3)
    return st.builds(
        lambda values, books, gone: Moment(
            {k: v for k, v in values.items() if k not in gone}, {k: v for k, v in books.items() if k not in gone}
        ),
        st.fixed_dictionaries(values),
        books,
        gone,
    )
