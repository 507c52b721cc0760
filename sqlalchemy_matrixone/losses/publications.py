"""Publications of restored objects: the server drops them with the former object, or removes its tables from them."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..core.names import fold, readable
from ..exc import Reason, RestoreError
from .scope import Loss, RestoreScope
from .unreadable import is_syntax_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

_ALL = "*"
_PLAIN = re.compile(r"\*|[A-Za-z_][\w$]*")
_SPECIAL = re.compile(r"['\\]")


def publish_again(scope: RestoreScope, connection: Connection) -> Loss:
    """Read how to publish the restored objects again. Subscribers find publications by their names."""
    loss = Loss()
    for publication in _publications(connection):
        if not _is_affected(scope, publication):
            continue
        if scope.level == "table":
            loss.statements.append(_alter(scope, publication))
        elif publication["sub_account"]:
            loss.statements.append(_create(scope, publication))
        else:
            loss.names.append(f"publication {scope.name(publication['publication'])}, whose accounts no longer exist")
    return loss


def publish_dropped(scope: RestoreScope, connection: Connection) -> Loss:
    """Read which publications may have contained a dropped table: the server has removed it from them."""
    if scope.level != "table":
        return publish_again(scope, connection)
    loss = Loss()
    for publication in _publications(connection):
        tables = list(filter(None, _parts(publication["tables"])))
        if publication["database"] == fold(scope.database) and tables != [_ALL]:
            name = scope.name(publication["publication"])
            listed = ", ".join(map(scope.name, [*tables, fold(scope.table) or ""]))
            loss.names.append(
                f"its place in publication {name}, if it had one: ALTER PUBLICATION {name} TABLE {listed}"
            )
    return loss


def check_publishers(connection: Connection, scope: RestoreScope, operation: str) -> None:
    """Check, before a restore of the cluster, that the accounts that had published something still exist.

    The server publishes again under the former ids of the accounts. If one was dropped since, even if an account of its
    name was created again, the server panics, commits what it has restored, and loses all publications.

    :param scope: has the point in time that is restored.
    :raises RestoreError: with reason unsupported.
    """
    with scope.dialect.preserving_clean_state(connection):
        published = scope.read(connection, "SELECT account_id, pub_name FROM mo_catalog.mo_pubs {at}", past=True)
        if not published:
            return
        accounts = scope.read(connection, "SELECT account_id FROM mo_catalog.mo_account")
    present = {int(row[0]) for row in accounts}
    if lost := [readable(scope.name(name)) for account, name in published if int(account) not in present]:
        raise RestoreError(
            f"{operation} was not sent: the accounts that had created the publications {', '.join(lost)} at that time "
            "were dropped since. MatrixOne would restore everything, then fail, and lose all publications. Restore the "
            "accounts one by one, account=…",
            Reason.UNSUPPORTED,
        )


@contextmanager
def explaining_publications(connection: Connection, scope: RestoreScope, operation: str) -> Iterator[None]:
    """If a restore of the cluster fails with a syntax error, raise an error that names the publications that cause it.

    The server executes CREATE PUBLICATION for those of all accounts, without quotes and maybe without an account.

    :param scope: has the point in time that is restored.
    :raises RestoreError: with reason unsupported.
    """
    try:
        yield
    except RestoreError as error:
        if not is_syntax_error(error):
            raise
        # A word that MySQL reserves need not be the cause.
        reserved = scope.dialect.identifier_preparer.reserved_words
        found = _unreadable(scope, connection) or _unreadable(scope, connection, reserved)
        if not found:
            raise
        raise RestoreError(
            f"{operation}: nothing was changed: the server cannot create these publications as they were at that time: "
            f"{readable('; '.join(found))}. Drop them, and create those that you need without these problems. Later "
            "points in time can then be restored. To restore this one, restore the accounts one by one, account=…",
            Reason.UNSUPPORTED,
        ) from error.__cause__


@contextmanager
def explaining_published_past(operation: str, scopes: Sequence[RestoreScope]) -> Iterator[None]:
    """If a PITR restore fails because a database was published at that time, raise an error that states this.

    The server's own error is that the name of the publication is not a number.

    :raises RestoreError: with reason unsupported.
    """
    try:
        yield
    except RestoreError as error:
        if "strconv.ParseInt: parsing" not in str(error) or all(scope.level == "table" for scope in scopes):
            raise
        raise RestoreError(
            f"{operation}: nothing was changed: a database was published at that time, and MatrixOne cannot restore "
            "published databases from a PITR. Restore the database under another name (as_name=), its tables one by "
            "one, or from a snapshot.",
            Reason.UNSUPPORTED,
        ) from error.__cause__


def _unreadable(scope: RestoreScope, connection: Connection, reserved: Collection[str] = frozenset()) -> list[str]:
    """Describe the publications that the server cannot create again.

    :param reserved: words that need quotes as names.
    """
    statement = (
        "SELECT account_name, pub_name, database_name, table_list, account_list, comment FROM mo_catalog.mo_pubs {at}"
    )
    with scope.dialect.preserving_clean_state(connection):
        rows = scope.read(connection, statement, past=True)
    return [
        f"{scope.name(name)} of account {account} ({problem})"
        for account, name, *definition in rows
        if (problem := _problem(reserved, name, *definition)) is not None
    ]


def _problem(
    reserved: Collection[str], name: str, database: str, tables: str, accounts: str, comment: str
) -> str | None:
    if not accounts:
        return "its accounts no longer exist"
    if not tables:
        return "its tables no longer exist"
    for part in (name, database, *_parts(tables), *_parts(accounts)):
        if part in reserved or not _PLAIN.fullmatch(part):
            return f"the name {part!r} would need quotes"
    return "a quote or backslash in its comment" if _SPECIAL.search(comment or "") else None


def _publications(connection: Connection) -> list[dict[str, Any]]:
    result = connection.exec_driver_sql("SHOW PUBLICATIONS").mappings()
    return [{str(key).lower(): value for key, value in row.items()} for row in result]


def _is_affected(scope: RestoreScope, publication: Mapping[str, Any]) -> bool:
    if scope.level == "account":
        return True
    if publication["database"] != fold(scope.database):
        return False
    return scope.level == "database" or fold(scope.table) in _parts(publication["tables"])


def _alter(scope: RestoreScope, publication: Mapping[str, Any]) -> str:
    """Return the statement that gives a publication its tables again, after it has lost one."""
    return f"ALTER PUBLICATION {scope.name(publication['publication'])} {_tables(scope, publication)}"


def _create(scope: RestoreScope, publication: Mapping[str, Any]) -> str:
    accounts = _parts(publication["sub_account"])
    comment = publication["comments"]
    return " ".join(
        filter(
            None,
            (
                f"CREATE PUBLICATION {scope.name(publication['publication'])}",
                f"DATABASE {scope.name(publication['database'])}",
                _tables(scope, publication),
                f"ACCOUNT {'ALL' if accounts == [_ALL] else ', '.join(map(scope.name, accounts))}",
                f"COMMENT {scope.text(comment)}" if comment else "",
            ),
        )
    )


def _tables(scope: RestoreScope, publication: Mapping[str, Any]) -> str:
    tables = _parts(publication["tables"])
    return "" if tables == [_ALL] else f"TABLE {', '.join(map(scope.name, tables))}"


def _parts(names: str) -> list[str]:
    return names.split(",")
