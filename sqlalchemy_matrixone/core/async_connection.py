"""The part that the aiomysql and asyncmy connections have in common. See :mod:`.pymysql_connection`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .charset import check_charset
from .connection import NOT_CONNECTED, TransactionState, read_command
from .driver_internals import charset_of
from .sql_mode import set_autocommit, without_mode
from .sql_text import Sent

# The driver's class, of which only the subclass knows.
_Driver: Any = object


class AsyncTracking(_Driver):  # type: ignore[misc]
    """Part of an asynchronous connection: tracks its transaction. It precedes the driver's class among the bases.

    :ivar transaction_state: what has run since the last commit or rollback.
    """

    transaction_state = NOT_CONNECTED
    _prepared: Mapping[int, Sent] | None = None

    async def _send_autocommit_mode(self) -> None:
        await self.query(set_autocommit(self.autocommit_mode, self.get_server_info()))

    def get_autocommit(self) -> bool | None:
        """Return whether autocommit is on, or None if that is unknown: the server's flags do not report it."""
        return self.transaction_state.autocommit

    async def set_charset(self, charset: str) -> None:
        """Set the character set as the driver does, and record that the statement succeeded.

        :raises MatrixOneArgumentError: if statements would not be UTF-8.
        """
        check_charset(charset)
        await super().set_charset(charset)
        self.transaction_state.succeeded()

    async def _execute_command(self, command: int, sql: bytes | str) -> None:
        statement = read_command(command, sql, self._prepared)
        if statement.mode_change is not None:
            sql = without_mode(statement.mode_change, self.get_server_info(), sql)
        state = self.transaction_state
        state.sending(statement)
        await super()._execute_command(command, sql)
        state.pending = statement

    async def _read_query_result(self, unbuffered: bool = False) -> None:
        try:
            await super()._read_query_result(unbuffered)
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


def begin_tracking(connection: AsyncTracking) -> TransactionState:
    """Give a connection a new state before it connects to the server, and return the former one.

    :raises MatrixOneArgumentError: if its statements would not be UTF-8.
    """
    check_charset(charset_of(connection))
    former, connection.transaction_state = connection.transaction_state, TransactionState(autocommit=None)
    return former


async def finish_connecting(connection: AsyncTracking, former: TransactionState) -> None:
    """Complete a connection to the server, as the driver does only if it sets autocommit."""
    connection.transaction_state.know_server(connection.get_server_info())
    if connection.autocommit_mode is None and (statement := set_autocommit(None, connection.get_server_info())):
        await connection.query(statement)
    connection.transaction_state.reconnected(former)
