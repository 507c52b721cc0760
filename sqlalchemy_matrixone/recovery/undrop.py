"""Restore a dropped table or database, as it was at the last point in time at which it existed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..core.beside import execute_beside
from ..core.names import fold
from ..core.release import Feature
from ..core.sequences import read_sequences
from ..core.server import matrixone_dialect
from ..exc import Reason, RestoreError, RestoreWarning, server_errors_as
from . import catalog
from .clock import from_microseconds, mo_ts_of, server_now
from .constructs import RestorePitr, RestoreSnapshot
from .contents import Contents, differences, read_contents
from .kept_history import check_protected, covering_pitrs, earliest, object_id
from .losses.scope import RestoreScope
from .losses.tables import rebuild_vector_indexes
from .preservation import Losses
from .reactivation import reactivate_after_restore
from .restoring import restore
from .values import Pitr, Snapshot

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.engine import Connection

_SECOND = 10**9
_MICROSECOND = 10**3


@dataclass(frozen=True)
class _Found:
    """The last point in time at which the object existed, and what keeps its history.

    :ivar moment: in nanoseconds since 1970.
    """

    moment: int
    source: Pitr | Snapshot


def undrop(connection: Connection, database: str, table: str | None, as_name: str | None) -> dt.datetime:
    """Restore a dropped object, and return the point in time to which it was restored.

    :param as_name: the name to give it; by default its former name.
    :raises RestoreError: if the object exists, or if nothing is found that can be restored.
    """
    dialect = matrixone_dialect(connection)
    dialect.refuse_in_transaction(connection.connection, RestoreError, "UNDROP")
    dropped = RestoreScope(dialect, "database" if table is None else "table", database, table, 0)
    renamed = _renamed(dropped, as_name)
    what = f"undrop {dropped}"
    with server_errors_as(RestoreError, what):
        if _object_id(connection, renamed) is not None:
            advice = "Give as_name= to bring it back beside that." if as_name is None else "Choose another name."
            raise RestoreError(f"{what}: nothing was done, for {renamed} exists. {advice}", Reason.EXISTS)
        found = _find(connection, dropped, what)
        dropped = replace(dropped, source=found.moment)
        if isinstance(found.source, Pitr):
            check_protected(connection, dropped, found.source.name, what)
        with dialect.preserving_clean_state(connection):
            expected = read_contents(connection, dropped, past=True, rows=False)
        _bring_back(connection, dropped, renamed, found, what)
        with dialect.preserving_clean_state(connection):
            _warn_of_differences(expected, read_contents(connection, renamed, past=False, rows=False))
    return from_microseconds(found.moment // _MICROSECOND)


def _renamed(dropped: RestoreScope, as_name: str | None) -> RestoreScope:
    if as_name is None:
        return dropped
    return replace(dropped, database=as_name) if dropped.level == "database" else replace(dropped, table=as_name)


# -- when it existed


def _find(connection: Connection, dropped: RestoreScope, what: str) -> _Found:
    """Find the last point in time at which the object existed, among those that PITRs and snapshots keep.

    :raises RestoreError: if there is none.
    """
    present = _object_id(connection, dropped)

    def existed(moment: int) -> bool:
        return _object_id(connection, dropped, moment) not in (None, present)

    now = mo_ts_of(server_now(connection))
    pitrs = sorted(covering_pitrs(connection, dropped), key=lambda pitr: earliest(pitr, now))
    snapshots = [each for each in catalog.get_snapshots(connection) if _contains(each, dropped)]
    last = _last_moment(existed, earliest(pitrs[0], now), now) if pitrs else None
    for snapshot in snapshots:
        taken = mo_ts_of(snapshot.created_at)
        if (last is None or taken > last) and existed(taken):
            return _Found(_exactly(connection, snapshot), snapshot)
    if last is None:
        raise RestoreError(
            f"{what}: nothing was done, for no PITR or snapshot of this account holds a moment at which it existed",
            Reason.NOT_FOUND if pitrs or snapshots else Reason.NOT_COVERED,
        )
    return _Found(last, next(pitr for pitr in pitrs if earliest(pitr, now) <= last))


def _last_moment(existed: Callable[[int], bool], first: int, now: int) -> int | None:
    """Return the last time, to the microsecond, at which it existed; None if that is before the first one.

    Goes back in steps that double, so that of several lifetimes it finds the last one, unless that was short and is
    long past. A binary search then finds its end.
    """
    later, step = now, _SECOND
    while not existed(sooner := max(first, later - step)):
        if sooner == first:
            return None
        later, step = sooner, 2 * step
    while later - sooner > _MICROSECOND:
        middle = (sooner + later) // 2
        if existed(middle):
            sooner = middle
        else:
            later = middle
    return max(first, sooner // _MICROSECOND * _MICROSECOND)


def _object_id(connection: Connection, scope: RestoreScope, moment: int | None = None) -> int | None:
    """Return the id of the table or database, which changes when it is dropped and created; None if there is none."""
    at = scope if moment is None else replace(scope, source=moment)
    column = "rel_logical_id" if scope.supports(Feature.LOGICAL_TABLE_ID) else "rel_id"
    return object_id(connection, at, past=moment is not None, column=column)


def _contains(snapshot: Snapshot, scope: RestoreScope) -> bool:
    match snapshot.level:
        case "database":
            return snapshot.database == fold(scope.database)
        case "table":
            names = (fold(scope.database), fold(scope.table))
            return scope.level == "table" and names == (snapshot.database, snapshot.table)
        case "account":
            return snapshot.account == fold(scope.dialect.default_account_name)
        case level:
            return level == "cluster"


def _exactly(connection: Connection, snapshot: Snapshot) -> int:
    """Return the time of a snapshot to the nanosecond."""
    moment = RestoreSnapshot(snapshot.name, cluster=True).source(connection)
    assert moment is not None
    return moment


# -- restoring it


def _bring_back(connection: Connection, dropped: RestoreScope, renamed: RestoreScope, found: _Found, what: str) -> None:
    if not dropped.supports(Feature.CLONE):
        if renamed.quoted != dropped.quoted:
            raise RestoreError(f"{what}: nothing was done, for as_name= needs MatrixOne 3.0", Reason.UNSUPPORTED)
        _restore(connection, dropped, found)
        return
    with dropped.dialect.preserving_clean_state(connection):
        losses = _losses(connection, dropped, renamed)
    with dropped.dialect.preserving_clean_state(connection):
        # Without a BEGIN, the server commits a clone immediately.
        connection.exec_driver_sql(
            f"CREATE {dropped.level.upper()} {renamed.quoted} CLONE {dropped.quoted} {dropped.past}"
        )
    try:
        losses.put_back(connection)
        if renamed.quoted != dropped.quoted:
            with dropped.dialect.preserving_clean_state(connection):
                rebuilt = rebuild_vector_indexes(replace(renamed, source=mo_ts_of(server_now(connection))), connection)
            execute_beside(connection, rebuilt.statements)
    finally:
        reactivate_after_restore(connection, database=renamed.database, table=renamed.table)


def _restore(connection: Connection, dropped: RestoreScope, found: _Found) -> None:
    element = (
        RestorePitr(found.source.name, mo_ts=found.moment, database=dropped.database, table=dropped.table)
        if isinstance(found.source, Pitr)
        else RestoreSnapshot(found.source.name, database=dropped.database, table=dropped.table)
    )
    restore(connection, element)


def _losses(connection: Connection, dropped: RestoreScope, renamed: RestoreScope) -> Losses:
    """Return what a clone does not restore."""
    if renamed.quoted == dropped.quoted:
        return Losses.read(connection, dropped, frozenset())
    losses = Losses(dropped)
    if dropped.level == "database":
        for sequence in read_sequences(connection, dropped.in_databases("{database}"), dropped.past):
            losses.statements += sequence.statements(dropped.dialect, renamed.database)
    return losses


def _warn_of_differences(expected: Contents, found: Contents) -> None:
    if missing := list(differences(expected, found)):
        warnings.warn(RestoreWarning(f"It was brought back, but: {'; '.join(missing)}"), stacklevel=4)
