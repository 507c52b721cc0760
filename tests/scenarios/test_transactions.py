"""A recovery statement does not change the transaction of its connection, or it is not sent.

Each state of a connection was first tried on the servers without the dialect. Each has a test here, which observes the
effect on a second connection, that of the administrator.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pymysql
import pytest
from sqlalchemy import Connection, exc, insert, select, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from sqlalchemy_matrixone import (
    AlterPitr,
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    PitrError,
    Reason,
    Recovery,
    RecoveryError,
    RestoreError,
    RestoreSnapshot,
    SnapshotError,
)
from sqlalchemy_matrixone.core.connection import state_of
from sqlalchemy_matrixone.core.release import UNRELEASED

from ..models import Order
from .client import DRIVERS, Client, awaited, clean_up, drop_accounts, protect_shop
from .server import Admin, Server

INSERT = "INSERT INTO sc_shop.orders VALUES (3, 'third')"

SELECT_AND_SET = "select and set"

# What may have run on a connection, and whether the server still counts it as clean.
CLEAN = {
    "nothing": [],
    "select and commit": ["SELECT 1", "COMMIT"],
    "select and rollback": ["SELECT 1", "ROLLBACK"],
    "set": ["SET @x = 1"],
    SELECT_AND_SET: ["SELECT 1", "SET @x = 1"],
    "begin and commit": ["BEGIN", "COMMIT"],
}
USED = {
    "select": ["SELECT 1"],
    "select of a table": ["SELECT * FROM sc_shop.orders"],
    "show": ["SHOW VARIABLES LIKE 'autocommit'"],
    "use": ["USE sc_shop"],
    "insert": [INSERT],
    "begin": ["BEGIN"],
    "begin and insert": ["BEGIN", INSERT],
    "a failed select": ["SELECT * FROM sc_shop.nowhere"],
}

CONSTRUCTS = {
    "create_snapshot": (CreateSnapshot("sc_new", database="sc_shop"), SnapshotError),
    "drop_snapshot": (DropSnapshot("sc_snap"), SnapshotError),
    "create_pitr": (CreatePitr("sc_new", range="1d", table="orders", database="sc_shop"), PitrError),
    "alter_pitr": (AlterPitr("sc_pitr", range="2d"), PitrError),
    "drop_pitr": (DropPitr("sc_pitr"), PitrError),
    "restore_snapshot": (RestoreSnapshot("sc_snap", database="sc_shop"), RestoreError),
}


@pytest.fixture
def shop(admin: Admin) -> None:
    clean_up(admin, "sc_shop")
    protect_shop(admin)


def orders(admin: Admin) -> int:
    [(count,)] = admin("SELECT COUNT(*) FROM sc_shop.orders")
    return count


def run(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        try:
            connection.exec_driver_sql(statement)
        except exc.DBAPIError:
            assert "nowhere" in statement


@pytest.mark.parametrize("state", CLEAN)
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_recovery_statement_on_a_clean_connection_leaves_it_clean(
    server: Server, admin: Admin, shop: None, name: str, state: str
):
    if state == SELECT_AND_SET and server.release >= UNRELEASED:
        pytest.skip("a SET commits up to 4.2")
    construct, _ = CONSTRUCTS[name]
    with server.engine().connect() as connection:
        run(connection, CLEAN[state])
        connection.execute(construct)
        connection.execute(CreateSnapshot("sc_next", database="sc_shop"))
        connection.exec_driver_sql("UPDATE sc_shop.orders SET note = 'ours' WHERE id = 1")
        connection.rollback()
    assert admin("SELECT note FROM sc_shop.orders WHERE id = 1") == [("first",)]
    assert ("sc_next",) in [(row[0],) for row in admin("SHOW SNAPSHOTS")]


@pytest.mark.parametrize("state", USED)
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_recovery_statement_after_another_statement_is_refused_unsent(
    server: Server, admin: Admin, shop: None, name: str, state: str
):
    construct, error = CONSTRUCTS[name]
    with server.engine().connect() as connection:
        run(connection, USED[state])
        with pytest.raises(error, match="was not sent") as refusal:
            connection.execute(construct)
        assert refusal.value.reason is Reason.ACTIVE_TRANSACTION
        assert f"op.{name}()" in str(refusal.value)
        # The server agrees, and the user's transaction is as it was.
        with pytest.raises(exc.OperationalError, match="unclassified statement appears in uncommitted transaction"):
            connection.exec_driver_sql("SHOW SNAPSHOTS")
        assert orders(admin) == 2
        connection.rollback()
        connection.execute(construct)
    assert orders(admin) == 2


@pytest.mark.releases(since=UNRELEASED)
@pytest.mark.parametrize("first", [[], ["BEGIN"], ["SET AUTOCOMMIT = 0"]])
def test_set_after_4_2_leaves_the_transaction_as_it_is(server: Server, admin: Admin, shop: None, first: list[str]):
    """Nothing that this package sends ends it, and the user's commit or rollback applies to all of it."""
    with server.engine().connect() as connection:
        for ends, count in ((connection.rollback, 2), (connection.commit, 3)):
            run(connection, [*first, INSERT, "SET @x = 1", "SET NAMES utf8mb4"])
            with pytest.raises(SnapshotError, match="was not sent"):
                connection.execute(CreateSnapshot("sc_new", database="sc_shop"))
            assert Recovery(connection).get_snapshot("sc_snap").name == "sc_snap"
            assert not state_of(connection.connection).is_clean
            assert orders(admin) == 2
            ends()
            assert orders(admin) == count
        connection.execute(CreateSnapshot("sc_new", database="sc_shop"))


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_recovery_statement_is_not_undone_by_a_rollback(server: Server, admin: Admin, shop: None, name: str):
    construct, _ = CONSTRUCTS[name]
    with server.engine().connect() as connection:
        connection.execute(construct)
        connection.rollback()
    snapshots = {row[0] for row in admin("SHOW SNAPSHOTS")}
    pitrs = {row[0]: row[-2] for row in admin("SHOW PITR")}
    assert ("sc_new" in snapshots) == (name == "create_snapshot")
    assert ("sc_snap" in snapshots) == (name != "drop_snapshot")
    assert ("sc_new" in pitrs) == (name == "create_pitr")
    assert pitrs.get("sc_pitr") == {"alter_pitr": 2, "drop_pitr": None}.get(name, 1)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_failed_recovery_statement_leaves_the_connection_clean(server: Server, admin: Admin, shop: None, name: str):
    construct, _ = CONSTRUCTS[name]
    with server.engine().connect() as connection:
        with pytest.raises(SnapshotError):
            connection.execute(DropSnapshot("sc_nowhere"))
        connection.execute(construct)


