"""A point in time that is known when it is given: of rows to restore, or of a clone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, literal_column

from ..core.arguments import check_timestamp
from ..exc import MatrixOneArgumentError
from ..timetravel.point_in_time import PointInTime
from .clock import EPOCH, mo_ts_of

if TYPE_CHECKING:
    from sqlalchemy.sql import ClauseElement

_NANOSECONDS = 1_000_000_000


def known_point(*, snapshot: Any, timestamp: Any, mo_ts: Any) -> PointInTime:
    """Return the point in time that the arguments specify: a snapshot, or an instant in nanoseconds.

    The server reads an instant in nanoseconds whatever its age.

    :raises MatrixOneArgumentError: if not exactly one is given, or it is invalid.
    """
    if isinstance(timestamp, BindParameter) or isinstance(mo_ts, BindParameter):
        raise MatrixOneArgumentError("rows are restored from a point in time, not from a bind parameter")
    point = PointInTime.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
    return point if timestamp is None else PointInTime("MO_TS", mo_ts_of(check_timestamp(timestamp)))


def checked_point(point: PointInTime) -> ClauseElement:
    """Return the point in time in the form that the server checks.

    It refuses an instant whose history it may not have completely.
    """
    return point if point.kind == "SNAPSHOT" else literal_column(f"{{TIMESTAMP = '{_time(point)}'}}")


def describe_point(point: PointInTime) -> str:
    """Return the point in time for a message."""
    return f"snapshot {point.value.value!r}" if point.kind == "SNAPSHOT" else f"{_time(point)} UTC"


def mo_ts_at(point: PointInTime) -> int | None:
    """Return an instant in nanoseconds since 1970; None for a snapshot."""
    return point.argument.get("mo_ts")


def _time(point: PointInTime) -> str:
    seconds, rest = divmod(mo_ts_at(point) or 0, _NANOSECONDS)
    return f"{EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{rest:09}"
