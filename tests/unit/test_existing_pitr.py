"""The messages about a PITR that exists already."""

from __future__ import annotations

import asyncio
import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.util import greenlet_spawn

from sqlalchemy_matrixone import CreateSnapshot, Pitr, PitrError, Reason, SnapshotError
from sqlalchemy_matrixone.asyncmy import MatrixOneDialect_asyncmy
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery import catalog, pitr_statements
from sqlalchemy_matrixone.recovery.pitr_range import PitrRange, Unit
from sqlalchemy_matrixone.recovery.protection import describe_existing, has_other_range
from sqlalchemy_matrixone.recovery.reactivation import protect_again

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


class Refusing:
    """A connection on which the server refuses to create a PITR or snapshot, at first or always."""

    def __init__(self, error: Exception, times: int = 1) -> None:
        self.dialect = MatrixOneDialect_pymysql(server_version="4.2.0")
        self.error = error
        self.times = times
        self.executed = 0

    def execute(self, *given: Any) -> Any:
        self.executed += 1
        if self.executed <= self.times:
            raise self.error
        return SimpleNamespace()


def test_pitr_that_the_server_refuses_because_of_a_former_one_says_what_to_do() -> None:
    connection: Any = Refusing(PitrError("database `shop` already has a pitr", Reason.EXISTS))
    former = pitr("shop__auto", active=False)
    with pytest.raises(PitrError, match="not protected: MatrixOne takes PITR 'shop__auto' for its PITR") as refused:
        protect_again(connection, [former], [former])
    assert refused.value.reason is Reason.EXISTS


@pytest.mark.parametrize(("if_not_exists", "executed"), [(True, 2), (False, 1)])
def test_snapshot_that_another_session_creates_at_the_same_time_exists(
    monkeypatch: pytest.MonkeyPatch, if_not_exists: bool, executed: int
) -> None:
    connection: Any = Refusing(SnapshotError("Duplicate entry 's' for key 'sname'", Reason.EXISTS))
    monkeypatch.setattr(CreateSnapshot, "run_on", lambda self, connection, options, execute: connection.execute(self))
    element = CreateSnapshot("s", if_not_exists=if_not_exists)
    if if_not_exists:
        element.execute_on(connection, {}, connection.execute)
    else:
        with pytest.raises(SnapshotError, match="Duplicate"):
            element.execute_on(connection, {}, connection.execute)
    assert connection.executed == executed


def test_adoption_of_an_automatic_pitr_does_not_block_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    automatic = pitr("shop__auto")
    monkeypatch.setattr(catalog, "get_pitrs", lambda connection: [automatic])
    dialect = MatrixOneDialect_asyncmy(server_version="4.2.0")
    connection: Any = SimpleNamespace(dialect=dialect, execute=lambda element: None)

    async def adopt() -> bool:
        adopting = asyncio.ensure_future(greenlet_spawn(pitr_statements._adopt, connection, automatic))
        await asyncio.sleep(0.1)
        is_waiting = not adopting.done()
        assert await adopting == automatic
        return is_waiting

    assert asyncio.run(adopt())
