"""Alembic on MatrixOne: atomic migrations, recovery operations, and PITRs declared with the tables.

Alembic finds all of this by itself, through the entry point ``sqlalchemy_matrixone`` of ``alembic.plugins``.
"""

# Alembic loads its plugins, this one too, while it is being imported itself. Whoever comes here first must
# let it begin with that, or it finds us half imported.
import alembic as _alembic  # noqa: F401

from .snapshots import restore_latest_snapshot

__all__ = ["restore_latest_snapshot"]
