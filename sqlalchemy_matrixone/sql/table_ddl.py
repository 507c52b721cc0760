"""Compile table, index and sequence DDL, if MatrixOne differs from MySQL."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import UnaryExpression, schema, types, util
from sqlalchemy.dialects import mysql

from ..core.compilers import DDLCompilerPart
from ..core.kept_text import check_kept
from ..core.options import INDEX_OPTIONS, PITR_OPTION, column_names, index_kind, index_option
from ..core.release import Feature, format_release
from ..core.sqlalchemy_internals import percent_sign, reflected_default
from ..exc import MatrixOneCompileError
from .defaults import kept_by_alter

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect
    from sqlalchemy.sql import ddl
    from sqlalchemy.sql.schema import IdentityOptions

    from ..core.release import Release


_OPTIONS_SINCE = {
    **dict.fromkeys(("async", "force_sync", "auto_update"), Feature.INDEX_MAINTENANCE),
    "include": Feature.INDEX_INCLUDE,
}


# NullType, because a migration may not contain the type.
_CUT_TYPES = (
    types.String,
    types.LargeBinary,
    types.BINARY,
    types.VARBINARY,
    mysql.TINYBLOB,
    mysql.MEDIUMBLOB,
    mysql.LONGBLOB,
    types.NullType,
)
_CHANGING = ("CASCADE", "SET NULL")
_OPTIONS_OF_MYSQL = ("auto_increment", "comment", "partition_by", "partitions")
# The server has no now() after ON UPDATE.
_ON_UPDATE_NOW = re.compile(r"\sON\s+UPDATE\s+NOW\(", re.I)
# These options follow all others, in this order.
_LAST_TABLE_OPTIONS = ("PARTITION_BY", "PARTITIONS", "CLUSTER_BY")


def findable_expressions(index: schema.Index, key: Sequence[str], release: Release) -> list[ColumnElement[Any]]:
    """Return the columns and expressions of which to create an index, so that queries find rows by it.

    Before 4.1, the server does not find rows by an index that contains the whole primary key, unless it has exactly the
    key's columns in their order. The key is left out, because the server adds it to each index by itself. What remains
    is equivalent.

    :param key: the columns of the primary key, in their order.
    """
    expressions: list[Any] = list(index.expressions)
    columns = [column.name for column in index.columns]
    if Feature.KEY_IN_INDEX.in_release(release) or index.unique or index_kind(index) != "btree":
        return expressions
    if not key or not set(key) <= set(columns) or columns == list(key):
        return expressions
    return [each for each in expressions if indexed_name(each) not in key] or expressions[:-1]


def indexed_name(expression: Any) -> str | None:
    """Return the name of the column that an index contains, ascending or descending; None for other expressions."""
    while isinstance(expression, UnaryExpression):
        expression = expression.element
    return getattr(expression, "name", None)


def cuts_values(column: schema.Column[Any], length: int, dialect: Dialect) -> bool:
    """Return whether a prefix length of an index can be less than the length of a value, as if its type is unknown."""
    type_ = column.type.dialect_impl(dialect)
    if not isinstance(type_, _CUT_TYPES):
        return False
    return length < (getattr(type_, "length", None) or math.inf)


def _kept_length(index: schema.Index, column: schema.Column[Any], length: int, dialect: Dialect) -> int | None:
    """Return the prefix length of an index; None, with a warning, if it is omitted so that queries find rows by it.

    :raises MatrixOneCompileError: if the index is UNIQUE, so that it would accept other rows without the length, or if
        the column has no length, so that it cannot be indexed as a whole.
    """
    if not cuts_values(column, length, dialect):
        return length
    reason = (
        f"from {format_release(Feature.INDEX_PREFIX_LENGTHS.since)} on MatrixOne does not find rows by an index on the "
        f"first {length} characters of {column.name!r} if the values are longer"
    )
    type_ = column.type.dialect_impl(dialect)
    if index.unique:
        advice = "Omit mysql_length, if whole values are unique, or make it as long as the column."
    elif getattr(type_, "length", None) is None and not isinstance(type_, types.NullType):
        advice = "Give the column a length, String(n), so that it can be indexed as a whole, or use a full-text index."
    else:
        util.warn(f"Index {index.name!r} is created without mysql_length={length}, on whole values: {reason}.")
        return None
    raise MatrixOneCompileError(f"Index {index.name!r} was not created: {reason}. {advice}")


def _warn_of_omitted_key(index: schema.Index, kept: Sequence[Any]) -> None:
    names = {indexed_name(expression) for expression in kept}
    omitted = [repr(column.name) for column in index.columns if column.name not in names]
    util.warn(
        f"Index {index.name!r} is created without {', '.join(omitted)}: before "
        f"{format_release(Feature.KEY_IN_INDEX.since)} MatrixOne does not find rows by an index that contains the "
        "whole primary key. MatrixOne adds the key to each index anyway."
    )


def _warn_of_second_key(constraint: schema.ForeignKeyConstraint) -> None:
    """Warn about actions that fail in the server because the table has another foreign key to the same table."""
    target = constraint.referred_table
    others = [
        key
        for key in constraint.table.foreign_key_constraints
        if key is not constraint and key.referred_table is target
    ]
    if others and (constraint.ondelete or "").upper() == "SET NULL":
        action, fault = "DELETE SET NULL", f"each DELETE of a row of {target.name!r} fails with an internal error"
    elif (constraint.onupdate or "").upper() in _CHANGING and any(
        (key.onupdate or "").upper() in _CHANGING for key in others
    ):
        action = f"UPDATE {(constraint.onupdate or '').upper()}"
        fault = (
            f"an UPDATE of the key of {target.name!r} fails with an internal error, and before 4.2 can duplicate rows"
        )
    else:
        return
    util.warn(
        f"ON {action} of table {constraint.table.name!r}, which has more than one foreign key to {target.name!r}: in "
        f"MatrixOne {fault}. Omit the action, and update these rows yourself: the ORM does so without passive_deletes "
        "and with passive_updates=False."
    )


class MatrixOneTableDDLCompiler(DDLCompilerPart):
    """Compile MySQL DDL within the grammar of MatrixOne."""

    def visit_unique_constraint(self, constraint: schema.UniqueConstraint, **kw: Any) -> str:
        """Render ``UNIQUE KEY name (…)``, because CREATE TABLE drops the name of ``CONSTRAINT name UNIQUE (…)``."""
        if len(constraint) == 0:
            return ""
        name = self.preparer.format_constraint(constraint) if constraint.name is not None else None
        columns = ", ".join(self.preparer.quote(column.name) for column in constraint)
        return f"UNIQUE KEY {name} ({columns})" if name is not None else f"UNIQUE ({columns})"

    def post_create_table(self, table: schema.Table) -> str:
        """Render ``COMMENT``, ``PARTITION BY``, ``CLUSTER BY`` and all other ``matrixone_*`` options.

        ``matrixone_cluster_by`` is the name of a column or a list of names, and ``matrixone_partition_by`` is SQL.
        ``matrixone_pitr`` is only for Alembic. Of the ``mysql_*`` options, only those are rendered that the server does
        not ignore.
        """
        options = {
            name.upper(): table.kwargs[f"mysql_{name}"] for name in _OPTIONS_OF_MYSQL if f"mysql_{name}" in table.kwargs
        }
        options |= {
            name.removeprefix("matrixone_").upper(): value
            for name, value in table.kwargs.items()
            if name.startswith("matrixone_") and name != PITR_OPTION and value is not None
        }
        last = {name: options.pop(name) for name in _LAST_TABLE_OPTIONS if name in options}
        comment = options.pop("COMMENT", None) if table.comment is None else table.comment
        if comment is not None:
            options["COMMENT"] = self._comment_literal(comment)
        words = [f"{name}={value}" for name, value in options.items()]
        for name, value in last.items():
            if name == "CLUSTER_BY":
                value = f"({', '.join(map(self.preparer.quote, column_names(value)))})"
            words.append(f"{name.replace('_', ' ')} {value}")
        return " ".join(words)

    def _comment_literal(self, comment: str) -> str:
        check_kept(comment, "comment")
        return self._text(comment)

    def visit_set_table_comment(self, create: ddl.SetTableComment, **kw: Any) -> str:
        """Render ``ALTER TABLE … COMMENT``.

        :raises sqlalchemy.exc.CompileError: for a comment that the server could not read again.
        """
        table = create.element
        return f"ALTER TABLE {self.preparer.format_table(table)} COMMENT {self._comment_literal(table.comment or '')}"

    def get_column_specification(self, column: schema.Column[Any], **kw: Any) -> str:
        """Render the definition of a column.

        :raises sqlalchemy.exc.CompileError: for a comment that the server could not read again.
        """
        if column.comment is not None:
            check_kept(column.comment, "comment")
        return super().get_column_specification(column, **kw)

    def visit_computed_column(self, generated: schema.Computed, **kw: Any) -> str:
        """Render ``GENERATED ALWAYS AS (…)``.

        :raises sqlalchemy.exc.CompileError: before 4.0, which has no generated columns.
        """
        Feature.GENERATED_COLUMN.require(self._release, f"GENERATED ALWAYS AS ({generated.sqltext})")
        return super().visit_computed_column(generated, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def get_column_default_string(self, column: schema.Column[Any]) -> str | None:
        """Return the default in a form that ALTER TABLE preserves."""
        default = self._reflected_default(column) or super().get_column_default_string(column)
        if default is not None:
            default = _ON_UPDATE_NOW.sub(" ON UPDATE CURRENT_TIMESTAMP(", default)
        if default is None or "'" not in default:
            return default
        return kept_by_alter(default, column.type, self._release, percent_sign(self.preparer))

    def _reflected_default(self, column: schema.Column[Any]) -> str | None:
        """Return a reflected default unchanged: a colon in it does not start a bind parameter."""
        text = reflected_default(column)
        return None if text is None else str(self.sql_compiler.post_process_text(text))  # type: ignore[no-untyped-call]

    def visit_foreign_key_constraint(self, constraint: schema.ForeignKeyConstraint, **kw: Any) -> str:
        """Render a foreign key. Warn if the server does not apply its ON DELETE or ON UPDATE correctly."""
        text: str = super().visit_foreign_key_constraint(constraint, **kw)
        if text and constraint.referred_table.key == constraint.table.key:
            self._warn_of_tree(constraint)
        elif text:
            _warn_of_second_key(constraint)
        return text

    def _warn_of_tree(self, constraint: schema.ForeignKeyConstraint) -> None:
        action = (constraint.ondelete or "").upper()
        if action == "CASCADE" and not Feature.CASCADE_IN_TREE.in_release(self._release):
            fault = "MatrixOne deletes no row that refers to a deleted row of the same table, which leaves orphans"
        elif action == "SET NULL" and not Feature.DELETE_FROM_TREE_OF_SET_NULL.in_release(self._release):
            since = format_release(Feature.DELETE_FROM_TREE_OF_SET_NULL.since)
            fault = f"a DELETE that meets such a row never ends before MatrixOne {since}, and KILL does not end it"
        else:
            return
        util.warn(
            f"ON DELETE {action} of table {constraint.table.name!r}, which refers to itself: {fault}. Omit ON DELETE, "
            "and delete or update these rows yourself: the ORM does so without passive_deletes."
        )

    def visit_drop_constraint(self, drop: ddl.DropConstraint, **kw: Any) -> str:
        """Render ``DROP INDEX … ON`` for a UNIQUE, because ALTER TABLE looks for it only in the current database."""
        constraint = drop.element
        if not isinstance(constraint, schema.UniqueConstraint):
            return super().visit_drop_constraint(drop, **kw)
        name = self.preparer.format_constraint(constraint)
        return f"DROP INDEX {name} ON {self.preparer.format_table(constraint.table)}"

    def visit_create_index(self, create: ddl.CreateIndex, **kw: Any) -> str:  # type: ignore[override]
        """Render an ordinary index or, with ``matrixone_using``, a vector or full-text index.

        ::

            Index("ix_embedding", Item.embedding, matrixone_using="ivfflat",
                  matrixone_lists=100, matrixone_op_type="vector_l2_ops")
            Index("ix_embedding", Item.embedding, matrixone_using="hnsw",
                  matrixone_m=16, matrixone_ef_construction=64, matrixone_ef_search=64,
                  matrixone_op_type="vector_cosine_ops")
            Index("ix_body", Article.title, Article.body, matrixone_using="fulltext",
                  matrixone_with_parser="ngram")

        ``matrixone_async=True`` is rendered as a keyword and ``matrixone_auto_update=True`` as a boolean value.
        ``matrixone_include=["title"]`` is a list of columns. All other options are numbers or strings: see
        ``INDEX_OPTIONS``.

        The server requires ``SET experimental_hnsw_index = 1`` for ``hnsw`` on 2.2 and 4.x. On 2.2 it also requires
        ``experimental_ivf_index`` for ``ivfflat`` and ``experimental_fulltext_index`` for ``fulltext``.

        :raises sqlalchemy.exc.CompileError: with ``if_not_exists``, which MatrixOne's CREATE INDEX lacks, with an
            option that the release does not have, and from 4.0 on if a ``mysql_length`` that is less than the length of
            the column cannot be omitted.
        """
        index = create.element
        if create.if_not_exists:
            raise MatrixOneCompileError("MatrixOne has no CREATE INDEX IF NOT EXISTS: create it with checkfirst=True")
        name = self._prepared_index_name(index)
        table = self.preparer.format_table(index.table)  # type: ignore[arg-type]
        columns = ", ".join(self._index_columns(index))
        using, prefix = index_option(index, "using"), index_option(index, "prefix")
        if index_kind(index) == "fulltext":
            parser = index_option(index, "with_parser")
            with_parser = f" WITH PARSER {parser}" if parser else ""
            return f"CREATE FULLTEXT INDEX {name} ON {table} ({columns}){with_parser}{self._index_options(index)}"
        kind = "UNIQUE " if index.unique else f"{prefix} " if prefix else ""
        of_kind = f" USING {using}" if using else ""
        return f"CREATE {kind}INDEX {name}{of_kind} ON {table} ({columns}){self._index_options(index)}"

    def _index_options(self, index: schema.Index) -> str:
        values = index.dialect_options["matrixone"]
        given = {name: option for name, option in INDEX_OPTIONS.items() if values.get(name) is not None}
        for name in given.keys() & _OPTIONS_SINCE.keys():
            _OPTIONS_SINCE[name].require(self._release, f"matrixone_{name}")
        is_escaped = Feature.INDEX_COMMENT_ESCAPED.in_release(self._release)
        return "".join(
            option.render(name.upper(), values[name], self.preparer.quote, self._text, comment_is_escaped=is_escaped)
            for name, option in given.items()
        )

    def _index_columns(self, index: schema.Index) -> Iterator[str]:
        """Yield the columns or expressions, each with its prefix length.

        The length is one number for all, or a dictionary of numbers by the names of the columns. From 4.0 on, one that
        cuts values is omitted with a warning: queries would not find them.

        Before 4.1, the whole primary key is left out, with a warning.

        :raises MatrixOneCompileError: if such a length cannot be omitted.
        """
        key = [] if index.table is None else [column.name for column in index.table.primary_key]
        expressions = findable_expressions(index, key, self._release)
        if len(expressions) < len(index.expressions):
            _warn_of_omitted_key(index, expressions)
        lengths = index_option(index, "length")
        cut = Feature.INDEX_PREFIX_LENGTHS.in_release(self._release) and index_kind(index) == "btree"
        for expression in expressions:
            column = self.sql_compiler.process(expression, include_table=False, literal_binds=True)
            length = lengths.get(getattr(expression, "name", column)) if isinstance(lengths, Mapping) else lengths
            if length is not None and cut and isinstance(expression, schema.Column):
                length = _kept_length(index, expression, int(length), self.dialect)
            yield column if length is None else f"{column}({int(length)})"

    def get_identity_options(self, identity_options: IdentityOptions) -> str:
        """Render the options of a sequence in the only order that the server accepts.

        The server has neither CACHE nor NO MINVALUE.
        """
        words = []
        if identity_options.increment is not None:
            words.append(f"INCREMENT BY {identity_options.increment}")
        if identity_options.minvalue is not None:
            words.append(f"MINVALUE {identity_options.minvalue}")
        if identity_options.maxvalue is not None:
            words.append(f"MAXVALUE {identity_options.maxvalue}")
        if identity_options.start is not None:
            words.append(f"START WITH {identity_options.start}")
        if identity_options.cycle is not None:
            words.append("CYCLE" if identity_options.cycle else "NO CYCLE")
        return " ".join(words)
