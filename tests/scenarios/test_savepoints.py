"""Use begin_nested() on a server that cannot roll back to a savepoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, exc, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import CloneTable, CreateSnapshot, SnapshotError
from tests.models import Order

from .client import DRIVERS, Client, awaited, clean_up
from .server import Admin, Server

DATABASE = "sc_nested"
Result = TypeVar("Result")


@pytest.fixture(autouse=True)
def orders(admin: Admin) -> None:
    clean_up(admin, DATABASE)


async def in_session(server: Server, driver: str, work: Callable[[Session], Result], **options: Any) -> Result:
    """Do something in a Session, or in an AsyncSession's, on an engine of the driver."""
    if driver == "pymysql":
        with Session(server.engine(server.url(database=DATABASE)), **options) as session:
            return work(session)
    engine = server.async_engine(driver, server.url(driver, database=DATABASE))
    async with AsyncSession(engine, **options) as async_session:
        return await async_session.run_sync(work)


def ids(admin: Admin) -> list[int]:
    return [row[0] for row in admin(f"SELECT id FROM {DATABASE}.orders ORDER BY id")]


def get_or_create(session: Session, id_: int) -> Order:
    try:
        with session.begin_nested():
            session.add(created := Order(id=id_, note="created"))
        return created
    except exc.IntegrityError:
        return session.get_one(Order, id_)


def fail_after_a_write(session: Session) -> None:
    with session.begin_nested():
        session.add(Order(id=3, note="third"))
        session.flush()
        session.execute(insert(Order), [{"id": 4, "note": "fourth"}, {"id": 2, "note": "again"}])


@pytest.mark.parametrize("driver", DRIVERS)
class TestSessionSavepoints:
    async def test_begin_nested_of_get_or_create_survives_a_duplicate(self, server: Server, admin: Admin, driver: str):
        def work(session: Session) -> list[str]:
            notes = [get_or_create(session, id_).note for id_ in (1, 3, 2, 3, 4)]
            session.commit()
            return notes

        notes = await in_session(server, driver, work)
        assert notes == ["first", "created", "second", "created", "created"]
        assert ids(admin) == [1, 2, 3, 4]

    async def test_failed_flush_in_a_savepoint_can_be_rolled_back_if_it_was_the_first_write(
        self, server: Server, admin: Admin, driver: str
    ):
        def work(session: Session) -> None:
            assert session.get_one(Order, 1).note == "first"
            with pytest.raises(exc.IntegrityError):
                fail_after_a_write(session)
            session.add(Order(id=5, note="fifth"))
            session.commit()

        await in_session(server, driver, work)
        assert ids(admin) == [1, 2, 5]

    async def test_refused_savepoint_rollback_leaves_nothing_to_be_committed(
        self, server: Server, admin: Admin, driver: str
    ):
        def work(session: Session) -> None:
            session.get_one(Order, 1).note = "changed"
            session.flush()
            with pytest.raises(exc.InvalidRequestError, match="something before it") as refused:
                fail_after_a_write(session)
            assert isinstance(refused.value.__context__, exc.IntegrityError)
            session.add(Order(id=5, note="fifth"))
            with pytest.raises(exc.InvalidRequestError, match="Nothing was committed"):
                session.commit()
            session.rollback()
            session.add(Order(id=6, note="sixth"))
            session.commit()

        await in_session(server, driver, work)
        assert ids(admin) == [1, 2, 6]

    async def test_nested_begin_nested_blocks_by_outcome(self, server: Server, admin: Admin, driver: str):
        def work(session: Session) -> None:
            with session.begin_nested():
                session.add(Order(id=3, note="third"))
                session.flush()
                assert get_or_create(session, 2).note == "second"
                assert get_or_create(session, 4).note == "created"
            inner = session.begin_nested()
            assert session.scalars(select(Order.id).order_by(Order.id)).all() == [1, 2, 3, 4]
            inner.rollback()
            session.commit()

        await in_session(server, driver, work)
        assert ids(admin) == [1, 2, 3, 4]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_begin_nested_of_a_connection_follows_what_was_written(server: Server, admin: Admin, driver: str):
    def work(connection: Connection) -> None:
        savepoint = connection.begin_nested()
        connection.execute(text("INSERT INTO orders VALUES (3, 'third')"))
        connection.execute(text("CREATE TABLE extra (id INT)"))
        savepoint.rollback()
        with connection.begin_nested():
            connection.execute(text("INSERT INTO orders VALUES (4, 'fourth')"))
        with pytest.raises(exc.ProgrammingError), connection.begin_nested():
            connection.execute(text("SELECT * FROM extra"))
        connection.commit()

    async with Client.connected(server, driver, database=DATABASE) as client:
        if driver == "pymysql":
            work(client.connection)
        else:
            await client.connection.run_sync(work)
    assert ids(admin) == [1, 2, 4]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_savepoint_counts_rows_of_the_drivers_own_cursor(server: Server, admin: Admin, driver: str):
    async with Client.connected(server, driver, database=DATABASE) as client:
        await client.sql("INSERT INTO orders VALUES (3, 'third')")
        savepoint = client.connection.begin_nested()
        if driver != "pymysql":
            await savepoint
        await client.raw("INSERT INTO orders VALUES (4, 'fourth')")
        with pytest.raises(exc.InvalidRequestError, match="written in it"):
            await awaited(savepoint.rollback())
        with pytest.raises(exc.InvalidRequestError, match="Nothing was committed"):
            await client.commit()
    assert ids(admin) == [1, 2]


