"""Find the existing PITRs because of which the server refuses a new one, and explain what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.names import fold
from ..exc import PitrError, Reason
from . import catalog
from .pitr_names import is_automatic, pitr_named
from .pitr_objects import is_of
from .reactivation import refused_for_former

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from .constructs import CreatePitr
    from .values import Pitr


@dataclass(frozen=True)
class PitrConflict:
    """The PITRs that are in the way of a new one: a name has at most one PITR, and an object at most one active PITR.

    A PITR becomes inactive when its object is replaced by ALTER TABLE, TRUNCATE or a restore. It keeps its name, which
    cannot be changed, and only it keeps the history of the former object.

    :ivar element: the new PITR.
    :ivar pitrs: all PITRs of the account.
    :ivar same_name: the PITR, active or not, that has the name of the new one.
    :ivar same_object: the active PITR, of any name, that has the object of the new one.
    :ivar is_of_object: whether ``same_name`` has that object too, or an object that it has replaced.
    :ivar database: the database, if that is the object of the new one.
    """

    element: CreatePitr
    pitrs: Sequence[Pitr]
    same_name: Pitr | None
    same_object: Pitr | None
    is_of_object: bool
    database: str | None

    @classmethod
    def read(cls, connection: Connection, element: CreatePitr) -> PitrConflict:
        """Read the PITRs of the account."""
        pitrs = catalog.get_pitrs(connection)
        target = element.recovery_target
        of_object = [pitr for pitr in pitrs if is_of(pitr, target, connection)]
        same_name = pitr_named(pitrs, element.name)
        return cls(
            element,
            pitrs,
            same_name,
            same_object=next((pitr for pitr in of_object if pitr.active is not False), None),
            is_of_object=same_name in of_object,
            database=target.database_on(connection) if target is not None and target.level == "database" else None,
        )

    @property
    def former(self) -> Pitr | None:
        """Return the inactive PITR that keeps the history of the former object, under the name of the new one."""
        is_former = self.same_name is not None and self.same_name.active is False and self.is_of_object
        return self.same_name if is_former else None

    @property
    def automatic(self) -> Pitr | None:
        """Return the active PITR of the object, if it was created in place of inactive ones."""
        return self.same_object if self.same_object is not None and is_automatic(self.same_object) else None

    @property
    def mistaken(self) -> str | None:
        """Return what to do about an inactive PITR that the server mistakes for that of the database.

        None if it does not, or if another PITR is in the way.
        """
        if self.same_object is not None or self.database is None:
            return None
        return refused_for_former(fold(self.database), self.pitrs)

    def explain(self, refused: PitrError) -> PitrError:
        """Return the server's error with what to do."""
        existing = self.same_name
        if existing is None:
            return self.explain_object(refused)
        if existing.active is False:
            return PitrError(
                f"{self._not_created}: a PITR of that name exists. It is inactive, and keeps the history of the former "
                f"{existing.describe()}. Choose another name; or drop it, and lose that history.",
                Reason.EXISTS,
            )
        if existing is self.same_object:
            keep = "pass if_not_exists=True to keep it as it is"
            advice = f"change its range with alter_pitr({existing.name!r}, range=…), or {keep}"
        else:
            advice = "choose another name"
        return PitrError(f"{refused}. {self._not_created}. {_described(existing)}: {advice}.", Reason.EXISTS)

    def explain_object(self, refused: PitrError) -> PitrError:
        """Return the server's error with what to do, if the name was not the cause."""
        existing = self.same_object
        if existing is not None:
            known = f"{_described(existing)}: change its range with alter_pitr({existing.name!r}, range=…)"
            return PitrError(f"{refused}. {self._not_created}. {known}.", Reason.EXISTS)
        return PitrError(f"{refused}. {self.mistaken or f'{self._not_created}.'}", Reason.EXISTS)

    @property
    def _not_created(self) -> str:
        return f"PITR {self.element.name!r} was not created"


def _described(pitr: Pitr) -> str:
    return f"{pitr.name!r} is of {pitr.describe()} and reaches back {pitr.range}"
