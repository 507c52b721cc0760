"""PITRs that exist already when one is created: what is done, and the messages about them."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.util import greenlet_spawn

from sqlalchemy_matrixone import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    Pitr,
    PitrError,
    Reason,
    RecoveryWarning,
    SnapshotError,
)
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


def pitr(name: str, *, active: bool = True, length: int = 7) -> Pitr:
    return Pitr(name, "database", None, "shop", None, length, "d", NOW, NOW, active)


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


def test_pitr_that_the_server_refuses_because_of_a_former_one_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    connection: Any = Refusing(PitrError("database `shop` already has a pitr", Reason.EXISTS))
    former = pitr("shop__auto", active=False)
    monkeypatch.setattr(catalog, "get_pitrs", lambda connection: [former])
    with pytest.raises(PitrError, match="not protected: MatrixOne treats PITR 'shop__auto' as its PITR") as refused:
        protect_again(connection, [former], [former])
    assert refused.value.reason is Reason.EXISTS


@pytest.mark.parametrize(("length", "altered"), [(7, []), (2, ["shop__auto"])], ids=["as long", "shorter"])
def test_pitr_that_another_session_creates_at_the_same_time_protects_the_database(
    monkeypatch: pytest.MonkeyPatch, length: int, altered: list[str]
) -> None:
    connection: Any = Refusing(PitrError("pitr shop__auto already exists", Reason.EXISTS))
    former = pitr("shop", active=False)
    automatic = replace(pitr("shop__auto"), length=length)
    monkeypatch.setattr(catalog, "get_pitrs", lambda connection: [automatic, former])
    assert [changed.name for changed in protect_again(connection, [former], [former])] == altered


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


class Server:
    """A server with PITRs of the database ``shop``. It refuses a second one of a name, and a second active one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *pitrs: Pitr) -> None:
        self.dialect = MatrixOneDialect_pymysql(server_version="4.2.0")
        self.pitrs = list(pitrs)
        monkeypatch.setattr(catalog, "get_pitrs", lambda connection: list(self.pitrs))
        monkeypatch.setattr(pitr_statements, "reads_exact_pitr_times", lambda connection: True)
        monkeypatch.setattr(pitr_statements, "protect_again", lambda connection, inactive, pitrs: [])
        monkeypatch.setattr(pitr_statements, "with_present_object", lambda connection, pitrs: pitrs)

    def get_execution_options(self) -> dict[str, Any]:
        return {}

    def execute(self, element: Any) -> None:
        names = [pitr.name for pitr in self.pitrs]
        if isinstance(element, AlterPitr):
            self.pitrs[names.index(element.name)] = pitr(element.name, length=element.range.length)
            return
        if element.name in names or any(pitr.active for pitr in self.pitrs):
            raise PitrError("the server refuses it", Reason.EXISTS)
        self.pitrs.append(pitr(element.name, length=element.range.length))


def create(server: Any, *, if_not_exists: bool = False, may_rename: bool = False) -> tuple[str, str]:
    """Create the PITR ``shop``, and return the name and range of the one that is returned."""
    element = CreatePitr("shop", range="9d", database="shop", if_not_exists=if_not_exists)
    created = pitr_statements.create_pitr(server, element, may_rename=may_rename)
    return created.name, created.range


@pytest.mark.parametrize("if_not_exists", [True, False])
def test_create_pitr_of_a_name_that_an_inactive_one_of_the_object_has_is_numbered(
    monkeypatch: pytest.MonkeyPatch, if_not_exists: bool
) -> None:
    server = Server(monkeypatch, pitr("shop", active=False))
    assert create(server, if_not_exists=if_not_exists, may_rename=True) == ("shop__2", "9d")


def test_create_pitr_of_a_name_that_an_inactive_one_has_is_refused_if_the_name_was_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Server(monkeypatch, pitr("shop", active=False))
    with pytest.raises(PitrError, match="It is inactive, and keeps the history of the former database shop"):
        create(server)
    with pytest.warns(RecoveryWarning, match="inactive"):
        assert create(server, if_not_exists=True) == ("shop", "7d")


def test_create_pitr_of_a_name_that_an_active_one_has_is_refused_or_returns_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, pitr("shop"))
    with pytest.raises(PitrError, match=r"change its range with alter_pitr\('shop', range=…\), or pass if_not_exists"):
        create(server, may_rename=True)
    with pytest.warns(RecoveryWarning, match="keeps its range of 7d"):
        assert create(server, if_not_exists=True) == ("shop", "7d")


def test_create_pitr_of_a_name_that_one_of_another_object_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = Pitr("shop", "database", None, "stock", None, 7, "d", NOW, NOW, True)
    with pytest.raises(PitrError, match="'shop' is of database stock and reaches back 7d: choose another name"):
        create(Server(monkeypatch, other), may_rename=True)


@pytest.mark.parametrize("taken", [[], [pitr("shop", active=False)]])
def test_create_pitr_of_an_object_with_an_automatic_one_adopts_it(
    monkeypatch: pytest.MonkeyPatch, taken: list[Pitr]
) -> None:
    server = Server(monkeypatch, *taken, pitr("shop__auto"))
    assert create(server, may_rename=True) == ("shop__auto", "9d")


def test_create_pitr_of_an_object_with_another_active_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, pitr("week"))
    with pytest.raises(PitrError, match=r"'week' is of database shop .* alter_pitr\('week', range=…\)\.$"):
        create(server, may_rename=True)


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
