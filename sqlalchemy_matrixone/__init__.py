"""MatrixOne support for SQLAlchemy: a dialect, and the recovery features of the database as SQLAlchemy constructs."""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import registry as _registry
from sqlalchemy.dialects.mysql import insert

from .accounts.constructs import AlterAccount, CreateAccount, DropAccount
from .branches.constructs import (
    CloneDatabase,
    CloneTable,
    CreateBranch,
    DiffBranch,
    DropBranch,
    MergeBranch,
    PickBranch,
)
from .core.reserved_ids import ReservedIds, reserve_ids
from .core.retries import run_async_transaction, run_transaction
from .exc import (
    AccountError,
    Blocker,
    BranchConflict,
    BranchError,
    CommitUncertain,
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
from .recovery.values import Change, Coverage, NoValue, Period, Pitr, RecoveryWindow, Snapshot
from .sql import ddl_compiler as _compiler  # noqa: F401  registers the constructs for the mysql dialects too
from .timetravel.changes import changes_between, changes_since
from .timetravel.session import time_travel
from .timetravel.tables import as_of
from .types import DATALINK, GEOMETRY, UUID, VECBF16, VECF16, VECF32, VECF64, VECINT8, VECUINT8, Vector

if TYPE_CHECKING:
    from .recovery.asyncio import AsyncRecovery
    from .recovery.rows.values import RestoredRows, RowChange, RowsPreview
    from .recovery.session import Recovery
    from .recovery.timeline import Timeline

__version__ = "0.2.0"

__all__ = [
    "DATALINK",
    "GEOMETRY",
    "UUID",
    "VECBF16",
    "VECF16",
    "VECF32",
    "VECF64",
    "VECINT8",
    "VECUINT8",
    "AccountError",
    "AlterAccount",
    "AlterPitr",
    "AsyncRecovery",
    "Blocker",
    "BranchConflict",
    "BranchError",
    "Change",
    "CloneDatabase",
    "CloneTable",
    "CommitUncertain",
    "Coverage",
    "CreateAccount",
    "CreateBranch",
    "CreatePitr",
    "CreateSnapshot",
    "DiffBranch",
    "DropAccount",
    "DropBranch",
    "DropPitr",
    "DropSnapshot",
    "MatrixOneArgumentError",
    "MatrixOneCompileError",
    "MatrixOneError",
    "MatrixOneInspector",
    "MatrixOneInvalidRequestError",
    "MergeBranch",
    "NoValue",
    "Period",
    "PickBranch",
    "Pitr",
    "PitrError",
    "Reason",
    "Recovery",
    "RecoveryError",
    "RecoveryWarning",
    "RecoveryWindow",
    "ReservedIds",
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
    "Timeline",
    "Vector",
    "as_of",
    "changes_between",
    "changes_since",
    "insert",
    "reserve_ids",
    "run_async_transaction",
    "run_transaction",
    "time_travel",
]
if not TYPE_CHECKING and _find_spec("greenlet") is None:
    __all__.remove("AsyncRecovery")


_IMPORTED_ON_FIRST_ACCESS = {
    "AsyncRecovery": ".recovery.asyncio",  # requires greenlet, which sync-only installations may lack
    "Recovery": ".recovery.session",
    "RestoredRows": ".recovery.rows.values",
    "RowChange": ".recovery.rows.values",
    "RowsPreview": ".recovery.rows.values",
    "Timeline": ".recovery.timeline",
}
"""Names whose modules take 40 % of the time of this import, and which most processes do not use."""


def __getattr__(name: str) -> Any:
    """Import the module of a name that is not needed by the dialect."""
    if name not in _IMPORTED_ON_FIRST_ACCESS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(_import_module(_IMPORTED_ON_FIRST_ACCESS[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Another distribution has entry points with the same names. Importing this package selects its dialect.
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
