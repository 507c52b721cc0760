"""Check for foreign keys and names that keep MatrixOne from restoring a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exc

from ..core.catalog_bytes import SELF, referring_tables
from ..core.hidden_names import left_out, refusal
from ..core.names import fold
from ..core.refusals import reason_of
from ..core.release import Feature
from ..exc import Reason, RestoreError

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer
    from .target import RecoveryTarget

_TABLES = (
    "SELECT rel_id, relname, HEX(`constraint`) FROM mo_catalog.mo_tables "
    "WHERE account_id = current_account_id() AND reldatabase = %s AND relkind = 'r'"
)


def check_restorable(dialect: MatrixOneServer, connection: Connection, target: RecoveryTarget, database: str) -> None:
    """Check that the server would not leave a table unchanged or drop it, and still report that it was restored.

    :raises RestoreError: if the server treats a table of the database as one of its own; if a foreign key refers to the
        table, even one of the table itself; or if a table of the database is referred to by one of another database,
        or before 4.2 by itself.
    """
    tables = _tables(dialect, connection, database)
    if target.level == "database" and (lost := left_out(dialect, (table.name for table in tables))):
        raise RestoreError(refusal("RESTORE", (f"{database}.{name}" for name in lost)), Reason.UNSUPPORTED)
    inside = {table.id for table in tables}
    if dialect.supports(Feature.RESTORE_OF_TREES):
        inside.add(SELF)
    referring = {table.name: set(referring_tables(table.constraints or "")) for table in tables}
    restored = inside
    if target.level == "table":
        name = fold(str(target.table))
        referring, restored = {name: referring.get(name, set())}, set()
    held = sorted(name for name, numbers in referring.items() if not numbers <= restored)
    if held:
        together = inside.issuperset(set().union(*(referring[name] for name in held)))
        advice = _advice(dialect, target, held, database, together=together)
        raise RestoreError(
            f"RESTORE was not sent: foreign keys refer to {', '.join(held)} of {database!r}. MatrixOne would leave "
            f"these tables unchanged, and report no error. {advice}",
            Reason.UNSUPPORTED,
        )


class _Table(NamedTuple):
    """A table, with its constraints as the server stores them."""

    id: int
    name: str
    constraints: str | None


def _tables(dialect: MatrixOneServer, connection: Connection, database: str) -> list[_Table]:
    """Return the tables of a database; none if reading them is not permitted.

    Then the restore is probably not permitted either.
    """
    with dialect.preserving_clean_state(connection):
        try:
            return [_Table(*row) for row in connection.exec_driver_sql(_TABLES, (fold(database),))]
        except exc.DBAPIError as error:
            if reason_of(error) is not Reason.NOT_PERMITTED:
                raise
            return []


def _advice(dialect: MatrixOneServer, target: RecoveryTarget, held: list[str], database: str, *, together: bool) -> str:
    """Return a suggestion for what to do instead.

    :param together: whether a restore of the database would restore everything that refers to them.
    """
    ways = [
        f"bring the rows of {', '.join(held)} back with Recovery.restore_rows() (restore-rows on the command line), "
        "which works with foreign keys"
    ]
    if dialect.supports(Feature.CLONE):
        ways.append(f"restore the {target.level} under another name with as_name= (--as on the command line)")
    if target.level == "table" and together:
        ways.append(f"restore database={database!r}, which contains all the keys")
    return f"Instead, {'; or '.join(ways)}."
