"""Checks of what callers pass in: names, points in time, tables."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import Table, inspect
from sqlalchemy.orm import Mapper

from ..exc import MatrixOneArgumentError

SNAPSHOT_NAME_LENGTH = 64


# The server refuses spaces and quotes. It takes a backslash or a control character, and then cannot find the
# snapshot again: it writes the name into SQL of its own as it is.
_NOT_IN_NAMES = " \t`\"'\\\0\r\n"


def table_of(target: Any) -> Table:
    """The Table of a mapped class, or the Table itself."""
    if isinstance(target, Table):
        return target
    mapper = inspect(target, raiseerr=False)
    if isinstance(mapper, Mapper) and isinstance(mapper.local_table, Table):
        return mapper.local_table
    raise MatrixOneArgumentError(f"table={target!r} is neither a mapped class, a Table nor a name")


def check_is_name(keyword: str, name: Any) -> None:
    """Names are quoted whatever they contain, but are not empty."""
    if not isinstance(name, str) or not name.strip():
        raise MatrixOneArgumentError(f"{keyword}={name!r} is not a name")


def check_object_name(keyword: str, name: Any) -> None:
    """Names of accounts, databases and tables in recovery statements.

    One with a backslash the server takes there for another: it writes the name into SQL of its own as it is.
    """
    check_is_name(keyword, name)
    if "\\" in name:
        raise MatrixOneArgumentError(
            f"{keyword}={name!r}: MatrixOne cannot keep or restore what has a backslash in its name"
        )


def check_name(kind: str, name: Any) -> str:
    """A name of a snapshot or PITR, if the server would take it whole.

    The server cuts a snapshot's name at 64 characters without a word (not so a PITR's), and refuses
    spaces and quotes.
    """
    if not isinstance(name, str) or not name:
        raise MatrixOneArgumentError(f"{name!r} is not a name for a {kind}")
    if kind == "snapshot" and len(name) > SNAPSHOT_NAME_LENGTH:
        raise MatrixOneArgumentError(
            f"snapshot name {name!r} has {len(name)} characters, of which MatrixOne would keep "
            f"{SNAPSHOT_NAME_LENGTH}: shorten it"
        )
    for character in _NOT_IN_NAMES:
        if character in name:
            raise MatrixOneArgumentError(
                f"{kind} name {name!r} contains {character!r}, which MatrixOne refuses or cannot find again: "
                "leave out spaces, quotes and backslashes"
            )
    return name


def check_moment(when: Any) -> dt.datetime | str:
    """An aware datetime or a text, never a naive datetime.

    :raises MatrixOneArgumentError: says why.
    """
    if isinstance(when, str):
        return when
    if not isinstance(when, dt.datetime):
        raise MatrixOneArgumentError(
            f"{when!r} is not a moment: give an aware datetime, or the server's own text of it"
        )
    if when.utcoffset() is None:
        raise MatrixOneArgumentError(
            f"{when!r} is naive, and the server would read it in its own zone, hours away from yours perhaps: "
            "give it a timezone, as in datetime.now(timezone.utc)"
        )
    return when
