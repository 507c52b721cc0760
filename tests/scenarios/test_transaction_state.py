"""The transaction state of a connection is correct, whichever way statements take to the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pymysql
import pytest
from sqlalchemy import Connection, exc, inspect, text

from sqlalchemy_matrixone import (
    BranchError,
    CloneTable,
    CreateSnapshot,
    Recovery,
    RestoreError,
    RestoreSnapshot,
    SnapshotError,
)
from sqlalchemy_matrixone.core.connection import state_of
from sqlalchemy_matrixone.pymysql import connect
from tests.models import Order

from .client import DRIVERS, Client, awaited
from .server import Admin, Server

DATABASE = "ts_shop"
INSERT = f"INSERT INTO {DATABASE}.orders VALUES (3, 'third')"


@pytest.fixture
def shop(admin: Admin) -> None:
    for snapshot in ("ts_snap", "ts_new"):
        admin(f"DROP SNAPSHOT IF EXISTS {snapshot}")
    admin(f"DROP DATABASE IF EXISTS {DATABASE}")
    admin(f"CREATE DATABASE {DATABASE}")
    admin(f"CREATE TABLE {DATABASE}.orders (id INT PRIMARY KEY, note VARCHAR(40))")
    admin(f"INSERT INTO {DATABASE}.orders VALUES (1, 'first'), (2, 'second')")
    admin(f"CREATE SNAPSHOT ts_snap FOR DATABASE {DATABASE}")


pytestmark = pytest.mark.usefixtures("shop")


def ids(admin: Admin) -> list[int]:
    return [row[0] for row in admin(f"SELECT id FROM {DATABASE}.orders ORDER BY id")]


async def on_connection(client: Client, work: Callable[[Connection], Any]) -> Any:
    """Do what only a synchronous Connection can."""
    if hasattr(client.connection, "run_sync"):
        return await client.connection.run_sync(work)
    return work(client.connection)


READS: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "list_snapshots": lambda client: client.list_snapshots(),
    "list_pitrs": lambda client: client.list_pitrs(),
    "get_isolation_level": lambda client: on_connection(client, lambda connection: connection.get_isolation_level()),
    "has_pitr": lambda client: on_connection(client, lambda connection: inspect(connection).has_pitr("nowhere")),
    "get_columns": lambda client: on_connection(
        client, lambda connection: inspect(connection).get_columns("orders", DATABASE)
    ),
}


@pytest.mark.parametrize("driver", DRIVERS)
class TestRawCursorWrites:
    @pytest.mark.parametrize("read", READS)
    async def test_catalog_read_leaves_rows_of_the_drivers_own_cursor(
        self, server: Server, admin: Admin, driver: str, read: str
    ):
        async with Client.connected(server, driver) as client:
            await client.begin()
            await client.raw(INSERT)
            await READS[read](client)
            await client.commit()
        assert ids(admin) == [1, 2, 3]

    async def test_catalog_read_leaves_rows_after_a_commit_in_one_text(self, server: Server, admin: Admin, driver: str):
        async with Client.connected(server, driver) as client:
            await client.sql(f"COMMIT; {INSERT}")
            await client.list_snapshots()
            await client.commit()
        assert ids(admin) == [1, 2, 3]

    async def test_refused_restore_leaves_rows_of_the_drivers_own_cursor(
        self, server: Server, admin: Admin, driver: str
    ):
        async with Client.connected(server, driver) as client:
            await client.begin()
            await client.raw(INSERT)
            with pytest.raises(RestoreError, match="was not sent"):
                await client.execute(RestoreSnapshot("ts_snap", database=DATABASE))
            await client.commit()
        assert ids(admin) == [1, 2, 3]

    @pytest.mark.releases(since=(3, 0))
    async def test_clone_does_not_commit_rows_of_the_drivers_own_cursor(
        self, server: Server, admin: Admin, driver: str
    ):
        async with Client.connected(server, driver, database=DATABASE) as client:
            await client.begin()
            await client.raw(INSERT)
            with pytest.raises(BranchError, match="was not sent"):
                await client.execute(CloneTable("copied", Order))
            await client.rollback()
        assert ids(admin) == [1, 2]

    async def test_executemany_and_callproc_count_as_statements(self, server: Server, driver: str):
        async with Client.connected(server, driver, database=DATABASE) as client:
            state = state_of(await client.driver())
            insert = INSERT.replace("3, 'third'", "%s, %s")
            await client.begin()
            await client.raw(insert, [(3, "third"), (4, "fourth")], method="executemany")
            assert state.has_writes
            await client.rollback()
            assert state.is_clean
            with pytest.raises(Exception, match="nowhere"):
                await client.raw("nowhere", method="callproc")
            assert state.has_writes
            assert state.autocommit is None


@pytest.mark.parametrize("driver", DRIVERS)
class TestRawConnectionMethods:
    async def test_driver_commit_rollback_and_begin_are_tracked(self, server: Server, admin: Admin, driver: str):
        async with Client.connected(server, driver) as client:
            connection = await client.driver()
            state = state_of(connection)
            await client.raw("SELECT 1")
            assert state.has_statements
            await awaited(connection.rollback())
            assert state.is_clean
            await awaited(connection.begin())
            assert state.explicit_begin
            await client.raw(INSERT)
            await awaited(connection.commit())
            assert state.is_clean
            await client.create_snapshot("ts_new", database=DATABASE)
        assert ids(admin) == [1, 2, 3]
        admin("DROP SNAPSHOT ts_new")

    async def test_driver_autocommit_is_sent_whatever_the_flags_claim(self, server: Server, admin: Admin, driver: str):
        async with Client.connected(server, driver) as client:
            connection = await client.driver()
            await client.raw("SET NAMES utf8mb4")
            await awaited(connection.autocommit(True))
            assert connection.get_autocommit()
            await client.raw(INSERT)
            await awaited(connection.rollback())
            await awaited(connection.autocommit(False))
            await client.raw(INSERT.replace("3", "4"))
            await awaited(connection.rollback())
        assert ids(admin) == [1, 2, 3]

    async def test_driver_select_db_and_ping_are_tracked(self, server: Server, driver: str):
        async with Client.connected(server, driver) as client:
            connection = await client.driver()
            await awaited(connection.ping())
            assert state_of(connection).is_clean
            await awaited(connection.select_db(DATABASE))
            assert state_of(connection).has_statements
            with pytest.raises(SnapshotError, match="was not sent"):
                await client.execute(CreateSnapshot("ts_new", database=DATABASE))

    async def test_commit_after_a_driver_reconnect_is_refused(self, server: Server, admin: Admin, driver: str):
        async with Client.connected(server, driver) as client:
            connection = await client.driver()
            await client.begin()
            await client.raw(INSERT)
            if driver == "pymysql":
                connection._force_close()
            else:
                connection.close()
            await awaited(connection.ping(reconnect=True))
            await client.raw(INSERT.replace("3", "4"))
            with pytest.raises(exc.InvalidRequestError, match="connected again"):
                await client.commit()
            await client.rollback()
        assert ids(admin) == [1, 2]


@pytest.mark.parametrize("driver", DRIVERS)
class TestAutocommitSetByStatement:
    @pytest.mark.parametrize("statement", ["SET @autocommit = 1", "SET GLOBAL sql_mode = @@global.sql_mode"])
    @pytest.mark.releases(since=(3, 0))
    async def test_set_of_another_variable_leaves_a_clone_in_the_transaction(
        self, server: Server, admin: Admin, driver: str, statement: str
    ):
        async with Client.connected(server, driver, database=DATABASE) as client:
            await client.sql(statement)
            await client.execute(CloneTable("copied", Order))
            await client.rollback()
        assert admin(f"SHOW TABLES FROM {DATABASE}") == [("orders",)]

    @pytest.mark.parametrize("value", [0, 1])
    @pytest.mark.releases(since=(3, 0))
    async def test_autocommit_set_by_a_bound_value_is_known(
        self, server: Server, admin: Admin, driver: str, value: int
    ):
        async with Client.connected(server, driver, database=DATABASE) as client:
            await awaited(client.connection.execute(text("SET autocommit = :v"), {"v": value}))
            assert state_of(await client.driver()).autocommit is bool(value)
            await client.execute(CloneTable("copied", Order))
            await client.rollback()
        assert (("copied",) in admin(f"SHOW TABLES FROM {DATABASE}")) == bool(value)

    @pytest.mark.parametrize("value", [0, 1])
    @pytest.mark.releases(since=(3, 0))
    async def test_autocommit_set_by_an_expression_is_queried(
        self, server: Server, admin: Admin, driver: str, value: int
    ):
        async with Client.connected(server, driver, database=DATABASE) as client:
            await client.sql(f"SET @wanted = {value}")
            await client.sql("SET autocommit = @wanted")
            assert state_of(await client.driver()).autocommit is None
            await client.execute(CloneTable("copied", Order))
            await client.rollback()
        assert (("copied",) in admin(f"SHOW TABLES FROM {DATABASE}")) == bool(value)

    async def test_recovery_works_after_autocommit_is_set_by_a_variable(
        self, server: Server, admin: Admin, driver: str
    ):
        async with Client.connected(server, driver) as client:
            await client.sql("SET autocommit = DEFAULT")
            await client.sql(INSERT)
            await client.commit()
            await client.create_snapshot("ts_new", database=DATABASE)
            assert state_of(await client.driver()).autocommit is True
        assert ids(admin) == [1, 2, 3]
        admin("DROP SNAPSHOT ts_new")


@pytest.mark.parametrize("driver", DRIVERS)
async def test_explicit_begin_is_rolled_back_even_if_autocommit_rollbacks_are_skipped(
    server: Server, admin: Admin, driver: str
) -> None:
    options = {"skip_autocommit_rollback": True, "isolation_level": "AUTOCOMMIT"}
    for end in ("rollback", "close", "raw"):
        async with Client.connected(server, driver, engine_options=options) as client:
            if end == "raw":
                await client.raw("BEGIN")
                await client.raw(INSERT)
            else:
                await client.sql("START TRANSACTION")
                await client.sql(INSERT)
            if end == "rollback":
                await client.rollback()
        assert ids(admin) == [1, 2]


@pytest.mark.parametrize("driver", DRIVERS)
class TestPartialTransactionCommit:
    @pytest.mark.parametrize("statement", ["SET nonsense = 1", "SET time_zone = 'nowhere'", "DROP SEQUENCE nowhere"])
    async def test_commit_after_a_statement_that_lost_earlier_writes_is_refused(
        self, server: Server, admin: Admin, driver: str, statement: str
    ):
        async with Client.connected(server, driver, database=DATABASE) as client:
            await client.sql(INSERT)
            with pytest.raises(exc.DBAPIError):
                await client.sql(statement)
            await client.sql(INSERT.replace("3", "4"))
            with pytest.raises(exc.InvalidRequestError, match="Nothing was committed"):
                await client.commit()
            await client.rollback()
            await client.sql(INSERT.replace("3", "5"))
            await client.commit()
        assert ids(admin) == [1, 2, 5]

    async def test_rollback_to_that_would_undo_the_last_statement_is_not_sent(
        self, server: Server, admin: Admin, driver: str
    ):
        async with Client.connected(server, driver) as client:
            await client.sql(INSERT)
            await client.sql("SAVEPOINT a")
            with pytest.raises(exc.InvalidRequestError, match="was not sent"):
                await client.sql("ROLLBACK TO SAVEPOINT a")
            await client.commit()
        assert ids(admin) == [1, 2, 3]


class TestForeignConnection:
    """Of a connection that somebody else has made, only what passes SQLAlchemy is seen: nothing of ours ends it."""

    def connect(self, server: Server) -> Any:
        return pymysql.connect(
            host=server.host, port=server.port, user="dump", password=server.target.password, ssl_disabled=True
        )

    def test_catalog_read_on_a_foreign_connection_leaves_its_rows(self, server: Server, admin: Admin):
        engine = server.engine(server.url(), creator=lambda: self.connect(server))
        with engine.connect() as connection:
            connection.connection.cursor().execute(INSERT)
            Recovery(connection).list_snapshots()
            connection.get_isolation_level()
            connection.commit()
        assert ids(admin) == [1, 2, 3]

    @pytest.mark.releases(since=(3, 0))
    def test_clone_on_a_foreign_connection_is_refused(self, server: Server, admin: Admin):
        engine = server.engine(server.url(), creator=lambda: self.connect(server))
        with engine.connect() as connection:
            connection.connection.cursor().execute(INSERT)
            with pytest.raises(BranchError, match=r"was not sent.*creator="):
                connection.execute(CloneTable("copied", "orders", database=DATABASE))
            connection.rollback()
        assert ids(admin) == [1, 2]

    @pytest.mark.releases(since=(3, 0))
    def test_clone_on_a_foreign_connection_works_in_autocommit_and_after_a_begin(self, server: Server, admin: Admin):
        engine = server.engine(server.url(database=DATABASE), creator=lambda: self.connect(server))
        with engine.connect() as connection:
            connection.exec_driver_sql(f"USE {DATABASE}")
            connection.exec_driver_sql("BEGIN")
            connection.execute(CloneTable("copied", "orders", database=DATABASE))
            connection.rollback()
        assert admin(f"SHOW TABLES FROM {DATABASE}") == [("orders",)]
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"USE {DATABASE}")
            connection.execute(CloneTable("copied", "orders", database=DATABASE))
        assert ("copied",) in admin(f"SHOW TABLES FROM {DATABASE}")

    def test_recovery_on_a_foreign_connection_works(self, server: Server, admin: Admin):
        engine = server.engine(server.url(), creator=lambda: self.connect(server))
        with engine.connect() as connection:
            recovery = Recovery(connection, commit_first=True)
            recovery.create_snapshot("ts_new", database=DATABASE)
            recovery.drop_snapshot("ts_new")
            connection.exec_driver_sql(INSERT)
            with pytest.raises(SnapshotError, match="was not sent"):
                Recovery(connection).drop_snapshot("ts_snap")
            connection.commit()
        assert ids(admin) == [1, 2, 3]

    def test_connection_by_our_class_in_a_creator_is_tracked(self, server: Server, admin: Admin):
        def creator() -> Any:
            return connect(
                host=server.host, port=server.port, user="dump", password=server.target.password, ssl_disabled=True
            )

        with server.engine(server.url(), creator=creator).connect() as connection:
            assert state_of(connection.connection).complete
