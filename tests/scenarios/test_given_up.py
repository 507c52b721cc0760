"""End restores on the server that the client abandons, and report their outcome in the error."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import exc, text
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from sqlalchemy_matrixone import (
    CreatePitr,
    CreateSnapshot,
    DropSnapshot,
    PitrError,
    Reason,
    Recovery,
    RecoveryError,
    RestoreError,
    RestorePitr,
    RestoreSnapshot,
    SnapshotError,
)

from .client import DRIVERS, Client, clean_up
from .relay import Cut, relayed
from .server import Admin, Server

SHOP = "sc_given_up"

# Several sessions at once, in real time: this cannot be replayed.
pytestmark = pytest.mark.live


@pytest.fixture
def shop(admin: Admin) -> Iterator[str]:
    clean_up(admin, SHOP)
    admin(f"CREATE SNAPSHOT sc_given_up FOR DATABASE {SHOP}")
    yield SHOP
    admin("DROP SNAPSHOT IF EXISTS sc_given_up")
    admin(f"DROP DATABASE IF EXISTS {SHOP}")


@contextmanager
def writer(server: Server) -> Iterator[pymysql.Connection[Any]]:
    """Provide a session that has written a row and does not end its transaction."""
    connection = pymysql.connect(
        host=server.host, port=server.port, user="dump", password=server.target.password, ssl_disabled=True
    )
    connection.query(f"INSERT INTO {SHOP}.orders VALUES (3, 'third')")
    try:
        yield connection
    finally:
        connection.close()


def written(admin: Admin, connection: pymysql.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return the rows after the writer has committed, and the server has had time to restore."""
    connection.commit()
    for _ in range(4):
        admin("SELECT SLEEP(0.5)")
    return admin(f"SELECT note FROM {SHOP}.orders ORDER BY id")


ALL = [("first",), ("second",), ("third",)]


@pytest.mark.parametrize("level", ["table", "database"])
@pytest.mark.parametrize("driver", DRIVERS)
async def test_restore_after_its_timeout_is_ended_and_changes_nothing(
    server: Server, admin: Admin, shop: str, driver: str, level: str
) -> None:
    target = {"database": shop} | ({"table": "orders"} if level == "table" else {})
    with writer(server) as connection:
        async with Client.connected(server, driver) as client:
            [before] = await client.blockers(**target)
            with pytest.raises(RestoreError) as refused:
                await client.restore_snapshot("sc_given_up", **target, timeout=1)
            error = refused.value
            assert (error.reason, error.done) == (Reason.TIMEOUT, False)
            [blocker] = error.blockers
            assert blocker.connection_id == before.connection_id == connection.thread_id()
            assert (blocker.account, blocker.user) == ("sys", "dump")
            assert blocker.since.tzinfo is dt.UTC
            assert f"connection {blocker.connection_id} of sys:dump" in str(error)
            assert written(admin, connection) == ALL
            # The connection is as clean as before.
            assert await client.blockers(**target) == []
            await client.restore_snapshot("sc_given_up", **target, timeout=dt.timedelta(seconds=20))
            assert await client.notes(shop) == ["first", "second"]


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_restore_of_a_cancelled_task_is_ended_on_the_server(
    server: Server, admin: Admin, shop: str, driver: str
) -> None:
    with writer(server) as connection:
        async with Client.connected(server, driver) as client:
            restore = client.execute(RestoreSnapshot("sc_given_up", table="orders", database=shop))
            with pytest.raises(TimeoutError) as given_up:
                async with asyncio.timeout(1):
                    await restore
            [note] = given_up.value.__cause__.__notes__
            assert "changed nothing" in note
            await client.rollback()
            assert written(admin, connection) == ALL


async def test_restore_after_read_timeout_is_ended_on_the_server(server: Server, admin: Admin, shop: str) -> None:
    with writer(server) as connection:
        async with Client.connected(server, "pymysql", read_timeout="1") as client:
            with pytest.raises(RestoreError) as lost:
                await client.execute(RestoreSnapshot("sc_given_up", table="orders", database=shop))
            assert (lost.value.reason, lost.value.done) == (Reason.TIMEOUT, False)
            assert isinstance(lost.value.__cause__, exc.DBAPIError)
            await client.rollback()
            assert written(admin, connection) == ALL
            await client.restore_snapshot("sc_given_up", database=shop)
            assert await client.notes(shop) == ["first", "second"]


@pytest.mark.parametrize("pool", [NullPool, QueuePool, StaticPool])
def test_restore_timeout_needs_no_connection_of_the_pool(server: Server, admin: Admin, shop: str, pool: Any) -> None:
    size = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1} if pool is QueuePool else {}
    engine = server.engine(poolclass=pool, **size)
    with writer(server) as connection, engine.connect() as bind:
        with pytest.raises(RestoreError) as refused:
            Recovery(bind).restore_snapshot("sc_given_up", table="orders", database=shop, timeout=1)
        assert refused.value.reason is Reason.TIMEOUT
        assert written(admin, connection) == ALL


