"""Alembic support for MatrixOne: atomic migrations, recovery operations, and PITRs declared with the tables.

Alembic discovers all of this automatically, through the entry point ``sqlalchemy_matrixone`` of ``alembic.plugins``.
"""

# Alembic loads its plugins, including this one, while it is being imported itself. If this package is imported first,
# it has to import Alembic before anything else. Otherwise Alembic would find this package half imported.
import alembic as _alembic  # noqa: F401

from .snapshots import restore_latest_snapshot

__all__ = ["restore_latest_snapshot"]
