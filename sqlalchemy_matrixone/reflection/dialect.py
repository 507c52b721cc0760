"""Reflection from the server's catalog: all tables of a database in four statements, one table by the same.

``mo_catalog`` has, of each account its own, what information_schema shows in part, and works inside a
transaction. What the server adds for itself (index tables, partitions, the columns of a table without a primary
key) and its own databases stay out of sight.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from sqlalchemy import exc, types, util
from sqlalchemy.engine import reflection
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope, ReflectionDefaults

from ..core.catalog_bytes import check_constraints, foreign_key_columns
from ..core.names import fold
from ..core.options import INDEX_OPTIONS
from ..core.release import Feature
from ..core.server import MatrixOneServer
from .show_create import MatrixOneReflectedState, MatrixOneTableDefinitionParser
from .types import column_type

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

SYSTEM_DATABASES = frozenset(
    ("information_schema", "mo_catalog", "mo_debug", "mo_task", "mysql", "system", "system_metrics")
)

_NO_DATABASE, _NO_TABLE, _NOT_SUPPORTED = 1049, 1146, 20105

_KIND_OF_VIEW = "v"
_KIND_OF_SEQUENCE = "S"
_KINDS = {"r": ObjectKind.TABLE, "e": ObjectKind.TABLE, "cluster": ObjectKind.TABLE, _KIND_OF_VIEW: ObjectKind.VIEW}
_HIDDEN = ("__mo_", "%!%")
_PRIMARY, _UNIQUE = "PRIMARY", "UNIQUE"


class _Table(NamedTuple):
    name: str
    kind: str
    comment: str
    definition: str | None
    extra: str | None


class _Wanted(NamedTuple):
    """The tables that a caller wants, and where to read more about them: the database, and a table or ""."""

    where: tuple[str, str]
    tables: dict[str, _Table]
    kw: dict[str, Any]


_OfTable = Callable[[_Table], _T]
"""A fact of one table, out of what was read of all."""


class _Column(NamedTuple):
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


class _IndexColumn(NamedTuple):
    table: str
    name: str
    type: str
    algorithm: str
    parameters: str
    comment: str
    column: str


class _Index(NamedTuple):
    """An index or a primary key, out of the rows of its columns."""

    name: str
    type: str
    columns: list[str]
    options: dict[str, Any]


class _ForeignKeyColumn(NamedTuple):
    table: str
    database: str
    constraint: str
    column: str
    referred_database: str
    referred_table: str
    referred_column: str
    on_delete: str
    on_update: str


class MatrixOneReflection(MatrixOneServer):
    """The part of the dialect that an Inspector asks."""

    # -- names

    @reflection.cache
    def get_schema_names(self, connection: Connection, **kw: Any) -> list[str]:
        """The account's databases, without those of the server's own."""
        try:
            rows = connection.exec_driver_sql("SHOW DATABASES")
        except exc.DBAPIError as error:
            if not _is_refused(error):
                raise
            rows = connection.exec_driver_sql("SELECT schema_name FROM information_schema.schemata")
        return sorted(name for (name,) in rows if name not in SYSTEM_DATABASES)

    @reflection.cache
    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **kw: Any) -> bool:
        """Whether there is a table or view of this name, a temporary one too: of that DESCRIBE has no rows.

        3.0 finds a table with a SET, and fails to describe it.
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
        wanted = self._wanted(connection, schema, None, **kw)
        if wanted is None:
            return self._shown_names(connection, schema, kind, **kw)
        return sorted(table.name for table in wanted.tables.values() if _KINDS[table.kind] is kind)

    # -- many tables

    def get_multi_columns(self, connection: Connection, **kw: Any) -> Iterable[tuple[TableKey, list[ReflectedColumn]]]:
        def of_catalog(wanted: _Wanted) -> _OfTable[list[ReflectedColumn]]:
            rows = self._read_columns(connection, *wanted.where, **wanted.kw)
            return lambda table: list(map(self._column, rows.get(table.name, ())))

        return self._multi(connection, of_catalog, super().get_columns, **kw)

    def get_multi_pk_constraint(
        self, connection: Connection, **kw: Any
    ) -> Iterable[tuple[TableKey, ReflectedPrimaryKeyConstraint]]:
        def of_catalog(wanted: _Wanted) -> _OfTable[ReflectedPrimaryKeyConstraint]:
            indexes = self._read_indexes(connection, *wanted.where, **wanted.kw)
            return lambda table: _primary_key(indexes.get(table.name, ()))

        return self._multi(connection, of_catalog, super().get_pk_constraint, **kw)

    def get_multi_indexes(self, connection: Connection, **kw: Any) -> Iterable[tuple[TableKey, list[ReflectedIndex]]]:
        def of_catalog(wanted: _Wanted) -> _OfTable[list[ReflectedIndex]]:
            indexes = self._read_indexes(connection, *wanted.where, **wanted.kw)
            return lambda table: [_index(index) for index in indexes.get(table.name, ()) if index.type != _PRIMARY]

        return self._multi(connection, of_catalog, self._shown_indexes, **kw)

    def get_multi_unique_constraints(
        self, connection: Connection, **kw: Any
    ) -> Iterable[tuple[TableKey, list[ReflectedUniqueConstraint]]]:
        def of_catalog(wanted: _Wanted) -> _OfTable[list[ReflectedUniqueConstraint]]:
            indexes = self._read_indexes(connection, *wanted.where, **wanted.kw)
            return lambda table: [
                {"name": index.name, "column_names": list(index.columns), "duplicates_index": index.name}
                for index in indexes.get(table.name, ())
                if index.type == _UNIQUE
            ]

        return self._multi(connection, of_catalog, super().get_unique_constraints, **kw)

    def get_multi_foreign_keys(
        self, connection: Connection, **kw: Any
    ) -> Iterable[tuple[TableKey, list[ReflectedForeignKeyConstraint]]]:
        def of_catalog(wanted: _Wanted) -> _OfTable[list[ReflectedForeignKeyConstraint]]:
            rows = self._read_foreign_keys(connection, *wanted.where, **wanted.kw)

            def keys(table: _Table) -> list[ReflectedForeignKeyConstraint]:
                found = list(_foreign_keys(rows.get(table.name, ()), kw.get("schema")))
                if self._is_whole(found) or self._complete_foreign_keys(connection, found, wanted, table):
                    return found
                return self._shown_foreign_keys(connection, table.name, kw.get("schema"), **wanted.kw)

            return keys

        return self._multi(connection, of_catalog, self._shown_foreign_keys, **kw)

    def _is_whole(self, keys: list[ReflectedForeignKeyConstraint]) -> bool:
        """Whether the rows of mo_foreign_keys say all about a table's keys.

        They are sorted by the columns' names once the server has written them to disk, and 3.0's ALTER TABLE
        loses them.
        """
        composite = any(len(key["constrained_columns"]) > 1 for key in keys)
        return not composite and self.supports(Feature.FOREIGN_KEYS_KEPT_BY_ALTER)

    def _complete_foreign_keys(
        self, connection: Connection, keys: list[ReflectedForeignKeyConstraint], wanted: _Wanted, table: _Table
    ) -> bool:
        """Put the columns of the keys in order by what the table's own entry says; False where keys are lost."""
        constraints = self._read_constraints(connection, *wanted.where, **wanted.kw).get(table.name, "")
        numbers = foreign_key_columns(constraints)
        if not numbers and not keys:
            return True
        columns = self._read_columns(connection, *wanted.where, **wanted.kw).get(table.name, ())
        names = dict(enumerate((column.name for column in columns), start=1))
        return numbers.keys() == {key["name"] for key in keys} and all(
            _put_in_order(key, [names.get(number, "") for number in numbers[key["name"] or ""]]) for key in keys
        )

    def get_multi_check_constraints(
        self, connection: Connection, **kw: Any
    ) -> Iterable[tuple[TableKey, list[ReflectedCheckConstraint]]]:
        def constraints(table: _Table) -> list[ReflectedCheckConstraint]:
            return sorted(check_constraints(table.extra), key=lambda check: check["name"] or "")

        return self._multi(connection, lambda wanted: constraints, self._shown_check_constraints, **kw)

    def get_multi_table_comment(
        self, connection: Connection, **kw: Any
    ) -> Iterable[tuple[TableKey, ReflectedTableComment]]:
        def comment(table: _Table) -> ReflectedTableComment:
            return {"text": _comment(table.comment)}

        return self._multi(connection, lambda wanted: comment, super().get_table_comment, **kw)

    def get_multi_table_options(self, connection: Connection, **kw: Any) -> Iterable[tuple[TableKey, dict[str, Any]]]:
        """None: what CREATE TABLE takes of MySQL's options, the server does not keep."""

        def options(table: _Table) -> dict[str, Any]:
            return ReflectionDefaults.table_options()

        return self._multi(connection, lambda wanted: options, self._shown_table_options, **kw)

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
        """The whole CREATE VIEW statement, as it was written."""
        wanted = self._wanted(connection, schema, [self._folded(view_name)], **kw)
        if wanted is None:
            return str(super().get_view_definition(connection, view_name, schema, **kw))
        for table in wanted.tables.values():
            if table.kind == _KIND_OF_VIEW and table.definition:
                return str(json.loads(table.definition)["Stmt"])
        raise exc.NoSuchTableError(f"{schema}.{view_name}" if schema else view_name)

    # -- how they come together

    def _multi(
        self,
        connection: Connection,
        of_catalog: Callable[[_Wanted], _OfTable[_T]],
        of_show: Callable[..., _T],
        *,
        schema: str | None = None,
        filter_names: Collection[str] | None = None,
        scope: ObjectScope = ObjectScope.ANY,
        kind: ObjectKind = ObjectKind.ANY,
        **kw: Any,
    ) -> Iterator[tuple[TableKey, _T]]:
        """One kind of fact of each table asked for, under the name that it was asked by."""
        names = {self._folded(name): name for name in filter_names or ()}
        wanted = self._wanted(connection, schema, list(names) or None, **kw)
        if wanted is None:
            shown = names.values() if filter_names else self._shown_names(connection, schema, kind, **kw)
            yield from self._each(connection, of_show, schema, shown, **kw)
            return
        if ObjectScope.DEFAULT in scope:
            of_table = of_catalog(wanted)
            for table in wanted.tables.values():
                if _KINDS[table.kind] in kind:
                    yield (schema, names.get(table.name, table.name)), of_table(table)
        if ObjectScope.TEMPORARY in scope and ObjectKind.TABLE in kind:
            # The catalog does not have them, or not under their names; SHOW CREATE TABLE does.
            missing = [name for folded, name in names.items() if folded not in wanted.tables]
            yield from self._each(connection, of_show, schema, missing, **kw)

    def _each(
        self, connection: Connection, of_show: Callable[..., _T], schema: str | None, names: Iterable[str], **kw: Any
    ) -> Iterator[tuple[TableKey, _T]]:
        for name in names:
            try:
                yield (schema, name), of_show(connection, name, schema, **kw)
            except exc.NoSuchTableError:
                continue

    def _shown_names(self, connection: Connection, schema: str | None, kind: ObjectKind, **kw: Any) -> list[str]:
        """The names that SHOW TABLES has, for who may not read the catalog."""
        kw = {"info_cache": kw.get("info_cache")}
        tables = super().get_table_names(connection, schema, **kw) if ObjectKind.TABLE in kind else []
        views = super().get_view_names(connection, schema, **kw) if ObjectKind.VIEW in kind else []
        return sorted(name for name in (*tables, *views) if not name.startswith(_HIDDEN))

    def _wanted(self, connection: Connection, schema: str | None, names: list[str] | None, **kw: Any) -> _Wanted | None:
        """The tables that are asked for, or None to who may not read the catalog.

        Where an Inspector has read all tables of a database before, facts of one are read together with
        those of all others, since these will be asked for next.
        """
        cache = kw.get("info_cache")
        database = self._folded(schema or "")
        read_before = cache.setdefault("matrixone_databases", {}) if cache is not None else {}
        try:
            if names is not None and len(names) == 1 and names[0] not in read_before.get(database, ()):
                where = (database, names[0])
                tables = self._read_tables(connection, *where, info_cache=cache)
            else:
                where = (database, "")
                tables = read_before[database] = self._read_tables(connection, *where, info_cache=cache)
        except exc.DBAPIError as error:
            if not _is_refused(error):
                raise
            return None
        if names is not None:
            tables = {name: tables[name] for name in names if name in tables}
        return _Wanted(where, tables, {"info_cache": cache})

    def _folded(self, name: str) -> str:
        return fold(name) if self._casing else name

    # -- the four statements, and their rows by table
    # reflection.cache tells calls apart by their strings alone, and leaves out a None: a name that is not given is
    # the empty string.

    @reflection.cache
    def _read_tables(self, connection: Connection, schema: str, name: str, **kw: Any) -> dict[str, _Table]:
        extra = "HEX(extra_info)" if self.supports(Feature.CHECK_CONSTRAINT) else "NULL"
        kinds = ", ".join(f"'{kind}'" for kind in _KINDS)
        rows = connection.exec_driver_sql(
            f"SELECT relname, relkind, rel_comment, viewdef, {extra} FROM mo_catalog.mo_tables "
            "WHERE account_id = current_account_id() AND reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND relkind IN ({kinds}){_name_filter('relname', name)}",
            (schema, *_name_parameters(name)),
        )
        return {row[0]: _Table(*row) for row in rows if not row[0].startswith(_HIDDEN)}

    @reflection.cache
    def _read_columns(self, connection: Connection, schema: str, name: str, **kw: Any) -> dict[str, list[_Column]]:
        generated = "NULL, NULL"
        if self.supports(Feature.GENERATED_COLUMN):
            generated = "mo_show_visible_bin(attr_generated, 5), mo_show_visible_bin(attr_generated, 6)"
        rows = connection.exec_driver_sql(
            "SELECT att_relname, attname, mo_show_visible_bin(atttyp, 3), HEX(atttyp), attr_enum, "
            "attnotnull, mo_show_visible_bin(att_default, 1), mo_show_visible_bin(attr_update, 0), "
            f"att_is_auto_increment, att_comment, {generated} FROM mo_catalog.mo_columns "
            "WHERE account_id = current_account_id() AND att_database = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND att_is_hidden = 0 AND LEFT(att_relname, 5) <> '__mo_'{_name_filter('att_relname', name)} "
            "ORDER BY att_relname, attnum",
            (schema, *_name_parameters(name)),
        )
        return _grouped(_Column(*row) for row in rows)

    @reflection.cache
    def _read_indexes(self, connection: Connection, schema: str, name: str, **kw: Any) -> dict[str, list[_Index]]:
        # A vector index stands there once for each of its hidden tables.
        rows = connection.exec_driver_sql(
            "SELECT DISTINCT t.relname, i.name, i.type, i.algo, i.algo_params, i.comment, i.column_name, "
            "i.ordinal_position "
            "FROM mo_catalog.mo_indexes i JOIN mo_catalog.mo_tables t ON t.rel_id = i.table_id "
            "WHERE t.account_id = current_account_id() AND t.reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND LEFT(t.relname, 5) <> '__mo_' AND LEFT(i.column_name, 5) <> '__mo_'{_name_filter('t.relname', name)} "
            "ORDER BY t.relname, i.name, i.ordinal_position",
            (schema, *_name_parameters(name)),
        )
        grouped = _grouped(_IndexColumn(*row[:-1]) for row in rows)
        return {table: list(_indexes(group)) for table, group in grouped.items()}

    @reflection.cache
    def _read_foreign_keys(
        self, connection: Connection, schema: str, name: str, **kw: Any
    ) -> dict[str, list[_ForeignKeyColumn]]:
        # It has its columns' names in lower case, and mo_columns as they are; but not those of a table that is not
        # there, without foreign_key_checks.
        rows = connection.exec_driver_sql(
            "SELECT f.table_name, f.db_name, f.constraint_name, c.attname, f.refer_db_name, f.refer_table_name, "
            "COALESCE(r.attname, f.refer_column_name), f.on_delete, f.on_update FROM mo_catalog.mo_foreign_keys f "
            f"JOIN {_column_of('c', 'db_name', 'table_name', 'column_name')} "
            f"LEFT JOIN {_column_of('r', 'refer_db_name', 'refer_table_name', 'refer_column_name')} "
            f"WHERE f.db_name = COALESCE(NULLIF(%s, ''), DATABASE()){_name_filter('f.table_name', name)}",
            (schema, *_name_parameters(name)),
        )
        return _grouped(_ForeignKeyColumn(*row) for row in rows)

    @reflection.cache
    def _read_constraints(self, connection: Connection, schema: str, name: str, **kw: Any) -> dict[str, str]:
        rows = connection.exec_driver_sql(
            "SELECT relname, HEX(`constraint`) FROM mo_catalog.mo_tables "
            "WHERE account_id = current_account_id() AND reldatabase = COALESCE(NULLIF(%s, ''), DATABASE()) "
            f"AND relkind = 'r'{_name_filter('relname', name)}",
            (schema, *_name_parameters(name)),
        )
        return {table: constraints or "" for table, constraints in rows}

    # -- out of SHOW CREATE TABLE

    def _shown_foreign_keys(
        self, connection: Connection, table: str, schema: str | None, **kw: Any
    ) -> list[ReflectedForeignKeyConstraint]:
        keys = super().get_foreign_keys(connection, table, schema, **kw)
        for key in keys:
            key["options"] = {name: action for name, action in key["options"].items() if action not in _NO_ACTIONS}
        return sorted(keys, key=lambda key: key["name"] or "")

    def _shown_check_constraints(
        self, connection: Connection, table: str, schema: str | None, **kw: Any
    ) -> list[ReflectedCheckConstraint]:
        checks = super().get_check_constraints(connection, table, schema, **kw)
        for check in checks:
            if check["name"] is not None and check["name"].startswith(_HIDDEN):
                check["name"] = None
        return checks

    def _shown_table_options(self, connection: Connection, table: str, schema: str | None, **kw: Any) -> dict[str, Any]:
        self._parsed_state_or_create(connection, table, schema, **kw)  # raises where there is no such table
        return ReflectionDefaults.table_options()

    def _shown_indexes(self, connection: Connection, table: str, schema: str | None, **kw: Any) -> list[ReflectedIndex]:
        state = cast("MatrixOneReflectedState", self._parsed_state_or_create(connection, table, schema, **kw))
        indexes = [*super().get_indexes(connection, table, schema, **kw), *state.own_indexes]
        return sorted(indexes, key=lambda index: index["name"] or "")

    @util.memoized_property
    def _tabledef_parser(self) -> MatrixOneTableDefinitionParser:
        return MatrixOneTableDefinitionParser(self, self.identifier_preparer)

    # -- a column

    def _column(self, row: _Column) -> ReflectedColumn:
        type_ = column_type(row.name, row.type, row.encoded_type, row.values)
        column: dict[str, Any] = {
            "name": row.name,
            "type": type_,
            "nullable": not row.not_null,
            "default": self._default(row),
            "comment": _comment(row.comment),
        }
        if row.autoincrement:
            column["autoincrement"] = True
        elif isinstance(type_, types.Integer):
            column["autoincrement"] = False
        if row.generated:
            column["computed"] = {"sqltext": row.generated, "persisted": (row.persistence or "").startswith("STORED")}
        return cast("ReflectedColumn", column)

    def _default(self, row: _Column) -> str | None:
        """The default as an SQL expression, with ON UPDATE where there is one, as MySQL's dialect has it."""
        default = row.default
        if default is not None and default.lower() == "null":
            default = None
        if default is not None and default.startswith("'") and default.endswith("'"):
            if not self.supports(Feature.DEFAULTS_WITH_DOUBLED_QUOTES):
                default = "'" + default[1:-1].replace("'", "''") + "'"
        elif default is not None and (match := _NUMBER_IN_PARENTHESES.fullmatch(default)):
            default = match[1]
        if row.on_update:
            return f"{default or 'NULL'} ON UPDATE {row.on_update}"
        return default or None


