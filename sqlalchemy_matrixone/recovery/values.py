"""What the server says of its snapshots and PITRs, the same on every release."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

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
