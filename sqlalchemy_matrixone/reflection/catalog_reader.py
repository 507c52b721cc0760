"""Reflection from the server's catalog."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import types
from sqlalchemy.engine.reflection import ReflectionDefaults

from ..core.catalog_bytes import check_constraints, foreign_key_columns
from ..core.names import fold
from ..core.release import Feature
from .catalog import Catalog, ColumnRow, ForeignKeyColumnRow, Index
from .catalog_queries import KINDS, Where
from .reader import NO_ACTIONS, OfTables, TableReader, no_such_table
from .types import column_type

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import (
        ReflectedCheckConstraint,
        ReflectedColumn,
        ReflectedForeignKeyConstraint,
        ReflectedIndex,
        ReflectedPrimaryKeyConstraint,
        ReflectedTableComment,
        ReflectedUniqueConstraint,
    )
    from sqlalchemy.engine.reflection import ObjectKind

    from ..core.server import MatrixOneServer

_PRIMARY, _UNIQUE = "PRIMARY", "UNIQUE"
_NUMBER_IN_PARENTHESES = re.compile(r"\((-?\d+(?:\.\d+)?)\)")


class CatalogReader(TableReader):
    """Read facts about tables from ``mo_catalog``.

    :param where: what to read together: the database, or one table of it.
    :param schema: the database as it was requested.
    :param names: the requested tables, as the server folds names; None for all.
    :param shown: a reader for the foreign keys that are missing in the catalog.
    """

    def __init__(
        self,
        dialect: MatrixOneServer,
        catalog: Catalog,
        where: Where,
        schema: str | None,
        names: list[str] | None,
        shown: TableReader,
    ) -> None:
        self._dialect = dialect
        self._catalog = catalog
        self._schema = schema
        self._shown = shown
        self._where = where
        tables = catalog.tables(where)
        self._tables = tables if names is None else {name: tables[name] for name in names if name in tables}

    def __contains__(self, table: str) -> bool:
        return table in self._tables

    def names(self, kind: ObjectKind) -> list[str]:
        return [table.name for table in self._tables.values() if KINDS[table.kind] in kind]

    def columns(self, tables: Iterable[str]) -> OfTables[list[ReflectedColumn]]:
        rows = self._catalog.columns(self._where)
        doubled_quotes = self._dialect.supports(Feature.DEFAULTS_WITH_DOUBLED_QUOTES)
        for table in tables:
            yield table, [reflected_column(row, doubled_quotes) for row in rows.get(table, ())]

    def pk_constraints(self, tables: Iterable[str]) -> OfTables[ReflectedPrimaryKeyConstraint]:
        names = self._catalog.declared_names(self._where)
        for table, indexes in self._indexes(tables):
            key = _primary_key(indexes)
            if all((table, fold(name)) in names for name in key["constrained_columns"]):
                yield table, key
            else:  # mo_indexes keeps the former name of a column of the key that was renamed
                yield from self._shown.pk_constraints([table])

    def indexes(self, tables: Iterable[str]) -> OfTables[list[ReflectedIndex]]:
        for table, indexes in self._indexes(tables):
            yield table, [_reflected_index(index) for index in indexes if index.type != _PRIMARY]

    def unique_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedUniqueConstraint]]:
        for table, indexes in self._indexes(tables):
            yield (
                table,
                [
                    {"name": index.name, "column_names": list(index.columns), "duplicates_index": index.name}
                    for index in indexes
                    if index.type == _UNIQUE
                ],
            )

    def _indexes(self, tables: Iterable[str]) -> OfTables[list[Index]]:
        indexes = self._catalog.indexes(self._where)
        for table in tables:
            yield table, indexes.get(table, [])

    def foreign_keys(self, tables: Iterable[str]) -> OfTables[list[ReflectedForeignKeyConstraint]]:
        rows = self._catalog.foreign_key_columns(self._where)
        for table in tables:
            keys = list(_grouped_foreign_keys(rows.get(table, ()), self._schema))
            if self._is_whole(keys) or self._complete(keys, table):
                yield table, keys
            else:
                yield from self._shown.foreign_keys([table])

    def _is_whole(self, keys: list[ReflectedForeignKeyConstraint]) -> bool:
        """Return whether the rows of mo_foreign_keys contain all keys of a table, with their columns in order.

        The server sorts these rows by the names of the columns once it has written them to disk. Before 4.2,
        ALTER TABLE loses them.
        """
        composite = any(len(key["constrained_columns"]) > 1 for key in keys)
        return not composite and self._dialect.supports(Feature.FOREIGN_KEYS_KEPT_BY_ALTER)

    def _complete(self, keys: list[ReflectedForeignKeyConstraint], table: str) -> bool:
        """Put the columns of the keys in the order of the table's ``constraint``; return False if keys are missing."""
        numbers = foreign_key_columns(self._catalog.encoded_constraints(self._where).get(table, ""))
        if not numbers and not keys:
            return True
        columns = self._catalog.columns(self._where).get(table, ())
        names = dict(enumerate((column.name for column in columns), start=1))
        return numbers.keys() == {key["name"] for key in keys} and all(
            _put_in_order(key, [names.get(number, "") for number in numbers[key["name"] or ""]]) for key in keys
        )

    def check_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedCheckConstraint]]:
        for table in tables:
            found = check_constraints(self._tables[table].extra)
            yield table, sorted(found, key=lambda check: check["name"] or "")

    def comments(self, tables: Iterable[str]) -> OfTables[ReflectedTableComment]:
        for table in tables:
            yield table, {"text": _comment(self._tables[table].comment)}

    def options(self, tables: Iterable[str]) -> OfTables[dict[str, Any]]:
        for table in tables:
            yield table, ReflectionDefaults.table_options()

    def view_definition(self, view: str) -> str:
        table = self._tables.get(view)
        if table is None or table.kind != "v" or not table.definition:
            raise no_such_table(self._schema, view)
        return str(json.loads(table.definition)["Stmt"])


