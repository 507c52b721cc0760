"""Connect with PyMySQL: ``matrixone+pymysql://``, or ``matrixone://`` for short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

from .base import MatrixOneDialect
from .core.charset import check_requested_charset

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def connect(**kw: Any) -> Any:
    """Return a PyMySQL connection whose transaction this package can track, for use in your own ``creator``.

    The arguments are those of ``pymysql.connect()``::

        create_engine("matrixone+pymysql://", creator=lambda: connect(host="db", user="dump", password=secret()))

    Unlike PyMySQL, and like the other drivers, it marks bytes as such (``binary_prefix``). Otherwise, the server takes
    them for text: it does not find BLOBs of 64 KiB and more by them, and returns them as text, which is not UTF-8.
    """
    from .core.pymysql_connection import PyMySQLConnection

    check_requested_charset(kw)
    kw.setdefault("binary_prefix", True)
    return PyMySQLConnection(**kw)


class MatrixOneDialect_pymysql(MatrixOneDialect, MySQLDialect_pymysql):  # type: ignore[misc]
    """The dialect of ``matrixone://`` and ``matrixone+pymysql://``."""

    driver = "pymysql"
    supports_statement_cache = True

    def connect(self, *args: Any, **kw: Any) -> Any:
        return connect(*args, **kw)

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> type[MatrixOneDialect]:
        """Return the async dialect of a URL; for ``matrixone://``, which names no driver, that of aiomysql."""
        if url.drivername not in ("matrixone", "mysql+matrixone"):
            return cls.get_dialect_cls(url)
        from .aiomysql import MatrixOneDialect_aiomysql, MatrixOneMySQLDialect_aiomysql

        asynchronous = MatrixOneDialect_aiomysql if url.drivername == "matrixone" else MatrixOneMySQLDialect_aiomysql
        return asynchronous.get_dialect_cls(url)


class MatrixOneMySQLDialect_pymysql(MatrixOneDialect_pymysql):
    """``mysql+matrixone://``, for applications that check the dialect name for MySQL."""

    name = "mysql"
    supports_statement_cache = True


dialect = MatrixOneDialect_pymysql
