"""Protect objects of inactive PITRs again, without giving up what those PITRs can still restore."""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

from sqlalchemy import exc

from ..core.beside import autocommit_connection, second_engine
from ..core.names import fold
from ..core.server import matrixone_dialect
from ..exc import PitrError, Reason, RecoveryError, RecoveryWarning
from . import catalog
from .constructs import AlterPitr, CreatePitr
from .pitr_range import PitrRange
from .target import SelectionKeywords, implied_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.engine import Connection

    from .values import Pitr

log = logging.getLogger("sqlalchemy_matrixone.recovery")


def reactivate_pitrs(
    connection: Connection, *, name: str | None = None, **selection: Unpack[SelectionKeywords]
) -> list[Pitr]:
    """Protect the objects of inactive PITRs again, each by a PITR of its database.

    The inactive PITR is kept, because only it can restore the time before its object was replaced. A PITR of the
    database protects the object from now on, because no ALTER TABLE, TRUNCATE or restore of a table deactivates it.

    :param name: consider only this PITR.
    :param selection: the keywords of :meth:`Recovery.list_pitrs`, to consider only some of the PITRs.
    :return: the PITRs that were created or altered.
    """
    chosen = catalog.get_pitrs(connection, name=name, **selection)
    ranges = _ranges_to_restore(connection, chosen)
    if not ranges:
        return []
    pitrs = catalog.get_pitrs(connection) if selection or name is not None else chosen
    changed = [
        name
        for database, needed in ranges.items()
        if (name := _protect(connection, database, needed, pitrs)) is not None
    ]
    return [pitr for pitr in catalog.get_pitrs(connection) if pitr.name in changed] if changed else []


def reactivate_after_restore(connection: Connection) -> None:
    """Protect the objects that a restore has replaced; warn if that fails, because the restore itself is done."""
    with _warning():
        reactivate_pitrs(connection)


def reactivate_beside(connection: Connection) -> None:
    """Do what :func:`reactivate_after_restore` does, on another connection."""
    with _warning(), second_engine(connection.engine) as engine, autocommit_connection(engine) as second:
        reactivate_pitrs(second)


@contextmanager
def _warning() -> Iterator[None]:
    try:
        yield
    except (exc.DBAPIError, RecoveryError) as failed:
        warnings.warn(
            f"the restore succeeded, but PITRs of what it replaced could not be made active again: {failed}. "
            "Call Recovery.reactivate_pitrs().",
            RecoveryWarning,
            stacklevel=6,
        )


def _ranges_to_restore(connection: Connection, pitrs: Sequence[Pitr]) -> dict[str, PitrRange]:
    """Return the databases that contain objects of inactive PITRs, each with the longest of their ranges."""
    inactive = [(pitr, pitr.database) for pitr in pitrs if pitr.active is False and pitr.database is not None]
    present = catalog.present_objects(connection, [(database, pitr.table) for pitr, database in inactive])
    ranges: dict[str, PitrRange] = {}
    for pitr, database in inactive:
        if (database, pitr.table) in present:
            candidates = [ranges.get(database), PitrRange(pitr.length, pitr.unit)]
            ranges[database] = max(filter(None, candidates), key=lambda candidate: candidate.hours)
    return ranges


def _protect(connection: Connection, database: str, needed: PitrRange, pitrs: Sequence[Pitr]) -> str | None:
    """Create or lengthen the PITR of a database, and return its name; None if the database is protected already."""
    account = matrixone_dialect(connection).default_account_name
    covering = [pitr for pitr in pitrs if pitr.active and _covers(pitr, database, account)]
    if any(_reaches(pitr, needed) for pitr in covering):
        return None
    active = next((pitr for pitr in covering if pitr.level == "database"), None)
    if active is not None:
        return _lengthen(connection, active, needed)
    unsure = next((pitr for pitr in pitrs if pitr.active is None and _covers(pitr, database, account)), None)
    name = free_name(database, {pitr.name for pitr in pitrs})
    try:
        connection.execute(CreatePitr(name, range=str(needed), database=database))
    except PitrError as refused:
        # The server refuses a second active PITR of a database, which shows that the first one is active.
        if unsure is None or refused.reason is not Reason.EXISTS:
            raise
        return None if _reaches(unsure, needed) else _lengthen(connection, unsure, needed)
    log.info("created PITR %s of database %s with range %s, in place of inactive PITRs", name, database, needed)
    return name


def _covers(pitr: Pitr, database: str, account: str | None) -> bool:
    match pitr.level:
        case "database":
            return pitr.database == database
        case "account":
            return pitr.account == fold(account)
        case level:
            return level == "cluster"


def _reaches(pitr: Pitr, needed: PitrRange) -> bool:
    return PitrRange(pitr.length, pitr.unit).hours >= needed.hours


def _lengthen(connection: Connection, pitr: Pitr, needed: PitrRange) -> str:
    connection.execute(AlterPitr(pitr.name, range=str(needed)))
    log.info("PITR %s now reaches back %s, in place of inactive PITRs", pitr.name, needed)
    return pitr.name


def free_name(database: str, taken: Collection[str]) -> str:
    """Return an unused name for a PITR of a database: ``shop``, or else ``shop__2`` and so on."""
    name = first = re.sub(r"[^\w.-]", "_", implied_name(database))
    number = 1
    while name in taken:
        number += 1
        name = f"{first}__{number}"
    return name
