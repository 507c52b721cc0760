"""List the sessions that a restore would wait for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, text
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import Recovery

from ..models import Order
from .client import DRIVERS, Client, clean_up
from .server import Admin, Server

SHOP, ACCOUNT = "sc_blockers", "sc_blockers_account"


@pytest.fixture
def writer(server: Server, admin: Admin) -> Iterator[pymysql.Connection[Any]]:
    clean_up(admin, SHOP)
    admin(f"CREATE TABLE {SHOP}.keyless (id INT)")
    admin(f"CREATE TABLE {SHOP}.other (id INT PRIMARY KEY)")
    connection = pymysql.connect(
        host=server.host, port=server.port, user="dump", password=server.target.password, ssl_disabled=True
    )
    yield connection
    connection.close()
    admin(f"DROP DATABASE {SHOP}")


def connection_id(writer: pymysql.Connection[Any]) -> int:
    """Return the id that the server knows: in a replay, the greeting has the same id for every connection."""
    with writer.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        [number] = cursor.fetchone() or ()
    return int(number)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        (f"INSERT INTO {SHOP}.orders VALUES (3, 'third')", "orders"),
        (f"INSERT INTO {SHOP}.keyless VALUES (1)", "keyless"),
        (f"SELECT * FROM {SHOP}.orders WHERE id = 1 FOR UPDATE", "orders"),
        (f"TRUNCATE TABLE {SHOP}.orders", "orders"),
        (f"ALTER TABLE {SHOP}.orders ADD COLUMN w INT", "orders"),
        (f"DROP TABLE {SHOP}.orders", "orders"),
    ],
    ids=["insert", "insert_without_key", "for_update", "truncate", "alter", "drop"],
)
async def test_open_transaction_that_a_restore_would_wait_for_is_a_blocker(
    server: Server, writer: pymysql.Connection[Any], statement: str, table: str
) -> None:
    number = connection_id(writer)
    with writer.cursor() as cursor:
        cursor.execute(statement)
    async with Client.connected(server, "pymysql") as client:
        for target in ({"table": table, "database": SHOP}, {"database": SHOP}):
            [blocker] = await client.blockers(**target)
            assert (blocker.connection_id, blocker.account, blocker.user) == (number, "sys", "dump")
            assert blocker.statement == statement
        assert await client.blockers(table="other", database=SHOP) == []
        writer.rollback()
        assert await client.blockers(database=SHOP) == []


async def test_open_transaction_that_only_reads_is_no_blocker(server: Server, writer: pymysql.Connection[Any]) -> None:
    with writer.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {SHOP}.orders")
    async with Client.connected(server, "pymysql") as client:
        assert await client.blockers(table="orders", database=SHOP) == []


@pytest.mark.parametrize("driver", DRIVERS)
async def test_blockers_of_a_mapped_class_by_each_driver(
    server: Server, writer: pymysql.Connection[Any], driver: str
) -> None:
    with writer.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SHOP}.orders")
    async with Client.connected(server, driver, database=SHOP) as client:
        [blocker] = await client.blockers(table=Order)
        assert blocker.connection_id == connection_id(writer)


def test_blockers_of_a_table_in_a_translated_schema_are_those_of_its_database(server: Server, writer: Any) -> None:
    with writer.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SHOP}.orders")
    orders = Table("orders", MetaData(), Column("id", Integer))
    with server.engine(server.url()).connect() as connection:
        translated = connection.execution_options(schema_translate_map={None: SHOP})
        [blocker] = Recovery(translated).blockers(table=orders)
        assert blocker.connection_id == connection_id(writer)


def test_blockers_within_a_transaction_leave_it_alone(server: Server, admin: Admin, writer: Any) -> None:
    with server.engine(server.url(database=SHOP)).connect() as connection:
        connection.execute(text("DELETE FROM orders WHERE id = 2"))
        [blocker] = Recovery(connection).blockers(table="orders", database=SHOP)
        assert blocker.connection_id == connection.scalar(text("SELECT CONNECTION_ID()"))
        connection.commit()
    assert admin(f"SELECT note FROM {SHOP}.orders") == [("first",)]


@pytest.mark.parametrize("lost", ["before", "now"])
@pytest.mark.parametrize("kind", ["Connection", "Session"])
def test_blockers_on_a_lost_connection_are_read_on_another(server: Server, writer: Any, kind: str, lost: str) -> None:
    with writer.cursor() as cursor:
        cursor.execute(f"DELETE FROM {SHOP}.orders")
    with server.engine(server.url(database=SHOP)).connect() as connection, Session(connection) as session:
        connection.execute(text("INSERT INTO other VALUES (1)"))
        session.execute(text("SELECT 1"))
        if lost == "before":
            connection.invalidate()
        else:
            connection.connection.driver_connection.close()  # type: ignore[union-attr]
        [blocker] = Recovery(connection if kind == "Connection" else session).blockers(table=Order)
        assert blocker.connection_id == connection_id(writer)
        with pytest.raises(PendingRollbackError):  # it is not hidden that the transaction is lost
            connection.execute(text("SELECT 1"))
        session.rollback()
        connection.rollback()


def test_blockers_of_another_account_are_not_its_namesakes(server: Server, admin: Admin, writer: Any) -> None:
    clean_up(admin, accounts=(ACCOUNT,))
    with writer.cursor() as cursor:
        cursor.execute(f"INSERT INTO {SHOP}.orders VALUES (3, 'third')")
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as connection:
        connection.execute(text(f"CREATE DATABASE {SHOP}"))
        connection.execute(text(f"CREATE TABLE {SHOP}.orders (id INT PRIMARY KEY, note VARCHAR(40))"))
        connection.commit()
        assert Recovery(connection).blockers(database=SHOP) == []
        connection.execute(text(f"INSERT INTO {SHOP}.orders VALUES (1, '')"))
        [blocker] = Recovery(connection).blockers(database=SHOP)
        assert (blocker.account, blocker.user) == (ACCOUNT, "admin")
        connection.rollback()
    admin(f"DROP ACCOUNT {ACCOUNT}")
