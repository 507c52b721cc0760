"""The aiomysql connection that tracks its own transaction. See :mod:`.pymysql_connection`."""

from __future__ import annotations

from typing import Any

from aiomysql.connection import Connection

from .connection import NOT_CONNECTED, TransactionState, read_command
from .sql_mode import set_autocommit, without_mode


class AiomysqlConnection(Connection):  # type: ignore[misc]
    """An aiomysql connection that tracks its transaction.

    :ivar transaction_state: what has run since the last commit or rollback.
    """

    transaction_state = NOT_CONNECTED

    async def _connect(self) -> None:
        former, self.transaction_state = self.transaction_state, TransactionState(autocommit=None)
        await super()._connect()
        if self.autocommit_mode is None and (statement := set_autocommit(None, self.get_server_info())):
            await self.query(statement)
        self.transaction_state.reconnected(former)

    async def _send_autocommit_mode(self) -> None:
        await self.query(set_autocommit(self.autocommit_mode, self.get_server_info()))

    def get_autocommit(self) -> bool | None:
        """Return whether autocommit is on, or None if that is unknown: the server's flags do not report it."""
        return self.transaction_state.autocommit

    async def set_charset(self, charset: str) -> None:
        await super().set_charset(charset)
        self.transaction_state.succeeded()

    async def _execute_command(self, command: int, sql: bytes | str) -> None:
        statement = read_command(command, sql)
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


async def connect(**kw: Any) -> AiomysqlConnection:
    """Connect to a server. The arguments are those of ``aiomysql.connect()``."""
    connection = AiomysqlConnection(**kw)
    await connection._connect()
    return connection
