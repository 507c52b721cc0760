"""Read the contents of a table, a database or an account, now or in the past, to compare them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import exc

from ..core.names import describe
from ..core.sequences import read_sequences

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope

_KINDS = {"v": "view", "S": "sequence", "e": "external table"}
_Column = tuple[str, bool, str | None]
"""A column's type, whether it is NOT NULL, and its default."""
_VECTORS = ("VECF32", "VECF64")


class Fact(NamedTuple):
    """A thing that exists once, such as a table or a column.

    :ivar kind: "table", "view", "sequence", "column", "default of column", "index" or "rows of table".
    :ivar database: its database; None if a database or a table is compared. The same applies to ``table``.
    """

    kind: str
    database: str | None = None
    table: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        return describe(self.kind, self.database, self.table, self.name)


Contents = dict[Fact, Any]

DEFAULT = "default of column"


def read_contents(connection: Connection, scope: RestoreScope, *, past: bool, rows: bool) -> Contents:
    """Read the tables, views and sequences of a scope, with the columns and indexes of the tables.

    :param past: read them at the point in time of the scope, rather than now.
    :param rows: read also the number of rows of each table, and a checksum of them.
    """
    contents: Contents = {}
    relations = _relations(connection, scope, past)
    columns = _columns(connection, scope, past)
    for (database, name), kind in relations.items():
        contents[_fact(scope, _KINDS.get(kind, "table"), database, name)] = None
        if kind in _KINDS:
            continue
        for column, (type_, not_null, default) in columns[database, name].items():
            contents[_fact(scope, "column", database, name, column)] = (type_, not_null)
            contents[_fact(scope, DEFAULT, database, name, column)] = default
        if rows:
            contents[_fact(scope, "rows of table", database, name)] = _rows(
                connection, scope, past, (database, name), columns[database, name]
            )
    contents |= _indexes(connection, scope, past, relations)
    if scope.level != "table":
        for sequence in read_sequences(connection, scope.in_databases("{database}"), scope.past if past else ""):
            contents[_fact(scope, "sequence", sequence.database, sequence.name)] = sequence[2:]
    return contents


def tables_of(connection: Connection, scope: RestoreScope, *, past: bool) -> set[tuple[str, str]]:
    """Return the databases and names of the tables of a scope, without views, sequences and external tables."""
    return {names for names, kind in _relations(connection, scope, past).items() if kind not in _KINDS}


def count_rows(connection: Connection, scope: RestoreScope, table: tuple[str, str], *, past: bool) -> int:
    """Return the number of rows of a table.

    :param table: its database and name.
    :param past: at the point in time of the scope, rather than now.
    """
    [row] = scope.read(connection, f"SELECT COUNT(*) FROM {scope.name(*table)} {{at}}", past=past)
    return int(row[0])


class Difference(NamedTuple):
    """A fact that differs, and a short description of how."""

    fact: Fact
    how: str

    def __str__(self) -> str:
        return f"{self.fact} {self.how}"


def differences(expected: Contents, found: Contents) -> Iterator[Difference]:
    """Yield the differences of two contents."""
    for fact, value in expected.items():
        if fact not in found:
            if fact.kind != DEFAULT:  # its column is missing too
                yield Difference(fact, "is missing")
        elif found[fact] != value:
            yield Difference(fact, f"is {found[fact]} instead of {value}")
    for fact in found.keys() - expected.keys():
        if fact.kind in ("table", "column"):
            yield Difference(fact, "was not there")


def _fact(scope: RestoreScope, kind: str, database: str, table: str, name: str | None = None) -> Fact:
    return Fact(
        kind,
        database if scope.level == "account" else None,
        table if scope.level != "table" else None,
        name,
    )


def _relations(connection: Connection, scope: RestoreScope, past: bool) -> dict[tuple[str, str], str]:
    statement = "SELECT reldatabase, relname, relkind FROM mo_catalog.mo_tables {at} WHERE "
    rows = scope.read(connection, statement + scope.criteria("reldatabase", "relname"), past=past)
    # Internal tables of the server: those of indexes, and partitions.
    return {(row[0], row[1]): row[2] for row in rows if not row[1].startswith("__mo_") and "%!%" not in row[1]}


def _columns(
    connection: Connection, scope: RestoreScope, past: bool
) -> defaultdict[tuple[str, str], dict[str, _Column]]:
    statement = (
        "SELECT att_database, att_relname, attname, mo_show_visible_bin(atttyp, 3), attnotnull, "
        "mo_show_visible_bin(att_default, 1) "
        "FROM mo_catalog.mo_columns {at} WHERE att_is_hidden = 0 AND "
    )
    found: defaultdict[tuple[str, str], dict[str, _Column]] = defaultdict(dict)
    rows = scope.read(connection, statement + scope.criteria("att_database", "att_relname"), past=past)
    for row in sorted(rows, key=lambda row: tuple(row[:3])):
        found[row[0], row[1]][row[2]] = (row[3], bool(row[4]), _default(row[5]))
    return found


def _default(text: str | None) -> str | None:
    """Return a default as the catalog has it; None for NULL, which it writes in several ways."""
    return None if not text or text.upper() == "NULL" else text


def _indexes(
    connection: Connection, scope: RestoreScope, past: bool, relations: Mapping[tuple[str, str], str]
) -> Contents:
    """Return the indexes, with their columns."""
    tables = "SELECT rel_id, reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE "
    indexes = scope.read(
        connection,
        "SELECT DISTINCT t.reldatabase, t.relname, i.name, i.ordinal_position, i.column_name "
        f"FROM mo_catalog.mo_indexes {{at}} AS i JOIN ({tables}{scope.criteria('reldatabase', 'relname')}) AS t "
        "ON t.rel_id = i.table_id",
        past=past,
    )
    contents: Contents = {}
    for database, table, name, position, column in sorted(indexes):
        if (database, table) in relations and not column.startswith("__mo_"):
            contents.setdefault(_fact(scope, "index", database, table, name), []).append((position, column))
    return contents


def _rows(
    connection: Connection,
    scope: RestoreScope,
    past: bool,
    table: tuple[str, str],
    columns: Mapping[str, _Column],
) -> tuple[int, int | None]:
    """Return the number of rows and the sum of their checksums; None for the sum if a type has no checksum."""
    texts = (_as_text(scope.name(name), type_) for name, (type_, _, _) in columns.items())
    source = f"{scope.name(*table)} {{at}}"
    checksum = f"SELECT COUNT(*), SUM(CRC32(CONCAT_WS('|', {', '.join(texts)}))) FROM {source}"
    try:
        [row] = scope.read(connection, checksum, past=past)
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return count_rows(connection, scope, table, past=past), None
    return int(row[0]), int(row[1] or 0)


def _as_text(column: str, type_: str) -> str:
    value = f"L2_NORM({column})" if type_.startswith(_VECTORS) else column
    return f"COALESCE(CAST({value} AS CHAR), '~')"
