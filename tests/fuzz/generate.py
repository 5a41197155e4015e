"""Random conditions as text, and random moments to judge them at; everything follows from the seed.

What lives here: a generator that is fast enough for millions. What does not: judging (compare.py). The facts, limits
and collections are those of the language's own test world.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Final

from mqk.dsl import FactRef, syntax
from mqk.dsl import types as t
from tests.dsl.worlds import COLLECTIONS, FACTS, SLOTS, Moment

# How deep an expression may be nested; deeper ones find nothing that these do not.
DEPTH: Final = 4
_WORDS: Final = ("SPY", "QQQ", "IBM", "BRK.B")
_COMPARISONS: Final = ("<", "<=", "==", "!=", ">=", ">")


class Writer:
    """Writes conditions. Each method returns the text of an expression of one type, bracketed where it must be."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        # The collection that an expression stands in, its elements called `p`; one at a time may be open.
        self._element: str | None = None
        self._scalars: Mapping[str, Callable[[int], str]] = {
            "money": self.money,
            "quantity": self.quantity,
            "count": self.count,
            "ratio": self.ratio,
            "duration": self.duration,
        }

    def condition(self, depth: int = DEPTH) -> str:
        """A condition."""
        if depth == 0:
            return self._leaf_condition()
        choose = self._random.random()
        if choose < 0.30:
            return self._comparison(depth - 1)
        if choose < 0.50:
            word = self._random.choice([" and ", " or "])
            return "(" + word.join(self.condition(depth - 1) for _ in range(self._random.randint(2, 3))) + ")"
        if choose < 0.58:
            return f"(not {self.condition(depth - 1)})"
        if choose < 0.66:
            return self._if(self.condition, depth - 1)
        if choose < 0.74:
            return self._member()
        if choose < 0.80:
            kind = self._random.choice(["money", "quantity", "duration", "ratio"])
            write = self._scalars[kind]
            return f"multiple_of({write(depth - 1)}, {write(depth - 1)})"
        if choose < 0.85:
            return self._counted(depth - 1)
        if choose < 0.93 and self._element is None:
            return self._quantified(depth - 1)
        return self._leaf_condition()

    def _leaf_condition(self) -> str:
        choices = ["a.flag", "a.perhaps", "limits.open", "d.rising", "d.crowded", "true", "false"]
        choices += [f"present({name})" for name in ("a.maybe", "a.perhaps", "b.alias", "b.shares")]
        choices += ["b.side == BUY", "b.side != SELL", "b.symbol == SPY", "b.alias != b.symbol"]
        if self._element is not None:
            choices += ["p.qty != 0", *self._of_element()]
        return self._random.choice(choices)

    def _comparison(self, depth: int) -> str:
        kind = self._random.choice([*self._scalars, "instant"])
        write = self.instant if kind == "instant" else self._scalars[kind]
        parts = [write(depth)]
        for _ in range(self._random.choice([1, 1, 1, 2])):
            parts += [self._random.choice(_COMPARISONS), write(depth)]
        return "(" + " ".join(parts) + ")"

    def _member(self) -> str:
        words = ", ".join(self._random.sample(_WORDS, self._random.randint(0, 3)))
        container = self._random.choice(["limits.list", f"[{words}]"])
        item = self._random.choice(["b.symbol", "b.alias"])
        return f"({item} {self._random.choice(['in', 'not in'])} {container})"

    def _quantified(self, depth: int) -> str:
        collection = self._open()
        body = self._spoken(depth)
        self._element = None
        return f"({self._random.choice(['some', 'every'])} p in {collection} satisfies {body})"

    def _of_element(self) -> list[str]:
        """Conditions on fields that not every collection has."""
        assert self._element is not None
        fields = COLLECTIONS[self._element].fields
        found = {"side": "p.side == b.side", "frozen": "p.frozen", "symbol": "p.symbol == b.symbol"}
        held = [text for field, text in found.items() if field in fields]
        return [*held, "present(p.frozen)"] if "frozen" in fields else held

    def _open(self, *collections: str) -> str:
        """Enter a collection, whose elements may then be spoken of as `p`."""
        collection = self._random.choice(collections or tuple(COLLECTIONS))
        self._element = collection
        return collection

    def _spoken(self, depth: int) -> str:
        """A condition that says something of the element, as every one over a collection must."""
        leaves = ["p.qty > 0", "p.qty <= a.qty", *self._of_element()]
        first, second = self._random.choice(leaves), self._random.choice(leaves)
        if self._random.random() < 0.4:
            return f"({first} {self._random.choice(['and', 'or'])} {second})"
        return f"(if {self.condition(depth)} then {first} else (not {second}))"

    def _if(self, write: Callable[[int], str], depth: int) -> str:
        return f"(if {self.condition(depth)} then {write(depth)} else {write(depth)})"

    def _amount(self, write: Callable[[int], str], leaves: Sequence[str], depth: int) -> str | None:
        """An expression of a type that scales and adds; None when the caller should do something of its own."""
        if depth == 0:
            return self._random.choice(leaves)
        choose = self._random.random()
        if choose < 0.25:
            return self._random.choice(leaves)
        if choose < 0.45:
            return f"({write(depth - 1)} {self._random.choice('+-')} {write(depth - 1)})"
        if choose < 0.55:
            return f"({write(depth - 1)} {self._random.choice('*/')} {self._random.choice(['2', '3', '1.5', '0'])})"
        if choose < 0.63:
            return f"({self.ratio(depth - 1)} {self._random.choice(['of', '*'])} {write(depth - 1)})"
        if choose < 0.68:
            return f"(-{write(depth - 1)})"
        if choose < 0.73:
            return f"abs({write(depth - 1)})"
        if choose < 0.80:
            values = ", ".join(write(depth - 1) for _ in range(self._random.randint(2, 3)))
            return f"{self._random.choice(['min', 'max'])}({values})"
        if choose < 0.85:
            return self._if(write, depth - 1)
        return None

    def _sum(self, field: str, write: Callable[[int], str], depth: int) -> str | None:
        """A sum over a collection whose elements have a field of the type, when none is open."""
        if self._element is not None:
            return None
        collection = self._open(*(name for name, ref in COLLECTIONS.items() if field in ref.fields))
        body = f"(p.{field} {self._random.choice('+-')} {write(depth)})"
        where = f" where {self._spoken(depth)}" if self._random.random() < 0.5 else ""
        self._element = None
        return f"(sum of {body} for p in {collection}{where})"

    def money(self, depth: int) -> str:
        """Money."""
        leaves = ["a.money", "a.price", "a.maybe", "limits.floor", "d.value", "d.held"]
        leaves += ["3 USD", "0 USD", "0.000001 USD", "total(orders within 5 business_days)"]
        if self._element == "holdings":
            leaves += ["p.value", "p.cost"]
        found = self._amount(self.money, leaves, depth)
        if found is None and self._random.random() < 0.3:
            found = self._sum("value", self.money, depth - 1)
        return found or self._random.choice(
            [f"({self.quantity(depth - 1)} * {self.money(depth - 1)})", f"({self.money(depth - 1)} / a.qty)"]
        )

    def quantity(self, depth: int) -> str:
        """Shares."""
        leaves = ["a.qty", "b.shares"] + ([] if self._element is None else ["p.qty"])
        found = self._amount(self.quantity, leaves, depth)
        return found or self._sum("qty", self.quantity, depth - 1) or "a.qty"

    def count(self, depth: int) -> str:
        """A count of rejects: counts of different things do not mix."""
        leaves = ["a.count", "limits.rejects.count", "count(rejects within limits.rejects.window)"]
        return self._amount(self.count, leaves, depth) or "count(rejects within 5m)"

    def _counted(self, depth: int) -> str:
        """A count of elements, or of events that nothing else counts, against a number."""
        counted = self._random.choice(["count(cancels within 60s)", "count(cancels within 2 sessions)"])
        if self._element is None and self._random.random() < 0.7:
            collection = self._open()
            counted = f"(count of p in {collection} where {self._spoken(depth)})"
            self._element = None
        return f"({counted} {self._random.choice(_COMPARISONS)} {self._random.randint(0, 3)})"

    def ratio(self, depth: int) -> str:
        """A ratio."""
        leaves = ["a.ratio", "limits.cap", "20%", "0%", "5bps", "1.5x"]
        if self._element == "holdings":
            leaves.append("p.weight")
        found = self._amount(self.ratio, leaves, depth)
        if found is None:
            write = self._random.choice([self.money, self.quantity, self.count, self.duration])
            found = f"({write(depth - 1)} / {write(depth - 1)})"
        return found

    def duration(self, depth: int) -> str:
        """A duration."""
        return self._amount(self.duration, ["b.age", "3s", "0s", "5m"], depth) or (
            f"({self.instant(depth - 1)} - {self.instant(depth - 1)})"
        )

    def instant(self, depth: int) -> str:
        """An instant."""
        leaf = self._random.choice(["b.now", "1970-01-01T00:00:03Z"])
        if depth == 0 or self._random.random() < 0.5:
            return leaf
        return f"({leaf} {self._random.choice('+-')} {self.duration(depth - 1)})"


