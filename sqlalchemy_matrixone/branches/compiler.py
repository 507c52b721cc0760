"""Compile clones and data branches to SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Enum, String, literal
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import UserDefinedType

from ..core.compilers import DDLCompilerPart, StatementCompilerPart, words
from ..core.release import Feature
from ..core.sqlalchemy_internals import add_result_column
from ..types import implemented_type

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

    from ..timetravel.point_in_time import PointInTime
    from .constructs import (
        CloneDatabase,
        CloneTable,
        CreateBranch,
        DiffBranch,
        DropBranch,
        MergeBranch,
        PickBranch,
        TableReference,
    )


class BranchDDLCompiler(DDLCompilerPart):
    """Part of the DDL compiler: clones and branches."""

    def visit_clone_table(self, clone: CloneTable, **kw: Any) -> str:
        self._need(Feature.CLONE, clone)
        if clone.copy_grants:
            self._need(Feature.CLONE_COPY_GRANTS, clone)
        return words(
            "CREATE TABLE",
            "IF NOT EXISTS" if clone.if_not_exists else "",
            self._table(clone.new),
            "CLONE",
            self._table(clone.source),
            self._moment_of(clone.moment),
            "COPY GRANTS" if clone.copy_grants else "",
            self._to_account(clone),
        )

    def visit_clone_database(self, clone: CloneDatabase, **kw: Any) -> str:
        self._need(Feature.CLONE, clone)
        return words(
            "CREATE DATABASE",
            "IF NOT EXISTS" if clone.if_not_exists else "",
            self._name(clone.name),
            "CLONE",
            self._name(clone.source),
            self._moment_of(clone.moment),
            self._to_account(clone),
        )

    def visit_create_branch(self, create: CreateBranch, **kw: Any) -> str:
        self._need(Feature.DATA_BRANCH, create)
        source = self._name(create.database) if create.source is None else self._table(create.source)
        return words(
            "DATA BRANCH CREATE",
            "DATABASE" if create.source is None else "TABLE",
            self._table(create.new),
            "FROM",
            source,
            self._moment_of(create.moment),
            self._to_account(create),
        )

    def visit_drop_branch(self, drop: DropBranch, **kw: Any) -> str:
        self._need(Feature.DATA_BRANCH, drop)
        if drop.branch is None:
            return f"DATA BRANCH DELETE DATABASE {self._name(drop.database)}"
        return f"DATA BRANCH DELETE TABLE {self._table(drop.branch)}"

    def visit_merge_branch(self, merge: MergeBranch, **kw: Any) -> str:
        self._need(Feature.DATA_BRANCH, merge)
        return words("DATA BRANCH MERGE", self._from_into(merge), _conflict(merge))

    def visit_pick_branch(self, pick: PickBranch, **kw: Any) -> str:
        self._need(Feature.DATA_BRANCH_PICK, pick)
        between = ""
        if pick.between is not None:
            first, last = map(self._name, pick.between)
            between = f"BETWEEN SNAPSHOT {first} AND {last}"
        keys = "" if pick.keys is None else f"KEYS ({self._keys(pick)})"
        return words("DATA BRANCH PICK", self._from_into(pick), between, keys, _conflict(pick))

    def diff_branch(self, diff: DiffBranch) -> str:
        self._need(Feature.DATA_BRANCH, diff)
        if diff.columns is not None:
            self._need(Feature.DIFF_COLUMNS, diff)
        columns = self._columns(diff)
        return words(
            "DATA BRANCH DIFF",
            self._moment_after(diff.branch),
            "AGAINST",
            self._moment_after(diff.against),
            f"COLUMNS ({', '.join(map(self._name, columns))})" if columns else "",
            self._output(diff),
        )

    def _columns(self, diff: DiffBranch) -> list[str] | None:
        """Return the requested columns; else those of the Table, so that the Result has them in its order."""
        if diff.columns is None and diff.result_columns is not None:
            known = Feature.DIFF_COLUMNS.in_release(self._release_for(diff))
            return [column.name for column in diff.result_columns] if known else None
        return diff.columns

    def _output(self, diff: DiffBranch) -> str:
        if diff.output == "summary":
            self._need(Feature.DIFF_SUMMARY, diff)
        if diff.as_table is not None:
            self._need(Feature.DIFF_INTO_TABLE, diff)
            return f"OUTPUT AS {self._table(diff.as_table)}"
        if diff.file is not None:
            return f"OUTPUT FILE {self._text(diff.file)}"
        if diff.limit is not None:
            return f"OUTPUT LIMIT {diff.limit}"
        return f"OUTPUT {diff.output.upper()}" if diff.output else ""

    def _from_into(self, join: MergeBranch | PickBranch) -> str:
        return f"{self._moment_after(join.branch)} INTO {self._table(join.into)}"

    def _keys(self, pick: PickBranch) -> str:
        if isinstance(pick.keys, ClauseElement):
            return self.sql_compiler.process(pick.keys, literal_binds=True)
        table = pick.into.table if pick.into.table is not None else pick.branch.table
        key_types = [] if table is None else [column.type for column in table.primary_key]
        return ", ".join(self._key(key, key_types) for key in pick.keys or ())

    def _key(self, key: Any, key_types: list[Any]) -> str:
        parts = key if isinstance(key, tuple) else (key,)
        types = key_types if len(key_types) == len(parts) else [None] * len(parts)
        literals = [
            self.sql_compiler.process(
                part if isinstance(part, ClauseElement) else literal(part, type_), literal_binds=True
            )
            for part, type_ in zip(parts, types, strict=True)
        ]
        return f"({', '.join(literals)})" if len(literals) > 1 else literals[0]

    def _table(self, named: TableReference) -> str:
        database = (self.schema_translate_map or {}).get(named.database, named.database)
        return self._name(named.name) if database is None else f"{self._name(database)}.{self._name(named.name)}"

    def _moment_after(self, named: TableReference) -> str:
        return words(self._table(named), self._moment_of(named.moment))

    def _moment_of(self, moment: PointInTime | None) -> str:
        return "" if moment is None else self.sql_compiler.process(moment, literal_binds=True)

    def _to_account(self, element: CloneTable | CloneDatabase | CreateBranch) -> str:
        return "" if element.to_account is None else f"TO ACCOUNT {self._name(element.to_account)}"

    def _need(self, feature: Feature, element: Any) -> None:
        feature.require(self._release_for(element))


class DiffCompiler(StatementCompilerPart):
    """Part of the statement compiler: branch statements that return rows."""

    def visit_diff_branch(self, diff: DiffBranch, **kw: Any) -> str:
        columns = diff.result_columns
        if columns is not None and self._supports(Feature.DIFF_COLUMNS):
            for key in ("source", "flag"):
                add_result_column(self, key, (key,), String())
            for column in columns:
                type_ = self._type_in_diff(column.type)
                add_result_column(self, column.name, (column, column.name, column.key), type_)
        ddl_compiler: Any = self.dialect.ddl_compiler
        own = ddl_compiler.for_dialect(self.dialect, schema_translate_map=self.schema_translate_map)
        return str(own.diff_branch(diff))

    def _type_in_diff(self, type_: TypeEngine[Any]) -> TypeEngine[Any]:
        """Return the type of a column; for an ENUM, one that reads the number that the server sends for its value."""
        plain = implemented_type(type_, self.dialect)
        is_enum = isinstance(plain, Enum) and plain.native_enum
        return NumberedEnum(type_, cast("Enum", plain).enums) if is_enum else type_


class NumberedEnum(UserDefinedType[Any]):
    """The type of an ENUM column in DATA BRANCH DIFF, which returns the number of the value instead."""

    cache_ok = True

    def __init__(self, type_: TypeEngine[Any], values: Sequence[str]) -> None:
        # Stored under the names of the arguments, by which SQLAlchemy copies a type.
        self.type_ = type_
        self.values = values

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        of_value = self.type_.dialect_impl(dialect).result_processor(dialect, coltype)

        def process(number: Any) -> Any:
            value = None if number is None else ("", *self.values)[int(number)]
            return value if of_value is None else of_value(value)

        return process


def _conflict(join: MergeBranch | PickBranch) -> str:
    return "" if join.on_conflict is None else f"WHEN CONFLICT {join.on_conflict.upper()}"
