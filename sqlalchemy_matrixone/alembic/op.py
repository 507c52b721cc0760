"""``alembic.op`` with the recovery operations, for type checkers and editors, which read ``op.pyi``.

At run time ``from alembic import op`` provides them as well. ::

    from sqlalchemy_matrixone.alembic import op

    def upgrade() -> None:
        op.create_pitr(range="7d", table="orders")
"""

# These register the operations, if there is no entry point that has done so.
from . import impl as _impl  # noqa: F401
from . import operations as _operations  # noqa: F401

# isort: split
from alembic.op import *  # noqa: F403
