"""Keep PITRs active across migrations of their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import event, exc

from ..core.connection import state_of
from ..exc import Reason, RecoveryError
from ..recovery.reactivation import reactivate_pitrs
from .transaction import log

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine


def reactivate_pitrs_after_commits(connection: Connection) -> None:
    """After each commit on a connection, reactivate the PITRs of the tables that its transaction has replaced.

    This has to wait for the commit: the new table is visible to other connections only then, and the server accepts
    the statements only outside of a transaction.
    """
    if not event.contains(connection, "commit", _before_commit):
        event.listen(connection, "commit", _before_commit)


def _before_commit(connection: Connection) -> None:
    state = state_of(connection.connection)
    if state.has_writes or state.has_ddl:
        engine = connection.engine
        state.after_commit = lambda: _reactivate(engine)


def _reactivate(engine: Engine) -> None:
    """Reactivate the PITRs of the migrated database on a separate connection, and report failures."""
    database = engine.dialect.default_schema_name
    if database is None:
        return
    try:
        with engine.connect() as connection:
            for pitr in reactivate_pitrs(connection, database=database):
                log.info("PITR %s protects database %s after the migration", pitr.name, database)
    except (exc.SQLAlchemyError, RecoveryError) as failed:
        if isinstance(failed, RecoveryError) and failed.reason is Reason.NOT_PERMITTED:
            log.info("PITRs were not checked after the migration: only an account's administrator may read them")
            return
        log.warning(
            "the migration is committed, but PITRs of tables that it replaced could not be made active again: %s. Call "
            "Recovery.reactivate_pitrs()",
            failed,
        )
