"""What a recovery statement is about: the cluster, an account, a database or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Table, inspect
from sqlalchemy.orm import Mapper

from ..exc import RecoveryArgumentError

Level = Literal["cluster", "account", "database", "table"]
LEVELS: tuple[Level, ...] = ("cluster", "account", "database", "table")

SYS_ACCOUNT = "sys"

SNAPSHOT_NAME_LENGTH = 64
# The server refuses spaces and quotes. It takes a backslash or a control character, and then cannot find the
# snapshot again: it writes the name into SQL of its own as it is.
_NOT_IN_NAMES = " \t`\"'\\\0\r\n"


@dataclass(frozen=True)
class What:
    """An object at one of the four levels, as the caller named it.

    ``database`` of a table may be None: the connection's own, known when the statement is compiled.

    :ivar named: the Table that the caller gave, rather than a name.
    """

    level: Level
    account: str | None = None
    database: str | None = None
    table: str | None = None
    named: Table | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls, *, cluster: bool = False, account: str | None = None, database: str | None = None, table: Any = None
    ) -> What | None:
        """The object that the four keywords of the vocabulary name, or None where they name nothing.

        :raises RecoveryArgumentError: where they don't belong together.
        """
        for keyword, name in (("account", account), ("database", database)):
            if name is not None:
                check_object_name(keyword, name)
        if cluster and (account is not None or database is not None or table is not None):
            raise RecoveryArgumentError("cluster=True is the whole cluster: name no account, database or table with it")
        if cluster:
            return cls("cluster")
        if table is not None:
            return cls._of_table(account, database, table)
        if database is not None:
            return cls("database", account, database)
        return None if account is None else cls("account", account)

    @classmethod
    def _of_table(cls, account: str | None, database: str | None, table: Any) -> What:
        if isinstance(table, str):
            check_object_name("table", table)
            if database is None:
                raise RecoveryArgumentError(
                    f"table={table!r} is a name alone: say which database it is in, database=…, or give the Table"
                )
            return cls("table", account, database, str(table))
        named = table_of(table)
        check_object_name("table", named.name)
        if database is not None:
            raise RecoveryArgumentError(
                f"table={named.name!r} knows its own database: name no database={database!r} with it"
            )
        return cls("table", account, named.schema, named.name, named)

    def in_database(self, default: str | None, translate: Mapping[str | None, str | None] | None) -> str | None:
        """The name of the database, with the connection's own for a Table that names none."""
        if self.named is None:
            return self.database
        schema = (translate or {}).get(self.database, self.database)
        database = schema if schema is not None else default
        if database is not None:
            check_object_name("database", database)
        return database


def table_of(target: Any) -> Table:
    """The Table of a mapped class, or the Table itself."""
    if isinstance(target, Table):
        return target
    mapper = inspect(target, raiseerr=False)
    if isinstance(mapper, Mapper) and isinstance(mapper.local_table, Table):
        return mapper.local_table
    raise RecoveryArgumentError(f"table={target!r} is neither a mapped class, a Table nor a name")


def check_is_name(keyword: str, name: Any) -> None:
    """Names are quoted whatever they contain, but are not empty."""
    if not isinstance(name, str) or not name.strip():
        raise RecoveryArgumentError(f"{keyword}={name!r} is not a name")


def check_object_name(keyword: str, name: Any) -> None:
    """Names of accounts, databases and tables in recovery statements.

    One with a backslash the server takes there for another: it writes the name into SQL of its own as it is.
    """
    check_is_name(keyword, name)
    if "\\" in name:
        raise RecoveryArgumentError(
            f"{keyword}={name!r}: MatrixOne cannot keep or restore what has a backslash in its name"
        )


def check_name(kind: str, name: Any) -> str:
    """A name of a snapshot or PITR, if the server would take it whole.

    The server cuts a snapshot's name at 64 characters without a word (not so a PITR's), and refuses
    spaces and quotes.
    """
    if not isinstance(name, str) or not name:
        raise RecoveryArgumentError(f"{name!r} is not a name for a {kind}")
    if kind == "snapshot" and len(name) > SNAPSHOT_NAME_LENGTH:
        raise RecoveryArgumentError(
            f"snapshot name {name!r} has {len(name)} characters, of which MatrixOne would keep "
            f"{SNAPSHOT_NAME_LENGTH}: shorten it"
        )
    for character in _NOT_IN_NAMES:
        if character in name:
            raise RecoveryArgumentError(
                f"{kind} name {name!r} contains {character!r}, which MatrixOne refuses or cannot find again: "
                "leave out spaces, quotes and backslashes"
            )
    return name
