"""Recognize the errors of the server that the drivers do not: violations and lost connections.

The drivers choose the class by MySQL's error numbers. MatrixOne uses different numbers for most violations, and the
drivers raise :class:`OperationalError` for all of these.
"""

from __future__ import annotations

import re
from typing import Any, Literal

_ClassName = Literal["IntegrityError", "DataError"]

# Each message is matched from its beginning, because a value or a name within it may contain anything.
_INTEGRITY: dict[int, re.Pattern[str]] = {
    3819: re.compile(
        r"constraint violation: (?:Column '.*' cannot be null|Check constraint |NULL value not allowed"
        r"|cannot load NULL value)",
        re.S,
    ),
    20101: re.compile(r"internal error: Cannot (?:add or update a child|delete or update a parent) row: "),
}
_DATA: dict[int, re.Pattern[str]] = {
    1105: re.compile(r"strconv\.Parse\w+: parsing |invalid UUID (?:length: \d+\Z|format\Z)"),
    1365: re.compile("division by zero"),
    1690: re.compile("data out of range: "),
    20101: re.compile(
        r"internal error: (?:Can't cast .*Src length \d+ is larger than Dest length \d+\Z"
        r"|convert to MySQL (?:enum|set) failed: |malformed vector input: )",
        re.S,
    ),
    20203: re.compile(r"invalid argument (?:cast to \w+|parse ?(?:date|time|timestamp)\w*), bad value "),
    20301: re.compile(
        r"invalid input: (?:data too long|json text |invalid (?:date|datetime|time|timestamp) value "
        r"|year value out of range: |invalid year (?:format|value): |Can't convert Float64 To Decimal\d+: "
        r"|expected vector dimension \d+ != actual dimension \d+|'.*' is not a valid bool expression\Z"
        r"|.* beyond the range, can't be converted to Decimal\d+(?:\(\d+,\d+\))?\.\Z)",
        re.S,
    ),
}

# The server also reports this for an invalid default in CREATE TABLE. For an INSERT, it means a NOT NULL column without
# a value.
_NO_DEFAULT = re.compile(r"invalid input: invalid default value for column ")
_INSERT = re.compile(r"\s*(?:/\*.*?\*/\s*)*(?:INSERT|REPLACE)\b", re.I | re.S)


def class_of_violation(error: BaseException, statement: str) -> _ClassName | None:
    """Return the name of the DBAPI class that a driver's error should have, or None to keep the driver's class.

    :param statement: the statement that failed.
    """
    if len(error.args) < 2 or not isinstance(error.args[0], int):
        return None
    number, text = error.args[0], str(error.args[1])
    if number == 20301 and _NO_DEFAULT.match(text) and _INSERT.match(statement):
        return "IntegrityError"
    if number in _INTEGRITY and _INTEGRITY[number].match(text):
        return "IntegrityError"
    return "DataError" if number in _DATA and _DATA[number].match(text) else None


def raise_violation(dbapi: Any, error: BaseException, statement: str) -> None:
    """Raise a violation as the driver's IntegrityError or DataError; return if the error already has its class.

    The new error has the arguments of the driver's original error, which is its ``__cause__``.

    :param error: an error of the driver.
    :param statement: the statement that failed.
    """
    name = class_of_violation(error, statement)
    if name is not None and not isinstance(error, getattr(dbapi, name)):
        raise getattr(dbapi, name)(*error.args) from error


_MISSING_COLUMN = {
    1054: re.compile(r"invalid input: column .* does not exist", re.S),  # after 4.2.0
    20301: re.compile(r"column .* does not exist", re.S),
}


def reports_missing_column(error: BaseException) -> bool:
    """Return whether the driver's error is that a table does not have a column."""
    number = error.args[0] if error.args else None
    return number in _MISSING_COLUMN and _MISSING_COLUMN[number].search(str(error.args[-1])) is not None


# Most errors of the server, including those for lost connections, have one of these numbers. Only the message
# distinguishes them. The message of an error with any other number may contain these words as part of a value.
_GENERIC = frozenset((1105, 20101))
_LOST = (
    "context canceled",
    "backend closed",
    "client closed",
    "stream closed",
    "connection closed",
    "connection reset",
    "no available backend",
    "connect to remote backend",
    "connect to backend",
)


def reports_lost_connection(error: BaseException) -> bool:
    """Return whether the server reports that it has lost a connection, to the client or to another part of itself."""
    text = str(error).lower()
    return not _GENERIC.isdisjoint(error.args[:1]) and any(lost in text for lost in _LOST)
