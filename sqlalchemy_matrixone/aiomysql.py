"""Connect with aiomysql: ``matrixone+aiomysql://``."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.mysql.aiomysql import MySQLDialect_aiomysql

from .base import MatrixOneDialect


async def connect(**kw: Any) -> Any:
    """Return an aiomysql connection whose transaction this package can track, for use in your own ``async_creator``.

    The arguments are those of ``aiomysql.connect()``.
    """
    from .core.aiomysql_connection import connect

    return await connect(**kw)


class MatrixOneDialect_aiomysql(MatrixOneDialect, MySQLDialect_aiomysql):  # type: ignore[misc]
    """The dialect of ``matrixone+aiomysql://``, for ``create_async_engine()``."""

    driver = "aiomysql"
    supports_statement_cache = True

    def connect(self, *args: Any, **kw: Any) -> Any:
        kw.setdefault("async_creator_fn", connect)
        return super().connect(*args, **kw)


class MatrixOneMySQLDialect_aiomysql(MatrixOneDialect_aiomysql):
    """``mysql+matrixone_aiomysql://``, for applications that check the dialect name for MySQL."""

    name = "mysql"
    supports_statement_cache = True


dialect = MatrixOneDialect_aiomysql
