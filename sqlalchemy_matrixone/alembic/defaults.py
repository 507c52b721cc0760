"""Server defaults in one spelling, so that what was declared compares equal to what is reflected of it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import DefaultClause

if TYPE_CHECKING:
    from sqlalchemy import Column, Dialect

_LITERAL = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.S)
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
_NOW = re.compile(r"\b(?:now|current_timestamp|localtime|localtimestamp)\b(?:\(\))?(?!\()")
_NOW_WITH_PRECISION = re.compile(r"\b(?:now|localtime|localtimestamp)(?=\()")


def spelling(dialect: Dialect, column: Column[Any]) -> str | None:
    """The server default of a column, in a form that is the same for all ways to write it; None without one."""
    if not isinstance(column.server_default, DefaultClause):
        return None
    compiler = dialect.ddl_compiler(dialect, None)  # type: ignore[arg-type]
    default = compiler.get_column_default_string(column)
    return None if default is None else _spelling(default.strip())


def _spelling(default: str) -> str:
    while _is_in_parentheses(default):
        default = default[1:-1].strip()
    if literal := _LITERAL.fullmatch(default):
        value = literal[1].replace("''", "'")
        return _number(value) if _NUMBER.fullmatch(value) else f"'{value}'"
    if _NUMBER.fullmatch(default):
        return _number(default)
    text = _NOW_WITH_PRECISION.sub("current_timestamp", _NOW.sub("current_timestamp", default.lower()))
    return {"true": "1", "false": "0", "null": ""}.get(text, re.sub(r"\s+", "", text))


def _number(text: str) -> str:
    return f"{Decimal(text).normalize():f}"


def _is_in_parentheses(text: str) -> bool:
    """Whether the first parenthesis is closed by the last."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position == len(text) - 1
    return False