_NUMBER_IN_PARENTHESES = re.compile(r"\((-?\d+(?:\.\d+)?)\)")


def _comment(text: str | None) -> str | None:
    """A comment without the doubling of its quotes, which the server does not undo."""
    return text.replace("''", "'") if text else None


def _grouped(rows: Iterable[_T]) -> dict[str, list[_T]]:
    """Rows by their first part, the table's name."""
    groups: defaultdict[str, list[_T]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)  # type: ignore[index]
    return dict(groups)


def _indexes(rows: Iterable[_IndexColumn]) -> Iterator[_Index]:
    by_name: defaultdict[tuple[str, str], list[_IndexColumn]] = defaultdict(list)
    for row in rows:
        by_name[row.name, row.type].append(row)
    for (name, type_), columns in by_name.items():
        # A full-text index may go without a name; MySQL would name it so.
        yield _Index(
            name or columns[0].column, type_, [row.column for row in columns], dict(_index_options(columns[0]))
        )


def _primary_key(indexes: Iterable[_Index]) -> ReflectedPrimaryKeyConstraint:
    for index in indexes:
        if index.type == _PRIMARY:
            return {"constrained_columns": list(index.columns), "name": None}
    return ReflectionDefaults.pk_constraint()


def _index(index: _Index) -> ReflectedIndex:
    reflected: dict[str, Any] = {
        "name": index.name,
        "column_names": list(index.columns),
        "unique": index.type == _UNIQUE,
    }
    if index.options:
        reflected["dialect_options"] = dict(index.options)
    return cast("ReflectedIndex", reflected)


