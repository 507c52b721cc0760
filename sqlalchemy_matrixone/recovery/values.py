"""Values for the server's snapshots and PITRs, the same on every release."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple

from ..core.arguments import Level
from ..core.names import describe
from .pitr_range import PitrRange, Unit


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot. Parts that do not apply to its level are None; times are aware, in UTC."""

    name: str
    level: Level
    account: str | None
    database: str | None
    table: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Pitr:
    """A point-in-time recovery policy: it reaches back ``range``, such as ``7d``, but not before ``created_at``.

    :ivar created_at: the earliest time that can be restored. The server restores only to times after the creation, so
        this is the microsecond after it. Accounts that see only the second get the end of that second: all except
        sys, and before MatrixOne 3.0 also sys.
    :ivar modified_at: when the range was last changed, rounded up likewise.
    :ivar active: whether it protects the object that has its name now; None if this account cannot see that.
    :ivar renamed_to: the present name of its table, if that was renamed and no other table has its former name. The
        PITR goes on to protect it, and :attr:`active` applies to it. To restore its history, pass the former name,
        ``table``. It is None if the table was also altered or truncated in the same transaction, before MatrixOne 4.1
        also if that was later.
    """

    name: str
    level: Level
    account: str | None
    database: str | None
    table: str | None
    length: int
    unit: Unit
    created_at: dt.datetime
    modified_at: dt.datetime
    active: bool | None
    renamed_to: str | None = None

    @property
    def range(self) -> str:
        """The range in its written form: ``"7d"``."""
        return str(PitrRange(self.length, self.unit))

    def describe(self) -> str:
        """Return the object as text, such as ``table shop.orders``."""
        return describe(self.level, self.account if self.level == "account" else None, self.database, self.table)


WHY_UNKNOWN = (
    "this account cannot see whether the PITR was created for the object that has its name now, because both were "
    "created in the same second, or the history of that time cannot be read"
)
"""Why ``Pitr.active`` is None, for messages."""


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """Times to which an object can be restored: all from ``start`` to ``end``, which are equal for a snapshot."""

    level: Level
    account: str | None
    database: str | None
    table: str | None
    source: Literal["snapshot", "pitr"]
    source_name: str
    start: dt.datetime
    end: dt.datetime


class Period(NamedTuple):
    """All instants from ``start`` to ``end``, both in UTC; a single one if they are equal."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What protects a table, and which part of its history is kept.

    :ivar sources: the PITRs and snapshots that keep the table's history, those that reach back furthest first. Empty
        if the table is unprotected.
    :ivar earliest: the earliest instant to which the table can be restored; None if it is unprotected.
    :ivar gaps: the periods between ``earliest`` and now in which no instant is kept. For a table without a PITR, there
        is one from the last snapshot until now.
    :ivar unknown: PITRs of which this account cannot see whether they protect the table as it is now; see
        :data:`WHY_UNKNOWN`. They are not among the ``sources``.
    """

    database: str
    table: str
    sources: tuple[Pitr | Snapshot, ...]
    earliest: dt.datetime | None
    gaps: tuple[Period, ...]
    unknown: tuple[Pitr, ...] = ()

    @property
    def is_protected(self) -> bool:
        """Whether the table is known to be restorable to any instant."""
        return bool(self.sources)


class NoValue(Enum):
    """The result of a historical statement that has no value."""

    NO_ROW = "no row"
    DOES_NOT_EXIST = "does not exist"

    def __repr__(self) -> str:
        return self.name

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Change:
    """A point in time at which a value changed.

    :ivar before: the latest known instant with another value than ``value_after``, in UTC: a time to restore from.
    :ivar after: the earliest known instant with the new value. It is apart from ``before`` by the requested precision,
        or by more if the server keeps nothing in between.
    :ivar value_before: the value at ``before``. None is SQL's NULL; a :class:`NoValue` means that there was no row, or
        that the table, database or column did not exist.
    :ivar value_after: the value at ``after``, and at the end of the searched time.
    :ivar queries: how many times the statement was executed.
    """

    before: dt.datetime
    after: dt.datetime
    value_before: Any
    value_after: Any
    queries: int
