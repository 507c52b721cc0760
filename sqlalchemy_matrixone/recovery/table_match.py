"""Check for tables that MatrixOne before 4.2 would restore instead of the given one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.names import fold
from ..core.release import Feature, format_release
from ..exc import Reason, RestoreError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer

_MATCHES = (
    "SELECT relname FROM mo_catalog.mo_tables {{SNAPSHOT = {}}} "
    "WHERE account_id = current_account_id() AND reldatabase = %s AND relname LIKE %s"
)


def check_only_match(
    dialect: MatrixOneServer, connection: Connection, snapshot: str, database: str, table: str
) -> None:
    """Check that the name of a table, as a pattern of LIKE, matches no other table in a snapshot.

    Before 4.2 the server searches for it in this way: ``user_roles`` matches ``user-roles`` as well.

    :raises RestoreError: if the server would restore another table, or none.
    """
    if dialect.supports(Feature.RESTORE_OF_EXACT_TABLE) or not {"_", "%"}.intersection(table):
        return
    matches = _matches(dialect, connection, snapshot, database, table)
    others = sorted(matches - {fold(table)})
    if not others:
        return  # only itself, or none: in that case the server reports it
    needed = format_release(Feature.RESTORE_OF_EXACT_TABLE.since)
    sentence = f"RESTORE was not sent: before {needed} MatrixOne treats the name of a table as a LIKE pattern"
    if fold(table) not in matches:
        raise RestoreError(
            f"{sentence}. There is no table {table!r} of {database!r} in snapshot {snapshot!r}, and it would restore "
            f"{others[0]!r} instead.",
            Reason.NOT_FOUND,
        )
    raise RestoreError(
        f"{sentence}, and {table!r} matches {', '.join(map(repr, others))} of {database!r} too. Restore the whole "
        f"database={database!r}; or bring the rows back with Recovery.restore_rows().",
        Reason.UNSUPPORTED,
    )


def _matches(
    dialect: MatrixOneServer, connection: Connection, snapshot: str, database: str, table: str
) -> frozenset[str]:
    statement = _MATCHES.format(dialect.identifier_preparer.quote_identifier(snapshot))
    with dialect.preserving_clean_state(connection):
        try:
            rows = connection.exec_driver_sql(statement, (fold(database), fold(table)))
            return frozenset(rows.scalars())
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            return frozenset()  # no such snapshot, or no privilege for it: the restore is refused as well
