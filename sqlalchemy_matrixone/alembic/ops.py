"""The recovery statements as operations of a migration.

MatrixOne does not accept recovery statements inside a transaction, a rollback does not undo them, and a migration has
always run other statements before. Each operation therefore **commits what ran before it**, reports that in the log,
runs by itself, and starts a new transaction. Clones and branches become a part of the new transaction. Put these
operations first in a revision, and set ``transaction_per_migration=True`` in env.py, so that they commit only complete
revisions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import DropTableOp, ExecuteSQLOp
from alembic.util import CommandError
from sqlalchemy import MetaData, Table
from sqlalchemy.schema import DropSchema

from ..branches.constructs import CloneDatabase, CloneTable, CreateBranch, DropBranch
from ..core.arguments import (
    Timeout,
    Timestamp,
    check_flag,
    check_is_name,
    check_object_name,
    check_timeout,
    check_timestamp,
    table_of,
)
from ..core.names import fold
from ..core.release import Feature, format_release
from ..core.server import URLS, MatrixOneServer
from ..core.statement import MatrixOneDDL
from ..exc import MatrixOneArgumentError
from ..recovery import catalog
from ..recovery.constructs import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    RestorePitr,
    RestoreSnapshot,
)
from ..recovery.copying import check_copy, restore_copy
from ..recovery.pitr_range import PitrRange, RangeArgument
from ..recovery.pitr_statements import alter_pitr, create_pitr, lengthen_pitr
from ..recovery.preservation import check_lose
from ..recovery.reactivation import declared_pitrs, protecting, unprotected
from ..recovery.restoring import restore
from ..recovery.target import implied_name
from .log import log
from .protection import watch_pitrs
from .transaction import check_nothing_written, outside_transaction, with_nothing_written

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.engine import Connection

    from ..recovery.values import Pitr

Database = str | Literal[True] | None
"""The name of a database, or True for the current database of the connection."""


class RecoveryOp(MigrateOperation):
    """One recovery construct as an operation.

    :param name: the name of the snapshot or PITR. With None, a PITR of a database or a table is named after its object,
        ``shop`` or ``shop.orders``, on the connection that the migration runs on.
    :param arguments: the keywords of the construct. ``table="orders"`` without a database, and ``database=True``, refer
        to the current database of the connection that the migration runs on, so that one migration can be used for
        databases with different names.
    """

    construct: ClassVar[type[MatrixOneDDL]]

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        self.name = name
        self.arguments = _plain(arguments)

    @property
    def operation(self) -> str:
        """Return the name of the operation, which is also that of the construct, such as ``create_pitr``."""
        return self.construct.__visit_name__

    @property
    def commit_first(self) -> bool:
        """Return whether the operation may commit what the migrations have written before it."""
        return bool(self.arguments.get("commit_first", True))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return (self.operation, self.name, self.arguments)

    def element(self, own_database: str | None) -> MatrixOneDDL:
        """Return the construct for a connection to this database."""
        arguments = {key: value for key, value in self.arguments.items() if key not in _OF_OPERATIONS}
        name = self._implied_name(own_database) if self.name is None else self.name
        table, database = arguments.get("table"), arguments.get("database")
        if table is not None and database is None:
            arguments["table"] = Table(table, MetaData())
        elif database is True:
            arguments["database"] = _known(own_database)
        return self._construct(name, arguments)

    def _construct(self, name: str | None, arguments: dict[str, Any]) -> MatrixOneDDL:
        try:
            signature(self.construct).bind(name, **arguments)
        except TypeError as error:  # None was passed for a required argument
            raise MatrixOneArgumentError(f"op.{self.operation}(): {error}") from error
        return self.construct(name, **arguments)  # type: ignore[call-arg]

    def check(self, context: MigrationContext, element: MatrixOneDDL) -> None:
        """Raise an error, before anything is committed, if the construct can certainly not be executed."""

    def executing(self, context: MigrationContext, operation: str) -> AbstractContextManager[None]:
        """Return a context that puts the construct at the right point of the migration's transaction."""
        return outside_transaction(context, operation)

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        """Execute the construct, or print it."""
        operations.execute(element)

    @property
    def _advice_on_names(self) -> str:
        if issubclass(self.construct, (CreateSnapshot, DropSnapshot)):
            return "Pass the name of the snapshot first."
        return (
            "Pass the name of the PITR first, or its object: database=True, for the database that is migrated, or "
            "table=…. Only the PITR of a database or table has an implied name."
        )

    def _implied_name(self, own_database: str | None) -> str:
        table, database = self.arguments.get("table"), self.arguments.get("database")
        if issubclass(self.construct, (CreateSnapshot, DropSnapshot)) or (table is None and database is None):
            raise MatrixOneArgumentError(
                f"op.{self.operation}() needs a name. Nothing was sent. {self._advice_on_names}"
            )
        return implied_name(database if isinstance(database, str) else _known(own_database), table)


