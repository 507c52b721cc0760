"""Check for foreign keys and names that keep MatrixOne from restoring a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.catalog_bytes import SELF, referring_tables
from ..core.hidden_names import left_out, refusal
from ..core.names import fold
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
    """Check that the server would not leave a table unchanged or drop it, and still report that it was restored.

    :raises RestoreError: if the server takes a table of the database for one of its own; if a foreign key refers to the
        table, even one of the table itself; or if a table of the database is referred to by one of another database,
        or before 4.2 by itself.
    """
    with dialect.preserving_clean_state(connection):
        try:
            rows = connection.exec_driver_sql(_TABLES, (fold(database),)).all()
        except exc.DBAPIError as error:
            if reason_of(error) is Reason.NOT_PERMITTED:
                return  # the restore is probably not permitted either
            raise
    if target.level == "database" and (lost := left_out(dialect, (name for _, name, _ in rows))):
        raise RestoreError(refusal("RESTORE", (f"{database}.{name}" for name in lost)), Reason.UNSUPPORTED)
    inside = {SELF} if dialect.supports(Feature.RESTORE_OF_TREES) else set()
    inside.update(number for number, _, _ in rows)
    restored = inside
    if target.level == "table":
        assert target.table is not None
        restored, rows = set(), [row for row in rows if row[1] == fold(target.table)]
    referring = {name: set(referring_tables(constraints or "")) for _, name, constraints in rows}
    held = sorted(name for name, tables in referring.items() if not tables <= restored)
    if held:
        together = inside.issuperset(set().union(*(referring[name] for name in held)))
        advice = _advice(dialect, target, held, database, together=together)
        raise RestoreError(
            f"RESTORE was not sent: foreign keys refer to {', '.join(held)} of {database!r}. MatrixOne would leave "
            f"that as it is, and report no error. {advice}",
            Reason.UNSUPPORTED,
        )


def _advice(dialect: MatrixOneServer, target: RecoveryTarget, held: list[str], database: str, *, together: bool) -> str:
    """Return a suggestion for what to do instead.

    :param together: whether a restore of the database would restore everything that refers to them.
    """
    ways = [f"bring the rows of {', '.join(held)} back with Recovery.restore_rows(), which works with foreign keys"]
    if dialect.supports(Feature.CLONE):
        clone = "CloneTable" if target.level == "table" else "CloneDatabase"
        ways.append(f"read them in a copy beside it, {clone}(…, snapshot=…) or timestamp=…")
    if target.level == "table" and together:
        ways.append(f"restore database={database!r}, in which all the keys are")
    return f"Instead, {'; or '.join(ways)}."
