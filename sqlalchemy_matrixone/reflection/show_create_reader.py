"""Reflect tables from SHOW CREATE TABLE, for users without catalog privileges and for temporary tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import exc
from sqlalchemy.dialects.mysql.base import MySQLDialect
from sqlalchemy.engine.reflection import ObjectKind, ReflectionDefaults

from .reader import HIDDEN, NO_ACTIONS, OfTables, TableReader

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import (
        ReflectedCheckConstraint,
        ReflectedColumn,
        ReflectedForeignKeyConstraint,
        ReflectedIndex,
        ReflectedPrimaryKeyConstraint,
        ReflectedTableComment,
        ReflectedUniqueConstraint,
    )

    from .show_create import MatrixOneReflectedState

_T = TypeVar("_T")


class ShowCreateReader(TableReader):
    """Read facts about tables as MySQL's dialect does, one table after another.

    :param kw: the keywords that the Inspector passes to the dialect, including its cache.
    """

    def __init__(self, dialect: MySQLDialect, connection: Connection, schema: str | None, kw: dict[str, Any]) -> None:
        self._dialect = dialect
        self._connection = connection
        self._schema = schema
        self._kw = kw

    def names(self, kind: ObjectKind) -> list[str]:
        found: list[str] = []
        for method, each in (
            (MySQLDialect.get_table_names, ObjectKind.TABLE),
            (MySQLDialect.get_view_names, ObjectKind.VIEW),
        ):
            if each in kind:
                found += method(self._dialect, self._connection, self._schema, info_cache=self._kw.get("info_cache"))
        return sorted(name for name in found if not name.startswith(HIDDEN))

    def columns(self, tables: Iterable[str]) -> OfTables[list[ReflectedColumn]]:
        return self._each(tables, MySQLDialect.get_columns)

    def pk_constraints(self, tables: Iterable[str]) -> OfTables[ReflectedPrimaryKeyConstraint]:
        return self._each(tables, MySQLDialect.get_pk_constraint)

    def indexes(self, tables: Iterable[str]) -> OfTables[list[ReflectedIndex]]:
        for table, state in self._states(tables):
            indexes = MySQLDialect.get_indexes(self._dialect, self._connection, table, self._schema, **self._kw)
            yield table, sorted([*indexes, *state.own_indexes], key=lambda index: index["name"] or "")

    def unique_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedUniqueConstraint]]:
        return self._each(tables, MySQLDialect.get_unique_constraints)

    def foreign_keys(self, tables: Iterable[str]) -> OfTables[list[ReflectedForeignKeyConstraint]]:
        for table, keys in self._each(tables, MySQLDialect.get_foreign_keys):
            for key in keys:
                key["options"] = {name: action for name, action in key["options"].items() if action not in NO_ACTIONS}
            yield table, sorted(keys, key=lambda key: key["name"] or "")

    def check_constraints(self, tables: Iterable[str]) -> OfTables[list[ReflectedCheckConstraint]]:
        for table, checks in self._each(tables, MySQLDialect.get_check_constraints):
            for check in checks:
                if check["name"] is not None and check["name"].startswith(HIDDEN):
                    check["name"] = None
            yield table, checks

    def comments(self, tables: Iterable[str]) -> OfTables[ReflectedTableComment]:
        return self._each(tables, MySQLDialect.get_table_comment)

    def options(self, tables: Iterable[str]) -> OfTables[dict[str, Any]]:
        for table, _ in self._states(tables):
            yield table, ReflectionDefaults.table_options()

    def view_definition(self, view: str) -> str:
        return str(MySQLDialect.get_view_definition(self._dialect, self._connection, view, self._schema, **self._kw))

    def _states(self, tables: Iterable[str]) -> OfTables[MatrixOneReflectedState]:
        """Yield the parsed SHOW CREATE TABLE of each table."""
        return cast("OfTables[MatrixOneReflectedState]", self._each(tables, MySQLDialect._parsed_state_or_create))

    def _each(self, tables: Iterable[str], read: Callable[..., _T]) -> OfTables[_T]:
        for table in tables:
            try:
                fact = read(self._dialect, self._connection, table, self._schema, **self._kw)
            except exc.NoSuchTableError:
                continue
            yield table, fact