def test_restore_after_keyboard_interrupt_is_ended_on_the_server(server: Server, admin: Admin, shop: str) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with writer(server) as connection, server.engine().connect() as bind:
            signal.setitimer(signal.ITIMER_REAL, 1)
            with pytest.raises(KeyboardInterrupt) as given_up:
                Recovery(bind).restore_snapshot("sc_given_up", table="orders", database=shop)
            assert "changed nothing" in given_up.value.__notes__[0]
            assert written(admin, connection) == ALL
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize(("cut", "done"), [("before", False), ("during", False), ("after", True)])
@pytest.mark.parametrize("driver", DRIVERS)
async def test_restore_that_lost_its_connection_reports_its_outcome(
    server: Server, admin: Admin, shop: str, driver: str, cut: Cut, done: bool
) -> None:
    with relayed(server.host, server.port, "RESTORE", cut) as port:
        server.port = port
        async with Client.connected(server, driver) as client:
            if cut == "during":
                admin("SET AUTOCOMMIT = 0")
                admin(f"INSERT INTO {shop}.orders VALUES (3, 'third')")
            else:
                admin(f"INSERT INTO {shop}.orders VALUES (3, 'third')")
            with pytest.raises(RestoreError) as lost:
                await client.restore_snapshot("sc_given_up", table="orders", database=shop)
            assert lost.value.done is done
            assert lost.value.reason is Reason.OTHER
            await client.rollback()
            if cut == "during":
                admin("COMMIT")
                admin("SET AUTOCOMMIT = 1")
            admin("SELECT SLEEP(1)")
            assert len(admin(f"SELECT * FROM {shop}.orders")) == (2 if done else 3)


def test_restore_that_lost_its_connection_when_it_was_done_reactivates_the_pitr(
    server: Server, admin: Admin, shop: str
) -> None:
    with relayed(server.host, server.port, "RESTORE", "after") as port:
        server.port = port
        with server.engine().connect() as connection:
            recovery = Recovery(connection)
            recovery.create_pitr("sc_given_up", range="2d", database=shop)
            with pytest.raises(RestoreError) as lost:
                recovery.restore_snapshot("sc_given_up", database=shop)
            assert lost.value.done is True
            connection.rollback()
            pitrs = recovery.list_pitrs(database=shop)
            assert [pitr.range for pitr in pitrs if pitr.active is not False] == ["2d"]
            connection.rollback()
            for pitr in pitrs:
                recovery.drop_pitr(pitr.name)


FIRST_READS = ["FROM mo_catalog.mo_snapshots", "FROM mo_catalog.mo_pitr", "synccommit"]


@pytest.mark.parametrize("read", FIRST_READS)
def test_restore_that_lost_its_connection_in_a_read_before_it_states_that_it_was_not_sent(
    server: Server, admin: Admin, shop: str, read: str
) -> None:
    with relayed(server.host, server.port, read, "before") as port:
        server.port = port
        with server.engine().connect() as connection:
            with pytest.raises(RestoreError, match=r"^restore snapshot 'sc_given_up' was not sent: ") as lost:
                Recovery(connection).restore_snapshot("sc_given_up", table="orders", database=shop)
            assert (lost.value.done, lost.value.reason) == (False, Reason.OTHER)
            connection.rollback()
            assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize(("cut", "done"), [("before", False), ("after", True)])
def test_restore_beside_that_lost_its_connection_reports_its_outcome(
    server: Server, admin: Admin, shop: str, cut: Cut, done: bool
) -> None:
    admin(f"CREATE SEQUENCE {shop}.numbers START WITH 7")
    admin(f"CREATE SNAPSHOT sc_given_up_2 FOR DATABASE {shop}")
    with relayed(server.host, server.port, " CLONE ", cut) as port:
        server.port = port
        with server.engine().connect() as connection:
            with pytest.raises(RestoreError) as lost:
                Recovery(connection).restore_snapshot("sc_given_up_2", database=shop, as_name=f"{shop}_2")
            assert (lost.value.done, lost.value.reason) == (done, Reason.OTHER)
            connection.rollback()
    found = admin(f"SELECT relname FROM mo_catalog.mo_tables WHERE reldatabase = '{shop}_2' ORDER BY relname")
    assert [name for (name,) in found] == (["numbers", "orders"] if done else [])
    admin(f"DROP DATABASE IF EXISTS {shop}_2")
    admin("DROP SNAPSHOT sc_given_up_2")


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize(("cut", "done"), [("before", False), ("after", True)])
def test_undrop_that_lost_its_connection_reports_its_outcome_and_reactivates_the_pitr(
    server: Server, admin: Admin, shop: str, cut: Cut, done: bool
) -> None:
    admin(f"CREATE PITR sc_given_up FOR DATABASE {shop} RANGE 1 'd'")
    admin("SELECT SLEEP(1.1)")
    admin(f"DROP DATABASE {shop}")
    with relayed(server.host, server.port, " CLONE ", cut) as port:
        server.port = port
        with server.engine().connect() as connection:
            with pytest.raises(RestoreError) as lost:
                Recovery(connection).undrop(database=shop)
            assert (lost.value.done, lost.value.reason) == (done, Reason.OTHER)
            connection.rollback()
            active = [pitr.name for pitr in Recovery(connection).list_pitrs(database=shop) if pitr.active]
            assert active == (["sc_given_up__auto"] if done else [])
    assert bool(admin(f"SELECT 1 FROM mo_catalog.mo_database WHERE datname = '{shop}'")) is done
    admin("DROP PITR sc_given_up")
    admin("DROP PITR IF EXISTS sc_given_up__auto")


