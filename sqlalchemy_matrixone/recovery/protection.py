"""Check, before a snapshot or PITR of a table is created, what it would not protect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from ..core.names import fold
from ..core.refusals import reason_of
from ..core.release import Feature, format_release
from ..core.server import SYS_ACCOUNT, matrixone_dialect
from ..core.warning import warn
from ..exc import PitrError, Reason, RecoveryWarning, SnapshotError
from .pitr_objects import range_of
from .pitr_range import PitrRange

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from ..exc import RecoveryError
    from .values import Pitr


def check_table_is_protected(
    connection: Connection, database: str, table: str, statement: str, error: type[RecoveryError]
) -> None:
    """Refuse to protect a table of which the server would keep nothing, and warn of parts that it would not keep.

    Garbage collection goes by the ids of tables. A table's secondary indexes and its partitions have separate ids,
    none of which a PITR of the table holds. From 4.1 on a snapshot or PITR of a table holds the id that the table
    had when the table was created.

    :param statement: the statement that is about to be sent, for the messages.
    :raises RecoveryError: of the given class, with reason unsupported.
    """
    found = _read(connection, database, table)
    if found is None or found[0] is None:
        return  # the server reports that there is no such table
    kind, partitioned, indexes, has_first_id = tuple(found)
    _check_kind(kind, f"{database}.{table}", statement, error)
    release = format_release(matrixone_dialect(connection).server_release)
    advice = f"Use database={database!r} instead, from which the table alone can be restored too."
    reason = (
        "it is partitioned" if partitioned else "ALTER TABLE, TRUNCATE or DELETE without WHERE has given it a new id"
    )
    if partitioned or not has_first_id:
        raise error(
            f"{statement} was not sent: MatrixOne {release} would keep no history of table {database}.{table}, because "
            f"{reason}. {advice}",
            Reason.UNSUPPORTED,
        )
    if indexes and error is PitrError:
        warn(
            f"{statement} keeps the rows of table {database}.{table}, but not its secondary indexes: reads of the past "
            f"that use one, and reads after a restore, may find no rows. {advice}",
            RecoveryWarning,
        )


_WITHOUT_HISTORY = {
    "e": "an external table, whose rows are not stored in MatrixOne. Make a copy of its file",
    "S": "a sequence, which is restored only with its database. Protect the database",
}


def _check_kind(kind: str, name: str, statement: str, error: type[RecoveryError]) -> None:
    """Refuse to protect what is not a table, and warn of a view, whose rows are those of other tables."""
    if kind in _WITHOUT_HISTORY:
        raise error(f"{statement} was not sent: {name} is {_WITHOUT_HISTORY[kind]}.", Reason.UNSUPPORTED)
    if kind == "v":
        warn(
            f"{statement} keeps only the definition of view {name}, but no rows: protect the tables that it reads, or "
            "their database.",
            RecoveryWarning,
        )


def _read(connection: Connection, database: str, table: str) -> Row[Any] | None:
    """Return the kind of the table, whether it is partitioned, how many indexes it has, and if its id is the first."""
    dialect = matrixone_dialect(connection)
    splits = dialect.supports(Feature.LOGICAL_TABLE_ID)
    # Before 3.0 a restore inserts the rows, and their index entries with them.
    indexes = "COUNT(i.index_table_name)" if dialect.supports(Feature.CLONE) else "0"
    columns = (
        f"MAX(t.relkind), MAX(t.partitioned), {indexes}, MAX(t.rel_id) = MAX(t.rel_logical_id)"
        if splits
        else f"MAX(t.relkind), MAX(0 * t.rel_id), {indexes}, 1"
    )
    with dialect.preserving_clean_state(connection):
        try:
            return connection.exec_driver_sql(
                f"SELECT {columns} FROM mo_catalog.mo_tables t "
                "LEFT JOIN mo_catalog.mo_indexes i ON i.table_id = t.rel_id AND i.index_table_name <> '' "
                "WHERE t.account_id = current_account_id() AND t.reldatabase = %s AND t.relname = %s",
                (fold(database), fold(table)),
            ).first()
        except exc.DBAPIError as refused:
            if reason_of(refused) is Reason.NOT_PERMITTED:
                return None  # the snapshot or PITR is not permitted either
            raise


def describe_existing(
    pitr: Pitr, wanted: PitrRange, *, is_of_object: bool, protected_by: Pitr | None = None
) -> str | None:
    """Return what differs between an existing PITR and the one that was to be created; None if nothing does.

    :param is_of_object: whether it has the object of that one.
    :param protected_by: another PITR that protects what replaced its object.
    """
    if not is_of_object:
        return f"PITR {pitr.name!r} existed already, but belongs to {pitr.describe()}, not to that object."
    if pitr.active is False:
        return f"PITR {pitr.name!r} existed already, and {describe_inactive(pitr, protected_by)}"
    return other_range(pitr, wanted) if has_other_range(pitr, wanted) else None


def describe_inactive(pitr: Pitr, protected_by: Pitr | None) -> str:
    """Return a sentence, without its beginning, on an inactive PITR and what protects its object now, if known."""
    sentence = f"is inactive: it keeps the history of the former {pitr.describe()}."
    if protected_by is not None:
        name, what = protected_by.name, protected_by.describe()
        return f"{sentence} PITR {name!r} of {what} protects the object that replaced it."
    call = f"Recovery.reactivate_pitrs(database={pitr.database!r})"
    return f"{sentence} To protect the object that replaced it, call {call}."


def has_other_range(pitr: Pitr, wanted: PitrRange) -> bool:
    """Return whether a PITR reaches further back than wanted, or less far."""
    return range_of(pitr).hours != wanted.hours


def other_range(pitr: Pitr, wanted: PitrRange) -> str:
    """Return a sentence on a PITR that existed already with another range."""
    return (
        f"PITR {pitr.name!r} existed already, and keeps its range of {pitr.range}; {str(wanted)!r} was not set. To "
        f"change it, call Recovery.alter_pitr({pitr.name!r}, range={str(wanted)!r}), or op.alter_pitr() in a migration."
    )


_HELD_BY_SNAPSHOT = (
    "SELECT s.level, s.obj_id, d.dat_id, t.rel_id FROM mo_catalog.mo_snapshots s "
    "LEFT JOIN mo_catalog.mo_database d ON d.account_id = current_account_id() AND d.datname = s.database_name "
    "LEFT JOIN mo_catalog.mo_tables t ON t.account_id = current_account_id() AND t.reldatabase = s.database_name "
    "AND t.relname = s.table_name WHERE s.sname = %s"
)


def check_snapshot_is_of_own_object(connection: Connection, name: str) -> None:
    """Check, as sys, that a new snapshot holds an object of sys, rather than of the same name in another account.

    The server searches all accounts for a database, before 3.0 for a table too.

    :raises SnapshotError: with reason unsupported.
    """
    dialect = matrixone_dialect(connection)
    if dialect.default_account_name != SYS_ACCOUNT:
        return
    with dialect.preserving_clean_state(connection):
        row = connection.exec_driver_sql(_HELD_BY_SNAPSHOT, (fold(name),)).first()
    if row is None or row[0] not in ("database", "table"):
        return
    level, held, database, table = row
    if int(held) != (database if level == "database" else table):
        raise SnapshotError(
            f"snapshot {name!r} was created, but keeps nothing of what it was created for: MatrixOne found a {level} "
            "of that name in another account. Drop it, and take one of the whole account: create_snapshot(name).",
            Reason.UNSUPPORTED,
        )
