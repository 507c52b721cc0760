"""Restores under another name leave the present object as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from sqlalchemy_matrixone import MatrixOneArgumentError, Reason, Recovery, RestoreError

from .client import DRIVERS, Client, clean_up, drop_databases, moment
from .server import Admin, Server

SHOP, COPY = "sc_beside", "sc_beside_copy"


@pytest.fixture(name="connection")
def connection_fixture(server: Server, admin: Admin) -> Iterator[Connection]:
    clean_up(admin, SHOP)
    drop_databases(admin, COPY)
    admin(f"CREATE SEQUENCE {SHOP}.numbers START WITH 7")
    admin(f"CREATE TABLE {SHOP}.`my orders` (id INT PRIMARY KEY)")
    admin(f"INSERT INTO {SHOP}.`my orders` VALUES (1)")
    with server.engine(server.url(database=SHOP)).connect() as connection:
        yield connection
        connection.rollback()
    clean_up(admin)
    drop_databases(admin, SHOP, COPY)


def protect_and_damage(server: Server, admin: Admin, connection: Connection) -> tuple[Recovery, str]:
    """Return a time before the damage."""
    recovery = Recovery(connection)
    recovery.create_pitr("sc_beside", range="1d", database=SHOP)
    before = str(moment(server, admin))
    recovery.create_snapshot("sc_beside", database=SHOP)
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 1")
    admin(f"INSERT INTO {SHOP}.orders VALUES (3, 'newer')")
    return recovery, before


def notes(admin: Admin, table: str) -> list[str]:
    return [note for (note,) in admin(f"SELECT note FROM {table} ORDER BY id")]


@pytest.mark.releases(since=(3, 0))
def test_table_from_snapshot_and_from_pitr_beside_the_present_one(server: Server, admin: Admin, connection: Connection):
    recovery, before = protect_and_damage(server, admin, connection)
    recovery.restore_snapshot("sc_beside", table="orders", database=SHOP, as_name="orders_1", verify=True)
    recovery.restore_pitr("sc_beside", timestamp=before, table="orders", database=SHOP, as_name="orders_2")
    recovery.restore_pitr("sc_beside", timestamp=before, table="my orders", database=SHOP, as_name="orders_3")
    assert notes(admin, f"{SHOP}.orders") == ["second", "newer"]
    assert notes(admin, f"{SHOP}.orders_1") == notes(admin, f"{SHOP}.orders_2") == ["first", "second"]
    assert admin(f"SELECT id FROM {SHOP}.orders_3") == [(1,)]


@pytest.mark.releases(since=(3, 0))
def test_database_with_its_sequence_beside_the_present_one(server: Server, admin: Admin, connection: Connection):
    recovery, _ = protect_and_damage(server, admin, connection)
    recovery.restore_snapshot("sc_beside", database=SHOP, as_name=COPY)
    assert notes(admin, f"{COPY}.orders") == ["first", "second"]
    with server.engine(server.url(database=COPY)).connect() as copy:
        assert int(copy.exec_driver_sql("SELECT NEXTVAL('numbers')").scalar_one()) == 7
    assert notes(admin, f"{SHOP}.orders") == ["second", "newer"]


@pytest.mark.releases(since=(3, 0))
def test_sequence_beside_the_present_one_which_would_be_a_table_is_refused(
    server: Server, admin: Admin, connection: Connection
):
    recovery, _ = protect_and_damage(server, admin, connection)
    with pytest.raises(RestoreError, match=rf"not sent: `{SHOP}`\.`numbers` is a sequence") as refused:
        recovery.restore_snapshot("sc_beside", table="numbers", database=SHOP, as_name="numbers_2")
    assert refused.value.reason is Reason.UNSUPPORTED
    assert admin(
        f"SELECT relname FROM mo_catalog.mo_tables WHERE reldatabase = '{SHOP}' AND relname LIKE 'numbers%'"
    ) == [("numbers",)]


def test_restore_beside_that_is_impossible_names_the_reason(server: Server, admin: Admin, connection: Connection):
    recovery, _ = protect_and_damage(server, admin, connection)
    for name, table, as_name, reason in (
        ("sc_nothing", "orders", "x", Reason.NOT_FOUND),
        ("sc_beside", "nothing", "x", Reason.NOT_FOUND),
        ("sc_beside", "orders", "my orders", Reason.EXISTS),
        ("sc_beside", "orders", "ORDERS", Reason.EXISTS),
    ):
        with pytest.raises(RestoreError) as refused:
            recovery.restore_snapshot(name, table=table, database=SHOP, as_name=as_name)
        assert refused.value.reason is reason
    with pytest.raises(MatrixOneArgumentError, match="timeout= cannot be used"):
        recovery.restore_snapshot("sc_beside", table="orders", database=SHOP, as_name="x", timeout=3)
    with pytest.raises(MatrixOneArgumentError, match="only a database or a table"):
        recovery.restore_snapshot("sc_beside", account="sys", as_name="x")


@pytest.mark.releases(until=(3, 0))
def test_restore_beside_needs_3_0(server: Server, admin: Admin, connection: Connection):
    recovery, _ = protect_and_damage(server, admin, connection)
    with pytest.raises(RestoreError, match=r"needs MatrixOne 3\.0") as refused:
        recovery.restore_snapshot("sc_beside", table="orders", database=SHOP, as_name="x")
    assert refused.value.reason is Reason.UNSUPPORTED


@pytest.mark.releases(since=(3, 0))
@pytest.mark.parametrize("driver", DRIVERS[1:])
async def test_restore_beside_awaited(server: Server, admin: Admin, connection: Connection, driver: str):
    protect_and_damage(server, admin, connection)
    async with Client.connected(server, driver, database=SHOP) as client:
        await client.restore_snapshot("sc_beside", table="orders", database=SHOP, as_name="orders_1")
    assert notes(admin, f"{SHOP}.orders_1") == ["first", "second"]
