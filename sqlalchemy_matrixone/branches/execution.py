"""Execute clones and branches inside the transaction, or refuse to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sqlalchemy import Select, and_, column, func, select, table

from ..core.connection import TransactionState, state_of
from ..core.hidden_names import find_left_out, refusal
from ..core.names import fold
from ..core.release import Feature, format_release
from ..core.server import matrixone_dialect
from ..core.sqlalchemy_internals import without_rows
from ..core.statement import ServerStatement
from ..core.warning import warn
from ..exc import BranchError, Reason, RecoveryWarning
from ..losses.tables import rebuilding

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlalchemy.engine import Connection, CursorResult

    from ..core.release import Release
    from ..core.server import MatrixOneServer


class TransactionScope(Enum):
    """The place in a transaction in which the server must receive a statement to execute it as expected."""

    IN_TRANSACTION = auto()  # after an explicit BEGIN: part of the transaction; otherwise it commits immediately
    FIRST_STATEMENT = auto()  # as the first statement of a transaction
    AUTOCOMMIT = auto()  # outside of transactions, where each statement is committed
    ANY = auto()


class BranchStatement(ServerStatement):
    """A statement that is part of the transaction as far as the server allows it."""

    __visit_name__: str
    error: ClassVar[type[BranchError]]

    def transaction_scope(self, release: Release) -> TransactionScope:
        """Return where in a transaction the server must receive the statement."""
        return TransactionScope.IN_TRANSACTION

    def sending(self, dialect: MatrixOneServer, context: Any) -> AbstractContextManager[None]:
        """Return a context in which the statement is sent in the transaction scope that it needs."""
        return executing(dialect, self, context)


def check_nothing_left_out(connection: Connection, statement: str, database: str) -> None:
    """Check that a copy of a database will have all its tables.

    :raises BranchError: with reason unsupported, if the server would omit some.
    """
    if lost := find_left_out(matrixone_dialect(connection), connection, database):
        raise BranchError(refusal(statement, lost), Reason.UNSUPPORTED)


@contextmanager
def executing(dialect: MatrixOneServer, element: BranchStatement, context: Any) -> Iterator[None]:
    """Ensure that a statement runs in the transaction scope it needs.

    :raises BranchError: with reason active_transaction, if the server would commit it silently.
    """
    connection = context.root_connection.connection
    state = state_of(connection)
    dialect.learn_autocommit(connection)
    scope = element.transaction_scope(dialect.server_release)
    sees_changes = dialect.supports(Feature.CLONE_IN_TRANSACTION)
    for refused in _REFUSALS:
        if refused.scope is scope and refused.applies(state, sees_changes):
            raise element.error(f"{_operation(element)} was not sent: {refused.message}", Reason.ACTIVE_TRANSACTION)
    if scope is TransactionScope.FIRST_STATEMENT:
        _check_not_streamed(element, context)
        with dialect.rolling_back_after(connection):
            yield
        return
    if scope is TransactionScope.IN_TRANSACTION and state.in_transaction and not state.explicit_begin:
        # The server commits a clone immediately, except after a BEGIN, which would commit what was written before.
        context.root_connection.exec_driver_sql("BEGIN")
    yield


def _operation(element: BranchStatement) -> str:
    return element.__visit_name__.upper().replace("_", " ")


def _check_not_streamed(element: BranchStatement, context: Any) -> None:
    if context.execution_options.get("stream_results"):
        raise element.error(
            f"{_operation(element)} was not sent: this release of MatrixOne accepts no other statement with it in a "
            "transaction, so all its rows must be fetched immediately. Execute it without stream(), stream_results "
            "and yield_per.",
            Reason.UNSUPPORTED,
        )


class _Refusal(NamedTuple):
    """A transaction in which a statement with a scope is refused.

    :ivar applies: takes the state of the connection, and whether such a statement sees what the transaction has changed
        about tables.
    """

    scope: TransactionScope
    applies: Callable[[TransactionState, bool], bool]
    message: str


_REFUSALS = (
    _Refusal(
        TransactionScope.AUTOCOMMIT,
        lambda state, sees_changes: state.in_transaction,
        "this release of MatrixOne commits it immediately or refuses it, and a rollback would not undo it. Use a "
        'connection with execution_options(isolation_level="AUTOCOMMIT").',
    ),
    _Refusal(
        TransactionScope.FIRST_STATEMENT,
        lambda state, sees_changes: state.has_statements,
        "this release of MatrixOne accepts it only as the first statement of a transaction. Commit or roll back "
        "first, or use a connection in AUTOCOMMIT.",
    ),
    _Refusal(
        TransactionScope.IN_TRANSACTION,
        lambda state, sees_changes: state.explicit_begin and state.has_ddl and not sees_changes,
        "on this release of MatrixOne it ignores tables that the transaction has created or altered. Commit first.",
    ),
    _Refusal(
        TransactionScope.IN_TRANSACTION,
        lambda state, sees_changes: state.in_transaction and not state.explicit_begin and not state.complete,
        "MatrixOne makes it a part of a transaction only after a BEGIN, which would commit what has been written "
        "before. On a connection from your own creator=, writes of the driver's own cursors are not seen. Let the "
        "creator= call connect() of sqlalchemy_matrixone.pymysql, .aiomysql or .asyncmy instead of the driver's, open "
        'the transaction with text("BEGIN"), or use AUTOCOMMIT.',
    ),
    _Refusal(
        TransactionScope.IN_TRANSACTION,
        lambda state, sees_changes: state.in_transaction and state.has_writes and not state.explicit_begin,
        "MatrixOne makes it a part of a transaction only after a BEGIN, which would commit what has been written in "
        "this one. Execute it before anything is written, commit or roll back first, or open the transaction with "
        'text("BEGIN").',
    ),
)


class DatabaseObject(NamedTuple):
    """A database, or a table in one; a table without a database is in the current database."""

    database: str | None
    table: str | None = None

    @property
    def name(self) -> str:
        """Return the name of the table, or of the database if it is one."""
        return self.table or self.database or ""


class Existence:
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


def refuse_columns(
    existence: Existence, element: BranchStatement, of: DatabaseObject, fault: Callable[[str, str], str | None]
) -> None:
    """Refuse a table with columns because of which the server hangs, or which it loses or changes, before 4.2.

    Nothing is looked up in a transaction in which the statement is refused anyway.

    :param fault: takes the name and the type of a column, and returns what goes wrong; None if nothing does.
    :raises BranchError: with reason unsupported.
    """
    if not existence.can_look_before(element):
        return
    for name, type_ in existence.columns(of):
        if (what := fault(name, type_)) is not None:
            raise element.error(
                f"{_operation(element)} was not sent: column {name!r} is {type_}, and with such a column MatrixOne "
                f"before {format_release(Feature.BRANCH_OF_ANY_TYPE.since)} {what}.",
                Reason.UNSUPPORTED,
            )


def create_copy(
    existence: Existence,
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
    must_be_checked = not in_other_account and existence.must_be_checked
    if if_not_exists or must_be_checked:
        found = existence.find(created)
        if found is not None and if_not_exists:
            return without_rows(found)
        if found is not None:
            raise BranchError(f"{created.name!r} was not created: it already exists", Reason.EXISTS)
    if source is not None and existence.find(source) is None:
        raise BranchError(
            f"{created.name!r} was not created: the database {source.name!r} does not exist", Reason.NOT_FOUND
        )
    result = execute()
    if must_be_checked and existence.find(created) is None:
        raise BranchError(
            f"{created.name!r} was not created, and the server does not report why: check that its source exists, and "
            "existed at that time",
            Reason.NOT_FOUND,
        )
    if not in_other_account:
        existence.warn_of_vector_indexes(created)
    return result


def drop_branch(
    existence: Existence, dropped: DatabaseObject, execute: Callable[[], CursorResult[Any]]
) -> CursorResult[Any]:
    """Drop a branch, and check what the server does not report.

    :raises BranchError: if it does not exist, or was not dropped.
    """
    must_be_checked = existence.must_be_checked
    if must_be_checked and existence.find(dropped) is None:
        raise BranchError(f"{dropped.name!r} was not dropped: it does not exist", Reason.NOT_FOUND)
    result = execute()
    if must_be_checked and existence.find(dropped) is not None:
        raise BranchError(
            f"{dropped.name!r} was not dropped, and the server does not report why: foreign keys may refer to it"
        )
    return result
