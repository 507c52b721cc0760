"""The dialect as its own parts see it: which release, which account, and what may be sent on a connection now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from ..exc import MatrixOneArgumentError, MatrixOneInvalidRequestError, Reason, RecoveryError, reason_of
from .connection import driver_connection, following, state_of
from .driver_internals import abandon
from .release import NEWEST, Feature, Release
from .sqlalchemy_internals import IsolationLevelHook

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

SYS_ACCOUNT = "sys"

URLS = "matrixone+pymysql://, matrixone+aiomysql://, matrixone+asyncmy:// or mysql+matrixone://"
"""The URLs that messages name."""

OUTSIDE_TRANSACTION = "matrixone_outside_transaction"
"""Execution option of the SHOW statements that the server refuses inside a transaction, as it does the DDL.

Its value is the error to raise for it.
"""


class MatrixOneServer(IsolationLevelHook):
    """Part of the dialect: what its other parts ask of it.

    What is an instance is a dialect of MatrixOne; its name may be ``mysql``.
    """

    name = "matrixone"
    supports_statement_cache = True

    server_release: Release = NEWEST
    default_account_name: str | None = None
    skip_locked: Literal["wait"] | None = None

    def supports(self, feature: Feature) -> bool:
        return feature.in_release(self.server_release)

    def refuse_in_transaction(
        self, connection: Any, error: type[RecoveryError], statement: str, hint: str = ""
    ) -> None:
        """
        :param statement: what is about to be sent, as the message has it.
        :raises RecoveryError: of the given kind, with reason active_transaction, where the server would refuse it.
        """
        self.learn_autocommit(connection)
        if not state_of(connection).has_statements:
            return
        raise error(
            f"{statement} was not sent: something has run on the connection since its last commit or rollback, and "
            "MatrixOne refuses it then. Commit or roll back first, or use a connection in AUTOCOMMIT. "
            f"Recovery(session, commit_first=True) commits for you{hint}.",
            Reason.ACTIVE_TRANSACTION,
        )

    def learn_autocommit(self, connection: Any) -> None:
        """Ask the server whether autocommit is on, if the statements sent so far do not tell."""
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
        """Roll back on a DBAPI connection, below SQLAlchemy."""
        with abandoning(connection):
            self.do_rollback(connection)  # type: ignore[no-untyped-call]

    @contextmanager
    def rolling_back_after(self, connection: Any) -> Iterator[None]:
        """End the transaction that the server counts a recovery statement as, whether it succeeded or not.

        If it succeeded, it was the first statement of the transaction: the server refuses it otherwise.
        """
        state = state_of(connection)
        was_clean = state.is_clean
        try:
            yield
        except self.loaded_dbapi.Error as error:
            if reason_of(error) is Reason.ACTIVE_TRANSACTION:
                state.has_statements = True  # something has run that was not seen, and stays as it is
            elif was_clean and state.in_transaction and not self.is_disconnect(error, connection, None):
                self.do_rollback(connection)  # type: ignore[no-untyped-call]
            raise
        except RecoveryError:
            # The server ended it for us, on a connection that lives on.
            if was_clean and state.in_transaction:
                self.do_rollback(connection)  # type: ignore[no-untyped-call]
            raise
        if state.in_transaction:
            self.do_rollback(connection)  # type: ignore[no-untyped-call]

    @contextmanager
    def preserving_clean_state(self, connection: Connection) -> Iterator[None]:
        """For queries of our own: if it is certain that nothing has run on the connection, nothing will have.

        The ROLLBACK goes through SQLAlchemy, which knows what to do with the connection if it fails or is cancelled.
        """
        was_clean = state_of(connection.connection).is_clean
        try:
            yield
        finally:
            if was_clean and not connection.invalidated and state_of(connection.connection).has_statements:
                connection.exec_driver_sql("ROLLBACK")


def execute_below(connection: Any, statement: str) -> Any:
    """Execute a statement on a DBAPI connection, below SQLAlchemy, and return its first row."""
    cursor = connection.cursor()
    try:
        with abandoning(connection), following(connection, statement):
            cursor.execute(statement)
            return cursor.fetchone()
    finally:
        cursor.close()


@contextmanager
def abandoning(connection: Any) -> Iterator[None]:
    """Give the connection up if what is sent on it is interrupted: an answer may still come.

    SQLAlchemy does so for what goes through it. The pool replaces the connection when it is returned.
    """
    try:
        yield
    except Exception:
        raise
    except BaseException:  # a cancelled task, KeyboardInterrupt
        abandon(driver_connection(connection))
        raise


# Zones as arguments of CONVERT_TZ. The server's process has one of its own, daylight saving included, in
# which it reads the time of a restore, whatever time_zone the session is in.
UTC_ZONE = "'+00:00'"


SERVER_ZONE = "'Local'"


SESSION_ZONE = "REPLACE(@@time_zone, 'SYSTEM', 'Local')"


def matrixone_dialect(connection: Connection) -> MatrixOneServer:
    """
    :raises MatrixOneArgumentError: where the connection is one of another dialect.
    """
    dialect = connection.dialect
    if not isinstance(dialect, MatrixOneServer):
        raise MatrixOneArgumentError(f"this needs an engine of {URLS}, not of {dialect.name}+{dialect.driver}://")
    return dialect


def convert_zone(connection: Connection, times: list[str], source: str, target: str) -> list[str]:
    """Wall clock times of one zone in another, to the second, leaving the connection as clean as it is."""
    if not times:
        return []
    columns = ", ".join(f"CONVERT_TZ('{time}', {source}, {target})" for time in times)
    with matrixone_dialect(connection).preserving_clean_state(connection):
        row = connection.exec_driver_sql(f"SELECT {columns}").one()
    converted = [str(value) for value in row]
    if None in row:
        raise MatrixOneInvalidRequestError(f"the server could not convert {times} from {source} to {target}")
    return converted
