"""Implement the differences between MatrixOne and MySQL for Alembic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from alembic.ddl.impl import ComparisonResult, DefaultImpl
from alembic.ddl.mysql import MySQLImpl
from alembic.util import CommandError
from sqlalchemy import CheckConstraint, PrimaryKeyConstraint, TextClause, inspect, types
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, Constraint
from sqlalchemy.sql.compiler import DDLCompiler
from sqlalchemy.types import NullType

from .. import types as matrixone_types
from ..core.connection import state_of
from ..core.names import fold
from ..core.options import index_kind, index_option
from ..core.release import Feature, format_release
from ..core.server import MatrixOneServer
from ..sql.table_ddl import cuts_values, findable_expressions, indexed_name
from . import snapshots
from ._internals import ExecutingImpl, running_context
from .alter_table import as_rendered_for_matrixone
from .compare import names
from .compare.defaults import canonical_default
from .compare.indexes import index_differences, renamed_index
from .compare.types import canonical_type
from .declarations import warn_if_not_compared
from .pitrs import declared_objects
from .protection import watch_pitrs
from .referring_keys import referring_keys

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.batch import ApplyBatchImpl, BatchOperationsImpl
    from sqlalchemy import (
        ClauseElement,
        Column,
        Dialect,
        ForeignKeyConstraint,
        Index,
        Inspector,
        Table,
        UniqueConstraint,
    )
    from sqlalchemy.engine.interfaces import ReflectedColumn
    from sqlalchemy.sql.elements import quoted_name
    from sqlalchemy.types import TypeEngine


_ON_UPDATE = re.compile(r"\bON\s+UPDATE\b", re.I)
_BIND = re.compile(r"(?<![:\\]):(?=\w)")


class MatrixOneImpl(ExecutingImpl):
    """Alembic's implementation for MySQL, with the transactional DDL of MatrixOne.

    DDL is rolled back together with changes of rows, so that an upgrade over any number of revisions is applied either
    completely or not at all.
    """

    __dialect__ = "matrixone"
    transactional_ddl = True

    _referring_keys: Sequence[ForeignKeyConstraint] = ()

    def to_execute(self, construct: Any) -> Any:
        """Return the construct in the form in which MatrixOne's syntax is rendered."""
        return as_rendered_for_matrixone(construct)

    def executing(self, construct: Any) -> AbstractContextManager[None]:
        """Keep PITRs active, also for operations outside of Alembic's commands."""
        if self.connection is None:
            return nullcontext()
        return watch_pitrs(self.connection).executing(state_of(self.connection.connection), construct)

    def start_migrations(self) -> None:
        super().start_migrations()
        warn_if_not_compared(self.context_opts)
        if not self.as_sql and self.connection is not None:
            watch = watch_pitrs(self.connection)
            if "destination_rev" in self.context_opts:  # an upgrade, downgrade or stamp
                watch.note_declared(declared_objects(running_context()))
            if not state_of(self.connection.connection).in_transaction:
                watch.remember()
        keep = self.context_opts.get(snapshots.OPTION)
        if keep and not self.as_sql:
            snapshots.snapshot_before_migrations(running_context(), keep)

    def compare_server_default(
        self,
        inspector_column: Column[Any],
        metadata_column: Column[Any],
        rendered_metadata_default: str | None,
        rendered_inspector_default: str | None,
    ) -> bool:
        reflected, declared = (
            canonical_default(self._ddl_compiler, column, metadata_column.type)
            for column in (inspector_column, metadata_column)
        )
        return reflected != declared

    @cached_property
    def _ddl_compiler(self) -> DDLCompiler:
        """Return the compiler that renders all server defaults, since to create one takes longer than to use it."""
        return self.dialect.ddl_compiler(self.dialect, None)  # type: ignore[arg-type]

    def compare_type(self, inspector_column: Column[Any], metadata_column: Column[Any]) -> bool:
        """Return whether the two types render differently in CREATE TABLE, including the server's defaults."""
        reflected, declared = (
            canonical_type(self.dialect, column.type) for column in (inspector_column, metadata_column)
        )
        return reflected != declared

    def compare_indexes(self, metadata_index: Index, reflected_index: Index) -> ComparisonResult:
        """Compare indexes as Alembic does, and by their kind.

        Prefix lengths and options are compared if the model declares them.
        """
        result = super().compare_indexes(metadata_index, reflected_index)
        if result.is_different and self._differ_by_omitted_key(metadata_index, reflected_index):
            result = ComparisonResult.Equal()
        messages = [result.message] if result.is_different else []
        messages.extend(index_differences(metadata_index, reflected_index, self._has_prefix_length))
        return ComparisonResult.Different(messages) if messages else result

    def _differ_by_omitted_key(self, declared: Index, reflected: Index) -> bool:
        """Return whether an index has only been created without the primary key, which the server adds."""
        key = [] if declared.table is None else [column.name for column in declared.table.primary_key]
        created = findable_expressions(declared, key, self._server.server_release)
        names = [fold(indexed_name(expression)) for expression in created]
        is_shorter = len(created) < len(declared.expressions) and not reflected.unique
        return is_shorter and names == [fold(column.name) for column in reflected.columns]

    @property
    def _server(self) -> MatrixOneServer:
        return cast("MatrixOneServer", self.dialect)

    def _inspector(self) -> Inspector:
        """Return an Inspector of the connection, which offline scripts lack."""
        assert self.connection is not None
        return inspect(self.connection)

    @property
    def _keeps_prefix_lengths(self) -> bool:
        return self._server.supports(Feature.INDEX_PREFIX_LENGTHS)

    def _has_prefix_length(self, column: Column[Any], length: int) -> bool:
        return self._keeps_prefix_lengths and not cuts_values(column, length, self.dialect)

    def correct_for_autogen_constraints(
        self,
        conn_unique_constraints: set[UniqueConstraint],
        conn_indexes: set[Index],
        metadata_unique_constraints: set[UniqueConstraint],
        metadata_indexes: set[Index],
    ) -> None:
        """Give reflected objects their declared names.

        Unlike MySQL, MatrixOne does not create indexes for foreign keys implicitly, so none have to be removed here.
        """
        names.as_declared(conn_unique_constraints, conn_indexes, metadata_unique_constraints, metadata_indexes)

    def correct_for_autogen_foreignkeys(
        self, conn_fks: set[ForeignKeyConstraint], metadata_fks: set[ForeignKeyConstraint]
    ) -> None:
        names.foreign_keys_as_declared(conn_fks, metadata_fks, self.dialect.default_schema_name)
        super().correct_for_autogen_foreignkeys(conn_fks, metadata_fks)  # type: ignore[no-untyped-call]

    def render_type(self, type_obj: TypeEngine[Any], autogen_context: AutogenContext) -> str | Literal[False]:
        """Render a type as Alembic does, but a type of this package with its module, which is imported.

        If env.py sets a ``user_module_prefix``, Alembic would use that instead of the module.
        """
        module = type(type_obj).__module__
        if module != matrixone_types.__name__:
            return False
        autogen_context.imports.add(f"import {module}")
        return f"{module}.{type_obj!r}"

    def render_ddl_sql_expr(
        self, expr: ClauseElement, is_server_default: bool = False, is_index: bool = False, **kw: Any
    ) -> str:
        """Render an expression as Alembic does, but without doubled percent signs, which only the drivers need.

        A colon in a server default does not start a bind parameter.
        """
        if is_server_default and isinstance(expr, TextClause):
            return _BIND.sub(r"\\:", expr.text)
        return super().render_ddl_sql_expr(expr, is_server_default, is_index, **kw).replace("%%", "%")

    def add_column(self, table_name: str, *args: Any, **kw: Any) -> None:
        with _explaining_lineage(table_name):
            super().add_column(table_name, *args, **kw)

    def drop_column(self, table_name: str, *args: Any, **kw: Any) -> None:
        with _explaining_lineage(table_name):
            super().drop_column(table_name, *args, **kw)

    def alter_column(
        self,
        table_name: str,
        column_name: str,
        *,
        name: str | None = None,
        server_default: Any = False,
        type_: TypeEngine[Any] | None = None,
        schema: str | None = None,
        existing_type: TypeEngine[Any] | None = None,
        existing_server_default: Any = None,
        **kw: Any,
    ) -> None:
        """Alter a column as Alembic does, but use MODIFY if the existing default has an ON UPDATE.

        DROP DEFAULT and SET DEFAULT would keep the ON UPDATE. Before 4.1, queries do not find rows by an index after a
        column of the primary key was renamed, so such an index is created again.
        """
        if server_default is not False and type_ is None:
            if _has_on_update(existing_server_default):
                type_ = existing_type
            elif column := self._column_with_on_update(table_name, column_name, schema, existing_type):
                type_ = existing_type or column["type"]
                existing = {"existing_nullable": column["nullable"], "existing_comment": column["comment"]}
                kw |= {keyword: value for keyword, value in existing.items() if kw.get(keyword) is None}
        indexes = [] if name is None else self._indexes_with_key(table_name, column_name, name, schema)
        for index in indexes:
            self.drop_index(index)
        with _explaining_lineage(table_name):
            super().alter_column(
                table_name,
                column_name,
                name=name,
                server_default=server_default,
                type_=type_,
                schema=schema,
                existing_type=existing_type,
                existing_server_default=existing_server_default,
                **kw,
            )
        for index in indexes:
            self.create_index(index)

    def _column_with_on_update(
        self, table_name: str, column_name: str, schema: str | None, existing_type: TypeEngine[Any] | None
    ) -> ReflectedColumn | None:
        """Return a column as it is on the server, if it has an ON UPDATE; None if it has none, or is not known.

        A migration that autogenerate has written to change a default does not contain the existing one.
        """
        if self.as_sql or not (existing_type is None or isinstance(existing_type, types.DateTime)):
            return None
        columns = self._inspector().get_columns(table_name, schema=schema)
        return next(
            (
                column
                for column in columns
                if fold(column["name"]) == fold(column_name) and _has_on_update(column["default"])
            ),
            None,
        )

    def create_index(self, index: Index, **kw: Any) -> None:
        """Create an index as Alembic does, unless queries would not find rows by it.

        Before 4.1, the primary key is left out of an index that contains the whole key. That key and the types of the
        columns are read from the server, because the migration does not contain them.

        :raises MatrixOneCompileError: from 4.0 on, if a ``mysql_length`` cannot be omitted that is less than the length
            of the column.
        """
        if index_option(index, "length") is not None and not self.as_sql and self._keeps_prefix_lengths:
            self._read_types(index)
        if len(index.columns) > 1 and self._hides_rows_by_key and index.table is not None:
            _set_primary_key(index.table, self._primary_key(index.table.name, index.table.schema))
        super().create_index(index, **kw)

    def _read_types(self, index: Index) -> None:
        """Give the columns of an index the types that they have on the server, if the migration does not have them."""
        if index.table is None or not any(isinstance(column.type, NullType) for column in index.columns):
            return
        columns = self._inspector().get_columns(index.table.name, schema=index.table.schema)
        of_server = {fold(column["name"]): column["type"] for column in columns}
        for column in index.columns:
            column.type = of_server.get(fold(column.name), column.type)

    @property
    def _hides_rows_by_key(self) -> bool:
        """Return whether the primary key may keep the server from finding rows by an index, and the key can be read."""
        return not self.as_sql and not self._server.supports(Feature.KEY_IN_INDEX)

    def _primary_key(self, table_name: str, schema: str | None) -> list[str]:
        return self._inspector().get_pk_constraint(table_name, schema=schema)["constrained_columns"]

    def _indexes_with_key(self, table_name: str, column_name: str, new_name: str, schema: str | None) -> list[Index]:
        """Return the indexes to create again when a column is renamed, with the new name of the column."""
        if not self._hides_rows_by_key or column_name not in (key := self._primary_key(table_name, schema)):
            return []
        reflected = (index for index in self._inspector().get_indexes(table_name, schema=schema) if not index["unique"])
        indexes = [renamed_index(index, table_name, schema, key, {column_name: new_name}) for index in reflected]
        return [index for index in indexes if index_kind(index) == "btree"]

    def requires_recreate_in_batch(self, batch_op: BatchOperationsImpl) -> bool:
        """Return whether ``op.batch_alter_table()`` has to create a new table and copy the rows.

        That is the case for changes of CHECK constraints, which ALTER TABLE does not support.

        :raises CommandError: if a CHECK constraint is to be dropped on a release that keeps none.
        """
        self._check_drops_of_checks(batch_op)
        return any(
            operation in ("add_constraint", "drop_constraint") and isinstance(arguments[0], CheckConstraint)
            for operation, arguments, _ in batch_op.batch
        )

    def _check_drops_of_checks(self, batch_op: BatchOperationsImpl) -> None:
        if self.as_sql or self._server.supports(Feature.CHECK_CONSTRAINT):
            return
        for operation, arguments, _ in batch_op.batch:
            if operation == "drop_constraint" and isinstance(arguments[0], CheckConstraint):
                raise CommandError(
                    f"CHECK constraint {arguments[0].name!r} of table {batch_op.table_name!r} cannot be dropped, and "
                    f"nothing was sent: MatrixOne {format_release(self._server.server_release)} accepts CHECK "
                    "constraints in CREATE TABLE but ignores them, so that the table has none. Drop it only on "
                    "releases that support them: if op.get_context().dialect.server_release >= (4, 2, 0): …"
                )

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: Table) -> None:
        """Drop the foreign keys that refer to a table before batch mode replaces it. The rename adds them again."""
        super().prep_table_for_batch(batch_impl, table)
        if self.connection is not None and not self.as_sql:
            self._referring_keys = list(referring_keys(self.connection, table))
            for key in self._referring_keys:
                self.drop_constraint(key)

    def rename_table(self, old_table_name: str, new_table_name: str | quoted_name, schema: Any = None) -> None:
        super().rename_table(old_table_name, new_table_name, schema)
        keys, self._referring_keys = self._referring_keys, []
        for key in keys:
            # Not add_constraint(), which on SQLAlchemy 2.0 omits a constraint that was dropped before.
            self.execute(AddConstraint(key))

    def add_constraint(self, const: Any, **kw: Any) -> None:
        if isinstance(const, CheckConstraint):
            _no_alter_check(const)
        super().add_constraint(const, **kw)

    def drop_constraint(self, const: Constraint, **kw: Any) -> None:
        if isinstance(const, CheckConstraint):
            _no_alter_check(const)
        super().drop_constraint(const, **kw)


