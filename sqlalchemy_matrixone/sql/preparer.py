"""Quote names."""

from __future__ import annotations

import re

from sqlalchemy.dialects.mysql.base import MySQLIdentifierPreparer
from sqlalchemy.dialects.mysql.reserved_words import RESERVED_WORDS_MYSQL

from ..exc import MatrixOneCompileError

_HIDES_A_QUOTE = re.compile(r"\\(?:`|$)")

# Words that 2.2.2, 3.0.14 or 4.2.0 does not accept as the name of a table, column or index, although MySQL does.
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
    """Extend MySQL's quoting by the words that are reserved only in MatrixOne."""

    reserved_words = RESERVED_WORDS_MYSQL | RESERVED_WORDS
    # Without re.ASCII, [A-Z] also matches a dotless ı and a long ſ if case is ignored.
    legal_characters = re.compile(r"[A-Z0-9_$]+\Z", re.IGNORECASE | re.ASCII)

    def _escape_identifier(self, value: str) -> str:
        # A backslash belongs to the name, as on MySQL. Before 4.0, however, it escapes a backquote that follows it.
        if _HIDES_A_QUOTE.search(value):
            raise MatrixOneCompileError(
                f"MatrixOne cannot read the name {value!r}: a backslash must not be at its end or before a backquote"
            )
        return super()._escape_identifier(value)
