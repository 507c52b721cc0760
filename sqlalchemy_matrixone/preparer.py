"""The quoting of names."""

from __future__ import annotations

from sqlalchemy.dialects.mysql.base import MySQLIdentifierPreparer
from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MYSQL

# Words that 2.2.2, 3.0.14 or 4.2.0 takes for no name of a table, column or index, and MySQL does.
RESERVED_WORDS = frozenset(
    (
        "_binary",
        "apply",
        "auto_update",
        "begin",
        "ccpr",
        "cdc",
        "centroidx",
        "config",
        "coverage",
        "current_role",
        "datalink",
        "dedup",
        "end",
        "escape",
        "force_sync",
        "full",
        "ilike",
        "minus",
        "phyplan",
        "quick",
        "reindex",
        "remove",
        "retention",
        "runs",
        "schedule",
        "sql_buffer_result",
        "sql_no_cache",
        "strict",
        "subscription",
        "sync",
        "sync_interval",
        "temporary",
        "timeout",
        "timezone",
        "until",
        "upgrade",
    )
)


class MatrixOneIdentifierPreparer(MySQLIdentifierPreparer):
    """MySQL's quoting, with the backslash doubled: MatrixOne reads escapes inside backquotes too."""

    reserved_words = RESERVED_WORDS_MYSQL | RESERVED_WORDS

    def _escape_identifier(self, value: str) -> str:
        return super()._escape_identifier(value.replace("\\", "\\\\"))
