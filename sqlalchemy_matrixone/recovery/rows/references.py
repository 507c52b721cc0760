"""Find the foreign keys of other tables that refer to a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import column, exc, table
from sqlalchemy.sql import TableClause

from ...core.catalog_bytes import SELF, referring_tables
from ...core.names import fold
from ...core.refusals import reason_of
from ...exc import Reason
from .definition import ForeignKey, TableDefinition
from .order import TableName, WriteOrder, table_name
from .pair import TablePair

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class IncomingKey:
    """A foreign key that refers to a table.

    :ivar child: the table that has the key, in SQL.
    :ivar pair: the pair of that table, if its rows are restored as well.
    """

    child: TableClause
    definition: TableDefinition
    key: ForeignKey
    pair: TablePair | None
    is_self: bool


def incoming_keys(
    connection: Connection, parent: TablePair, order: WriteOrder, default: str | None
) -> list[IncomingKey] | None:
    """Return the foreign keys that refer to a table; None if the user may not read the catalog."""
    by_name = {table_name(pair, default): pair for pair in order.tables}
    try:
        names = list(_referring_names(connection, parent, default))
    except exc.DBAPIError as error:
        if reason_of(error) is Reason.NOT_PERMITTED:
            return None
        raise
    return [key for name in names for key in _keys_of(connection, name, parent, by_name.get(name), default)]


def _referring_names(connection: Connection, parent: TablePair, default: str | None) -> Iterator[TableName]:
    database, name = table_name(parent, default)
    constraints = connection.exec_driver_sql(
        "SELECT HEX(`constraint`) FROM mo_catalog.mo_tables "
        "WHERE account_id = current_account_id() AND reldatabase = %s AND relname = %s",
        (database, name),
    ).scalar()
    for number in dict.fromkeys(referring_tables(constraints or "")):
        if number == SELF:
            yield (database, name)
            continue
        # One by one, because IN loses rows of mo_tables.
        yield from map(
            tuple,
            connection.exec_driver_sql(
                "SELECT reldatabase, relname FROM mo_catalog.mo_tables "
                "WHERE account_id = current_account_id() AND rel_id = %s",
                (number,),
            ),
        )


def _keys_of(
    connection: Connection, name: TableName, parent: TablePair, pair: TablePair | None, default: str | None
) -> Iterator[IncomingKey]:
    if pair is not None:
        child, definition = pair.current, pair.now
    else:
        schema = None if name[0] == fold(default or "") else name[0]
        read = TableDefinition.read(connection, table(name[1], schema=schema))
        if read is None:
            return
        definition = read
        child = table(name[1], *map(column, definition.columns), schema=schema)
    for key in definition.foreign_keys:
        referred = (key.schema or name[0], key.table)
        if referred == table_name(parent, default):
            yield IncomingKey(child, definition, key, pair, name == referred)
