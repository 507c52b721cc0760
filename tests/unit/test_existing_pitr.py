"""The messages about a PITR that exists already."""

from __future__ import annotations

import datetime as dt

import pytest

from sqlalchemy_matrixone import Pitr
from sqlalchemy_matrixone.recovery.pitr_range import PitrRange, Unit
from sqlalchemy_matrixone.recovery.protection import has_other_range

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("length", "unit", "wanted", "is_other"),
    [
        (7, "d", "7d", False),
        (48, "h", "2d", False),
        (12, "mo", "1y", False),
        (7, "d", "9d", True),
        (7, "d", "7h", True),
    ],
)
def test_pitr_has_another_range_unless_it_reaches_back_equally_far(
    length: int, unit: Unit, wanted: str, is_other: bool
) -> None:
    pitr = Pitr("p", "database", None, "shop", None, length, unit, NOW, NOW, True)
    assert has_other_range(pitr, PitrRange.of(wanted)) is is_other
