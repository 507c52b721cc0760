"""Determine what a construct needs from the connection on which it is executed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.driver_internals import server_greeting
from ..core.hidden_names import find_left_out, refusal
from ..core.names import fold
from ..core.release import parse_greeting
from ..core.zones import SERVER_ZONE, UTC_ZONE, convert_zone
from ..exc import Reason, RestoreError
from .foreign_keys import check_restorable
from .table_match import check_only_match

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.release import Release
    from ..core.server import MatrixOneServer
    from .target import RecoveryTarget


def check_restore(
    dialect: MatrixOneServer,
    connection: Connection,
    target: RecoveryTarget,
    translate: Mapping[str | None, str | None] | None,
    *,
    snapshot: str | None = None,
) -> None:
    """Check that the server will restore the given object, and all of it.

    Objects in another account are not checked, because its catalog cannot be read.

    :param snapshot: the name of the snapshot that is restored.
    :raises RestoreError: if the server would leave a table unchanged, or restore another one.
    """
    own = dialect.default_account_name
    is_foreign = target.account is not None and own is not None and fold(target.account) != fold(own)
    if is_foreign or target.level == "cluster":
        return
    if target.level == "account":
        if lost := find_left_out(dialect, connection):
            raise RestoreError(refusal("RESTORE", lost), Reason.UNSUPPORTED)
        return
    database = target.in_database(dialect.default_schema_name, translate)
    if database is None:
        return
    check_restorable(dialect, connection, target, database)
    if snapshot is not None and target.table is not None:
        check_only_match(dialect, connection, snapshot, database, target.table)


def server_wall_clock(connection: Connection, second: dt.datetime, nanoseconds: int) -> str:
    """Return what the clock of the server's process shows at an instant, daylight saving time included.

    :param second: the whole second, in UTC.
    :param nanoseconds: the nanoseconds after it.
    :raises RestoreError: if that clock shows this time twice, at the end of daylight saving time, and the server would
        mistake it for the other of the two instants.
    """
    utc = second.replace(tzinfo=None).isoformat(" ")
    [there] = convert_zone(connection, [utc], UTC_ZONE, SERVER_ZONE)
    [back] = convert_zone(connection, [there], SERVER_ZONE, UTC_ZONE)
    if back != utc:
        raise RestoreError(
            f"{second.isoformat()} is {there} on the server's clock, which shows that time twice that day, and the "
            f"server would restore {back} UTC. Nothing was sent: choose a time outside of that hour",
            Reason.UNSUPPORTED,
        )
    return there + fraction_of_second(nanoseconds)


def fraction_of_second(nanoseconds: int) -> str:
    """Return ``.123456`` or ``.123456789``, or an empty string for a whole second."""
    return f".{nanoseconds:09}".removesuffix("000") if nanoseconds else ""


def greeted_release(connection: Connection) -> Release | None:
    """Return the release in the server's greeting, or None if it has none."""
    return parse_greeting(server_greeting(connection))


def server_instant(connection: Connection, server_time: str) -> int:
    """Convert a time on the server's clock to an instant in nanoseconds since 1970."""
    whole, _, fraction = server_time.partition(".")
    [utc] = convert_zone(connection, [whole], SERVER_ZONE, UTC_ZONE)
    seconds = int(dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC).timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0"))
