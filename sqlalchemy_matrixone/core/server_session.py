"""The server's side of a connection, seen and ended from another one."""

from __future__ import annotations

import datetime as dt
import time
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from .beside import autocommit_connection
from .connection import driver_connection

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from .beside import Work

# CONNECTION_ID() is the connection that asks: the start of its query is the present, by the clock and in the zone
# in which the server writes session_start.
_FIND = (
    "SELECT conn_id, session_start, query_start, info, CONNECTION_ID() FROM mo_sessions() AS s "
    "WHERE conn_id IN ({}, CONNECTION_ID())"
)
# Clocks of a cluster's nodes may differ by some milliseconds.
_CLOCK_SKEW = dt.timedelta(seconds=1)


class SessionState(Enum):
    GONE = auto()
    RUNNING = auto()  # the statement, or it has just ended: for some seconds the server shows no difference
    ELSEWHERE = auto()  # another statement or none: it has ended, or the server has not read it yet


class ServerSession:
    """The session of a connection that has just sent a statement.

    Connection ids start again when the server restarts, so the id alone does not identify the session.
    """

    def __init__(self, connection: Any, statement: str) -> None:
        """
        :param connection: a DBAPI connection, however wrapped.
        :param statement: what it is about to send.
        """
        self.connection_id: int = driver_connection(connection).thread_id()
        self._statement = _words(statement)
        self._sent_at = time.monotonic()

    @property
    def age(self) -> float:
        """Return the seconds since the statement was sent."""
        return time.monotonic() - self._sent_at

    def look(self, connection: Connection) -> SessionState:
        """Return what the session does.

        :param connection: another connection, in AUTOCOMMIT.
        """
        # Measured before the server looks at its clock, so that the statement seems sent no earlier than it was.
        age = dt.timedelta(seconds=self.age)
        rows = connection.exec_driver_sql(_FIND.format(self.connection_id)).all()
        [now] = [_time(row[2]) for row in rows if row[0] == row[4]]
        for connection_id, start, _, info, own in rows:
            if connection_id == own:
                continue
            if _words(info) == self._statement:
                return SessionState.RUNNING
            if now - _time(start) > age - _CLOCK_SKEW:
                return SessionState.ELSEWHERE
        return SessionState.GONE

    def kill_query(self, connection: Connection) -> None:
        """End the statement, if it runs, and leave the connection alive."""
        connection.exec_driver_sql(f"KILL QUERY {self.connection_id}")

    def end(self, engine: Engine, work: Work, seconds: float) -> bool:
        """End the connection on the server; return whether it was seen to be gone.

        The answer to KILL does not suffice: a proxy answers OK to any id, and a node of a cluster knows only its own
        connections, so that KILL is sent again, on another connection, until the session is gone.

        :param engine: an engine with connections of its own.
        """
        pause = 0.05
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                with autocommit_connection(engine) as connection:
                    if self.look(connection) is SessionState.GONE:
                        return True
                    self._kill(connection)
            except exc.DBAPIError:
                pass  # the server, the proxy or a node may be restarting
            work.pause(pause)
            pause = min(2 * pause, 1)
        return False

    def _kill(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql(f"KILL {self.connection_id}")
        except exc.DBAPIError:
            # Gone since, or on a node that another connection may lead to.
            connection.invalidate()
            raise


def _words(statement: str) -> str:
    # In a text for the driver's paramstyle, a % is doubled.
    return " ".join(statement.replace("%%", "%").split())


def _time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
