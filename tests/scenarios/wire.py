"""Seeing what is sent to a server, below SQLAlchemy and its dialect."""

from __future__ import annotations

from typing import Any

import pymysql
from pymysql.constants import COMMAND
from sqlalchemy import Engine, create_engine

from .server import Server

SENT: dict[int, str] = {COMMAND.COM_PING: "PING", COMMAND.COM_QUIT: "QUIT"}


def logged_engine(server: Server, sent: list[str], greeting: str | None = None, **kw: Any) -> Engine:
    """Return an engine that records each command after the driver's login, optionally with a proxy's greeting."""

    class Logged(pymysql.Connection):
        logging = False

        def connect(self, sock: Any = None) -> None:
            super().connect(sock)
            self.logging = True
            self.server_version = greeting or self.server_version

        def _execute_command(self, command: int, sql: Any) -> None:
            if self.logging:
                text = sql.decode() if isinstance(sql, bytes) else str(sql)
                sent.append(SENT.get(command, text))
            super()._execute_command(command, sql)

    def connect() -> pymysql.Connection:
        return Logged(
            host=server.host, port=server.port, user="dump", password=server.target.password, ssl_disabled=True
        )

    return server.disposes_of(create_engine(server.url(), creator=connect, **kw))
