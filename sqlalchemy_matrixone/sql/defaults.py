"""Render column defaults so that ALTER TABLE preserves them.

The server stores a default as SQL. It inserts that SQL into a generated CREATE TABLE when an ALTER TABLE copies the
table, and for SHOW CREATE TABLE. Quotes in the default are then handled as follows:

=======  ==============================  ===========================================
release  ``'it''s'``                     ``(concat('a', 'b'))``
=======  ==============================  ===========================================
2.2      is kept                         fails: the table can no longer be altered
3.0      is kept                         is kept
4.0      becomes ``'it''''s'``           fails, as does ``('it''s')``
4.2      likewise, unless parenthesized  is kept
=======  ==============================  ===========================================

For a release on which that fails, strings are written as hexadecimal literals, which contain no quotes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import types
from sqlalchemy.dialects.mysql import SET

from ..core.release import Feature, Release

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

_TO_ESCAPE = re.compile(r"['\\]")
# A string literal, but not b'101' or x'41'.
_TEXT = re.compile(r"""(?<![\w'"])(['"])((?:(?!\1)[^\\]|\1\1|\\.)*)\1""", re.S)
_WITHOUT_QUOTES = re.compile(r"(?:[^'\\]|\\[^'])*+", re.S)
_ON_UPDATE = re.compile(r" ON UPDATE .*", re.S)
_ESCAPE = re.compile(r"''|\"\"|\\(.)", re.S)
_MEANINGS = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": r"\%", "_": r"\_"}


def kept_by_alter(default: str, type_: TypeEngine[Any], release: Release, percent: str = "%") -> str:
    """Return a default in a form that ALTER TABLE preserves.

    :param default: the default as SQL.
    :param type_: the type of the column.
    :param percent: how a percent sign is written in the default.
    :raises sqlalchemy.exc.CompileError: if the release has no such form.
    """
    value = _ON_UPDATE.sub("", default)
    if Feature.DEFAULT_IN_PARENTHESES.in_release(release):
        return f"({default})" if value.startswith("'") and _TO_ESCAPE.search(value[1:-1]) else default
    if _survives(value, release):
        return default
    if isinstance(type_, (types.Enum, SET)):
        Feature.DEFAULT_IN_PARENTHESES.require(release, f"The default {default} of an ENUM or SET")
    return _TEXT.sub(lambda text: _hexadecimal(text[2].replace(percent, "%")), default)


def _survives(value: str, release: Release) -> bool:
    """Return whether a release before 4.2 preserves a default unchanged."""
    doubled = Feature.DEFAULT_QUOTES_DOUBLED.in_release(release)
    if text := _TEXT.fullmatch(value):
        return not doubled or _WITHOUT_QUOTES.fullmatch(text[2]) is not None
    return Feature.DEFAULT_OF_EXPRESSION.in_release(release) and not doubled


def _hexadecimal(literal: str) -> str:
    text = _ESCAPE.sub(lambda escape: _MEANINGS.get(escape[1], escape[1]) if escape[1] else escape[0][0], literal)
    return f"0x{text.encode().hex()}" if text else "space(0)"
