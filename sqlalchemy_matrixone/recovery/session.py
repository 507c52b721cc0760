"""Recovery on the current Session or Connection.

MatrixOne's recovery statements are **not** part of a transaction: each takes effect immediately and outlives a
rollback. The server accepts them only if nothing has run since the last commit or rollback.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import partial
from typing import TypeVar

from sqlalchemy import ClauseElement, Table
from sqlalchemy.engine import Connection

from ..core.arguments import (
    ColumnsArgument,
    Level,
    TableArgument,
    Timeout,
    Timestamp,
    check_flag,
    check_is_name,
    check_object_name,
)
from ..core.refusals import server_errors_as
from ..exc import Blocker, MatrixOneArgumentError, PitrError, Reason, RecoveryError, RestoreError, SnapshotError
from . import catalog, windows
from .blockers import get_blockers
from .bound import Bind, Bound
from .constructs import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    RecoveryDDL,
    RestorePitr,
    RestoreSnapshot,
)
from .copying import check_copy, restore_copy
from .coverage import get_coverage
from .find_change import FindableStatement, find_change, tables_of
from .past import known_point
from .pitr_range import RangeArgument
from .pitr_statements import alter_pitr, create_pitr
from .preservation import check_lose
from .protection import check_snapshot_is_of_own_object
from .pruning import check_pruning, prune_snapshots
from .reactivation import reactivate_pitrs
from .rehearsal import rehearsing
from .restoring import restore
from .rows import restore as rows
from .rows.target import CriterionArgument, RowKinds, RowsArgument, RowsRequest, rows_targets
from .rows.values import RestoredRows, RowsPreview
from .target import RecoveryTarget
from .timeline import Timeline, get_timeline
from .undrop import undrop
from .values import Change, Coverage, Pitr, RecoveryWindow, Snapshot

_R = TypeVar("_R")


class Recovery:
    """Snapshots, PITRs and restores on the connection of a Session, or on a Connection.

    **None of this is atomic with your transaction.** The effect of a method is immediate, for everyone, and a
    rollback does not undo it. The server also allows it only on a connection on which nothing has run since the
    last commit or rollback, so the methods must be called in that state; they leave the connection just as clean, so
    that several calls in a row work, and ordinary work can follow::

        with Session(engine) as session, session.begin():
            recovery = Recovery(session)
            recovery.create_pitr("orders_week", range="7d", table=Order)
            recovery.create_snapshot("before_import", database="shop")
            session.execute(insert(Order), rows)

    :param bind: a Session, scoped_session or Connection of a matrixone engine.
    :param commit_first: if something has run already, or the Session holds changes, commit that and continue. Without
        it, that raises a :class:`RecoveryError` with reason active_transaction, and nothing is sent.

    Every method raises a :class:`RecoveryError` with a ``reason`` if the server refuses. The arguments ``cluster=``,
    ``account=``, ``database=`` and ``table=`` are described at :class:`CreateSnapshot` and
    :class:`RestoreSnapshot`.
    """

    def __init__(self, bind: Bind, *, commit_first: bool = False) -> None:
        self._bound = Bound(bind, commit_first=commit_first)

    # -- snapshots

    def create_snapshot(
        self,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        if_not_exists: bool = False,
    ) -> Snapshot:
        """Keep the current state of an object, and return the snapshot. See :class:`CreateSnapshot`.

        ::

            taken = recovery.create_snapshot("before_import", database="shop")
            print(taken.created_at)

        With ``if_not_exists=True``, an existing snapshot of that name is returned, even if it is of another object.

        :raises SnapshotError: with reason unsupported, if the snapshot was created by sys, but is of an object of the
            same name in another account. Drop it.
        """
        element = CreateSnapshot(
            name, cluster=cluster, account=account, database=database, table=table, if_not_exists=if_not_exists
        )
        connection = self._execute(element, table)
        snapshot = next(iter(catalog.get_snapshots(connection, name=name)), None)
        if snapshot is None:
            raise SnapshotError(f"snapshot {name!r} was created, but no longer exists", Reason.NOT_FOUND)
        if snapshot.level in ("database", "table") and not if_not_exists:
            check_snapshot_is_of_own_object(connection, name)
        return snapshot

    def drop_snapshot(self, name: str, *, if_exists: bool = False) -> None:
        """Drop a snapshot. See :class:`DropSnapshot`.

        ::

            recovery.drop_snapshot("before_import", if_exists=True)
        """
        self._execute(DropSnapshot(name, if_exists=if_exists))

    def get_snapshot(self, name: str) -> Snapshot | None:
        """Return the snapshot of this name, which is case-insensitive, or None.

        ::

            if recovery.get_snapshot("before_import") is None:
                recovery.create_snapshot("before_import", database="shop")
        """
        check_is_name("name", name)
        return next(iter(catalog.get_snapshots(self._bound.connection(), name=name)), None)

    def list_snapshots(
        self,
        *,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> list[Snapshot]:
        """Return the account's snapshots that match all arguments, newest first. Allowed inside a transaction.

        ::

            for snapshot in recovery.list_snapshots(level="database", database="shop"):
                print(snapshot.name, snapshot.created_at)

        :param level: "cluster", "account", "database" or "table".
        """
        connection = self._bound.connection(table)
        return catalog.get_snapshots(
            connection, level=level, cluster=cluster, account=account, database=database, table=table
        )

    def prune_snapshots(
        self,
        prefix: str,
        *,
        keep: int | None = None,
        older_than: dt.timedelta | None = None,
        dry_run: bool = False,
    ) -> list[Snapshot]:
        """Drop older snapshots whose names begin with a prefix, and return the dropped ones, the newest first.

        ::

            recovery.create_snapshot(f"nightly_{today:%Y%m%d}", database="shop")
            recovery.prune_snapshots("nightly_", keep=7)

        Considers only snapshots that the current account has created of its own objects, or of the cluster; never those
        that sys has created of another account. Works on any release.

        :param prefix: the beginning of the names, taken literally: ``_`` and ``%`` are ordinary characters. It is
            case-insensitive, as are all names of snapshots.
        :param keep: how many of the newest snapshots to keep; 0 drops all of them.
        :param older_than: drop those that were created at least this long ago, by the server's clock.
        :param dry_run: drop nothing, and return what would be dropped.
        :raises MatrixOneArgumentError: if not exactly one of ``keep`` and ``older_than`` is given, the prefix is empty,
            or a snapshot has a name that cannot be sent. Nothing was dropped.
        :raises SnapshotError: if the server refuses a statement; those before it have taken effect.
        """
        check_pruning(prefix, keep, older_than)
        check_flag("dry_run", dry_run)
        connection = self._bound.connection() if dry_run else self._bound.clean_connection(SnapshotError)
        return prune_snapshots(connection, prefix, keep, older_than, dry_run=dry_run)

    def restore_snapshot(
        self,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
        lose: Collection[str] = (),
        verify: bool = False,
        as_name: str | None = None,
    ) -> None:
        """Return an object to the state that a snapshot kept, and expire the Session's objects.

        ::

            recovery.restore_snapshot("before_import", table=Order, timeout=30)

        Waits for open transactions that have written to it, indefinitely or for ``timeout``. See
        :class:`RestoreSnapshot`.

        The server's statement loses more than newer rows: privileges on what it restores, sequences and publications.
        These are read before the restore and put back after it, from a second connection, and PITRs of what was
        replaced are reactivated.

        :param lose: what not to put back: any of "sequences", "views" (with capitals in their names), "grants",
            "publications", "vector_indexes" (which MatrixOne 3.0 leaves wrong, so that they are rebuilt),
            "external_tables", "defaults" and "definitions" (with quotes or backslashes, which some releases change).
            Most of the last three cannot be put back: a :class:`RestoreWarning` names them. If sys restores
            another account, nothing can be put back there: its sequences must be named here, otherwise the restore is
            refused.
        :param verify: read what is to be restored, with a checksum of all rows, before the restore, and compare the
            result with it. What others write in the meantime counts as a difference. Not available for another account
            or the cluster.
        :param as_name: restore the database or table under this name, a table in the same database, **beside the
            present one**, which stays as it is. It is a clone at that point in time, and does not wait for open
            transactions. It does not get privileges, publications and PITRs of the original; ``timeout``, ``lose`` and
            ``to_account`` cannot be used with it. MatrixOne 3.0 on.
        :raises RestoreError: if the restore was refused or changed nothing: ``done`` is False. If it was carried out
            and something could not be put back: ``done`` is True, the reason is incomplete, and the message contains
            the statements to execute. With ``verify=True``, also with reason incomplete if the result differs; the
            message lists the differences.
        """
        element = RestoreSnapshot(
            name,
            cluster=cluster,
            account=account,
            database=database,
            table=table,
            to_account=to_account,
            timeout=timeout,
        )
        self._restore(element, table, lose, verify, as_name)

    # -- PITRs

    def create_pitr(
        self,
        name: str,
        *,
        range: RangeArgument,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        if_not_exists: bool = False,
    ) -> Pitr:
        """Make every point in time from now on restorable for ``range``. See :class:`CreatePitr`.

        ::

            recovery.create_pitr("shop_week", range="7d", database="shop", if_not_exists=True)

        With ``if_not_exists=True``, an existing PITR of that name is returned, even if its range differs. If it is
        inactive, its object is protected again, as by :meth:`reactivate_pitrs`. A :class:`RecoveryWarning` states this,
        and if the PITR has another range or is of another object.

        :raises PitrError: with reason exists, if such a PITR exists; with reason unsupported, if MatrixOne has found a
            database of that name in another account, so that the PITR was dropped again.
        """
        element = CreatePitr(
            name,
            range=range,
            cluster=cluster,
            account=account,
            database=database,
            table=table,
            if_not_exists=if_not_exists,
        )
        return create_pitr(self._bound.clean_connection(PitrError, table), element)

    def reactivate_pitrs(
        self,
        *,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> list[Pitr]:
        """Protect the objects of inactive PITRs again, and return the PITRs that were created or altered for it.

        ALTER TABLE that copies the table, TRUNCATE, DELETE without WHERE and restores replace an object, and its PITR
        then protects only the former object. That PITR is kept, because only it can restore that object; from now on
        a PITR of the database, which is created or lengthened, protects it, and stays active when tables are replaced.

        ::

            for pitr in Recovery(session).reactivate_pitrs(database="shop"):
                print(pitr.name, pitr.range)

        The restores of this class and migrations do this automatically. The keywords select PITRs, as in
        :meth:`list_pitrs`; without any, all inactive PITRs are considered.

        :raises PitrError: if the server refuses a statement.
        """
        connection = self._bound.clean_connection(PitrError, table)
        return reactivate_pitrs(
            connection, level=level, cluster=cluster, account=account, database=database, table=table
        )

    def alter_pitr(self, name: str, *, range: RangeArgument) -> Pitr:
        """Change how far back a PITR reaches. See :class:`AlterPitr`.

        ::

            recovery.alter_pitr("shop_week", range="3mo")

        A :class:`RecoveryWarning` states if the PITR is inactive, so that this only affects the history that it has.
        """
        return alter_pitr(self._bound.clean_connection(PitrError), AlterPitr(name, range=range))

    def drop_pitr(self, name: str, *, if_exists: bool = False) -> None:
        """Give up the history that a PITR could restore. See :class:`DropPitr`.

        ::

            recovery.drop_pitr("shop_week", if_exists=True)
        """
        self._execute(DropPitr(name, if_exists=if_exists))

    def get_pitr(self, name: str) -> Pitr | None:
        """Return the PITR of this name, which is case-insensitive, or None.

        ::

            pitr = recovery.get_pitr("shop_week")
            print(pitr.range, pitr.active)
        """
        check_is_name("name", name)
        return next(iter(catalog.get_pitrs(self._bound.connection_for_pitrs(), name=name)), None)

    def list_pitrs(
        self,
        *,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> list[Pitr]:
        """Return the PITRs that the account has created and that match all arguments, newest first.

        ::

            for pitr in recovery.list_pitrs(database="shop"):
                print(pitr.name, pitr.range, pitr.active)

        Inside a transaction, only the sys account can do this: for others the server refuses it there, like the
        recovery statements.

        :param level: "cluster", "account", "database" or "table".
        """
        connection = self._bound.connection_for_pitrs(table)
        return catalog.get_pitrs(
            connection, level=level, cluster=cluster, account=account, database=database, table=table
        )

    def restore_pitr(
        self,
        name: str,
        *,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        server_time: str | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
        lose: Collection[str] = (),
        verify: bool = False,
        as_name: str | None = None,
    ) -> None:
        """Return an object to a point in time that a PITR covers, and expire the Session's objects.

        ::

            recovery.restore_pitr("shop_week", timestamp="2026-03-01 12:00:00+00:00", table=Order)

        Waits for open transactions that have written to it, indefinitely or for ``timeout``. See :class:`RestorePitr`.

        What the server loses in addition is put back as by :meth:`restore_snapshot`.

        :param lose: as for :meth:`restore_snapshot`.
        :param verify: as for :meth:`restore_snapshot`.
        :param as_name: as for :meth:`restore_snapshot`.
        :raises RestoreError: as :meth:`restore_snapshot`; and with reason not_covered, before anything is sent, if no
            PITR keeps the history at that point in time: the server would restore an empty table.
        """
        element = RestorePitr(
            name,
            timestamp=timestamp,
            mo_ts=mo_ts,
            server_time=server_time,
            cluster=cluster,
            account=account,
            database=database,
            table=table,
            to_account=to_account,
            timeout=timeout,
        )
        self._restore(element, table, lose, verify, as_name)

    def undrop(
        self,
        *,
        table: TableArgument | None = None,
        database: str | None = None,
        as_name: str | None = None,
        dry_run: bool = False,
    ) -> dt.datetime:
        """Restore a dropped table or database, as it was at the last point in time at which it existed.

        ::

            Recovery(session).undrop(table="orders", database="shop")
            Recovery(session).undrop(table=Order, as_name="orders_before")

        That time is searched, to the microsecond, in the history that PITRs and snapshots of the account keep of the
        object. If it was dropped several times, the last time is found, unless the object then existed for less than a
        second, or less than 1/32 of the time since. The object is restored by a clone, on MatrixOne 2.2 by a restore,
        with its indexes and foreign keys, sequences and privileges, and its PITRs are reactivated. A
        :class:`RestoreWarning` names what was not restored. As for a restore, none of this is part of the transaction.

        :param table: a mapped class or Table, or a name with ``database=``.
        :param database: without a table, the database to restore.
        :param as_name: restore it under this name, for a table in the same database, beside an object that may have
            its former name. Privileges are not restored with it. MatrixOne 3.0 on.
        :param dry_run: restore nothing, and return the point in time that would be restored.
        :return: the point in time, in UTC.
        :raises RestoreError: with reason exists, if there is an object of that name; not_found, if the kept history
            does not contain it; not_covered, if no PITR or snapshot keeps its history.
        """
        target = RecoveryTarget.of(database=database, table=table)
        if target is None:
            raise MatrixOneArgumentError("specify what to restore, with database=… or table=…")
        if as_name is not None:
            check_object_name("as_name", as_name)
        check_flag("dry_run", dry_run)
        connection = self._bound.clean_connection(RestoreError, table)
        of_database = target.database_on(connection)
        if of_database is None:
            raise MatrixOneArgumentError(
                f"the database of table {target.table!r} is unknown: give the Table a schema, or the URL a database"
            )
        moment = undrop(connection, of_database, target.table, as_name, dry_run=dry_run)
        self._bound.expire()
        return moment

    def recovery_windows(
        self, *, account: str | None = None, database: str | None = None, table: TableArgument | None = None
    ) -> list[RecoveryWindow]:
        """Return the times to which the current account, or the given object, can be restored, table by table.

        ::

            for window in recovery.recovery_windows(table=Order):
                print(window.source, window.source_name, window.start, window.end)

        For a database or an account, these are the windows of the tables that exist now. From 3.0 on each table is
        queried separately, because the server's list for several tables is wrong. Before 3.0, windows that a table or
        database shares with its database or account are listed only for the latter.

        The window of a PITR begins when its range was last changed, though earlier points in time may be complete. It
        ends now, even for a table that has been dropped.

        :raises RecoveryError: if the server refuses, or its response cannot be read; from 3.0 on also if another
            account has several tables.
        """
        connection = self._bound.clean_connection(RecoveryError, table)
        return windows.get_recovery_windows(connection, account=account, database=database, table=table)

    def blockers(
        self,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> list[Blocker]:
        """Return the sessions whose open transactions a restore of the object would wait for, the oldest first.

        Allowed inside a transaction. ::

            for blocker in recovery.blockers(table=Order):
                print(blocker.connection_id, blocker.user, blocker.host, blocker.since)

        Without arguments, those of all sessions of the account are returned. If the connection is lost, another one of
        the engine is used.

        :raises RecoveryError: with reason not_permitted if the user may not read ``mo_catalog``.
        """
        target = RecoveryTarget.of(cluster=cluster, account=account, database=database, table=table)
        with server_errors_as(RecoveryError, "reading who blocks a restore", needs=catalog.TO_READ_CATALOG):
            of = target or RecoveryTarget("account")
            return self._bound.read(lambda connection: get_blockers(connection, of), table)

    # -- reading history

    def find_change(
        self,
        statement: FindableStatement,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        precision: dt.timedelta = dt.timedelta(seconds=1),
    ) -> Change:
        """Find the time at which a value changed, by a binary search through its history.

        ::

            change = recovery.find_change(select(Order.price).where(Order.id == 7))
            print(change.value_before, change.value_after)
            recovery.restore_rows(Order, timestamp=change.before)

        The statement is executed about twenty times, on a separate connection, so that the transaction is neither seen
        nor affected. It finds a time at which the value became what it is at ``until``. **If that happened several
        times, this is one of them**: choose a statement whose value changed once, such as the price of one row, or a
        count of the wrong rows. If the value is the same at both ends, instants in between are tried.

        A table, database or column that does not exist counts as a value, so that the time of a DROP TABLE is found
        too; so does a missing row. See :class:`NoValue`.

        :param statement: a ``select()`` of one value: one column, and at most one row. Not text(), whose tables are
            unknown.
        :param since: where to begin, an aware datetime or a str with a UTC offset. Default: the earliest instant that
            PITRs and snapshots keep of all tables in the statement, or an hour ago if there is none.
        :param until: where to end. Default: now.
        :param precision: how far apart the instants before and after the change may be, at least a microsecond. If the
            server keeps nothing in between, such as between two snapshots, they are further apart.
        :return: the instants before and after the change, and the values there.
        :raises RecoveryError: with reason not_found, if no other value was found.
        :raises MatrixOneArgumentError: if the statement returns several values, or the arguments contradict each other.

        A :class:`RecoveryWarning` is emitted if nothing protects the tables at ``since`` or ``until``: history that
        garbage collection has removed reads as an empty table. Works on any release.
        """
        table = next(iter(tables_of(statement)), None) if isinstance(statement, ClauseElement) else None
        connection = self._bound.connection(table if isinstance(table, Table) else None)
        return find_change(connection, statement, since=since, until=until, precision=precision)

    def coverage(self, *, database: str | None = None) -> list[Coverage]:
        """Return, for each table, what protects it and since when.

        ::

            for table in recovery.coverage(database="shop"):
                if not table.is_protected:
                    print(table.table, "has no protection")

        Only active PITRs count: those whose object is still the one for which they were created. Snapshots and PITRs of
        a table of which the server keeps nothing do not count: from 4.1 on, those of a partitioned table, and those
        created after ALTER TABLE or TRUNCATE had given the table another id.

        :param database: a database of the account; None for all of them, except the server's own.
        :return: a :class:`Coverage` for each table, in the order of their names.
        :raises RecoveryError: with reason not_found if there is no such database, not_permitted if the user may not
            read snapshots and PITRs. Accounts other than sys can read PITRs only outside of a transaction.
        """
        if database is not None:
            check_object_name("database", database)
        return get_coverage(self._bound.connection_for_pitrs(), database)

    def timeline(self, *, database: str | None = None) -> Timeline:
        """Return a picture of what can be restored: PITRs, snapshots and now on one time axis.

        ::

            print(recovery.timeline(database="shop"))
            Path("shop.svg").write_text(recovery.timeline(database="shop").svg())

        A notebook displays it as a picture. Works on any release.

        :param database: a database, with its tables and what contains it; None for the whole account.
        :raises RecoveryError: with reason not_permitted if the user may not read snapshots and PITRs. Accounts other
            than sys can read PITRs only outside of a transaction.
        """
        if database is not None:
            check_object_name("database", database)
        return get_timeline(self._bound.connection_for_pitrs(), database)

    def rehearsal(
        self,
        *,
        database: str,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
    ) -> AbstractContextManager[str]:
        """Clone a database as it was into a scratch database, and drop that at the end of the block.

        ::

            with recovery.rehearsal(database="shop", timestamp=before) as scratch:
                session.scalar(text(f"SELECT COUNT(*) FROM {scratch}.orders"))

        The clone shares its storage with the original until rows change, so it costs almost nothing. It is created
        and dropped on separate connections: nothing that the transaction has not committed is visible in it.
        MatrixOne 3.0 on.

        :param database: the database to clone.
        :param snapshot: the name of a snapshot that contains the database.
        :param timestamp: an instant: an aware datetime, or a str with a UTC offset.
        :param mo_ts: the same in nanoseconds since 1970.
        :return: a context manager that yields the scratch database's name. For AsyncRecovery an asynchronous one.
        :raises MatrixOneCompileError: before 3.0, which cannot clone.
        :raises BranchError: if the server cannot clone the database.
        :raises RecoveryError: at the end, with reason active_transaction, if an open transaction has written to the
            scratch database, which is then kept. Commit or roll back within the block.
        """
        point = known_point(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
        return rehearsing(self._bound.connection(), database, point)

    # -- rows

    def restore_rows(
        self,
        target: RowsArgument,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        where: CriterionArgument | None = None,
        columns: ColumnsArgument | None = None,
        missing: bool = True,
        changed: bool = True,
        new: bool = False,
    ) -> RestoredRows:
        """Restore rows from a table's history **inside the transaction**, by ordinary INSERT, UPDATE and DELETE.

        Unlike a RESTORE it locks only rows, is committed or rolled back together with the rest of the transaction,
        keeps newer rows and columns, and works with foreign keys::

            with Session(engine) as session, session.begin():
                done = Recovery(session).restore_rows(Order, timestamp=before, where=Order.customer_id == 7)
                print(done.inserted, done.updated, done.deleted)

        Rows are identified by their primary keys. Several tables may be given in any order: rows that others refer to
        are inserted first and deleted last. Conflicts with newer rows, such as a unique value that another row now has,
        are detected before anything is changed. The result is compared with the history at the end. Up to 5,000 rows
        of a table are locked first; if there are more, others can write to some in the meantime, which then differ: a
        :class:`RestoreWarning` states how many, and ``verified`` of the result is False.

        The Session is flushed before and its objects are expired after it. No ORM events occur for these rows, and no
        relationship cascades: pass all tables whose rows belong together, including association tables.

        :param target: a mapped class or Table with a primary key, or a list of them. A class that shares its rows with
            others, by joined or single-table inheritance, is refused: pass the Tables.
        :param snapshot: the name of a snapshot that contains the tables.
        :param timestamp: an instant: an aware datetime, or a str with a UTC offset.
        :param mo_ts: the same in nanoseconds since 1970.
        :param where: only rows whose old or current version meets this criterion; with several tables, a dict of
            criteria by table. It may contain subqueries of other tables, which read current rows.
        :param columns: set back only these columns of changed rows, and keep newer values of the others. Names or
            attributes of one table; attributes of several.
        :param missing: insert the rows that no longer exist, with their keys.
        :param changed: set back the rows that have changed.
        :param new: delete the rows that did not exist then.
        :return: how many rows were inserted, updated and deleted, and the columns that were skipped: those that exist
            on one side only, and those that the server computes.
        :raises RestoreConflict: if rows conflict with newer rows. Nothing was changed.
        :raises RestoreError: if the server does not have the history, or a statement fails; the message states whether
            something was changed.
        :raises MatrixOneArgumentError: if the arguments contradict each other or the tables.
        """
        request = RowsRequest(
            RowKinds(missing, changed, new),
            rows_targets(target, where, columns),
            known_point(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts),
        )
        return self._on_rows(rows.restore_rows, request)

    def preview_rows(
        self,
        target: RowsArgument,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        where: CriterionArgument | None = None,
        columns: ColumnsArgument | None = None,
        missing: bool = True,
        changed: bool = True,
        new: bool = False,
        sample: int = 20,
    ) -> RowsPreview:
        r"""Return what :meth:`restore_rows` would do, without changing anything: counts, rows, conflicts and SQL.

        ::

            preview = Recovery(session).preview_rows(Order, timestamp=before)
            for row in preview.rows:
                print(row.change, row.key, row.old, row.current)
            print(*preview.statements, sep=";\n")

        :param sample: how many missing and changed rows, and how many new rows, to read from each table.

        The other parameters, and the errors, are those of :meth:`restore_rows`; conflicts are listed instead.
        """
        request = RowsRequest(
            RowKinds(missing, changed, new),
            rows_targets(target, where, columns),
            known_point(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts),
        )
        return self._on_rows(partial(rows.preview_rows, sample=sample), request)

    def _on_rows(self, call: Callable[[Connection, RowsRequest], _R], request: RowsRequest) -> _R:
        connections = {self._bound.connection(target.table) for target in request.targets}
        if len(connections) > 1:
            raise MatrixOneArgumentError(
                "the tables are on several engines: restore the rows of each engine separately"
            )
        [connection] = connections
        with self._bound.flushed():
            return call(connection, request)

    # -- execution

    def _restore(
        self,
        element: RestoreSnapshot | RestorePitr,
        table: TableArgument | None,
        lose: Collection[str],
        verify: bool,
        as_name: str | None,
    ) -> None:
        kinds = check_lose(lose)
        check_flag("verify", verify)
        if as_name is not None:
            check_copy(element, as_name, kinds)
        connection = self._bound.clean_connection(element.error, table)
        if as_name is not None:
            restore_copy(connection, element, as_name, verify=verify)
            return
        try:
            restore(connection, element, lose=kinds, verify=verify)
        except BaseException as error:
            if not isinstance(error, RecoveryError) or error.done is not False:
                self._bound.expire()
            raise
        self._bound.expire()

    def _execute(self, element: RecoveryDDL, table: TableArgument | None = None) -> Connection:
        connection = self._bound.clean_connection(element.error, table)
        connection.execute(element)
        return connection
