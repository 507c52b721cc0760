"""Check, before a restore, that its snapshot or PITR exists and holds the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import describe
from ..exc import Reason, RestoreError
from . import catalog
from .clock import from_microseconds
from .constructs import RestorePitr, RestoreSnapshot
from .kept_history import CREATION_ROUNDING, Pitrs, check_protected, covers, earliest
from .objects import id_in
from .restoring import own_scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope
    from .values import Pitr, Snapshot


def check_source(connection: Connection, element: RestoreSnapshot | RestorePitr) -> tuple[int, RestoreScope | None]:
    """Check that the snapshot or PITR exists and contains the object, and that the object existed at that time.

    :return: the point in time to restore, in nanoseconds since 1970, and the scope of the restore; None as the scope
        if it is of another account, of which nothing can be read.
    :raises RestoreError: if not, with the reason.
    """
    source = element.source(connection)
    what = element.operation
    if source is None:
        raise RestoreError(no_such_snapshot(element.name, catalog.get_snapshots(connection)), Reason.NOT_FOUND)
    pitrs = Pitrs.read(connection) if isinstance(element, RestorePitr) else None
    if pitrs is not None:
        _check_time(element.name, pitrs, source)
    scope = own_scope(connection, element, source)
    if scope is None:
        return source, None
    _check_covers(connection, element, scope, pitrs)
    if scope.level != "account" and id_in(connection, scope, past=True) is None:
        raise RestoreError(
            f"{what} was not sent: {scope} did not exist at {from_microseconds(source // 1000)}", Reason.NOT_FOUND
        )
    if pitrs is not None:
        check_protected(connection, scope, element.name, what, pitrs)
    return source, scope


def no_such_snapshot(name: str, snapshots: Sequence[Snapshot]) -> str:
    """Return a sentence about a snapshot that does not exist, with the names of those that do."""
    names = [snapshot.name for snapshot in snapshots]
    more = ", …" if len(names) > 10 else ""
    existing = f": there are {', '.join(names[:10])}{more}" if names else ", nor any other"
    return f"there is no snapshot {name!r} in this account{existing}"


def _check_time(name: str, pitrs: Pitrs, source: int) -> None:
    pitr = pitrs.named(name)
    if pitr is None:
        names = ", ".join(each.name for each in pitrs.all)
        raise RestoreError(
            f"there is no PITR {name!r} that this account has created" + (f": there are {names}" if names else ""),
            Reason.NOT_FOUND,
        )
    first = earliest(pitr, pitrs.now)
    if not first - CREATION_ROUNDING <= source <= pitrs.now:
        raise RestoreError(
            f"PITR {name!r} reaches from {from_microseconds(first // 1000)} to now, "
            f"{from_microseconds(pitrs.now // 1000)}, and does not include {from_microseconds(source // 1000)}",
            Reason.OUT_OF_RANGE,
        )


def _check_covers(
    connection: Connection, element: RestoreSnapshot | RestorePitr, scope: RestoreScope, pitrs: Pitrs | None
) -> None:
    found: Snapshot | Pitr | None = (
        next(iter(catalog.get_snapshots(connection, name=element.name)), None)
        if pitrs is None
        else pitrs.named(element.name)
    )
    if found is not None and not covers(found, scope):
        kind = "snapshot" if pitrs is None else "PITR"
        of = describe(found.level, found.database, found.table)
        raise RestoreError(
            f"{element.operation} was not sent: {kind} {found.name!r} is of {of}, which does not contain {scope}",
            Reason.NOT_COVERED,
        )