# -- columns


def reflected_column(row: ColumnRow, doubled_quotes: bool) -> ReflectedColumn:
    """Return a column as an Inspector reports it.

    :param doubled_quotes: whether the catalog has a string default as it was written. Older releases store it without
        the doubling of its quotes.
    """
    type_ = column_type(row.name, row.type, row.encoded_type, row.values)
    column: dict[str, Any] = {
        "name": row.name,
        "type": type_,
        "nullable": not int(row.not_null),
        "default": _default(row, doubled_quotes),
        "comment": _comment(row.comment),
    }
    if int(row.autoincrement):
        column["autoincrement"] = True
    elif isinstance(type_, types.Integer):
        column["autoincrement"] = False
    if row.generated:
        column["computed"] = {"sqltext": row.generated, "persisted": (row.persistence or "").startswith("STORED")}
    return cast("ReflectedColumn", column)


def _default(row: ColumnRow, doubled_quotes: bool) -> str | None:
    """Return the default as an SQL expression, followed by ON UPDATE if there is one, as MySQL's dialect does."""
    default = row.default
    if default is not None and default.lower() == "null":
        default = None
    if default is not None and default.startswith("'") and default.endswith("'"):
        if not doubled_quotes:
            default = "'" + default[1:-1].replace("'", "''") + "'"
    elif default is not None and (match := _NUMBER_IN_PARENTHESES.fullmatch(default)):
        default = match[1]
    if row.on_update:
        return f"{default or 'NULL'} ON UPDATE {row.on_update}"
    return default or None


def _comment(text: str | None) -> str | None:
    """Return a comment without the doubling of its quotes, which the server does not undo."""
    return text.replace("''", "'") if text else None


# -- indexes


def _primary_key(indexes: Iterable[Index]) -> ReflectedPrimaryKeyConstraint:
    for index in indexes:
        if index.type == _PRIMARY:
            return {"constrained_columns": list(index.columns), "name": None}
    return ReflectionDefaults.pk_constraint()


def _reflected_index(index: Index) -> ReflectedIndex:
    reflected: dict[str, Any] = {
        "name": index.name,
        "column_names": list(index.columns),
        "unique": index.type == _UNIQUE,
    }
    if index.options:
        reflected["dialect_options"] = dict(index.options)
    return cast("ReflectedIndex", reflected)


# -- foreign keys


def _grouped_foreign_keys(
    rows: Iterable[ForeignKeyColumnRow], schema: str | None
) -> Iterator[ReflectedForeignKeyConstraint]:
    by_name: defaultdict[str, list[ForeignKeyColumnRow]] = defaultdict(list)
    for row in rows:
        by_name[row.constraint].append(row)
    for name, columns in sorted(by_name.items()):
        first = columns[0]
        yield {
            "name": name,
            "constrained_columns": [row.column for row in columns],
            # The database of the table itself is reported under the name by which it was requested, if any.
            "referred_schema": schema if first.referred_database == first.database else first.referred_database,
            "referred_table": first.referred_table,
            "referred_columns": [row.referred_column for row in columns],
            "options": dict(_actions(first)),
        }


def _actions(row: ForeignKeyColumnRow) -> Iterator[tuple[str, str]]:
    """Yield ON DELETE and ON UPDATE, except RESTRICT, which the server also reports if nothing was declared."""
    for name, action in (("ondelete", row.on_delete), ("onupdate", row.on_update)):
        action = action.upper().replace("_", " ")
        if action not in NO_ACTIONS:
            yield name, action


def _put_in_order(key: ReflectedForeignKeyConstraint, names: list[str]) -> bool:
    """Put a key's columns in this order; return False if these are not its columns."""
    referred = dict(zip(key["constrained_columns"], key["referred_columns"], strict=True))
    if referred.keys() != set(names):
        return False
    key["constrained_columns"], key["referred_columns"] = names, [referred[name] for name in names]
    return True
