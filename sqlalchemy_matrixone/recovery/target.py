"""The object of a recovery statement: the cluster, an account, a database or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import Table

from ..core.arguments import Level, TableArgument, check_flag, check_object_name, table_of
from ..exc import MatrixOneArgumentError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

LEVELS: tuple[Level, ...] = ("cluster", "account", "database", "table")


class TargetKeywords(TypedDict, total=False):
    """The keywords that specify an object; see :meth:`RecoveryTarget.of`."""

    cluster: bool
    account: str | None
    database: str | None
    table: TableArgument | None


class SelectionKeywords(TargetKeywords, total=False):
    """The keywords that select snapshots or PITRs."""

    level: Level | None


def implied_name(database: str, table: str | None = None) -> str:
    """Return the implicit name of a PITR, which is that of its object: ``shop`` or ``shop.orders``."""
    return database if table is None else f"{database}.{table}"


@dataclass(frozen=True)
class RecoveryTarget:
    """An object at one of the four levels, as the caller specified it.

    ``database`` of a table may be None: the current database, which is known when the statement is compiled.

    :ivar named: the Table, if the caller passed one rather than a name.
    """

    level: Level
    account: str | None = None
    database: str | None = None
    table: str | None = None
    named: Table | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> RecoveryTarget | None:
        """Return the object that the four keywords specify, or None if they specify nothing.

        :raises MatrixOneArgumentError: if they contradict each other.
        """
        for keyword, name in (("account", account), ("database", database)):
            if name is not None:
                check_object_name(keyword, name)
        check_flag("cluster", cluster)
        if cluster and (account is not None or database is not None or table is not None):
            raise MatrixOneArgumentError(
                "cluster=True is the whole cluster: do not pass an account, database or table with it"
            )
        if cluster:
            return cls("cluster")
        if table is not None:
            return cls._of_table(account, database, table)
        if database is not None:
            return cls("database", account, database)
        return None if account is None else cls("account", account)

    @classmethod
    def _of_table(cls, account: str | None, database: str | None, table: TableArgument) -> RecoveryTarget:
        if isinstance(table, str):
            check_object_name("table", table)
            if database is None:
                raise MatrixOneArgumentError(f"table={table!r} is only a name: pass database=… as well, or the Table")
            return cls("table", account, database, str(table))
        named = table_of(table)
        check_object_name("table", named.name)
        if named.schema is not None:
            check_object_name("database", named.schema)
        if database is not None:
            raise MatrixOneArgumentError(
                f"table={named.name!r} has its own database: do not pass database={database!r} with it"
            )
        return cls("table", account, named.schema, named.name, named)

    def in_database(self, default: str | None, translate: Mapping[str | None, str | None] | None) -> str | None:
        """Return the name of the database; for a Table without a schema, that of the current database."""
        if self.named is None:
            return self.database
        schema = (translate or {}).get(self.database, self.database)
        database = schema if schema is not None else default
        if database is not None:
            check_object_name("database", database)
        return database

    def database_on(self, connection: Connection) -> str | None:
        """Return the name of the database for a connection and its ``schema_translate_map``."""
        translate = connection.get_execution_options().get("schema_translate_map")
        return self.in_database(connection.dialect.default_schema_name, translate)


def current_database(connection: Connection) -> str | None:
    """Return the database that names without a schema refer to, according to the ``schema_translate_map``."""
    own: str | None = connection.dialect.default_schema_name
    translate = connection.get_execution_options().get("schema_translate_map") or {}
    return translate.get(None) or own
