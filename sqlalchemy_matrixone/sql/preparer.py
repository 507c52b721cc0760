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


ALL_RESERVED_WORDS = RESERVED_WORDS_MYSQL | RESERVED_WORDS

STRING_LITERAL = r"""'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'|"[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+\""""
_NAME = r"(?:[^\W\d]\w*+|`[^`]*+`)"
# Qualified names. Literals and comments come first, so that what looks like a name in them is not one.
_LITERAL_OR_QUALIFIED_NAME = re.compile(
    STRING_LITERAL + r"""|/\*.*?\*/|(?:--\s|//|\#)[^\n]*+"""
    rf"|(?<![\w@:$.])(?P<name>{_NAME}(?:\s*+\.\s*+{_NAME})++)|{_NAME}|['\"`].*",
    re.S,
)
_PART = re.compile(rf"(?<=\.)(\s*+)({_NAME})|{_NAME}")


def quote_after_period(text: str) -> str:
    """Quote the reserved words that follow a period in SQL, as in ``metrics.key``.

    MySQL treats every word after a period as a name. For MatrixOne it is a syntax error if the word is reserved.
    """
    if "." not in text:
        return text
    return _LITERAL_OR_QUALIFIED_NAME.sub(lambda match: _quote_parts(match["name"] or "") or match[0], text)


def _quote_parts(name: str) -> str:
    return _PART.sub(_quote_part, name)


def _quote_part(part: re.Match[str]) -> str:
    blanks, word = part.groups(default="")
    return f"{blanks}`{word}`" if word.lower() in ALL_RESERVED_WORDS else part[0]


class MatrixOneIdentifierPreparer(MySQLIdentifierPreparer):
    """Extend MySQL's quoting by the words that are reserved only in MatrixOne."""

    reserved_words = ALL_RESERVED_WORDS
    # Without re.ASCII, [A-Z] also matches a dotless ı and a long ſ if case is ignored.
    legal_characters = re.compile(r"[A-Z0-9_$]+\Z", re.IGNORECASE | re.ASCII)

    def _escape_identifier(self, value: str) -> str:
        # A backslash belongs to the name, as on MySQL. Before 4.0, however, it escapes a backquote that follows it.
        if _HIDES_A_QUOTE.search(value):
            raise MatrixOneCompileError(
                f"MatrixOne cannot read the name {value!r}: a backslash must not be at its end or before a backquote"
            )
        return super()._escape_identifier(value)
