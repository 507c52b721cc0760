"""Look up databases, tables and columns of the current account by name, now or at an earlier point in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.names import fold
from ..core.release import Feature
from ..core.server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope


def object_exists(connection: Connection, database: str, table: str | None = None) -> bool:
    """Return whether there is a database of this name, or a table, view or sequence in it."""
    return object_id(connection, database, table) is not None


def id_in(connection: Connection, scope: RestoreScope, *, past: bool, logical: bool = False) -> int | None:
    """Return the id of the database or table of a scope; None if it does not exist.

    :param past: look at the point in time of the scope, rather than now.
    :param logical: as for :func:`object_id`.
    """
    assert scope.database is not None
    table = scope.table if scope.level == "table" else None
    return object_id(connection, scope.database, table, at=scope.past if past else "", logical=logical)


def object_id(
    connection: Connection, database: str, table: str | None = None, *, at: str = "", logical: bool = False
) -> int | None:
    """Return the id of a database, or of a table, view or sequence in it; None if it does not exist.

    :param at: a time-travel hint; empty for now.
    :param logical: of a table, return the id that it keeps when ALTER TABLE or TRUNCATE replaces it, from 4.1 on.
    """
    dialect = matrixone_dialect(connection)
    column = "rel_logical_id" if logical and dialect.supports(Feature.LOGICAL_TABLE_ID) else "rel_id"
    hint = at and f" {at}"
    with dialect.preserving_clean_state(connection):
        if table is None:
            found = connection.exec_driver_sql(
                f"SELECT dat_id FROM mo_catalog.mo_database{hint} "
                "WHERE account_id = current_account_id() AND datname = %s",
                (fold(database),),
            ).scalar()
        else:
            found = connection.exec_driver_sql(
                f"SELECT {column} FROM mo_catalog.mo_tables{hint} "
                "WHERE account_id = current_account_id() AND reldatabase = %s AND relname = %s",
                (fold(database), fold(table)),
            ).scalar()
    return None if found is None else int(found)


@dataclass(frozen=True)
class PresentObject:
    """A database or table in its current state.

    :ivar created: when it was created or last altered, to the second, in the session's time zone.
    """

    id: int
    created: str


PresentObjects = dict[tuple[str, str | None], PresentObject]
"""Objects by the names of their database and their own, which is None for a database."""


def present_objects(connection: Connection, databases: Iterable[str]) -> PresentObjects:
    """Return the databases that have these names, and the tables in them, by one statement."""
    names = tuple(sorted(set(databases)))
    if not names:
        return {}
    places = ", ".join(["%s"] * len(names))
    with matrixone_dialect(connection).preserving_clean_state(connection):
        rows = connection.exec_driver_sql(
            "SELECT datname, NULL, dat_id, created_time FROM mo_catalog.mo_database "
            f"WHERE account_id = current_account_id() AND datname IN ({places}) UNION ALL "
            "SELECT reldatabase, relname, rel_id, created_time FROM mo_catalog.mo_tables "
            f"WHERE account_id = current_account_id() AND reldatabase IN ({places})",
            names * 2,
        ).all()
    return {(row[0], row[1]): PresentObject(int(row[2]), str(row[3])[:19]) for row in rows}


def columns_of(connection: Connection, tables: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[str]]:
    """Return the names of the columns of each table that exists, in order.

    :param tables: the folded names of their databases, and their own.
    """
    found: dict[tuple[str, str], list[str]] = {}
    with matrixone_dialect(connection).preserving_clean_state(connection):
        for database, table in tables:
            names = connection.exec_driver_sql(
                "SELECT attname FROM mo_catalog.mo_columns WHERE account_id = current_account_id() "
                "AND att_is_hidden = 0 AND att_database = %s AND att_relname = %s ORDER BY attnum",
                (database, table),
            ).scalars()
            if columns := list(names):
                found[database, table] = columns
    return found
