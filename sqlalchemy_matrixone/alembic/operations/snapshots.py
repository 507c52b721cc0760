"""Operations that create and drop snapshots."""

from __future__ import annotations

from typing import Any, Unpack

from alembic.operations import Operations

from ...recovery.constructs import CreateSnapshot, DropSnapshot
from .base import RecoveryOp, operation
from .options import CommitFirst, IfExists, IfNotExists, Published, Target


class CreateSnapshotOptions(Target, Published, IfNotExists, CommitFirst, total=False):
    """The keywords of ``op.create_snapshot()``."""


@operation
class CreateSnapshotOp(RecoveryOp):
    """``op.create_snapshot()``."""

    construct = CreateSnapshot
    options = CreateSnapshotOptions

    def reverse(self) -> DropSnapshotOp:
        return DropSnapshotOp(self.name, existing=self)

    @classmethod
    def create_snapshot(cls, operations: Operations, name: str, **options: Unpack[CreateSnapshotOptions]) -> None:
        """Keep the current state of an object under a name, until the snapshot is dropped.

        Commits what the migration has done before, so that the snapshot includes it. If no object is given, the current
        account is meant. ::

            op.create_snapshot("before_import", table="orders")

        :param name: up to 64 characters, without spaces or quotes.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, **options))


class DropSnapshotOptions(IfExists, CommitFirst, total=False):
    """The keywords of ``op.drop_snapshot()``."""


@operation
class DropSnapshotOp(RecoveryOp):
    """Drop a snapshot.

    :param existing: the operation that created the snapshot.
    """

    construct = DropSnapshot
    options = DropSnapshotOptions

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
    def drop_snapshot(cls, operations: Operations, name: str, **options: Unpack[DropSnapshotOptions]) -> None:
        """Drop a snapshot. What it kept can no longer be restored. Commits what ran before.

        ::

            op.drop_snapshot("before_import", if_exists=True)

        :param name: the name of the snapshot.
        :raises CommandError: if env.py controls the transaction.
        """
        operations.invoke(cls(name, **options))
