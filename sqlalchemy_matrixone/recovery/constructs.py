"""The constructs: snapshots, PITRs and restores as SQLAlchemy DDL elements.

MatrixOne accepts each of them only if nothing has run on the connection since its last commit or rollback, executes it
immediately, and does not undo it on a rollback. They are **not** part of the transaction on which they are executed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sqlalchemy import exc

from ..core.arguments import (
    TableArgument,
    Timeout,
    Timestamp,
    check_flag,
    check_mo_ts,
    check_name,
    check_object_name,
    check_server_time,
    check_timeout,
    check_timestamp,
)
from ..core.names import fold
from ..core.refusals import server_errors_as
from ..core.server import MatrixOneServer, matrixone_dialect
from ..core.snapshots import snapshot_instant
from ..core.statement import MatrixOneDDL
from ..core.warning import warn
from ..exc import MatrixOneArgumentError, PitrError, Reason, RecoveryWarning, RestoreError, SnapshotError
from . import catalog
from .effects import Effect, Find, NamedCreated, NamedDropped, ObjectReplaced, PitrAltered
from .execution import Attempt, executing
from .freshness import see_all_commits
from .pitr_objects import is_of
from .pitr_range import PitrRange, RangeArgument
from .protection import check_table_is_protected, describe_existing
from .resolve import check_restore, greeted_release, server_instant, server_wall_clock
from .target import RecoveryTarget

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.engine import Connection, CursorResult

    from ..core.sqlalchemy_internals import Execute
    from .values import Pitr


class RecoveryDDL(MatrixOneDDL):
    """Base of the constructs: an executable DDL element about one named snapshot or PITR.

    :ivar attempt: the state of the execution; None before it, unless a caller follows it (:meth:`new_attempt`).
    """

    attempt: Attempt | None = None
    _sees_all_commits = False
    """Whether it must see everything that was committed before it, on all nodes of a cluster."""

    @property
    def keywords(self) -> str:
        """Return the first words of the statement, such as ``CREATE SNAPSHOT``."""
        return self.__visit_name__.upper().replace("_", " ")

    def tables(self) -> Iterator[Table]:
        """Yield the Table that the statement is about, by which a Session with several engines chooses the engine."""
        target: RecoveryTarget | None = getattr(self, "recovery_target", None)
        if target is not None and target.named is not None:
            yield target.named

    def sending(self, dialect: MatrixOneServer, context: Any) -> AbstractContextManager[None]:
        """Return a context for the time of sending, which ends the statement on the server if the client gives up."""
        connection = context.root_connection.connection
        self._refuse_in_transaction(dialect, connection)
        assert self.attempt is not None
        return executing(dialect, self.attempt, context)

    def _refuse_in_transaction(self, dialect: MatrixOneServer, connection: Any) -> None:
        hint = f"; in an Alembic migration, op.{self.__visit_name__}() does"
        dialect.refuse_in_transaction(connection, self.error, self.keywords, hint)

    def run_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Check what the server does not, and execute the statement."""
        if not isinstance(connection.dialect, MatrixOneServer):
            return self._execute_plainly(connection, execute)
        attempt = self.attempt or self._attempt(connection, options)
        with server_errors_as(self.error, f"{self.operation} was not sent"):
            element = self._resolved(connection, options).copy_with(attempt=attempt)
        if self._sees_all_commits:
            self._refuse_in_transaction(matrixone_dialect(connection), connection.connection)
            with server_errors_as(self.error, f"{self.operation} was not sent"):
                see_all_commits(connection)
        try:
            return execute(element)
        except exc.DBAPIError as error:
            if (failure := attempt.failure(error)) is not None:
                raise failure from error
            raise

    def sql_on(self, connection: Connection) -> str:
        """Return the statement that would be sent on a connection.

        :raises RestoreError: if the server would restore nothing, or another point in time.
        """
        options = connection.get_execution_options()
        element = self._resolved(connection, options)
        translate = options.get("schema_translate_map")
        compiled = element.compile(dialect=connection.dialect, schema_translate_map=translate)
        return str(compiled)

    def _execute_plainly(self, connection: Connection, execute: Execute) -> CursorResult[Any]:
        """Execute on an engine of another dialect, which knows neither the release nor the checks before a restore."""
        return execute(self.copy_with(release=greeted_release(connection)))

    def new_attempt(self, connection: Connection) -> Attempt:
        """Return what a copy of the construct can be executed with, once, so that the caller knows the outcome."""
        return self._attempt(connection, connection.get_execution_options())

    def _attempt(self, connection: Connection, options: Mapping[str, Any]) -> Attempt:
        return Attempt(connection, self.error, self._effect(connection, options))

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> Effect:
        """Return the change that the statement makes."""
        raise NotImplementedError

    def _resolved(self, connection: Connection, options: Mapping[str, Any]) -> Self:
        """Return a copy that is completed with what only the connection knows, or the construct itself.

        :raises RestoreError: if the server would restore nothing, or another point in time.
        """
        return self


