"""What a construct needs to learn from the connection that it is about to run on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import exc

from ..exc import Reason, RecoveryArgumentError, RestoreError
from ..release import announced_release
from ..transaction import driver_connection
from .foreign_keys import refuse_what_keys_hold

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..base import MatrixOneDialect
    from ..release import Release
    from .ddl import RecoveryDDL
    from .what import What

_WALL_CLOCK = "%Y-%m-%d %H:%M:%S"

# Zones as arguments of CONVERT_TZ. The server's process has one of its own, daylight saving included, in
# which it reads the time of a restore, whatever time_zone the session is in.
UTC_ZONE = "'+00:00'"
SERVER_ZONE = "'Local'"
SESSION_ZONE = "REPLACE(@@time_zone, 'SYSTEM', 'Local')"


def resolved(element: RecoveryDDL, connection: Connection, options: Mapping[str, Any]) -> RecoveryDDL:
    """The element with what only the connection knows: on a mysql dialect the release, elsewhere the server's clock.

    Nothing is asked of a connection that the element would be refused on.

    :raises RestoreError: where the server would restore nothing, or another moment.
    """
    if connection.dialect.name != "matrixone":
        return element.copy_with(release=_greeted_release(connection))
    if element.error is not RestoreError:
        return element
    dialect = matrixone_dialect(connection)
    dialect.refuse_in_transaction(connection.connection, element)
    _refuse_held(element, dialect, connection, options)
    when = getattr(element, "when", None)
    return element.copy_with(when=server_wall_clock(connection, when)) if isinstance(when, dt.datetime) else element


def _refuse_held(element: Any, dialect: MatrixOneDialect, connection: Connection, options: Mapping[str, Any]) -> None:
    what: What = element.what
    if what.level not in ("database", "table") or element.to_account is not None:
        return
    own = dialect.default_account_name
    if what.account is not None and own is not None and what.account.lower() != own.lower():
        return  # in another account's catalog, which cannot be read
    database = what.in_database(dialect.default_schema_name, options.get("schema_translate_map"))
    if database is not None:
        refuse_what_keys_hold(dialect, connection, what, database)


def matrixone_dialect(connection: Connection) -> MatrixOneDialect:
    """
    :raises RecoveryArgumentError: where the connection is one of another dialect.
    """
    dialect = connection.dialect
    if dialect.name != "matrixone":
        raise RecoveryArgumentError(
            "this needs an engine of matrixone+pymysql://, matrixone+aiomysql:// or matrixone+asyncmy://, "
            f"not of {dialect.name}+{dialect.driver}://"
        )
    return cast("MatrixOneDialect", dialect)


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


def convert_zone(connection: Connection, times: list[str], source: str, target: str) -> list[str]:
    """Wall clock times of one zone in another, to the second, leaving the connection as clean as it is."""
    if not times:
        return []
    columns = ", ".join(f"CONVERT_TZ('{time}', {source}, {target})" for time in times)
    with matrixone_dialect(connection).left_as_found(connection):
        row = connection.exec_driver_sql(f"SELECT {columns}").one()
    converted = [str(value) for value in row]
    if None in row:
        raise exc.InvalidRequestError(f"the server could not convert {times} from {source} to {target}")
    return converted


def _greeted_release(connection: Connection) -> Release | None:
    greeting = getattr(driver_connection(connection.connection), "server_version", None)
    return announced_release(greeting if isinstance(greeting, str) else None)
