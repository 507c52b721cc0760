"""``alembic.op`` with the recovery operations, for type checkers and editors.

At run time ``from alembic import op`` provides them as well. ::

    from sqlalchemy_matrixone.alembic import op

    def upgrade() -> None:
        op.create_pitr(range="7d", table="orders")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import alembic.op as _alembic_op
from alembic.op import *  # noqa: F403
from alembic.operations import Operations as _Operations

from . import impl as _impl  # noqa: F401  registers it if there is no entry point
from . import ops as _ops

_P = ParamSpec("_P")


def _typed(operation: Callable[Concatenate[_Operations, _P], None]) -> Callable[_P, None]:
    """Return Alembic's proxy of an operation, with the types of its definition."""
    proxy: Any = getattr(_alembic_op, operation.__name__)
    return proxy  # type: ignore[no-any-return]


create_snapshot = _typed(_ops.CreateSnapshotOp.create_snapshot)
drop_snapshot = _typed(_ops.DropSnapshotOp.drop_snapshot)
restore_snapshot = _typed(_ops.RestoreSnapshotOp.restore_snapshot)
create_pitr = _typed(_ops.CreatePitrOp.create_pitr)
alter_pitr = _typed(_ops.AlterPitrOp.alter_pitr)
drop_pitr = _typed(_ops.DropPitrOp.drop_pitr)
restore_pitr = _typed(_ops.RestorePitrOp.restore_pitr)
clone_table = _typed(_ops.CloneTableOp.clone_table)
clone_database = _typed(_ops.CloneDatabaseOp.clone_database)
create_branch = _typed(_ops.CreateBranchOp.create_branch)
drop_branch = _typed(_ops.DropBranchOp.drop_branch)
