"""The base of the dialect that its other parts use: the release, the account, and the guards of a connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from ..exc import MatrixOneArgumentError, Reason, RecoveryError
from .connection import driver_connection, following, state_of
from .driver_internals import abandon
from .refusals import reason_of
from .release import NEWEST, Feature, Release
from .sqlalchemy_internals import IsolationLevelHook

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .sqlalchemy_internals import PassingValues

SYS_ACCOUNT = "sys"

SYSTEM_DATABASES = ("mo_catalog", "information_schema", "mysql", "system", "system_metrics", "mo_task", "mo_debug")
"""The databases of the server itself."""

URLS = "matrixone+pymysql://, matrixone+aiomysql://, matrixone+asyncmy:// or mysql+matrixone://"
"""The URLs, for error messages."""

OUTSIDE_TRANSACTION = "matrixone_outside_transaction"
"""Execution option of the SHOW statements that the server refuses inside a transaction, as it refuses the DDL.

Its value is the exception class to raise in that case.
"""


class MatrixOneServer(IsolationLevelHook):
    """The part of the dialect that the other parts depend on.

    Every instance is a MatrixOne dialect, although its name may be ``mysql``.
    """

    name = "matrixone"
    supports_statement_cache = True

    server_release: Release = NEWEST
    default_account_name: str | None = None
    skip_locked: Literal["wait"] | None = None
    time_travel_ctx_cls: type[PassingValues]

    def enable_time_travel(self) -> None:
        """Use the execution context that passes points in time to loader options, once there are some."""
        self.execution_ctx_cls = self.time_travel_ctx_cls

    def supports(self, feature: Feature) -> bool:
        """Return whether the server's release has a feature."""
        return feature.in_release(self.server_release)

    def refuse_in_transaction(
        self, connection: Any, error: type[RecoveryError], statement: str, hint: str = ""
    ) -> None:
        """Check that the server would accept a statement that it refuses inside a transaction.

        :param error: the class of the error to raise.
        :param statement: the statement that is about to be sent, for the message.
        :raises RecoveryError: of the given class, with reason active_transaction, if the server would refuse it.
        """
        self.learn_autocommit(connection)
        if not state_of(connection).has_statements:
            return
        raise error(
            f"{statement} was not sent: statements have been executed on this connection since its last commit or "
            "rollback, and MatrixOne would refuse it. Commit or roll back first, or use a connection in AUTOCOMMIT. "
            f"Recovery(session, commit_first=True) commits for you{hint}.",
            Reason.ACTIVE_TRANSACTION,
        )

    def learn_autocommit(self, connection: Any) -> None:
        """Ask the server whether autocommit is on, if that does not follow from the statements sent so far."""
        state = state_of(connection)
        if state.autocommit is not None:
            return
        had_statements = state.has_statements
        was_clean = state.is_clean
        [value] = execute_below(connection, "SELECT @@autocommit")
        state.autocommit = str(value).upper() in ("1", "ON")
        if state.autocommit:
            state.has_statements = had_statements
        elif was_clean:
            self.roll_back_below(connection)

    def roll_back_below(self, connection: Any) -> None:
        """Roll back on a DBAPI connection, bypassing SQLAlchemy."""
        with abandoning(connection):
            self.do_rollback(connection)  # type: ignore[no-untyped-call]

    @contextmanager
    def rolling_back_after(self, connection: Any) -> Iterator[None]:
        """End the transaction that a recovery statement opens on the server, whether the statement succeeds or not.

        If it succeeds, it was the first statement of the transaction, because the server refuses it otherwise.
        """
        state = state_of(connection)
        was_clean = state.is_clean
        try:
            yield
        except self.loaded_dbapi.Error as error:
            if reason_of(error) is Reason.ACTIVE_TRANSACTION:
                state.has_statements = True  # an untracked statement has run; its transaction is left open
            elif was_clean and state.in_transaction and not self.is_disconnect(error, connection, None):
                self.do_rollback(connection)  # type: ignore[no-untyped-call]
            raise
        except RecoveryError:
            # The statement was ended on the server at our request, and the connection is still usable.
            if was_clean and state.in_transaction:
                self.do_rollback(connection)  # type: ignore[no-untyped-call]
            raise
        if state.in_transaction:
            self.do_rollback(connection)  # type: ignore[no-untyped-call]

    @contextmanager
    def preserving_clean_state(self, connection: Connection) -> Iterator[None]:
        """Run internal queries without leaving a transaction open on a connection that was certainly clean before.

        The ROLLBACK goes through SQLAlchemy, which handles the connection correctly if the ROLLBACK fails or is
        cancelled.
        """
        was_clean = state_of(connection.connection).is_clean
        try:
            yield
        finally:
            if was_clean and not connection.invalidated and state_of(connection.connection).has_statements:
                connection.exec_driver_sql("ROLLBACK")


def execute_below(connection: Any, statement: str) -> Any:
    """Execute a statement on a DBAPI connection, bypassing SQLAlchemy, and return its first row."""
    cursor = connection.cursor()
    try:
        with abandoning(connection), following(connection, statement):
            cursor.execute(statement)
            return cursor.fetchone()
    finally:
        cursor.close()


@contextmanager
def abandoning(connection: Any) -> Iterator[None]:
    """Abandon the connection if a statement on it is interrupted, because the response may still arrive.

    SQLAlchemy does the same for the statements that it sends. The pool replaces the connection when it is returned.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException:  # a cancelled task, KeyboardInterrupt
        abandon(driver_connection(connection))
        raise


def matrixone_dialect(connection: Connection) -> MatrixOneServer:
    """Return the dialect of a connection, which must be a MatrixOne dialect.

    :raises MatrixOneArgumentError: if the connection has another dialect.
    """
    dialect = connection.dialect
    if not isinstance(dialect, MatrixOneServer):
        raise MatrixOneArgumentError(f"this needs an engine of {URLS}, not of {dialect.name}+{dialect.driver}://")
    return dialect
