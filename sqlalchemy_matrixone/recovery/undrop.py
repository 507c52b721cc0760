"""Restore a dropped table or database, as it was at the last point in time at which it existed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.beside import execute_beside
from ..core.names import fold
from ..core.refusals import errors_after, errors_before, server_errors_as
from ..core.release import Feature
from ..core.sequences import read_sequences
from ..core.server import matrixone_dialect
from ..core.warning import warn
from ..exc import Reason, RestoreError, RestoreWarning
from ..losses.scope import RestoreScope
from ..losses.view_text import definition_of
from . import catalog
from .clock import from_microseconds, mo_ts_of
from .constructs import RestorePitr, RestoreSnapshot
from .contents import DEFAULT, Contents, Fact, read_contents
from .copying import clone, renamed, report_differences
from .kept_history import Pitrs, check_protected, covers, earliest
from .last_moment import MICROSECOND, SHARE, last_moment
from .objects import id_in, object_exists
from .preservation import Losses
from .reactivation import reactivate_after_restore
from .restoring import restore
from .values import Pitr, Snapshot

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class _Found:
    """The last point in time at which the object existed, and what keeps its history.

    :ivar moment: in nanoseconds since 1970.
    """

    moment: int
    source: Pitr | Snapshot


def undrop(
    connection: Connection, database: str, table: str | None, as_name: str | None, *, dry_run: bool = False
) -> dt.datetime:
    """Restore a dropped object, and return the point in time to which it was restored.

    :param as_name: the name to give it; by default its former name.
    :param dry_run: only find that point in time.
    :raises RestoreError: if the object exists, or if nothing is found that can be restored.
    """
    dialect = matrixone_dialect(connection)
    dialect.refuse_in_transaction(connection.connection, RestoreError, "UNDROP")
    dropped = RestoreScope(dialect, "database" if table is None else "table", database, table, 0)
    copy = dropped if as_name is None else renamed(dropped, as_name)
    what = f"undrop {dropped}"
    with errors_before(RestoreError, f"{what}: nothing was done"):
        if _object_id(connection, copy) is not None:
            advice = "Choose another name."
            if as_name is None:
                advice = "Bring the former one back under another name: as_name=, or --as on the command line."
            raise RestoreError(f"{what}: nothing was done: {copy} exists. {advice}", Reason.EXISTS)
        pitrs = Pitrs.read(connection)
        found = _find(connection, dropped, what, pitrs)
        dropped, copy = replace(dropped, source=found.moment), replace(copy, source=found.moment)
        if isinstance(found.source, Pitr):
            check_protected(connection, dropped, found.source.name, what, pitrs)
    if not dry_run:
        with _explaining(connection, copy, what):
            _bring_back(connection, dropped, copy, found, what)
        if isinstance(found.source, Snapshot):
            _warn_of_later_changes(what, found.source)
    return from_microseconds(found.moment // MICROSECOND)


def _warn_of_later_changes(what: str, snapshot: Snapshot) -> None:
    message = (
        f"{what}: restored as of snapshot {snapshot.name!r}, {snapshot.created_at}. What was committed between that "
        "time and the drop is missing, because no PITR keeps a later time. A PITR reaches back to the second after its "
        "creation."
    )
    warn(message, RestoreWarning)


# -- when it existed


def _find(connection: Connection, dropped: RestoreScope, what: str, known: Pitrs) -> _Found:
    """Find the last point in time at which the object existed, among those that PITRs and snapshots keep.

    :raises RestoreError: if there is none.
    """
    present = _object_id(connection, dropped)

    def existed(moment: int) -> bool:
        return _object_id(connection, dropped, moment) not in (None, present)

    now = known.now
    pitrs = sorted(known.covering(dropped), key=lambda pitr: earliest(pitr, now))
    snapshots = [each for each in catalog.get_snapshots(connection) if covers(each, dropped)]
    first = earliest(pitrs[0], now) if pitrs else now
    sources: list[Pitr | Snapshot] = [*pitrs, *snapshots]
    created = [mo_ts_of(each.created_at) for each in sources]
    last = last_moment(existed, first, now, created) if pitrs else None
    if last is not None:
        return _Found(last, next(pitr for pitr in pitrs if earliest(pitr, now) <= last))
    for snapshot in snapshots:  # the newest first
        taken = mo_ts_of(snapshot.created_at)
        if taken < first and existed(taken):
            return _Found(_exactly(connection, snapshot), snapshot)
    raise RestoreError(
        _not_found(what, searched=bool(pitrs)), Reason.NOT_FOUND if pitrs or snapshots else Reason.NOT_COVERED
    )


def _not_found(what: str, *, searched: bool) -> str:
    message = f"{what}: nothing was done: no PITR or snapshot of this account keeps a time at which it existed"
    if not searched:
        return message
    return (
        f"{message}, as far as was searched: it may have existed for less than 1/{SHARE} of the time since. If so, "
        "pass a time at which it existed to Recovery.restore_pitr()"
    )


def _object_id(connection: Connection, scope: RestoreScope, moment: int | None = None) -> int | None:
    """Return the id of the table or database, which changes when it is dropped and created; None if there is none."""
    at = scope if moment is None else replace(scope, source=moment)
    return id_in(connection, at, past=moment is not None, logical=True)


def _exactly(connection: Connection, snapshot: Snapshot) -> int:
    """Return the time of a snapshot to the nanosecond."""
    moment = RestoreSnapshot(snapshot.name, cluster=True).source(connection)
    assert moment is not None
    return moment


# -- restoring it


@contextmanager
def _explaining(connection: Connection, copy: RestoreScope, what: str) -> Iterator[None]:
    """Explain a refusal of the server because something else is missing.

    :raises RestoreError: if the database of the table is missing, or a table to which it has a foreign key.
    """
    try:
        yield
    except RestoreError as error:
        refused = error.__cause__
        assert copy.database is not None
        if not isinstance(refused, exc.DBAPIError) or copy.table is None or connection.invalidated:
            raise
        if not object_exists(connection, copy.database):
            missing = f"its database {copy.database!r} does not exist"
        elif parent := _MISSING_PARENT.search(str(refused.orig)):
            missing = f"a foreign key of it refers to table {parent[1]!r}, which does not exist"
        else:
            raise
        message = f"{what}: nothing was done: {missing}. Bring that back first"
        raise RestoreError(message, Reason.NOT_FOUND) from refused


# The server looks for it in the current database, whichever that is.
_MISSING_PARENT = re.compile(r"no such table [^'\s]+?\.([^'\s]+)")


def _bring_back(connection: Connection, dropped: RestoreScope, copy: RestoreScope, found: _Found, what: str) -> None:
    nothing = f"{what}: nothing was done"
    with errors_before(RestoreError, nothing), dropped.dialect.preserving_clean_state(connection):
        expected = read_contents(connection, dropped, past=True, rows=False)
        recreated = _statements(connection, dropped, copy, expected)
    if recreated:
        _recreate(connection, dropped, copy, recreated, what)
    elif not dropped.supports(Feature.CLONE) and copy.quoted == dropped.quoted:
        _restore(connection, dropped, found)
    else:
        try:
            clone(connection, dropped, copy, what)
        finally:
            reactivate_after_restore(connection, database=copy.database, table=copy.table)
    if copy.quoted == dropped.quoted:  # the restore has warned of defaults
        expected = {fact: value for fact, value in expected.items() if fact.kind != DEFAULT}
    with errors_after(RestoreError, what), dropped.dialect.preserving_clean_state(connection):
        report_differences(expected, read_contents(connection, copy, past=False, rows=False))


def _statements(connection: Connection, dropped: RestoreScope, copy: RestoreScope, expected: Contents) -> list[str]:
    """Return the statements that create a view or sequence again, which cannot be cloned by itself."""
    assert copy.database is not None
    use = f"USE {copy.name(copy.database)}"
    if Fact("view") in expected:
        view = "SELECT rel_createsql FROM mo_catalog.mo_tables {at} WHERE " + dropped.criteria("reldatabase", "relname")
        [row] = dropped.read(connection, view, past=True)
        definition = definition_of(row[0])
        if definition is None:
            raise RestoreError(f"undrop {dropped}: nothing was done: execute {row[0]}", Reason.UNSUPPORTED)
        return [use, f"CREATE VIEW {copy.quoted}{definition.replace('%', '%%')}"]
    if Fact("sequence") in expected:
        sequences = read_sequences(connection, dropped.in_databases("{database}"), dropped.past)
        return [
            statement
            for sequence in sequences
            if sequence.name == fold(dropped.table)
            for statement in sequence._replace(name=copy.table or "").statements(dropped.dialect)
        ]
    return []


def _recreate(
    connection: Connection, dropped: RestoreScope, copy: RestoreScope, statements: list[str], what: str
) -> None:
    """Create a view or sequence again, and under its former name with its privileges."""
    losses = Losses(scope=dropped)
    if copy.quoted == dropped.quoted:
        with errors_before(RestoreError, f"{what}: nothing was done"):
            losses = Losses.read(connection, dropped, frozenset({"publications"}))
    with server_errors_as(RestoreError, what, if_lost=Reason.UNKNOWN):
        execute_beside(connection, statements)
    losses.put_back(connection)


def _restore(connection: Connection, dropped: RestoreScope, found: _Found) -> None:
    element = (
        RestorePitr(found.source.name, mo_ts=found.moment, database=dropped.database, table=dropped.table)
        if isinstance(found.source, Pitr)
        else RestoreSnapshot(found.source.name, database=dropped.database, table=dropped.table)
    )
    restore(connection, element)
