"""Operations that restore from snapshots and PITRs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from alembic.operations import Operations
from alembic.operations.ops import DropTableOp, ExecuteSQLOp
from alembic.util import CommandError
from sqlalchemy.schema import DropSchema

from ...core.release import Feature, format_release
from ...core.server import MatrixOneServer
from ...core.statement import MatrixOneDDL
from ...recovery.constructs import RestorePitr, RestoreSnapshot
from ...recovery.copying import check_copy, restore_copy
from ...recovery.preservation import check_lose
from ...recovery.restoring import restore
from ..log import log
from .base import RecoveryOp, operation
from .options import CommitFirst, Restoring, ServerInstant, Target

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext


_ONLY_THE_STATEMENT = (
    "op.%s(%r): a script created with --sql contains only the server's statement, which loses privileges, sequences, "
    "publications and more, and makes PITRs inactive. These are put back only online; timeout= and verify= have no "
    "effect in a script"
)


class _RestoreOp(RecoveryOp):
    def check(self, context: MigrationContext, element: MatrixOneDDL) -> None:
        as_name = self.arguments.get("as_name")
        if as_name is None:
            return
        assert isinstance(element, (RestoreSnapshot, RestorePitr))
        check_copy(element, as_name, self.arguments.get("lose", ()))
        if context.as_sql:
            raise CommandError(
                f"op.{self.operation}(as_name={as_name!r}) was not printed: what it puts back has to be read from the "
                "server. In a script created with --sql, use op.clone_table() or op.clone_database()."
            )
        assert isinstance(context.dialect, MatrixOneServer)
        if not context.dialect.supports(Feature.CLONE):
            needed = format_release(Feature.CLONE.since)
            raise CommandError(f"op.{self.operation}() was not run: as_name= needs MatrixOne {needed} or later")

    def execute(self, operations: Operations, element: MatrixOneDDL) -> None:
        context = operations.get_context()
        if context.as_sql:
            super().execute(operations, element)
            log.warning(_ONLY_THE_STATEMENT, self.operation, self.name)
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


class RestoreSnapshotOptions(Target, Restoring, CommitFirst, total=False):
    """The keywords of ``op.restore_snapshot()``."""


@operation
class RestoreSnapshotOp(_RestoreOp):
    """``op.restore_snapshot()``. It can be reversed only with ``as_name=``."""

    construct = RestoreSnapshot
    options = RestoreSnapshotOptions

    @classmethod
    def restore_snapshot(cls, operations: Operations, name: str, **options: Unpack[RestoreSnapshotOptions]) -> None:
        """Restore an object to the state that a snapshot kept. Commits what ran before.

        The object is replaced. Before that, the server waits for every open transaction that has written to it, without
        limit or for ``timeout``. A restore of the whole database includes ``alembic_version``. To undo a migration in
        this way, call :func:`sqlalchemy_matrixone.alembic.restore_latest_snapshot` or execute RestoreSnapshot outside
        of migrations. ::

            op.restore_snapshot("before_import", table="orders")

        :param name: the name of the snapshot.
        :param account: the account to restore, or the one that the database or table is in.
        :param to_account: restore a whole account other than sys into this one.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, **options))


class RestorePitrOptions(ServerInstant, Target, Restoring, CommitFirst, total=False):
    """The keywords of ``op.restore_pitr()``."""


@operation
class RestorePitrOp(_RestoreOp):
    """``op.restore_pitr()``. It can be reversed only with ``as_name=``."""

    construct = RestorePitr
    options = RestorePitrOptions

    @classmethod
    def restore_pitr(cls, operations: Operations, name: str, **options: Unpack[RestorePitrOptions]) -> None:
        """Restore an object to a point in time that a PITR covers. Commits what ran before.

        The object is replaced. Before that, the server waits for every open transaction that has written to it, without
        limit or for ``timeout``. ::

            op.restore_pitr("orders_week", timestamp="2026-03-01 12:00:00+00:00", table="orders")

        :param name: the name of the PITR.
        :param timestamp: a str with a UTC offset, or an aware datetime. It requires a connection, so it cannot be used
            with ``--sql``: only the server can convert it to the time on its own clock.
        :param server_time: instead of these, the time on the server's clock, such as ``"2026-03-01 12:00:00"``, which
            is sent unchanged. Use it for ``--sql`` scripts.
        :param account: the account to restore, or the one that the database or table is in.
        :param to_account: restore the account into this one.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, **options))
