"""Stepping out of a migration's transaction, for what MatrixOne accepts outside of transactions alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError

from ..core.connection import TransactionState, state_of
from ..core.release import Feature
from ._internals import owns_transaction

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# Below Alembic's own logger, so that its usual configuration shows what is said here.
log = logging.getLogger("alembic.matrixone")


@contextmanager
def outside_transaction(context: MigrationContext, operation: str, *, reading: bool = False) -> Iterator[None]:
    """Commit what the migrations have done so far, run the block in AUTOCOMMIT, and begin anew.

    Where nothing has run on the connection since its last commit or rollback, nothing is committed.
    Offline, ``COMMIT`` and ``BEGIN`` are printed around the block.

    :param operation: what is to be run, for the log.
    :param reading: whether autogenerate alone has run so far, so that the commit changes nothing and is not logged.
    :raises CommandError: where env.py has begun the transaction, which it alone may end.
    """
    if not context.as_sql and not _state(context).has_statements:
        yield
        return
    if not context.as_sql:
        _check_owns_transaction(context, operation)
    with context.autocommit_block():
        if not context.as_sql and not reading:
            log.info("%s: committed what ran before it; a later failure will not undo that", operation)
        yield


def _check_owns_transaction(context: MigrationContext, operation: str) -> None:
    assert context.connection is not None
    if context.connection.in_transaction() and not owns_transaction(context):
        raise CommandError(
            f"{operation} was not run: MatrixOne refuses it inside a transaction, and this one was begun outside "
            "of Alembic, which must not commit it. In env.py, give context.configure() a connection without a "
            "transaction (engine.connect(), not engine.begin(); commit what was run on it before), and "
            "run_migrations() inside of context.begin_transaction()."
        )


@contextmanager
def with_nothing_written(context: MigrationContext, operation: str) -> Iterator[None]:
    """Commit what the migrations have written so far, if anything, and run the block in the transaction then begun.

    :raises CommandError: where env.py has begun the transaction, which it alone may end.
    """
    dialect: Any = context.dialect
    sees_all = dialect.supports(Feature.CLONE_IN_TRANSACTION)
    if context.as_sql:
        commits = not sees_all
    else:
        state = _state(context)
        # After a BEGIN, which the dialect sends before the first of them, they may follow what they can see.
        commits = state.has_writes and (not state.explicit_begin or (state.has_ddl and not sees_all))
    if commits:
        with outside_transaction(context, operation):
            pass
    yield


def _state(context: MigrationContext) -> TransactionState:
    assert context.connection is not None
    return state_of(context.connection.connection)
