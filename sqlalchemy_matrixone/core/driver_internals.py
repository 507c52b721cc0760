"""Access the drivers' connections beyond the DBAPI.

Only this module and the connection classes of :mod:`.pymysql_connection`, :mod:`.async_connection`,
:mod:`.aiomysql_connection` and :mod:`.asyncmy_connection` use the private API of the drivers.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_WITH_SERVER_INFO = frozenset(("pymysql", "aiomysql", "asyncmy"))


def server_greeting(connection: Connection) -> str | None:
    """Return the version in the server's greeting, or None if the driver is not one that this package supports."""
    if connection.dialect.driver not in _WITH_SERVER_INFO:
        return None
    driver_connection: Any = connection.connection.driver_connection
    return str(driver_connection.get_server_info())


def charset_of(driver_connection: Any) -> str:
    """Return the character set in which a driver encodes statements."""
    # asyncmy's is private; aiomysql's has both.
    return str(driver_connection._charset if hasattr(driver_connection, "_charset") else driver_connection.charset)


def abandon(driver_connection: Any) -> None:
    """Make a driver stop waiting for the server, from another thread or task.

    The driver then raises its error for a lost connection.
    """
    if hasattr(driver_connection, "ensure_closed"):  # aiomysql, asyncmy
        driver_connection.close()
        return
    # PyMySQL's close() does not wake up the thread that reads from the socket.
    open_socket = driver_connection._sock
    if open_socket is not None:
        with suppress(OSError):  # closed in the meantime
            open_socket.shutdown(socket.SHUT_RDWR)


_TEXT_OF_MATRIXONE = 241
_TEXT_OF_MYSQL = 252


@contextmanager
def reading_text(driver_connection: Any) -> Iterator[None]:
    """Make a driver decode columns that have MatrixOne's type number for TEXT, which DATA BRANCH DIFF sends.

    Without this, the driver treats the unknown type as ASCII. If a value is not ASCII, it leaves the result half read.
    """
    name = "read_packet" if hasattr(driver_connection, "read_packet") else "_read_packet"  # the former is asyncmy's
    is_async = hasattr(driver_connection, "ensure_closed")
    read = getattr(driver_connection, name)
    setattr(driver_connection, name, _correcting_async(read) if is_async else _correcting(read))
    try:
        yield
    finally:
        delattr(driver_connection, name)


def _correcting(read: Callable[..., Any]) -> Callable[..., Any]:
    def read_packet(*packet_type: Any) -> Any:
        return _corrected(read(*packet_type), *packet_type)

    return read_packet


def _correcting_async(read: Callable[..., Any]) -> Callable[..., Any]:
    async def read_packet(*packet_type: Any) -> Any:
        return _corrected(await read(*packet_type), *packet_type)

    return read_packet


def _corrected(packet: Any, packet_type: Any = None) -> Any:
    """Correct the description of a column, the only kind of packet for which the drivers pass a packet type."""
    if packet_type is not None and packet.type_code == _TEXT_OF_MATRIXONE:
        packet.type_code = _TEXT_OF_MYSQL
    return packet
