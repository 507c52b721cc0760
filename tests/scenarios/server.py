"""The servers scenarios run against."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pymysql
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sqlalchemy_matrixone.core.release import UNRELEASED

from .tape import packets, server_version

Rows = list[tuple[Any, ...]]

DEVELOPMENT = "development"
"""The label of a build between releases, whose greeting has no number. It counts as later than the newest release."""

_ANNOUNCED = re.compile(r"MatrixOne-v(\d+(?:\.\d+)+)?")


@dataclass(frozen=True)
class Target:
    """A server to run on: a live one, or one of which there are only tapes."""

    label: str
    address: tuple[str, int] | None = None
    password: str = "111"

    @classmethod
    def from_url(cls, text: str) -> Target:
        url = make_url(text)
        address = (url.host or "127.0.0.1", url.port or 6001)
        label = _release_of(address)
        if zone := url.query.get("zone"):
            label += "-" + zone_label(str(zone))
        return cls(label, address, str(url.password or "111"))

    @property
    def release(self) -> tuple[int, ...]:
        release = self.label.partition("-")[0]
        return UNRELEASED if release == DEVELOPMENT else tuple(map(int, release.split(".")))

    @property
    def zone(self) -> str:
        """Return the time zone as the label spells it; empty for UTC."""
        return self.label.partition("-")[2]


def zone_label(zone: str) -> str:
    return zone.replace("/", "-")


def _release_of(address: tuple[str, int]) -> str:
    with socket.create_connection(address, timeout=10) as server:
        greeting = next(packets(server), None)
    version = server_version(greeting.raw) if greeting else ""
    match = _ANNOUNCED.search(version)
    if match is None:
        raise RuntimeError(f"no MatrixOne at {address}: version {version!r}")
    return match[1] or DEVELOPMENT


def _no_setup(name: str, statements: Sequence[str]) -> None:
    """Neither compare nor record a set-up."""


@dataclass
class Server:
    """The server that a test runs on: a port of a live server or of a player."""

    target: Target
    host: str
    port: int
    note_setup: Callable[[str, Sequence[str]], None] = _no_setup
    _engines: list[Engine] = field(default_factory=list)
    _async_engines: list[AsyncEngine] = field(default_factory=list)

    @property
    def label(self) -> str:
        return self.target.label

    @property
    def release(self) -> tuple[int, ...]:
        return self.target.release

    @property
    def live(self) -> bool:
        return self.target.address is not None

    def url(
        self,
        driver: str = "pymysql",
        user: str = "dump",
        password: str | None = None,
        database: str | None = None,
        **query: str | Sequence[str],
    ) -> URL:
        """Return a URL of this server; the password defaults to that of the user dump."""
        return URL.create(
            f"matrixone+{driver}",
            username=user,
            password=self.target.password if password is None else password,
            host=self.host,
            port=self.port,
            database=database,
            query=query,
        )

    def engine(self, url: URL | None = None, **kwargs: Any) -> Engine:
        """Return an engine that is disposed of after the test."""
        url = url or self.url()
        if not url.drivername.endswith(("aiomysql", "asyncmy")):
            # A tape cannot hold TLS, and loading certificates takes longer than a test.
            kwargs["connect_args"] = {"ssl_disabled": True} | kwargs.get("connect_args", {})
        return self.disposes_of(create_engine(url, **kwargs))

    def disposes_of(self, engine: Engine) -> Engine:
        self._engines.append(engine)
        return engine

    def async_engine(self, driver: str = "aiomysql", url: URL | None = None, **kwargs: Any) -> AsyncEngine:
        """Return an asynchronous engine that is disposed of after the test."""
        engine = create_async_engine(url or self.url(driver), **kwargs)
        self._async_engines.append(engine)
        return engine

    async def dispose(self) -> None:
        for engine in self._engines:
            engine.dispose()
        for async_engine in self._async_engines:
            await async_engine.dispose()


class Admin:
    """The administrator of the server: sets up, looks at what a test has done, and cleans up.

    Each statement is committed at once.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def __call__(self, statement: str) -> Rows:
        """Run a statement and return its rows; both are part of the test's tape."""
        return _execute(self._connection, statement)

    def prepare(self, name: str, *statements: str) -> None:
        """Run a set-up that tests share: its statements stand once, under this name, and not in each tape.

        In a replay they are not run, but compared with what was run when it was recorded.
        """
        self._server.note_setup(name, statements)
        for statement in statements:
            self.unrecorded(statement)

    def unrecorded(self, statement: str) -> Rows:
        """Run a statement on a live server only, to clean up; a replay has nothing to clean and returns no rows."""
        return _execute(self._direct_connection, statement) if self._server.live else []

    @cached_property
    def _connection(self) -> pymysql.Connection:
        return self._connect(self._server.host, self._server.port)

    @cached_property
    def _direct_connection(self) -> pymysql.Connection:
        assert self._server.target.address is not None
        return self._connect(*self._server.target.address)

    def _connect(self, host: str, port: int) -> pymysql.Connection:
        connection = pymysql.connect(
            host=host,
            port=port,
            user="dump",
            password=self._server.target.password,
            ssl_disabled=True,
            autocommit=None,  # set below, in a way that does not depend on the driver
        )
        _execute(connection, "SET AUTOCOMMIT = 1")
        return connection

    def close(self) -> None:
        for name in ("_connection", "_direct_connection"):
            if name in self.__dict__:
                self.__dict__[name].close()


def _execute(connection: pymysql.Connection, statement: str) -> Rows:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
