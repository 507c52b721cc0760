"""The quoting of names."""

from __future__ import annotations

from sqlalchemy.dialects.mysql.base import MySQLIdentifierPreparer


class MatrixOneIdentifierPreparer(MySQLIdentifierPreparer):
    """MySQL's quoting, with the backslash doubled: MatrixOne reads escapes inside backquotes too."""

    def _escape_identifier(self, value: str) -> str:
        return super()._escape_identifier(value.replace("\\", "\\\\"))
