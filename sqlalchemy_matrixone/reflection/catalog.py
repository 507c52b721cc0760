"""Read the rows of the server's catalog: all tables of a database, or a single table, in the same few statements.

``mo_catalog`` contains, for each account, more than information_schema shows, and can be read inside a transaction.
Internal objects (index tables, partitions, the hidden columns of a table without a primary key) are left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import exc
from sqlalchemy.engine.reflection import ObjectKind

from ..core.names import fold
from ..core.options import INDEX_OPTIONS
from ..core.release import Feature
from .reader import HIDDEN

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer

_T = TypeVar("_T")

_REFUSED = "refused"
"""The key of the fact that the user may not read the catalog."""

_OPTION_NAMES = {"included_columns": "include"}

KINDS = {"r": ObjectKind.TABLE, "e": ObjectKind.TABLE, "cluster": ObjectKind.TABLE, "v": ObjectKind.VIEW}
"""The kinds of objects that are reflected, by their code in the catalog."""


class TableRow(NamedTuple):
    """A row of mo_catalog.mo_tables."""

    name: str
    kind: str
    comment: str
    definition: str | None
    extra: str | None


class ColumnRow(NamedTuple):
    """A row of mo_catalog.mo_columns."""

    table: str
    name: str
    type: str
    encoded_type: str
    values: str
    not_null: int
    default: str | None
    on_update: str | None
    autoincrement: int
    comment: str
    generated: str | None
    persistence: str | None


class IndexColumnRow(NamedTuple):
    """A row of mo_catalog.mo_indexes: one column of an index."""

    table: str
    name: str
    type: str
    algorithm: str
    parameters: str
    comment: str
    column: str


class Index(NamedTuple):
    """An index or a primary key, from the rows of its columns."""

    name: str
    type: str
    columns: list[str]
    options: dict[str, Any]


class ForeignKeyColumnRow(NamedTuple):
    """A row of mo_catalog.mo_foreign_keys: one column of a foreign key."""

    table: str
    database: str
    constraint: str
    column: str
    referred_database: str
    referred_table: str
    referred_column: str
    on_delete: str
    on_update: str


class Where(NamedTuple):
    """What is read together: a database, or one table of it.

    An empty string stands for the current database, or for all tables.
    """

    database: str
    table: str = ""


_Query = Callable[["Catalog", Where], _T]


def _once(query: _Query[_T]) -> _Query[_T]:
    """Cache the result of a query for as long as the Inspector keeps its own cache."""

    @wraps(query)
    def read(self: Catalog, where: Where) -> _T:
        key = (query.__name__, where)
        if key not in self._read:
            self._read[key] = query(self, where)
        found: _T = self._read[key]
        return found

    return read


class Catalog:
    """The parts of the catalog that have been read on a connection.

    :param info_cache: the cache of an Inspector; None outside of an Inspector.
    """

    def __init__(self, dialect: MatrixOneServer, connection: Connection, info_cache: dict[Any, Any] | None) -> None:
        self._dialect = dialect
        self._connection = connection
        self._read: dict[tuple[str, Where] | str, Any] = {}
        if info_cache is not None:
            self._read = info_cache.setdefault("matrixone_catalog", self._read)

    def where(self, database: str, names: list[str] | None) -> Where:
        """Return what to read for these tables: one table, or the whole database.

        Once all tables of a database have been listed, the facts of one table are read together with those of all the
        others, since those will probably be requested next.
        """
        whole = Where(database)
        if names is None or len(names) != 1 or names[0] in self._read.get(("tables", whole), ()):
            return whole
        return Where(database, names[0])

    def is_readable(self, where: Where) -> bool:
        """Return whether the user may read the catalog. An Inspector asks the server only once."""
        if self._read.get(_REFUSED):
            return False
        try:
            self.tables(where)
        except exc.DBAPIError as error:
            if not is_refused(error):
                raise
            self._read[_REFUSED] = True
            return False
        return True

    @_once
    def tables(self, where: Where) -> dict[str, TableRow]:
        """Return the tables and views by name."""
        extra = "HEX(extra_info)" if self._dialect.supports(Feature.CHECK_CONSTRAINT) else "NULL"
        kinds = ", ".join(f"'{kind}'" for kind in KINDS)
        rows = self._rows(
            f"SELECT relname, relkind, rel_comment, viewdef, {extra} FROM mo_catalog.mo_tables "
            "WHERE account_id = current_account_id() AND reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND relkind IN ({kinds}){_name_filter('relname', where)}",
            where,
        )
        return {row[0]: TableRow(*row) for row in rows if not row[0].startswith(HIDDEN)}

    @_once
    def columns(self, where: Where) -> dict[str, list[ColumnRow]]:
        """Return the columns of each table, in order."""
        generated = "NULL, NULL"
        if self._dialect.supports(Feature.GENERATED_COLUMN):
            generated = "mo_show_visible_bin(attr_generated, 5), mo_show_visible_bin(attr_generated, 6)"
        rows = self._rows(
            "SELECT att_relname, attname, mo_show_visible_bin(atttyp, 3), HEX(atttyp), attr_enum, "
            "attnotnull, mo_show_visible_bin(att_default, 1), mo_show_visible_bin(attr_update, 0), "
            f"att_is_auto_increment, att_comment, {generated} FROM mo_catalog.mo_columns "
            "WHERE account_id = current_account_id() AND att_database = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND att_is_hidden = 0 AND LEFT(att_relname, 5) <> '__mo_'{_name_filter('att_relname', where)} "
            "ORDER BY att_relname, attnum",
            where,
        )
        return _by_table(ColumnRow(*row) for row in rows)

    @_once
    def indexes(self, where: Where) -> dict[str, list[Index]]:
        """Return the indexes and primary keys. A vector index has rows for each of its hidden tables."""
        rows = self._rows(
            "SELECT DISTINCT t.relname, i.name, i.type, i.algo, i.algo_params, i.comment, i.column_name, "
            "i.ordinal_position "
            "FROM mo_catalog.mo_indexes i JOIN mo_catalog.mo_tables t ON t.rel_id = i.table_id "
            "WHERE t.account_id = current_account_id() AND t.reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) "
            "AND LEFT(t.relname, 5) <> '__mo_' AND LEFT(i.column_name, 5) <> '__mo_'"
            f"{_name_filter('t.relname', where)} ORDER BY t.relname, i.name, i.ordinal_position",
            where,
        )
        columns = _by_table(IndexColumnRow(*row[:-1]) for row in rows)
        return {table: list(_indexes(group)) for table, group in columns.items()}

    @_once
    def foreign_key_columns(self, where: Where) -> dict[str, list[ForeignKeyColumnRow]]:
        """Return the columns of foreign keys, by the names that they were declared with.

        mo_foreign_keys has these names in lower case. A join with mo_columns would have the server read the columns of
        all databases of the account. Columns of a referred table that does not exist, which is possible without
        foreign_key_checks, keep the lower case.
        """
        rows = self._rows(
            "SELECT table_name, db_name, constraint_name, column_name, refer_db_name, refer_table_name, "
            "refer_column_name, on_delete, on_update FROM mo_catalog.mo_foreign_keys "
            f"WHERE db_name = COALESCE(NULLIF(%s, ''), DATABASE()){_name_filter('table_name', where)}",
            where,
        )
        return _by_table(self._as_declared([ForeignKeyColumnRow(*row) for row in rows], where))

    def _as_declared(self, rows: Iterable[ForeignKeyColumnRow], where: Where) -> Iterator[ForeignKeyColumnRow]:
        """Yield the columns of foreign keys that still exist, with the capitals of their declarations."""
        for row in rows:
            names = self.declared_names(where)
            if name := names.get((row.table, row.column)):
                if where.table or row.referred_database != row.database:
                    names = self._names_with_capitals(Where(row.referred_database))
                referred = names.get((row.referred_table, row.referred_column), row.referred_column)
                yield row._replace(column=name, referred_column=referred)

    @_once
    def declared_names(self, where: Where) -> dict[tuple[str, str], str]:
        """Return the names of columns as they were declared, by their table and their name in lower case."""
        return {
            (table, fold(column.name)): column.name
            for table, columns in self.columns(where).items()
            for column in columns
        }

    @_once
    def _names_with_capitals(self, where: Where) -> dict[tuple[str, str], str]:
        """Return the names that have capitals, by their table and their name in lower case."""
        rows = self._rows(
            "SELECT att_relname, attname FROM mo_catalog.mo_columns "
            "WHERE account_id = current_account_id() AND att_database = COALESCE(NULLIF(%s, ''), DATABASE()) "
            "AND attname <> LOWER(attname)",
            where,
        )
        return {(table, fold(name)): name for table, name in rows}

    @_once
    def encoded_constraints(self, where: Where) -> dict[str, str]:
        """Return the constraints of each table as the server stores them, see :mod:`..core.catalog_bytes`."""
        rows = self._rows(
            "SELECT relname, HEX(`constraint`) FROM mo_catalog.mo_tables "
            "WHERE account_id = current_account_id() AND reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND relkind = 'r'{_name_filter('relname', where)}",
            where,
        )
        return {table: constraints or "" for table, constraints in rows}

    def _rows(self, statement: str, where: Where) -> Iterable[Any]:
        return self._connection.exec_driver_sql(statement, tuple(where) if where.table else (where.database,))


def is_refused(error: exc.DBAPIError) -> bool:
    """Return whether a statement was refused for lack of privileges."""
    return "do not have privilege" in str(error.orig)


def _name_filter(column: str, where: Where) -> str:
    """Return a condition for one table. IN with several names would lose rows of mo_tables, on every release."""
    return f" AND {column} = %s" if where.table else ""


_Row = TypeVar("_Row", ColumnRow, IndexColumnRow, ForeignKeyColumnRow)


def _by_table(rows: Iterator[_Row]) -> dict[str, list[_Row]]:
    groups: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.table].append(row)
    return dict(groups)


def _indexes(rows: Iterable[IndexColumnRow]) -> Iterator[Index]:
    by_name: defaultdict[tuple[str, str], list[IndexColumnRow]] = defaultdict(list)
    for row in rows:
        by_name[row.name, row.type].append(row)
    for (name, type_), columns in by_name.items():
        # A full-text index may have no name. MySQL would name it after its first column.
        yield Index(name or columns[0].column, type_, [row.column for row in columns], dict(index_options(columns[0])))


def index_options(row: IndexColumnRow) -> Iterator[tuple[str, Any]]:
    """Yield the options that CREATE INDEX accepts. The server stores internal options as well."""
    if row.algorithm:
        yield "matrixone_using", row.algorithm
    if row.comment:
        yield "matrixone_comment", row.comment
    parameters = json.loads(row.parameters) if row.parameters else {}
    for name, value in parameters.items():
        if name == "parser":
            yield "matrixone_with_parser", value
        elif name == "prefix_lengths":
            yield "matrixone_length", _prefix_lengths(value)
        elif option := INDEX_OPTIONS.get(name := _OPTION_NAMES.get(name, name)):
            yield f"matrixone_{name}", option.read(value)


def _prefix_lengths(text: str) -> dict[str, int]:
    """Read ``a:3,b:5``."""
    return {name: int(length) for name, _, length in (part.rpartition(":") for part in text.split(","))}
