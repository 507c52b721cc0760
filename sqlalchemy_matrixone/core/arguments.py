"""Check the arguments that callers pass in: names, points in time, tables."""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, FromClause, Table, TableClause, inspect
from sqlalchemy.orm import Mapper, QueryableAttribute
from sqlalchemy.orm.util import AliasedClass, AliasedInsp

from ..exc import MatrixOneArgumentError

SNAPSHOT_NAME_LENGTH = 64

Level = Literal["cluster", "account", "database", "table"]
"""What a recovery statement is about."""

TableArgument = type[Any] | FromClause | str
"""A mapped class, a Table or a table's name. Where the past can be read, also an ``as_of()`` of a class or Table."""

ColumnsArgument = Iterable[str | ColumnElement[Any] | QueryableAttribute[Any]]
"""Names or attributes of columns, or a single name."""

Timestamp = dt.datetime | str
"""An instant: an aware datetime, or a string with a UTC offset, such as ``"2026-03-01 12:00:00+00:00"``."""


# The server refuses spaces and quotes. It accepts a backslash or a control character, but then cannot find the
# snapshot again, because it inserts the name unescaped into its internal SQL.
_NOT_IN_NAMES = re.compile(r"[ \t`\"'\\\0\r\n]")
_NOT_IN_OBJECT_NAMES = "`\"'\\"
_SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character, which UTF-8 cannot contain


def inspect_entity(given: Any) -> Any:
    """Return the inspection of a mapped class or of an alias of one, and None for anything else."""
    # Do not inspect everything: inspect() of an engine would connect to its database.
    return inspect(given, raiseerr=False) if isinstance(given, (type, Mapper, AliasedClass, AliasedInsp)) else None


def table_of(target: Any) -> Table:
    """Return the Table of a mapped class, or the Table itself."""
    if isinstance(target, Table):
        return target
    mapper = inspect_entity(target)
    if isinstance(mapper, Mapper) and isinstance(mapper.local_table, Table):
        return mapper.local_table
    raise MatrixOneArgumentError(f"table={target!r} is neither a mapped class, a Table nor a name")


def table_with_columns(target: Any) -> Table:
    """Return the Table of a mapped class, or the Table itself, for what needs its columns.

    :raises MatrixOneArgumentError: if it is anything else, such as the name of a table.
    """
    if isinstance(target, str) or (isinstance(target, TableClause) and not isinstance(target, Table)):
        name = target if isinstance(target, str) else target.name
        raise MatrixOneArgumentError(
            f"{name!r} is only the name of a table, and its columns are needed: pass a mapped class or a Table, such "
            f"as Table({name!r}, MetaData(), autoload_with=engine)"
        )
    return table_of(target)


def list_of_columns(columns: Any) -> list[Any]:
    """Return one or several names or attributes of columns as a list.

    :raises MatrixOneArgumentError: if the argument is neither a name, an attribute, nor a list of these.
    """
    if isinstance(columns, (str, ColumnElement, QueryableAttribute)):
        return [columns]
    if isinstance(columns, (bytes, Mapping)) or not isinstance(columns, Iterable):
        raise MatrixOneArgumentError(f"columns={columns!r} is not a list of names or attributes")
    try:
        return list(columns)
    except TypeError as error:  # an array without dimensions is iterable only by its class
        raise MatrixOneArgumentError(f"columns={columns!r} is not a list of names or attributes") from error


def check_flag(keyword: str, value: Any) -> bool:
    """Return a flag, which must be a real bool: a string such as ``"false"`` would count as true.

    :raises MatrixOneArgumentError: if it is anything else.
    """
    if not isinstance(value, bool):
        raise MatrixOneArgumentError(f"{keyword}={value!r} is neither True nor False")
    return value


def check_choice(keyword: str, value: Any, choices: Sequence[str]) -> None:
    """Check that a value is one of the choices.

    :raises MatrixOneArgumentError: if it is not.
    """
    if not isinstance(value, str) or value not in choices:
        raise MatrixOneArgumentError(f"{keyword}={value!r} is none of {', '.join(choices)}")


def check_is_name(keyword: str, name: Any) -> str:
    """Check a name that is quoted wherever it is used, so that most characters are allowed in it; return it.

    :raises MatrixOneArgumentError: if it is empty or blank, or cannot be sent in UTF-8.
    """
    if not isinstance(name, str) or not name.strip() or _SURROGATE.search(name):
        raise MatrixOneArgumentError(f"{keyword}={name!r} is not a name")
    return name


def is_object_name(name: Any) -> bool:
    """Return whether a name can be used in a recovery statement; see :func:`check_object_name`."""
    return isinstance(name, str) and not set(_NOT_IN_OBJECT_NAMES).intersection(name)


def check_object_name(keyword: str, name: Any) -> None:
    """Check the name of an account, database or table in a recovery statement.

    The server inserts the name unescaped into its internal SQL. There, a name with a backslash stands for a different
    name, and a name with a quote ends early: ``o''x`` becomes ``o'x`` (4.2.0), and the rest of the name is executed.

    :raises MatrixOneArgumentError: if it is not a name, or contains a quote or a backslash.
    """
    check_is_name(keyword, name)
    for character in _NOT_IN_OBJECT_NAMES:
        if character in name:
            raise MatrixOneArgumentError(
                f"{keyword}={name!r} contains {character!r}: MatrixOne cannot protect or restore an object whose name "
                "contains a quote or a backslash. Rename it first"
            )


