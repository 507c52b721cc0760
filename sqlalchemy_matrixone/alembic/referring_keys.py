"""Find the foreign keys that refer to a table that batch mode replaces. The server refuses to drop such a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table, inspect
from sqlalchemy.types import NullType

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def referring_keys(connection: Connection, table: Table) -> Iterator[ForeignKeyConstraint]:
    """Yield the foreign keys of other tables of the same database that refer to a table, to drop and add them."""
    metadata = MetaData()
    referred = Table(table.name, metadata, *_columns(table.columns.keys()), schema=table.schema)
    for (schema, name), keys in inspect(connection).get_multi_foreign_keys(schema=table.schema).items():
        for key in keys:
            is_other = name != table.name
            if is_other and (key["referred_schema"], key["referred_table"]) == (table.schema, table.name):
                columns = key["constrained_columns"]
                referring = Table(name, metadata, schema=schema)
                for column in _columns(column for column in columns if column not in referring.c):
                    referring.append_column(column)
                yield _key(key, referring, referred)


def _columns(names: Any) -> Iterator[Column[Any]]:
    return (Column(name, NullType()) for name in names)


def _key(key: Any, referring: Table, referred: Table) -> ForeignKeyConstraint:
    columns = [referred.c[name] for name in key["referred_columns"]]
    constraint = ForeignKeyConstraint(key["constrained_columns"], columns, name=key["name"], **key["options"])
    referring.append_constraint(constraint)
    return constraint
