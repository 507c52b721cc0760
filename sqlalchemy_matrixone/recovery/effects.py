"""Describe the effect of a recovery statement, by which another connection sees whether it was carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..core.names import fold
from . import catalog

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from .pitr_range import PitrRange
    from .target import RecoveryTarget
    from .values import Pitr, Snapshot

Find = Callable[..., list[Any]]
"""Return the snapshots or PITRs of a name, on a connection."""

_NOW = "SELECT UNIX_TIMESTAMP(NOW(6)), NOW(6)"  # the first is truncated to seconds


@dataclass(frozen=True)
class Sent:
    """The time at which a statement was sent, by the server's clock: between two instants, in ns since 1970."""

    earliest: int
    latest: int

    @classmethod
    def ago(cls, connection: Connection, age: Callable[[], float]) -> Sent:
        """Ask the server for its clock.

        :param age: returns the seconds that have passed since.
        """
        before = age()
        seconds, clock = connection.exec_driver_sql(_NOW).one()
        now = int(seconds) * 10**9 + clock.microsecond * 1000
        return cls(now - int(age() * 1e9), now - int(before * 1e9))


class Effect(Protocol):
    """The change that a statement makes."""

    def happened(self, connection: Connection, sent: Sent) -> bool | None:
        """Return whether the change is visible, or None if it cannot be determined.

        :param connection: another connection than the statement's, in AUTOCOMMIT.
        """


@dataclass(frozen=True)
class ObjectReplaced:
    """A restore creates the object again: a table, a database, or the databases of an account get new ids.

    :ivar database: the database's name, for a database or a table.
    :ivar account: the name of the account that is restored; None for the connection's.
    """

    target: RecoveryTarget
    database: str | None
    account: str | None

    @property
    def located(self) -> RecoveryTarget:
        """Return the target with its database, which another connection cannot derive from a Table."""
        return replace(self.target, database=self.database, named=None)

    def happened(self, connection: Connection, sent: Sent) -> bool | None:
        """Compare the object's ids with those before and after the statement was sent; see :class:`Effect`."""
        now = self._ids(connection)
        if now == self._ids(connection, sent.earliest):
            return False
        return True if now != self._ids(connection, sent.latest) else None

    def _ids(self, connection: Connection, at: int | None = None) -> frozenset[int]:
        column, table = ("rel_id", "mo_tables") if self.target.level == "table" else ("dat_id", "mo_database")
        criteria: dict[str, Any] = {}
        if self.target.level == "table":
            criteria |= {"reldatabase": self.database, "relname": self.target.table}
        elif self.target.level == "database":
            criteria["datname"] = self.database
        where = [f"{name} = %s" for name in criteria]
        if self.target.level != "cluster":
            where.append(f"account_id = {self._account_id(connection)}")
        past = f" {{MO_TS = {at}}}" if at is not None else ""
        statement = f"SELECT {column} FROM mo_catalog.{table}{past}" + (
            f" WHERE {' AND '.join(where)}" if where else ""
        )
        rows = connection.exec_driver_sql(statement, tuple(map(fold, criteria.values())))
        return frozenset(rows.scalars())

    def _account_id(self, connection: Connection) -> str:
        if self.account is None:
            return "CURRENT_ACCOUNT_ID()"
        found = connection.exec_driver_sql(
            "SELECT account_id FROM mo_catalog.mo_account WHERE account_name = %s", (fold(self.account),)
        )
        return str(int(found.scalar_one()))


@dataclass(frozen=True)
class NamedCreated:
    """A snapshot or PITR of this name was created after the statement was sent."""

    find: Find
    name: str

    def happened(self, connection: Connection, sent: Sent) -> bool | None:
        """Look for a creation time after the statement was sent; see :class:`Effect`."""
        found: list[Snapshot | Pitr] = self.find(connection, name=self.name)
        # A PITR's times are rounded up, for some accounts to the second.
        return any(each.created_at.timestamp() > sent.earliest // 10**9 for each in found)


@dataclass(frozen=True)
class NamedDropped:
    """No snapshot or PITR of this name exists."""

    find: Find
    name: str

    def happened(self, connection: Connection, sent: Sent) -> bool | None:
        """Look the name up; see :class:`Effect`."""
        return not self.find(connection, name=self.name)


@dataclass(frozen=True)
class PitrAltered:
    """The PITR of this name has this range."""

    name: str
    range: PitrRange

    def happened(self, connection: Connection, sent: Sent) -> bool | None:
        """Compare the current range; see :class:`Effect`."""
        return any(pitr.range == str(self.range) for pitr in catalog.get_pitrs(connection, name=self.name))