def test_recovery_statement_after_begin_in_autocommit_is_refused(server: Server, admin: Admin, shop: None):
    engine = server.engine(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        with pytest.raises(SnapshotError, match="was not sent"):
            connection.execute(DropSnapshot("sc_snap"))
        connection.exec_driver_sql("COMMIT")
        connection.execute(DropSnapshot("sc_snap"))


def test_refused_recovery_statement_leaves_rows_of_a_foreign_connection(server: Server, admin: Admin, shop: None):
    """They are not seen, so that the statement is sent; the server refuses it."""

    def creator() -> Any:
        return pymysql.connect(
            host=server.host, port=server.port, user="dump", password=server.target.password, ssl_disabled=True
        )

    with server.engine(server.url(), creator=creator).connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute(INSERT)
        with pytest.raises(SnapshotError) as refusal:
            Recovery(connection).drop_snapshot("sc_snap")
        assert refusal.value.reason is Reason.ACTIVE_TRANSACTION
        assert isinstance(refusal.value.__cause__, exc.OperationalError)
        connection.commit()
    assert orders(admin) == 3


def test_recovery_in_a_session_begin_block(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    with Session(server.engine(server.url(database="sc_shop"))) as session, session.begin():
        recovery = Recovery(session)
        recovery.create_pitr("sc_pitr", range="1d", database="sc_shop")
        assert [pitr.name for pitr in recovery.list_pitrs(level="database", database="sc_shop")] == ["sc_pitr"]
        assert recovery.alter_pitr("sc_pitr", range="2h").range == "2h"
        session.execute(insert(Order), {"id": 3, "note": "Alice"})
    assert orders(admin) == 3


def test_snapshot_restore_and_insert_in_one_session_block(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    with Session(server.engine(server.url(database="sc_shop"))) as session, session.begin():
        recovery = Recovery(session)
        recovery.create_snapshot("sc_snap", table=Order)
        recovery.restore_snapshot("sc_snap", table=Order)
        session.execute(insert(Order), {"id": 3, "note": "Alice"})
    assert orders(admin) == 3
    with Session(server.engine(server.url(database="sc_shop"))) as session:
        Recovery(session).restore_snapshot("sc_snap", table=Order)
        session.execute(insert(Order), {"id": 4, "note": "rolled back"})
        session.rollback()
    assert orders(admin) == 2


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_recovery_construct_in_session_execute_is_refused_in_a_transaction(
    server: Server, admin: Admin, shop: None, name: str
):
    construct, error = CONSTRUCTS[name]
    with Session(server.engine()) as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(error, match="was not sent"):
            session.execute(construct)
        session.rollback()
        session.execute(construct)


def test_recovery_refuses_session_with_unflushed_changes(server: Server, admin: Admin, shop: None):
    with Session(server.engine(server.url(database="sc_shop"))) as session:
        session.add(Order(id=3, note="third"))
        with pytest.raises(SnapshotError, match="unflushed") as refusal:
            Recovery(session).drop_snapshot("sc_snap")
        assert refusal.value.reason is Reason.ACTIVE_TRANSACTION
        session.commit()
        order = session.get_one(Order, 1)
        order.note = "changed"
        with pytest.raises(SnapshotError, match="unflushed"):
            Recovery(session).drop_snapshot("sc_snap")
        session.rollback()
        assert Recovery(session).get_snapshot("sc_snap") is not None
    assert orders(admin) == 3


@pytest.mark.parametrize("registry", [False, True], ids=["session", "scoped_session"])
def test_commit_first_commits_session_changes(server: Server, admin: Admin, shop: None, registry: bool):
    factory = sessionmaker(server.engine(server.url(database="sc_shop")))
    session = scoped_session(factory) if registry else factory()
    session.add(Order(id=3, note="third"))
    recovery = Recovery(session, commit_first=True)
    recovery.create_snapshot("sc_new", database="sc_shop")
    assert orders(admin) == 3
    session.execute(text(INSERT.replace("3", "4")))
    recovery.drop_snapshot("sc_new")
    assert orders(admin) == 4
    session.execute(text(INSERT.replace("3", "5")))
    session.close()
    assert orders(admin) == 4


def test_commit_first_commits_a_connection(server: Server, admin: Admin, shop: None):
    with server.engine().connect() as connection:
        connection.exec_driver_sql(INSERT)
        Recovery(connection, commit_first=True).drop_snapshot("sc_snap")
    assert orders(admin) == 3


def test_commit_first_allows_another_account_to_list_pitrs(server: Server, admin: Admin):
    """Another account than sys reads them with a SHOW, which the server refuses inside a transaction."""
    clean_up(admin, accounts=("sc_acc",))
    with Session(server.engine(server.url(user="sc_acc:admin", password="111"))) as session:
        Recovery(session).create_pitr("sc_pitr", range="1d")
        session.execute(text("SELECT 1"))
        with pytest.raises(PitrError) as refusal:
            Recovery(session).list_pitrs()
        assert refusal.value.reason is Reason.ACTIVE_TRANSACTION
        recovery = Recovery(session, commit_first=True)
        assert [pitr.name for pitr in recovery.list_pitrs()] == ["sc_pitr"]
        session.execute(text("SELECT 1"))
        assert recovery.get_pitr("sc_pitr") is not None
    drop_accounts(admin, "sc_acc")


def test_commit_first_inside_a_begin_block_is_refused(server: Server, admin: Admin, shop: None):
    engine = server.engine(server.url(database="sc_shop"))
    with Session(engine) as session, session.begin():
        session.execute(text(INSERT))
        with pytest.raises(SnapshotError, match=r"inside a block of begin\(\)"):
            Recovery(session, commit_first=True).drop_snapshot("sc_snap")
    assert orders(admin) == 3
    with (
        engine.connect() as connection,
        connection.begin(),
        Session(connection, join_transaction_mode="rollback_only") as session,
    ):
        session.execute(text("SELECT 1"))
        with pytest.raises(SnapshotError, match="the Session joined the transaction of a Connection"):
            Recovery(session, commit_first=True).drop_snapshot("sc_snap")
    assert {row[0] for row in admin("SHOW SNAPSHOTS")} >= {"sc_snap"}


def test_restore_expires_objects_of_the_session(server: Server, admin: Admin, shop: None):
    with Session(server.engine(server.url(database="sc_shop")), expire_on_commit=False) as session:
        order = session.get_one(Order, 1)
        order.note = "spoilt"
        session.commit()
        Recovery(session).restore_snapshot("sc_snap", table=Order)
        assert order.note == "first"


def test_recovery_in_a_session_of_several_engines(server: Server, admin: Admin, shop: None):
    with Session(binds={Order: server.engine(server.url(database="sc_shop"))}) as session:
        assert Recovery(session).create_snapshot("sc_new", table=Order).database == "sc_shop"
        Recovery(session).restore_snapshot("sc_new", table=Order)
        assert len(session.scalars(select(Order)).all()) == 2


@pytest.mark.parametrize("driver", DRIVERS)
async def test_transaction_state_is_tracked_by_each_driver(server: Server, admin: Admin, shop: None, driver: str):
    async with Client.connected(server, driver) as client:
        await awaited(client.connection.exec_driver_sql(INSERT))
        with pytest.raises(RecoveryError, match="was not sent"):
            await client.drop_snapshot("sc_snap")
        with pytest.raises(RecoveryError, match="was not sent"):
            await client.execute(DropSnapshot("sc_snap"))
        assert orders(admin) == 2
        await client.rollback()
        await client.drop_snapshot("sc_snap")
        await awaited(client.connection.exec_driver_sql(INSERT))
        await client.commit()
    assert orders(admin) == 3


def test_recovery_reads_inside_a_transaction(server: Server, admin: Admin, shop: None):
    """Snapshots and, from sys, PITRs can be read there; recovery windows cannot."""
    with server.engine().connect() as connection:
        connection.exec_driver_sql(INSERT)
        recovery = Recovery(connection)
        assert recovery.get_snapshot("sc_snap") is not None
        assert recovery.get_pitr("sc_pitr") is not None
        with pytest.raises(RecoveryError, match=r"SHOW RECOVERY_WINDOW.* was not sent") as refusal:
            recovery.recovery_windows(database="sc_shop")
        assert refusal.value.reason is Reason.ACTIVE_TRANSACTION
        connection.commit()
    assert orders(admin) == 3


def test_restore_waits_for_open_writers(server: Server, admin: Admin, shop: None):
    """The restore takes place only after the transaction that has written to the table has ended."""
    finished: list[str] = []
    engine = server.engine(server.url(database="sc_shop"))
    with engine.connect() as writer:
        writer.exec_driver_sql(INSERT)

        def restore() -> None:
            with Session(engine) as session:
                Recovery(session).restore_snapshot("sc_snap", table=Order)
                finished.append("restore")

        waiting = threading.Thread(target=restore)
        waiting.start()
        if server.live:
            time.sleep(2)
            assert finished == []
        writer.commit()
        waiting.join()
    assert finished == ["restore"]
    assert orders(admin) == 2
