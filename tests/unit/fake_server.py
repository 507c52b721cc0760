"""Responses of a server, as packets, and a fake server that sends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy_matrixone.core.sql_mode import WITHOUT_MODE
from tests.scenarios.tape import CONNECT, Exchange, Player


def packet(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def greeting(flags: int = 0xA68F, version: bytes = b"v9.9.9", thread: bytes = b"\1", salt: bytes = b"salt") -> bytes:
    return packet(
        0,
        b"\x0a8.0.30-MatrixOne-" + version + b"\0" + thread + b"\0\0\0" + salt * 2 + b"\0"
        # flags, character set, status, more flags, length of the salt, filler
        + flags.to_bytes(2, "little") + b"\x2e\2\0\x3b\0\x15" + bytes(10)
        + salt * 3 + b"\0mysql_native_password\0",
    )  # fmt: skip


def ok(sequence: int = 1) -> bytes:
    return packet(sequence, b"\0\0\0\2\0\0\0")


def rows(*values: str) -> bytes:
    """Return a result of one column."""
    return _result(1, [[value] for value in values])


def row(*values: str) -> bytes:
    """Return a result of one row."""
    return _result(len(values), [values])


def _result(columns: int, records: Iterable[Iterable[str]]) -> bytes:
    def text(value: str) -> bytes:
        return bytes([len(value.encode())]) + value.encode()

    names = text("def") + text("") * 3 + text("c") + text("c")
    column = names + b"\x0c\x2e\0\xff\0\0\0\xfd\0\0\0\0\0"
    end = b"\xfe\0\0\2\0"
    packed = [b"".join(map(text, record)) for record in records]
    parts = [bytes([columns]), *[column] * columns, end, *packed, end]
    return b"".join(packet(number, part) for number, part in enumerate(parts, 1))


DENIED = packet(2, b"\xff\x15\x04#28000denied")
HELLO = Exchange("QUERY SELECT 'hello'", rows("hello"))


def connected(*exchanges: Exchange) -> list[Exchange]:
    """Return what a driver sends to connect, followed by the exchanges."""
    return [
        Exchange(CONNECT, greeting()),
        Exchange("LOGIN dump", ok(2)),
        Exchange("QUERY SET NAMES utf8mb4", ok()),
        Exchange("QUERY SET AUTOCOMMIT = 0", ok()),
        *exchanges,
    ]


def connected_by_dialect(*exchanges: Exchange, version: bytes = b"v4.2.0") -> list[Exchange]:
    """Return what the dialect sends to connect to a server from 4.2 on, followed by the exchanges."""
    return [
        Exchange(CONNECT, greeting(flags=0xA68F & ~0x0800, version=version)),
        *connected()[1:3],
        Exchange(f"QUERY SET AUTOCOMMIT = 0, {WITHOUT_MODE}", ok()),
        *exchanges,
    ]


@contextmanager
def playing(*exchanges: Exchange) -> Iterator[Player]:
    player = Player(exchanges)
    yield player
    player.close()
