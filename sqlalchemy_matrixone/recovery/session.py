"""Recovery on the current Session or Connection.

MatrixOne's recovery statements are **not** part of a transaction: each takes effect at once and outlives a
rollback. The server accepts them only where nothing has run since the last commit or rollback.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar, Union

from sqlalchemy import ClauseElement, Table
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, scoped_session

from ..core.arguments import Timeout, Timestamp, check_flag, check_is_name, check_object_name, table_of
from ..core.connection import has_changes, state_of
from ..core.server import matrixone_dialect
from ..core.sqlalchemy_internals import is_in_begin_block
from ..exc import Blocker, MatrixOneArgumentError, PitrError, Reason, RecoveryError, RestoreError, SnapshotError
from ..timetravel.session import refuse_time_travel
from . import catalog, windows
from .blockers import get_blockers
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
from .coverage import get_coverage
from .find_change import FindableStatement, find_change, tables_of
from .pitr_range import RangeArgument
from .preservation import check_lose
from .pruning import check_pruning, prune_snapshots
from .reactivation import reactivate_pitrs
from .rehearsal import rehearsing
from .restoring import restore
from .rows import restore as rows
from .rows.moment import Moment
from .rows.target import ColumnsArgument, CriterionArgument, RowKinds, RowsArgument, RowsTarget, rows_targets
from .rows.values import RestoredRows, RowsPreview
from .target import Level, RecoveryTarget
from .timeline import Timeline, get_timeline
from .undrop import undrop
from .values import Change, Coverage, Pitr, RecoveryWindow, Snapshot

Bind = Union[Session, "scoped_session[Any]", Connection]

_R = TypeVar("_R")


class Recovery:
    """Snapshots, PITRs and restores on the connection of a Session, or on a Connection.

    **None of this is atomic with your transaction.** What a method did is there at once, for everyone, and a
    rollback does not undo it. And the server allows it only on a connection where nothing has run since the
    last commit or rollback, so that is where the methods run; they leave the connection as clean, so that
    several in a row work, and ordinary work can follow::

        with Session(engine) as session, session.begin():
            recovery = Recovery(session)
            recovery.create_pitr("orders_week", range="7d", table=Order)
            recovery.create_snapshot("before_import", database="shop")
            session.execute(insert(Order), rows)

    :param bind: a Session, scoped_session or Connection of a matrixone engine.
    :param commit_first: where something has run already, or the Session holds changes, commit that and go
        on. Without it, that is a :class:`RecoveryError` with reason active_transaction, and nothing is sent.

    Every method raises a :class:`RecoveryError`, whose ``reason`` tells why, where the server refuses; what
    is named by ``cluster=``, ``account=``, ``database=`` and ``table=`` is described at
    :class:`CreateSnapshot` and :class:`RestoreSnapshot`.
    """

    def __init__(self, bind: Bind, *, commit_first: bool = False) -> None:
        if not isinstance(bind, (Session, scoped_session, Connection)):
            raise MatrixOneArgumentError(
                f"Recovery works on a Session, scoped_session or Connection, not on {bind!r}"
                + ("; use AsyncRecovery" if hasattr(bind, "run_sync") else "")
            )
        self._bind = bind
        self._commit_first = check_flag("commit_first", commit_first)

    # -- snapshots

    def create_snapshot(
        self,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
        if_not_exists: bool = False,
    ) -> Snapshot:
        """Keep the present state of an object, and say what was kept. See :class:`CreateSnapshot`.

        With ``if_not_exists=True``, the snapshot that has the name already, of whatever object it is.
        """
        connection = self._execute(
            CreateSnapshot(
                name,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
                if_not_exists=if_not_exists,
            ),
            table,
        )
        return _created(catalog.get_snapshots(connection, name=name), SnapshotError, f"snapshot {name!r}")

    def drop_snapshot(self, name: str, *, if_exists: bool = False) -> None:
        """Forget a snapshot. See :class:`DropSnapshot`."""
        self._execute(DropSnapshot(name, if_exists=if_exists))

    def get_snapshot(self, name: str) -> Snapshot | None:
        """The snapshot of this name, in whatever case, or None."""
        check_is_name("name", name)
        return next(iter(catalog.get_snapshots(self._connection(), name=name)), None)

    def list_snapshots(
        self,
        *,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
    ) -> list[Snapshot]:
        """The account's snapshots that agree with all that is named, newest first; inside a transaction too.

        :param level: "cluster", "account", "database" or "table".
        """
        target = {"level": level, "cluster": cluster, "account": account, "database": database, "table": table}
        return catalog.get_snapshots(self._connection(table), **target)

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

        Only snapshots that the account itself has created of its own objects, or of the cluster; never those that sys
        took of another account. Any release.

        :param prefix: what the names begin with, letter by letter: ``_`` and ``%`` mean themselves. Upper and lower
            case are the same, as in all names of snapshots.
        :param keep: how many of the newest stay; 0 drops all of them.
        :param older_than: drop those that were created at least this long ago, by the server's clock.
        :param dry_run: drop nothing, and return what would be dropped.
        :raises MatrixOneArgumentError: if not exactly one of ``keep`` and ``older_than`` is given, the prefix is empty,
            or a snapshot has a name that cannot be sent. Nothing was dropped.
        :raises SnapshotError: if the server refuses a statement; those before it were dropped.
        """
        check_pruning(prefix, keep, older_than)
        check_flag("dry_run", dry_run)
        if not dry_run:
            self._make_clean(SnapshotError, None)
        return prune_snapshots(self._connection(), prefix, keep, older_than, dry_run=dry_run)

    def restore_snapshot(
        self,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
        lose: Collection[str] = (),
        verify: bool = False,
    ) -> None:
        """Put an object back to what a snapshot kept, and expire the Session's objects.

        Waits for open transactions that have written to it, without end or for ``timeout``. See
        :class:`RestoreSnapshot`.

        The server loses more than was written since: privileges on what it restores, sequences and publications. These
        are read before the restore and put back after it, from a second connection, and PITRs of what was replaced are
        reactivated.

        :param lose: what not to put back: any of "sequences", "grants", "publications", "vector_indexes" (which
            MatrixOne 3.0 leaves wrong, so that they are rebuilt), "external_tables" and "defaults" (with quotes, which
            4.1 and 4.2 double). The last two cannot be put back: a :class:`RestoreWarning` names them. In another
            account, which sys restores, nothing can be put back: its sequences must be named here, else the restore is
            refused.
        :param verify: read what is restored, with a checksum of all rows, before the restore, and compare the result
            with it. What others write meanwhile counts as a difference. Not for another account or the cluster.
        :raises RestoreError: if the restore was refused or changed nothing: ``done`` is False. If it was carried out
            and something could not be put back: ``done`` is True, the reason is incomplete, and the message holds the
            statements to execute. With ``verify=True``, reason incomplete too if the result differs, with the
            differences.
        """
        self._restore(
            RestoreSnapshot(
                name,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
                to_account=to_account,
                timeout=timeout,
            ),
            table,
            lose,
            verify,
        )

    # -- PITRs

    def create_pitr(
        self,
        name: str,
        *,
        range: RangeArgument,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
        if_not_exists: bool = False,
    ) -> Pitr:
        """Let every moment from now on be restorable for ``range``. See :class:`CreatePitr`.

        With ``if_not_exists=True``, the PITR that has the name already, of whatever object and range it is.
        """
        connection = self._execute(
            CreatePitr(
                name,
                range=range,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
                if_not_exists=if_not_exists,
            ),
            table,
        )
        pitr = _created(catalog.get_pitrs(connection, name=name), PitrError, f"PITR {name!r}")
        if pitr.active is False and if_not_exists:
            reactivate_pitrs(connection, name=name)
        return pitr

    def reactivate_pitrs(
        self,
        *,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
    ) -> list[Pitr]:
        """Protect the objects of inactive PITRs again, and return the PITRs that were created or altered for it.

        ALTER TABLE that copies the table, TRUNCATE, DELETE without WHERE and restores replace an object, and its PITR
        protects only what was there before. That PITR is kept, since only it can restore those moments; for the
        present a PITR of the database is created, or lengthened, which stays active when tables are replaced. ::

            for pitr in Recovery(session).reactivate_pitrs(database="shop"):
                print(pitr.name, pitr.range)

        The restores of this class and migrations do this by themselves. The keywords choose among the PITRs, as in
        :meth:`list_pitrs`; without any, all inactive PITRs are considered.

        :raises PitrError: if the server refuses a statement.
        """
        self._make_clean(PitrError, table)
        target = {"level": level, "cluster": cluster, "account": account, "database": database, "table": table}
        connection = self._connection_for_pitrs(table)
        return reactivate_pitrs(connection, **target)

    def alter_pitr(self, name: str, *, range: RangeArgument) -> Pitr:
        """Change how far back a PITR reaches. See :class:`AlterPitr`."""
        connection = self._execute(AlterPitr(name, range=range))
        return _created(catalog.get_pitrs(connection, name=name), PitrError, f"PITR {name!r}")

    def drop_pitr(self, name: str, *, if_exists: bool = False) -> None:
        """Give up the moments that a PITR could restore. See :class:`DropPitr`."""
        self._execute(DropPitr(name, if_exists=if_exists))

    def get_pitr(self, name: str) -> Pitr | None:
        """The PITR of this name, in whatever case, or None."""
        check_is_name("name", name)
        return next(iter(catalog.get_pitrs(self._connection_for_pitrs(), name=name)), None)

    def list_pitrs(
        self,
        *,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
    ) -> list[Pitr]:
        """The PITRs that the account created and that agree with all that is named, newest first.

        Inside a transaction from the sys account alone: for others the server refuses it there, as it does the
        statements.

        :param level: "cluster", "account", "database" or "table".
        """
        target = {"level": level, "cluster": cluster, "account": account, "database": database, "table": table}
        return catalog.get_pitrs(self._connection_for_pitrs(table), **target)

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
        table: Any = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
        lose: Collection[str] = (),
        verify: bool = False,
    ) -> None:
        """Put an object back to a moment that a PITR covers, and expire the Session's objects.

        Waits for open transactions that have written to it: without end, or for ``timeout``. See :class:`RestorePitr`.

        What the server loses besides is put back as by :meth:`restore_snapshot`.

        :param lose: as for :meth:`restore_snapshot`.
        :param verify: as for :meth:`restore_snapshot`.
        :raises RestoreError: as :meth:`restore_snapshot`; and with reason not_covered, before anything is sent, if no
            PITR keeps the history of that moment: the server would restore an empty table.
        """
        self._restore(
            RestorePitr(
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
            ),
            table,
            lose,
            verify,
        )

    def undrop(self, *, table: Any = None, database: str | None = None, as_name: str | None = None) -> dt.datetime:
        """Bring back a dropped table or database, as it was at the last moment at which it existed.

        ::

            Recovery(session).undrop(table="orders", database="shop")
            Recovery(session).undrop(table=Order, as_name="orders_before")

        The moment is searched, to the microsecond, in the history that PITRs and snapshots of the account hold of the
        object; if it was dropped several times, usually the last time is found. The object comes back by a clone, on
        MatrixOne 2.2 by a restore, with its indexes and foreign keys, sequences and privileges, and PITRs that it had
        are reactivated. A :class:`RestoreWarning` names what did not come back. As for a restore, none of this is part
        of the transaction.

        :param table: a mapped class or Table, or a name with ``database=``.
        :param database: without a table, the database to bring back.
        :param as_name: bring it back under this name, in the same database if it is a table, beside an object that may
            have its own name. Privileges do not come with it. MatrixOne 3.0 on.
        :return: the moment, in UTC.
        :raises RestoreError: with reason exists, if there is an object of that name; not_found, if the history that is
            kept has none; not_covered, if no PITR or snapshot keeps its history.
        """
        target = RecoveryTarget.of(database=database, table=table)
        if target is None:
            raise MatrixOneArgumentError("say what to bring back, with database=… or table=…")
        if as_name is not None:
            check_object_name("as_name", as_name)
        self._make_clean(RestoreError, table)
        connection = self._connection(table)
        translate = connection.get_execution_options().get("schema_translate_map")
        of_database = target.in_database(connection.dialect.default_schema_name, translate)
        if of_database is None:
            raise MatrixOneArgumentError(f"table={target.table!r}: give the Table a schema, or the URL a database")
        moment = undrop(connection, of_database, target.table, as_name)
        self._expire()
        return moment

    def recovery_windows(
        self, *, account: str | None = None, database: str | None = None, table: Any = None
    ) -> list[RecoveryWindow]:
        """Return the moments that the own account, or what is named, can be restored to, table by table.

        ::

            for window in recovery.recovery_windows(table=Order):
                print(window.source, window.source_name, window.start, window.end)

        Of a database or an account, the windows of the tables that exist now. From 3.0 on each table is asked for by
        itself, because the server's list of several tables is wrong. Before 3.0, what a ``table=`` or ``database=``
        shares with its account or database is listed only for these.

        The window of a PITR begins when its range was last changed, though moments before may be complete. It ends now,
        also for a table that was dropped since.

        :raises RecoveryError: if the server refuses, or what it sends cannot be read; from 3.0 on also if another
            account has several tables.
        """
        self._make_clean(RecoveryError, table)
        return windows.get_recovery_windows(self._connection(table), account=account, database=database, table=table)

    def blockers(
        self, *, cluster: bool = False, account: str | None = None, database: str | None = None, table: Any = None
    ) -> list[Blocker]:
        """Return the sessions whose open transactions a restore of the object would wait for, the oldest first.

        Inside a transaction too. ::

            for blocker in recovery.blockers(table=Order):
                print(blocker.connection_id, blocker.user, blocker.host, blocker.since)

        With nothing named, those of all sessions of the account.
        """
        target = RecoveryTarget.of(cluster=cluster, account=account, database=database, table=table)
        return get_blockers(self._connection(table), target or RecoveryTarget("account"))

    # -- looking into the past

    def find_change(
        self,
        statement: FindableStatement,
        *,
        since: Timestamp | None = None,
        until: Timestamp | None = None,
        precision: dt.timedelta = dt.timedelta(seconds=1),
    ) -> Change:
        """Find out when a value changed, by a binary search through the past.

        ::

            change = recovery.find_change(select(Order.price).where(Order.id == 7))
            print(change.value_before, change.value_after)
            recovery.restore_rows(Order, timestamp=change.before)

        The statement is executed some twenty times, on a connection of its own, so that the transaction is neither seen
        nor affected. It finds a point at which the value became what it is at ``until``. **If that happened several
        times, this is one of them**: choose a statement whose value changed once, such as the price of one row, or a
        count of the rows that are wrong. If the value is the same at both ends, instants in between are tried.

        That a table, database or column does not exist counts as a value, so that the time of a DROP TABLE is found
        too; so does that there is no row. See :class:`NoValue`.

        :param statement: a ``select()`` of one value: one column, and one row or none. Not text(), whose tables are
            unknown.
        :param since: where to begin, an aware datetime or a str with a UTC offset. Default: the earliest instant that
            PITRs and snapshots keep of all tables in the statement, or an hour ago if there is none.
        :param until: where to end. Default: now.
        :param precision: how far apart the instants before and after the change may be, from a microsecond on. If the
            server keeps nothing in between, such as between two snapshots, they are further apart.
        :return: the instants before and after the change, and the values there.
        :raises RecoveryError: with reason not_found, if no other value was found.
        :raises MatrixOneArgumentError: if the statement returns several values, or the arguments contradict each other.

        A :class:`RecoveryWarning` says that nothing protects the tables at ``since`` or ``until``: what garbage
        collection has removed reads as an empty table. Any release.
        """
        table = next(iter(tables_of(statement)), None) if isinstance(statement, ClauseElement) else None
        connection = self._connection(table if isinstance(table, Table) else None)
        return find_change(connection, statement, since=since, until=until, precision=precision)

    def coverage(self, *, database: str | None = None) -> list[Coverage]:
        """Return, for each table, by what it is protected and back to when.

        ::

            for table in recovery.coverage(database="shop"):
                if not table.is_protected:
                    print(table.table, "has no protection")

        PITRs count that are active: whose object is still the one that they were created for. Snapshots and PITRs of
        a table of which the server keeps nothing do not count: from 4.1 on, those of a partitioned table, and those
        created after ALTER TABLE or TRUNCATE had given the table another id.

        :param database: a database of the account; None for all of them, except the server's own.
        :return: a :class:`Coverage` for each table, in the order of their names.
        :raises RecoveryError: with reason not_found if there is no such database, not_permitted if the user may not
            read snapshots and PITRs. Accounts other than sys can read PITRs only outside of a transaction.
        """
        if database is not None:
            check_object_name("database", database)
        return get_coverage(self._connection_for_pitrs(), database)

    def timeline(self, *, database: str | None = None) -> Timeline:
        """Return a picture of what can be restored: PITRs, snapshots and now on one time axis.

        ::

            print(recovery.timeline(database="shop"))
            Path("shop.svg").write_text(recovery.timeline(database="shop").svg())

        A notebook shows it as a picture. Any release.

        :param database: a database, with the tables in it and what contains it; None for the whole account.
        :raises RecoveryError: with reason not_permitted if the user may not read snapshots and PITRs. Accounts other
            than sys can read PITRs only outside of a transaction.
        """
        if database is not None:
            check_object_name("database", database)
        return get_timeline(self._connection_for_pitrs(), database)

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

        The clone shares its storage with the original until rows change, so that it costs next to nothing. It is made
        and dropped on connections of their own: nothing that the transaction has not committed is seen in it.
        MatrixOne 3.0 on.

        :param database: the database to clone.
        :param snapshot: the name of a snapshot that contains the database.
        :param timestamp: an instant: an aware datetime, or a str with a UTC offset.
        :param mo_ts: the same in nanoseconds since 1970.
        :return: a context manager of the scratch database's name. For AsyncRecovery an asynchronous one.
        :raises MatrixOneCompileError: before 3.0, which cannot clone.
        :raises BranchError: if the server cannot clone the database.
        :raises RecoveryError: at the end, with reason active_transaction, if an open transaction has written to the
            scratch database, which then stays. Commit or roll back within the block.
        """
        moment = Moment.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
        return rehearsing(self._connection(), database, moment)

    # -- rows

    def restore_rows(
        self,
        target: RowsArgument,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        where: CriterionArgument = None,
        columns: ColumnsArgument = None,
        missing: bool = True,
        changed: bool = True,
        new: bool = False,
    ) -> RestoredRows:
        """Bring rows back from a table's past, **inside the transaction**: ordinary INSERT, UPDATE and DELETE.

        Unlike a RESTORE it locks rows only, is committed or rolled back together with the rest of the transaction,
        keeps newer rows and columns, and works with foreign keys::

            with Session(engine) as session, session.begin():
                done = Recovery(session).restore_rows(Order, timestamp=before, where=Order.customer_id == 7)
                print(done.inserted, done.updated, done.deleted)

        Rows are the same if their primary keys are. Several tables may be given in any order: rows that others refer to
        are inserted first and deleted last. Conflicts with rows that were written since, such as a unique value that
        another row has now, are found before anything is changed. Of a table with up to 5,000 rows to restore the
        result is compared with the past at the end.

        The Session is flushed before and its objects are expired after it. No events of the ORM occur for these rows,
        and no relationship cascades: name all tables whose rows belong together, association tables too.

        :param target: a mapped class or Table with a primary key, or a list of them. A class that shares its rows with
            others, by joined or single-table inheritance, is refused: name the Tables.
        :param snapshot: the name of a snapshot that contains the tables.
        :param timestamp: an instant: an aware datetime, or a str with a UTC offset.
        :param mo_ts: the same in nanoseconds since 1970.
        :param where: only rows whose old or current version meets this criterion; with several tables, a dict of
            criteria by table. It may contain subqueries of other tables, which read the present.
        :param columns: set back only these columns of changed rows, and leave newer values of others alone. Names or
            attributes of one table; attributes of several.
        :param missing: insert the rows that no longer exist, with their keys.
        :param changed: set back the rows that have changed.
        :param new: delete the rows that did not exist then.
        :return: how many rows were inserted, updated and deleted, and the columns that were skipped: those that exist
            on one side only, and those that the server computes.
        :raises RestoreConflict: if rows cannot exist beside rows that were written since. Nothing was changed.
        :raises RestoreError: if the server does not have the history, or a statement fails; the message says whether
            something was changed.
        :raises MatrixOneArgumentError: if the arguments contradict each other or the tables.
        """
        return self._on_rows(
            rows.restore_rows, target, snapshot, timestamp, mo_ts, where, columns, missing, changed, new
        )

    def preview_rows(
        self,
        target: RowsArgument,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        where: CriterionArgument = None,
        columns: ColumnsArgument = None,
        missing: bool = True,
        changed: bool = True,
        new: bool = False,
        sample: int = 20,
    ) -> RowsPreview:
        """Return what :meth:`restore_rows` would do, without changing anything: counts, rows, conflicts and SQL.

        ::

            preview = Recovery(session).preview_rows(Order, timestamp=before)
            for row in preview.rows:
                print(row.change, row.key, row.old, row.current)
            print(*preview.statements, sep=";\\n")

        :param sample: how many rows of each table to read, once of missing and changed ones and once of new ones.

        The other parameters, and the errors, are those of :meth:`restore_rows`; conflicts are listed instead.
        """
        return self._on_rows(
            partial(rows.preview_rows, sample=sample),
            target,
            snapshot,
            timestamp,
            mo_ts,
            where,
            columns,
            missing,
            changed,
            new,
        )

    def _on_rows(
        self,
        call: Callable[[Connection, Sequence[RowsTarget], RowKinds, Moment], _R],
        target: RowsArgument,
        snapshot: str | None,
        timestamp: Timestamp | None,
        mo_ts: int | None,
        where: CriterionArgument,
        columns: ColumnsArgument,
        missing: bool,
        changed: bool,
        new: bool,
    ) -> _R:
        kinds = RowKinds(missing, changed, new)
        targets = rows_targets(target, where, columns)
        moment = Moment.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
        connections = {id(connection): connection for connection in (self._connection(one.table) for one in targets)}
        if len(connections) > 1:
            raise MatrixOneArgumentError(
                "the tables are on several engines: restore the rows of each engine by themselves"
            )
        [connection] = connections.values()
        if isinstance(self._bind, Connection):
            return call(connection, targets, kinds, moment)
        refuse_time_travel(self._bind)
        self._bind.flush()
        try:
            return call(connection, targets, kinds, moment)
        finally:
            self._bind.expire_all()

    # -- the transaction

    def _restore(self, element: RestoreSnapshot | RestorePitr, table: Any, lose: Collection[str], verify: bool) -> None:
        kinds = check_lose(lose)
        check_flag("verify", verify)
        self._make_clean(element.error, table)
        try:
            restore(self._connection(table), element, lose=kinds, verify=verify)
        except BaseException as error:
            if not isinstance(error, RecoveryError) or error.done is not False:
                self._expire()
            raise
        self._expire()

    def _expire(self) -> None:
        if not isinstance(self._bind, Connection):
            self._bind.expire_all()

    def _execute(self, element: RecoveryDDL, table: Any = None) -> Connection:
        self._make_clean(element.error, table)
        connection = self._connection(table)
        connection.execute(element)
        return connection

    def _make_clean(self, error: type[RecoveryError], table: Any) -> None:
        """With ``commit_first``, commit what is open; without, refuse changes that are not flushed.

        That something has run is refused when the statement is executed, by the construct itself.
        """
        has_unflushed = not isinstance(self._bind, Connection) and has_changes(self._bind)
        if self._commit_first:
            if has_unflushed or self._has_run(table):
                self._commit(error, table)
        elif has_unflushed:
            raise error(
                "nothing was sent: the Session holds changes that are not flushed, and MatrixOne would refuse the "
                "statement after them. Commit or roll back first, or use Recovery(session, commit_first=True).",
                Reason.ACTIVE_TRANSACTION,
            )

    def _commit(self, error: type[RecoveryError], table: Any) -> None:
        if is_in_begin_block(self._bind):
            raise error(
                "nothing was sent: commit_first cannot commit inside a block of begin(), which commits at its end. "
                "Leave the block first, or call commit() yourself on a Session without one.",
                Reason.ACTIVE_TRANSACTION,
            )
        self._bind.commit()
        if self._has_run(table):
            raise error(
                "nothing was sent: after commit() the transaction is still open, for it belongs to somebody else: "
                "the Session joined a Connection that began it. Commit there first.",
                Reason.ACTIVE_TRANSACTION,
            )

    def _has_run(self, table: Any) -> bool:
        return state_of(self._connection(table).connection).has_statements

    def _connection_for_pitrs(self, table: Any = None) -> Connection:
        """For other accounts than sys, one on which the server shows PITRs."""
        if self._commit_first and not catalog.reads_pitrs_in_transaction(self._connection(table)):
            self._make_clean(PitrError, table)
        return self._connection(table)

    def _connection(self, table: Any = None) -> Connection:
        """The Session's connection; by the table, where the Session has several engines."""
        if isinstance(self._bind, Connection):
            connection = self._bind
        elif self._bind.bind is None and table is not None and not isinstance(table, str):
            connection = self._bind.connection(bind_arguments={"clause": table_of(table), "mapper": _mapped(table)})
        else:
            connection = self._bind.connection()
        matrixone_dialect(connection)
        return connection


def _mapped(table: Any) -> Any:
    return table if isinstance(table, type) else None


def _created(found: list[_R], error: type[RecoveryError], target: str) -> _R:
    if not found:
        raise error(f"{target} was made, but somebody has dropped it since", Reason.NOT_FOUND)
    return found[0]
