"""Drop the older ones of snapshots that are created regularly."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from ..core.names import fold
from ..core.server import matrixone_dialect
from ..exc import MatrixOneArgumentError
from . import catalog
from .clock import server_now
from .constructs import DropSnapshot

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .values import Snapshot


def check_pruning(prefix: object, keep: object, older_than: object) -> None:
    """Check the arguments of ``Recovery.prune_snapshots()``.

    :raises MatrixOneArgumentError: if the arguments do not specify which snapshots to drop.
    """
    if not isinstance(prefix, str) or not prefix.strip():
        raise MatrixOneArgumentError(f"prefix={prefix!r} must be the text that the names of the snapshots begin with")
    if (keep is None) == (older_than is None):
        raise MatrixOneArgumentError(
            "pass either keep=…, the number of newest snapshots to keep, or older_than=…, a timedelta"
        )
    if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or keep < 0):
        raise MatrixOneArgumentError(f"keep={keep!r} is not a number of snapshots; keep=0 drops all of them")
    if older_than is not None and (not isinstance(older_than, dt.timedelta) or older_than < dt.timedelta()):
        raise MatrixOneArgumentError(f"older_than={older_than!r} is not a timedelta of at least 0")


def prune_snapshots(
    connection: Connection, prefix: str, keep: int | None, older_than: dt.timedelta | None, *, dry_run: bool
) -> list[Snapshot]:
    """Drop snapshots, and return them; see ``Recovery.prune_snapshots()``."""
    snapshots = _of_this_account(connection, prefix)
    if keep is not None:
        old = snapshots[keep:]
    else:
        assert older_than is not None
        until = server_now(connection) - older_than
        old = [snapshot for snapshot in snapshots if snapshot.created_at <= until]
    # Create all of them before the first one is sent: a name that cannot be sent leaves all snapshots unchanged.
    drops = [DropSnapshot(snapshot.name, if_exists=True) for snapshot in old]
    for drop in drops if not dry_run else ():
        connection.execute(drop)
    return old


def _of_this_account(connection: Connection, prefix: str) -> list[Snapshot]:
    """Return the snapshots with the prefix, newest first, without those that sys has created of other accounts."""
    account = fold(matrixone_dialect(connection).default_account_name)
    return [
        snapshot
        for snapshot in catalog.get_snapshots(connection)
        if snapshot.name.startswith(fold(prefix)) and snapshot.account in (None, account)
    ]
