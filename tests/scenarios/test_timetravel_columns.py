"""Changes of a table that had other columns in the past, and changes between two points in time."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, bindparam, exc, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, defer, load_only, registry

from sqlalchemy_matrixone import RecoveryWarning, as_of, changes_between, changes_since

from .client import drop_databases, make_databases
from .past import moment
from .server import Admin, Server

DATABASE = "tt_columns"
notes = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("note", String(20)),
    Column("added", Integer),
)


class Note:
    pass


registry().map_imperatively(Note, notes)
BEFORE, AFTER = "tt_before", "tt_after"
SINCE = {("changed", 1, "a", 1, "b"), ("gone", 2, "c", None, None), ("new", None, None, 3, "d")}


@pytest.fixture
def noon(server: Server, admin: Admin) -> Iterator[dt.datetime]:
    """Provide a time between two snapshots; the second one is created after a column was added."""
    for snapshot in (BEFORE, AFTER):
        admin.unrecorded(f"DROP SNAPSHOT IF EXISTS {snapshot}")
    make_databases(admin, DATABASE)
    admin(f"CREATE TABLE {DATABASE}.notes (id INT PRIMARY KEY, note VARCHAR(20))")
    admin(f"INSERT INTO {DATABASE}.notes VALUES (1, 'a'), (2, 'c')")
    admin(f"CREATE SNAPSHOT {BEFORE} FOR DATABASE {DATABASE}")
    noon = moment(server, admin)
    admin(f"UPDATE {DATABASE}.notes SET note = 'b' WHERE id = 1")
    admin(f"DELETE FROM {DATABASE}.notes WHERE id = 2")
    admin(f"ALTER TABLE {DATABASE}.notes ADD COLUMN added INT")
    admin(f"INSERT INTO {DATABASE}.notes VALUES (3, 'd', 7)")
    admin(f"CREATE SNAPSHOT {AFTER} FOR DATABASE {DATABASE}")
    admin(f"UPDATE {DATABASE}.notes SET added = 8 WHERE id = 3")
    yield noon
    for snapshot in (BEFORE, AFTER):
        admin(f"DROP SNAPSHOT {snapshot}")
    drop_databases(admin, DATABASE)


@pytest.fixture
def connection(server: Server, noon: dt.datetime) -> Iterator[Connection]:
    with server.engine(server.url(database=DATABASE)).connect() as connection:
        yield connection


def test_changes_since_a_time_before_a_column_was_added(connection: Connection, noon: dt.datetime) -> None:
    for when in ({"snapshot": BEFORE}, {"timestamp": noon}):
        with pytest.warns(RecoveryWarning, match="without added"):
            result = connection.execute(changes_since(Note, **when).order_by("new_id"))
        assert list(result.keys()) == ["change", "old_id", "old_note", "new_id", "new_note"]
        assert {tuple(row) for row in result} == SINCE
    when = changes_since(notes, timestamp=bindparam("when"))
    with pytest.warns(RecoveryWarning):
        assert {tuple(row) for row in connection.execute(when, {"when": noon})} == SINCE


def test_changes_since_of_chosen_columns_does_not_warn(connection: Connection) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for columns in (["note"], [notes.c.note], [Note.note]):  # type: ignore[attr-defined]
            changes = changes_since(Note, snapshot=BEFORE, columns=columns).subquery()
            assert {tuple(row) for row in connection.execute(select(changes))} == SINCE
        assert connection.execute(changes_since(Note, snapshot=AFTER)).all() == [("changed", 3, "d", 7, 3, "d", 8)]
        assert connection.execute(changes_since(Note, snapshot=AFTER, columns=[])).all() == []


def test_as_of_subquery_with_a_missing_column_is_an_error(connection: Connection) -> None:
    with pytest.raises(exc.DBAPIError, match="does not exist"):
        connection.execute(select(changes_since(Note, snapshot=BEFORE).subquery()))


def test_changes_between_two_points_in_time(connection: Connection, noon: dt.datetime) -> None:
    for before in (BEFORE, noon, noon.isoformat(" "), int(noon.timestamp()) * 10**9):
        with pytest.warns(RecoveryWarning, match="without added"):
            result = connection.execute(changes_between(Note, before, AFTER))
        assert {tuple(row) for row in result} == SINCE
    assert {row.change for row in connection.execute(changes_between(notes, BEFORE, AFTER, columns=["note"]))} == {
        "changed",
        "gone",
        "new",
    }
    assert connection.execute(changes_between(notes, noon, BEFORE, columns=["note"])).all() == []
    assert connection.execute(changes_between(notes, BEFORE, noon, columns=["note"])).scalars().all() == []
    with Session(connection) as session, pytest.warns(RecoveryWarning):
        assert session.execute(changes_between(Note, AFTER, BEFORE)).first() is not None


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_changes_between_two_points_in_time_with_an_async_session(
    server: Server, noon: dt.datetime, driver: str
) -> None:
    engine = server.async_engine(driver, server.url(driver, database=DATABASE))
    async with AsyncSession(engine) as session:
        rows = await session.execute(changes_between(Note, BEFORE, AFTER, columns=["note"]))
        assert {tuple(row) for row in rows} == SINCE


def test_as_of_entity_of_a_time_before_a_column_was_added(connection: Connection) -> None:
    old = as_of(Note, snapshot=BEFORE)
    with Session(connection) as session:
        found = session.scalars(select(old).options(defer(old.added)).order_by(old.id)).all()  # type: ignore[attr-defined]
        assert [note.note for note in found] == ["a", "c"]  # type: ignore[attr-defined]


def test_as_of_before_a_column_was_added_advises_to_leave_it_out(connection: Connection) -> None:
    then = as_of(Note, snapshot=BEFORE)
    with Session(connection) as session:
        with pytest.raises(exc.DBAPIError) as refused:
            session.scalars(select(then)).all()
        assert "options(load_only(…)) or options(defer(…))" in str(refused.value)
        session.rollback()
        found = session.scalars(select(then).options(load_only(then.id, then.note)).order_by(then.id)).all()
        assert [note.note for note in found] == ["a", "c"]
        session.rollback()
        with pytest.raises(exc.DBAPIError) as present:
            connection.exec_driver_sql("SELECT nothing FROM notes")
        assert "load_only" not in str(present.value)


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_as_of_before_a_column_was_added_advises_to_leave_it_out_awaited(
    server: Server, noon: dt.datetime, driver: str
) -> None:
    async with AsyncSession(server.async_engine(driver, server.url(driver, database=DATABASE))) as session:
        with pytest.raises(exc.DBAPIError, match="load_only"):
            await session.execute(select(as_of(notes, snapshot=BEFORE)))
