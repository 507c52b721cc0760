"""Connect with asyncmy: ``matrixone+asyncmy://``."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy

from .base import MatrixOneDialect


async def connect(**kw: Any) -> Any:
    """Return an asyncmy connection whose transaction this package can track, for use in your own ``async_creator``.

    The arguments are those of ``asyncmy.connect()``.
    """
    from .core.asyncmy_connection import connect

    return await connect(**kw)


class MatrixOneDialect_asyncmy(MatrixOneDialect, MySQLDialect_asyncmy):  # type: ignore[misc]
    """The dialect of ``matrixone+asyncmy://``, for ``create_async_engine()``."""

    driver = "asyncmy"
    supports_statement_cache = True

    def connect(self, *args: Any, **kw: Any) -> Any:
        kw.setdefault("async_creator_fn", connect)
        return super().connect(*args, **kw)


class MatrixOneMySQLDialect_asyncmy(MatrixOneDialect_asyncmy):
    """``mysql+matrixone_asyncmy://``, for applications that check the dialect name for MySQL."""

    name = "mysql"
    supports_statement_cache = True


dialect = MatrixOneDialect_asyncmy
