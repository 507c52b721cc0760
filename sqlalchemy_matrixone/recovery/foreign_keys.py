"""Foreign keys that keep MatrixOne from restoring what they refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.catalog_bytes import SELF, referring_tables
from ..core.release import Feature
from ..exc import Reason, RestoreError, reason_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer
    from .target import RecoveryTarget

_TABLES = (
    "SELECT rel_id, relname, HEX(`constraint`) FROM mo_catalog.mo_tables "
    "WHERE account_id = current_account_id() AND reldatabase = %s AND relkind = 'r'"
)


def check_restorable(dialect: MatrixOneServer, connection: Connection, target: RecoveryTarget, database: str) -> None:
    """
    :raises RestoreError: where the server would leave a table as it is, and report that it was restored: with a table
        alone, where a foreign key refers to it, its own included; with a database, where one out of another database
        does, and before 4.2 the table's own.
    """
    with dialect.preserving_clean_state(connection):
        try:
            rows = connection.exec_driver_sql(_TABLES, (database.lower(),)).all()
        except exc.DBAPIError as error:
            if reason_of(error) is Reason.NOT_PERMITTED:
                return  # nor is the restore, likely
            raise
    restored = {SELF} if dialect.supports(Feature.RESTORE_OF_TREES) else set()
    restored.update(number for number, _, _ in rows)
    if target.level == "table":
        assert target.table is not None
        restored, rows = set(), [row for row in rows if row[1] == target.table.lower()]
    held = [name for _, name, constraints in rows if not restored.issuperset(referring_tables(constraints or ""))]
    if held:
        raise RestoreError(
            f"RESTORE was not sent: foreign keys refer to {', '.join(sorted(held))} of {database!r}, which MatrixOne "
            "would then leave as it is, and report no error. Restore the whole account, or drop these keys first and "
            "create them again afterwards.",
            Reason.UNSUPPORTED,
        )
