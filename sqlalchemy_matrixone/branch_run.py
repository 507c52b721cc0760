"""Carrying out clones and branches so that a rollback undoes them, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .branch import BranchDDL, DiffBranch, Place
from .exc import Reason, conflict_of
from .release import Feature
from .transaction import TransactionState, state_of

if TYPE_CHECKING:
    from .base import MatrixOneDialect


def branch_statement(context: Any) -> BranchDDL | DiffBranch | None:
    """The construct that an execution context is about to send, if it is one."""
    statement = getattr(context.compiled, "statement", None)
    return statement if isinstance(statement, (BranchDDL, DiffBranch)) else None


@contextmanager
def placed(dialect: MatrixOneDialect, element: BranchDDL | DiffBranch, context: Any) -> Iterator[None]:
    """Have a statement run where it becomes a part of the transaction, or alone.

    :raises BranchError: with reason active_transaction, where it would be committed in silence.
    :raises BranchConflict: where the server refuses it for one.
    """
    connection = context.root_connection.connection
    state = state_of(connection)
    place = element.place(dialect.server_release)
    _refuse_elsewhere(element, place, state, sees_all=dialect.supports(Feature.CLONE_IN_TRANSACTION))
    if place is Place.FIRST:
        if context._is_server_side:
            raise element.error(
                "DIFF BRANCH was not sent: this release of MatrixOne takes it by itself alone, so that its rows are "
                "read at once. Execute it without stream(), stream_results and yield_per.",
                Reason.UNSUPPORTED,
            )
        with dialect.cleaned_up(connection):
            yield
        return
    if place is Place.BEGUN and not state.begun and not state.autocommit:
        # The server commits a clone at once, save after a BEGIN. That would commit what was written before.
        context.root_connection.exec_driver_sql("BEGIN")
    if not state.autocommit:
        state.used = state.written = True
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        if (conflict := conflict_of(error)) is not None:
            raise conflict from error
        raise


def _refuse_elsewhere(
    element: BranchDDL | DiffBranch, place: Place, state: TransactionState, *, sees_all: bool
) -> None:
    what = f"{element.__visit_name__.upper().replace('_', ' ')} was not sent"
    reason = ""
    if place is Place.ALONE and (state.begun or not state.autocommit):
        reason = (
            "this release of MatrixOne commits it by itself or refuses it, and a rollback would not undo it. Use a "
            'connection with execution_options(isolation_level="AUTOCOMMIT").'
        )
    elif place is Place.FIRST and state.used:
        reason = (
            "this release of MatrixOne refuses it after another statement of a transaction. Commit or roll back "
            "first, or use a connection in AUTOCOMMIT."
        )
    elif place is Place.BEGUN and state.begun and state.altered and not sees_all:
        reason = (
            "this release of MatrixOne does not see in it what the transaction has changed about tables. Commit first."
        )
    elif place is Place.BEGUN and state.written and not state.begun and not state.autocommit:
        reason = (
            "MatrixOne takes it into a transaction only after a BEGIN, which would commit what has been written in "
            "this one. Execute it before anything is written, commit or roll back first, or open the transaction with "
            'text("BEGIN").'
        )
    if reason:
        raise element.error(f"{what}: {reason}", Reason.ACTIVE_TRANSACTION)