@Operations.implementation_for(RecoveryOp)
def _run(operations: Operations, op: RecoveryOp) -> None:
    context = operations.get_context()
    if not isinstance(context.dialect, MatrixOneServer):
        raise CommandError(f"op.{op.operation}() needs a URL of {URLS}; this one is of {context.dialect.name}")
    element = op.element(context.dialect.default_schema_name)
    op.check(context, element)
    operation = f"op.{op.operation}({element.name!r})"
    if not op.commit_first:
        check_nothing_written(context, operation)
    with op.executing(context, operation):
        op.execute(operations, element)


# -- snapshots


@Operations.register_operation("create_snapshot")
class CreateSnapshotOp(RecoveryOp):
    """``op.create_snapshot()``."""

    construct = CreateSnapshot

    def reverse(self) -> DropSnapshotOp:
        return DropSnapshotOp(self.name, existing=self)

    @classmethod
    def create_snapshot(
        cls,
        operations: Operations,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: Database = None,
        table: Any = None,
        from_account: str | None = None,
        publication: str | None = None,
        if_not_exists: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Keep the current state of an object under a name, until the snapshot is dropped.

        Commits what the migration has done before, so that the snapshot includes it. ::

            op.create_snapshot("before_import", table="orders")

        :param name: up to 64 characters, without spaces or quotes.
        :param cluster: True for the whole cluster.
        :param account: the name of an account.
        :param database: the name of a database; True for the one that the migration runs on.
        :param table: the name of a table; without ``database=``, in the database that the migration runs on.
            If no object is given, the current account is meant.
        :param from_account: see :class:`~sqlalchemy_matrixone.CreateSnapshot`, also for ``publication``.
        :param publication: requires MatrixOne 4.0 or later.
        :param if_not_exists: no error if a snapshot of that name exists, for instance because a migration is repeated
            that failed after this operation.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(
            cls(
                name,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
                from_account=from_account,
                publication=publication,
                if_not_exists=if_not_exists,
                commit_first=commit_first,
            )
        )


@Operations.register_operation("drop_snapshot")
class DropSnapshotOp(RecoveryOp):
    """Drop a snapshot.

    :param existing: the operation that created the snapshot.
    """

    construct = DropSnapshot

    def __init__(self, name: str | None = None, *, existing: CreateSnapshotOp | None = None, **arguments: Any) -> None:
        super().__init__(name, **arguments)
        self.existing = existing

    def reverse(self) -> CreateSnapshotOp:
        if self.existing is None:
            raise NotImplementedError(
                f"drop_snapshot {self.name!r} has no reverse: what the snapshot kept no longer exists, and a new one "
                "of that name would keep something else"
            )
        return self.existing

    @classmethod
    def drop_snapshot(
        cls, operations: Operations, name: str, *, if_exists: bool = False, commit_first: bool = True
    ) -> None:
        """Drop a snapshot. What it kept can no longer be restored. Commits what ran before.

        ::

            op.drop_snapshot("before_import", if_exists=True)

        :param name: the name of the snapshot.
        :param if_exists: no error if it does not exist.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, if_exists=if_exists, commit_first=commit_first))


class _RestoreOp(RecoveryOp):
    def check(self, context: MigrationContext, element: MatrixOneDDL) -> None:
        as_name = self.arguments.get("as_name")
        if as_name is None:
            return
        assert isinstance(element, (RestoreSnapshot, RestorePitr))
        assert isinstance(context.dialect, MatrixOneServer)
        check_copy(element, as_name, self.arguments.get("lose", ()))
        if context.as_sql:
            raise CommandError(
                f"op.{self.operation}(as_name={as_name!r}) was not printed: what it puts back has to be read from the "
                "server. In a script created with --sql, use op.clone_table() or op.clone_database()."
            )
        if not context.dialect.supports(Feature.CLONE):
            needed = format_release(Feature.CLONE.since)
            raise CommandError(f"op.{self.operation}() was not run: as_name= needs MatrixOne {needed} or later")

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        context = operations.get_context()
        if context.as_sql:
            super().execute(operations, element)
            return
        assert isinstance(element, (RestoreSnapshot, RestorePitr))
        assert context.connection is not None
        verify = self.arguments.get("verify", False)
        if "as_name" in self.arguments:
            restore_copy(context.connection, element, self.arguments["as_name"], verify=verify)
            return
        lose = check_lose(self.arguments.get("lose", ()))
        restore(context.connection, element, lose=lose, verify=verify)

    def reverse(self) -> DropTableOp | ExecuteSQLOp:
        """Return the operation that drops what was restored under another name."""
        as_name, database = self.arguments.get("as_name"), self.arguments.get("database")
        if as_name is not None and "table" in self.arguments:
            return DropTableOp(as_name, schema=None if database is True else database)
        if as_name is not None:
            return ExecuteSQLOp(DropSchema(as_name))
        raise NotImplementedError(
            f"{self.operation} {self.name!r} has no reverse: the state before the restore is not kept. Write the "
            "downgrade by hand, or take a snapshot first."
        )


@Operations.register_operation("restore_snapshot")
class RestoreSnapshotOp(_RestoreOp):
    """``op.restore_snapshot()``. It can be reversed only with ``as_name=``."""

    construct = RestoreSnapshot

    @classmethod
    def restore_snapshot(
        cls,
        operations: Operations,
        name: str,
        *,
        cluster: bool = False,
        account: str | None = None,
        database: Database = None,
        table: Any = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
        lose: Collection[str] = (),
        as_name: str | None = None,
        verify: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Restore an object to the state that a snapshot kept. Commits what ran before.

        The object is replaced. Before that, the server waits for every open transaction that has written to it, without
        limit or for ``timeout``. A restore of the whole database includes ``alembic_version``. To undo a migration in
        this way, call :func:`sqlalchemy_matrixone.alembic.restore_latest_snapshot` or execute RestoreSnapshot outside
        of migrations. ::

            op.restore_snapshot("before_import", table="orders")

        :param name: the name of the snapshot.
        :param cluster: True for the whole cluster.
        :param account: the account to restore, or the one that the database or table is in.
        :param database: the name of a database; True for the one that the migration runs on.
        :param table: the name of a table; without ``database=``, in the database that the migration runs on.
        :param to_account: restore a whole account other than sys into this one.
        :param timeout: seconds, or a timedelta, after which the restore is ended and changes nothing. It does not apply
            to scripts created with ``--sql``.
        :param lose: what not to recreate after the restore; see
            :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`. A script created with ``--sql`` contains only the
            server's statement, which recreates nothing.
        :param as_name: restore the database or table under this name, a table in the same database, **beside the
            present one**, which stays as it is. Requires MatrixOne 3.0 or later and a connection. See
            :meth:`sqlalchemy_matrixone.Recovery.restore_snapshot`.
        :param verify: compare the result with what was to be restored.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(
            cls(
                name,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
                to_account=to_account,
                timeout=timeout,
                lose=lose,
                as_name=as_name,
                verify=verify,
                commit_first=commit_first,
            )
        )


# -- PITRs


class _PitrOp(RecoveryOp):
    """An operation that creates, alters or drops PITRs."""

    @contextmanager
    def executing(self, context: MigrationContext, operation: str) -> Iterator[None]:
        """Let the PITRs that the commit before the operation makes inactive wait for the operation."""
        with ExitStack() as stack:
            if context.connection is not None and not context.as_sql:
                stack.enter_context(watch_pitrs(context.connection).postponed())
            stack.enter_context(outside_transaction(context, operation))
            yield


@Operations.register_operation("create_pitr")
class CreatePitrOp(_PitrOp):
    """``op.create_pitr()``, also as autogenerate renders it."""

    construct = CreatePitr

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        """Create the PITR; if its name is implied and an inactive PITR of the object has it, under another name."""
        context = operations.get_context()
        if context.as_sql:
            super().execute(operations, element)
            return
        assert isinstance(element, CreatePitr)
        assert context.connection is not None
        target = element.recovery_target
        of_database = target is not None and target.level == "database"
        if of_database and watch_pitrs(context.connection).adopt(element.name):
            lengthen_pitr(context.connection, element)
            return
        created = create_pitr(context.connection, element, may_rename=self.name is None)
        if created.name != fold(element.name):
            log.info("created PITR %s: the inactive PITR %s keeps its name and its history", created.name, element.name)

    def reverse(self) -> DropPitrOp:
        if self.name is not None:
            return DropPitrOp(self.name, existing=self)
        target = {key: self.arguments[key] for key in ("database", "table") if key in self.arguments}
        return DropPitrOp(existing=self, **target)

    @classmethod
    def create_pitr(
        cls,
        operations: Operations,
        name: str | None = None,
        *,
        range: RangeArgument,
        cluster: bool = False,
        account: str | None = None,
        database: Database = None,
        table: Any = None,
        if_not_exists: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Make every point in time of the last ``range`` restorable from now on. Commits what ran before.

        ::

            op.create_pitr("orders_week", range="7d", table="orders")
            op.create_pitr(range="7d", table="orders")

        :param name: without spaces or quotes. If it is omitted, the PITR of a database or table is named after that,
            ``shop`` or ``shop.orders``, wherever the migration runs.
        :param range: such as ``"7d"``: 1 to 100 of the units h, d, mo and y.
        :param cluster: True for the whole cluster.
        :param account: the name of an account.
        :param database: the name of a database; True for the one that the migration runs on.
        :param table: the name of a table; without ``database=``, in the database that the migration runs on.
            If no object is given, the current account is meant.
        :param if_not_exists: no error if a PITR of that name exists. It keeps its range; if that is another one, a
            ``RecoveryWarning`` states that.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(
            cls(
                name,
                range=range,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
                if_not_exists=if_not_exists,
                commit_first=commit_first,
            )
        )


class _OfPitrOp(_PitrOp):
    """An operation on existing PITRs: one of a name, or those that protect an object by its implied name.

    After a PITR became inactive, another one stands beside it. Both belong to the object.
    """

    def __init__(self, name: str | None = None, *, database: Database = None, table: Any = None, **kw: Any) -> None:
        super().__init__(name, database=database, table=table, **kw)
        if name is not None and (database is not None or table is not None):
            raise MatrixOneArgumentError(
                f"op.{self.operation}({name!r}) names the PITR: do not pass its database or table as well"
            )

    def element(self, own_database: str | None) -> MatrixOneDDL:
        name = self._implied_name(own_database) if self.name is None else self.name
        others = _OF_OPERATIONS | {"database", "table"}
        return self._construct(name, {key: value for key, value in self.arguments.items() if key not in others})

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        """Execute the construct for each of the PITRs, or print it."""
        context = operations.get_context()
        if context.as_sql:
            super().execute(operations, element)
            return
        assert context.connection is not None
        pitrs = catalog.get_pitrs(context.connection)
        chosen = self._chosen(pitrs, element, context.connection.dialect.default_schema_name)
        if not chosen:
            self._execute_for_none(operations, element)
            return
        for pitr in chosen:
            self._execute_for(context.connection, element.copy_with(name=pitr.name), len(chosen) == 1)
        self._finish(context.connection, chosen, [pitr for pitr in pitrs if pitr not in chosen])

    def _chosen(self, pitrs: Sequence[Pitr], element: MatrixOneDDL, own_database: str | None) -> list[Pitr]:
        if self.name is not None:
            return [pitr for pitr in pitrs if pitr.name == fold(element.name)]
        database, table = self.arguments.get("database"), self.arguments.get("table")
        named = fold(database if isinstance(database, str) else _known(own_database))
        return declared_pitrs(pitrs, named or "", fold(table))

    def _execute_for(self, connection: Connection, element: MatrixOneDDL, is_only: bool) -> None:
        connection.execute(element)

    def _execute_for_none(self, operations: Operations, element: MatrixOneDDL) -> None:
        super().execute(operations, element)  # the server reports that there is none

    def _finish(self, connection: Connection, chosen: Sequence[Pitr], others: Sequence[Pitr]) -> None:
        """Do what is to be done after the last of the PITRs."""


@Operations.register_operation("alter_pitr")
class AlterPitrOp(_OfPitrOp):
    """Change the range of a PITR.

    :param existing_range: the previous range, which :meth:`reverse` sets again.
    """

    construct = AlterPitr

    def __init__(self, name: str | None = None, *, existing_range: RangeArgument | None = None, **kw: Any) -> None:
        super().__init__(name, **kw)
        self.existing_range = existing_range

    def reverse(self) -> AlterPitrOp:
        if self.existing_range is None:
            raise NotImplementedError(f"alter_pitr {self.name!r} has no reverse without its existing_range")
        former = self.arguments | {"range": self.existing_range}
        return AlterPitrOp(self.name, existing_range=self.arguments["range"], **former)

    def _execute_for(self, connection: Connection, element: MatrixOneDDL, is_only: bool) -> None:
        assert isinstance(element, AlterPitr)
        watch_pitrs(connection).adopt(element.name)
        if is_only:
            alter_pitr(connection, element)  # warns if it is inactive
        else:
            connection.execute(element)

    @classmethod
    def alter_pitr(
        cls,
        operations: Operations,
        name: str | None = None,
        *,
        range: RangeArgument,
        database: Database = None,
        table: Any = None,
        if_exists: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Change how far back a PITR reaches. A shorter range discards what is older. Commits what ran before.

        ::

            op.alter_pitr("orders_week", range="3mo")
            op.alter_pitr(table="orders", range="3mo")

        :param name: the name of the PITR. If it was created without a name, pass its object instead:
        :param database: the name of a database; True for the one that the migration runs on.
        :param table: the name of a table; without ``database=``, in the database that the migration runs on.
        :param range: as for :meth:`create_pitr`.
        :param if_exists: no error if it does not exist.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(
            cls(name, range=range, database=database, table=table, if_exists=if_exists, commit_first=commit_first)
        )


@Operations.register_operation("drop_pitr")
class DropPitrOp(_OfPitrOp):
    """Drop a PITR.

    :param existing: the operation that creates the PITR, which :meth:`reverse` returns.
    """

    construct = DropPitr

    def __init__(self, name: str | None = None, *, existing: CreatePitrOp | None = None, **kw: Any) -> None:
        super().__init__(name, **kw)
        self.existing = existing

    def reverse(self) -> CreatePitrOp:
        if self.existing is None:
            raise NotImplementedError(f"drop_pitr {self.name!r} has no reverse without the operation that created it")
        return self.existing

    def _execute_for_none(self, operations: Operations, element: MatrixOneDDL) -> None:
        connection = operations.get_context().connection
        if connection is not None and watch_pitrs(connection).is_dropped_successor(element.name):
            log.info("PITR %s was dropped with the one in whose place it was created", element.name)
            return
        super()._execute_for_none(operations, element)

    def _finish(self, connection: Connection, chosen: Sequence[Pitr], others: Sequence[Pitr]) -> None:
        """Report what still protects the objects, and what nothing protects any more."""
        others = self._without_successors(connection, chosen, others)
        for pitr in protecting(connection, chosen[0], others):
            self._report_protecting(pitr, chosen)
        databases = {pitr.database for pitr in chosen if pitr.active is not False}
        for pitr in unprotected(connection, [other for other in others if other.database in databases], others):
            log.warning(
                "PITR %s of %s is inactive, and nothing protects that %s any more. Call op.create_pitr(range=%r, "
                "database=%r) if something should",
                pitr.name,
                pitr.describe(),
                pitr.level,
                pitr.range,
                pitr.database,
            )

    @staticmethod
    def _without_successors(connection: Connection, chosen: Sequence[Pitr], others: Sequence[Pitr]) -> Sequence[Pitr]:
        """Drop what this run has created in place of the PITRs, and return what remains."""
        watch = watch_pitrs(connection)
        watch.forget(chosen)
        names = watch.successors(chosen)
        for name in names:
            connection.execute(DropPitr(name, if_exists=True))
            log.info("dropped PITR %s as well, which was created in place of %s", name, _listed(chosen))
        return [pitr for pitr in others if pitr.name not in names]

    @staticmethod
    def _report_protecting(pitr: Pitr, dropped: Sequence[Pitr]) -> None:
        if pitr.level == "database" and dropped[0].level == "table" and any(each.active is False for each in dropped):
            log.warning(
                "PITR %s of %s still protects %s. An earlier migration may have created it in place of %s. If nothing "
                "else needs it, call op.drop_pitr(%r)",
                pitr.name,
                pitr.describe(),
                dropped[0].describe(),
                _listed(dropped),
                pitr.name,
            )
        elif pitr.level in ("database", "table"):
            log.info("PITR %s of %s still protects %s", pitr.name, pitr.describe(), dropped[0].describe())

    @classmethod
    def drop_pitr(
        cls,
        operations: Operations,
        name: str | None = None,
        *,
        database: Database = None,
        table: Any = None,
        if_exists: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Drop a PITR. What it covered can no longer be restored. Commits what ran before.

        ::

            op.drop_pitr("orders_week")
            op.drop_pitr(table="orders")

        :param name: the name of the PITR. If it was created without a name, pass its object instead:
        :param database: the name of a database; True for the one that the migration runs on.
        :param table: the name of a table; without ``database=``, in the database that the migration runs on.
        :param if_exists: no error if it does not exist.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, database=database, table=table, if_exists=if_exists, commit_first=commit_first))


@Operations.register_operation("restore_pitr")
class RestorePitrOp(_RestoreOp):
    """``op.restore_pitr()``. It can be reversed only with ``as_name=``."""

    construct = RestorePitr

    @classmethod
    def restore_pitr(
        cls,
        operations: Operations,
        name: str,
        *,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        server_time: str | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: Database = None,
        table: Any = None,
        to_account: str | None = None,
        timeout: Timeout | None = None,
        lose: Collection[str] = (),
        as_name: str | None = None,
        verify: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Restore an object to a point in time that a PITR covers. Commits what ran before.

        The object is replaced. Before that, the server waits for every open transaction that has written to it, without
        limit or for ``timeout``. ::

            op.restore_pitr("orders_week", timestamp="2026-03-01 12:00:00+00:00", table="orders")

        :param name: the name of the PITR.
        :param timestamp: a str with a UTC offset, or an aware datetime. It requires a connection, so it cannot be used
            with ``--sql``: only the server can convert it to the time on its own clock.
        :param mo_ts: the same in nanoseconds since 1970.
        :param server_time: instead of these, the time on the server's clock, such as ``"2026-03-01 12:00:00"``, which
            is sent unchanged. Use it for ``--sql`` scripts.
        :param cluster: True for the whole cluster.
        :param account: the account to restore, or the one that the database or table is in.
        :param database: the name of a database; True for the one that the migration runs on.
        :param table: the name of a table; without ``database=``, in the database that the migration runs on.
        :param to_account: restore the account into this one.
        :param timeout: as for :meth:`restore_snapshot`.
        :param lose: as for :meth:`restore_snapshot`.
        :param as_name: as for :meth:`restore_snapshot`.
        :param verify: as for :meth:`restore_snapshot`.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(
            cls(
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
                lose=lose,
                as_name=as_name,
                verify=verify,
                commit_first=commit_first,
            )
        )


# -- clones and branches


class _CopyOp(RecoveryOp):
    """An operation that can run inside a transaction, but only before anything else is written in it."""

    def __init__(self, name: str | None = None, **arguments: Any) -> None:
        for keyword, value in (("name", name), ("source", arguments.get("source"))):
            if value is not None and not isinstance(value, str):
                raise MatrixOneArgumentError(f"op.{self.operation}() takes a table by its name: {keyword}={value!r}")
        super().__init__(name, **arguments)

    def element(self, own_database: str | None) -> MatrixOneDDL:
        arguments = {key: value for key, value in self.arguments.items() if key not in _OF_OPERATIONS}
        if arguments.get("database") is True:
            arguments["database"] = _known(own_database)
        return self._construct(self.name, arguments)

    def check(self, context: MigrationContext, element: MatrixOneDDL) -> None:
        element.compile(dialect=context.dialect)

    def executing(self, context: MigrationContext, operation: str) -> AbstractContextManager[None]:
        return with_nothing_written(context, operation)

    def _refuse_to_reverse_elsewhere(self) -> None:
        if "to_account" in self.arguments:
            raise NotImplementedError(
                f"{self.operation} {self.name!r} has no reverse: what it created is in the account "
                f"{self.arguments['to_account']!r}, in which the current account cannot drop anything"
            )


@Operations.register_operation("clone_table")
class CloneTableOp(_CopyOp):
    """``op.clone_table()``. Its reverse drops the clone."""

    construct = CloneTable

    def reverse(self) -> DropTableOp:
        self._refuse_to_reverse_elsewhere()
        assert self.name is not None
        database = self.arguments.get("database")
        return DropTableOp(self.name, schema=None if database is True else database)

    @classmethod
    def clone_table(
        cls,
        operations: Operations,
        name: str,
        source: str,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        database: Database = None,
        to_account: str | None = None,
        if_not_exists: bool = False,
        copy_grants: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Copy a table with its rows, which share their storage until they change. Requires MatrixOne 3.0 or later.

        The clone is a part of the same transaction as the operations that follow. If the migration has written
        anything before, that is committed first. ::

            op.clone_table("orders_copy", "orders", snapshot="before_import")

        :param name: the new table.
        :param source: the table that is cloned.
        :param snapshot: clone its state at this snapshot.
        :param timestamp: its state at this instant: a str with a UTC offset, or an aware datetime.
        :param mo_ts: the same in nanoseconds since 1970.
        :param database: the database of both; by default the one that the migration runs on.
        :param to_account: create it in this account. Only the sys account may do that.
        :param if_not_exists: do nothing if a table of that name exists, so that the revision can be repeated.
        :param copy_grants: see :class:`~sqlalchemy_matrixone.CloneTable`.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(
            cls(
                name,
                source=source,
                snapshot=snapshot,
                timestamp=timestamp,
                mo_ts=mo_ts,
                database=database,
                to_account=to_account,
                if_not_exists=if_not_exists,
                copy_grants=copy_grants,
                commit_first=commit_first,
            )
        )


@Operations.register_operation("clone_database")
class CloneDatabaseOp(_CopyOp):
    """``op.clone_database()``. Its reverse drops the clone."""

    construct = CloneDatabase

    def reverse(self) -> ExecuteSQLOp:
        self._refuse_to_reverse_elsewhere()
        assert self.name is not None
        return ExecuteSQLOp(DropSchema(self.name))

    @classmethod
    def clone_database(
        cls,
        operations: Operations,
        name: str,
        source: str,
        *,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        to_account: str | None = None,
        if_not_exists: bool = False,
        commit_first: bool = True,
    ) -> None:
        """Copy a database with all its tables. Requires MatrixOne 3.0 or later.

        Otherwise the same as :meth:`clone_table`.

        ::

            op.clone_database("shop_copy", "shop")

        :param name: the new database.
        :param source: the database that is cloned.
        :param snapshot: clone its state at this snapshot.
        :param timestamp: its state at this instant: a str with a UTC offset, or an aware datetime.
        :param mo_ts: the same in nanoseconds since 1970.
        :param to_account: create it in this account. Only the sys account may do that.
        :param if_not_exists: do nothing if a database of that name exists.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(
            cls(
                name,
                source=source,
                snapshot=snapshot,
                timestamp=timestamp,
                mo_ts=mo_ts,
                to_account=to_account,
                if_not_exists=if_not_exists,
                commit_first=commit_first,
            )
        )


@Operations.register_operation("create_branch")
class CreateBranchOp(_CopyOp):
    """``op.create_branch()``. Its reverse drops the branch."""

    construct = CreateBranch

    def reverse(self) -> DropBranchOp:
        self._refuse_to_reverse_elsewhere()
        if "source" in self.arguments:
            return DropBranchOp(self.name, database=self.arguments.get("database"), existing=self)
        return DropBranchOp(database=self.name, existing=self)

    @classmethod
    def create_branch(
        cls,
        operations: Operations,
        name: str,
        source: str | None = None,
        *,
        database: Database = None,
        snapshot: str | None = None,
        timestamp: Timestamp | None = None,
        mo_ts: int | None = None,
        to_account: str | None = None,
        commit_first: bool = True,
    ) -> None:
        """Copy a table or database so that it can be merged back. Requires MatrixOne 3.0.6 or later.

        Otherwise the same as :meth:`clone_table`.

        ::

            op.create_branch("orders_dev", "orders")
            op.create_branch("shop_dev", database="shop")

        :param name: the name of the branch.
        :param source: the table that is branched.
        :param database: without a source, the database that is branched; with one, the database of both.
            True for the one that the migration runs on.
        :param snapshot: branch its state at this snapshot.
        :param timestamp: its state at this instant: a str with a UTC offset, or an aware datetime.
        :param mo_ts: the same in nanoseconds since 1970.
        :param to_account: create it in this account. Only the sys account may do that.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(
            cls(
                name,
                source=source,
                database=database,
                snapshot=snapshot,
                timestamp=timestamp,
                mo_ts=mo_ts,
                to_account=to_account,
                commit_first=commit_first,
            )
        )


@Operations.register_operation("drop_branch")
class DropBranchOp(_CopyOp):
    """Drop a branch.

    :param existing: the operation that creates the branch, which :meth:`reverse` returns.
    """

    construct = DropBranch

    def __init__(self, name: str | None = None, *, existing: CreateBranchOp | None = None, **kw: Any) -> None:
        super().__init__(name, **kw)
        self.existing = existing

    def reverse(self) -> CreateBranchOp:
        if self.existing is None:
            raise NotImplementedError(f"drop_branch {self.name!r} has no reverse without the operation that created it")
        return self.existing

    @classmethod
    def drop_branch(
        cls, operations: Operations, name: str | None = None, *, database: Database = None, commit_first: bool = True
    ) -> None:
        """Drop a branch of a table or a database. Otherwise the same as :meth:`clone_table`.

        ::

            op.drop_branch("orders_dev")
            op.drop_branch(database="shop_dev")

        :param name: the table.
        :param database: without a name, the database that is dropped; with one, the database of the table. True for the
            one that the migration runs on.
        :param commit_first: False to raise an error instead of committing what was written before.
        :raises CommandError: if something was written before and env.py controls the transaction.
        """
        operations.invoke(cls(name, database=database, commit_first=commit_first))


# -- arguments


# The arguments that are not keywords of the constructs.
_OF_OPERATIONS = frozenset(("commit_first", "lose", "as_name", "verify"))
_FLAGS = frozenset(("cluster", "verify", "if_exists", "if_not_exists", "copy_grants"))


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the given arguments as values that can be written in a migration."""
    for keyword in (_FLAGS | {"commit_first"}) & arguments.keys():
        check_flag(keyword, arguments[keyword])
    plain = {key: value for key, value in arguments.items() if value is not None and not (key in _FLAGS and not value)}
    if plain.get("commit_first", False):
        del plain["commit_first"]
    if plain.get("database", True) is not True:
        check_is_name("database", plain["database"])
    if "as_name" in plain:
        check_object_name("as_name", plain["as_name"])
    if "lose" in plain:
        plain["lose"] = sorted(check_lose(plain["lose"]))
        if not plain["lose"]:
            del plain["lose"]
    if "timeout" in plain:
        plain["timeout"] = check_timeout(plain["timeout"])
    if "range" in plain:
        plain["range"] = str(PitrRange.of(plain["range"]))
    if "timestamp" in plain:
        plain["timestamp"] = check_timestamp(plain["timestamp"]).isoformat(" ")
    if not isinstance(plain.get("table", ""), str):
        if "database" in plain:
            raise MatrixOneArgumentError("pass either a Table, which has its own schema, or database=")
        table = table_of(plain["table"])
        plain["table"] = str(table.name)
        if table.schema is not None:
            plain["database"] = str(table.schema)
    return plain


def _listed(pitrs: Sequence[Pitr]) -> str:
    return ", ".join(f"PITR {pitr.name}" for pitr in pitrs)


def _known(own_database: str | None) -> str:
    if own_database is None:
        raise MatrixOneArgumentError("the connection has no current database: pass database=, or put one in the URL")
    return own_database
