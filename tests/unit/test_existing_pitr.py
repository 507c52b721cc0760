"""The messages about a PITR that exists already."""

from __future__ import annotations

import datetime as dt

import pytest

from sqlalchemy_matrixone import Pitr
from sqlalchemy_matrixone.recovery.pitr_range import PitrRange, Unit
from sqlalchemy_matrixone.recovery.protection import describe_existing, has_other_range

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


def pitr(name: str, *, active: bool = True) -> Pitr:
    return Pitr(name, "database", None, "shop", None, 7, "d", NOW, NOW, active)


@pytest.mark.parametrize(
    ("existing", "is_of_object", "protected_by", "message"),
    [
        (pitr("p"), True, None, None),
        (pitr("p"), False, None, "PITR 'p' existed already, but belongs to database shop, not to that object."),
        (
            pitr("p", active=False),
            True,
            None,
            "PITR 'p' existed already, and is inactive: it keeps the history of the former database shop. To protect "
            "the object that replaced it, call Recovery.reactivate_pitrs(database='shop').",
        ),
        (
            pitr("p", active=False),
            True,
            pitr("q"),
            "PITR 'p' existed already, and is inactive: it keeps the history of the former database shop. PITR 'q' of "
            "database shop protects the object that replaced it.",
        ),
    ],
    ids=["same", "of another object", "inactive", "inactive and protected"],
)
def test_existing_pitr_that_differs_is_described(
    existing: Pitr, is_of_object: bool, protected_by: Pitr | None, message: str | None
) -> None:
    wanted = PitrRange.of("7d")
    assert describe_existing(existing, wanted, is_of_object=is_of_object, protected_by=protected_by) == message
