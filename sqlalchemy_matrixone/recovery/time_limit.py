"""End a recovery statement that is not finished in time, from another connection, and keep its own connection open."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.beside import Work, autocommit_connection, second_engine, start_beside
from ..core.connection import driver_connection
from ..core.driver_internals import abandon
from ..core.server_session import SessionState
from .blockers import get_blockers
from .outcome import PATIENCE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from ..core.server_session import ServerSession
    from ..exc import Blocker
    from .target import RecoveryTarget

log = logging.getLogger("sqlalchemy_matrixone.recovery")


class TimeLimit:
    """The time limit of one statement, if it has one.

    :ivar seconds: the limit; None for a statement that may take as long as it needs.
    :ivar has_expired: whether the statement was not finished in time.
    :ivar has_killed: whether KILL QUERY was sent, after which the server reports an error for the statement.
    :ivar blockers: the sessions that the statement waited for when it timed out.
    """

    def __init__(self, connection: Connection, seconds: float | None, waits_for: RecoveryTarget | None) -> None:
        """Prepare to watch a statement.

        :param connection: the connection of the statement, whose engine and way of waiting are used.
        :param waits_for: the object whose writers block the statement.
        """
        self._engine: Engine = connection.engine
        self._is_async: bool = connection.dialect.is_async
        self._waits_for = waits_for
        self.seconds = seconds
        self.has_expired = self.has_killed = False
        self.blockers: tuple[Blocker, ...] = ()

    @contextmanager
    def watching(self, connection: Any, session: ServerSession) -> Iterator[None]:
        """End the statement if it is not finished in time, while it is being sent.

        :param connection: the DBAPI connection that it is sent on.
        :param session: its session, which is looked for on the server.
        """
        seconds = self.seconds
        if seconds is None:
            yield
            return
        lost = driver_connection(connection)
        watch = start_beside(lambda work: self._watch(work, seconds, session, lost), is_async=self._is_async)
        try:
            yield
        finally:
            watch.stop()
            if not watch.join(PATIENCE):
                # It may still send its KILL, which must not hit another statement of this connection.
                abandon(lost)

    def _watch(self, work: Work, seconds: float, session: ServerSession, driver_connection: Any) -> None:
        """Wait for the end of the time, then try to end the statement; as a last resort, abandon its connection."""
        if work.pause(seconds):
            return
        self.has_expired = True
        with second_engine(self._engine) as engine:
            until = time.monotonic() + PATIENCE
            while time.monotonic() < until:
                try:
                    self._kill_query(engine, work, session)
                except Exception:  # whatever fails here, the caller must not wait without end
                    log.info("%s: could not be ended yet", session.statement, exc_info=True)
                    engine.dispose()  # maybe another connection leads to the node that has the statement
                if work.pause(0.5):
                    return
        abandon(driver_connection)

    def _kill_query(self, engine: Engine, work: Work, session: ServerSession) -> None:
        with autocommit_connection(engine) as connection:
            if not self.blockers and self._waits_for is not None:
                self.blockers = tuple(get_blockers(connection, self._waits_for))
            if session.look(connection) is SessionState.RUNNING and not work.pause(0):
                self.has_killed = True
                session.kill_query(connection)