def moment(random_: random.Random, holes: float = 0.08) -> Moment:
    """A moment; each fact is missing with probability `holes`, one that may be missing four times as often.

    Values are small, so that boundaries are often met.
    """
    values: dict[str, syntax.Value] = {}
    for name, ref in FACTS.items():
        if random_.random() >= (4 * holes if ref.optional else holes):
            values[name] = _value(random_, ref.type)
    for slot in SLOTS:
        if random_.random() >= holes:
            total = slot.startswith("total(")
            values[slot] = random_.randint(-3, 6) * 1_000_000 if total else random_.randint(0, 6)
    collections: dict[str, list[SimpleNamespace]] = {}
    for name, collection in COLLECTIONS.items():
        if random_.random() >= holes:
            size = random_.randint(0, collection.maximum + (random_.random() < holes / 3))
            collections[name] = [_element(random_, collection.fields, holes / 3) for _ in range(size)]
    return Moment(values, collections)


def complete(moment: Moment) -> bool:
    """Whether nothing is missing in a moment, down to the last field of an element."""
    return (
        FACTS.keys() | set(SLOTS) <= moment.values.keys()
        and COLLECTIONS.keys() <= moment.collections.keys()
        and all(
            len(elements) <= COLLECTIONS[name].maximum
            and all(vars(element).keys() >= COLLECTIONS[name].fields.keys() for element in elements)
            for name, elements in moment.collections.items()
        )
    )


