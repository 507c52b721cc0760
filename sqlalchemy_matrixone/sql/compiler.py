"""Compile SELECT, INSERT, UPDATE and DELETE for MatrixOne, if they differ from MySQL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import schema, types, util
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects.mysql.base import MySQLExecutionContext
from sqlalchemy.sql import dml, operators, selectable
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, Label

from ..branches.compiler import DiffCompiler
from ..core.names import fold
from ..core.options import index_kind
from ..core.release import Feature, format_release
from ..core.sql_text import for_each_row, makes_temporary_table
from ..core.sqlalchemy_internals import (
    PassingValues,
    affinity_of,
    asks_for_generated_key,
    defaults_to_return,
    execute_scalar,
    gives_key_as_expression,
    has_several_rows,
    is_upsert,
    limits_rows,
    lock_of,
    order_by_of,
    repeats_values,
    returning_defaults,
)
from ..core.statement import ServerStatement
from ..exc import MatrixOneCompileError
from ..timetravel.compiler import AsOfCompiler
from ..types import UUID, Vector, implemented_type
from .corrections import CorrectingCompiler
from .insert_values import with_subqueries
from .outer_joins import can_be_null
from .preparer import quote_after_period

if TYPE_CHECKING:
    from sqlalchemy.sql import elements

    from ..core.server import MatrixOneServer


_Limited = TypeVar("_Limited", dml.Update, dml.Delete)

_SINGLE_UNITS = frozenset(
    ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "microsecond", "year_month")
)
_UNITS = ("day", "hour", "minute", "second", "microsecond")
# Such as day_minute, which consists of the days, hours and minutes.
_PAIRS = {
    f"{first}_{last}": _UNITS[start : start + length + 2]
    for start, first in enumerate(_UNITS)
    for length, last in enumerate(_UNITS[start + 1 :])
}
_DIGITS = {"microsecond": 1_000_000}


# The largest number of a LIMIT for which no release fails.
_ALL_ROWS = f" LIMIT {2**63 - 1}"
_INNERMOST_PARENTHESES = re.compile(r"\([^()]*\)")
_LATER_DESCENDING_KEY = re.compile(r",.*\b(DESC|NULLS\s+LAST)\b", re.I | re.S)


class MatrixOneCompiler(AsOfCompiler, DiffCompiler, CorrectingCompiler):
    """Compile MySQL statements within the grammar of the MatrixOne release.

    :ivar is_ordinary: whether the statement is sent without any special handling. It is determined once for each
        compiled form, which the statement cache keeps.
    """

    @util.memoized_property
    def is_ordinary(self) -> bool:
        return is_ordinary(self, self.string)

    def order_by_clause(self, select: selectable.GenerativeSelect, **kw: Any) -> str:
        """Render ORDER BY, with a LIMIT of all rows if the server would not sort by a later key.

        It does not sort rows whose former keys are equal by a descending key if that is NULL in other rows only, as
        after an outer join. It does if there is a LIMIT, in more time, so that keys which cannot be NULL get none. The
        order of rows matters only in the outermost statement.
        """
        text: str = super().order_by_clause(select, **kw)  # type: ignore[no-untyped-call]
        is_outermost = len(self.stack) == 1
        if is_outermost and not limits_rows(select) and _has_later_descending_key(text) and _sorts_null(select):
            return text + _ALL_ROWS
        return text

    def for_update_clause(self, select: selectable.GenerativeSelect, **kw: Any) -> str:
        """Render ``FOR UPDATE`` and ``FOR SHARE``.

        Before 4.2 there is no shared lock. The exclusive lock replaces it, which is stricter than requested. OF is
        omitted, which also locks more than requested. NOWAIT and SKIP LOCKED cannot be omitted in the same way, since
        that would change the behavior of a program.

        :raises sqlalchemy.exc.CompileError: with NOWAIT or SKIP LOCKED, which no release has. SKIP LOCKED is accepted
            if the engine has ``skip_locked="wait"``.
        """
        lock = lock_of(select)
        assert lock is not None
        if lock.nowait:
            raise MatrixOneCompileError("MatrixOne has no FOR UPDATE NOWAIT: it always waits for a lock")
        if lock.skip_locked and self._server.skip_locked is None:
            raise MatrixOneCompileError(
                "MatrixOne has no FOR UPDATE SKIP LOCKED: it always waits for a lock. If waiting is acceptable, as "
                'for a queue of jobs, use create_engine(…, skip_locked="wait") or ?skip_locked=wait in the URL.'
            )
        return " FOR SHARE" if lock.read and self._supports(Feature.FOR_SHARE) else " FOR UPDATE"

    def visit_lateral(self, lateral_: selectable.Lateral, **kw: Any) -> str:
        """Refuse ``LATERAL``.

        :raises sqlalchemy.exc.CompileError: always; no release has it.
        """
        raise MatrixOneCompileError(
            "MatrixOne has no LATERAL: use a scalar_subquery() in the columns of the SELECT, a join with a grouped "
            "subquery(), or func.row_number().over(partition_by=…) for the first rows of each group"
        )

    def visit_insert(self, insert_stmt: dml.Insert, *args: Any, **kw: Any) -> str:
        """Render an INSERT. If its values contain subqueries, render ``INSERT … SELECT``.

        :raises sqlalchemy.exc.CompileError: if the server would report an id other than that of the row, and for a
            subquery in the values of several rows.
        """
        insert_stmt = self._without_unreturnable_defaults(self._with_returned_key(insert_stmt))
        text = super().visit_insert(insert_stmt, *args, **kw)
        self._check_lastrowid(insert_stmt.table)
        if insert_stmt.select is None:
            # Otherwise, SQLAlchemy would not find the values that it repeats, and would send one row for all.
            text = with_subqueries(text, is_batched=self.for_executemany and repeats_values(self))
        if is_upsert(insert_stmt):
            self._warn_of_unique_keys(insert_stmt.table)
        elif self._ignores_unique_keys(insert_stmt.table):
            if has_several_rows(insert_stmt):
                self._warn_of_duplicates(insert_stmt.table)
            elif self.for_executemany:
                text = for_each_row(text)
        return text

    def _ignores_unique_keys(self, table: Any) -> bool:
        """Return whether the server would accept duplicates of a UNIQUE key in an INSERT of several rows."""
        if self._supports(Feature.UNIQUE_BESIDE_FOREIGN_KEY) or not isinstance(table, schema.Table):
            return False
        return bool(table.foreign_keys and _unique_keys(table))

    @staticmethod
    def _warn_of_duplicates(table: Any) -> None:
        util.warn(
            f"INSERT of several rows into {table.name!r}, which has a foreign key: MatrixOne before "
            f"{format_release(Feature.UNIQUE_BESIDE_FOREIGN_KEY.since)} accepts duplicates of the UNIQUE key "
            f"{' or '.join(_unique_keys(table))}. Pass the rows to execute() as a list, which sends them one by one."
        )

    def _warn_of_unique_keys(self, table: Any) -> None:
        """Warn about UNIQUE keys that ON DUPLICATE KEY UPDATE ignores because there is a primary key."""
        feature = Feature.UPSERT_BY_UNIQUE_KEY
        if self._supports(feature) or not isinstance(table, schema.Table) or not table.primary_key.columns:
            return
        if keys := _unique_keys(table):
            util.warn(
                f"ON DUPLICATE KEY UPDATE of {table.name!r}: MatrixOne before {format_release(feature.since)} finds "
                f"rows by the primary key only. A duplicate of the UNIQUE key {' or '.join(keys)} raises an "
                "IntegrityError (1062) and updates nothing: select the row with with_for_update() before you write it."
            )

    def visit_last_insert_id_func(self, function: Any, **kw: Any) -> str:
        """Render ``last_insert_id()``.

        :raises sqlalchemy.exc.CompileError: with an argument, which no release supports.
        """
        if len(function.clauses):
            raise MatrixOneCompileError(
                "LAST_INSERT_ID() of MatrixOne takes no argument. After ON DUPLICATE KEY UPDATE, inserted_primary_key "
                "is None if a row was changed: select its id by the UNIQUE key."
            )
        return "last_insert_id()"

    def _check_lastrowid(self, table: Any) -> None:
        """Refuse to fetch the key by ``LAST_INSERT_ID()`` if that is wrong."""
        key = table.autoincrement_column if isinstance(table, schema.Table) else None
        is_given = key is None or key.key in self.binds
        if self.postfetch_lastrowid and not is_given and _has_fulltext_index(table):
            raise MatrixOneCompileError(
                f"LAST_INSERT_ID() is wrong for {table.name!r}, which has a full-text index: it is the id of a row in "
                f"the index's own table. From {format_release(Feature.RETURNING.since)} on RETURNING has the right "
                "id, except together with ON DUPLICATE KEY UPDATE. Pass the id yourself, or use insert(…).inline() "
                "if you do not need it."
            )

    def visit_update(self, update_stmt: dml.Update, *args: Any, **kw: Any) -> str:
        self.check_big_integers(update_stmt)
        return super().visit_update(self.with_null_checks(self._with_limit(update_stmt)), *args, **kw)

    def visit_delete(self, delete_stmt: dml.Delete, *args: Any, **kw: Any) -> str:
        self.check_big_integers(delete_stmt)
        return super().visit_delete(self.with_null_checks(self._with_limit(delete_stmt)), *args, **kw)

    def _with_limit(self, statement: _Limited) -> _Limited:
        """Return a statement whose limit has the name that MySQL's compiler looks for.

        Without the limit, the statement would change more rows than intended.
        """
        limits = (statement.kwargs.get(f"{name}_limit") for name in ("matrixone", "mysql"))
        limit = next((limit for limit in limits if limit is not None), None)
        return statement if limit is None else statement.with_dialect_options(**{f"{self.dialect.name}_limit": limit})

    def applicable_prefixes(self, prefixes: Iterable[tuple[Any, str]]) -> list[tuple[Any, str]]:
        """Return the prefixes, and apply those for ``dialect="mysql"`` too, such as the ``IGNORE`` of an INSERT."""
        return [(prefix, self.dialect.name if name in ("mysql", "matrixone") else name) for prefix, name in prefixes]

    def post_process_text(self, text: str) -> str:
        """Return the SQL of a ``text()``, with quotes around reserved words if MySQL does not need them."""
        return super().post_process_text(quote_after_period(text))  # type: ignore[no-any-return, no-untyped-call]

    def visit_like_op_binary(self, binary: elements.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        if self._ignores_escape(binary):
            return f"{self.process(binary.left, **kw)} LIKE {self._reescaped(binary, **kw)}"
        return super().visit_like_op_binary(binary, operator, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_not_like_op_binary(self, binary: elements.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        if self._ignores_escape(binary):
            return f"{self.process(binary.left, **kw)} NOT LIKE {self._reescaped(binary, **kw)}"
        return super().visit_not_like_op_binary(binary, operator, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def _ignores_escape(self, binary: elements.BinaryExpression[Any]) -> bool:
        return bool(binary.modifiers.get("escape")) and not self._supports(Feature.LIKE_ESCAPE)

    def _reescaped(self, binary: elements.BinaryExpression[Any], **kw: Any) -> str:
        """Return the pattern with backslashes in place of its escape character, which the server ignores.

        In the meantime, a control character that no pattern contains stands for a doubled escape character.
        """
        escape = binary.modifiers["escape"]
        pattern = self.process(binary.right, **kw)
        for old, new in (("\\", "\\\\"), (escape * 2, "\x01"), (escape, "\\"), ("\x01", escape)):
            if old == "\\" and escape == "\\":
                continue
            pattern = f"REPLACE({pattern}, {self._text(old)}, {self._text(new)})"
        return pattern

    def visit_extract(self, extract: elements.Extract, **kw: Any) -> str:
        """Render ``EXTRACT`` with a cast to the integer that its type specifies.

        For a DATETIME the server returns a string such as ``'02'``. For a pair of units such as ``day_hour`` it returns
        ``'03  4'``, from which MySQL's number cannot be read for every type. It is calculated from single units.
        """
        unit = extract.field.lower()
        if unit in _SINGLE_UNITS:
            return self._extracted(extract, unit, **kw)
        if unit not in _PAIRS:
            return super().visit_extract(extract, **kw)  # type: ignore[no-any-return, no-untyped-call]
        first, *units = _PAIRS[unit]
        number = self._extracted(extract, first, **kw)
        for unit in units:
            number = f"({number}) * {_DIGITS.get(unit, 100)} + {self._extracted(extract, unit, **kw)}"
        return f"({number})"

    def _extracted(self, extract: elements.Extract, unit: str, **kw: Any) -> str:
        return f"CAST(EXTRACT({unit} FROM {self.process(extract.expr, **kw)}) AS SIGNED)"

    def visit_empty_set_op_expr(self, type_: Sequence[types.TypeEngine[Any]], expand_op: Any, **kw: Any) -> str:
        """Render IN and NOT IN of an empty list, ``n NOT IN (NULL) IS NULL AND (1 = 1)``.

        The server does not find half of the rows by ``n NOT IN (NULL) OR (1 = 1)``, which SQLAlchemy renders: like any
        constant, it must not follow a criterion that is NULL.
        """
        if expand_op not in (operators.in_op, operators.not_in_op):
            return super().visit_empty_set_op_expr(type_, expand_op, **kw)  # type: ignore[no-any-return, no-untyped-call]
        null = "NULL" if len(type_) == 1 else f"({', '.join('NULL' for _ in type_)})"
        return f"{null}) IS {'NOT ' if expand_op is operators.in_op else ''}NULL AND (1 = 1"

    def visit_floordiv_binary(self, binary: elements.BinaryExpression[Any], operator: Any, **kw: Any) -> str:
        """Render the floor division of integers without ``/``, whose result is a DOUBLE with at most 53 exact bits."""
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        if not all(affinity_of(side.type) is types.Integer for side in (binary.left, binary.right)):
            return super().visit_floordiv_binary(binary, operator, **kw)  # type: ignore[no-any-return, no-untyped-call]
        # DIV truncates, which is one more than the floor if the signs differ.
        differ = f"MOD({left}, {right}) != 0 AND ({left} < 0) != ({right} < 0)"
        return f"(({left} DIV {right}) - CASE WHEN {differ} THEN 1 ELSE 0 END)"

    def visit_json_getitem_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Render access to a JSON item.

        It differs from MySQL for booleans and, before 4.2, for all types, because MatrixOne compares JSON only with
        text.
        """
        if not self._supports(Feature.JSON_NULL):
            return self._json_item_without_null(binary, operator, **kw)
        if affinity_of(binary.type) is types.Boolean:
            value = self._json_item(binary, **kw)
            return (
                f"CASE {value} WHEN 'null' THEN NULL WHEN 'true' THEN true WHEN '1' THEN true "
                f"ELSE CASE WHEN {value} IS NULL THEN NULL ELSE false END END"
            )
        if affinity_of(binary.type) is types.Integer:
            value = self._json_item(binary, **kw)
            return f"CASE {value} WHEN 'null' THEN NULL ELSE {self._json_number(value, binary.type)} END"
        return super().visit_json_getitem_op_binary(binary, operator, **kw)

    def _json_item(self, binary: Any, **kw: Any) -> str:
        return f"JSON_EXTRACT({self.process(binary.left, **kw)}, {self.process(binary.right, **kw)})"

    def _json_item_without_null(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Render access to a JSON item without the NULL in CASE, which fails in GROUP BY.

        The server treats that NULL as a BOOL there, or refuses it.
        """
        value, affinity = self._json_item(binary, **kw), affinity_of(binary.type)
        if affinity is types.Boolean:
            return f"{value} IN ('true', '1')"
        if affinity in (types.Integer, types.Numeric, types.Float):
            return self._json_number(value, binary.type)
        if affinity is types.String:
            return f"JSON_UNQUOTE({value})"
        return super().visit_json_getitem_op_binary(binary, operator, **kw)

    def _json_number(self, value: str, type_: types.TypeEngine[Any]) -> str:
        """Render the cast of JSON to a number, by its text if the server cannot cast it, or loses digits."""
        unquoted = f"JSON_UNQUOTE({value})"
        if affinity_of(type_) is types.Integer and self._supports(Feature.JSON_TO_INTEGER_BY_DOUBLE):
            value = f"CAST({unquoted} AS DECIMAL(38, 0))"
        elif not self._supports(Feature.JSON_TO_NUMBER):
            value = unquoted
        return f"CAST({value} AS {_number(type_)})"

    visit_json_path_getitem_op_binary = visit_json_getitem_op_binary

    def render_values(self, rows: Iterable[Any], **kw: Any) -> str:
        """Return VALUES in the form ``VALUES ROW(1, 2), ROW(3, 4)``."""
        return f"VALUES {', '.join(f'ROW{self.process(row, **kw)}' for row in rows)}"

    def visit_is_distinct_from_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        if self._supports(Feature.NULL_SAFE_EQUAL):
            return super().visit_is_distinct_from_binary(binary, operator, **kw)
        return f"NOT {self._null_safe_equal(binary, **kw)}"

    def visit_is_not_distinct_from_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        if self._supports(Feature.NULL_SAFE_EQUAL):
            return super().visit_is_not_distinct_from_binary(binary, operator, **kw)
        return self._null_safe_equal(binary, **kw)

    def _null_safe_equal(self, binary: Any, **kw: Any) -> str:
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return (
            f"(CASE WHEN {left} IS NULL THEN {right} IS NULL WHEN {right} IS NULL THEN false ELSE {left} = {right} END)"
        )

    def visit_sequence(self, sequence: schema.Sequence, **kw: Any) -> str:
        """Render ``nextval``, which takes the name as a string, in lower case, and returns the number as a string.

        :raises sqlalchemy.exc.CompileError: for a sequence of another database, which ``nextval`` cannot refer to.
        """
        database = self.preparer.schema_for_object(sequence)
        if database is not None and database != self.dialect.default_schema_name:
            raise MatrixOneCompileError(
                f"nextval() only finds sequences of the current database, and {sequence.name!r} is in {database!r}"
            )
        return f"CAST(nextval({self._text(fold(sequence.name))}) AS SIGNED)"

    def visit_typeclause(self, typeclause: Any, type_: Any = None, **kw: Any) -> str | None:
        if type_ is None:
            type_ = typeclause.type.dialect_impl(self.dialect)
        if isinstance(type_, (Vector, UUID, types.Boolean)):
            return self.dialect.type_compiler_instance.process(type_)
        return super().visit_typeclause(typeclause, type_, **kw)

    def returning_clause(self, stmt: Any, returning_cols: Any, *, populate_result_map: bool, **kw: Any) -> str:
        """Render RETURNING.

        :raises sqlalchemy.exc.CompileError: before 4.2, together with ON DUPLICATE KEY UPDATE, and for an ENUM or SET.
        """
        Feature.RETURNING.require(self._server.server_release)
        if is_upsert(stmt):
            raise MatrixOneCompileError(
                "MatrixOne has no RETURNING with ON DUPLICATE KEY UPDATE: select the row afterwards"
            )
        for column in stmt.exported_columns:
            if not self._is_returned(column):
                raise MatrixOneCompileError(
                    f"MatrixOne cannot return an ENUM or SET: leave {column} out of returning() and select it"
                )
        # The server accepts only the name of the table in front of a column here, without that of the database.
        include_table = self.preparer.schema_for_object(stmt.table) is None
        return super().returning_clause(
            stmt, returning_cols, populate_result_map=populate_result_map, include_table=include_table, **kw
        )

    def _with_returned_key(self, statement: dml.Insert) -> dml.Insert:
        """Add RETURNING of the primary key if ``LAST_INSERT_ID()`` would be wrong."""
        asks_for_id = not self.for_executemany and asks_for_generated_key(statement)
        if not asks_for_id or not self._supports(Feature.RETURNING):
            return statement
        if _has_fulltext_index(statement.table) or gives_key_as_expression(statement):
            return statement.return_defaults(*statement.table.primary_key)
        return statement

    def _without_unreturnable_defaults(self, statement: dml.Insert) -> dml.Insert:
        """Leave ENUM and SET columns out of ``return_defaults()``. They are selected when they are first accessed.

        If no other column is left, the primary key replaces them, since an empty list would mean all columns.
        """
        columns = defaults_to_return(statement)
        if columns is None or not self._supports(Feature.RETURNING):
            return statement
        returned = tuple(column for column in columns if self._is_returned(column))
        if len(returned) == len(columns):
            return statement
        return returning_defaults(statement, returned or tuple(statement.table.primary_key))

    def _is_returned(self, column: Any) -> bool:
        """Return whether RETURNING supports a column, which it does not for the types ENUM and SET."""
        while isinstance(column, Label):
            column = column.element
        if not isinstance(column, schema.Column):
            return True
        type_ = implemented_type(column.type, self.dialect)
        return not (isinstance(type_, mysql.SET) or (isinstance(type_, types.Enum) and type_.native_enum))


def _sorts_null(statement: selectable.GenerativeSelect) -> bool:
    """Return whether a key of an ORDER BY after the first one can be NULL."""
    if not isinstance(statement, selectable.Select):
        return True
    froms = statement.get_final_froms()
    keys = order_by_of(statement)
    return any(can_be_null(key, froms) for key in keys[1:] or keys)  # one text can have several keys


def _has_later_descending_key(order_by: str) -> bool:
    """Return whether an ORDER BY has a descending key other than the first. Commas in parentheses do not count."""
    replaced = 1
    while replaced:
        order_by, replaced = _INNERMOST_PARENTHESES.subn("", order_by)
    return _LATER_DESCENDING_KEY.search(order_by) is not None


def _number(type_: Any) -> str:
    if isinstance(type_, types.Integer):
        return "SIGNED"
    if type_.precision is None or getattr(type_, "scale", None) is None:
        return "DOUBLE"
    return f"DECIMAL({type_.precision}, {type_.scale})"


class MatrixOneExecutionContext(MySQLExecutionContext):
    """Correct row counts and generated ids, and execute sequences."""

    @property
    def rowcount(self) -> int:
        """Return the number of matched rows, at most one if the statement selects one row by its primary key.

        The server also counts rows that are changed through foreign keys, which the ORM would treat as an error.
        """
        matched: int = super().rowcount
        statement = getattr(self.compiled, "statement", None)
        if matched > 1 and isinstance(statement, (dml.Update, dml.Delete)) and len(self.compiled_parameters) == 1:
            return 1 if _is_of_one_row(statement) else matched
        return matched

    def get_lastrowid(self) -> int | None:  # type: ignore[override]
        """Return the generated id of the inserted row; None if no row was inserted, or if that is unknown.

        The server also reports an id if ON DUPLICATE KEY UPDATE has changed a row, or IGNORE has skipped one. It
        reports 0 if the id was not generated, but is an expression in the statement.
        """
        has_inserted = self.cursor.rowcount != 0
        if is_upsert(getattr(self.compiled, "statement", None)):
            has_inserted = self._has_upsert_inserted(self.cursor.rowcount)
        return super().get_lastrowid() or None if has_inserted or not self.isinsert else None

    def _has_upsert_inserted(self, rows: int) -> bool:
        """Return whether the row is new, as far as that can be determined from what the server reports."""
        server = cast("MatrixOneServer", self.dialect)
        if not server.supports(Feature.UPSERT_BY_UNIQUE_KEY):
            return True  # such a release never matches an existing row by a generated key
        return server.supports(Feature.UPSERT_COUNT) and rows == 1

    def fire_sequence(self, seq: schema.Sequence, type_: types.Integer) -> int:
        compiler = cast("MatrixOneCompiler", self.dialect.statement_compiler(self.dialect, None))
        number: int = execute_scalar(self, f"SELECT {compiler.visit_sequence(seq)}", type_)
        return number


class TimeTravelExecutionContext(PassingValues, MatrixOneExecutionContext):
    """The execution context of a dialect that has compiled a point in time."""


def is_ordinary(compiled: Any, text: str) -> bool:
    """Return whether nothing has to be checked or done when a statement is sent.

    The others define how they are sent, read several points in time, which may differ, or create a temporary table.

    :param compiled: its compiled form, or None.
    """
    if isinstance(getattr(compiled, "statement", None), ServerStatement) or makes_temporary_table(text):
        return False
    return not isinstance(compiled, AsOfCompiler) or len(compiled.points_in_time) < 2


def _unique_keys(table: schema.Table) -> list[str]:
    """Return the columns of each UNIQUE key other than the primary key, for a message."""
    keys = [item.columns for item in table.constraints if isinstance(item, schema.UniqueConstraint)]
    keys += [index.columns for index in table.indexes if index.unique]
    return sorted(f"({', '.join(column.name for column in key)})" for key in keys)


def _has_fulltext_index(table: Any) -> bool:
    return isinstance(table, schema.Table) and any(index_kind(index) == "fulltext" for index in table.indexes)


def _is_of_one_row(statement: dml.Update | dml.Delete) -> bool:
    """Return whether WHERE only compares columns of the table with values by ``=``, including its whole primary key."""
    table, criterion = statement.table, statement.whereclause
    if not isinstance(table, schema.Table) or criterion is None:
        return False
    is_and = isinstance(criterion, BooleanClauseList) and criterion.operator is operators.and_
    compared = [_compared_column(part, table) for part in (criterion.clauses if is_and else [criterion])]
    key = {column.name for column in table.primary_key}
    return bool(key) and None not in compared and key.issubset(compared)


def _compared_column(criterion: Any, table: schema.Table) -> str | None:
    if not isinstance(criterion, BinaryExpression) or criterion.operator is not operators.eq:
        return None
    column, value = criterion.left, criterion.right
    of = column.table if isinstance(column, schema.Column) else None  # can also be an alias or a subquery
    is_ours = isinstance(of, schema.Table) and of.key == table.key
    return column.name if is_ours and isinstance(value, BindParameter) else None
