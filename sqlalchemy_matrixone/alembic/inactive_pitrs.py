"""Find the PITRs that migrations make inactive, and protect their objects again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..recovery.objects import present_objects
from ..recovery.pitr_objects import by_presence, if_renamed, maybe_renamed, table_now, unprotected
from ..recovery.reactivation import protect_again
from .log import log
from .renames import TableName, TableNames

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..recovery.values import Pitr

DeclaredObjects = Collection[tuple[str | None, str | None]]
"""The databases, and the tables with their databases, for which the models declare a PITR."""

_Tables = dict[str, TableName]
"""The names of PITRs, each with the name of its table, whose parts are None if it is not of a table."""


class InactivePitrs:
    """The PITRs that are inactive, or that the next commit of the migrations may make inactive.

    Methods that read from the server take a second connection, without an open transaction, and the PITRs of the
    account as they are now.

    :ivar declared: the objects that are protected again whatever made their PITRs inactive.
    :ivar names: the tables that the migrations have renamed and dropped since the last commit.
    """

    def __init__(self, database: str | None) -> None:
        """Start with nothing known.

        :param database: the database that is migrated.
        """
        self.declared: DeclaredObjects = frozenset()
        self.names = TableNames(database)
        self._database = database
        self._active: _Tables | None = None  # None before they are read
        self._ids: dict[str, int] = {}  # of the objects of PITRs that may be active or not
        self._deactivated: _Tables = {}  # whose objects are to be protected again
        self._missing: set[str] = set()  # the PITRs of tables that do not exist, as is known or was reported
        self._reported = False

    # -- what is known

    @property
    def knows_active(self) -> bool:
        """Return whether the active PITRs are remembered."""
        return self._active is not None

    @property
    def has_deactivated(self) -> bool:
        """Return whether objects are to be protected again."""
        return bool(self._deactivated)

    @property
    def may_find_deactivated(self) -> bool:
        """Return whether :meth:`note_deactivated` can find any, or others are to be protected again."""
        return bool(self._active or self._deactivated or self.declared)

    def is_deactivated(self, name: str | None) -> bool:
        """Return whether the object of a PITR of this folded name is to be protected again."""
        return name in self._deactivated

    def is_declared(self, pitr: Pitr) -> bool:
        """Return whether the models declare a PITR for the object of this one."""
        return (pitr.database, table_now(pitr)) in self.declared

    def forget_active(self) -> None:
        """Forget which PITRs are active."""
        self._active = None

    def forget_deactivated(self, pitrs: Iterable[Pitr]) -> None:
        """Do not protect the objects of these PITRs again."""
        for pitr in pitrs:
            self._deactivated.pop(pitr.name, None)

    # -- before the migrations

    def report(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Find, once, PITRs that are inactive, though no migration of this run made them so.

        The objects of declared ones are protected again after the next commit. Others of the migrated database are
        reported.
        """
        if self._reported:
            return
        self._reported = True
        chosen = [pitr for pitr in pitrs if self.is_declared(pitr) or pitr.database == self._database is not None]
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

    def note_active(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Remember which PITRs are active, and report those that are not."""
        self.report(second, pitrs)
        self._active = _active_tables(pitrs)
        unknown = {pitr.name for pitr in pitrs if pitr.active is None}
        self._ids = _ids_of(second, {name: table for name, table in self._active.items() if name in unknown})

    # -- after them

    def note_deactivated(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Note which PITRs have become inactive since they were remembered."""
        before, self._active = self._active or {}, _active_tables(pitrs)
        inactive = {pitr.name for pitr in pitrs} & before.keys() - self._active.keys()
        for name in inactive | self._replaced(second, before, pitrs):
            self._deactivated[name] = self.names.present(before[name])
            if self.names.is_dropped(self._deactivated[name]):
                self._missing.add(name)
        self._note_unprotected(unprotected(second, [pitr for pitr in pitrs if self.is_declared(pitr)], pitrs))

    def _replaced(self, second: Connection, before: _Tables, pitrs: list[Pitr]) -> set[str]:
        """Return PITRs that are inactive for certain, because their objects have been replaced, though it is not shown.

        Accounts other than sys cannot see it if object and PITR were created in the same second.
        """
        unknown = {
            pitr.name: self.names.present(before[pitr.name])
            for pitr in pitrs
            if pitr.active is None and pitr.name in before
        }
        self._active = (self._active or {}) | unknown  # the server does not show their present names either
        former, self._ids = self._ids, _ids_of(second, unknown)
        return {name for name in unknown if name in former and former[name] != self._ids.get(name)}

    def _note_unprotected(self, declared: Iterable[Pitr]) -> None:
        self._deactivated |= {pitr.name: TableName(pitr.database, table_now(pitr)) for pitr in declared}

    def protect_deactivated(self, second: Connection, pitrs: list[Pitr]) -> None:
        """Protect the objects of PITRs that have become inactive, if they exist by now."""
        inactive, without_object = by_presence(second, self._followed(pitrs))
        changed = protect_again(second, inactive, pitrs)
        self.forget_deactivated(inactive)
        if self._active is not None:
            self._active |= _active_tables(changed)
        for pitr in changed:
            log.info("PITR %s protects database %s after the migration", pitr.name, pitr.database)
        self._report_missing(second, [pitr for pitr in without_object if pitr.name not in self._missing])

    def _followed(self, pitrs: Iterable[Pitr]) -> list[Pitr]:
        """Return the PITRs whose objects are to be protected again, with the present names of their tables."""
        deactivated = [pitr for pitr in pitrs if pitr.name in self._deactivated]
        return [
            replace(pitr, renamed_to=pitr.renamed_to or self._deactivated[pitr.name].table, active=False)
            for pitr in deactivated
        ]

    def _report_missing(self, second: Connection, without_object: list[Pitr]) -> None:
        """Report, once, PITRs whose tables may have been renamed by other statements than those of operations."""
        for pitr in maybe_renamed(second, without_object):
            self._missing.add(pitr.name)
            log.warning(
                "PITR %s of %s is inactive since this migration, and there is no table of that name any more. %s",
                pitr.name,
                pitr.describe(),
                if_renamed(pitr),
            )


def _active_tables(pitrs: Iterable[Pitr]) -> _Tables:
    return {pitr.name: TableName(pitr.database, table_now(pitr)) for pitr in pitrs if pitr.active is not False}


def _ids_of(connection: Connection, tables: _Tables) -> dict[str, int]:
    """Return the ids of the tables or databases, by the names of their PITRs, without those that do not exist."""
    present = present_objects(connection, [name.database for name in tables.values() if name.database is not None])
    return {pitr: present[name].id for pitr, name in tables.items() if name in present}
