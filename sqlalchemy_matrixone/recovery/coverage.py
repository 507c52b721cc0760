"""Determine what is protected: by which PITRs and snapshots, and at which points in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exc

from ..core.names import fold
from ..core.refusals import server_errors_as
from ..core.release import Feature
from ..core.server import SYSTEM_DATABASES, matrixone_dialect
from ..exc import Reason, RecoveryError
from . import catalog
from .clock import server_now
from .objects import object_exists
from .pitr_objects import range_of
from .values import Coverage, Period, Pitr, Snapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class _Table:
    database: str
    name: str
    partitioned: bool


class Protection:
    """The PITRs and snapshots of an account, and what each of them keeps.

    :ivar now: the server's time when they were read.
    """

    def __init__(self, connection: Connection) -> None:
        """Read the PITRs and snapshots.

        :raises RecoveryError: if the user may not read them, or the server shows PITRs only outside of a transaction.
        """
        self._connection = connection
        self._dialect = matrixone_dialect(connection)
        self._account = fold(self._dialect.default_account_name)
        self.pitrs = catalog.get_pitrs(connection)
        self.snapshots = catalog.get_snapshots(connection)
        self._holders = self._ids_in_table_snapshots()
        self.now = server_now(connection)

    def sources(self, database: str, table: str, *, partitioned: bool = False) -> list[tuple[Pitr | Snapshot, Period]]:
        """Return the PITRs and snapshots that keep the history of a table, with the instants that they keep.

        :param partitioned: from 4.1 on, PITRs and snapshots of such a table itself keep none of its rows.
        """
        by_table = not (partitioned and self._dialect.supports(Feature.LOGICAL_TABLE_ID))
        found: list[tuple[Pitr | Snapshot, Period]] = [
            (pitr, self.period_of(pitr))
            for pitr in self.pitrs
            if pitr.active and self._contains(pitr, database, table) and (by_table or pitr.level != "table")
        ]
        found += [
            (snapshot, Period(snapshot.created_at, snapshot.created_at))
            for snapshot in self.snapshots
            if self._contains(snapshot, database, table)
            and (snapshot.level != "table" or (by_table and self._keeps_its_table(snapshot)))
        ]
        return sorted(found, key=lambda source: (source[1], source[0].name))

    def unknown(self, database: str, table: str) -> list[Pitr]:
        """Return the PITRs of which it is unknown whether they keep the history of a table as it is now."""
        return [pitr for pitr in self.pitrs if pitr.active is None and self._contains(pitr, database, table)]

    def of_database(self, database: str | None) -> list[Pitr | Snapshot]:
        """Return the sources of a database, of tables in it, and of what contains it; without one, of the account."""
        wanted = fold(database)
        sources: list[Pitr | Snapshot] = [*self.pitrs, *self.snapshots]
        return [
            source
            for source in sources
            if self._is_own(source) and (wanted is None or source.database in (None, wanted))
        ]

    def period_of(self, pitr: Pitr) -> Period:
        """Return the instants that a PITR keeps of its object, if it is active."""
        # History that had been collected before the range was lengthened does not come back.
        reach = dt.timedelta(hours=range_of(pitr).hours)
        start = max(pitr.created_at, pitr.modified_at, self.now - reach)
        return Period(min(start, self.now), self.now)

    def _contains(self, source: Pitr | Snapshot, database: str, table: str) -> bool:
        match source.level:
            case "cluster":
                return True
            case "account":
                return source.account == self._account
            case "database":
                return self._is_own(source) and source.database == database
        return self._is_own(source) and source.database == database and table in _names_of_table(source)

    def _is_own(self, source: Pitr | Snapshot) -> bool:
        return source.account in (None, self._account)

    def _keeps_its_table(self, snapshot: Snapshot) -> bool:
        """Return whether garbage collection spares what a snapshot of a table should keep; see ``protection.py``."""
        if self._holders is None:
            return True
        held, hint = self._holders.get(snapshot.name, (None, ""))
        with self._dialect.preserving_clean_state(self._connection):
            try:
                then = self._connection.exec_driver_sql(
                    f"SELECT rel_id FROM mo_catalog.mo_tables {hint} "
                    "WHERE account_id = current_account_id() AND reldatabase = %s AND relname = %s",
                    (snapshot.database, snapshot.table),
                ).scalar()
            except exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise
                return False
        return then is not None and int(then) == held

    def _ids_in_table_snapshots(self) -> dict[str, tuple[int, str]] | None:
        """Return the table id that each snapshot of a table holds, and the time-travel hint to read the catalog then.

        :return: None if this release's ids are always right.
        """
        is_needed = any(snapshot.level == "table" for snapshot in self.snapshots)
        if not is_needed or not self._dialect.supports(Feature.LOGICAL_TABLE_ID):
            return None
        by_name = not self._dialect.supports(Feature.SNAPSHOT_OF_OWN_OBJECT)
        quoted = self._dialect.identifier_preparer.quote_identifier
        columns = "sname, obj_id" if by_name else "sname, obj_id, ts"
        with self._dialect.preserving_clean_state(self._connection):
            rows = self._connection.exec_driver_sql(
                f"SELECT {columns} FROM mo_catalog.mo_snapshots WHERE level = 'table'"
            ).all()
        return {
            row[0]: (int(row[1]), f"{{SNAPSHOT = {quoted(row[0])}}}" if by_name else f"{{MO_TS = {row[2]}}}")
            for row in rows
        }


def _names_of_table(source: Pitr | Snapshot) -> tuple[str | None, ...]:
    """Return the names of the table of a PITR or snapshot: the former and the present one, if it was renamed."""
    return (source.table, source.renamed_to) if isinstance(source, Pitr) else (source.table,)


def get_coverage(connection: Connection, database: str | None) -> list[Coverage]:
    """Return what protects each table of a database, or of all of them; see ``Recovery.coverage()``."""
    with server_errors_as(RecoveryError, "reading what is protected"):
        tables = list(_tables(connection, database))
        protection = Protection(connection)
        return [_coverage(protection, table) for table in tables]


def _coverage(protection: Protection, table: _Table) -> Coverage:
    found = protection.sources(table.database, table.name, partitioned=table.partitioned)
    periods = merged(period for _, period in found)
    return Coverage(
        table.database,
        table.name,
        tuple(source for source, _ in found),
        periods[0].start if periods else None,
        tuple(gaps_between(periods, protection.now)),
        tuple(protection.unknown(table.database, table.name)),
    )


def _tables(connection: Connection, database: str | None) -> Iterator[_Table]:
    dialect = matrixone_dialect(connection)
    partitioned = "partitioned" if dialect.supports(Feature.LOGICAL_TABLE_ID) else "0"
    if database is None:
        names = tuple(sorted(SYSTEM_DATABASES))
        which = f"NOT IN ({', '.join(['%s'] * len(names))})"
    else:
        names, which = (fold(database),), "= %s"
    with dialect.preserving_clean_state(connection):
        rows = connection.exec_driver_sql(
            f"SELECT reldatabase, relname, {partitioned} FROM mo_catalog.mo_tables WHERE account_id = "
            f"current_account_id() AND relkind = 'r' AND reldatabase {which} ORDER BY reldatabase, relname",
            names,
        ).all()
    if not rows and database is not None and not object_exists(connection, database):
        raise RecoveryError(f"there is no database {database!r} in this account", Reason.NOT_FOUND)
    return (_Table(row[0], row[1], bool(row[2])) for row in rows)


# -- periods


def merged(periods: Iterable[Period]) -> list[Period]:
    """Return the same instants as disjoint periods, in order."""
    found: list[Period] = []
    for period in sorted(periods):
        if found and period.start <= found[-1].end:
            found[-1] = Period(found[-1].start, max(found[-1].end, period.end))
        else:
            found.append(period)
    return found


def common(one: Sequence[Period], other: Sequence[Period]) -> list[Period]:
    """Return the instants that are in both."""
    return merged(
        Period(max(a.start, b.start), min(a.end, b.end))
        for a in one
        for b in other
        if max(a.start, b.start) <= min(a.end, b.end)
    )


def gaps_between(periods: Sequence[Period], now: dt.datetime) -> Iterator[Period]:
    """Yield the gaps between ordered periods, and between the last one and now."""
    following = [*(period.start for period in periods[1:]), now]
    for period, start in zip(periods, following, strict=True) if periods else ():
        if period.end < start:
            yield Period(period.end, start)


LAST_HOUR = dt.timedelta(hours=1)
"""What garbage collection spares on every release unless configured otherwise: its ``gc-ttl``."""


class Readable(NamedTuple):
    """The times at which tables can be read.

    :ivar periods: the instants, in order.
    :ivar landmarks: when PITRs and snapshots were created: at that time, something to protect likely existed.
    :ivar now: the server's time.
    """

    periods: list[Period]
    landmarks: list[dt.datetime]
    now: dt.datetime

    def includes(self, instant: dt.datetime) -> bool:
        """Return whether all tables can be read at an instant."""
        return any(start <= instant <= end for start, end in self.periods)


def readable_periods(connection: Connection, tables: Iterable[tuple[str, str]]) -> Readable:
    """Return the instants at which all of these tables can be read.

    Those are what PITRs and snapshots keep, and the last hour. For a user who may not read PITRs and snapshots, only
    the last hour is returned.
    """
    try:
        protection = Protection(connection)
    except RecoveryError as refused:
        if refused.reason not in (Reason.NOT_PERMITTED, Reason.NOT_FOUND):
            raise
        now = server_now(connection)
        return Readable([Period(now - LAST_HOUR, now)], [], now)
    now = protection.now
    periods, landmarks = [Period(dt.datetime.min.replace(tzinfo=dt.UTC), now)], set()
    for database, table in tables:
        kept = [period for _, period in protection.sources(database, table)]
        landmarks |= {period.start for period in kept}
        periods = common(periods, merged([*kept, Period(now - LAST_HOUR, now)]))
    return Readable(periods, sorted(landmarks), now)
