"""Send recovery statements, so that a statement that the client abandons is not carried out later.

A server does not notice that a client has disconnected before the statement has ended: a restore that waits for a
writer is carried out when the writer commits, and discards what the writer committed. Whatever ends such a statement on
the client's side, it is therefore ended on the server too, from a second connection, which then checks what has
changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from ..core.beside import Work, autocommit_connection, second_engine, start_beside
from ..core.connection import driver_connection
from ..core.driver_internals import abandon
from ..core.refusals import reason_of
from ..core.server_session import ServerSession, SessionState
from ..exc import Reason, RecoveryError, RestoreError
from .blockers import describe_blockers, get_blockers
from .effects import Effect, Sent

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from ..core.server import MatrixOneServer
    from ..exc import Blocker
    from .target import RecoveryTarget

log = logging.getLogger("sqlalchemy_matrixone.recovery")

PATIENCE = 10.0
"""The seconds that the server has to end a statement, and another connection to confirm it."""

SETTLE = 2.0
"""The seconds for which nothing may have changed before a statement counts as not carried out.

A commit may still be on its way when its session is gone already: after a KILL by another session, or the failure of a
node. On another node of a cluster it becomes visible with a delay.
"""

_CLIENT_ERRORS = range(2000, 3000)
_CANCELED = "context canceled"
"""In the error of a statement that was ended by KILL QUERY or KILL CONNECTION."""


class Outcome(Enum):
    """The outcome of a statement, as a sentence."""

    NOT_DONE = "It was ended on the server and changed nothing; another connection has confirmed that."
    DONE = "It was carried out: another connection sees its changes."
    UNKNOWN = (
        "It is unknown whether it was carried out or still will be: this could not be determined in time from another "
        "connection. Before you repeat it, look for it in SHOW PROCESSLIST, KILL it there, and check its object."
    )


_DONE = {Outcome.NOT_DONE: False, Outcome.DONE: True, Outcome.UNKNOWN: None}


class Attempt:
    """One execution of a recovery statement.

    :ivar outcome: the result as another connection sees it, or None if only the server's response is known.
    :ivar blockers: the sessions that held it up when it timed out.
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
        self._engine: Engine = connection.engine
        self._is_async: bool = connection.dialect.is_async
        self._error = error
        self._effect = effect
        self._timeout = timeout
        self._waits_for = waits_for
        self._expired = self._killed = self._killed_by_other = self._is_commit_unknown = self._is_answered = False
        self.outcome: Outcome | None = None
        self.blockers: tuple[Blocker, ...] = ()

    @contextmanager
    def sending(self, dialect: MatrixOneServer, connection: Any, statement: str) -> Iterator[None]:
        """Monitor the statement while it is being sent.

        :param connection: the DBAPI connection that it is sent on.
        :raises RecoveryError: if it times out; the connection can still be used.
        """
        self._statement = statement
        self._driver_connection = driver_connection(connection)
        self._session = ServerSession(connection, statement)
        watch = None if self._timeout is None else start_beside(self._watch, is_async=self._is_async)
        try:
            yield
        except BaseException as error:
            self._end(watch)
            self._settle(dialect, error)
            raise
        self._end(watch)
        self.outcome = Outcome.DONE
        self._is_answered = True

    @contextmanager
    def noting_completion(self) -> Iterator[None]:
        """Add a note to a cancellation or interruption that comes only after the statement was carried out."""
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if self._is_answered:
                error.add_note(f"{self._statement}: It was carried out, but what follows it was interrupted.")
            raise

    def failure(self, cause: BaseException) -> RecoveryError | None:
        """Return the error to raise instead of the driver's, or None if the server refused the statement."""
        if self.outcome is None:
            return None
        if self._killed_by_other:
            how = f"The server has canceled this, as after a KILL by another session: {self._statement}."
        elif self._is_commit_unknown:
            how = f"The server does not know whether it has committed this: {self._statement}."
        elif self._expired:
            how = f"{self._statement} was not finished after {self._timeout:g} seconds."
        else:
            how = f"The connection was lost: {self._statement}."
        message = f"{how} {self.outcome.value}{describe_blockers(self.blockers)}"
        kw: dict[str, Any] = {"blockers": self.blockers} if issubclass(self._error, RestoreError) else {}
        return self._error(message, self._reason(cause), done=_DONE[self.outcome], **kw)

    def _reason(self, cause: BaseException) -> Reason:
        if self.outcome is Outcome.UNKNOWN:
            return Reason.UNKNOWN
        if self._killed_by_other:
            return Reason.KILLED
        timed_out = self._expired or "timed out" in str(cause)
        return Reason.TIMEOUT if timed_out and self.outcome is Outcome.NOT_DONE else Reason.OTHER

    # -- the time limit

    def _watch(self, work: Work) -> None:
        """End the statement when it times out, and keep its connection open."""
        assert self._timeout is not None
        if work.pause(self._timeout):
            return
        self._expired = True
        with second_engine(self._engine) as engine:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                try:
                    self._kill_query(engine, work)
                except Exception:  # whatever fails here, the caller must not wait without end
                    log.info("%s: could not be ended yet", self._statement, exc_info=True)
                    engine.dispose()  # maybe another connection leads to the node that has the statement
                if work.pause(0.5):
                    return
        abandon(self._driver_connection)

    def _kill_query(self, engine: Engine, work: Work) -> None:
        with autocommit_connection(engine) as connection:
            if not self.blockers and self._waits_for is not None:
                self.blockers = tuple(get_blockers(connection, self._waits_for))
            if self._session.look(connection) is SessionState.RUNNING and not work.pause(0):
                self._killed = True
                self._session.kill_query(connection)

    def _end(self, watch: Work | None) -> None:
        if watch is None:
            return
        watch.stop()
        if not watch.join(PATIENCE):
            # It may still send its KILL, which must not hit another statement of this connection.
            abandon(self._driver_connection)

    # -- its outcome

    def _settle(self, dialect: MatrixOneServer, error: BaseException) -> None:
        """Find out whether the statement was carried out, unless it was refused."""
        if not isinstance(error, dialect.loaded_dbapi.Error):
            self._find_outcome(self._after_end)
            self._tell(error)
        elif self._killed and error.args[:1] and error.args[0] not in _CLIENT_ERRORS:
            self._find_outcome(self._after_answer)
            failure = self.failure(error)
            assert failure is not None
            raise failure from error
        elif reason_of(error) is Reason.UNKNOWN:
            self._is_commit_unknown = True
            self._find_outcome(self._after_unknown_commit)
        elif dialect.is_disconnect(error, None, None):
            self._killed_by_other = _CANCELED in str(error)
            self._find_outcome(self._after_end)

    def _tell(self, error: BaseException) -> None:
        """Report the outcome of a cancelled or interrupted statement, whose exception must stay the same."""
        assert self.outcome is not None
        error.add_note(f"{self._statement}: {self.outcome.value}")
        level = logging.INFO if self.outcome is Outcome.NOT_DONE else logging.WARNING
        log.log(level, "%s: abandoned. %s", self._statement, self.outcome.value)

    def _find_outcome(self, find: Callable[[Engine, Work], Outcome]) -> None:
        self.outcome = Outcome.UNKNOWN

        def run(work: Work) -> None:
            try:
                with second_engine(self._engine) as engine:
                    self.outcome = find(engine, work)
            except Exception:
                log.warning("%s: could not determine whether it was carried out", self._statement, exc_info=True)

        start_beside(run, is_async=self._is_async).join(2 * PATIENCE)

    def _after_answer(self, engine: Engine, work: Work) -> Outcome:
        """Determine the outcome if the server has cancelled the statement, perhaps while it was being committed."""
        return Outcome.NOT_DONE if self._stays_undone(engine, work) else Outcome.UNKNOWN

    def _after_end(self, engine: Engine, work: Work) -> Outcome:
        """End a lost connection on the server, and compare what is visible before and after."""
        happened_before = self._happened(engine)
        if not self._session.end(engine, work, PATIENCE):
            return Outcome.UNKNOWN
        if self._stays_undone(engine, work):
            return Outcome.NOT_DONE
        # A change that appeared only while it was being ended may be that of a writer that it waited for.
        return Outcome.DONE if happened_before else Outcome.UNKNOWN

    def _after_unknown_commit(self, engine: Engine, work: Work) -> Outcome:
        """Determine an outcome that the server does not know: a commit may still be on its way."""
        for seconds in (0, SETTLE):
            work.pause(seconds)
            if self._happened(engine):
                return Outcome.DONE
        return Outcome.UNKNOWN

    def _stays_undone(self, engine: Engine, work: Work) -> bool:
        """Return whether it was not carried out, now and after :data:`SETTLE`."""
        if self._happened(engine) is not False:
            return False
        work.pause(SETTLE)
        return self._happened(engine) is False

    def _happened(self, engine: Engine) -> bool | None:
        try:
            with autocommit_connection(engine) as connection:
                return self._effect.happened(connection, Sent.ago(connection, lambda: self._session.age))
        except (exc.SQLAlchemyError, OSError):
            return None


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
