"""``matrixone+aiomysql://``"""

from __future__ import annotations

from sqlalchemy.dialects.mysql.aiomysql import MySQLDialect_aiomysql

from .base import MatrixOneDialect


class MatrixOneDialect_aiomysql(MatrixOneDialect, MySQLDialect_aiomysql):  # type: ignore[misc]
    driver = "aiomysql"
    supports_statement_cache = True


dialect = MatrixOneDialect_aiomysql
