"""Leave the transaction of a migration, for statements that MatrixOne accepts only outside of transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError

from ..core.connection import TransactionState, state_of
from ..core.release import Feature
from ._internals import owns_transaction
from .log import log
from .protection import watch_pitrs

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


@contextmanager
def outside_transaction(context: MigrationContext, operation: str) -> Iterator[None]:
    """Commit what the migrations have done so far, run the block in AUTOCOMMIT, and start a new transaction.

    If nothing has run on the connection since its last commit or rollback, nothing is committed.
    In offline mode, ``COMMIT`` and ``BEGIN`` are printed around the block.

    :param operation: the operation to run, for the log.
    :raises CommandError: if env.py has started the transaction, which only env.py may end.
    """
    if not context.as_sql and not _state(context).has_statements:
        yield
        return
    if not context.as_sql:
        _check_owns_transaction(context, operation)
    with _watch_paused(context), context.autocommit_block():
        if not context.as_sql:
            log.info("%s: committed what ran before it; a later failure will not undo that", operation)
        yield


def _watch_paused(context: MigrationContext) -> AbstractContextManager[None]:
    return nullcontext() if context.connection is None or context.as_sql else watch_pitrs(context.connection).paused()


def check_nothing_written(context: MigrationContext, operation: str) -> None:
    """Check that an operation would not commit anything.

    :raises CommandError: if the migrations have written something since the last commit.
    """
    state = None if context.as_sql else _state(context)
    if state is not None and state.in_transaction and (state.has_writes or state.has_ddl):
        raise CommandError(
            f"{operation} was not run: it would commit what the migrations have written before it, which commit_first="
            "False forbids. Put the operation first in its revision, and set transaction_per_migration=True in env.py."
        )


def _check_owns_transaction(context: MigrationContext, operation: str) -> None:
    assert context.connection is not None
    if context.connection.in_transaction() and not owns_transaction(context):
        raise CommandError(
            f"{operation} was not run: MatrixOne refuses it inside a transaction, and this one was begun outside "
            "of Alembic, which must not commit it. In env.py, pass context.configure() a connection without a "
            "transaction (engine.connect(), not engine.begin(); commit what was run on it before), and call "
            "run_migrations() inside of context.begin_transaction()."
        )


@contextmanager
def with_nothing_written(context: MigrationContext, operation: str) -> Iterator[None]:
    """Commit what the migrations have written so far, if anything, and run the block in a transaction without writes.

    :raises CommandError: if env.py has started the transaction, which only env.py may end.
    """
    dialect: Any = context.dialect
    sees_all = dialect.supports(Feature.CLONE_IN_TRANSACTION)
    if context.as_sql:
        commits = not sees_all
    else:
        state = _state(context)
        # After a BEGIN, which the dialect sends before the first clone or branch, others may follow if they can see the
        # earlier changes.
        commits = state.has_writes and (not state.explicit_begin or (state.has_ddl and not sees_all))
    if commits:
        with outside_transaction(context, operation):
            pass
    yield


def _state(context: MigrationContext) -> TransactionState:
    assert context.connection is not None
    return state_of(context.connection.connection)
