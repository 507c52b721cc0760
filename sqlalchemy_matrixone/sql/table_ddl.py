"""CREATE and ALTER TABLE, CREATE INDEX and CREATE SEQUENCE in MatrixOne's words, where they differ from MySQL's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import schema, util

from ..core.compilers import DDLCompilerPart
from ..core.options import INDEX_OPTIONS, PITR_OPTION, column_names, index_kind, index_option
from ..core.release import Feature, format_release
from ..core.sqlalchemy_internals import percent_sign, reflected_default
from ..exc import MatrixOneCompileError
from .defaults import kept_by_alter

if TYPE_CHECKING:
    from sqlalchemy.sql import ddl
    from sqlalchemy.sql.schema import IdentityOptions

    from ..core.release import Release


_OPTIONS_SINCE = {
    **dict.fromkeys(("async", "force_sync", "auto_update"), Feature.INDEX_MAINTENANCE),
    "include": Feature.INDEX_INCLUDE,
}


_OPTIONS_OF_MYSQL = ("auto_increment", "partition_by", "partitions")
# After all others, in this order.
_LAST_TABLE_OPTIONS = ("PARTITION_BY", "PARTITIONS", "CLUSTER_BY")


def check_finds_rows(index: schema.Index, key: Sequence[str], release: Release) -> None:
    """Check that queries find their rows by an index, which before 4.1 depends on the primary key of its table.

    :param key: the columns of the primary key, in their order.
    :raises MatrixOneCompileError: if the index has all of them in it, and not only them in that order.
    """
    feature, columns = Feature.KEY_IN_INDEX, [column.name for column in index.columns]
    if feature.in_release(release) or index.unique or index_kind(index) != "btree":
        return
    if not key or not set(key) <= set(columns) or columns == list(key):
        return
    others = [name for name in columns if name not in key] or columns[:-1]
    raise MatrixOneCompileError(
        f"Index {index.name!r} was not created: before {format_release(feature.since)} MatrixOne does not find rows by "
        "an index that has the whole primary key in it. It adds the key to each index by itself: leave it out, "
        f"Index({', '.join(map(repr, (index.name, *others)))})."
    )


class MatrixOneTableDDLCompiler(DDLCompilerPart):
    """MySQL's DDL, in what of its grammar MatrixOne has."""

    def visit_unique_constraint(self, constraint: schema.UniqueConstraint, **kw: Any) -> str:
        """``UNIQUE KEY name (…)``: of ``CONSTRAINT name UNIQUE (…)`` CREATE TABLE loses the name."""
        if len(constraint) == 0:
            return ""
        name = self.preparer.format_constraint(constraint) if constraint.name is not None else None
        columns = ", ".join(self.preparer.quote(column.name) for column in constraint)
        return f"UNIQUE KEY {name} ({columns})" if name is not None else f"UNIQUE ({columns})"

    def post_create_table(self, table: schema.Table) -> str:
        """``COMMENT``, ``PARTITION BY``, ``CLUSTER BY``, and what else ``matrixone_*`` says.

        ``matrixone_cluster_by`` is a column's name or a list of them, ``matrixone_partition_by`` SQL.
        ``matrixone_pitr`` belongs to Alembic alone. Of ``mysql_*``, what the server does not ignore.
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
        if table.comment is not None:
            options["COMMENT"] = self._text(table.comment)
        words = [f"{name}={value}" for name, value in options.items()]
        for name, value in last.items():
            if name == "CLUSTER_BY":
                value = f"({', '.join(map(self.preparer.quote, column_names(value)))})"
            words.append(f"{name.replace('_', ' ')} {value}")
        return " ".join(words)

    def get_column_default_string(self, column: schema.Column[Any]) -> str | None:
        """The default in the form that ALTER TABLE keeps."""
        default = self._reflected_default(column) or super().get_column_default_string(column)
        if default is None or "'" not in default:
            return default
        return kept_by_alter(default, column.type, self._release, percent_sign(self.preparer))

    def _reflected_default(self, column: schema.Column[Any]) -> str | None:
        """As it was reflected: a colon in it begins no bind parameter."""
        text = reflected_default(column)
        return None if text is None else str(self.sql_compiler.post_process_text(text))  # type: ignore[no-untyped-call]

    def visit_foreign_key_constraint(self, constraint: schema.ForeignKeyConstraint, **kw: Any) -> str:
        """MySQL's, with a warning if the table refers to itself and the server does not do what ON DELETE says."""
        text: str = super().visit_foreign_key_constraint(constraint, **kw)
        if text and constraint.referred_table.key == constraint.table.key:
            self._warn_of_tree(constraint)
        return text

    def _warn_of_tree(self, constraint: schema.ForeignKeyConstraint) -> None:
        action = (constraint.ondelete or "").upper()
        if action == "CASCADE":
            fault = "MatrixOne deletes no row that refers to a deleted row of the same table, which leaves orphans"
        elif action == "SET NULL" and not Feature.DELETE_FROM_TREE_OF_SET_NULL.in_release(self._release):
            since = format_release(Feature.DELETE_FROM_TREE_OF_SET_NULL.since)
            fault = f"a DELETE that meets such a row never ends before MatrixOne {since}, and KILL does not end it"
        else:
            return
        util.warn(
            f"ON DELETE {action} of table {constraint.table.name!r}, which refers to itself: {fault}. Leave "
            "ON DELETE out, and delete or update these rows yourself: the ORM does so without passive_deletes."
        )

    def visit_drop_constraint(self, drop: ddl.DropConstraint, **kw: Any) -> str:
        """``DROP INDEX … ON`` for a UNIQUE: what ALTER TABLE drops, it looks for in the connection's own database."""
        constraint = drop.element
        if not isinstance(constraint, schema.UniqueConstraint):
            return super().visit_drop_constraint(drop, **kw)
        name = self.preparer.format_constraint(constraint)
        return f"DROP INDEX {name} ON {self.preparer.format_table(constraint.table)}"

    def visit_create_index(self, create: ddl.CreateIndex, **kw: Any) -> str:  # type: ignore[override]
        """An ordinary index, or a vector or full-text one by ``matrixone_using``.

        ::

            Index("ix_embedding", Item.embedding, matrixone_using="ivfflat",
                  matrixone_lists=100, matrixone_op_type="vector_l2_ops")
            Index("ix_embedding", Item.embedding, matrixone_using="hnsw",
                  matrixone_m=16, matrixone_ef_construction=64, matrixone_ef_search=64,
                  matrixone_op_type="vector_cosine_ops")
            Index("ix_body", Article.title, Article.body, matrixone_using="fulltext",
                  matrixone_with_parser="ngram")

        ``matrixone_async=True`` and ``matrixone_auto_update=True`` are words and truth values,
        ``matrixone_include=["title"]`` a list of columns, all others numbers and texts: see ``INDEX_OPTIONS``.

        The server wants ``SET experimental_hnsw_index = 1`` before the second on 2.2 and 4.x, and
        ``experimental_ivf_index`` or ``experimental_fulltext_index`` before the others on 2.2.

        :raises sqlalchemy.exc.CompileError: with ``if_not_exists``, which MatrixOne's CREATE INDEX lacks, with an
            option that the release does not have, and before 4.1 if the index has the whole primary key in it.
        """
        index = create.element
        if create.if_not_exists:
            raise MatrixOneCompileError("MatrixOne has no CREATE INDEX IF NOT EXISTS: create it with checkfirst=True")
        if index.table is not None:
            check_finds_rows(index, [column.name for column in index.table.primary_key], self._release)
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
        return "".join(
            option.render(name.upper(), values[name], self.preparer.quote, self._text) for name, option in given.items()
        )

    def _index_columns(self, index: schema.Index) -> Iterator[str]:
        """The columns or expressions, with the prefix length of each: one number, or a dictionary by name."""
        lengths = index_option(index, "length")
        for expression in index.expressions:
            column = self.sql_compiler.process(expression, include_table=False, literal_binds=True)  # type: ignore[arg-type]
            length = lengths.get(getattr(expression, "name", column)) if isinstance(lengths, Mapping) else lengths
            yield column if length is None else f"{column}({int(length)})"

    def get_identity_options(self, identity_options: IdentityOptions) -> str:
        """In the only order that the server takes them in; it has no CACHE and no NO MINVALUE."""
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
