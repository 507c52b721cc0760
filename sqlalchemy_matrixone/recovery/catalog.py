"""Read snapshots, PITRs and recovery windows from the server."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

from sqlalchemy import exc

from ..core.arguments import Level, check_choice, check_is_name
from ..core.names import fold
from ..core.refusals import server_errors_as
from ..core.release import Feature
from ..core.server import OUTSIDE_TRANSACTION, SYS_ACCOUNT, matrixone_dialect
from ..core.zones import SERVER_ZONE, SESSION_ZONE, UTC_ZONE, convert_zone
from ..exc import PitrError, RecoveryError, SnapshotError
from .clock import MICROSECOND, from_microseconds, mo_ts_of
from .objects import PresentObjects, object_id, present_objects
from .target import LEVELS, RecoveryTarget, SelectionKeywords, TargetKeywords
from .values import Pitr, Snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


# Rows that the server keeps for itself.
_RESERVED_PITR = "sys_mo_catalog_pitr"
_RESERVED_PREFIXES = ("__mo_branch_", "ccpr_")

TO_READ_CATALOG = "GRANT SELECT ON TABLE mo_catalog.*, or the administrator of the account"
"""What a user needs to read the server's catalog, for messages."""


@dataclass(frozen=True)
class _Filter:
    """A selection of rows: those that match every given part."""

    level: Level | None = None
    account: str | None = None
    database: str | None = None
    table: str | None = None

    @classmethod
    def of(cls, connection: Connection, level: Level | None = None, **target: Unpack[TargetKeywords]) -> _Filter:
        if level is not None:
            check_choice("level", level, LEVELS)
        named = RecoveryTarget.of(**target)
        if named is None:
            return cls(level)
        database = named.database_on(connection)
        if named.level == "cluster":
            return cls("cluster")
        return cls(level, *map(fold, (named.account, database, named.table)))

    def admits(self, row: Snapshot | Pitr) -> bool:
        return all(
            wanted is None or wanted == there
            for wanted, there in (
                (self.level, row.level),
                (self.account, row.account),
                (self.database, row.database),
                (self.table, row.table),
            )
        )


def _check_wanted(name: str | None) -> None:
    if name is not None:
        check_is_name("name", name)


def get_snapshots(
    connection: Connection, *, name: str | None = None, **selection: Unpack[SelectionKeywords]
) -> list[Snapshot]:
    """Return the account's snapshots, newest first. Allowed inside a transaction."""
    _check_wanted(name)
    wanted = _Filter.of(connection, **selection)
    dialect = matrixone_dialect(connection)
    own_rows = "WHERE kind <> 'branch' " if dialect.supports(Feature.INTERNAL_ROWS) else ""
    with (
        server_errors_as(SnapshotError, "reading snapshots", needs=TO_READ_CATALOG),
        dialect.preserving_clean_state(connection),
    ):
        rows = connection.exec_driver_sql(
            "SELECT sname, level, account_name, database_name, table_name, ts "
            f"FROM mo_catalog.mo_snapshots {own_rows}ORDER BY ts DESC, sname"
        ).all()
    snapshots = [
        Snapshot(row[0], row[1], named_part(row[2]), named_part(row[3]), named_part(row[4]), _from_epoch(row[5]))
        for row in rows
        if not row[0].startswith(_RESERVED_PREFIXES)
    ]
    return [row for row in snapshots if wanted.admits(row) and (name is None or row.name == fold(name))]


def get_pitrs(connection: Connection, *, name: str | None = None, **selection: Unpack[SelectionKeywords]) -> list[Pitr]:
    """Return the PITRs that the account has created, newest first.

    Inside a transaction, this works only for the sys account: for the others it uses SHOW PITR, which the server
    refuses there.
    """
    _check_wanted(name)
    wanted = _Filter.of(connection, **selection)
    with server_errors_as(PitrError, "reading PITRs"):
        in_transaction = reads_pitrs_in_transaction(connection)
        pitrs = _pitrs_of_sys(connection) if in_transaction else _pitrs_shown(connection)
    return [
        row
        for row in pitrs
        if wanted.admits(row)
        and (name is None or row.name == fold(name))
        and row.name != _RESERVED_PITR
        and not row.name.startswith(_RESERVED_PREFIXES)
    ]


def pitrs_of(connection: Connection, pitrs: Iterable[Pitr], **selection: Unpack[SelectionKeywords]) -> list[Pitr]:
    """Return those of the given PITRs that match all arguments, which are those of :func:`get_pitrs`."""
    wanted = _Filter.of(connection, **selection)
    return [pitr for pitr in pitrs if wanted.admits(pitr)]


def reads_pitrs_in_transaction(connection: Connection) -> bool:
    """Return whether the account is sys: only sys can read the table of PITRs."""
    return matrixone_dialect(connection).default_account_name == SYS_ACCOUNT


def reads_exact_pitr_times(connection: Connection) -> bool:
    """Return whether the times of PITRs are read to the microsecond, and not to the second."""
    is_exact = matrixone_dialect(connection).supports(Feature.PITR_TIMES_AS_EPOCH)
    return is_exact and reads_pitrs_in_transaction(connection)


def _pitrs_of_sys(connection: Connection) -> list[Pitr]:
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


def _pitrs_shown(connection: Connection) -> list[Pitr]:
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


_SAYS_UTC = " +0000 UTC"


def show(connection: Connection, statement: str, error: type[RecoveryError]) -> list[Any]:
    """Return the rows of a SHOW statement, which the server refuses in some transactions."""
    result = connection.exec_driver_sql(
        statement, execution_options={OUTSIDE_TRANSACTION: error, "stream_results": False}
    )
    return list(result.all())


def to_utc(connection: Connection, times: Iterable[str], zone: str) -> dict[str, dt.datetime]:
    """Convert wall clock times of one of the server's time zones to instants. Some are marked as UTC."""
    texts = sorted(set(times))
    local = [text for text in texts if not text.endswith(_SAYS_UTC)]
    converted = convert_zone(connection, [text[:19] for text in local], zone, UTC_ZONE)
    in_utc = {text: utc + text[19:] for text, utc in zip(local, converted, strict=True)}
    return {text: _from_utc_text(in_utc.get(text, text.removesuffix(_SAYS_UTC))) for text in texts}


def _from_utc_text(text: Any) -> dt.datetime:
    """Parse a time as the server writes it, with up to nine digits of a second."""
    whole, _, fraction = str(text).partition(".")
    return dt.datetime.fromisoformat(whole).replace(
        microsecond=int(fraction[:6].ljust(6, "0")) if fraction else 0, tzinfo=dt.UTC
    )


def _from_epoch(nanoseconds: int) -> dt.datetime:
    return from_microseconds(int(nanoseconds) // 1000)


# A PITR restores only to times after its creation, excluding the creation itself. The times of a PITR are rounded up,
# so that they can be restored; as the server reports them, to the second or the nanosecond, they could not.
SECOND = dt.timedelta(seconds=1)


def _after_epoch(nanoseconds: int) -> dt.datetime:
    return _from_epoch(nanoseconds) + MICROSECOND


def _after_second(text: Any) -> dt.datetime:
    return _from_utc_text(text) + SECOND


def named_part(text: str | None) -> str | None:
    """Return a part of an object's name, or None if the server shows that it has none."""
    return None if text in (None, "", "*") else text
