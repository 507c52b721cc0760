"""The asyncmy connection that tracks its own transaction. See :mod:`.pymysql_connection`."""

from __future__ import annotations

from typing import Any

import asyncmy.connection

from .connection import NOT_CONNECTED, TransactionState, read_command, read_prepared
from .sql_mode import set_autocommit, without_mode
from .sql_text import Sent

# The type stubs of asyncmy omit private members.
Connection: Any = asyncmy.connection.Connection


class AsyncmyConnection(Connection):  # type: ignore[misc]
    """An asyncmy connection that tracks its transaction.

    :ivar transaction_state: what has run since the last commit or rollback.
    """

    transaction_state = NOT_CONNECTED
    _prepared: dict[int, Sent] | None = None

    async def connect(self) -> Any:
        if self.connected:
            return await super().connect()
        former, self.transaction_state = self.transaction_state, TransactionState(autocommit=None)
        self._prepared = {}
        opened = await super().connect()
        if self.autocommit_mode is None and (statement := set_autocommit(None, self.get_server_info())):
            await self.query(statement)
        self.transaction_state.reconnected(former)
        return opened

    async def _send_autocommit_mode(self) -> None:
        await self.query(set_autocommit(self.autocommit_mode, self.get_server_info()))

    def get_autocommit(self) -> bool | None:
        """Return whether autocommit is on, or None if that is unknown: the server's flags do not report it."""
        return self.transaction_state.autocommit

    async def set_charset(self, charset: str) -> None:
        await super().set_charset(charset)
        self.transaction_state.succeeded()

    async def prepare(self, query: bytes | str) -> Any:
        statement = await super().prepare(query)
        assert self._prepared is not None
        self._prepared[statement._statement_id] = read_prepared(query)
        return statement

    async def _execute_command(self, command: int, sql: bytes | str) -> None:
        statement = read_command(command, sql, self._prepared)
        if statement.mode_change is not None:
            sql = without_mode(statement.mode_change, self.get_server_info(), sql)
        state = self.transaction_state
        state.sending(statement)
        await Connection._execute_command(self, command, sql)
        state.pending = statement

    async def _read_query_result(self, unbuffered: bool = False) -> None:
        try:
            await Connection._read_query_result(self, unbuffered)
        except Exception as error:
            self.transaction_state.failed(error)
            raise
        self.transaction_state.succeeded()

    async def _read_ok_packet(self) -> Any:
        try:
            packet = await super()._read_ok_packet()
        except Exception as error:
            self.transaction_state.failed(error)
            raise
        self.transaction_state.succeeded()
        return packet


async def connect(**kw: Any) -> AsyncmyConnection:
    """Connect to a server. The arguments are those of ``asyncmy.connect()``."""
    connection = AsyncmyConnection(**kw)
    await connection.connect()
    return connection
