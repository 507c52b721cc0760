"""Look up databases, tables and columns that exist now in the current account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.names import fold
from ..core.server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def database_exists(connection: Connection, database: str) -> bool:
    """Return whether there is a database of this name."""
    with matrixone_dialect(connection).preserving_clean_state(connection):
        found = connection.exec_driver_sql(
            "SELECT dat_id FROM mo_catalog.mo_database WHERE account_id = current_account_id() AND datname = %s",
            (fold(database),),
        ).first()
    return found is not None


def table_exists(connection: Connection, database: str, table: str) -> bool:
    """Return whether there is a table, view or sequence of this name."""
    with matrixone_dialect(connection).preserving_clean_state(connection):
        found = connection.exec_driver_sql(
            "SELECT rel_id FROM mo_catalog.mo_tables "
            "WHERE account_id = current_account_id() AND reldatabase = %s AND relname = %s",
            (fold(database), fold(table)),
        ).first()
    return found is not None


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
