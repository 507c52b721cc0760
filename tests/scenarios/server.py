"""The servers scenarios run against."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .tape import packets, server_version

Admin = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement, with autocommit, as the administrator of the server."""


@dataclass(frozen=True)
class Target:
    """A server to run on: one that listens, or one there are only tapes of."""

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
        return tuple(map(int, self.label.partition("-")[0].split(".")))

    @property
    def zone(self) -> str:
        """The time zone as spelt in the label; empty for UTC."""
        return self.label.partition("-")[2]


def zone_label(zone: str) -> str:
    return zone.replace("/", "-")


def _release_of(address: tuple[str, int]) -> str:
    with socket.create_connection(address, timeout=10) as server:
        greeting = next(packets(server), None)
    version = server_version(greeting.raw) if greeting else ""
    match = re.search(r"MatrixOne-v(\d+(\.\d+)*)", version)
    if match is None:
        raise RuntimeError(f"no MatrixOne at {address}: version {version!r}")
    return match[1]


@dataclass
class Server:
    """What a test is given: a port that is, or talks like, a certain server."""

    target: Target
    host: str
    port: int
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
        """A URL of this server; the password defaults to the right one of dump."""
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
        """An engine which is disposed of after the test."""
        url = url or self.url()
        if url.drivername.endswith("pymysql"):
            # A tape cannot hold TLS, and loading certificates takes longer than a test.
            kwargs["connect_args"] = {"ssl_disabled": True} | kwargs.get("connect_args", {})
        return self.disposes_of(create_engine(url, **kwargs))

    def disposes_of(self, engine: Engine) -> Engine:
        self._engines.append(engine)
        return engine

    def async_engine(self, driver: str = "aiomysql", url: URL | None = None, **kwargs: Any) -> AsyncEngine:
        """An asynchronous engine which is disposed of after the test."""
        engine = create_async_engine(url or self.url(driver), **kwargs)
        self._async_engines.append(engine)
        return engine

    async def dispose(self) -> None:
        for engine in self._engines:
            engine.dispose()
        for async_engine in self._async_engines:
            await async_engine.dispose()
