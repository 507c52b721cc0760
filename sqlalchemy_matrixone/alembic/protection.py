"""Keep PITRs active across migrations of their tables.

A migration that replaces a table makes its PITR inactive. This module remembers which PITRs were active before a commit
of the migrations, and protects the objects of those again that are inactive after it. PITRs that somebody else made
inactive, or that a migration drops, are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sqlalchemy import event, exc
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateIndex, CreateTable, DropIndex
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.sql.selectable import SelectBase

from ..core.beside import autocommit_connection, second_engine
from ..core.connection import TransactionState, state_of
from ..core.names import fold
from ..core.statement import MatrixOneDDL
from ..exc import Reason, RecoveryError
from ..recovery import catalog
from ..recovery.reactivation import protect_again, unprotected, with_present_object
from .log import log

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from ..recovery.values import Pitr

# What cannot replace a table. A restore reactivates PITRs by itself.
_HARMLESS = (Insert, Update, SelectBase, CreateTable, CreateIndex, DropIndex, MatrixOneDDL)

_watches: WeakKeyDictionary[Connection, PitrWatch] = WeakKeyDictionary()


def watch_pitrs(connection: Connection) -> PitrWatch:
    """Return the watch over the PITRs of a connection's account, and start it if there is none yet.

    From then on it acts after each commit on the connection.
    """
    watch = _watches.get(connection)
    if watch is None:
        watch = _watches[connection] = PitrWatch(connection.engine)
        event.listen(connection, "commit", watch.committing)
    return watch


class PitrWatch:
    """Protects again what the migrations on a connection make unprotected.

    PITRs are read and created on a second connection: the server accepts the statements only outside of a transaction,
    other connections see a new table only after the commit, and the state before the commit until then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active: frozenset[str] | None = None
        self._lost: set[str] = set()
        self._reported = False
        self._paused = False
        self._postponed = False

    # -- when to look

    def committing(self, connection: Connection) -> None:
        """Remember the active PITRs before a COMMIT, and compare them after it. A listener of the connection."""
        state = state_of(connection.connection)
        if not (state.has_writes or state.has_ddl):
            return
        if state.in_transaction:
            self.remember()
        elif self._paused:
            return
        # In AUTOCOMMIT something was executed that did not go through an operation.
        state.after_commit = self.compare if self._active is not None else self._report_later

    @contextmanager
    def executing(self, state: TransactionState, construct: Any) -> Iterator[None]:
        """Look before and after a construct that an operation executes, if it is committed by itself."""
        looks = not (state.in_transaction or isinstance(construct, _HARMLESS))
        if looks and self._active is None:
            self.remember()
        yield
        if looks:
            self.compare()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Surround a block in AUTOCOMMIT that only executes recovery statements."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    @contextmanager
    def postponed(self) -> Iterator[None]:
        """Surround an operation that creates, alters or drops PITRs, with the commit before it.

        What that commit makes inactive is protected again after the operation, which may do so itself, or may drop the
        PITR.
        """
        self._postponed = True
        try:
            yield
        finally:
            self._postponed = False
            self._active = None  # the operation has changed which PITRs there are
            if self._lost:
                self._look(self._protect_lost)

    def forget(self, dropped: Collection[Pitr]) -> None:
        """Do not protect again what an operation has dropped; with the PITR of a database, nor its tables."""
        databases = {pitr.database for pitr in dropped if pitr.level == "database"}
        gone = {pitr.name for pitr in dropped}
        self._lost = {name for name in self._lost if name not in gone}
        if self._lost and databases:
            self._look(lambda _, pitrs: self._lost.difference_update(p.name for p in pitrs if p.database in databases))

    # -- looking

    def remember(self) -> None:
        """Remember which PITRs are active now, and report once which ones of the migrated database are not."""
        self._active = None
        self._look(self._note)

    def compare(self) -> None:
        """Protect again the objects of PITRs that have become inactive since they were remembered."""
        if self._active or self._lost:
            self._look(self._note_lost)

    def _report_later(self) -> None:
        self._look(self._report)

    def _look(self, action: Callable[[Connection, list[Pitr]], None]) -> None:
        """Call a function with a second connection and the PITRs, and log a failure: the migration is committed."""
        try:
            with second_engine(self._engine) as engine, autocommit_connection(engine) as second:
                action(second, catalog.get_pitrs(second))
        except (exc.SQLAlchemyError, RecoveryError) as failed:
            if isinstance(failed, RecoveryError) and failed.reason is Reason.NOT_PERMITTED:
                log.info("PITRs are not checked: only an account's administrator may read them")
                return
            log.warning(
                "it could not be checked whether the migration made PITRs inactive, or these could not be made active "
                "again: %s. What was migrated is not affected. Call Recovery.reactivate_pitrs()",
                failed,
            )

    def _note(self, second: Connection, pitrs: list[Pitr]) -> None:
        self._active = frozenset(pitr.name for pitr in pitrs if pitr.active is not False)
        self._report(second, pitrs)

    def _note_lost(self, second: Connection, pitrs: list[Pitr]) -> None:
        active = frozenset(pitr.name for pitr in pitrs if pitr.active is not False)
        self._lost |= (self._active or frozenset()) & {pitr.name for pitr in pitrs} - active
        self._active = active
        if self._lost and not self._postponed:
            self._protect_lost(second, pitrs)

    def _protect_lost(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Protect the objects of PITRs that these migrations have made inactive, if they exist by now."""
        inactive = with_present_object(second, [pitr for pitr in pitrs if pitr.name in self._lost])
        changed = protect_again(second, inactive, pitrs)
        self._lost -= {pitr.name for pitr in inactive}
        if self._active is not None:
            self._active |= {pitr.name for pitr in changed}
        for pitr in changed:
            log.info("PITR %s protects database %s after the migration", pitr.name, pitr.database)

    def _report(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Report PITRs of the migrated database that are inactive, though no migration of this run made them so."""
        database = fold(self._engine.dialect.default_schema_name)
        if self._reported or database is None:
            return
        self._reported = True
        chosen = [pitr for pitr in pitrs if pitr.database == database]
        for pitr in unprotected(second, chosen, pitrs):
            log.warning(
                "PITR %s of %s is inactive, and nothing protects that %s since it was replaced outside of these "
                "migrations. Call Recovery.reactivate_pitrs(database=%r)",
                pitr.name,
                pitr.describe(),
                pitr.level,
                pitr.database,
            )
