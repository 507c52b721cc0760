"""The Session or Connection of a Recovery, and the state in which it must be for recovery statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, Union

from sqlalchemy import exc
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, scoped_session

from ..core.arguments import TableArgument, check_flag, table_of
from ..core.beside import autocommit_connection, second_engine
from ..core.connection import has_changes, state_of
from ..core.server import matrixone_dialect
from ..core.sqlalchemy_internals import is_in_begin_block
from ..exc import MatrixOneArgumentError, PitrError, Reason, RecoveryError
from ..timetravel.session import refuse_time_travel
from .pitr_reader import reads_pitrs_in_transaction

_R = TypeVar("_R")

Bind = Union[Session, "scoped_session[Any]", Connection]


class Bound:
    """A Session or Connection, with ``commit_first`` as for :class:`Recovery`."""

    def __init__(self, bind: Bind, *, commit_first: bool) -> None:
        if not isinstance(bind, (Session, scoped_session, Connection)):
            raise MatrixOneArgumentError(
                f"Recovery works on a Session, scoped_session or Connection, not on {bind!r}"
                + ("; use AsyncRecovery" if hasattr(bind, "run_sync") else "")
            )
        self._bind = bind
        self._commit_first = check_flag("commit_first", commit_first)

    def connection(self, table: TableArgument | None = None) -> Connection:
        """Return the connection; if the Session has several engines, that of the table."""
        if isinstance(self._bind, Connection):
            connection = self._bind
        else:
            connection = self._bind.connection(bind_arguments=self._bind_arguments(table))
        matrixone_dialect(connection)
        return connection

    def _bind_arguments(self, table: TableArgument | None) -> dict[str, Any]:
        if isinstance(self._bind, Connection) or self._bind.bind is not None or table is None or isinstance(table, str):
            return {}
        return {"clause": table_of(table), "mapper": table if isinstance(table, type) else None}

    def read(self, read: Callable[[Connection], _R], table: TableArgument | None = None) -> _R:
        """Call a function that only reads, with another connection of the engine if its own is lost.

        A transaction that was lost with the connection stays lost: the next statement on it raises SQLAlchemy's error.
        """
        try:
            return read(self.connection(table))
        except exc.PendingRollbackError:
            pass
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
        bind = self._bind if isinstance(self._bind, Connection) else self._bind.get_bind(**self._bind_arguments(table))
        with second_engine(bind.engine) as engine, autocommit_connection(engine) as second:
            return read(second)

    def clean_connection(self, error: type[RecoveryError], table: TableArgument | None = None) -> Connection:
        """Return the connection for a recovery statement. With ``commit_first``, what is open is committed.

        If something has run, the construct itself raises when the statement is executed.

        :param error: the class of the errors.
        :raises RecoveryError: with reason active_transaction, if the Session holds changes that are not flushed.
        """
        has_unflushed = not isinstance(self._bind, Connection) and has_changes(self._bind)
        if self._commit_first:
            if has_unflushed or self._has_run(table):
                self._commit(error, table)
        elif has_unflushed:
            raise error(
                "nothing was sent: the Session has unflushed changes, and MatrixOne would refuse the statement after "
                "the flush. Commit or roll back first, or use Recovery(session, commit_first=True).",
                Reason.ACTIVE_TRANSACTION,
            )
        return self.connection(table)

    def connection_for_pitrs(self, table: TableArgument | None = None) -> Connection:
        """Return a connection on which the server shows PITRs, also for accounts other than sys."""
        if self._commit_first and not reads_pitrs_in_transaction(self.connection(table)):
            return self.clean_connection(PitrError, table)
        return self.connection(table)

    @contextmanager
    def flushed(self) -> Iterator[None]:
        """Flush the Session before a block that changes rows by itself, and expire its objects after it."""
        if not isinstance(self._bind, Connection):
            refuse_time_travel(self._bind)
            self._bind.flush()
        try:
            yield
        finally:
            self.expire()

    def expire(self) -> None:
        """Expire the objects of the Session."""
        if not isinstance(self._bind, Connection):
            self._bind.expire_all()

    def _commit(self, error: type[RecoveryError], table: TableArgument | None) -> None:
        if is_in_begin_block(self._bind):
            raise error(
                "nothing was sent: commit_first=True cannot commit inside a block of begin(), which commits at its "
                "end. Leave the block first, or use a Session without such a block and call commit() yourself.",
                Reason.ACTIVE_TRANSACTION,
            )
        self._bind.commit()
        if self._has_run(table):
            raise error(
                "nothing was sent: after commit() the transaction is still open, because the Session joined the "
                "transaction of a Connection. Commit on that Connection first.",
                Reason.ACTIVE_TRANSACTION,
            )

    def _has_run(self, table: TableArgument | None) -> bool:
        return state_of(self.connection(table).connection).has_statements