def check_name(kind: str, name: Any) -> str:
    """Return the name of a snapshot or PITR, after checking that the server keeps it unchanged.

    The server silently truncates the name of a snapshot to 64 characters, but not that of a PITR. It refuses spaces
    and quotes.

    :raises MatrixOneArgumentError: if the server would change or refuse the name, or could not find it again.
    """
    checked = check_is_name(kind, name)
    if kind == "snapshot" and len(name) > SNAPSHOT_NAME_LENGTH:
        raise MatrixOneArgumentError(
            f"snapshot name {name!r} has {len(name)} characters, of which MatrixOne would keep only "
            f"{SNAPSHOT_NAME_LENGTH}: shorten it"
        )
    if (refused := _NOT_IN_NAMES.search(checked)) is not None:
        raise MatrixOneArgumentError(
            f"{kind} name {name!r} contains {refused[0]!r}, which MatrixOne refuses or cannot find again: "
            "leave out spaces, quotes and backslashes"
        )
    return checked


def check_timestamp(value: Any, keyword: str = "timestamp") -> dt.datetime:
    """Return an aware datetime, or a string with a UTC offset, as a datetime in UTC.

    :param keyword: the name of the argument, for the message.
    :raises MatrixOneArgumentError: if it has no offset, so that it is ambiguous, or is not a time.
    """
    try:
        return read_timestamp(value, HOW_TO_WRITE_A_TIMESTAMP)
    except ValueError as wrong:
        raise MatrixOneArgumentError(f"{keyword}={value!r} {wrong}") from wrong


def read_timestamp(value: Any, how_to_write: str) -> dt.datetime:
    """Return an aware datetime, or a string with a UTC offset, as a datetime in UTC.

    :param how_to_write: what to pass instead of something else, for the message.
    :raises ValueError: with what is wrong, as the rest of a sentence that begins with the value.
    """
    if isinstance(value, str):
        value = _parse_timestamp(value, how_to_write)
    if not isinstance(value, dt.datetime):
        raise ValueError(f"is not a point in time: {how_to_write}")
    try:
        if value.utcoffset() is not None:
            return value.astimezone(dt.UTC)
    except (ArithmeticError, TypeError, ValueError) as error:  # outside the years 1 to 9999; NaT of pandas
        raise ValueError(f"is not a point in time: {error}") from error
    raise ValueError(f"{_HAS_NO_OFFSET}: {how_to_write}")


def is_timestamp(text: str) -> bool:
    """Return whether a string has the form of a timestamp, with or without a UTC offset."""
    return _TIME.fullmatch(text) is not None


def _parse_timestamp(text: str, how_to_write: str) -> dt.datetime:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"is not a point in time: {how_to_write}")
    if match["offset"] is None:
        raise ValueError(f"{_HAS_NO_OFFSET}: {how_to_write}")
    try:
        return dt.datetime.fromisoformat(match["time"] + match["offset"])
    except ValueError as error:
        raise ValueError(f"is not a point in time: {error}") from error


def check_server_time(value: Any) -> str:
    """Return a time on the server's clock, in the form that the server reads.

    :raises MatrixOneArgumentError: if it is not written as ``"2026-03-01 12:00:00"``, or has a UTC offset.
    """
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise MatrixOneArgumentError(
            f'server_time={value!r} is not a time on the server\'s clock: write server_time="2026-03-01 12:00:00"'
        )
    if match["offset"] is not None:
        raise MatrixOneArgumentError(
            f"server_time={value!r} has a UTC offset, so it is an instant: pass it as timestamp="
        )
    try:
        dt.datetime.fromisoformat(match["time"])
    except ValueError as error:
        raise MatrixOneArgumentError(f"server_time={value!r} is not a time: {error}") from error
    return match["time"].replace("T", " ")


def check_mo_ts(value: Any) -> int:
    """Return a number of nanoseconds since 1970, the unit of the server's internal clock.

    :raises MatrixOneArgumentError: if it is not a positive 64-bit integer.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 63:
        raise MatrixOneArgumentError(f"mo_ts={value!r} is not a number of nanoseconds since 1970")
    return value


_TIME = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(?P<offset>Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_HAS_NO_OFFSET = "has no UTC offset, so it could mean a different instant to the server than to you"
HOW_TO_WRITE_A_TIMESTAMP = (
    'pass an aware datetime, such as datetime.now(timezone.utc), or a str with an offset, such as "2026-03-01 '
    '12:00:00+00:00"'
)


Timeout = float | dt.timedelta
"""Seconds, or a timedelta."""


def check_timeout(timeout: Timeout | None) -> float | None:
    """Return a time limit in seconds.

    :raises MatrixOneArgumentError: if it is not a time above zero.
    """
    if timeout is None:
        return None
    seconds = timeout.total_seconds() if isinstance(timeout, dt.timedelta) else timeout
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds <= threading.TIMEOUT_MAX:
        raise MatrixOneArgumentError(f"timeout={timeout!r} must be a number of seconds above 0, or a timedelta")
    return float(seconds)
