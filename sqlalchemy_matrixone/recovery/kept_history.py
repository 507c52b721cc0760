"""Check whether a PITR keeps the history of an object that is to be restored.

History that the server has collected reads as an empty table, and a restore to such a point in time reports success.
Garbage collection goes by ids: by the id of the table for the PITR of a table, of the database for that of a database.
A PITR whose object has since got another id no longer keeps the object's history, but the server still restores from
it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from ..core.names import fold
from ..core.warning import warn
from ..exc import Reason, RestoreError, RestoreWarning
from . import catalog
from .clock import from_microseconds, mo_ts_of, server_now
from .objects import id_in
from .pitr_names import pitr_named
from .pitr_objects import range_of
from .pitr_reader import held_ids, reads_pitrs_in_transaction

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope
    from .values import Pitr, Snapshot


CREATION_ROUNDING = 2 * 10**9
"""How much earlier than its creation time, in nanoseconds, a PITR may reach: that time is rounded up to a second."""


@dataclass(frozen=True)
class Pitrs:
    """The PITRs that the account has created.

    :ivar now: the server's time when they were read, in nanoseconds since 1970.
    """

    all: list[Pitr]
    now: int

    @classmethod
    def read(cls, connection: Connection) -> Self:
        """Read the PITRs and the server's clock."""
        return cls(catalog.get_pitrs(connection), mo_ts_of(server_now(connection)))

    def named(self, name: str) -> Pitr | None:
        """Return the PITR of this name, which is case-insensitive; None if there is none."""
        return pitr_named(self.all, name)

    def covering(self, scope: RestoreScope) -> list[Pitr]:
        """Return the PITRs of the scope's object, and of the objects that contain it."""
        return [pitr for pitr in self.all if covers(pitr, scope)]

    def reaching(self, scope: RestoreScope) -> list[Pitr]:
        """Return those of them that can restore the point in time of the scope."""
        return [pitr for pitr in self.covering(scope) if earliest(pitr, self.now) <= scope.source]


def check_protected(connection: Connection, scope: RestoreScope, name: str, what: str, pitrs: Pitrs) -> None:
    """Check that a PITR keeps the history of a database or table at the point in time that is to be restored.

    :param name: the PITR to restore from. If it does not reach back to that time, the server reports it.
    :param what: the statement, for messages.
    :raises RestoreError: with reason not_covered, if none does. Accounts other than sys do not see the PITRs that sys
        has created for them, so they get a :class:`RestoreWarning` instead.
    """
    if scope.level == "account":
        return
    protected = _is_protected(connection, scope, name, pitrs)
    if protected:
        return
    moment = from_microseconds(scope.source // 1000).isoformat(" ")
    problem = (
        f"no PITR keeps the history of this {scope.level} at {moment}: it was replaced since the PITR was created. "
        "MatrixOne may have removed the history, and would then restore an empty table"
    )
    if protected is None or not reads_pitrs_in_transaction(connection):
        warn(f"{what}: it seems that {problem}. Check the rows.", RestoreWarning)
        return
    raise RestoreError(
        f"{what} was not sent: {problem}. Look at the rows with as_of(…, mo_ts={scope.source}); to restore them "
        "nevertheless, execute the construct RestorePitr.",
        Reason.NOT_COVERED,
    )


def _is_protected(connection: Connection, scope: RestoreScope, name: str, known: Pitrs) -> bool | None:
    """Return whether a visible PITR keeps the history at the point in time of the scope; None if unknown.

    :param name: the PITR to restore from. If it does not reach back to that time, True is returned.
    """
    pitrs = known.reaching(scope)
    if fold(name) not in {pitr.name for pitr in pitrs}:
        return True
    if any(pitr.level in ("cluster", "account") for pitr in pitrs):
        return True
    held = held_ids(connection, pitrs)
    present = {"database": id_in(connection, replace(scope, level="database"), past=True)}
    if scope.level == "table":
        present["table"] = id_in(connection, scope, past=True)
    answers = {None if held[pitr.name] is None else held[pitr.name] == present[pitr.level] for pitr in pitrs}
    return True if True in answers else None if None in answers else False


def covers(source: Pitr | Snapshot, scope: RestoreScope) -> bool:
    """Return whether a PITR or snapshot is of the scope's object, or of an object that contains it."""
    match source.level:
        case "cluster":
            return True
        case "account":
            return source.account == fold(scope.dialect.default_account_name)
        case "database":
            return scope.level != "account" and source.database == fold(scope.database)
    return scope.level == "table" and (source.database, source.table) == (fold(scope.database), fold(scope.table))


def earliest(pitr: Pitr, now: int) -> int:
    """Return the first point in time that a PITR can restore; times are in nanoseconds since 1970."""
    length = round(range_of(pitr).hours * 3600) * 10**9
    return max(mo_ts_of(pitr.created_at), now - length)
