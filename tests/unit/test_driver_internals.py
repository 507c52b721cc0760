"""Functions that use more of the drivers' connections than the DBAPI."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace

import aiomysql.connection
import asyncmy.connection
import pymysql.connections
import pytest

from sqlalchemy_matrixone.core.aiomysql_connection import AiomysqlConnection
from sqlalchemy_matrixone.core.asyncmy_connection import AsyncmyConnection
from sqlalchemy_matrixone.core.driver_internals import abandon, reading_text, server_greeting
from sqlalchemy_matrixone.core.pymysql_connection import PyMySQLConnection

GREETING = "8.0.30-MatrixOne-v4.2.0"


def connection(driver, driver_connection):
    return SimpleNamespace(
        dialect=SimpleNamespace(driver=driver), connection=SimpleNamespace(driver_connection=driver_connection)
    )


@pytest.mark.parametrize("driver", [pymysql.connections, aiomysql.connection, asyncmy.connection])
def test_server_greeting_is_that_of_the_driver_connection(driver):
    cls = driver.Connection
    driver_connection = cls.__new__(cls)
    driver_connection.server_version = GREETING
    # Neither has connected, and aiomysql's would warn of that.
    driver_connection._writer = driver_connection._sock = None
    assert server_greeting(connection(driver.__name__.split(".")[0], driver_connection)) == GREETING


def test_server_greeting_of_another_driver_is_unknown():
    assert server_greeting(connection("mysqldb", object())) is None


def test_abandon_wakes_up_a_thread_that_waits_for_the_server_with_pymysql():
    client, server = socket.socketpair()
    connection = pymysql.connections.Connection(defer_connect=True)
    connection._sock, connection._rfile = client, client.makefile("rb")
    errors = []

    def wait():
        try:
            connection._read_bytes(4)
        except pymysql.OperationalError as lost:
            errors.append(lost.args[0])

    thread = threading.Thread(target=wait)
    thread.start()
    abandon(connection)
    thread.join(10)
    server.close()
    assert errors == [2013]
    connection.close()
    abandon(connection)


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
def test_abandon_closes_an_asynchronous_connection(driver):
    module = pytest.importorskip(driver)
    assert hasattr(module.Connection, "ensure_closed")
    closed = []
    abandon(SimpleNamespace(ensure_closed=None, close=lambda: closed.append(True)))
    assert closed == [True]


@pytest.mark.parametrize(
    ("driver", "followed"),
    [
        (pymysql.connections, PyMySQLConnection),
        (aiomysql.connection, AiomysqlConnection),
        (asyncmy.connection, AsyncmyConnection),
    ],
)
def test_connection_methods_of_ours_exist_in_the_driver(driver, followed):
    """If the driver renamed the method, nothing would be tracked; see scenarios/test_transaction_state.py."""
    classes = [each for each in followed.__mro__ if each.__module__.startswith("sqlalchemy_matrixone.")]
    members = {name: value for each in classes for name, value in vars(each).items()}
    ours = {name for name, value in members.items() if callable(value) and not name.startswith("__")}
    assert {"_execute_command", "_read_query_result", "_read_ok_packet", "get_autocommit"} <= ours
    assert ours <= set(dir(driver.Connection))


def described(type_code):
    return SimpleNamespace(type_code=type_code)


class Sync:
    def _read_packet(self, packet_type=bytes):
        return described(241)


class Aio:
    ensure_closed = None

    async def _read_packet(self, packet_type=bytes):
        return described(241)


class Asyncmy:
    ensure_closed = None

    async def read_packet(self, packet_type=bytes):
        return described(241)


async def test_reading_text_corrects_the_type_of_described_columns_for_a_while():
    sync = Sync()
    with reading_text(sync):
        assert [sync._read_packet(str).type_code, sync._read_packet().type_code] == [252, 241]
    assert sync._read_packet(str).type_code == 241
    for connection, name in ((Aio(), "_read_packet"), (Asyncmy(), "read_packet")):
        with reading_text(connection):
            assert (await getattr(connection, name)(str)).type_code == 252
        assert (await getattr(connection, name)(str)).type_code == 241
