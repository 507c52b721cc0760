"""Take a snapshot of the database before it is migrated, which can be restored in one step."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from alembic.util import CommandError
from sqlalchemy.engine import Connection

from ..core.names import fold
from ..core.server import matrixone_dialect
from ..exc import Reason, SnapshotError
from ..recovery.session import Recovery
from ..recovery.target import current_database
from ..recovery.values import Snapshot
from ._internals import planned_migrations
from .log import log
from .transaction import outside_transaction

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

OPTION = "matrixone_keep_snapshots"
"""The option of ``context.configure()`` for the number of snapshots to keep. Without it, none are taken."""

# As in alembic_0007_shop_3f2a1b_9c8d7e: a number, the database, the revisions before and after.
_NUMBER = re.compile(r"alembic_(\d{4,})_")


def snapshot_before_migrations(context: MigrationContext, keep: int) -> None:
    """Take a snapshot of the database, if there is anything to migrate, and drop the oldest ones beyond ``keep``.

    :raises CommandError: if ``keep`` is not a positive number, or the connection has no database.
    :raises SnapshotError: if the server refuses. In that case nothing is migrated.
    """
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
        raise CommandError(f"{OPTION}={keep!r}: pass the number of snapshots to keep, such as {OPTION}=3")
    assert context.connection is not None
    dialect = matrixone_dialect(context.connection)
    database = current_database(context.connection)
    if database is None:
        raise CommandError(f"{OPTION} requires a URL that names the database to keep")
    with dialect.preserving_clean_state(context.connection):
        revisions = _revisions(context)
    if revisions is None:
        return
    with outside_transaction(context, "the snapshot before the migrations"):
        recovery = Recovery(context.connection)
        before = _ours(recovery, database)
        name = _name(recovery, database, *revisions)
        recovery.create_snapshot(name, database=database)
        log.info(
            "snapshot %s keeps database %s as it is before this migration; to go back, call "
            "sqlalchemy_matrixone.alembic.restore_latest_snapshot(connection)",
            name,
            database,
        )
        for old in before[keep - 1 :]:
            recovery.drop_snapshot(old.name, if_exists=True)
            log.info("dropped snapshot %s", old.name)


def restore_latest_snapshot(connection: Connection) -> Snapshot:
    """Restore the current database to its state before the last migration.

    This requires that the database is migrated with ``matrixone_keep_snapshots``. The whole database is restored,
    including Alembic's version and all data: everything that was written since the snapshot is lost. The server waits,
    without limit, for open transactions that have written to the database. ::

        with engine.connect() as connection:
            restore_latest_snapshot(connection)

    :param connection: a Connection of a matrixone engine, on which nothing has run since its last commit or
        rollback.
    :return: the snapshot. It is kept, and can be restored again.
    :raises SnapshotError: with reason not_found, if there is no such snapshot.
    :raises RestoreError: if the server refuses.
    """
    recovery = Recovery(connection)
    database = current_database(connection)
    found = _ours(recovery, database) if database is not None else []
    if not found:
        raise SnapshotError(f"database {database!r} has no snapshot of {OPTION}", Reason.NOT_FOUND)
    recovery.restore_snapshot(found[0].name, database=database)
    return found[0]


def _revisions(context: MigrationContext) -> tuple[str, str] | None:
    """Return the revisions before and after the migrations that are about to run; None if there are no migrations."""
    planned = planned_migrations(context)
    if planned is None or not planned.steps:
        return None
    return _version(planned.heads), _version(planned.steps[-1].info.destination_revision_ids)


def _version(revisions: Iterable[str]) -> str:
    return "-".join(sorted(revisions)) or "base"


def _ours(recovery: Recovery, database: str) -> list[Snapshot]:
    """Return the snapshots of this database that were taken by this module, newest first."""
    ours = re.compile(rf"{_NUMBER.pattern}{_sanitize(database[:20])}_")
    snapshots = recovery.list_snapshots(level="database", database=database)
    return [snapshot for snapshot in snapshots if ours.match(snapshot.name)]


def _name(recovery: Recovery, database: str, before: str, after: str) -> str:
    """Return a name that does not exist in the account yet, within the 64 characters that the server keeps."""
    # The number counts the snapshots of all databases, because the truncated names of two databases may be equal.
    taken = [int(match[1]) for snapshot in recovery.list_snapshots() if (match := _NUMBER.match(snapshot.name))]
    return "_".join(
        [f"alembic_{max(taken, default=0) + 1:04}", *map(_sanitize, (database[:20], before[:14], after[:14]))]
    )


def _sanitize(part: str) -> str:
    """Replace characters that the server refuses in names, and fold to lower case, as the server does."""
    return re.sub(r"[^\w-]", "_", fold(part))
