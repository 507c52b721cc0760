"""Keep PITRs active across migrations of their tables.

A migration that replaces a table makes its PITR inactive. This module remembers which PITRs were active before a commit
of the migrations, and protects the objects of those again that are inactive after it. PITRs that somebody else made
inactive, or that a migration drops, are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from ..recovery.objects import present_objects
from ..recovery.pitr_objects import by_presence, if_renamed, maybe_renamed, table_now, unprotected
from ..recovery.reactivation import protect_again
from .log import log
from .renames import TableName, TableNames

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from ..recovery.values import Pitr

DeclaredObjects = Collection[tuple[str | None, str | None]]
"""The databases, and the tables with their databases, for which the models declare a PITR."""

_Tables = dict[str, TableName]
"""The names of PITRs, each with the name of its table, whose parts are None if it is not of a table."""

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
        event.listen(connection, "rollback", watch.rolled_back)
    return watch


class PitrWatch:
    """Protects again what the migrations on a connection make unprotected.

    PITRs are read and created on a second connection: the server accepts the statements only outside of a transaction,
    other connections see a new table only after the commit, and the state before the commit until then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._active: _Tables | None = None
        self._ids: dict[str, int] = {}  # of the objects of PITRs that may be active or not
        self._lost: _Tables = {}
        self._dropped: set[str] = set()  # the PITRs of tables that do not exist, as is known or was reported
        self._dropped_successors: set[str] = set()
        self._names = TableNames(fold(engine.dialect.default_schema_name))
        self._declared: DeclaredObjects = frozenset()
        self._reported = False
        self._paused = False
        self._postponed = False

    # -- when to look

    def committing(self, connection: Connection) -> None:
        """Remember the active PITRs before a COMMIT, and compare them after it. A listener of the connection."""
        state = state_of(connection.connection)
        if not (state.has_writes or state.has_ddl):
            if self._lost and not self._postponed:  # what an earlier run has left
                state.after_commit = self.compare
            return
        if state.in_transaction:
            self.remember()
        elif self._paused:
            return
        # In AUTOCOMMIT something was executed that did not go through an operation.
        state.after_commit = self.compare if self._active is not None else self._report_later

    def rolled_back(self, connection: Connection) -> None:
        """Forget the operations that a ROLLBACK undoes. A listener of the connection."""
        self._names.clear()

    @contextmanager
    def executing(self, state: TransactionState, construct: Any) -> Iterator[None]:
        """Look before and after a construct that an operation executes, if it is committed by itself."""
        looks = not (state.in_transaction or isinstance(construct, _HARMLESS))
        if looks and self._active is None:
            self.remember()
        yield
        self._names.executed(construct)
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
        self._forget(dropped)
        if self._lost and databases:
            self._look(lambda _, pitrs: self._forget(pitr for pitr in pitrs if pitr.database in databases))

    def will_protect(self, name: str) -> bool:
        """Return whether the object of an inactive PITR is protected again after this operation or the next commit."""
        return fold(name) in self._lost

    def is_declared(self, pitr: Pitr) -> bool:
        """Return whether the models declare a PITR for the object of this one. Known during an upgrade or downgrade."""
        return (pitr.database, table_now(pitr)) in self._declared

    def dropped_successor(self, pitr: Pitr) -> None:
        """Note that an operation has dropped a PITR that was created in place of others."""
        self._dropped_successors |= {pitr.name, pitr.database or ""}

    def is_dropped_successor(self, name: str) -> bool:
        """Return whether a PITR has been dropped as a successor. A later operation need not find it.

        :param name: its name, or the implied name of a PITR of its database.
        """
        return fold(name) in self._dropped_successors

    def _forget(self, pitrs: Iterable[Pitr]) -> None:
        for pitr in pitrs:
            self._lost.pop(pitr.name, None)

    # -- looking

    def note_declared(self, declared: DeclaredObjects) -> None:
        """Note the inactive PITRs of objects for which the models declare one, to protect these objects again.

        An earlier run may have ended between its COMMIT and the comparison after it.
        """
        self._declared = declared
        if declared:
            self._look(self._report)

    def remember(self) -> None:
        """Remember which PITRs are active now, and report once which ones of the migrated database are not."""
        self._active = None
        self._look(self._note)

    def compare(self) -> None:
        """Protect again the objects of PITRs that have become inactive since they were remembered."""
        if self._active or self._lost or self._declared:
            self._look(self._note_lost)
        self._names.clear()

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
        self._report(second, pitrs)
        self._active = _active_tables(pitrs)
        unknown = {pitr.name for pitr in pitrs if pitr.active is None}
        self._ids = _ids_of(second, {name: table for name, table in self._active.items() if name in unknown})

    def _note_lost(self, second: Connection, pitrs: list[Pitr]) -> None:
        before, self._active = self._active or {}, _active_tables(pitrs)
        inactive = {pitr.name for pitr in pitrs} & before.keys() - self._active.keys()
        for name in inactive | self._replaced(second, before, pitrs):
            self._lost[name] = self._names.present(before[name])
            if self._names.is_dropped(self._lost[name]):
                self._dropped.add(name)
        self._note_unprotected(unprotected(second, [pitr for pitr in pitrs if self.is_declared(pitr)], pitrs))
        if self._lost and not self._postponed:
            self._protect_lost(second, pitrs)

    def _replaced(self, second: Connection, before: _Tables, pitrs: list[Pitr]) -> set[str]:
        """Return PITRs that are inactive for certain, because their objects have been replaced, though it is not shown.

        Accounts other than sys cannot see it if object and PITR were created in the same second.
        """
        unknown = {
            pitr.name: self._names.present(before[pitr.name])
            for pitr in pitrs
            if pitr.active is None and pitr.name in before
        }
        self._active = (self._active or {}) | unknown  # the server does not show their present names either
        former, self._ids = self._ids, _ids_of(second, unknown)
        return {name for name in unknown if name in former and former[name] != self._ids.get(name)}

    def _protect_lost(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Protect the objects of PITRs that these migrations have made inactive, if they exist by now."""
        inactive, without_object = by_presence(second, self._followed(pitrs))
        changed = protect_again(second, inactive, pitrs)
        self._forget(inactive)
        if self._active is not None:
            self._active |= _active_tables(changed)
        for pitr in changed:
            log.info("PITR %s protects database %s after the migration", pitr.name, pitr.database)
        self._report_missing(second, [pitr for pitr in without_object if pitr.name not in self._dropped])

    def _note_unprotected(self, declared: Iterable[Pitr]) -> None:
        self._lost |= {pitr.name: TableName(pitr.database, table_now(pitr)) for pitr in declared}

    def _followed(self, pitrs: Iterable[Pitr]) -> list[Pitr]:
        """Return the PITRs that these migrations have made inactive, with the present names of their tables."""
        lost = [pitr for pitr in pitrs if pitr.name in self._lost]
        return [replace(pitr, renamed_to=pitr.renamed_to or self._lost[pitr.name].table, active=False) for pitr in lost]

    def _report_missing(self, second: Connection, without_object: list[Pitr]) -> None:
        """Report, once, PITRs whose tables may have been renamed by other statements than those of operations."""
        for pitr in maybe_renamed(second, without_object):
            self._dropped.add(pitr.name)
            log.warning(
                "PITR %s of %s is inactive since this migration, and there is no table of that name any more. %s",
                pitr.name,
                pitr.describe(),
                if_renamed(pitr),
            )

    def _report(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Find PITRs that are inactive, though no migration of this run made them so.

        Declared ones are noted, and protected again after the next commit. Others of the migrated database are
        reported.
        """
        if self._reported:
            return
        self._reported = True
        database = fold(self._engine.dialect.default_schema_name)
        chosen = [pitr for pitr in pitrs if self.is_declared(pitr) or pitr.database == database is not None]
        for pitr in unprotected(second, chosen, pitrs):
            if self.is_declared(pitr):
                self._note_unprotected([pitr])
                continue
            log.warning(
                "PITR %s of %s is inactive, and nothing protects that %s since it was replaced outside of these "
                "migrations. Call Recovery.reactivate_pitrs(database=%r)",
                pitr.name,
                pitr.describe(),
                pitr.level,
                pitr.database,
            )


def _active_tables(pitrs: Iterable[Pitr]) -> _Tables:
    return {pitr.name: TableName(pitr.database, table_now(pitr)) for pitr in pitrs if pitr.active is not False}


def _ids_of(connection: Connection, tables: _Tables) -> dict[str, int]:
    """Return the ids of the tables or databases, by the names of their PITRs, without those that do not exist."""
    present = present_objects(connection, [name.database for name in tables.values() if name.database is not None])
    return {pitr: present[name].id for pitr, name in tables.items() if name in present}
