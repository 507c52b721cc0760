"""What this package asks the drivers' connections for beyond the DBAPI."""

from __future__ import annotations

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
