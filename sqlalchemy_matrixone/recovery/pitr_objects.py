"""Compare PITRs with the objects that exist now: which ones have an object, and which ones protect it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import fold
from ..core.server import matrixone_dialect
from .objects import present_objects
from .pitr_range import PitrRange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from .target import RecoveryTarget
    from .values import Pitr


def table_now(pitr: Pitr) -> str | None:
    """Return the present name of a PITR's table."""
    return pitr.renamed_to or pitr.table


def range_of(pitr: Pitr) -> PitrRange:
    """Return how far back a PITR reaches."""
    return PitrRange(pitr.length, pitr.unit)


def is_of(pitr: Pitr, target: RecoveryTarget | None, connection: Connection) -> bool:
    """Return whether a PITR has this object; None means the current account."""
    if target is None or target.level in ("account", "cluster"):
        return pitr.level == ("account" if target is None else target.level)
    database = target.database_on(connection)
    return (pitr.level, pitr.database, pitr.table) == (target.level, fold(database), fold(target.table))


def with_present_object(connection: Connection, pitrs: Sequence[Pitr]) -> list[Pitr]:
    """Return those of the PITRs that are inactive and whose database or table exists, maybe under another name."""
    return by_presence(connection, pitrs)[0]


def by_presence(connection: Connection, pitrs: Sequence[Pitr]) -> tuple[list[Pitr], list[Pitr]]:
    """Return the inactive ones of the PITRs in two lists: those whose database or table exists, and the others."""
    inactive = [(pitr, pitr.database) for pitr in pitrs if pitr.active is False and pitr.database is not None]
    tables_and_databases = present_objects(connection, [database for _, database in inactive])
    present: list[Pitr] = []
    missing: list[Pitr] = []
    for pitr, database in inactive:
        exists = not {(database, pitr.table), (database, table_now(pitr))}.isdisjoint(tables_and_databases)
        (present if exists else missing).append(pitr)
    return present, missing


def maybe_renamed(connection: Connection, pitrs: Sequence[Pitr]) -> list[Pitr]:
    """Return those of the PITRs without an object whose table may exist under a name that cannot be determined.

    That is the case if the table was renamed, and altered or truncated in the same transaction. Before 4.1, it is also
    the case if it was altered or truncated later.
    """
    tables = [(pitr, pitr.database) for pitr in pitrs if pitr.level == "table" and pitr.database is not None]
    present = present_objects(connection, [database for _, database in tables])
    return [pitr for pitr, database in tables if (database, None) in present]


def if_renamed(pitr: Pitr) -> str:
    """Return a sentence on what to do about a PITR of :func:`maybe_renamed`."""
    return (
        "If the table was renamed, nothing protects it any more under its new name: protect its database, by "
        f"op.create_pitr(range={pitr.range!r}, database={pitr.database!r}) in a migration, or "
        f"Recovery.create_pitr(…, range={pitr.range!r}, database={pitr.database!r}). If it was dropped, nothing needs "
        "to be done"
    )


def unprotected(connection: Connection, chosen: Sequence[Pitr], pitrs: Sequence[Pitr]) -> list[Pitr]:
    """Return those of the chosen PITRs that are inactive and whose object exists, but is protected by no other PITR.

    :param pitrs: all PITRs of the account.
    """
    return [pitr for pitr in with_present_object(connection, chosen) if not protecting(connection, pitr, pitrs)]


def protecting(connection: Connection, pitr: Pitr, pitrs: Sequence[Pitr]) -> list[Pitr]:
    """Return the other PITRs that protect the object that now has the name of a PITR's object.

    :param pitrs: all PITRs of the account.
    """
    account = matrixone_dialect(connection).default_account_name
    others = [other for other in pitrs if other.active is not False and other.name != pitr.name]
    return [other for other in others if _covers_object_of(other, pitr, account)]


def is_same_object(first: Pitr, second: Pitr) -> bool:
    """Return whether two PITRs are of an object of the same present name."""
    return (first.level, first.database, table_now(first)) == (second.level, second.database, table_now(second))


def _covers_object_of(pitr: Pitr, other: Pitr, account: str | None) -> bool:
    return is_same_object(pitr, other) or (other.database is not None and covers(pitr, other.database, account))


def covers(pitr: Pitr, database: str, account: str | None) -> bool:
    """Return whether a PITR is of this database, or of the account or cluster that contains it.

    :param account: the account of the database.
    """
    match pitr.level:
        case "database":
            return pitr.database == database
        case "account":
            return pitr.account == fold(account)
        case level:
            return level == "cluster"
