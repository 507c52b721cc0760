"""The keywords of the operations: their types, their documentation, and their values as written in a migration.

Each operation names its keywords in a ``TypedDict`` that is composed of those below. ``python -m tools.op_stub`` writes
them out in ``op.pyi``, which editors, type checkers and the reference pages read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal, TypedDict

from ...core.arguments import (
    TableArgument,
    Timeout,
    Timestamp,
    check_flag,
    check_is_name,
    check_object_name,
    check_timeout,
    check_timestamp,
    table_of,
)
from ...exc import MatrixOneArgumentError
from ...recovery.pitr_range import PitrRange
from ...recovery.preservation import check_lose

Database = str | Literal[True] | None
"""The name of a database, or True for the current database of the connection."""


class Object(TypedDict, total=False):
    """A database or a table."""

    database: Database
    table: TableArgument | None


class Target(TypedDict, total=False):
    """An object at one of the four levels. Without any of these, the current account."""

    cluster: bool
    account: str | None
    database: Database
    table: TableArgument | None


class InDatabase(TypedDict, total=False):
    """The database of what is named without one."""

    database: Database


class Published(TypedDict, total=False):
    """An object that another account has published."""

    from_account: str | None
    publication: str | None


class IfExists(TypedDict, total=False):
    """For operations that drop or alter."""

    if_exists: bool


class IfNotExists(TypedDict, total=False):
    """For operations that create."""

    if_not_exists: bool


class Restoring(TypedDict, total=False):
    """How to restore."""

    to_account: str | None
    timeout: Timeout | None
    lose: Collection[str]
    as_name: str | None
    verify: bool


class Instant(TypedDict, total=False):
    """A point in time."""

    timestamp: Timestamp | None
    mo_ts: int | None


class ServerInstant(Instant, total=False):
    """A point in time, also on the server's clock."""

    server_time: str | None


class Source(TypedDict, total=False):
    """The state of what is copied."""

    snapshot: str | None
    timestamp: Timestamp | None
    mo_ts: int | None


class ToAccount(TypedDict, total=False):
    """For copies into other accounts."""

    to_account: str | None


class CopyGrants(TypedDict, total=False):
    """For copies that keep privileges."""

    copy_grants: bool


class CommitFirst(TypedDict, total=False):
    """For all operations."""

    commit_first: bool


DOCUMENTATION = {
    "cluster": "True for the whole cluster.",
    "account": "the name of an account.",
    "database": "the name of a database; True for the one that the migration runs on.",
    "table": "the name of a table, a mapped class or a Table. A name without ``database=`` is that of a table in the "
    "database that the migration runs on.",
    "copy_grants": "see :class:`~sqlalchemy_matrixone.CloneTable`.",
    "from_account": "see :class:`~sqlalchemy_matrixone.CreateSnapshot`, also for ``publication``.",
    "publication": "requires MatrixOne 4.0 or later.",
    "if_exists": "no error if it does not exist.",
    "if_not_exists": "no error if it exists, for instance because a migration is repeated that failed after this "
    "operation.",
    "to_account": "create it in this account. Only the sys account may do that.",
    "timeout": "seconds, or a timedelta, after which the restore is ended and changes nothing. It does not apply to "
    "scripts created with ``--sql``.",
    "lose": "what not to recreate after the restore; see :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`. A "
    "script created with ``--sql`` contains only the server's statement, which recreates nothing.",
    "as_name": "restore the database or table under this name, a table in the same database, **beside the present "
    "one**, which stays as it is. Requires MatrixOne 3.0 or later and a connection. See "
    ":meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`.",
    "verify": "compare the result with what was to be restored.",
    "server_time": "the time on the server's clock, which is sent unchanged. Use it for ``--sql`` scripts.",
    "snapshot": "copy its state at this snapshot.",
    "timestamp": "its state at this instant: a str with a UTC offset, or an aware datetime.",
    "mo_ts": "the same in nanoseconds since 1970.",
    "commit_first": "False to raise an error instead of committing what was written before.",
}
"""The documentation of each keyword, unless the docstring of an operation has its own."""

OF_OPERATIONS = frozenset(("commit_first", "lose", "as_name", "verify"))
"""The keywords that are not those of the constructs."""

FLAGS = frozenset(("cluster", "verify", "if_exists", "if_not_exists", "copy_grants"))

_Arguments = dict[str, Any]


def plain(arguments: _Arguments) -> _Arguments:
    """Return the given arguments as values that can be written in a migration, without those that are defaults."""
    for keyword in (FLAGS | {"commit_first"}) & arguments.keys():
        check_flag(keyword, arguments[keyword])
    given = {keyword: value for keyword, value in arguments.items() if not _is_default(keyword, value)}
    for keyword in _PLAIN.keys() & given.keys():
        given[keyword] = _PLAIN[keyword](given[keyword])
    if not isinstance(given.get("table", ""), str):
        _name_table(given)
    return given


def _is_default(keyword: str, value: object) -> bool:
    if keyword == "commit_first":
        return value is True
    if keyword == "lose":
        return value is None or (isinstance(value, Collection) and not len(value))
    return value is None or (keyword in FLAGS and value is False)


def _plain_database(database: Any) -> str | Literal[True]:
    return True if database is True else check_is_name("database", database)


def _plain_name(name: Any) -> str:
    check_object_name("as_name", name)
    return str(name)


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "as_name": _plain_name,
    "database": _plain_database,
    "lose": lambda lose: sorted(check_lose(lose)),
    "range": lambda range_: str(PitrRange.of(range_)),
    "timeout": check_timeout,
    "timestamp": lambda timestamp: check_timestamp(timestamp).isoformat(" "),
}


def _name_table(arguments: _Arguments) -> None:
    """Replace a Table or mapped class by the names of the table and its database."""
    if "database" in arguments:
        raise MatrixOneArgumentError("pass either a Table, which has its own schema, or database=")
    table = table_of(arguments["table"])
    arguments["table"] = str(table.name)
    if table.schema is not None:
        arguments["database"] = str(table.schema)


def known_database(own_database: str | None) -> str:
    """Return the current database of a connection.

    :raises MatrixOneArgumentError: if there is none.
    """
    if own_database is None:
        raise MatrixOneArgumentError("the connection has no current database: pass database=, or put one in the URL")
    return own_database
