"""MatrixOne for SQLAlchemy: a dialect, and the database's recovery features as SQLAlchemy constructs."""

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import registry as _registry

from .branches.constructs import (
    CloneDatabase,
    CloneTable,
    CreateBranch,
    DiffBranch,
    DropBranch,
    MergeBranch,
    PickBranch,
)
from .exc import (
    Blocker,
    BranchConflict,
    BranchError,
    MatrixOneArgumentError,
    MatrixOneCompileError,
    MatrixOneError,
    MatrixOneInvalidRequestError,
    PitrError,
    Reason,
    RecoveryError,
    RecoveryWarning,
    RestoreConflict,
    RestoreError,
    RestoreWarning,
    RowConflict,
    SnapshotError,
)
from .recovery.constructs import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    RestorePitr,
    RestoreSnapshot,
)
from .recovery.inspector import MatrixOneInspector
from .recovery.rows.values import RestoredRows, RowChange, RowsPreview
from .recovery.session import Recovery
from .recovery.values import Pitr, RecoveryWindow, Snapshot
from .sql import ddl_compiler as _compiler  # noqa: F401  teaches the constructs to the mysql dialects too
from .timetravel.changes import changes_since
from .timetravel.session import time_travel
from .timetravel.tables import as_of

if TYPE_CHECKING:
    from .recovery.asyncio import AsyncRecovery

__version__ = "0.1.0"

__all__ = [
    "AlterPitr",
    "AsyncRecovery",
    "Blocker",
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
    "MatrixOneArgumentError",
    "MatrixOneCompileError",
    "MatrixOneError",
    "MatrixOneInspector",
    "MatrixOneInvalidRequestError",
    "MergeBranch",
    "PickBranch",
    "Pitr",
    "PitrError",
    "Reason",
    "Recovery",
    "RecoveryError",
    "RecoveryWarning",
    "RecoveryWindow",
    "RestoreConflict",
    "RestoreError",
    "RestorePitr",
    "RestoreSnapshot",
    "RestoreWarning",
    "RestoredRows",
    "RowChange",
    "RowConflict",
    "RowsPreview",
    "Snapshot",
    "SnapshotError",
    "as_of",
    "changes_since",
    "time_travel",
]


def __getattr__(name: str) -> Any:
    """AsyncRecovery when it is asked for: SQLAlchemy's asyncio extension needs greenlet, which not everybody has."""
    if name != "AsyncRecovery":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .recovery.asyncio import AsyncRecovery

    return AsyncRecovery


# Another distribution has entry points of the same names; who imports this package means this dialect.
for _name, _driver, _class in (
    ("matrixone", "pymysql", "MatrixOneDialect"),
    ("matrixone.pymysql", "pymysql", "MatrixOneDialect"),
    ("matrixone.aiomysql", "aiomysql", "MatrixOneDialect"),
    ("matrixone.asyncmy", "asyncmy", "MatrixOneDialect"),
    ("mysql.matrixone", "pymysql", "MatrixOneMySQLDialect"),
    ("mysql.matrixone_aiomysql", "aiomysql", "MatrixOneMySQLDialect"),
    ("mysql.matrixone_asyncmy", "asyncmy", "MatrixOneMySQLDialect"),
):
    _registry.register(_name, f"{__name__}.{_driver}", f"{_class}_{_driver}")
