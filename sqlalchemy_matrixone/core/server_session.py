"""Observe and end the server session of a connection from another connection."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from .beside import autocommit_connection
from .connection import driver_connection
from .names import readable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from .beside import Work

# CONNECTION_ID() is the connection that sends this query. The start of its query is the present, by the same clock and
# in the same zone as session_start.
_FIND = (
    "SELECT conn_id, session_start, query_start, info, CONNECTION_ID() FROM mo_sessions() AS s "
    "WHERE conn_id IN ({}, CONNECTION_ID())"
)
# The clocks of the nodes of a cluster may differ by some milliseconds.
_CLOCK_SKEW = dt.timedelta(seconds=1)


class SessionState(Enum):
    """What a session does with the statement that it was sent."""

    GONE = auto()
    RUNNING = auto()  # the statement runs or has just ended: the server shows both alike for some seconds
    ELSEWHERE = auto()  # another statement or none: ours has ended, or the server has yet to read it


class ServerSession:
    """The session of a connection that has just sent a statement.

    Connection ids are reused after a restart of the server, so the id does not suffice to identify the session.

    :ivar statement: the statement that it was sent.
    """

    def __init__(self, connection: Any, statement: str) -> None:
        """Record a statement at the time when it is sent.

        :param connection: a DBAPI connection, wrapped or not.
        :param statement: the statement that it is about to send.
        """
        self.connection_id: int = driver_connection(connection).thread_id()
        self.statement = statement
        self._words = _words(statement)
        self._sent_at = time.monotonic()

    @property
    def age(self) -> float:
        """Return the seconds since the statement was sent."""
        return time.monotonic() - self._sent_at

    def look(self, connection: Connection) -> SessionState:
        """Return the state of the session.

        :param connection: another connection, in AUTOCOMMIT.
        """
        # Measured before the server reads its clock, so that the statement does not appear older than it is.
        age = dt.timedelta(seconds=self.age)
        rows = connection.exec_driver_sql(_FIND.format(self.connection_id)).all()
        [now] = [_time(row[2]) for row in rows if row[0] == row[4]]
        for connection_id, start, _, info, own in rows:
            if connection_id == own:
                continue
            if self._words in _words(info):  # an event listener may have put a comment before or after it
                return SessionState.RUNNING
            if now - _time(start) > age - _CLOCK_SKEW:
                return SessionState.ELSEWHERE
        return SessionState.GONE

    def kill_query(self, connection: Connection) -> None:
        """End the statement, if it is running, but not the connection."""
        connection.exec_driver_sql(f"KILL QUERY {self.connection_id}")

    def end(self, engine: Engine, work: Work, seconds: float) -> bool:
        """End the statement and its connection on the server. Return whether both were observed to have ended.

        A running statement is ended by ``KILL QUERY``, which does not interrupt a commit. Nor does ``KILL``, but it
        removes the session immediately, so that a statement that is still being committed would seem to have ended.
        Therefore, ``KILL`` is sent during a statement only as a last resort, and the outcome is then unknown.

        That the server returns OK does not suffice: a proxy does so for any id, and a node of a cluster knows only its
        own connections. The statements are therefore repeated, each time on another connection, until the session no
        longer exists.

        :param engine: an engine whose connections are not used for anything else.
        """
        pause = 0.05
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(exc.DBAPIError):  # the server, the proxy or a node may be restarting
                if self._send_kill(engine) is SessionState.GONE:
                    return True
            work.pause(pause)
            pause = min(2 * pause, 1)
        with suppress(exc.DBAPIError):
            self._send_kill(engine, is_last=True)
        return False

    def _send_kill(self, engine: Engine, *, is_last: bool = False) -> SessionState:
        """End the statement if it is running, otherwise the connection. Return the state before that.

        :param is_last: end the connection during the statement, too.
        """
        with autocommit_connection(engine) as connection:
            state = self.look(connection)
            if state is SessionState.GONE:
                return state
            try:
                if state is SessionState.RUNNING and not is_last:
                    self.kill_query(connection)
                else:
                    connection.exec_driver_sql(f"KILL {self.connection_id}")
            except exc.DBAPIError:
                # It has ended in the meantime, or is on a node that only another connection may reach.
                connection.invalidate()
                raise
            return state


def _words(statement: str) -> str:
    return " ".join(readable(statement).split())


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
