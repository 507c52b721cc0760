"""Read the server's clock."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ..core.server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
_QUARTER = 15 * 60


def server_now(connection: Connection) -> dt.datetime:
    """Return the server's time to the microsecond, in UTC, and leave the connection as clean as it was.

    Before 4.0 UTC_TIMESTAMP() has no fraction, and UNIX_TIMESTAMP() has none on any release. The fraction is
    therefore taken from NOW(6), whose offset from UTC is a multiple of a quarter of an hour.
    """
    with matrixone_dialect(connection).preserving_clean_state(connection):
        local, utc = connection.exec_driver_sql("SELECT NOW(6), UTC_TIMESTAMP()").one()
    offset = round((local - utc).total_seconds() / _QUARTER) * _QUARTER
    return (local - dt.timedelta(seconds=offset)).replace(tzinfo=dt.UTC)  # type: ignore[no-any-return]


def microseconds(instant: dt.datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


def from_microseconds(number: int) -> dt.datetime:
    """Return the UTC time of a number of microseconds since 1970."""
    return EPOCH + number * MICROSECOND


def mo_ts_of(instant: dt.datetime) -> int:
    """Return an instant in nanoseconds since 1970, which the server reads whatever its age."""
    return microseconds(instant) * 1000