STATEMENTS = [
    (CreateSnapshot("sc_given_up_2", database=SHOP), SnapshotError),
    (DropSnapshot("sc_given_up"), SnapshotError),
    (CreatePitr("sc_given_up", range="1d", database=SHOP), PitrError),
]


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize(("statement", "error"), STATEMENTS, ids=lambda value: getattr(value, "__visit_name__", ""))
async def test_recovery_statement_that_lost_its_connection_reports_its_outcome(
    server: Server, admin: Admin, shop: str, statement: Any, error: type[RecoveryError], cut: Cut
) -> None:
    word = statement.__visit_name__.upper().replace("_", " ")
    with relayed(server.host, server.port, word, cut) as port:
        server.port = port
        async with Client.connected(server, "pymysql") as client:
            with pytest.raises(error) as lost:
                await client.execute(statement)
            assert lost.value.done is (cut == "after")
            await client.rollback()
    admin("DROP PITR IF EXISTS sc_given_up")
    admin("DROP SNAPSHOT IF EXISTS sc_given_up_2")


def test_restore_of_a_tenant_after_its_timeout_is_ended(server: Server, admin: Admin) -> None:
    clean_up(admin, accounts=("sc_given_up",))
    engine = server.engine(server.url(user="sc_given_up:admin", password="111"))
    with engine.connect() as bind, engine.connect() as other:
        bind.execute(text(f"CREATE DATABASE {SHOP}"))
        bind.execute(text(f"CREATE TABLE {SHOP}.orders (id INT PRIMARY KEY, note VARCHAR(40))"))
        recovery = Recovery(bind, commit_first=True)
        recovery.create_pitr("sc_given_up", range="1d", database=SHOP)
        snapshot = recovery.create_snapshot("sc_given_up")
        other.execute(text(f"INSERT INTO {SHOP}.orders VALUES (1, 'first')"))
        for restore in (
            RestoreSnapshot("sc_given_up", account="sc_given_up", timeout=1),
            RestoreSnapshot("sc_given_up", database=SHOP, timeout=1),
            RestorePitr("sc_given_up", timestamp=snapshot.created_at, database=SHOP, timeout=1),
        ):
            with pytest.raises(RestoreError) as refused:
                bind.execute(restore)
            assert (refused.value.reason, refused.value.done) == (Reason.TIMEOUT, False)
            [blocker] = refused.value.blockers
            assert (blocker.account, blocker.user) == ("sc_given_up", "admin")
        other.commit()
        admin("SELECT SLEEP(2)")
        assert bind.scalars(text(f"SELECT note FROM {SHOP}.orders")).all() == ["first"]
    admin("DROP ACCOUNT sc_given_up")


def test_migration_operation_after_its_timeout_is_ended(server: Server, admin: Admin, shop: str) -> None:
    with writer(server) as connection, server.engine(server.url(database=shop)).connect() as bind:
        context = MigrationContext.configure(bind)
        with Operations.context(context) as op, pytest.raises(RestoreError) as refused:
            op.restore_snapshot("sc_given_up", table="orders", timeout=1)
        assert refused.value.reason is Reason.TIMEOUT
        assert written(admin, connection) == ALL


@pytest.mark.parametrize("kill", ["KILL QUERY", "KILL"])
@pytest.mark.parametrize("driver", DRIVERS)
async def test_restore_killed_by_another_session_has_its_own_reason(
    server: Server, admin: Admin, shop: str, driver: str, kill: str
) -> None:
    async with Client.connected(server, driver) as client:
        [[number]] = await client.rows("SELECT CONNECTION_ID()")
        with writer(server) as connection:
            killer = threading.Timer(1, admin, [f"{kill} {number}"])
            killer.start()
            with pytest.raises(RestoreError, match="KILL by another session") as killed:
                await client.restore_snapshot("sc_given_up", table="orders", database=SHOP)
            killer.join()
            assert (killed.value.reason, killed.value.done) == (Reason.KILLED, False)
            assert written(admin, connection) == ALL
