"""Look up a snapshot, and read the server's catalog as of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .names import fold
from .release import Feature
from .server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def snapshot_instant(connection: Connection, name: str) -> int | None:
    """Return when a snapshot was created, in nanoseconds since 1970; None if the account has no such snapshot."""
    statement = "SELECT ts FROM mo_catalog.mo_snapshots WHERE sname = %s"
    with matrixone_dialect(connection).preserving_clean_state(connection):
        found = connection.exec_driver_sql(statement, (fold(name),)).scalar()
    return None if found is None else int(found)


def instant_for_catalog(connection: Connection, name: str) -> int | None:
    """Return the instant at which to read the catalog as of a snapshot; None if the snapshot itself does.

    After 4.2.0 the server refuses to read the catalog at a snapshot of a database or table.
    """
    if not matrixone_dialect(connection).supports(Feature.SNAPSHOT_OF_OWN_OBJECT):
        return None
    return snapshot_instant(connection, name)
