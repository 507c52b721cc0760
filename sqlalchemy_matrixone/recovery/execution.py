"""Send recovery statements, so that a statement that the client abandons is not carried out later.

A server does not notice that a client has disconnected before the statement has ended: a restore that waits for a
writer is carried out when the writer commits, and discards what the writer committed. Whatever ends such a statement on
the client's side, it is therefore ended on the server too, from a second connection, which then checks what has
changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from ..core.refusals import reason_of
from ..core.server_session import ServerSession
from ..exc import Reason, RecoveryError, RestoreError
from .blockers import describe_blockers
from .outcome import Outcome, OutcomeSearch
from .time_limit import TimeLimit

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer
    from .effects import Effect
    from .target import RecoveryTarget

log = logging.getLogger("sqlalchemy_matrixone.recovery")

_CLIENT_ERRORS = range(2000, 3000)
_CANCELED = "context canceled"
"""In the error of a statement that was ended by KILL QUERY or KILL CONNECTION."""

_PANIC = "internal error: panic "
"""In the error of a statement in which the server has failed. It then commits what was done so far."""


class _End(Enum):
    """The end of an execution, other than by a refusal of the server. The value starts the message of an error."""

    ANSWERED = "The server has answered: {statement}."
    ABANDONED = "The client has abandoned this: {statement}."
    TIMED_OUT = "{statement} was not finished after {seconds:g} seconds."
    KILLED = "The server has canceled this, as after a KILL by another session: {statement}."
    PANICKED = "The server failed by an internal error (panic): {statement}."
    COMMIT_UNKNOWN = "The server does not know whether it has committed this: {statement}."
    CONNECTION_LOST = "The connection was lost: {statement}."


class Attempt:
    """One execution of a recovery statement.

    :ivar outcome: the result as another connection sees it, or None if only the server's response is known.
    """

    def __init__(
        self,
        connection: Connection,
        error: type[RecoveryError],
        effect: Effect,
        *,
        timeout: float | None = None,
        waits_for: RecoveryTarget | None = None,
    ) -> None:
        """Prepare to send a statement on a connection.

        :param error: the kind of error to raise.
        :param timeout: the seconds after which to end the statement.
        :param waits_for: the object whose writers block the statement.
        """
        self._connection = connection
        self._error = error
        self._effect = effect
        self._limit = TimeLimit(connection, timeout, waits_for)
        self._end: _End | None = None
        self.outcome: Outcome | None = None

    @contextmanager
    def sending(self, dialect: MatrixOneServer, connection: Any, statement: str) -> Iterator[None]:
        """Monitor the statement while it is being sent.

        :param connection: the DBAPI connection that it is sent on.
        :raises RecoveryError: if it times out; the connection can still be used.
        """
        self._statement = statement
        session = ServerSession(connection, statement)
        try:
            with self._limit.watching(connection, session):
                yield
        except BaseException as error:
            self._settle(dialect, error, OutcomeSearch(self._connection, session, self._effect))
            raise
        self._end, self.outcome = _End.ANSWERED, Outcome.DONE

    @contextmanager
    def noting_completion(self) -> Iterator[None]:
        """Add a note to a cancellation or interruption that comes only after the statement was carried out."""
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if self._end is _End.ANSWERED:
                error.add_note(f"{self._statement}: It was carried out, but what follows it was interrupted.")
            raise

    def failure(self, cause: BaseException) -> RecoveryError | None:
        """Return the error to raise instead of the driver's, or None if the server refused the statement."""
        if self._end is None or self.outcome is None:
            return None
        end = self._end.value.format(statement=self._statement, seconds=self._limit.seconds)
        blockers = self._limit.blockers
        message = f"{end} {self.outcome.value}{describe_blockers(blockers)}"
        kw: dict[str, Any] = {"blockers": blockers} if issubclass(self._error, RestoreError) else {}
        return self._error(message, self._reason(cause), done=self.outcome.done, **kw)

    def _reason(self, cause: BaseException) -> Reason:
        if self.outcome is Outcome.UNKNOWN:
            return Reason.UNKNOWN
        if self._end is _End.KILLED:
            return Reason.KILLED
        if self._end is _End.PANICKED and self.outcome is Outcome.DONE:
            return Reason.INCOMPLETE
        timed_out = self._end is _End.TIMED_OUT or "timed out" in str(cause)
        return Reason.TIMEOUT if timed_out and self.outcome is Outcome.NOT_DONE else Reason.OTHER

    def _settle(self, dialect: MatrixOneServer, error: BaseException, search: OutcomeSearch) -> None:
        """Find out whether the statement was carried out, unless it was refused."""
        if not isinstance(error, dialect.loaded_dbapi.Error):
            self._find_outcome(_End.ABANDONED, search.after_lost_connection)
            self._tell(error)
        elif self._limit.has_killed and error.args[:1] and error.args[0] not in _CLIENT_ERRORS:
            self._find_outcome(_End.TIMED_OUT, search.after_cancellation)
            failure = self.failure(error)
            assert failure is not None
            raise failure from error
        elif _PANIC in str(error):
            self._find_outcome(_End.PANICKED, search.after_panic)
        elif reason_of(error) is Reason.UNKNOWN:
            self._find_outcome(_End.COMMIT_UNKNOWN, search.after_unknown_commit)
        elif dialect.is_disconnect(error, None, None):
            self._find_outcome(self._end_by_disconnect(error), search.after_lost_connection)

    def _end_by_disconnect(self, error: BaseException) -> _End:
        if _CANCELED in str(error):
            return _End.KILLED
        return _End.TIMED_OUT if self._limit.has_expired else _End.CONNECTION_LOST

    def _find_outcome(self, end: _End, find: Callable[[], Outcome]) -> None:
        self._end = end
        self.outcome = Outcome.UNKNOWN  # and stays so if the search itself is interrupted
        self.outcome = find()

    def _tell(self, error: BaseException) -> None:
        """Report the outcome of a cancelled or interrupted statement, whose exception must stay the same."""
        assert self.outcome is not None
        error.add_note(f"{self._statement}: {self.outcome.value}")
        level = logging.INFO if self.outcome is Outcome.NOT_DONE else logging.WARNING
        log.log(level, "%s: abandoned. %s", self._statement, self.outcome.value)


@contextmanager
def executing(dialect: MatrixOneServer, attempt: Attempt, context: Any) -> Iterator[None]:
    """Monitor a recovery statement while it is being sent, and leave the connection as clean as before."""
    connection = context.root_connection.connection
    with (
        attempt.noting_completion(),
        dialect.rolling_back_after(connection),
        attempt.sending(dialect, connection, context.statement),
    ):
        yield
