"""A point in time: a snapshot, a timestamp, or nanoseconds on the server's own clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import BigInteger, BindParameter, Dialect, String, TypeDecorator, type_coerce
from sqlalchemy.sql import ClauseElement

from ..core.arguments import Timestamp, check_mo_ts, check_name, check_timestamp
from ..core.names import fold
from ..core.sqlalchemy_internals import CachedStatementOption, PassedToLoaders, in_cache_key
from ..exc import MatrixOneArgumentError

_NAMES_KEPT = 128
"""The number of snapshots' names for which the quoted name and the point in time are not created again."""

TimestampOrBind = Timestamp | BindParameter[Any]
"""An aware datetime, a str with a UTC offset, or a bind parameter of either."""


class UtcMoment(PassedToLoaders, TypeDecorator[dt.datetime]):
    """An instant as the server reads it in a time-travel hint: in UTC, whatever the time zone of server or session."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return _text(check_timestamp(value))


class Nanoseconds(PassedToLoaders, TypeDecorator[int]):
    """An instant in nanoseconds since 1970."""

    impl = BigInteger
    cache_ok = True


class SnapshotName(PassedToLoaders, TypeDecorator[str]):
    """The name of a snapshot: an identifier, which the server folds to lower case. It would not fold a string."""

    impl = String
    cache_ok = True

    def literal_processor(self, dialect: Dialect) -> Callable[[Any], str]:
        return lru_cache(maxsize=_NAMES_KEPT)(dialect.identifier_preparer.quote_identifier)


# Each type keeps its part of the cache key, so that it is computed once, and not for each statement.
_TYPES: dict[str, TypeDecorator[Any]] = {
    "SNAPSHOT": SnapshotName(),
    "TIMESTAMP": UtcMoment(),
    "MO_TS": Nanoseconds(),
}


@in_cache_key("value", strings=("kind",))
class PointInTime(ClauseElement):
    """``{SNAPSHOT = name}``, ``{TIMESTAMP = …}`` or ``{MO_TS = …}``.

    The name or the time is a bound value, so that statements that differ only in it share a compiled form. A
    snapshot's name is an identifier, which no driver can send as a parameter: it is rendered when the statement is
    executed.
    """

    __visit_name__ = "moment"
    stringify_dialect = "matrixone+pymysql"

    def __init__(self, kind: str, value: Any) -> None:
        """Create the clause.

        :param value: a checked value, or a bind parameter of one.
        """
        self.kind = kind
        self.value: BindParameter[Any] = _bound(value, _TYPES[kind])

    @classmethod
    def of(
        cls,
        *,
        snapshot: str | None,
        timestamp: TimestampOrBind | None,
        mo_ts: int | BindParameter[Any] | None,
    ) -> PointInTime:
        """Return the point in time that the arguments specify.

        :raises MatrixOneArgumentError: if not exactly one of them is given, or it is invalid.
        """
        if (snapshot is not None) + (timestamp is not None) + (mo_ts is not None) != 1:
            raise MatrixOneArgumentError("pass exactly one of snapshot=…, timestamp=… and mo_ts=…")
        if snapshot is not None:
            return _at_snapshot(check_name("snapshot", snapshot))
        if timestamp is not None:
            return cls("TIMESTAMP", _checked(timestamp, check_timestamp))
        return cls("MO_TS", _checked(mo_ts, check_mo_ts))

    @property
    def is_parameter(self) -> bool:
        """Whether the value is given when the statement is executed."""
        return not self.value.unique

    @property
    def argument(self) -> dict[str, Any]:
        """Return the point in time as a keyword argument of ``as_of()`` and of clones."""
        return {self.kind.lower(): self.value.value}

    def text(self, value: Any) -> str:
        """Return a form of the value that is the same for the same point in time."""
        match self.kind:
            case "SNAPSHOT":
                return fold(str(value))
            case "TIMESTAMP":
                return _text(check_timestamp(value))
        return str(check_mo_ts(value))


@lru_cache(maxsize=_NAMES_KEPT)
def _at_snapshot(name: str) -> PointInTime:
    return PointInTime("SNAPSHOT", name)


def _checked(value: Any, check: Callable[[Any], Any]) -> Any:
    return value if isinstance(value, BindParameter) else check(value)


def _bound(value: Any, type_: TypeDecorator[Any]) -> BindParameter[Any]:
    if isinstance(value, BindParameter):
        return cast("BindParameter[Any]", type_coerce(value, type_).typed_expression)
    return BindParameter(None, value, type_, unique=True, literal_execute=isinstance(type_, SnapshotName))


def _text(time: dt.datetime) -> str:
    """Return a time as the server reads it in a time-travel hint: an instant in UTC, without the offset."""
    return time.replace(tzinfo=None).isoformat(" ", "microseconds")


@in_cache_key("moment")
class AsOfOption(CachedStatementOption):
    """Option of a whole statement: every table in it without its own point in time is read at this one."""

    def __init__(self, moment: PointInTime) -> None:
        self.moment = moment
