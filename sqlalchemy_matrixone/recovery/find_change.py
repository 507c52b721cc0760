"""Find the time at which a value changed, by a binary search through its history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import CompoundSelect, Select, exc
from sqlalchemy.sql import TableClause, visitors

from ..core.arguments import check_timestamp
from ..core.beside import autocommit_connection, second_engine
from ..core.names import fold
from ..core.refusals import is_missing_column, reason_of
from ..core.sql_text import READ, read_statement
from ..core.warning import warn
from ..exc import MatrixOneArgumentError, Reason, RecoveryError, RecoveryWarning
from ..timetravel.missing_columns import ADVICE
from ..timetravel.point_in_time import AsOfOption, PointInTime
from .clock import MICROSECOND, from_microseconds, microseconds
from .coverage import Readable, readable_periods
from .objects import columns_of
from .values import Change, NoValue

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect

    from ..core.arguments import Timestamp

FindableStatement = Select[Any] | CompoundSelect[Any]
"""A SELECT of a single value."""

_PROBES = 16
"""The number of parts into which the time is divided to search for a change if both ends have the same value."""


def find_change(
    connection: Connection,
    statement: FindableStatement,
    *,
    since: Timestamp | None,
    until: Timestamp | None,
    precision: dt.timedelta,
) -> Change:
    """Find a change; see ``Recovery.find_change()``. Nothing is sent on the connection itself."""
    _check_statement(statement)
    _check_only_reads(statement, connection.dialect)
    first = None if since is None else check_timestamp(since, "since")
    last = None if until is None else check_timestamp(until, "until")
    if not isinstance(precision, dt.timedelta) or precision < MICROSECOND:
        raise MatrixOneArgumentError(f"precision={precision!r} must be a timedelta of at least a microsecond")
    options = {key: value for key, value in connection.get_execution_options().items() if key != "isolation_level"}
    translate = dict(options.get("schema_translate_map") or {})
    if (default := connection.dialect.default_schema_name) is not None:
        # Without its name, the server would not find a database that exists now and did not exist then, or vice versa.
        translate.setdefault(None, default)
    options["schema_translate_map"] = translate
    with second_engine(connection.engine) as engine, autocommit_connection(engine) as beside:
        tables = sorted(set(_tables(statement, translate)))
        time = _Searched.of(readable_periods(beside, tables), first, last)
        search = _Search(beside.execution_options(**options), statement, time, tables)
        return search.find(precision // MICROSECOND)


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, (Select, CompoundSelect)):
        raise MatrixOneArgumentError(
            f"find_change() takes a select() of one value, whose tables can be read in the past, not {statement!r}"
        )
    if (columns := len(statement.selected_columns)) != 1:
        raise MatrixOneArgumentError(f"find_change() takes a select() of one value, but this one has {columns} columns")


def _check_only_reads(statement: FindableStatement, dialect: Dialect) -> None:
    """Check what a ``text()`` in the statement may contain: the server executes several statements in one text."""
    sql = str(statement.compile(dialect=dialect))
    if read_statement(sql.encode(errors="replace")) is not READ:
        raise MatrixOneArgumentError(
            f"find_change() only reads, but this statement would also change something, or cannot be read: {sql}. "
            "Nothing was sent."
        )


def tables_of(statement: Any) -> Iterator[TableClause]:
    """Yield the tables that a statement reads."""
    for element in visitors.iterate(statement):
        table: Any = element if isinstance(element, TableClause) else getattr(element, "table", None)
        while table is not None and not isinstance(table, TableClause):
            table = getattr(table, "element", None)
        if table is not None:
            yield table


def _tables(statement: Any, translate: dict[str | None, str | None]) -> Iterator[tuple[str, str]]:
    for table in tables_of(statement):
        database = translate.get(table.schema, table.schema)
        if database is not None:
            yield fold(database), fold(table.name)


@dataclass(frozen=True)
class _Searched:
    """The time range that is searched, in microseconds since 1970.

    :ivar periods: the parts of it that the server keeps, in order.
    :ivar landmarks: instants within it at which something worth protecting existed.
    """

    start: int
    end: int
    periods: Sequence[tuple[int, int]]
    landmarks: Sequence[int] = ()

    @classmethod
    def of(cls, readable: Readable, since: dt.datetime | None, until: dt.datetime | None) -> _Searched:
        """Return the range from ``since`` to ``until``, or what of it can be read.

        :raises MatrixOneArgumentError: if ``since`` is not before ``until``.
        """
        # A client's clock may be ahead of the server's.
        now = readable.now
        start, end = since or readable.periods[0].start, min(until or now, now)
        if start >= end:
            raise MatrixOneArgumentError(
                f"since={start} is not before until={end}"
                if since
                else f"until={end} is too early: without since=, the search begins at {start}, from when on the server "
                "keeps history"
            )
        ranges = [(microseconds(start), microseconds(end)) for start, end in readable.periods]
        landmarks = [microseconds(each) for each in readable.landmarks if start < each < end]
        searched = cls(microseconds(start), microseconds(end), ranges, landmarks)
        if lost := [f"{instant}" for instant in (start, end) if not readable.includes(instant)]:
            warn(
                f"no PITR or snapshot keeps all tables of the statement as they were at {' and at '.join(lost)}: "
                "history that garbage collection has removed reads as empty tables, and may be mistaken for a change",
                RecoveryWarning,
            )
            searched = cls(searched.start, searched.end, [(searched.start, searched.end)], landmarks)
        return searched

    def probes(self) -> list[int]:
        """Return some instants in between, the latest first."""
        step = max(1, (self.end - self.start) // _PROBES)
        evenly = range(self.end - step, self.start, -step)
        kept = [each for each in evenly if any(start <= each <= end for start, end in self.periods)]
        return sorted({*kept, *self.landmarks[-_PROBES:]}, reverse=True)

    def between(self, low: int, high: int) -> int | None:
        """Return the kept instant nearest to the middle of two; None if there is none between them."""
        middle = (low + high) // 2
        kept = [
            min(max(middle, start, low + 1), end, high - 1)
            for start, end in self.periods
            if max(start, low + 1) <= min(end, high - 1)
        ]
        return min(kept, key=lambda instant: abs(instant - middle), default=None)


class _Search:
    """A search on a connection in AUTOCOMMIT."""

    def __init__(
        self,
        connection: Connection,
        statement: FindableStatement,
        time: _Searched,
        tables: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._statement: Any = statement
        self._time = time
        self._queries = 0
        self._missing_column: str | None = None

    def find(self, precision: int) -> Change:
        """Return the instants before and after a change that are at most ``precision`` apart, and the values there.

        :raises RecoveryError: if the value is the same wherever it was read.
        :raises MatrixOneArgumentError: if a column of the statement existed at none of these instants.
        """
        low, high = self._time.start, self._time.end
        value_low, value_high = self._value_at(low), self._value_at(high)
        if _is_same(value_low, value_high):
            low, value_low = self._other_value(low, high, value_low)
        while high - low > precision:
            middle = self._time.between(low, high)
            if middle is None:
                break
            value = self._value_at(middle)
            if _is_same(value, value_high):
                high = middle
            else:
                low, value_low = middle, value
        return Change(from_microseconds(low), from_microseconds(high), value_low, value_high, self._queries)

    def _other_value(self, low: int, high: int, value: Any) -> tuple[int, Any]:
        """Return the latest of some instants in between at which the value differs."""
        for instant in self._time.probes():
            if not _is_same(other := self._value_at(instant), value):
                return instant, other
        when = (
            f"at {from_microseconds(low)}, at {from_microseconds(high)} and at {self._queries - 2} instants in between"
        )
        if value is not NoValue.DOES_NOT_EXIST:
            raise RecoveryError(
                f"no change was found: the value is {value!r} {when}. Pass since= and until= (on the "
                "command line, --since and --until) between which the value differs",
                Reason.NOT_FOUND,
            )
        if self._missing_column is not None:
            raise MatrixOneArgumentError(f"{self._missing_column} {when}{self._columns()}")
        raise RecoveryError(
            f"no change was found: {self._names()} did not exist {when}. Check the name, or pass a since= (on the "
            "command line, --since) at which it existed",
            Reason.NOT_FOUND,
        )

    def _names(self) -> str:
        return " or ".join(f"{database}.{table}" for database, table in self._tables) or "what the statement reads"

    def _columns(self) -> str:
        """Return the current columns of the tables, as sentences."""
        columns = columns_of(self._connection, self._tables)
        return "".join(f". {database}.{table} has {', '.join(names)}" for (database, table), names in columns.items())

    def _value_at(self, instant: int) -> Any:
        self._queries += 1
        moment = PointInTime.of(snapshot=None, timestamp=None, mo_ts=instant * 1000)
        try:
            rows = self._connection.execute(self._statement.options(AsOfOption(moment))).fetchmany(2)
        except exc.DBAPIError as error:
            if error.connection_invalidated or reason_of(error) is not Reason.NOT_FOUND:
                raise
            if is_missing_column(error):
                self._missing_column = _sentence(error)
            return NoValue.DOES_NOT_EXIST
        if len(rows) > 1:
            raise MatrixOneArgumentError(
                "find_change() takes a select() of one value, but this one has more than one row at "
                f"{from_microseconds(instant)}: use an aggregate function, or a criterion that only one row meets"
            )
        return rows[0][0] if rows else NoValue.NO_ROW


def _sentence(error: exc.DBAPIError) -> str:
    """Return what the server says of a missing column, without its classification."""
    assert error.orig is not None
    return str(error.orig.args[-1]).removeprefix("invalid input: ").removesuffix(ADVICE)


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, NoValue) or isinstance(other, NoValue):
        return one is other
    try:
        return bool(one == other) or (one != one and other != other)
    except (TypeError, ValueError):  # an array has no truth value
        return repr(one) == repr(other)
