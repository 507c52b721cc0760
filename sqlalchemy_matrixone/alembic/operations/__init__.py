"""The recovery statements as operations of a migration.

MatrixOne does not accept recovery statements inside a transaction, a rollback does not undo them, and a migration has
always run other statements before. Each operation therefore **commits what ran before it**, reports that in the log,
runs by itself, and starts a new transaction. Clones and branches become a part of the new transaction. Put these
operations first in a revision, and set ``transaction_per_migration=True`` in env.py, so that they commit only complete
revisions.
"""

from .base import RecoveryOp
from .copies import CloneDatabaseOp, CloneTableOp, CreateBranchOp, DropBranchOp
from .options import Database
from .pitrs import AlterPitrOp, CreatePitrOp, DropPitrOp
from .restores import RestorePitrOp, RestoreSnapshotOp
from .snapshots import CreateSnapshotOp, DropSnapshotOp

OPERATIONS: tuple[type[RecoveryOp], ...] = (
    CreateSnapshotOp,
    DropSnapshotOp,
    RestoreSnapshotOp,
    CreatePitrOp,
    AlterPitrOp,
    DropPitrOp,
    RestorePitrOp,
    CloneTableOp,
    CloneDatabaseOp,
    CreateBranchOp,
    DropBranchOp,
)
"""All operations, in the order of the documentation."""

__all__ = [
    "OPERATIONS",
    "AlterPitrOp",
    "CloneDatabaseOp",
    "CloneTableOp",
    "CreateBranchOp",
    "CreatePitrOp",
    "CreateSnapshotOp",
    "Database",
    "DropBranchOp",
    "DropPitrOp",
    "DropSnapshotOp",
    "RecoveryOp",
    "RestorePitrOp",
    "RestoreSnapshotOp",
]
