"""The aiomysql connection that tracks its own transaction. See :mod:`.pymysql_connection`."""

from __future__ import annotations

from typing import Any

from aiomysql.connection import Connection

from .async_connection import AsyncTracking, begin_tracking, finish_connecting
from .charset import check_requested_charset


class AiomysqlConnection(AsyncTracking, Connection):  # type: ignore[misc]
    """An aiomysql connection that tracks its transaction."""

    async def _connect(self) -> None:
        former = begin_tracking(self)
        await super()._connect()
        await finish_connecting(self, former)


async def connect(**kw: Any) -> AiomysqlConnection:
    """Connect to a server. The arguments are those of ``aiomysql.connect()``."""
    check_requested_charset(kw)
    connection = AiomysqlConnection(**kw)
    await connection._connect()
    return connection
