"""MatrixOne for SQLAlchemy: a dialect, and the database's recovery features as SQLAlchemy constructs."""

from sqlalchemy.dialects import registry as _registry

from . import compiler as _compiler  # noqa: F401  teaches the constructs to the mysql dialects too
from .branch import CloneDatabase, CloneTable, CreateBranch, DiffBranch, DropBranch, MergeBranch, PickBranch
from .changes import changes_since
from .exc import (
    BranchConflict,
    BranchError,
    PitrError,
    Reason,
    RecoveryArgumentError,
    RecoveryError,
    RestoreError,
    SnapshotError,
)
from .inspector import MatrixOneInspector
from .recovery.ddl import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    RestorePitr,
    RestoreSnapshot,
)
from .recovery.helper import AsyncRecovery, Recovery
from .recovery.values import Pitr, RecoveryWindow, Snapshot
from .session_travel import time_travel
from .timetravel import as_of

__version__ = "0.1.0"

__all__ = [
    "AlterPitr",
    "AsyncRecovery",
    "BranchConflict",
    "BranchError",
    "CloneDatabase",
    "CloneTable",
    "CreateBranch",
    "CreatePitr",
    "CreateSnapshot",
    "DiffBranch",
    "DropBranch",
    "DropPitr",
    "DropSnapshot",
    "MatrixOneInspector",
    "MergeBranch",
    "PickBranch",
    "Pitr",
    "PitrError",
    "Reason",
    "Recovery",
    "RecoveryArgumentError",
    "RecoveryError",
    "RecoveryWindow",
    "RestoreError",
    "RestorePitr",
    "RestoreSnapshot",
    "Snapshot",
    "SnapshotError",
    "as_of",
    "changes_since",
    "time_travel",
]

# Another distribution has entry points of the same names; who imports this package means this dialect.
for _name, _driver in (
    ("matrixone", "pymysql"),
    ("matrixone.pymysql", "pymysql"),
    ("matrixone.aiomysql", "aiomysql"),
    ("matrixone.asyncmy", "asyncmy"),
):
    _registry.register(_name, f"{__name__}.{_driver}", f"MatrixOneDialect_{_driver}")
