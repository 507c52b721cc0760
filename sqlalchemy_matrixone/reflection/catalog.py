"""Read the rows of the server's catalog: all tables of a database, or a single table, in a few statements.

``mo_catalog`` contains, for each account, more than information_schema shows, and can be read inside a transaction.
Internal objects (index tables, partitions, the hidden columns of a table without a primary key) are left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import exc

from ..core.names import fold
from ..core.options import INDEX_OPTIONS
from ..core.release import Feature
from . import catalog_queries
from .catalog_queries import Fact, Where
from .reader import HIDDEN

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer

_T = TypeVar("_T")

_REFUSED = "refused"
"""The key of the fact that the user may not read the catalog."""

_OPTION_NAMES = {"included_columns": "include"}


class TableRow(NamedTuple):
    """A row of mo_catalog.mo_tables."""

    name: str
    kind: str
    comment: str
    definition: str | None
    extra: str | None


class ColumnRow(NamedTuple):
    """A row of mo_catalog.mo_columns. Its numbers are text if it was fetched together with other facts."""

    table: str
    name: str
    type: str
    encoded_type: str
    values: str
    not_null: int | str
    default: str | None
    on_update: str | None
    autoincrement: int | str
    comment: str
    generated: str | None
    persistence: str | None
    position: int | str = 0


class IndexColumnRow(NamedTuple):
    """A row of mo_catalog.mo_indexes: one column of an index."""

    table: str
    name: str
    type: str
    algorithm: str
    parameters: str
    comment: str
    column: str
    position: int | str = 0


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


_Method = Callable[["Catalog", Where], _T]


def _once(method: _Method[_T]) -> _Method[_T]:
    """Cache the result of a method for as long as the Inspector keeps its own cache."""

    @wraps(method)
    def read(self: Catalog, where: Where) -> _T:
        key = (method.__name__, where)
        if key not in self._read:
            self._read[key] = method(self, where)
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
        self._read: dict[tuple[str | Fact, Where] | str, Any] = {}
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
        if where.table:
            facts = (catalog_queries.tables, catalog_queries.columns, catalog_queries.foreign_keys)
            self._fetch([(fact, where) for fact in facts])
        rows = self._rows(catalog_queries.tables, where)
        return {row[0]: TableRow(*row) for row in rows if not row[0].startswith(HIDDEN)}

    @_once
    def columns(self, where: Where) -> dict[str, list[ColumnRow]]:
        """Return the columns of each table, in order."""
        rows = map(ColumnRow._make, self._rows(catalog_queries.columns, where))
        return _by_table(sorted(rows, key=_position))

    @_once
    def indexes(self, where: Where) -> dict[str, list[Index]]:
        """Return the indexes and primary keys. A vector index has rows for each of its hidden tables."""
        self._fetch_rest(where)
        rows = dict.fromkeys(map(IndexColumnRow._make, self._rows(catalog_queries.indexes, where)))
        columns = _by_table(sorted(rows, key=_position))
        return {table: list(_grouped_indexes(group)) for table, group in columns.items()}

    @_once
    def foreign_key_columns(self, where: Where) -> dict[str, list[ForeignKeyColumnRow]]:
        """Return the columns of foreign keys, by the names that they were declared with.

        mo_foreign_keys has these names in lower case. A join with mo_columns would have the server read the columns of
        all databases of the account. Columns of a referred table that does not exist, which is possible without
        foreign_key_checks, keep the lower case.
        """
        self._fetch_rest(where)
        return _by_table(self._as_declared(self._foreign_keys(where), where))

    def _as_declared(self, rows: Iterable[ForeignKeyColumnRow], where: Where) -> Iterator[ForeignKeyColumnRow]:
        """Yield the columns of foreign keys that still exist, with the capitals of their declarations."""
        for row in rows:
            names = self.declared_names(where)
            if name := names.get((row.table, row.column)):
                if (referred := _referred(row, where)) != where:
                    names = self._names_with_capitals(referred)
                referred_name = names.get((row.referred_table, row.referred_column), row.referred_column)
                yield row._replace(column=name, referred_column=referred_name)

    @_once
    def declared_names(self, where: Where) -> dict[tuple[str, str], str]:
        """Return the names of columns as they were declared, by their table and their name in lower case."""
        return {
            (table, fold(column.name)): column.name
            for table, columns in self.columns(where).items()
            for column in columns
        }

    @_once
    def _foreign_keys(self, where: Where) -> list[ForeignKeyColumnRow]:
        return [ForeignKeyColumnRow(*row) for row in self._rows(catalog_queries.foreign_keys, where)]

    @_once
    def _names_with_capitals(self, where: Where) -> dict[tuple[str, str], str]:
        """Return the names that have capitals, by their table and their name in lower case."""
        return {(table, fold(name)): name for table, name in self._rows(catalog_queries.names_with_capitals, where)}

    @_once
    def encoded_constraints(self, where: Where) -> dict[str, str]:
        """Return the constraints of each table as the server stores them, see :mod:`..core.catalog_bytes`."""
        return {table: constraints or "" for table, constraints in self._rows(catalog_queries.constraints, where)}

    @_once
    def _fetch_rest(self, where: Where) -> None:
        """Fetch what :meth:`tables` does not fetch of one table: its indexes, and names in the tables it refers to."""
        if not where.table:
            return
        wanted: list[tuple[Fact, Where]] = [(catalog_queries.indexes, where)]
        if not self._dialect.supports(Feature.FOREIGN_KEYS_KEPT_BY_ALTER):
            wanted.append((catalog_queries.constraints, where))
        referred = dict.fromkeys(_referred(row, where) for row in self._foreign_keys(where))
        wanted += [(catalog_queries.names_with_capitals, each) for each in referred if each != where]
        self._fetch(wanted)

    def _rows(self, fact: Fact, where: Where) -> Iterable[Any]:
        """Return the rows of one kind of fact, which may have been fetched together with others."""
        if (fact, where) in self._read:
            rows: Iterable[Any] = self._read.pop((fact, where))
            return rows
        query = fact(self._dialect, where)
        return self._connection.exec_driver_sql(query.statement, where.parameters)

    def _fetch(self, wanted: Sequence[tuple[Fact, Where]]) -> None:
        """Fetch several kinds of facts of a few tables by one statement, for :meth:`_rows` to return."""
        queries = [fact(self._dialect, where) for fact, where in wanted]
        parameters = tuple(parameter for _, where in wanted for parameter in where.parameters)
        fetched: list[list[Any]] = [[] for _ in queries]
        for number, *row in self._connection.exec_driver_sql(catalog_queries.union(queries), parameters):
            fetched[number].append(tuple(row[: len(queries[number].columns)]))
        self._read.update(zip(wanted, fetched, strict=True))


def _referred(row: ForeignKeyColumnRow, where: Where) -> Where:
    """Return what to read for the names of the columns that a foreign key refers to."""
    referred = Where(row.referred_database, where.table and row.referred_table)
    return where if referred == Where(row.database, where.table) else referred


def is_refused(error: exc.DBAPIError) -> bool:
    """Return whether a statement was refused for lack of privileges."""
    return "do not have privilege" in str(error.orig)


def _position(row: ColumnRow | IndexColumnRow) -> int:
    return int(row.position)


_Row = TypeVar("_Row", ColumnRow, IndexColumnRow, ForeignKeyColumnRow)


def _by_table(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    groups: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.table].append(row)
    return dict(groups)


def _grouped_indexes(rows: Iterable[IndexColumnRow]) -> Iterator[Index]:
    by_name: defaultdict[tuple[str, str], list[IndexColumnRow]] = defaultdict(list)
    for row in rows:
        by_name[row.name, row.type].append(row)
    for (name, type_), columns in sorted(by_name.items()):
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
