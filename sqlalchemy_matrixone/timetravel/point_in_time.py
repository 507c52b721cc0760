"""A point in time: a snapshot, a timestamp, or the server's own clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import BigInteger, BindParameter, Dialect, String, TypeDecorator, bindparam, type_coerce
from sqlalchemy.sql import ClauseElement

from ..core.arguments import Timestamp, check_mo_ts, check_name, check_timestamp
from ..core.names import fold
from ..core.sqlalchemy_internals import CachedStatementOption, in_cache_key
from ..exc import MatrixOneArgumentError

TimestampOrBind = Timestamp | BindParameter[Any]
"""An aware datetime, a text with a UTC offset, or a bind parameter of either."""


class UtcMoment(TypeDecorator[dt.datetime]):
    """An instant as the server reads it in a time-travel hint: in UTC, whatever its zone or the session's."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return _text(check_timestamp(value))


@in_cache_key("value", strings=("kind", "fixed"))
class PointInTime(ClauseElement):
    """``{SNAPSHOT = name}``, ``{TIMESTAMP = …}`` or ``{MO_TS = …}``.

    A time is a bound value, so that statements that differ in it share a compiled form. A snapshot's name is
    an identifier, which the server folds to lower case as it did when the snapshot was made; as a
    string it would not. So the name is a part of the cache key. So is the time of a mapped class: a loader option
    such as ``selectinload()`` goes by the alias in the compiled form, whose bound value would be that of the first.
    """

    __visit_name__ = "moment"
    stringify_dialect = "matrixone+pymysql"

    def __init__(self, kind: str, fixed: str | None = None, value: BindParameter[Any] | None = None) -> None:
        self.kind = kind
        self.fixed = fixed
        self.value = value

    @classmethod
    def of(
        cls,
        *,
        snapshot: str | None,
        timestamp: TimestampOrBind | None,
        mo_ts: int | BindParameter[Any] | None,
        bound: bool = True,
    ) -> PointInTime:
        """
        :param bound: whether a time becomes a bound value, as a bind parameter always is.
        :raises MatrixOneArgumentError: where not exactly one of them is given, or it is not one.
        """
        if sum(given is not None for given in (snapshot, timestamp, mo_ts)) != 1:
            raise MatrixOneArgumentError("say when with one of snapshot=…, timestamp=… and mo_ts=…")
        if snapshot is not None:
            return cls("SNAPSHOT", fixed=check_name("snapshot", snapshot))
        if timestamp is not None:
            return cls._of_time("TIMESTAMP", timestamp, check_timestamp, UtcMoment(), bound)
        return cls._of_time("MO_TS", mo_ts, check_mo_ts, BigInteger(), bound)

    @classmethod
    def _of_time(
        cls, kind: str, value: Any, checked: Callable[[Any], dt.datetime | int], type_: Any, bound: bool
    ) -> PointInTime:
        if isinstance(value, BindParameter):
            return cls(kind, value=cast("BindParameter[Any]", type_coerce(value, type_).typed_expression))
        time = checked(value)
        return cls(kind, value=bindparam(None, time, type_, unique=True)) if bound else cls(kind, fixed=_text(time))

    def could_equal(self, other: PointInTime) -> bool:
        """Return whether the other one can be the same, as far as that is known without the bound values."""
        known = self.fixed is not None and other.fixed is not None
        return self.kind == other.kind and (not known or self.text() == other.text())

    def text(self, bound: Any = None) -> str:
        """Return a form that is the same for the same point in time.

        :param bound: the value of its bind parameter, if it has one.
        """
        if self.fixed is not None:
            return fold(self.fixed)
        return _text(check_timestamp(bound) if self.kind == "TIMESTAMP" else check_mo_ts(bound))


def _text(time: dt.datetime | int) -> str:
    """Return a time as the server reads it in a time-travel hint: an instant in UTC, without the offset."""
    return str(time) if isinstance(time, int) else time.replace(tzinfo=None).isoformat(" ", "microseconds")


@in_cache_key("moment")
class AsOfOption(CachedStatementOption):
    """Option of a whole statement: every table in it that says no moment of its own is read at this one."""

    def __init__(self, moment: PointInTime) -> None:
        self.moment = moment
