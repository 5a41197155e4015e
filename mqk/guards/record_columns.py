"""Decisions about many orders at once, whose moments are columns already: the same rows as record_table.py makes.

What lives here: moments as columns, and from there to the table and to what a guard is shown. What does not: where the
columns come from (mqk.engine.kernel.recalled), and files (record_table.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mqk.dsl.missing import MISSING
from mqk.dsl.types import Kind
from mqk.guards.points import Point
from mqk.guards.record import AGES, FACTS, WINDOWS, plan
from mqk.quantity import DAY_MICROS


@dataclass(frozen=True, slots=True)
class Column:
    """The values of one fact, as 64-bit numbers; those of words are places in `words`. `given`: where it is known."""

    values: Any
    given: Any = None
    words: Sequence[str] = ()

    def at(self, number: int) -> object:
        """The value in one moment, MISSING where it is not known."""
        if self.given is not None and not self.given[number]:
            return MISSING
        value = self.values[number].item()
        return self.words[value] if self.words else value

    def to_arrow(self, kind: Any) -> Any:
        """The column as its type in the table."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        mask = None if self.given is None else ~self.given
        if self.words:
            return pa.array(self.words, kind).take(pa.array(self.values, mask=mask))
        values = self.values.astype(bool) if pa.types.is_boolean(kind) else self.values
        return pa.array(values, kind, mask=mask)


@dataclass(frozen=True, slots=True)
class Lists:
    """The elements of a collection in many moments: those of each from its place in `begins` to the next one's."""

    begins: Any
    fields: Mapping[str, Column]

    def to_arrow(self, kind: Any) -> Any:
        """The column as its type in the table."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        struct = kind.value_type
        fields = [self.fields[each.name].to_arrow(each.type) for each in struct]
        structs = pa.StructArray.from_arrays(fields, fields=list(struct))
        return pa.ListArray.from_arrays(pa.array(self.begins, pa.int32()), structs, type=kind)


@dataclass(frozen=True, slots=True)
class Moments:
    """`count` moments in which orders were judged: facts and collections by name, windows by attribute."""

    facts: Mapping[str, Column]
    lists: Mapping[str, Lists]
    windows: Mapping[str, Any]
    count: int

    def show(self, number: int, views: Mapping[str, Any]) -> None:
        """Show one of the moments to the views that the order guard takes; nothing that a bar says is old in it."""
        layout = plan(Point.ORDER)
        for subject in layout.subjects:
            view = views[subject.view]
            for ref, attribute in zip(subject.facts, subject.attributes, strict=True):
                setattr(view, attribute, self._fact(ref.name, ref.type.kind, number))
        for ref in layout.aging:
            views[ref.name.partition(".")[0]].grow_old({})
        for group in layout.groups:
            found, lists = views[group.ref.name], self.lists[group.ref.name]
            found.clear()
            for place in range(int(lists.begins[number]), int(lists.begins[number + 1])):
                element = found.ELEMENT()
                for name in group.fields:
                    setattr(element, name, lists.fields[name].at(place))
                found.append(element)
        for attribute, values in self.windows.items():
            setattr(views["windows"], attribute, values[number].item())

    def _fact(self, name: str, kind: Kind, number: int) -> object:
        value = self.facts[name].at(number)
        return bool(value) if kind is Kind.BOOL else value


def order_batch(heads: Mapping[str, Any], moments: Moments, schema: Any) -> Any:
    """Decisions about orders as a record batch; `heads` are the columns of `mqk.guards.record.Head`, by name."""
    import pyarrow as pa  # noqa: PLC0415 - heavy

    made = dict(heads)
    days = moments.facts["clock.now"].values // DAY_MICROS
    made["day"] = pa.array(days.astype("int32"), pa.int32()).cast(pa.date32())
    nothing = pa.repeat(pa.scalar(0, pa.int64()), moments.count)
    for name, column in moments.facts.items():
        made[f"{FACTS}{name}"] = column.to_arrow(schema.field(f"{FACTS}{name}").type)
    for name, lists in moments.lists.items():
        made[f"{FACTS}{name}"] = lists.to_arrow(schema.field(f"{FACTS}{name}").type)
    made |= {f"{AGES}{ref.name}": nothing for ref in plan(Point.ORDER).aging}
    made |= {f"{WINDOWS}{attribute}": pa.array(values, pa.int64()) for attribute, values in moments.windows.items()}
    none = pa.array([], pa.string())
    made["unusable"] = pa.MapArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), moments.count + 1), none, none)
    whole = [made[f.name] if f.name in made else pa.nulls(moments.count, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(whole, schema=schema)
