"""What a construct needs to learn from the connection that it is about to run on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.connection import driver_connection
from ..core.release import announced_release
from ..core.server import SERVER_ZONE, UTC_ZONE, convert_zone
from ..exc import Reason, RestoreError
from .foreign_keys import refuse_what_keys_hold

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.release import Release
    from ..core.server import MatrixOneServer
    from .target import What

_WALL_CLOCK = "%Y-%m-%d %H:%M:%S"


def refuse_held(
    dialect: MatrixOneServer,
    connection: Connection,
    what: What,
    translate: Mapping[str | None, str | None] | None,
) -> None:
    if what.level not in ("database", "table"):
        return
    own = dialect.default_account_name
    if what.account is not None and own is not None and what.account.lower() != own.lower():
        return  # in another account's catalog, which cannot be read
    database = what.in_database(dialect.default_schema_name, translate)
    if database is not None:
        refuse_what_keys_hold(dialect, connection, what, database)


def server_wall_clock(connection: Connection, when: dt.datetime) -> str:
    """An instant as the server's process would write it, daylight saving included.

    :raises RestoreError: where the clock that the server reads shows this time twice, at the end of daylight
        saving, and the server would take it for the other of the two instants.
    """
    utc = when.astimezone(dt.UTC)
    [there] = convert_zone(connection, [utc.strftime(_WALL_CLOCK)], UTC_ZONE, SERVER_ZONE)
    [back] = convert_zone(connection, [there], SERVER_ZONE, UTC_ZONE)
    if back != utc.strftime(_WALL_CLOCK):
        raise RestoreError(
            f"{when.isoformat()} is {there} on the server's clock, which it shows twice that day; the server would "
            f"restore {back} UTC: choose a moment outside of that hour",
            Reason.UNSUPPORTED,
        )
    return f"{there}.{utc.microsecond:06}" if utc.microsecond else there


def greeted_release(connection: Connection) -> Release | None:
    greeting = getattr(driver_connection(connection.connection), "server_version", None)
    return announced_release(greeting if isinstance(greeting, str) else None)
