"""Carrying out clones and branches so that a rollback undoes them, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, ClassVar

from ..core.connection import TransactionState, state_of
from ..core.release import Feature
from ..core.statement import ServerStatement
from ..exc import Reason, conflict_of

if TYPE_CHECKING:
    from ..core.release import Release
    from ..core.server import MatrixOneServer
    from ..exc import BranchError


class TransactionScope(Enum):
    """Where in a transaction the server carries a statement out as its user would expect."""

    IN_TRANSACTION = auto()  # after an explicit BEGIN: it is a part of the transaction; else it commits at once
    FIRST_STATEMENT = auto()  # as the first statement of a transaction
    AUTOCOMMIT = auto()  # outside of transactions, where each statement is committed
    ANY = auto()


class BranchStatement(ServerStatement):
    """A statement that goes along with the transaction as far as the server lets it."""

    __visit_name__: str
    error: ClassVar[type[BranchError]]

    def transaction_scope(self, release: Release) -> TransactionScope:
        return TransactionScope.IN_TRANSACTION

    def sending(self, dialect: MatrixOneServer, context: Any) -> AbstractContextManager[None]:
        return executing(dialect, self, context)


@contextmanager
def executing(dialect: MatrixOneServer, element: BranchStatement, context: Any) -> Iterator[None]:
    """Have a statement run where it becomes a part of the transaction, or alone.

    :raises BranchError: with reason active_transaction, where it would be committed in silence.
    :raises BranchConflict: where the server refuses it for one.
    """
    connection = context.root_connection.connection
    state = state_of(connection)
    scope = element.transaction_scope(dialect.server_release)
    _refuse_elsewhere(element, scope, state, sees_all=dialect.supports(Feature.CLONE_IN_TRANSACTION))
    if scope is TransactionScope.FIRST_STATEMENT:
        if context.execution_options.get("stream_results"):
            raise element.error(
                "DIFF BRANCH was not sent: this release of MatrixOne takes it by itself alone, so that its rows are "
                "read at once. Execute it without stream(), stream_results and yield_per.",
                Reason.UNSUPPORTED,
            )
        with dialect.rolling_back_after(connection):
            yield
        return
    if scope is TransactionScope.IN_TRANSACTION and not state.explicit_begin and not state.autocommit:
        # The server commits a clone at once, save after a BEGIN. That would commit what was written before.
        context.root_connection.exec_driver_sql("BEGIN")
    if not state.autocommit:
        state.has_statements = state.has_writes = True
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        if (conflict := conflict_of(error)) is not None:
            raise conflict from error
        raise


def _refuse_elsewhere(
    element: BranchStatement, scope: TransactionScope, state: TransactionState, *, sees_all: bool
) -> None:
    what = f"{element.__visit_name__.upper().replace('_', ' ')} was not sent"
    reason = ""
    if scope is TransactionScope.AUTOCOMMIT and (state.explicit_begin or not state.autocommit):
        reason = (
            "this release of MatrixOne commits it by itself or refuses it, and a rollback would not undo it. Use a "
            'connection with execution_options(isolation_level="AUTOCOMMIT").'
        )
    elif scope is TransactionScope.FIRST_STATEMENT and state.has_statements:
        reason = (
            "this release of MatrixOne refuses it after another statement of a transaction. Commit or roll back "
            "first, or use a connection in AUTOCOMMIT."
        )
    elif scope is TransactionScope.IN_TRANSACTION and state.explicit_begin and state.has_ddl and not sees_all:
        reason = (
            "this release of MatrixOne does not see in it what the transaction has changed about tables. Commit first."
        )
    elif (
        scope is TransactionScope.IN_TRANSACTION
        and state.has_writes
        and not state.explicit_begin
        and not state.autocommit
    ):
        reason = (
            "MatrixOne takes it into a transaction only after a BEGIN, which would commit what has been written in "
            "this one. Execute it before anything is written, commit or roll back first, or open the transaction with "
            'text("BEGIN").'
        )
    if reason:
        raise element.error(f"{what}: {reason}", Reason.ACTIVE_TRANSACTION)