async def test_begin_nested_of_an_async_session(server: Server, admin: Admin):
    engine = server.async_engine("aiomysql", server.url("aiomysql", database=DATABASE))
    async with AsyncSession(engine) as session:
        with pytest.raises(exc.IntegrityError):
            async with session.begin_nested():
                session.add(Order(id=1, note="again"))
        async with session.begin_nested():
            session.add(Order(id=3, note="third"))
        await session.commit()
    assert ids(admin) == [1, 2, 3]


def test_statement_that_is_refused_in_a_transaction_is_refused_in_a_savepoint(server: Server):
    with Session(server.engine(server.url(database=DATABASE))) as session:
        session.begin_nested()
        with pytest.raises(SnapshotError, match="was not sent"):
            session.execute(CreateSnapshot("sc_snap", database=DATABASE))


@pytest.mark.releases(since=(3, 0))
def test_clone_in_a_savepoint_is_rolled_back_with_it(server: Server, admin: Admin):
    with server.engine(server.url(database=DATABASE)).connect() as connection:
        savepoint = connection.begin_nested()
        connection.execute(CloneTable("copied", Order))
        savepoint.rollback()
        connection.execute(text("INSERT INTO orders VALUES (3, 'third')"))
        connection.commit()
    assert ids(admin) == [1, 2, 3]
    assert admin(f"SHOW TABLES FROM {DATABASE}") == [("orders",)]


def test_begin_nested_in_autocommit_error_says_that_all_is_committed(server: Server, admin: Admin):
    engine = server.engine(server.url(database=DATABASE)).execution_options(isolation_level="AUTOCOMMIT")
    with Session(engine) as session, pytest.raises(exc.InvalidRequestError, match="AUTOCOMMIT"):
        fail_after_a_write(session)
    assert ids(admin) == [1, 2, 3]


class TestSessionInExternalTransaction:
    """SQLAlchemy's recipe for test suites."""

    def test_session_commits_are_rolled_back_with_the_external_transaction(self, server: Server, admin: Admin):
        with server.engine(server.url(database=DATABASE)).connect() as connection:
            transaction = connection.begin()
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                assert get_or_create(session, 1).note == "first"
                session.add(Order(id=3, note="third"))
                session.rollback()
                session.add(Order(id=4, note="fourth"))
                session.commit()
                assert get_or_create(session, 4).note == "fourth"
                assert session.scalars(select(Order.id).order_by(Order.id)).all() == [1, 2, 4]
            transaction.rollback()
        assert ids(admin) == [1, 2]

    def test_session_rollback_after_a_commit_is_refused_until_the_external_rollback(self, server: Server, admin: Admin):
        with server.engine(server.url(database=DATABASE)).connect() as connection:
            transaction = connection.begin()
            session = Session(connection, join_transaction_mode="create_savepoint")
            session.add(Order(id=3, note="third"))
            session.commit()
            session.add(Order(id=4, note="fourth"))
            session.flush()
            with pytest.raises(exc.InvalidRequestError, match="something before it"):
                session.rollback()
            session.add(Order(id=5, note="fifth"))
            session.flush()
            transaction.rollback()
            session.close()
        assert ids(admin) == [1, 2]