def _element(random_: random.Random, fields: Mapping[str, FactRef], holes: float) -> SimpleNamespace:
    element = SimpleNamespace()
    for name, ref in fields.items():
        if random_.random() >= (4 * holes if ref.optional else holes):
            setattr(element, name, _value(random_, ref.type))
    return element


def _value(random_: random.Random, kind: t.Type) -> syntax.Value:
    match kind.kind:
        case t.Kind.BOOL:
            return random_.random() < 0.5
        case t.Kind.ENUM:
            return random_.choice(kind.members)
        case t.Kind.SYMBOL:
            return random_.choice(_WORDS)
        case t.Kind.RATIO:
            return Fraction(random_.randint(-4, 12), random_.choice([1, 2, 5, 10]))
        case t.Kind.COUNT:
            return random_.randint(0, 6)
        case t.Kind.MONEY:
            # Whole dollars most of the time, so that sums meet each other; now and then micros, or very much.
            near = random_.randint(-6, 6) * 1_000_000
            return random_.choice([near, near, near + 1, random_.randint(-(10**15), 10**15), 25_000_000_000])
        case t.Kind.INSTANT:
            return random_.randint(0, 6) * 1_000_000
        case t.Kind.DURATION:
            return random_.choice([0, 1, 3_000_000, 300_000_000, random_.randint(0, 10**9)])
        case _:
            return random_.randint(-6, 6)
