"""``inspect(engine)`` on MatrixOne."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.reflection import Inspector

from ..core.arguments import check_is_name
from . import catalog, windows

if TYPE_CHECKING:
    from .target import Level
    from .values import Pitr, RecoveryWindow, Snapshot


class MatrixOneInspector(Inspector):
    """SQLAlchemy's Inspector, which also reads snapshots, PITRs and recovery windows. These are never cached.

    ::

        inspector = inspect(engine)
        inspector.get_pitrs(level="database", database="shop")
        inspector.has_snapshot("before_import")

    The keywords filter: ``level=`` ("cluster", "account", "database" or "table"), ``cluster=``, ``account=``,
    ``database=`` and ``table=`` (a mapped class or Table, or a name with ``database=``), and ``name=``, in whatever
    case; each leaves only rows that agree with it.
    """

    def get_snapshots(
        self,
        *,
        name: str | None = None,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
    ) -> list[Snapshot]:
        """The snapshots of the account, newest first; inside a transaction too.

        :raises SnapshotError: where the server refuses.
        """
        with self._operation_context() as connection:
            return catalog.get_snapshots(
                connection,
                name=name,
                level=level,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
            )

    def get_pitrs(
        self,
        *,
        name: str | None = None,
        level: Level | None = None,
        cluster: bool = False,
        account: str | None = None,
        database: str | None = None,
        table: Any = None,
    ) -> list[Pitr]:
        """The PITRs of the account, newest first; inside a transaction from the sys account alone.

        :raises PitrError: where the server refuses, or would.
        """
        with self._operation_context() as connection:
            return catalog.get_pitrs(
                connection,
                name=name,
                level=level,
                cluster=cluster,
                account=account,
                database=database,
                table=table,
            )

    def has_snapshot(self, name: str) -> bool:
        """Whether the account has a snapshot of this name, in whatever case.

        :raises SnapshotError: where the server refuses.
        """
        check_is_name("name", name)
        return bool(self.get_snapshots(name=name))

    def has_pitr(self, name: str) -> bool:
        """Whether the account has a PITR of this name, in whatever case.

        :raises PitrError: where the server refuses, or would, as for :meth:`get_pitrs`.
        """
        check_is_name("name", name)
        return bool(self.get_pitrs(name=name))

    def get_recovery_windows(
        self, *, account: str | None = None, database: str | None = None, table: Any = None
    ) -> list[RecoveryWindow]:
        """The moments that the own account, or an ``account=``, ``database=`` or ``table=``, can be restored to.

        :raises RecoveryError: where the server refuses, or would: it does inside a transaction.
        """
        with self._operation_context() as connection:
            return windows.get_recovery_windows(connection, account=account, database=database, table=table)
