"""``matrixone+asyncmy://``"""

from __future__ import annotations

from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy

from .base import MatrixOneDialect


class MatrixOneDialect_asyncmy(MatrixOneDialect, MySQLDialect_asyncmy):  # type: ignore[misc]
    driver = "asyncmy"
    supports_statement_cache = True


dialect = MatrixOneDialect_asyncmy
