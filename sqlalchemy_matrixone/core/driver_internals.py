"""What this package asks the drivers' connections for beyond the DBAPI.

The only place for the private API of the drivers, with the connection classes of :mod:`.pymysql_connection`,
:mod:`.aiomysql_connection` and :mod:`.asyncmy_connection`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_WITH_SERVER_INFO = frozenset(("pymysql", "aiomysql", "asyncmy"))


def server_greeting(connection: Connection) -> str | None:
    """Return the version that a server named in its greeting; None from another driver than those of this package."""
    if connection.dialect.driver not in _WITH_SERVER_INFO:
        return None
    driver_connection: Any = connection.connection.driver_connection
    return str(driver_connection.get_server_info())


def abandon(driver_connection: Any) -> None:
    """Make a driver stop waiting for the server, from another thread or task.

    It raises its error for a lost connection.
    """
    if hasattr(driver_connection, "ensure_closed"):  # aiomysql, asyncmy
        driver_connection.close()
        return
    # PyMySQL's close() does not wake up the thread that reads from the socket.
    open_socket = driver_connection._sock
    if open_socket is not None:
        with suppress(OSError):  # closed meanwhile
            open_socket.shutdown(socket.SHUT_RDWR)
