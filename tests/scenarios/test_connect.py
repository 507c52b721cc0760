"""Connections: the first one, AUTOCOMMIT, isolation levels, and lost ones."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import nullcontext, suppress

import pytest
from sqlalchemy import exc, select, text
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import CreateSnapshot, DropSnapshot, Recovery
from sqlalchemy_matrixone.core.release import UNRELEASED, Feature

from ..models import Base, Order
from .client import DRIVERS, Client, awaited, clean_up, drop_databases, make_databases
from .server import Admin, Server
from .wire import logged_engine


def test_first_connection_sends_two_statements(server: Server):
    sent: list[str] = []
    engine = logged_engine(server, sent)
    with engine.connect():
        if Feature.NO_BACKSLASH_ESCAPES.in_release(server.release):  # on a connection that somebody else has made
            assert sent.pop(0).startswith("SET @@session.sql_mode = TRIM(")
        assert len(sent) == 2, sent
        assert sent[0].startswith("SELECT DATABASE(), @@")
        assert sent[1] == "ROLLBACK"
    with engine.connect():
        pass
    assert sent[2:] == ["ROLLBACK"] * (len(sent) - 2)


def test_release_is_read_from_the_greeting(server: Server):
    engine = server.engine()
    with engine.connect() as connection:
        assert engine.dialect.server_release == server.release
        assert connection.dialect.server_version_info == (8, 0, 30)
        assert engine.dialect.default_account_name == "sys"
        assert engine.dialect.default_schema_name is None


def test_server_version_of_the_url_overrides_the_greeting(server: Server):
    engine = server.engine(server.url(server_version="3.0.1"))
    with engine.connect():
        assert engine.dialect.server_release == (3, 0, 1)


def test_release_hidden_by_a_proxy_is_queried(server: Server):
    """Behind a proxy's greeting, the release is read by version(), which on 2.2.2 omits the patch release."""
    sent: list[str] = []
    engine = logged_engine(server, sent, greeting="5.7.25-proxy")
    with engine.connect():
        assert engine.dialect.server_release[:2] == server.release[:2]
        assert sent.pop(0).startswith("SET @@session.sql_mode = TRIM(")
        assert len(sent) == 3, sent


def test_build_between_releases_counts_as_later_than_the_releases(server: Server):
    engine = logged_engine(server, [], greeting="8.0.30-MatrixOne-v20260826")
    with engine.connect():
        assert engine.dialect.server_release == UNRELEASED


@pytest.mark.parametrize("driver", DRIVERS)
class TestAutocommit:
    """What one connection writes, another one sees after the first is closed without a commit."""

    async def test_autocommit_of_an_engine_commits_each_statement(self, server: Server, admin: Admin, driver: str):
        clean_up(admin, "sc_shop")
        if driver == "pymysql":
            engine = server.engine(isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')")
                assert str(connection.exec_driver_sql("SELECT @@autocommit").scalar()) == "1"
        else:
            async_engine = server.async_engine(driver, isolation_level="AUTOCOMMIT")
            async with async_engine.connect() as async_connection:
                await async_connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')")
                [row] = await async_connection.exec_driver_sql("SELECT @@autocommit")
                assert str(row[0]) == "1"
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(3,)]

    async def test_autocommit_execution_option_commits_each_statement(self, server: Server, admin: Admin, driver: str):
        clean_up(admin, "sc_shop")
        async with Client.connected(server, driver, execution_options={"isolation_level": "AUTOCOMMIT"}) as client:
            await awaited(client.connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')"))
            await client.rollback()
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(3,)]

    async def test_autocommit_after_set_names_commits_each_statement(self, server: Server, admin: Admin, driver: str):
        """After SET NAMES the server's flags claim autocommit, and the driver would send nothing."""
        clean_up(admin, "sc_shop")
        async with Client.connected(server, driver) as client:
            await client.rows("SET NAMES utf8mb4")
            await awaited(client.connection.execution_options(isolation_level="AUTOCOMMIT"))
            await awaited(client.connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')"))
            await client.rollback()
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(3,)]

    async def test_autocommit_execution_option_ends_with_the_checkout(self, server: Server, admin: Admin, driver: str):
        clean_up(admin, "sc_shop")
        if driver == "pymysql":
            engine = server.engine(pool_size=1, max_overflow=0)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("SELECT 1"))
            with engine.connect() as connection:
                connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')")
        else:
            async_engine = server.async_engine(driver, pool_size=1, max_overflow=0)
            async with async_engine.connect() as async_connection:
                await async_connection.execution_options(isolation_level="AUTOCOMMIT")
                await async_connection.execute(text("SELECT 1"))
            async with async_engine.connect() as async_connection:
                await async_connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')")
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(2,)]

    async def test_recovery_statement_in_autocommit_is_always_allowed(self, server: Server, admin: Admin, driver: str):
        clean_up(admin, "sc_shop")
        async with Client.connected(server, driver, execution_options={"isolation_level": "AUTOCOMMIT"}) as client:
            await awaited(client.connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')"))
            await client.create_snapshot("sc_snap", database="sc_shop")
            await awaited(client.connection.exec_driver_sql("SELECT 1"))
            await client.drop_snapshot("sc_snap")
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(3,)]


