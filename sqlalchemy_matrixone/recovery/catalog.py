"""Read the snapshots and PITRs of an account, and select some of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from ..core.arguments import Level, check_choice, check_is_name
from ..core.names import fold
from ..core.refusals import server_errors_as
from ..core.release import Feature
from ..core.server import matrixone_dialect
from ..exc import PitrError, SnapshotError
from .pitr_reader import pitrs_of_sys, pitrs_shown, reads_pitrs_in_transaction
from .server_rows import from_epoch, named_part
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
        Snapshot(row[0], row[1], named_part(row[2]), named_part(row[3]), named_part(row[4]), from_epoch(row[5]))
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
        pitrs = pitrs_of_sys(connection) if in_transaction else pitrs_shown(connection)
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
