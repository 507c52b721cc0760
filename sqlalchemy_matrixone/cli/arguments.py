"""Parse command-line arguments: tables, times, criteria."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click
from sqlalchemy import ColumnElement, MetaData, Table, and_, exc

from ..core.arguments import read_timestamp
from ..core.names import fold, unquote_name
from ..core.refusals import reason_of
from ..core.warning import warn
from ..exc import Reason, RecoveryWarning
from ..recovery.clock import from_microseconds, server_now
from ..recovery.coverage import readable_periods
from ..recovery.objects import object_exists
from ..recovery.source import no_such_snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..recovery.session import Recovery

_AGO = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HOW_TO_WRITE_A_TIME = (
    'write how long ago, such as 25m, or a time with an offset from UTC, such as "2026-03-01 12:00:00+00:00"'
)
_CRITERION = re.compile(r"\s*(?P<column>.+?)\s*(?P<operator><=|>=|<>|!=|=|<|>)\s*(?P<value>.*)", re.S)


class Duration(click.ParamType):  # type: ignore[type-arg]  # not generic in older releases
    """``100ms``, ``90s``, ``25m``, ``2h`` or ``7d``."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> dt.timedelta:
        if isinstance(value, dt.timedelta):
            return value
        match = _AGO.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a duration: write 100ms, 90s, 25m, 2h or 7d", param, ctx)
        return dt.timedelta(**{_UNITS[match["unit"]]: float(match["number"])})


class Instant(click.ParamType):  # type: ignore[type-arg]
    """``25m`` for 25 minutes ago by the server's clock, or a time with an offset from UTC."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> dt.datetime | dt.timedelta:
        if isinstance(value, (dt.datetime, dt.timedelta)):
            return value
        text = str(value).strip().removesuffix("ago").strip()
        if _AGO.fullmatch(text):
            return DURATION.convert(text, param, ctx)
        try:
            return read_timestamp(str(value), _HOW_TO_WRITE_A_TIME)
        except ValueError as wrong:
            self.fail(f"{str(value)!r} {wrong}", param, ctx)


DURATION, INSTANT = Duration(), Instant()


def check_one_given(kind: str, options: str, *values: Any) -> None:
    """Check that exactly one of some options was given.

    :param kind: what they specify, for the message.
    :param options: the options, for the message.
    :raises click.UsageError: if none or several were given.
    """
    given = sum(value is not None for value in values)
    if given != 1:
        raise click.UsageError(f"{'more than one' if given else 'no'} {kind} was given: pass {options}")


def instant(connection: Connection, given: dt.datetime | dt.timedelta | None) -> dt.datetime | None:
    """Return a time; a duration means that long ago by the server's clock."""
    return server_now(connection) - given if isinstance(given, dt.timedelta) else given


_PART = r"`(?:[^`]|``)+`|[^`.][^.]*"
_TABLE = re.compile(rf"(?P<database>{_PART})\.(?P<table>`(?:[^`]|``)+`|[^`].*)|(?P<only>`(?:[^`]|``)+`|[^`.]+)", re.S)


def split_table(name: str, default: str | None) -> tuple[str, str]:
    """Return the database and the name of a table that is written as ``orders`` or ``shop.orders``.

    Either may be in backquotes, which a name that contains a dot needs.
    """
    match = _TABLE.fullmatch(name)
    if match is None:
        raise click.UsageError(
            f"{name!r} is not the name of a table: write TABLE, DATABASE.TABLE, or `TABLE` in backquotes"
        )
    if match["only"] is None:
        return unquote_name(match["database"]), unquote_name(match["table"])
    if default is None:
        raise click.UsageError(f"which database is {name!r} in? Write DATABASE.{name}, or give a URL with a database")
    return default, unquote_name(match["only"])


def reflect(connection: Connection, name: str) -> Table:
    """Return the current definition of a table."""
    database, table = split_table(name, connection.dialect.default_schema_name)
    try:
        return Table(table, MetaData(), schema=database, autoload_with=connection, resolve_fks=False)
    except (exc.NoSuchTableError, exc.DBAPIError) as error:
        if isinstance(error, exc.DBAPIError) and reason_of(error) is not Reason.NOT_FOUND:
            raise
        raise click.ClickException(does_not_exist(connection, database, table)) from None


def does_not_exist(connection: Connection, database: str, table: str) -> str:
    """Return a sentence about a table that does not exist."""
    if object_exists(connection, database):
        return f"there is no table {database}.{table}: if it was dropped, undrop brings it back"
    hint = f"; if {database}.{table!r} is a table, write `{database}.{table}` in backquotes"
    return f"there is no database {database!r}" + (hint if "`" not in table else "")


def check_snapshot(recovery: Recovery, name: str | None) -> None:
    """Check that the account has a snapshot.

    :raises click.ClickException: if it does not.
    """
    if name is None or recovery.get_snapshot(name) is not None:
        return
    raise click.ClickException(no_such_snapshot(name, recovery.list_snapshots()))


def check_is_kept(connection: Connection, table: Table, mo_ts: int | None) -> None:
    """Warn if garbage collection may have removed the history of a table; the server itself checks for a snapshot."""
    if mo_ts is None:
        return
    readable = readable_periods(connection, [(fold(table.schema or ""), fold(table.name))])
    when = from_microseconds(mo_ts // 1000)
    if not readable.includes(when):
        warn(
            f"no PITR or snapshot keeps {table.fullname} as it was at {when}: if its history was removed, all rows "
            "are shown as new",
            RecoveryWarning,
        )


def criterion(table: Table, texts: Sequence[str]) -> ColumnElement[bool] | None:
    """Return comparisons such as ``COLUMN=VALUE`` as a criterion on the table; all of them must be met."""
    return and_(*(_comparison(table, text) for text in texts)) if texts else None


def _comparison(table: Table, text: str) -> ColumnElement[bool]:
    match = _CRITERION.fullmatch(text)
    if match is None:
        raise click.UsageError(f"--where {text!r}: write COLUMN=VALUE, with one of = <> < <= > >=")
    columns = {column.name.lower(): column for column in table.columns}
    column = columns.get(match["column"].strip("`").lower())
    if column is None:
        raise click.UsageError(f"--where {text!r}: {table.fullname} has no column {match['column']!r}")
    value = _value(column, match["value"])
    if value is None:
        return column.is_(None) if match["operator"] == "=" else column.is_not(None)
    operator = {"=": "__eq__", "<>": "__ne__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__"}
    compared: ColumnElement[bool] = getattr(column, operator.get(match["operator"], "__ge__"))(value)
    return compared


_READERS: dict[type, Callable[[str], Any]] = {
    int: int,
    float: float,
    Decimal: Decimal,
    bool: lambda text: bool(int(text)),
    dt.date: dt.date.fromisoformat,
    dt.datetime: dt.datetime.fromisoformat,
    dt.time: dt.time.fromisoformat,
}


def _value(column: Any, text: str) -> Any:
    text = text.strip()
    if text.upper() == "NULL":
        return None
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    try:
        kind = column.type.python_type
        return _READERS.get(kind, str)(text)
    except NotImplementedError:
        return text
    except (ValueError, ArithmeticError):
        raise click.UsageError(f"--where: {text!r} is not a value of {column.name}, a {column.type}") from None