def _set_primary_key(table: Table, key: Sequence[str]) -> None:
    """Give a table of a migration the primary key that it has on the server, if the migration names its columns."""
    columns = {fold(column.name): column for column in table.c}
    if not table.primary_key.columns and all(fold(name) in columns for name in key):
        table.append_constraint(PrimaryKeyConstraint(*(columns[fold(name)] for name in key)))


@contextmanager
def _explaining_lineage(table_name: str) -> Iterator[None]:
    """Explain the error of an operation that copies a table with a data branch.

    :raises CommandError: if the server refuses to copy a table that has a branch, or is one, inside a transaction.
    """
    try:
        yield
    except DBAPIError as error:
        if "data-branch lineage" not in str(error.orig):
            raise
        raise CommandError(
            f"Table {table_name!r} was not changed: it has a data branch or is one, and this release of MatrixOne "
            "changes columns of such a table only outside of transactions. Put the operation into a block that commits "
            "what ran before it: with op.get_context().autocommit_block(): …"
        ) from error


def _has_on_update(default: Any) -> bool:
    """Return whether a server default, as given in a migration, has an ON UPDATE."""
    stated = getattr(default, "arg", default)
    return bool(_ON_UPDATE.search(str(getattr(stated, "text", stated))))


def _no_alter_check(const: CheckConstraint) -> NoReturn:
    raise CommandError(
        f"CHECK constraint {const.name!r} was not changed: MatrixOne supports CHECK constraints from 4.2 on, and only "
        "in CREATE TABLE. Use op.batch_alter_table(…), which creates a new table and copies the rows."
    )


_OTHERS: Any = DefaultImpl.get_by_dialect(mysql.dialect())


class _CalledMySQL(MySQLImpl):
    """Choose the implementation for a dialect named mysql: that of MatrixOne for ours, and Alembic's for any other.

    Alembic has only one implementation for each name.
    """

    __dialect__ = "mysql"

    def __new__(cls, dialect: Dialect, *args: Any, **kw: Any) -> Any:
        return (MatrixOneImpl if isinstance(dialect, MatrixOneServer) else _OTHERS)(dialect, *args, **kw)
