"""The character sets in which a connection may send statements."""

from __future__ import annotations

import asyncio
from typing import Any

import pymysql
import pytest

from sqlalchemy_matrixone import aiomysql, asyncmy
from sqlalchemy_matrixone import pymysql as ours
from sqlalchemy_matrixone.core.charset import check_charset
from sqlalchemy_matrixone.core.driver_internals import charset_of
from sqlalchemy_matrixone.exc import MatrixOneArgumentError

ELSEWHERE = {"host": "127.0.0.1", "port": 1, "user": "dump"}  # where no server listens


@pytest.mark.parametrize("charset", ["utf8mb4", "utf8", "UTF8MB4", "ascii"])
def test_charset_that_the_server_reads_is_accepted(charset: str):
    check_charset(charset)


@pytest.mark.parametrize("charset", ["gbk", "GBK", "big5", "sjis", "cp932", "gb18030", "latin1", "utf16", "unknown"])
@pytest.mark.parametrize("driver", [ours, aiomysql, asyncmy])
def test_charset_that_the_server_would_misread_is_refused_before_connecting(driver: Any, charset: str):
    async def connect() -> None:
        await driver.connect(charset=charset, **ELSEWHERE)

    with pytest.raises(MatrixOneArgumentError, match=rf"(?i)charset='{charset}' is refused, and nothing was sent"):
        driver.connect(charset=charset, **ELSEWHERE) if driver is ours else asyncio.run(connect())


def test_charset_of_a_foreign_connection_is_known():
    connection = pymysql.connections.Connection(charset="gbk", defer_connect=True)
    assert charset_of(connection) == "gbk"