@pytest.mark.parametrize("level", ["READ UNCOMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_level_that_the_server_ignores_is_refused(server: Server, level: str):
    with pytest.raises(exc.ArgumentError, match=f"{level}.* was not set: MatrixOne works in READ COMMITTED"):
        server.engine(isolation_level=level).connect()
    with server.engine().connect() as connection:
        with pytest.raises(exc.ArgumentError, match=f"{level}.* was not set: MatrixOne works in READ COMMITTED"):
            connection.execution_options(isolation_level=level)
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("options", [{}, {"isolation_level": "READ COMMITTED"}])
def test_isolation_level_is_read_committed(server: Server, admin: Admin, options: dict[str, str]):
    clean_up(admin, "sc_shop")
    with server.engine(**options).connect() as connection:
        assert connection.get_isolation_level() == connection.default_isolation_level == "READ COMMITTED"
        assert connection.scalar(text("SELECT COUNT(*) FROM sc_shop.orders")) == 2
        admin("INSERT INTO sc_shop.orders VALUES (3, 'third')")
        assert connection.scalar(text("SELECT COUNT(*) FROM sc_shop.orders")) == 3


def test_isolation_level_is_set_only_after_a_rollback(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    with server.engine().connect() as connection:
        connection.exec_driver_sql("INSERT INTO sc_shop.orders VALUES (3, 'third')")
        with pytest.raises(exc.InvalidRequestError, match="rollback"):
            connection.execution_options(isolation_level="READ COMMITTED")
        connection.rollback()
        connection.get_isolation_level()
        connection.execution_options(isolation_level="READ COMMITTED")
        assert connection.get_isolation_level() == "READ COMMITTED"
    assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(2,)]


def test_reading_the_isolation_level_leaves_the_connection_clean(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    with server.engine().connect() as connection:
        connection.get_isolation_level()
        Recovery(connection).create_snapshot("sc_snap", database="sc_shop")
        Recovery(connection).drop_snapshot("sc_snap")


def test_two_phase_transaction_is_refused(server: Server):
    with server.engine().connect() as connection, pytest.raises(exc.InvalidRequestError, match="XA"):
        connection.begin_twophase()


@pytest.mark.parametrize("driver", DRIVERS)
async def test_killed_idle_connection_is_a_disconnect(server: Server, admin: Admin, driver: str):
    async with Client.connected(server, driver) as client:
        [(number,)] = await client.rows("SELECT CONNECTION_ID()")
        admin(f"KILL CONNECTION {number}")
        await asyncio.sleep(0.5)
        with pytest.raises(exc.DBAPIError) as lost:
            await client.rows("SELECT 1")
        assert lost.value.connection_invalidated
        await client.rollback()
        assert await client.rows("SELECT 2") == [(2,)]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_killed_statement_is_a_disconnect(server: Server, admin: Admin, driver: str):
    async with Client.connected(server, driver) as client:
        [(number,)] = await client.rows("SELECT CONNECTION_ID()")

        def kill() -> None:
            time.sleep(1)
            admin(f"KILL CONNECTION {number}")

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(exc.DBAPIError) as lost:
            await client.rows("SELECT SLEEP(8)")
        killer.join()
        assert lost.value.connection_invalidated
        await client.rollback()
        assert await client.rows("SELECT 2") == [(2,)]


def test_pool_pre_ping_replaces_a_killed_connection(server: Server, admin: Admin):
    engine = server.engine(pool_size=1, pool_pre_ping=True)
    with engine.connect() as connection:
        first = connection.scalar(text("SELECT CONNECTION_ID()"))
    admin(f"KILL CONNECTION {first}")
    time.sleep(0.5)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT CONNECTION_ID()")) != first


def test_transaction_state_is_per_connection(server: Server, admin: Admin):
    clean_up(admin, "sc_shop", "sc_shop2")
    engine = server.engine()
    failures: list[BaseException] = []

    def work(database: str) -> None:
        with engine.connect() as connection:
            for number in range(3):
                name = f"{database}_{number}"
                connection.execute(CreateSnapshot(name, database=database))
                connection.exec_driver_sql(f"INSERT INTO {database}.orders VALUES ({number + 10}, '{name}')")
                connection.commit()
                connection.execute(DropSnapshot(name))

    def run(database: str) -> None:
        try:
            work(database)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(database,)) for database in ("sc_shop", "sc_shop2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert admin("SELECT COUNT(*) FROM sc_shop.orders") == admin("SELECT COUNT(*) FROM sc_shop2.orders") == [(5,)]


def test_orm_session_inserts_rolls_back_and_reads(server: Server, admin: Admin):
    make_databases(admin, "sc_orm")
    engine = server.engine(server.url(database="sc_orm"))
    Base.metadata.create_all(engine, tables=[Order.__table__])
    with Session(engine) as session, session.begin():
        session.add_all([Order(id=1, note="eins %"), Order(id=2, note="zwei :x")])
    with Session(engine) as session, suppress(ZeroDivisionError), session.begin():
        session.add(Order(id=3, note="drei"))
        session.flush()
        raise ZeroDivisionError
    with Session(engine) as session:
        assert [order.note for order in session.scalars(select(Order).order_by(Order.id))] == ["eins %", "zwei :x"]
    Base.metadata.drop_all(engine, tables=[Order.__table__])
    drop_databases(admin, "sc_orm")


def test_temporary_table_within_a_transaction_warns_before_4_0(server: Server, admin: Admin):
    """Before 4.0, with no error: so the dialect warns."""
    make_databases(admin, "co_lost")
    admin("CREATE TABLE co_lost.t (a INT)")
    engine = server.engine(server.url(database="co_lost"))
    loses = server.release < (4, 0)
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        with pytest.warns(SAWarning, match="loses everything") if loses else nullcontext():
            connection.exec_driver_sql("CREATE TEMPORARY TABLE co_one (a INT)")
        connection.commit()
        assert connection.exec_driver_sql("SELECT a FROM t").all() == ([] if loses else [(1,)])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES (2)")
        connection.exec_driver_sql("CREATE TEMPORARY TABLE co_two (a INT)")
        connection.exec_driver_sql("INSERT INTO co_two VALUES (3)")
        assert (2,) in connection.exec_driver_sql("SELECT a FROM t").all()
    engine.dispose()
    drop_databases(admin, "co_lost")