def _index_options(row: _IndexColumn) -> Iterator[tuple[str, Any]]:
    """What CREATE INDEX can say; the server keeps more of its own beside it."""
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


_OPTION_NAMES = {"included_columns": "include"}


def _prefix_lengths(text: str) -> dict[str, int]:
    """``a:3,b:5`` as a dictionary."""
    return {name: int(length) for name, _, length in (part.rpartition(":") for part in text.split(","))}


def _foreign_keys(rows: Iterable[_ForeignKeyColumn], schema: str | None) -> Iterator[ReflectedForeignKeyConstraint]:
    by_name: defaultdict[str, list[_ForeignKeyColumn]] = defaultdict(list)
    for row in rows:
        by_name[row.constraint].append(row)
    for name, columns in sorted(by_name.items()):
        first = columns[0]
        yield {
            "name": name,
            "constrained_columns": [row.column for row in columns],
            # Its own database under the name that it was asked by, if any.
            "referred_schema": schema if first.referred_database == first.database else first.referred_database,
            "referred_table": first.referred_table,
            "referred_columns": [row.referred_column for row in columns],
            "options": dict(_actions(first)),
        }


_NO_ACTIONS = ("", "RESTRICT", "NO ACTION")


def _actions(row: _ForeignKeyColumn) -> Iterator[tuple[str, str]]:
    """ON DELETE and ON UPDATE, without RESTRICT, which the server reports where nothing was said."""
    for name, action in (("ondelete", row.on_delete), ("onupdate", row.on_update)):
        action = action.upper().replace("_", " ")
        if action not in _NO_ACTIONS:
            yield name, action