class _Protect(RecoveryDDL):
    """Base of the constructs that start to protect an object."""

    recovery_target: RecoveryTarget | None
    if_not_exists: bool
    _find: ClassVar[Find]

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> Effect:
        return NamedCreated(self._find, self.name)

    def _resolved(self, connection: Connection, options: Mapping[str, Any]) -> Self:
        target = self.recovery_target
        if target is None or target.level != "table":
            return self
        dialect = matrixone_dialect(connection)
        self._refuse_in_transaction(dialect, connection.connection)
        if self.if_not_exists and self._find(connection, name=self.name):
            return self
        database = target.in_database(dialect.default_schema_name, options.get("schema_translate_map"))
        if database is not None and target.table is not None:
            check_table_is_protected(connection, database, target.table, f"{self.keywords} {self.name!r}", self.error)
        return self


class CreateSnapshot(_Protect):
    """``CREATE SNAPSHOT``: keep the current state of an object under a name, until the snapshot is dropped.

    ::

        session.execute(CreateSnapshot("before_import", database="shop"))

    :param name: up to 64 characters, without spaces, quotes or backslashes; MatrixOne folds it to lower case.
    :param cluster: True for the whole cluster. Only the sys account may do this.
    :param account: an account's name; only sys may name another account.
    :param database: a database of the current account.
    :param table: a mapped class or Table, or a name with ``database=``. Without any of these, the snapshot is of the
        current account.
    :param from_account: with ``publication=``, the account that published the object to the current one.
        MatrixOne 4.0 on.
    :param publication: the publication that contains the object. Such a snapshot belongs to the publisher: it is
        listed and dropped there.
    :param if_not_exists: do nothing if a snapshot of that name exists.
    :raises MatrixOneArgumentError: if the server would refuse or truncate an argument.
    :raises SnapshotError: when executed, with reason unsupported, if the server would keep no history of the table. A
        :class:`RecoveryWarning` names parts of a table that are not protected.
    """

    __visit_name__ = "create_snapshot"
    _sees_all_commits = True
    _find = staticmethod(catalog.get_snapshots)
    error = SnapshotError

    def __init__(
        self,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        from_account: str | None = None,
        publication: str | None = None,
        if_not_exists: bool = False,
    ) -> None:
        self.name = check_name("snapshot", name)
        self.recovery_target = RecoveryTarget.of(cluster=cluster, account=account, database=database, table=table)
        _no_account_of_objects(self.recovery_target)
        _check_publication(from_account, publication, self.recovery_target)
        self.from_account = from_account
        self.publication = publication
        self.if_not_exists = check_flag("if_not_exists", if_not_exists)

    def execute_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the construct, again if another session creates a snapshot of this name at the same time."""
        try:
            return super().execute_on(connection, options, execute)
        except SnapshotError as error:
            if not self.if_not_exists or error.reason is not Reason.EXISTS:
                raise
        return super().execute_on(connection, options, execute)  # now the server sees that snapshot


class DropSnapshot(RecoveryDDL):
    """``DROP SNAPSHOT``: drop a snapshot. Its state of the object can no longer be restored.

    ::

        session.execute(DropSnapshot("before_import", if_exists=True))

    :param name: the snapshot's name.
    :param if_exists: do nothing if there is none.
    :raises MatrixOneArgumentError: if the server would not store and find the name unchanged.
    """

    __visit_name__ = "drop_snapshot"
    error = SnapshotError

    def __init__(self, name: str, *, if_exists: bool = False) -> None:
        self.name = check_name("snapshot", name)
        self.if_exists = check_flag("if_exists", if_exists)

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> Effect:
        return NamedDropped(catalog.get_snapshots, self.name)


class CreatePitr(_Protect):
    """``CREATE PITR``: from now on, make any point in time within the last ``range`` restorable.

    An object has at most one active PITR. Points in time before its creation cannot be restored.

    ::

        session.execute(CreatePitr("shop_week", range="7d", database="shop"))

    Prefer the PITR of a database to that of a table: it protects secondary indexes and partitions too, and stays
    active when a table is altered, truncated or restored. See :attr:`Pitr.active`.

    :param name: without spaces, quotes or backslashes; MatrixOne folds it to lower case.
    :param range: ``"7d"``, ``(7, "d")`` or a timedelta of whole hours or days; 1 to 100 of the units
        h, d, mo and y.
    :param cluster: True for the whole cluster. Only the sys account may do this.
    :param account: an account's name; only sys may name another account.
    :param database: a database of the current account.
    :param table: a mapped class or Table, or a name with ``database=``. Without any of these, the PITR is of the
        current account.
    :param if_not_exists: do nothing if a PITR of that name exists. A :class:`RecoveryWarning` states if that one has
        another range or is inactive.
    :raises MatrixOneArgumentError: if the server would refuse an argument.
    :raises PitrError: when executed, with reason unsupported, if the server would keep no history of the table. A
        :class:`RecoveryWarning` names parts of a table that are not protected.
    """

    __visit_name__ = "create_pitr"
    _find = staticmethod(catalog.get_pitrs)
    error = PitrError

    def __init__(
        self,
        name: str,
        *,
        range: RangeArgument,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        if_not_exists: bool = False,
    ) -> None:
        self.name = check_name("PITR", name)
        self.range = PitrRange.of(range)
        self.recovery_target = RecoveryTarget.of(cluster=cluster, account=account, database=database, table=table)
        _no_account_of_objects(self.recovery_target)
        self.if_not_exists = check_flag("if_not_exists", if_not_exists)

    def _resolved(self, connection: Connection, options: Mapping[str, Any]) -> Self:
        if self.if_not_exists:
            self._refuse_in_transaction(matrixone_dialect(connection), connection.connection)
            for existing in catalog.get_pitrs(connection, name=self.name):
                self._warn_of_existing(existing, connection)
                return self
        return super()._resolved(connection, options)

    def _warn_of_existing(self, existing: Pitr, connection: Connection) -> None:
        is_of_object = is_of(existing, self.recovery_target, connection)
        if (difference := describe_existing(existing, self.range, is_of_object=is_of_object)) is not None:
            warn(difference, RecoveryWarning)


class AlterPitr(RecoveryDDL):
    """``ALTER PITR``: change how far back a PITR reaches. A shorter range gives up older history.

    ::

        session.execute(AlterPitr("orders_week", range="3mo"))

    :param name: the PITR's name.
    :param range: as for :class:`CreatePitr`.
    :param if_exists: do nothing if there is none.
    :raises MatrixOneArgumentError: if the server would not take the name or the range unchanged.
    """

    __visit_name__ = "alter_pitr"
    error = PitrError

    def __init__(self, name: str, *, range: RangeArgument, if_exists: bool = False) -> None:
        self.name = check_name("PITR", name)
        self.range = PitrRange.of(range)
        self.if_exists = check_flag("if_exists", if_exists)

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> Effect:
        return PitrAltered(self.name, self.range)


class DropPitr(RecoveryDDL):
    """``DROP PITR``: give up the history that a PITR could restore.

    ::

        session.execute(DropPitr("orders_week", if_exists=True))

    :param name: the PITR's name.
    :param if_exists: do nothing if there is none.
    :raises MatrixOneArgumentError: if the server would not store and find the name unchanged.
    """

    __visit_name__ = "drop_pitr"
    error = PitrError

    def __init__(self, name: str, *, if_exists: bool = False) -> None:
        self.name = check_name("PITR", name)
        self.if_exists = check_flag("if_exists", if_exists)

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> Effect:
        return NamedDropped(catalog.get_pitrs, self.name)


class _Restore(RecoveryDDL):
    """Base of the restores.

    :ivar snapshot: the name of the snapshot, if one is restored.
    """

    _sees_all_commits = True
    error = RestoreError
    snapshot: str | None = None

    def __init__(
        self,
        *,
        cluster: bool,
        account: str | None,
        database: str | None,
        table: TableArgument | None,
        to_account: str | None,
        timeout: Timeout | None,
    ) -> None:
        target = RecoveryTarget.of(cluster=cluster, account=account, database=database, table=table)
        if target is None:
            raise MatrixOneArgumentError(
                "a restore replaces an object: specify which one, with cluster=True, account=…, database=… or table=…"
            )
        if to_account is not None:
            check_object_name("to_account", to_account)
            if target.level == "cluster":
                raise MatrixOneArgumentError("the cluster cannot be restored to_account: name the account to restore")
        self.recovery_target = target
        self.to_account = to_account
        self.timeout = check_timeout(timeout)

    def check_transaction(self, connection: Connection) -> None:
        """Check that the restore is allowed in the current state of the transaction.

        :raises RestoreError: with reason active_transaction, if the server would refuse it.
        """
        self._refuse_in_transaction(matrixone_dialect(connection), connection.connection)

    def source(self, connection: Connection) -> int | None:
        """Return the point in time to restore, in nanoseconds since 1970, or None if there is none."""
        raise NotImplementedError

    def _replaced(self) -> RecoveryTarget:
        """Return the object that is replaced."""
        if self.to_account is None:
            return self.recovery_target
        return RecoveryTarget("account", self.to_account)

    def _attempt(self, connection: Connection, options: Mapping[str, Any]) -> Attempt:
        effect = self._effect(connection, options)
        return Attempt(connection, self.error, effect, timeout=self.timeout, waits_for=effect.located)

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> ObjectReplaced:
        target = self._replaced()
        own = matrixone_dialect(connection).default_account_name
        foreign = target.account if own is None or fold(target.account) != fold(own) else None
        database = target.in_database(connection.dialect.default_schema_name, options.get("schema_translate_map"))
        return ObjectReplaced(target, database, foreign)

    def _execute_plainly(self, connection: Connection, execute: Execute) -> CursorResult[Any]:
        if self.timeout is not None:
            raise MatrixOneArgumentError(f"{self.keywords} was not sent: timeout= requires a matrixone:// engine")
        return super()._execute_plainly(connection, execute)

    def _resolved(self, connection: Connection, options: Mapping[str, Any]) -> Self:
        dialect = matrixone_dialect(connection)
        self._refuse_in_transaction(dialect, connection.connection)
        if self.to_account is None:
            check_restore(
                dialect,
                connection,
                self.recovery_target,
                options.get("schema_translate_map"),
                snapshot=self.snapshot,
            )
        return self


class RestoreSnapshot(_Restore):
    """``RESTORE … SNAPSHOT``: return an object to the state that a snapshot kept.

    The object is replaced. The server first waits indefinitely for every open transaction that has written to it,
    and discards what these transactions commit: close them, or pass a ``timeout``.

    This executes only the server's statement, which also loses privileges on what it restores, sequences and
    publications, and leaves PITRs inactive. :meth:`Recovery.restore_snapshot` and ``op.restore_snapshot()`` put these
    back.

    ::

        session.execute(RestoreSnapshot("before_import", table=Order))
        session.execute(RestoreSnapshot("nightly", account="acc1", to_account="acc2"))

    :param name: the snapshot's name.
    :param cluster: True for the whole cluster. Only the sys account may do this.
    :param account: the account to restore, or with ``database=`` or ``table=`` the one that contains them.
    :param database: the database to restore.
    :param table: a mapped class or Table, or a name with ``database=``.
    :param to_account: restore a whole account into this one, which must exist; only sys may do this. For a database,
        a table or the sys account the server would ignore it and replace the original.
    :param timeout: seconds, or a timedelta, after which the restore is ended on the server if it still waits or works:
        in that case nothing is restored.
    :raises MatrixOneArgumentError: if no object is given, or the arguments contradict each other.
    :raises sqlalchemy.exc.CompileError: when compiled, if ``to_account`` would be ignored.
    :raises RestoreError: when executed, if the server would leave a table unchanged because of foreign keys, or, before
        4.2, would restore another table; with reason timeout, if it took longer than ``timeout``; if the connection was
        lost, with ``done`` and the reason stating the outcome.
    """

    __visit_name__ = "restore_snapshot"

    def __init__(
        self,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
    ) -> None:
        self.name = self.snapshot = check_name("snapshot", name)
        super().__init__(
            cluster=cluster, account=account, database=database, table=table, to_account=to_account, timeout=timeout
        )

    def source(self, connection: Connection) -> int | None:
        """Return when the snapshot was created, in nanoseconds since 1970; None if it does not exist."""
        return snapshot_instant(connection, self.name)


class RestorePitr(_Restore):
    """``RESTORE … FROM PITR``: return an object to a point in time that a PITR covers.

    The object is replaced. The server first waits indefinitely for every open transaction that has written to it,
    and discards what these transactions commit: close them, or pass a ``timeout``.

    This executes only the server's statement, which also loses privileges on what it restores, sequences and
    publications, and leaves PITRs inactive. :meth:`Recovery.restore_pitr` and ``op.restore_pitr()`` put these
    back.

    ::

        before = datetime.now(timezone.utc)
        ...
        session.execute(RestorePitr("orders_week", timestamp=before, table=Order))

    Pass exactly one of ``timestamp=``, ``mo_ts=`` and ``server_time=``.

    :param name: the PITR's name.
    :param timestamp: an aware datetime, or a str with a UTC offset (``"2026-03-01 12:00:00+00:00"``): that instant,
        whatever the time zones of server and session. The server reads the time on its own clock, so the server is
        asked what that clock shows at that instant when the construct is executed.
    :param mo_ts: the same in nanoseconds since 1970.
    :param server_time: the time on the server's clock, ``"2026-03-01 12:00:00"``, sent unchanged. The clock is the one
        of the server's process, whatever the ``time_zone`` of the session. Use it for scripts that are printed without
        a connection, which cannot ask the server; otherwise ``timestamp=`` is safer.
    :param cluster: True for the whole cluster. Only the sys account may do this.
    :param account: the account to restore, or with ``database=`` or ``table=`` the one that contains them;
        from MatrixOne 4.1 on, the grammar allows an account other than the current one with these, but the server
        refuses it.
    :param database: the database to restore.
    :param table: a mapped class or Table, or a name with ``database=``.
    :param to_account: restore the account into this one, from a PITR of the cluster.
    :param timeout: as for :class:`RestoreSnapshot`.
    :raises MatrixOneArgumentError: if no object is given, or the time is naive or invalid.
    :raises RestoreError: when executed, if the server would leave a table unchanged because of foreign keys; with
        reason timeout, if it took longer than ``timeout``; if the connection was lost, with ``done`` and the reason
        stating the outcome.
    """

    __visit_name__ = "restore_pitr"

    def __init__(
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
    ) -> None:
        self.name = check_name("PITR", name)
        if sum(given is not None for given in (timestamp, mo_ts, server_time)) != 1:
            raise MatrixOneArgumentError("pass exactly one of timestamp=, mo_ts= and server_time=")
        self.timestamp = None if timestamp is None else check_timestamp(timestamp)
        self.mo_ts = None if mo_ts is None else check_mo_ts(mo_ts)
        self.server_time = None if server_time is None else check_server_time(server_time)
        super().__init__(
            cluster=cluster, account=account, database=database, table=table, to_account=to_account, timeout=timeout
        )
        if to_account is not None and self.recovery_target.level != "account":
            raise MatrixOneArgumentError("only a whole account can be restored to_account from a PITR")

    def _resolved(self, connection: Connection, options: Mapping[str, Any]) -> Self:
        _refuse_blanks(self.recovery_target)
        element = super()._resolved(connection, options)
        if self.server_time is not None:
            return element
        return element.copy_with(server_time=server_wall_clock(connection, *self.instant()))

    def source(self, connection: Connection) -> int | None:
        """Return the point in time, in nanoseconds since 1970."""
        if self.server_time is not None:
            return server_instant(connection, self.server_time)
        second, nanoseconds = self.instant()
        return int(second.timestamp()) * 10**9 + nanoseconds

    def instant(self) -> tuple[dt.datetime, int]:
        """Return the whole second in UTC, and the nanoseconds after it."""
        if self.timestamp is not None:
            return self.timestamp.replace(microsecond=0), self.timestamp.microsecond * 1000
        seconds, nanoseconds = divmod(self.mo_ts or 0, 10**9)
        return dt.datetime.fromtimestamp(seconds, dt.UTC), nanoseconds


class CloneOfPast(RecoveryDDL):
    """A clone that brings an object back as it was, beside the present one or after a drop.

    It is sent like a restore: if the client abandons it, it is ended on the server, and the error states the outcome.

    :param statement: the statement, with ``%`` doubled.
    :param created: the table or database that it creates, with its database.
    :param operation: a description of the operation for messages.
    """

    __visit_name__ = "clone_of_past"
    error = RestoreError

    def __init__(self, statement: str, created: RecoveryTarget, operation: str) -> None:
        self.name = operation
        self.statement = statement
        self.created = created

    @property
    def operation(self) -> str:
        """Return the description of the operation."""
        return self.name

    def _effect(self, connection: Connection, options: Mapping[str, Any]) -> Effect:
        return ObjectReplaced(self.created, self.created.database, None)


def _refuse_blanks(target: RecoveryTarget) -> None:
    """Check that the server takes the name of a table in a restore from a PITR, on which all releases agree.

    :raises RestoreError: if the name contains a blank, which the server calls an "invalid input".
    """
    name = target.table
    if name is not None and {" ", "\t"}.intersection(name):
        raise RestoreError(
            f"RESTORE was not sent: MatrixOne does not restore table {name!r} from a PITR, because its name contains a "
            "blank. Restore its database, bring its rows back with restore_rows(), or restore it beside the present "
            "one under another name (as_name=)",
            Reason.UNSUPPORTED,
        )


def _no_account_of_objects(target: RecoveryTarget | None) -> None:
    if target is not None and target.account is not None and target.level != "account":
        raise MatrixOneArgumentError(
            f"account={target.account!r}: MatrixOne creates this for a {target.level} of the current account only; "
            f"connect to that account, or omit the {target.level}"
        )


def _check_publication(from_account: str | None, publication: str | None, target: RecoveryTarget | None) -> None:
    if (from_account is None) != (publication is None):
        raise MatrixOneArgumentError("from_account= and publication= must be passed together")
    if from_account is not None and target is not None and target.level in ("cluster", "account"):
        raise MatrixOneArgumentError(
            "a publication contains databases and tables: pass database= or table=, or neither"
        )
    for keyword, value in (("from_account", from_account), ("publication", publication)):
        if value is not None:
            check_object_name(keyword, value)
