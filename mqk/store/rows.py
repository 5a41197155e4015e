"""How a repository's SQL becomes rows: statements that return a table's model, with instants as epoch microseconds.

No statement of any table is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import inspect, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, TextualSelect
    from sqlalchemy import Table as SqlTable

    from mqk.store.tables import Table

Model = TypeVar("Model", bound="Table")


def columns_of(model: type[Table]) -> str:
    """The column list of a table's model, in the order `reading` expects, each qualified by the table's name."""
    table = table_of(model)
    return ", ".join(f"{table.name}.{column.name}" for column in table.columns)


def table_of(model: type[Table]) -> SqlTable:
    """The SQLAlchemy table of a model."""
    return cast("SqlTable", inspect(model).local_table)


def reading(model: type[Table], sql: str) -> TextualSelect:
    """A statement whose `{columns}` are those of `model`, with their types."""
    return text(sql.format(columns=columns_of(model))).columns(*table_of(model).columns)


def one(conn: Connection, model: type[Model], statement: TextualSelect, values: Mapping[str, Any]) -> Model | None:
    """The one row a statement finds, as its model, or None."""
    row = conn.execute(statement, values).one_or_none()
    return None if row is None else model(**row._mapping)


def many(conn: Connection, model: type[Model], statement: TextualSelect, values: Mapping[str, Any]) -> list[Model]:
    """All rows a statement finds, as their model, in the statement's order."""
    return [model(**row._mapping) for row in conn.execute(statement, values)]
