"""Write the queries of the server's catalog: for all tables of a database, or for one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.engine.reflection import ObjectKind

from ..core.release import Feature

if TYPE_CHECKING:
    from ..core.server import MatrixOneServer

KINDS = {"r": ObjectKind.TABLE, "e": ObjectKind.TABLE, "cluster": ObjectKind.TABLE, "v": ObjectKind.VIEW}
"""The kinds of objects that are reflected, by their code in the catalog."""


class Where(NamedTuple):
    """What is read together: a database, or one table of it.

    An empty string stands for the current database, or for all tables.
    """

    database: str
    table: str = ""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Return the parameters of :meth:`condition`."""
        return tuple(filter(None, self))

    def condition(self, database: str, table: str) -> str:
        """Return a condition for these columns, by which the server finds the rows without a search.

        IN with several names would lose rows of mo_tables, on every release.
        """
        names = f"{table} = %s" if self.table else f"LEFT({table}, 5) <> '__mo_'"
        return f"{database} = {'%s' if self.database else 'DATABASE()'} AND {names}"


class Query(NamedTuple):
    """A query for one kind of fact.

    :ivar columns: what is selected.
    :ivar source: the rest of the statement, from FROM on, whose parameters are those of the Where.
    """

    columns: tuple[str, ...]
    source: str

    @property
    def statement(self) -> str:
        """Return the query as SQL."""
        return f"SELECT {', '.join(self.columns)} {self.source}"


Fact = Callable[["MatrixOneServer", Where], Query]
"""A function that returns the query for one kind of fact."""


def tables(dialect: MatrixOneServer, where: Where) -> Query:
    """Query the tables and views."""
    extra = "HEX(extra_info)" if dialect.supports(Feature.CHECK_CONSTRAINT) else "NULL"
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    return Query(
        ("relname", "relkind", "rel_comment", "viewdef", extra),
        "FROM mo_catalog.mo_tables WHERE account_id = current_account_id() "
        f"AND {where.condition('reldatabase', 'relname')} AND relkind IN ({kinds})",
    )


def columns(dialect: MatrixOneServer, where: Where) -> Query:
    """Query the columns, and the numbers that order them."""
    generated = ("NULL", "NULL")
    if dialect.supports(Feature.GENERATED_COLUMN):
        generated = ("mo_show_visible_bin(attr_generated, 5)", "mo_show_visible_bin(attr_generated, 6)")
    return Query(
        (
            "att_relname",
            "attname",
            "mo_show_visible_bin(atttyp, 3)",
            "HEX(atttyp)",
            "attr_enum",
            "attnotnull",
            "mo_show_visible_bin(att_default, 1)",
            "mo_show_visible_bin(attr_update, 0)",
            "att_is_auto_increment",
            "att_comment",
            *generated,
            "attnum",
        ),
        "FROM mo_catalog.mo_columns WHERE account_id = current_account_id() "
        f"AND {where.condition('att_database', 'att_relname')} AND att_is_hidden = 0",
    )


def indexes(dialect: MatrixOneServer, where: Where) -> Query:
    """Query the columns of indexes and primary keys, and the numbers that order them.

    A vector index has rows for each of its hidden tables.
    """
    return Query(
        (
            "t.relname",
            "i.name",
            "i.type",
            "i.algo",
            "i.algo_params",
            "i.comment",
            "i.column_name",
            "i.ordinal_position",
        ),
        "FROM mo_catalog.mo_indexes i JOIN mo_catalog.mo_tables t ON t.rel_id = i.table_id "
        f"WHERE t.account_id = current_account_id() AND {where.condition('t.reldatabase', 't.relname')} "
        "AND LEFT(i.column_name, 5) <> '__mo_'",
    )


def foreign_keys(dialect: MatrixOneServer, where: Where) -> Query:
    """Query the columns of foreign keys, whose names are in lower case."""
    return Query(
        (
            "table_name",
            "db_name",
            "constraint_name",
            "column_name",
            "refer_db_name",
            "refer_table_name",
            "refer_column_name",
            "on_delete",
            "on_update",
        ),
        f"FROM mo_catalog.mo_foreign_keys WHERE {where.condition('db_name', 'table_name')}",
    )


def names_with_capitals(dialect: MatrixOneServer, where: Where) -> Query:
    """Query the names of columns that have capitals."""
    return Query(
        ("att_relname", "attname"),
        "FROM mo_catalog.mo_columns WHERE account_id = current_account_id() "
        f"AND {where.condition('att_database', 'att_relname')} AND attname <> LOWER(attname)",
    )


def constraints(dialect: MatrixOneServer, where: Where) -> Query:
    """Query the constraints of each table as the server stores them."""
    return Query(
        ("relname", "HEX(`constraint`)"),
        "FROM mo_catalog.mo_tables WHERE account_id = current_account_id() "
        f"AND {where.condition('reldatabase', 'relname')} AND relkind = 'r'",
    )


_NUMBERS = ("attnotnull", "att_is_auto_increment", "attnum", "i.ordinal_position")
"""The columns of numbers, which 2.2 does not combine with text in a UNION."""


def union(queries: Sequence[Query]) -> str:
    """Return one statement for several queries, whose rows begin with the number of the query.

    The columns are text, and filled up with NULL to the same number.
    """
    width = max(len(query.columns) for query in queries)
    parts = []
    for number, query in enumerate(queries):
        columns = [f"CAST({column} AS CHAR)" if column in _NUMBERS else column for column in query.columns]
        columns += ["NULL"] * (width - len(columns))
        parts.append(Query((str(number), *columns), query.source).statement)
    return " UNION ALL ".join(parts)
