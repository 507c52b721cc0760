"""``matrixone+asyncmy://``"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy

from .base import MatrixOneDialect


async def connect(**kw: Any) -> Any:
    """Return a connection of asyncmy whose transaction this package can follow, for an ``async_creator`` of yours.

    Takes what ``asyncmy.connect()`` takes.
    """
    from .core.asyncmy_connection import connect

    return await connect(**kw)


class MatrixOneDialect_asyncmy(MatrixOneDialect, MySQLDialect_asyncmy):  # type: ignore[misc]
    driver = "asyncmy"
    supports_statement_cache = True

    def connect(self, *args: Any, **kw: Any) -> Any:
        kw.setdefault("async_creator_fn", connect)
        return super().connect(*args, **kw)


class MatrixOneMySQLDialect_asyncmy(MatrixOneDialect_asyncmy):
    """``mysql+matrixone_asyncmy://``: for applications that look for MySQL by its name."""

    name = "mysql"
    supports_statement_cache = True


dialect = MatrixOneDialect_asyncmy
