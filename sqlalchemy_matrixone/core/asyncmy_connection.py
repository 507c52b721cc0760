"""The asyncmy connection that tracks its own transaction. See :mod:`.pymysql_connection`."""

from __future__ import annotations

from typing import Any

import asyncmy.connection

from .async_connection import AsyncTracking, begin_tracking, finish_connecting
from .charset import check_requested_charset
from .connection import read_prepared
from .sql_text import Sent

# The type stubs of asyncmy omit private members.
Connection: Any = asyncmy.connection.Connection


class AsyncmyConnection(AsyncTracking, Connection):  # type: ignore[misc]
    """An asyncmy connection that tracks its transaction."""

    _prepared: dict[int, Sent] | None = None

    async def connect(self) -> Any:
        if self.connected:
            return await super().connect()
        former = begin_tracking(self)
        self._prepared = {}
        opened = await super().connect()
        await finish_connecting(self, former)
        return opened

    async def prepare(self, query: bytes | str) -> Any:
        statement = await super().prepare(query)
        assert self._prepared is not None
        self._prepared[statement._statement_id] = read_prepared(query)
        return statement


async def connect(**kw: Any) -> AsyncmyConnection:
    """Connect to a server. The arguments are those of ``asyncmy.connect()``."""
    check_requested_charset(kw)
    connection = AsyncmyConnection(**kw)
    await connection.connect()
    return connection
