"""Helpers of the scenarios: databases and accounts to work in, and one interface to all drivers."""

from __future__ import annotations

import datetime as dt
import inspect
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy_matrixone import AsyncRecovery, Recovery

from .server import Admin, Server

DRIVERS = ["pymysql", "aiomysql", "asyncmy"]
PREFIX = "sc_"


def clean_up(admin: Admin, *databases: str, accounts: tuple[str, ...] = ()) -> None:
    """Drop what scenarios have created, and create the databases and accounts that a test needs."""
    for show, drop in (("SHOW SNAPSHOTS", "DROP SNAPSHOT"), ("SHOW PITR", "DROP PITR")):
        for row in admin.unrecorded(show):
            if row[0].startswith(PREFIX):
                admin.unrecorded(f"{drop} `{row[0]}`")
    for account in accounts:
        make_account(admin, account)
    for database in databases:
        admin.prepare(
            f"orders in {database}",
            f"DROP DATABASE IF EXISTS {database}",
            f"CREATE DATABASE {database}",
            f"CREATE TABLE {database}.orders (id INT PRIMARY KEY, note VARCHAR(40))",
            f"INSERT INTO {database}.orders VALUES (1, 'first'), (2, 'second')",
        )


def protect_shop(admin: Admin) -> None:
    admin.prepare(
        "snapshot and PITR of sc_shop",
        "CREATE SNAPSHOT sc_snap FOR DATABASE sc_shop",
        "CREATE PITR sc_pitr FOR DATABASE sc_shop RANGE 1 'd'",
    )


def make_account(admin: Admin, account: str) -> None:
    admin.prepare(
        f"account {account}",
        f"DROP ACCOUNT IF EXISTS {account}",
        f"CREATE ACCOUNT {account} ADMIN_NAME 'admin' IDENTIFIED BY '111'",
    )


def drop_accounts(admin: Admin, *accounts: str) -> None:
    for account in accounts:
        admin.unrecorded(f"DROP ACCOUNT {account}")


def make_databases(admin: Admin, *databases: str) -> None:
    for database in databases:
        admin.prepare(f"database {database}", f"DROP DATABASE IF EXISTS {database}", f"CREATE DATABASE {database}")


def drop_databases(admin: Admin, *databases: str) -> None:
    for database in databases:
        admin.unrecorded(f"DROP DATABASE IF EXISTS {database}")


class Client:
    """A connection of any driver, with asynchronous methods, which also run the synchronous ones of PyMySQL."""

    def __init__(self, connection: Any, recovery: Any) -> None:
        self.connection = connection
        self._recovery = recovery

    @classmethod
    @asynccontextmanager
    async def connected(
        cls,
        server: Server,
        driver: str,
        *,
        engine_options: dict[str, Any] | None = None,
        execution_options: dict[str, Any] | None = None,
        **url: Any,
    ) -> AsyncIterator[Client]:
        if driver == "pymysql":
            engine = server.engine(server.url(**url), **engine_options or {})
            with engine.execution_options(**execution_options or {}).connect() as connection:
                yield cls(connection, Recovery(connection))
        else:
            async_engine = server.async_engine(driver, server.url(driver, **url), **engine_options or {})
            async with async_engine.execution_options(**execution_options or {}).connect() as async_connection:
                yield cls(async_connection, AsyncRecovery(async_connection))

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Return a method of Recovery."""

        async def call(*args: Any, **kw: Any) -> Any:
            return await awaited(getattr(self._recovery, method)(*args, **kw))

        return call

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return the rows of a statement, which is committed immediately."""
        result = await self.sql(statement)
        rows = [tuple(row) for row in result] if result.returns_rows else []
        await self.commit()
        return rows

    async def sql(self, statement: str) -> Any:
        """Return the result of a statement, without a commit."""
        return await awaited(self.connection.exec_driver_sql(statement))

    async def driver(self) -> Any:
        """Return the driver's own connection."""
        if hasattr(self.connection, "get_raw_connection"):
            return (await self.connection.get_raw_connection()).driver_connection
        return self.connection.connection.driver_connection

    async def raw(self, statement: str, parameters: Any = None, method: str = "execute") -> list[tuple[Any, ...]]:
        """Return the rows of a statement on the driver's own cursor, without SQLAlchemy."""
        cursor = await awaited((await self.driver()).cursor())
        try:
            await awaited(getattr(cursor, method)(statement, *([] if parameters is None else [parameters])))
            return list(await awaited(cursor.fetchall()) or ())
        finally:
            await awaited(cursor.close())

    async def execute(self, construct: Any) -> Any:
        return await awaited(self.connection.execute(construct))

    async def begin(self) -> None:
        await awaited(self.connection.begin())

    async def commit(self) -> None:
        await awaited(self.connection.commit())

    async def rollback(self) -> None:
        await awaited(self.connection.rollback())

    async def notes(self, database: str) -> list[str]:
        return [note for (note,) in await self.rows(f"SELECT note FROM {database}.orders ORDER BY id")]

    async def lose(self, database: str) -> None:
        """Delete a row that a restore is to bring back."""
        await self.rows(f"DELETE FROM {database}.orders WHERE id = 2")


async def awaited(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def clock(admin: Admin) -> dt.datetime:
    """Return the time on the server's clock, truncated to seconds."""
    [(now,)] = admin("SELECT UNIX_TIMESTAMP()")
    return dt.datetime.fromtimestamp(int(now), dt.UTC)


def moment(server: Server, admin: Admin) -> dt.datetime:
    """Return an instant on the server's clock that is later than every statement sent so far."""
    if server.live:
        time.sleep(1.1)
    return clock(admin)
