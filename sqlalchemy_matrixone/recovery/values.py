"""What the server says of its snapshots and PITRs, the same on every release."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, NamedTuple

from .pitr_range import PitrRange, Unit
from .target import Level


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot. A level that has no account, database or table has None for it; times are aware, in UTC."""

    name: str
    level: Level
    account: str | None
    database: str | None
    table: str | None
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Pitr:
    """A point-in-time recovery policy: ``length`` ``unit``\\ s back, but not before ``created_at``.

    :ivar created_at: the earliest time that can be restored. The server restores only to times after the creation, so
        this is the microsecond after it. Accounts that see only its second get the end of that second: all except
        sys, and before MatrixOne 3.0 also sys.
    :ivar modified_at: when the range was last changed, rounded up likewise.
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

    @property
    def range(self) -> str:
        """The range as one writes it: ``"7d"``."""
        return str(PitrRange(self.length, self.unit))


@dataclass(frozen=True, slots=True)
class RecoveryWindow:
    """Moments that an object can be restored to: all from ``start`` to ``end``, of a snapshot one alone."""

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
    """What protects a table, and what of its past.

    :ivar sources: the PITRs and snapshots that keep the table's history, those that reach back furthest first. Empty
        if the table has no protection.
    :ivar earliest: the earliest instant to which the table can be restored; None without protection.
    :ivar gaps: the periods between ``earliest`` and now in which no instant is kept. After the last snapshot of a table
        without PITR there is one until now.
    """

    database: str
    table: str
    sources: tuple[Pitr | Snapshot, ...]
    earliest: dt.datetime | None
    gaps: tuple[Period, ...]

    @property
    def is_protected(self) -> bool:
        """Whether there is any instant that the table can be restored to."""
        return bool(self.sources)


class NoValue(Enum):
    """What a statement returns in the past instead of a value."""

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
    :ivar after: the earliest known instant with the new value. Apart from ``before`` by the precision that was asked
        for, or by more if the server keeps nothing in between.
    :ivar value_before: the value at ``before``. None is SQL's NULL; a :class:`NoValue` says that there was no row, or
        that the table, database or column did not exist.
    :ivar value_after: the value at ``after``, and at the end of the time that was searched.
    :ivar queries: how many times the statement was executed.
    """

    before: dt.datetime
    after: dt.datetime
    value_before: Any
    value_after: Any
    queries: int
