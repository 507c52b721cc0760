"""A connection whose task is cancelled during a statement is closed, and not returned to the pool."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from sqlalchemy_matrixone import AsyncRecovery
from sqlalchemy_matrixone.core.aiomysql_connection import AiomysqlConnection
from sqlalchemy_matrixone.core.asyncmy_connection import AsyncmyConnection

from .server import Server

pytestmark = pytest.mark.live

CLASSES: dict[str, Any] = {"aiomysql": AiomysqlConnection, "asyncmy": AsyncmyConnection}


class Cancellation:
    """Cancels the task that has sent a certain statement, before it reads the answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
        self.statement: str | None = None
        self._sent = ""
        connection = CLASSES[driver]
        execute, read = connection._execute_command, connection._read_query_result

        async def note(this: Any, command: int, sql: Any) -> None:
            self._sent = sql if isinstance(sql, str) else bytes(sql).decode()
            await execute(this, command, sql)

        async def cancel(this: Any, *args: Any, **kw: Any) -> None:
            if self._sent == self.statement:
                self.statement = None
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
                await asyncio.sleep(0)
            await read(this, *args, **kw)

        monkeypatch.setattr(connection, "_execute_command", note)
        monkeypatch.setattr(connection, "_read_query_result", cancel)


@pytest.fixture(params=CLASSES)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def cancellation(monkeypatch: pytest.MonkeyPatch, driver: str) -> Cancellation:
    return Cancellation(monkeypatch, driver)


async def set_by_hand(connection: AsyncConnection) -> None:
    await connection.execute(text("SET autocommit = DEFAULT"))
    await AsyncRecovery(connection).drop_snapshot("sc_nowhere", if_exists=True)


WORK: list[tuple[str, Callable[[AsyncConnection], Awaitable[Any]]]] = [
    ("ROLLBACK", lambda connection: AsyncRecovery(connection).list_snapshots()),
    ("ROLLBACK", lambda connection: connection.run_sync(lambda each: inspect(each).get_pitrs())),
    ("SET AUTOCOMMIT = 1", lambda connection: connection.execution_options(isolation_level="AUTOCOMMIT")),
    ("SELECT @@autocommit", set_by_hand),
]


@pytest.mark.parametrize(("statement", "work"), WORK, ids=[f"{n}-{statement}" for n, (statement, _) in enumerate(WORK)])
async def test_pool_has_no_connection_of_a_cancelled_task(
    server: Server,
    driver: str,
    cancellation: Cancellation,
    statement: str,
    work: Callable[[AsyncConnection], Awaitable[Any]],
) -> None:
    engine = server.async_engine(driver, pool_size=1, max_overflow=0, pool_timeout=3)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))

    async def job() -> None:
        async with engine.connect() as connection:
            cancellation.statement = statement
            await work(connection)

    task = asyncio.create_task(job())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancellation.statement is None
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 12345"))).scalar() == 12345
