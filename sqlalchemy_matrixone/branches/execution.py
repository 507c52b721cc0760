"""Send clones and branches at a point of the transaction at which the server executes them as expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ..core.connection import TransactionState, state_of
from ..core.release import Feature
from ..core.statement import ServerStatement
from ..exc import BranchError, Reason

if TYPE_CHECKING:
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
            raise element.error(f"{operation_of(element)} was not sent: {refused.message}", Reason.ACTIVE_TRANSACTION)
    if scope is TransactionScope.FIRST_STATEMENT:
        _check_not_streamed(element, context)
        with dialect.rolling_back_after(connection):
            yield
        return
    if scope is TransactionScope.IN_TRANSACTION and state.in_transaction and not state.explicit_begin:
        # The server commits a clone immediately, except after a BEGIN, which would commit what was written before.
        context.root_connection.exec_driver_sql("BEGIN")
    yield


def operation_of(element: BranchStatement) -> str:
    """Return the first words of a statement, for messages."""
    return element.__visit_name__.upper().replace("_", " ")


def _check_not_streamed(element: BranchStatement, context: Any) -> None:
    if context.execution_options.get("stream_results"):
        raise element.error(
            f"{operation_of(element)} was not sent: this release of MatrixOne accepts no other statement with it in a "
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
