"""Check, before and after clones and branches, what the server does not check or report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, and_, column, func, select, table

from ..core.connection import state_of
from ..core.hidden_names import find_left_out, refusal
from ..core.names import fold
from ..core.release import Feature, format_release
from ..core.server import matrixone_dialect
from ..core.sqlalchemy_internals import without_rows
from ..core.warning import warn
from ..exc import BranchError, Reason, RecoveryWarning
from ..losses.tables import rebuilding
from .execution import BranchStatement, TransactionScope, operation_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection, CursorResult

_TABLES = table("tables", column("table_schema"), column("table_name"), schema="information_schema")
_MO_TABLES = table(
    "mo_tables", *map(column, ("rel_id", "account_id", "reldatabase", "relname")), schema="mo_catalog"
)  # fmt: skip
_MO_INDEXES = table("mo_indexes", *map(column, ("table_id", "name", "algo", "algo_params")), schema="mo_catalog")
_SCHEMATA = table("schemata", column("schema_name"), schema="information_schema")
_COLUMNS = table(
    "columns", column("table_schema"), column("table_name"), column("column_name"), column("data_type"),
    schema="information_schema",
)  # fmt: skip


class DatabaseObject(NamedTuple):
    """A database, or a table in one; a table without a database is in the current database."""

    database: str | None
    table: str | None = None

    @property
    def name(self) -> str:
        """Return the name of the table, or of the database if it is one."""
        return self.table or self.database or ""


class Lookup:
    """Look up tables and databases within the transaction."""

    def __init__(self, connection: Connection, options: Mapping[str, Any]) -> None:
        self._connection = connection
        self._dialect = matrixone_dialect(connection)
        self._translated: Mapping[str | None, str | None] = options.get("schema_translate_map") or {}

    @property
    def must_be_checked(self) -> bool:
        """Whether the server does not report errors of a clone or a branch here, as 3.0 inside a transaction."""
        state = state_of(self._connection.connection)
        reports_errors = self._dialect.supports(Feature.CLONE_IN_TRANSACTION)
        return state.in_transaction and self._dialect.supports(Feature.CLONE) and not reports_errors

    def find(self, wanted: DatabaseObject) -> CursorResult[Any] | None:
        """Return the result of a look-up, without its row; None if the object does not exist."""
        found = self._connection.execute(self._query(wanted))
        return None if found.first() is None else found

    def named(self, given: DatabaseObject) -> tuple[str, str | None]:
        """Return the names of a database and table, with the current database if none is given."""
        return self._translated.get(given.database, given.database) or self._current_database, given.table

    @cached_property
    def _current_database(self) -> str:
        with self._dialect.preserving_clean_state(self._connection):
            return self._connection.exec_driver_sql("SELECT DATABASE()").scalar() or ""

    def can_look_before(self, element: BranchStatement) -> bool:
        """Return whether a query is needed before a statement, and leaves the statement possible.

        It is needed on a release that does not support all types of columns.
        """
        if self._dialect.supports(Feature.BRANCH_OF_ANY_TYPE) or not self._dialect.supports(Feature.DATA_BRANCH):
            return False
        state = state_of(self._connection.connection)
        scope = element.transaction_scope(self._dialect.server_release)
        return not state.in_transaction or (state.is_clean and scope is TransactionScope.FIRST_STATEMENT)

    def columns(self, of: DatabaseObject) -> list[tuple[str, str]]:
        """Return the names and types of the columns of a table, and leave the connection as clean as it was."""
        is_of_table = self._is_in(_COLUMNS.c.table_schema, _COLUMNS.c.table_name, of)
        query = select(_COLUMNS.c.column_name, _COLUMNS.c.data_type).where(is_of_table)
        with self._dialect.preserving_clean_state(self._connection):
            return [(name, type_.upper()) for name, type_ in self._connection.execute(query)]

    def warn_of_vector_indexes(self, copied: DatabaseObject) -> None:
        """Warn of the vector indexes of a copy, which find wrong neighbors on 3.0, and show how to rebuild them."""
        if self._dialect.supports(Feature.VECTOR_INDEXES_KEPT_BY_RESTORE) or not self._dialect.supports(Feature.CLONE):
            return
        quote = self._dialect.identifier_preparer.quote
        indexes = self._connection.execute(self._vector_indexes(copied)).all()
        statements = rebuilding(indexes, lambda *parts: ".".join(map(quote, parts)))
        if statements:
            warn(
                f"The vector indexes of {copied.name!r} find wrong neighbors on this release of MatrixOne until they "
                f"are rebuilt: {'; '.join(statements)}",
                RecoveryWarning,
            )

    def _vector_indexes(self, copied: DatabaseObject) -> Select[Any]:
        is_copied = _MO_TABLES.c.account_id == func.current_account_id()
        if copied.table is None:
            is_copied &= _MO_TABLES.c.reldatabase == fold(str(copied.database))
        else:
            is_copied &= self._is_in(_MO_TABLES.c.reldatabase, _MO_TABLES.c.relname, copied)
        return (
            select(
                _MO_TABLES.c.reldatabase,
                _MO_TABLES.c.relname,
                _MO_INDEXES.c.name,
                _MO_INDEXES.c.algo,
                _MO_INDEXES.c.algo_params,
            )
            .join_from(_MO_INDEXES, _MO_TABLES, _MO_TABLES.c.rel_id == _MO_INDEXES.c.table_id)
            .where(is_copied, _MO_INDEXES.c.algo.in_(("ivfflat", "hnsw")))
            .distinct()
        )

    def _query(self, wanted: DatabaseObject) -> Select[Any]:
        if wanted.table is None:
            return select(_SCHEMATA).where(func.lower(_SCHEMATA.c.schema_name) == fold(str(wanted.database)))
        return select(_TABLES.c.table_name).where(self._is_in(_TABLES.c.table_schema, _TABLES.c.table_name, wanted))

    def _is_in(
        self, schema: ColumnElement[Any], name: ColumnElement[Any], wanted: DatabaseObject
    ) -> ColumnElement[bool]:
        database = self._translated.get(wanted.database, wanted.database)
        in_database = func.lower(schema) == (func.database() if database is None else func.lower(database))
        return and_(in_database, func.lower(name) == fold(str(wanted.table)))


def check_nothing_left_out(connection: Connection, statement: str, database: str) -> None:
    """Check that a copy of a database will have all its tables.

    :raises BranchError: with reason unsupported, if the server would omit some.
    """
    if lost := find_left_out(matrixone_dialect(connection), connection, database):
        raise BranchError(refusal(statement, lost), Reason.UNSUPPORTED)


def refuse_columns(
    lookup: Lookup, element: BranchStatement, of: DatabaseObject, fault: Callable[[str, str], str | None]
) -> None:
    """Refuse a table with columns because of which the server hangs, or which it loses or changes, before 4.2.

    Nothing is looked up in a transaction in which the statement is refused anyway.

    :param fault: takes the name and the type of a column, and returns what goes wrong; None if nothing does.
    :raises BranchError: with reason unsupported.
    """
    if not lookup.can_look_before(element):
        return
    for name, type_ in lookup.columns(of):
        if (what := fault(name, type_)) is not None:
            raise element.error(
                f"{operation_of(element)} was not sent: column {name!r} is {type_}, and with such a column MatrixOne "
                f"before {format_release(Feature.BRANCH_OF_ANY_TYPE.since)} {what}.",
                Reason.UNSUPPORTED,
            )


def create_copy(
    lookup: Lookup,
    created: DatabaseObject,
    execute: Callable[[], CursorResult[Any]],
    *,
    source: DatabaseObject | None,
    if_not_exists: bool,
    in_other_account: bool,
) -> CursorResult[Any]:
    """Create a clone or branch, and check what the server does not check.

    The server's IF NOT EXISTS adds the rows to an existing table (4.2), or fails nevertheless (3.0, and for a
    database). Inside a transaction 3.0 reports no error: it creates nothing, or not what was requested. And every
    release creates an empty copy of a database that does not exist.

    :param execute: sends the statement, without IF NOT EXISTS.
    :param source: the database, if the current state of a database is copied.
    :param in_other_account: whether the copy is created in another account, where it cannot be looked up.
    :raises BranchError: if it exists, or was not created.
    """
    must_be_checked = not in_other_account and lookup.must_be_checked
    if if_not_exists or must_be_checked:
        found = lookup.find(created)
        if found is not None and if_not_exists:
            return without_rows(found)
        if found is not None:
            raise BranchError(f"{created.name!r} was not created: it already exists", Reason.EXISTS)
    if source is not None and lookup.find(source) is None:
        raise BranchError(
            f"{created.name!r} was not created: the database {source.name!r} does not exist", Reason.NOT_FOUND
        )
    result = execute()
    if must_be_checked and lookup.find(created) is None:
        raise BranchError(
            f"{created.name!r} was not created, and the server does not report why: check that its source exists, and "
            "existed at that time",
            Reason.NOT_FOUND,
        )
    if not in_other_account:
        lookup.warn_of_vector_indexes(created)
    return result


def drop_branch(lookup: Lookup, dropped: DatabaseObject, execute: Callable[[], CursorResult[Any]]) -> CursorResult[Any]:
    """Drop a branch, and check what the server does not report.

    :raises BranchError: if it does not exist, or was not dropped.
    """
    must_be_checked = lookup.must_be_checked
    if must_be_checked and lookup.find(dropped) is None:
        raise BranchError(f"{dropped.name!r} was not dropped: it does not exist", Reason.NOT_FOUND)
    result = execute()
    if must_be_checked and lookup.find(dropped) is not None:
        raise BranchError(
            f"{dropped.name!r} was not dropped, and the server does not report why: foreign keys may refer to it"
        )
    return result
