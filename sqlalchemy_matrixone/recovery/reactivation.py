"""Protect objects of inactive PITRs again, without giving up what those PITRs can still restore."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

from sqlalchemy import exc

from ..core.beside import autocommit_connection, second_engine
from ..core.server import matrixone_dialect
from ..core.warning import warn
from ..exc import PitrError, Reason, RecoveryError, RecoveryWarning
from . import catalog
from .constructs import AlterPitr, CreatePitr
from .pitr_names import free_automatic_name, is_automatic
from .pitr_objects import (
    by_presence,
    covers,
    if_renamed,
    is_same_object,
    maybe_renamed,
    range_of,
    with_present_object,
)
from .pitr_range import PitrRange
from .target import SelectionKeywords

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy.engine import Connection

    from .values import Pitr

log = logging.getLogger("sqlalchemy_matrixone.recovery")


def reactivate_pitrs(connection: Connection, **selection: Unpack[SelectionKeywords]) -> list[Pitr]:
    """Protect the objects of inactive PITRs again, each by a PITR of its database.

    The inactive PITR is kept, because only it can restore the time before its object was replaced. A PITR of the
    database protects the object from now on, because no ALTER TABLE, TRUNCATE or restore of a table deactivates it.

    :param selection: the keywords of :meth:`Recovery.list_pitrs`, to consider only some of the PITRs.
    :return: the PITRs that were created or altered.
    """
    pitrs = catalog.get_pitrs(connection)
    chosen = catalog.pitrs_of(connection, pitrs, **selection)
    inactive, without_object = by_presence(connection, chosen)
    for pitr in maybe_renamed(connection, without_object):
        log.warning(
            "PITR %s of %s is inactive, and there is no table of that name. %s",
            pitr.name,
            pitr.describe(),
            if_renamed(pitr),
        )
    return protect_again(connection, inactive, pitrs)


def protect_again(connection: Connection, inactive: Sequence[Pitr], pitrs: Sequence[Pitr]) -> list[Pitr]:
    """Protect the objects of inactive PITRs, which all exist, each by a PITR of its database.

    :param pitrs: all PITRs of the account.
    :return: the PITRs that were created or altered.
    """
    ranges = _ranges_to_restore(inactive, pitrs)
    changed = [
        name
        for database, needed in ranges.items()
        if (name := _protect(connection, database, needed, pitrs)) is not None
    ]
    return [pitr for pitr in catalog.get_pitrs(connection) if pitr.name in changed] if changed else []


def inactive_pitrs(connection: Connection) -> frozenset[str]:
    """Return the names of the PITRs that are inactive though their object exists.

    A user who may not read PITRs gets none: the server refuses restores to that user as well.
    """
    try:
        return frozenset(pitr.name for pitr in with_present_object(connection, catalog.get_pitrs(connection)))
    except RecoveryError as refused:
        if refused.reason is not Reason.NOT_PERMITTED:
            raise
        return frozenset()


def reactivate_after_restore(
    connection: Connection, before: Collection[str] = (), **target: Unpack[SelectionKeywords]
) -> None:
    """Protect the objects that a restore has replaced; warn if that fails, because the restore itself is done.

    If the connection is lost, it is done on another one.

    :param before: the PITRs that were inactive before the restore, which stay so.
    :param target: the keywords of :meth:`Recovery.list_pitrs`, to consider only some of the PITRs.
    """
    with _warning():
        try:
            _reactivate_all_but(connection, before, **target)
        except (exc.DBAPIError, exc.PendingRollbackError, RecoveryError):
            if not connection.invalidated:
                raise
            _reactivate_beside(connection, before, **target)


def reactivate_beside(connection: Connection, before: Collection[str] = ()) -> None:
    """Do what :func:`reactivate_after_restore` does, on another connection."""
    with _warning():
        _reactivate_beside(connection, before)


def _reactivate_beside(connection: Connection, before: Collection[str], **target: Unpack[SelectionKeywords]) -> None:
    with second_engine(connection.engine) as engine, autocommit_connection(engine) as second:
        _reactivate_all_but(second, before, **target)


def _reactivate_all_but(connection: Connection, before: Collection[str], **target: Unpack[SelectionKeywords]) -> None:
    pitrs = catalog.get_pitrs(connection)
    chosen = [pitr for pitr in catalog.pitrs_of(connection, pitrs, **target) if pitr.name not in before]
    protect_again(connection, with_present_object(connection, chosen), pitrs)


@contextmanager
def _warning() -> Iterator[None]:
    try:
        yield
    except (exc.DBAPIError, RecoveryError) as failed:
        warn(
            f"the restore succeeded, but PITRs of what it replaced could not be made active again: {failed}. "
            "Call Recovery.reactivate_pitrs().",
            RecoveryWarning,
        )


def _ranges_to_restore(inactive: Sequence[Pitr], pitrs: Sequence[Pitr]) -> dict[str, PitrRange]:
    """Return the databases that contain objects of inactive PITRs, each with the longest of their ranges.

    The PITRs of tables that have another, active PITR of that range are left out.
    """
    ranges: dict[str, PitrRange] = {}
    for pitr in inactive:
        needed = range_of(pitr)
        successors = (other for other in pitrs if other.active and is_same_object(other, pitr))
        if pitr.database is None or any(_reaches(other, needed) for other in successors):
            continue
        candidates = filter(None, [ranges.get(pitr.database), needed])
        ranges[pitr.database] = max(candidates, key=lambda candidate: candidate.hours)
    return ranges


def _protect(connection: Connection, database: str, needed: PitrRange, pitrs: Sequence[Pitr]) -> str | None:
    """Create or lengthen the PITR of a database, and return its name; None if the database is protected already."""
    account = matrixone_dialect(connection).default_account_name
    covering = [pitr for pitr in pitrs if pitr.active and covers(pitr, database, account)]
    if any(_reaches(pitr, needed) for pitr in covering):
        return None
    active = next((pitr for pitr in covering if pitr.level == "database"), None)
    if active is not None:
        return _lengthen(connection, active, needed)
    unsure = next((pitr for pitr in pitrs if pitr.active is None and covers(pitr, database, account)), None)
    name = free_automatic_name(database, {pitr.name for pitr in pitrs})
    try:
        connection.execute(CreatePitr(name, range=str(needed), database=database))
    except PitrError as refused:
        # The server refuses a second active PITR of a database, which shows that the first one is active.
        if refused.reason is not Reason.EXISTS:
            raise
        if unsure is None:
            present = catalog.get_pitrs(connection)
            if {pitr.name for pitr in present} - {pitr.name for pitr in pitrs}:
                # Another session has created one at the same time, as a restore or migration beside this one does.
                return _protect(connection, database, needed, present)
            raise _refused_for_former(refused, database, pitrs) from refused.__cause__
        return None if _reaches(unsure, needed) else _lengthen(connection, unsure, needed)
    log.info("created PITR %s of database %s with range %s, in place of inactive PITRs", name, database, needed)
    return name


def _refused_for_former(refused: PitrError, database: str, pitrs: Sequence[Pitr]) -> PitrError:
    sentence = refused_for_former(database, pitrs)
    return refused if sentence is None else PitrError(f"{refused}. {sentence}", Reason.EXISTS)


def refused_for_former(database: str, pitrs: Sequence[Pitr]) -> str | None:
    """Return what to do about an inactive PITR that the server mistakes for that of the present database.

    Such a PITR remains if two restores of the database overlap: the second one does not see the PITR that was created
    after the first one.

    :param pitrs: all PITRs of the account.
    """
    former = [pitr for pitr in pitrs if (pitr.level, pitr.database) == ("database", database) and pitr.active is False]
    if not former:
        return None
    name = max(former, key=lambda pitr: pitr.created_at).name
    return (
        f"The database is not protected: MatrixOne treats PITR {name!r} as its PITR, although {name!r} keeps only the "
        f"history of a former database {database}. Drop it, which gives up that history, and repeat this; or protect "
        "the whole account, create_pitr(name, range=…)."
    )


def _reaches(pitr: Pitr, needed: PitrRange) -> bool:
    return range_of(pitr).hours >= needed.hours


def _lengthen(connection: Connection, pitr: Pitr, needed: PitrRange) -> str:
    connection.execute(AlterPitr(pitr.name, range=str(needed)))
    log.info("PITR %s now reaches back %s, in place of inactive PITRs", pitr.name, needed)
    return pitr.name


def superfluous(dropped: Sequence[Pitr], others: Sequence[Pitr]) -> list[Pitr]:
    """Return the automatic PITRs of databases that stood in only for PITRs that were dropped.

    The server does not record what a PITR is for. If anything differs from what :func:`protect_again` would have
    created for the dropped ones, the PITR is not among them: it may be a user's, or have been adopted.

    :param others: the PITRs of the account that were not dropped.
    """
    return [pitr for pitr in others if is_automatic(pitr) and _stood_in_only_for(pitr, dropped, others)]


def _stood_in_only_for(pitr: Pitr, dropped: Sequence[Pitr], others: Sequence[Pitr]) -> bool:
    was_altered = pitr.modified_at != pitr.created_at
    # Even one whose table does not exist: what was written to the table since is kept only by the automatic PITR.
    is_needed = any(
        other.database == pitr.database and other.active is not True for other in others if other is not pitr
    )
    replaced = [
        range_of(former).hours
        for former in dropped
        if former.database == pitr.database and former.active is False and former.created_at <= pitr.created_at
    ]
    has_its_range = bool(replaced) and max(replaced) == range_of(pitr).hours
    return has_its_range and not was_altered and not is_needed
