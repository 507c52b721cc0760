"""CREATE and ALTER TABLE, CREATE INDEX and CREATE SEQUENCE in MatrixOne's words, where they differ from MySQL's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exc, types
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler

if TYPE_CHECKING:
    from sqlalchemy import schema
    from sqlalchemy.sql import ddl
    from sqlalchemy.sql.schema import IdentityOptions

INDEX_OPTIONS = ("lists", "m", "ef_construction", "ef_search", "op_type")
"""What CREATE INDEX takes after a vector index's columns, in the server's order."""

# After all others, in this order.
_LAST_TABLE_OPTIONS = ("PARTITION_BY", "PARTITIONS", "CLUSTER_BY")


class MatrixOneTableDDLCompiler(MySQLDDLCompiler):
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
        ``matrixone_pitr`` belongs to Alembic alone.
        """
        options = {
            name.removeprefix("matrixone_").upper(): value
            for name, value in table.kwargs.items()
            if name.startswith("matrixone_") and name != "matrixone_pitr" and value is not None
        }
        last = {name: options.pop(name) for name in _LAST_TABLE_OPTIONS if name in options}
        if table.comment is not None:
            options["COMMENT"] = self.sql_compiler.render_literal_value(table.comment, types.String())
        words = [f"{name.replace('_', ' ')}={value}" for name, value in options.items()]
        for name, value in last.items():
            if name == "CLUSTER_BY":
                columns = [value] if isinstance(value, str) else value
                value = f"({', '.join(map(self.preparer.quote, columns))})"
            words.append(f"{name.replace('_', ' ')} {value}")
        return " ".join(words)

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

        The server wants ``SET experimental_hnsw_index = 1`` before the second on 2.2 and 4.x, and
        ``experimental_ivf_index`` or ``experimental_fulltext_index`` before the others on 2.2.

        :raises sqlalchemy.exc.CompileError: with ``if_not_exists``, which MatrixOne's CREATE INDEX lacks.
        """
        index = create.element
        if create.if_not_exists:
            raise exc.CompileError("MatrixOne has no CREATE INDEX IF NOT EXISTS: create it with checkfirst=True")
        using = index_option(index, "using")
        if using is None and index_option(index, "prefix") is None:
            return super().visit_create_index(create, **kw)
        name = self._prepared_index_name(index)
        table = self.preparer.format_table(index.table)  # type: ignore[arg-type]
        columns = ", ".join(
            self.sql_compiler.process(column, include_table=False, literal_binds=True)  # type: ignore[arg-type]
            for column in index.expressions
        )
        if "FULLTEXT" in (str(using).upper(), str(index_option(index, "prefix")).upper()):
            parser = index_option(index, "with_parser")
            with_parser = f" WITH PARSER {parser}" if parser else ""
            return f"CREATE FULLTEXT INDEX {name} ON {table} ({columns}){with_parser}"
        unique = "UNIQUE " if index.unique else ""
        return f"CREATE {unique}INDEX {name} USING {using} ON {table} ({columns}){_index_options(index)}"

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


def index_option(index: schema.Index, name: str) -> Any:
    """The option under MatrixOne's name, or under MySQL's for those who come from there."""
    value = index.dialect_options["matrixone"].get(name)
    return index.dialect_options["mysql"].get(name) if value is None else value


def _index_options(index: schema.Index) -> str:
    options = index.dialect_options["matrixone"]
    return "".join(
        f" {name.upper()} {_quoted(options[name])}" if name == "op_type" else f" {name.upper()} = {int(options[name])}"
        for name in INDEX_OPTIONS
        if options.get(name) is not None
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
