"""Implement the dialect's methods for an Inspector, and choose the reader for each table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import exc, util
from sqlalchemy.engine import reflection
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope

from ..core.names import fold
from ..core.server import SYSTEM_DATABASES, MatrixOneServer
from .catalog import Catalog, is_refused
from .catalog_reader import CatalogReader
from .reader import OfTables, TableReader, no_such_table
from .show_create import MatrixOneTableDefinitionParser
from .show_create_reader import ShowCreateReader

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
        TableKey,
    )

_T = TypeVar("_T")

_Facts = Iterator[tuple["TableKey", _T]]

_NO_DATABASE, _NO_TABLE, _NOT_SUPPORTED = 1049, 1146, 20105

_KIND_OF_SEQUENCE = "S"


class MatrixOneReflection(MatrixOneServer):
    """The part of the dialect that serves an Inspector."""

    # -- names

    @reflection.cache
    def get_schema_names(self, connection: Connection, **kw: Any) -> list[str]:
        """Return the databases of the account, without the system databases."""
        try:
            rows = connection.exec_driver_sql("SHOW DATABASES")
        except exc.DBAPIError as error:
            if not is_refused(error):
                raise
            rows = connection.exec_driver_sql("SELECT schema_name FROM information_schema.schemata")
        return sorted(name for (name,) in rows if name not in SYSTEM_DATABASES)

    @reflection.cache
    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Return whether a table or view exists, including temporary tables, for which DESCRIBE returns no rows.

        3.0 finds a table that has a SET, but fails to describe it.
        """
        self._ensure_has_table_connection(connection)
        database = schema or self.default_schema_name
        names = self.identifier_preparer._quote_free_identifiers(database, table_name)
        try:
            connection.exec_driver_sql(
                f"DESCRIBE {'.'.join(names)}", execution_options={"skip_user_error_events": True}
            ).close()
        except exc.DBAPIError as error:
            code = self._extract_error_code(cast("Any", error.orig))
            if code not in (_NO_TABLE, _NO_DATABASE, _NOT_SUPPORTED):
                raise
            return code == _NOT_SUPPORTED
        return True

    @reflection.cache
    def get_table_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names_of(connection, ObjectKind.TABLE, schema, **kw)

    @reflection.cache
    def get_view_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        return self._names_of(connection, ObjectKind.VIEW, schema, **kw)

    @reflection.cache
    def get_sequence_names(self, connection: Connection, schema: str | None = None, **kw: Any) -> list[str]:
        rows = connection.exec_driver_sql(
            "SELECT relname FROM mo_catalog.mo_tables WHERE account_id = current_account_id() "
            "AND reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) AND relkind = %s",
            (self._folded(schema or ""), _KIND_OF_SEQUENCE),
        )
        return sorted(name for (name,) in rows)

    @reflection.cache
    def has_sequence(self, connection: Connection, sequence_name: str, schema: str | None = None, **kw: Any) -> bool:
        return fold(sequence_name) in self.get_sequence_names(connection, schema, **kw)

    def _names_of(self, connection: Connection, kind: ObjectKind, schema: str | None, **kw: Any) -> list[str]:
        return sorted(self._reader(connection, schema, None, **kw).names(kind))

    # -- many tables

    def get_multi_columns(self, connection: Connection, **kw: Any) -> _Facts[list[ReflectedColumn]]:
        return self._reflect(connection, lambda reader, tables: reader.columns(tables), **kw)

    def get_multi_pk_constraint(self, connection: Connection, **kw: Any) -> _Facts[ReflectedPrimaryKeyConstraint]:
        return self._reflect(connection, lambda reader, tables: reader.pk_constraints(tables), **kw)

    def get_multi_indexes(self, connection: Connection, **kw: Any) -> _Facts[list[ReflectedIndex]]:
        return self._reflect(connection, lambda reader, tables: reader.indexes(tables), **kw)

    def get_multi_unique_constraints(
        self, connection: Connection, **kw: Any
    ) -> _Facts[list[ReflectedUniqueConstraint]]:
        return self._reflect(connection, lambda reader, tables: reader.unique_constraints(tables), **kw)

    def get_multi_foreign_keys(self, connection: Connection, **kw: Any) -> _Facts[list[ReflectedForeignKeyConstraint]]:
        return self._reflect(connection, lambda reader, tables: reader.foreign_keys(tables), **kw)

    def get_multi_check_constraints(self, connection: Connection, **kw: Any) -> _Facts[list[ReflectedCheckConstraint]]:
        return self._reflect(connection, lambda reader, tables: reader.check_constraints(tables), **kw)

    def get_multi_table_comment(self, connection: Connection, **kw: Any) -> _Facts[ReflectedTableComment]:
        return self._reflect(connection, lambda reader, tables: reader.comments(tables), **kw)

    def get_multi_table_options(self, connection: Connection, **kw: Any) -> _Facts[dict[str, Any]]:
        return self._reflect(connection, lambda reader, tables: reader.options(tables), **kw)

    def _reflect(
        self,
        connection: Connection,
        read: Callable[[TableReader, Iterable[str]], OfTables[_T]],
        *,
        schema: str | None = None,
        filter_names: Collection[str] | None = None,
        scope: ObjectScope = ObjectScope.ANY,
        kind: ObjectKind = ObjectKind.ANY,
        **kw: Any,
    ) -> Iterator[tuple[TableKey, _T]]:
        """Yield one kind of fact about each requested table, under the name by which it was requested.

        :param read: the call that gets this kind of fact from a reader.
        """
        asked = {self._folded(name): name for name in filter_names or ()}
        for reader, tables in self._readers(connection, schema, asked, scope, kind, kw):
            for table, fact in read(reader, tables):
                yield (schema, asked.get(table, table)), fact

    def _readers(
        self,
        connection: Connection,
        schema: str | None,
        asked: dict[str, str],
        scope: ObjectScope,
        kind: ObjectKind,
        kw: dict[str, Any],
    ) -> Iterator[tuple[TableReader, list[str]]]:
        """Yield the readers, each with the tables that it reads.

        :param asked: the requested names, by the names that the server folds them to; empty for all tables.
        """
        reader = self._reader(connection, schema, list(asked) or None, **kw)
        if not isinstance(reader, CatalogReader):
            yield reader, list(asked.values()) or reader.names(kind)
            return
        if ObjectScope.DEFAULT in scope:
            yield reader, reader.names(kind)
        if ObjectScope.TEMPORARY in scope and ObjectKind.TABLE in kind:
            # The catalog does not list them, or lists them under other names. SHOW CREATE TABLE finds them.
            missing = [name for folded, name in asked.items() if folded not in reader]
            yield ShowCreateReader(self, connection, schema, kw), missing

    def _reader(self, connection: Connection, schema: str | None, names: list[str] | None, **kw: Any) -> TableReader:
        """Return a reader of the catalog, or of SHOW CREATE TABLE for a user who may not read the catalog.

        :param names: the requested tables, as the server folds names; None for all.
        """
        shown = ShowCreateReader(self, connection, schema, kw)
        catalog = Catalog(self, connection, kw.get("info_cache"))
        where = catalog.where(self._folded(schema or ""), names)
        return CatalogReader(self, catalog, where, schema, names, shown) if catalog.is_readable(where) else shown

    def _folded(self, name: str) -> str:
        return fold(name) if self._casing else name

    @util.memoized_property
    def _tabledef_parser(self) -> MatrixOneTableDefinitionParser:
        return MatrixOneTableDefinitionParser(self, self.identifier_preparer)

    # -- one table

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedColumn]:
        return _only(self.get_multi_columns, connection, table_name, schema, **kw)

    def get_pk_constraint(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> ReflectedPrimaryKeyConstraint:
        return _only(self.get_multi_pk_constraint, connection, table_name, schema, **kw)

    def get_indexes(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedIndex]:
        return _only(self.get_multi_indexes, connection, table_name, schema, **kw)

    def get_unique_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedUniqueConstraint]:
        return _only(self.get_multi_unique_constraints, connection, table_name, schema, **kw)

    def get_foreign_keys(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedForeignKeyConstraint]:
        return _only(self.get_multi_foreign_keys, connection, table_name, schema, **kw)

    def get_check_constraints(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[ReflectedCheckConstraint]:
        return _only(self.get_multi_check_constraints, connection, table_name, schema, **kw)

    def get_table_comment(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> ReflectedTableComment:
        return _only(self.get_multi_table_comment, connection, table_name, schema, **kw)

    def get_table_options(
        self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        return _only(self.get_multi_table_options, connection, table_name, schema, **kw)

    def get_view_definition(self, connection: Connection, view_name: str, schema: str | None = None, **kw: Any) -> str:
        """Return the complete CREATE VIEW statement, as it was written."""
        folded = self._folded(view_name)
        reader = self._reader(connection, schema, [folded], **kw)
        return reader.view_definition(folded if isinstance(reader, CatalogReader) else view_name)


def _only(
    many: Callable[..., Iterable[tuple[TableKey, _T]]],
    connection: Connection,
    table_name: str,
    schema: str | None,
    **kw: Any,
) -> _T:
    """Return what a method for many tables yields for a single one.

    :raises sqlalchemy.exc.NoSuchTableError: if the table does not exist.
    """
    for _, facts in many(connection, schema=schema, filter_names=[table_name], **kw):
        return facts
    raise no_such_table(schema, table_name)
