"""Read PITRs, and find out which of them still protect the object that has their object's name.

A PITR holds the id that its object had when the PITR was created. Only sys can read that id. For other accounts it is
derived from SHOW PITR and from the ids in the history.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from ..core.arguments import Level
from ..core.release import Feature
from ..core.server import SYS_ACCOUNT, matrixone_dialect
from ..core.zones import SERVER_ZONE, SESSION_ZONE
from ..exc import PitrError
from .clock import MICROSECOND, mo_ts_of
from .objects import PresentObjects, object_id, present_objects
from .server_rows import from_epoch, from_utc_text, named_part, show, to_utc
from .values import Pitr

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# A PITR restores only to times after its creation, excluding the creation itself. The times of a PITR are rounded up,
# so that they can be restored; as the server reports them, to the second or the nanosecond, they could not.
SECOND = dt.timedelta(seconds=1)


def _after_epoch(nanoseconds: int) -> dt.datetime:
    return from_epoch(nanoseconds) + MICROSECOND


def _after_second(text: Any) -> dt.datetime:
    return from_utc_text(text) + SECOND


def reads_pitrs_in_transaction(connection: Connection) -> bool:
    """Return whether the account is sys: only sys can read the table of PITRs."""
    return matrixone_dialect(connection).default_account_name == SYS_ACCOUNT


def reads_exact_pitr_times(connection: Connection) -> bool:
    """Return whether the times of PITRs are read to the microsecond, and not to the second."""
    is_exact = matrixone_dialect(connection).supports(Feature.PITR_TIMES_AS_EPOCH)
    return is_exact and reads_pitrs_in_transaction(connection)


def pitrs_of_sys(connection: Connection) -> list[Pitr]:
    """Return PITRs from the table that only sys can read, without those that other accounts have created."""
    dialect = matrixone_dialect(connection)
    as_epoch = dialect.supports(Feature.PITR_TIMES_AS_EPOCH)
    # Older releases have a TIMESTAMP column here that holds UTC, labelled as the server's local time.
    times = [
        time if as_epoch else f"CONVERT_TZ({time}, {SESSION_ZONE}, {SERVER_ZONE})"
        for time in ("p.create_time", "p.modified_time")
    ]
    with dialect.preserving_clean_state(connection):
        rows = connection.exec_driver_sql(
            "SELECT p.pitr_name, p.level, p.account_name, p.database_name, p.table_name, p.pitr_length, p.pitr_unit, "
            f"{', '.join(times)}, p.pitr_status, p.obj_id, d.dat_id, t.rel_id FROM mo_catalog.mo_pitr p "
            "LEFT JOIN mo_catalog.mo_database d ON d.account_id = p.account_id AND d.datname = p.database_name "
            "LEFT JOIN mo_catalog.mo_tables t ON t.account_id = p.account_id AND t.reldatabase = p.database_name "
            "AND t.relname = p.table_name "
            "WHERE p.create_account = current_account_id() ORDER BY p.create_time DESC, p.pitr_name"
        ).all()
    read_time = _after_epoch if as_epoch else _after_second
    missing = [int(row[10]) for row in rows if row[1] == "table" and row[12] is None]
    renamed = _renamed_tables(connection, missing)
    return [
        _pitr(row[:7], read_time(row[7]), read_time(row[8]), *_protects(renamed.get(int(row[10])), row[1], *row[9:]))
        for row in rows
    ]


@dataclass(frozen=True)
class _RenamedTable:
    """A table that a PITR was created for under another name."""

    id: int
    name: str


def _protects(
    renamed: _RenamedTable | None,
    level: Level,
    status: int,
    protected_id: int,
    database_id: int | None,
    table_id: int | None,
) -> tuple[bool, str | None]:
    """Return whether a PITR protects the object that has its name now, and the present name of a renamed table.

    The server's garbage collection goes by the object's id. It ignores the status, which 2.2 and 3.0 leave unchanged
    after some of the statements that replace a table.
    """
    if level == "table" and table_id is None and renamed is not None:
        return bool(status) and protected_id == renamed.id, renamed.name
    present = {"database": database_id, "table": table_id}.get(level, protected_id)
    return bool(status) and protected_id == present, None


def _renamed_tables(connection: Connection, held: Sequence[int]) -> dict[int, _RenamedTable]:
    """Return the tables of this account that have these ids now.

    A table keeps its id when it is renamed. From 4.1 on it keeps a second one when it is altered or truncated, too.
    """
    if not held:
        return {}
    dialect = matrixone_dialect(connection)
    ids = ", ".join(map(str, sorted(set(held))))
    first_id = "rel_logical_id" if dialect.supports(Feature.LOGICAL_TABLE_ID) else "rel_id"
    with dialect.preserving_clean_state(connection):
        rows = connection.exec_driver_sql(
            f"SELECT rel_id, {first_id}, relname FROM mo_catalog.mo_tables WHERE account_id = current_account_id() "
            f"AND ({first_id} IN ({ids}) OR rel_id IN ({ids}))"
        ).all()
    tables = {int(row[1]): _RenamedTable(int(row[0]), row[2]) for row in rows}
    return tables | {int(row[0]): _RenamedTable(int(row[0]), row[2]) for row in rows}


def pitrs_shown(connection: Connection) -> list[Pitr]:
    """Return the PITRs of SHOW PITR, which the server refuses inside a transaction."""
    rows = show(connection, "SHOW PITR", PitrError)
    if not rows:
        # CURRENT_ACCOUNT_ID() is 0, the account sys, in the next statement after SHOW PITR, except for a ROLLBACK.
        with matrixone_dialect(connection).preserving_clean_state(connection):
            connection.exec_driver_sql("SELECT 1")
        return []
    # The names of the columns differ between releases, their order does not. The times are in the session's time zone.
    times = to_utc(connection, (str(time) for row in rows for time in row[1:3]), SESSION_ZONE)
    times = {text: time + SECOND for text, time in times.items()}
    present = present_objects(connection, [row[5] for row in rows if row[3] in ("database", "table")])
    created = [times[str(row[1])] for row in rows]
    return [
        _pitr((row[0], *row[3:9]), since, times[str(row[2])], *_protects_by_time(connection, row, since, present))
        for row, since in zip(rows, created, strict=True)
    ]


def _protects_by_time(
    connection: Connection, row: Sequence[Any], created_at: dt.datetime, present: PresentObjects
) -> tuple[bool | None, str | None]:
    """Do what :func:`_protects` does, for accounts that cannot read which id a PITR holds.

    A PITR holds the id that the object had when the PITR was created. That id is read from history, unless the object
    is older than the PITR and has not been altered since.
    """
    level, database, table = row[3], row[5], named_part(row[6])
    if level not in ("database", "table"):
        return True, None
    found = present.get((database, table))
    if found is None:
        is_in_database = table is not None and (database, None) in present
        return _protects_renamed(connection, database, table, created_at) if is_in_database else (False, None)
    if found.created == str(row[1])[:19]:
        return None, None  # both were created in the same second, so it is unknown which was first
    # From 4.1 on it may hold a former id, even of a table that is older than the PITR.
    holds_present_id = table is None or not matrixone_dialect(connection).supports(Feature.LOGICAL_TABLE_ID)
    if found.created < str(row[1])[:19] and holds_present_id:
        return True, None
    held = _id_held_since(connection, database, table, created_at)
    return None if held is None else held == found.id, None


def _protects_renamed(
    connection: Connection, database: str, table: str | None, created_at: dt.datetime
) -> tuple[bool | None, str | None]:
    """Return whether the PITR of a table that does not exist under its name protects it under another one."""
    held = _id_held_since(connection, database, table, created_at)
    if held is None:
        return None, None
    renamed = _renamed_tables(connection, [held]).get(held)
    return (False, None) if renamed is None else (renamed.id == held, renamed.name)


def held_ids(connection: Connection, pitrs: Sequence[Pitr]) -> dict[str, int | None]:
    """Return the ids of the objects whose history PITRs keep; None for an id that cannot be determined."""
    if not reads_pitrs_in_transaction(connection):
        return {
            pitr.name: _id_held_since(connection, pitr.database, pitr.table, pitr.created_at)
            if pitr.database is not None
            else None
            for pitr in pitrs
        }
    with matrixone_dialect(connection).preserving_clean_state(connection):
        rows = connection.exec_driver_sql(
            "SELECT pitr_name, obj_id FROM mo_catalog.mo_pitr WHERE create_account = current_account_id()"
        ).all()
    return {row[0]: int(row[1]) for row in rows}


def _id_held_since(connection: Connection, database: str, table: str | None, created_at: dt.datetime) -> int | None:
    """Return the id of this object that a PITR created at that time holds; None if it cannot be read."""
    # The server refuses a TIMESTAMP of more than an hour ago, unless it is that of a snapshot. It accepts any MO_TS.
    at = f"{{MO_TS = {mo_ts_of(created_at.replace(microsecond=0))}}}"
    try:
        return object_id(connection, database, table, at=at, logical=True)
    except exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        return None


def _pitr(
    row: Sequence[Any],
    created_at: dt.datetime,
    modified_at: dt.datetime,
    active: bool | None,
    renamed_to: str | None,
) -> Pitr:
    name, level, account, database, table, length, unit = row
    return Pitr(
        name,
        level,
        named_part(account),
        named_part(database),
        named_part(table),
        length,
        unit,
        created_at,
        modified_at,
        active,
        renamed_to,
    )