def _put_in_order(key: ReflectedForeignKeyConstraint, names: list[str]) -> bool:
    """Put a key's columns in this order, if it is one of them."""
    referred = dict(zip(key["constrained_columns"], key["referred_columns"], strict=True))
    if referred.keys() != set(names):
        return False
    key["constrained_columns"], key["referred_columns"] = names, [referred[name] for name in names]
    return True


def _is_refused(error: exc.DBAPIError) -> bool:
    """Whether a statement was refused to the user, and not for what it says."""
    return "do not have privilege" in str(error.orig)


def _only(
    many: Callable[..., Iterable[tuple[TableKey, _T]]],
    connection: Connection,
    table_name: str,
    schema: str | None,
    **kw: Any,
) -> _T:
    """What a method for many tables has of one.

    :raises sqlalchemy.exc.NoSuchTableError: where there is none.
    """
    for _, facts in many(connection, schema=schema, filter_names=[table_name], **kw):
        return facts
    raise exc.NoSuchTableError(f"{schema}.{table_name}" if schema else table_name)


def _column_of(alias: str, database: str, table: str, column: str) -> str:
    """What joins mo_columns to a column that mo_foreign_keys names."""
    return (
        f"mo_catalog.mo_columns {alias} ON {alias}.account_id = current_account_id() "
        f"AND {alias}.att_database = f.{database} AND {alias}.att_relname = f.{table} "
        f"AND LOWER({alias}.attname) = f.{column}"
    )


def _name_filter(column: str, name: str) -> str:
    """A condition for one table. IN with several names loses rows of mo_tables, on every release."""
    return f" AND {column} = %s" if name else ""


def _name_parameters(name: str) -> tuple[str, ...]:
    """What fills the place in it."""
    return (name,) if name else ()
