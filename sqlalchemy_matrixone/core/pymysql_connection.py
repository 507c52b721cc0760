"""The PyMySQL connection that tracks the transaction that it has open on the server.

Every statement, whichever cursor or method it comes from, is sent by ``_execute_command()``. One of two methods reads
its outcome. These methods are private to the driver, and they are the same in PyMySQL, aiomysql and asyncmy.
"""

from __future__ import annotations

from typing import Any

from pymysql.connections import Connection

from .charset import check_charset
from .connection import NOT_CONNECTED, TransactionState, read_command
from .sql_mode import set_autocommit, without_mode


class PyMySQLConnection(Connection):  # type: ignore[misc]
    """A PyMySQL connection that tracks its transaction.

    :ivar transaction_state: what has run since the last commit or rollback.
    """

    transaction_state = NOT_CONNECTED

    def connect(self, sock: Any = None) -> None:
        check_charset(self.charset)
        former, self.transaction_state = self.transaction_state, TransactionState(autocommit=None)
        super().connect(sock)
        self.transaction_state.know_server(self.get_server_info())
        if self.autocommit_mode is None and (statement := set_autocommit(None, self.get_server_info())):
            self.query(statement)
        self.transaction_state.reconnected(former)

    def _send_autocommit_mode(self) -> None:
        self.query(set_autocommit(self.autocommit_mode, self.get_server_info()))

    def get_autocommit(self) -> bool | None:
        """Return whether autocommit is on, or None if that is unknown: the server's flags do not report it."""
        return self.transaction_state.autocommit

    def set_character_set(self, charset: str, *args: Any, **kw: Any) -> None:
        check_charset(charset)
        super().set_character_set(charset, *args, **kw)
        self.transaction_state.succeeded()

    def _execute_command(self, command: int, sql: bytes | str) -> None:
        statement = read_command(command, sql)
        if statement.mode_change is not None:
            sql = without_mode(statement.mode_change, self.get_server_info(), sql)
        state = self.transaction_state
        state.sending(statement)
        Connection._execute_command(self, command, sql)
        state.pending = statement

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        try:
            result = Connection._read_query_result(self, unbuffered)
        except Exception as error:
            self.transaction_state.failed(error)
            raise
        self.transaction_state.succeeded()
        return result

    def _read_ok_packet(self) -> Any:
        try:
            packet = super()._read_ok_packet()
        except Exception as error:
            self.transaction_state.failed(error)
            raise
        self.transaction_state.succeeded()
        return packet
