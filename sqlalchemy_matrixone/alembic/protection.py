"""Keep PITRs active across migrations of their tables.

A migration that replaces a table makes its PITR inactive. The PITRs are therefore read before and after each commit of
the migrations, and the objects of those that it has made inactive are protected again. So are the objects for which the
models declare a PITR, whatever made it inactive. Other PITRs that were inactive before, and those that a migration
drops, are left as they are.
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
from ..recovery.target import current_database
from .inactive_pitrs import DeclaredObjects, InactivePitrs
from .log import log

if TYPE_CHECKING:
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
        watch = _watches[connection] = PitrWatch(connection)
        event.listen(connection, "commit", watch.committing)
        event.listen(connection, "rollback", watch.rolled_back)
    return watch


class PitrWatch:
    """Decides when to look for inactive PITRs: before and after what a migration on a connection commits.

    PITRs are read and created on a second connection: the server accepts the statements only outside of a transaction,
    other connections see a new table only after the commit, and the state before the commit until then.
    """

    def __init__(self, connection: Connection) -> None:
        self._engine = connection.engine
        self._pitrs = InactivePitrs(fold(current_database(connection)))
        self._dropped_successors: set[str] = set()
        self._paused = False
        self._postponed = False

    # -- when to look

    def committing(self, connection: Connection) -> None:
        """Remember the active PITRs before a COMMIT, and compare them after it. A listener of the connection."""
        state = state_of(connection.connection)
        if not (state.has_writes or state.has_ddl):
            if self._pitrs.has_deactivated and not self._postponed:  # what an earlier run has left
                state.after_commit = self.compare
            return
        if state.in_transaction:
            self.remember()
        elif self._paused:
            return
        # In AUTOCOMMIT something was executed that did not go through an operation.
        state.after_commit = self.compare if self._pitrs.knows_active or self._pitrs.declared else self._report

    def rolled_back(self, connection: Connection) -> None:
        """Forget the operations that a ROLLBACK undoes. A listener of the connection."""
        self._pitrs.names.clear()

    @contextmanager
    def executing(self, state: TransactionState, construct: Any) -> Iterator[None]:
        """Look before and after a construct that an operation executes, if it is committed by itself."""
        looks = not (state.in_transaction or isinstance(construct, _HARMLESS))
        if looks and not self._pitrs.knows_active:
            self.remember()
        yield
        self._pitrs.names.executed(construct)
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
            self._pitrs.forget_active()  # the operation has changed which PITRs there are
            if self._pitrs.has_deactivated:
                self._look(self._pitrs.protect_deactivated)

    # -- what operations state and ask

    def note_declared(self, declared: DeclaredObjects) -> None:
        """Note the inactive PITRs of objects for which the models declare one, to protect these objects again.

        An earlier run may have ended between its COMMIT and the comparison after it.
        """
        self._pitrs.declared = declared
        if declared:
            self._report()

    def is_declared(self, pitr: Pitr) -> bool:
        """Return whether the models declare a PITR for the object of this one. Known in an upgrade or downgrade."""
        return self._pitrs.is_declared(pitr)

    def will_protect(self, name: str) -> bool:
        """Return whether the object of an inactive PITR is protected again after this operation or the next commit."""
        return self._pitrs.is_deactivated(fold(name))

    def forget(self, dropped: Collection[Pitr]) -> None:
        """Do not protect again what an operation has dropped; with the PITR of a database, nor its tables."""
        databases = {pitr.database for pitr in dropped if pitr.level == "database"}
        self._pitrs.forget_deactivated(dropped)
        if self._pitrs.has_deactivated and databases:
            self._look(
                lambda _, pitrs: self._pitrs.forget_deactivated(each for each in pitrs if each.database in databases)
            )

    def note_dropped_successor(self, pitr: Pitr) -> None:
        """Note that an operation has dropped a PITR that was created in place of others."""
        self._dropped_successors |= {pitr.name, pitr.database or ""}

    def is_dropped_successor(self, name: str) -> bool:
        """Return whether a PITR has been dropped as a successor. A later operation need not find it.

        :param name: its name, or the implied name of a PITR of its database.
        """
        return fold(name) in self._dropped_successors

    # -- looking

    def remember(self) -> None:
        """Remember which PITRs are active now, and report once which ones of the migrated database are not."""
        self._pitrs.forget_active()
        self._look(self._pitrs.note_active)

    def compare(self) -> None:
        """Protect again the objects of PITRs that have become inactive since they were remembered."""
        if self._pitrs.may_find_deactivated:
            self._look(self._compare)
        self._pitrs.names.clear()

    def _compare(self, second: Connection, pitrs: list[Pitr]) -> None:
        self._pitrs.note_deactivated(second, pitrs)
        if self._pitrs.has_deactivated and not self._postponed:
            self._pitrs.protect_deactivated(second, pitrs)

    def _report(self) -> None:
        self._look(self._pitrs.report)

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
