"""``inspect(engine)`` on MatrixOne."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine.reflection import Inspector

from ..core.arguments import check_is_name
from . import catalog, windows

if TYPE_CHECKING:
    from ..core.arguments import Level, TableArgument
    from .values import Pitr, RecoveryWindow, Snapshot


class MatrixOneInspector(Inspector):
    """SQLAlchemy's Inspector, which also reads snapshots, PITRs and recovery windows. These are never cached.

    ::

        inspector = inspect(engine)
        inspector.get_pitrs(level="database", database="shop")
        inspector.has_snapshot("before_import")

    The keywords filter: ``level=`` ("cluster", "account", "database" or "table"), ``cluster=``, ``account=``,
    ``database=`` and ``table=`` (a mapped class or Table, or a name with ``database=``), and ``name=``, which is
    case-insensitive; only rows that match all of them are returned.
    """

    def get_snapshots(
        self,
        *,
        name: str | None = None,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> list[Snapshot]:
        """Return the snapshots of the account, newest first. Allowed inside a transaction.

        ::

            for snapshot in inspect(engine).get_snapshots(database="shop"):
                print(snapshot.name, snapshot.created_at)

        :raises SnapshotError: if the server refuses.
        """
        with self._operation_context() as connection:
            return catalog.get_snapshots(
                connection, name=name, level=level, cluster=cluster, account=account, database=database, table=table
            )

    def get_pitrs(
        self,
        *,
        name: str | None = None,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: TableArgument | None = None,
    ) -> list[Pitr]:
        """Return the PITRs of the account, newest first. Only the sys account can do so inside a transaction.

        ::

            for pitr in inspect(engine).get_pitrs(level="table"):
                print(pitr.name, pitr.range, pitr.active)

        :raises PitrError: if the server refuses, or would refuse.
        """
        with self._operation_context() as connection:
            return catalog.get_pitrs(
                connection, name=name, level=level, cluster=cluster, account=account, database=database, table=table
            )

    def has_snapshot(self, name: str) -> bool:
        """Return whether the account has a snapshot of this name, which is case-insensitive.

        ::

            inspect(engine).has_snapshot("before_import")

        :raises SnapshotError: if the server refuses.
        """
        check_is_name("name", name)
        return bool(self.get_snapshots(name=name))

    def has_pitr(self, name: str) -> bool:
        """Return whether the account has a PITR of this name, which is case-insensitive.

        ::

            inspect(engine).has_pitr("shop_week")

        :raises PitrError: if the server refuses, or would refuse, as for :meth:`get_pitrs`.
        """
        check_is_name("name", name)
        return bool(self.get_pitrs(name=name))

    def get_recovery_windows(
        self, *, account: str | None = None, database: str | None = None, table: TableArgument | None = None
    ) -> list[RecoveryWindow]:
        """Return the times to which the current account, or ``account=``, ``database=`` or ``table=``, can be restored.

        ::

            for window in inspect(engine).get_recovery_windows(table=Order):
                print(window.source_name, window.start, window.end)

        :raises RecoveryError: if the server refuses, or would refuse: it does so inside a transaction.
        """
        with self._operation_context() as connection:
            return windows.get_recovery_windows(connection, account=account, database=database, table=table)
