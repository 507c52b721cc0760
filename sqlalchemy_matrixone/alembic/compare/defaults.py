"""Convert server defaults to a canonical form, so that a declared default compares equal to its reflection."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import DefaultClause, types

from ...core.sqlalchemy_internals import affinity_of

if TYPE_CHECKING:
    from sqlalchemy import Column
    from sqlalchemy.sql.compiler import DDLCompiler
    from sqlalchemy.types import TypeEngine

_LITERAL = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.S)
_LITERALS = re.compile(r"('(?:[^'\\]|''|\\.)*')", re.S)
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
_NOW = re.compile(r"\b(?:now|current_timestamp|localtime|localtimestamp)\b(?:\(\))?(?!\()")
_TODAY = re.compile(r"\b(current_date|current_time)\(\)")
_BITS = re.compile(r"b'([01]+)'", re.I)
_NOW_WITH_PRECISION = re.compile(r"\b(?:now|localtime|localtimestamp)(?=\()")
_NUMERIC = (types.Integer, types.Numeric, types.Boolean)
_TRUTHS = {"true": "1", "false": "0"}


def canonical_default(compiler: DDLCompiler, column: Column[Any], type_: TypeEngine[Any]) -> str | None:
    """Return the server default of a column in a canonical form; None if it has none.

    :param type_: the declared type of the column: ``'007'`` and ``7`` are the same number, but different strings.
    """
    if not isinstance(column.server_default, DefaultClause):
        return None
    default = compiler.get_column_default_string(column)
    # Types that are specific to MySQL, such as BIT and YEAR, have no affinity. Their literals are compared unchanged.
    return None if default is None else _canonical(default.strip(), issubclass(affinity_of(type_), _NUMERIC))


@lru_cache(maxsize=512)  # a database has many defaults, but few different ones
def _canonical(default: str, numeric: bool) -> str | None:
    while _is_in_parentheses(default):
        default = default[1:-1].strip()
    if default.lower() == "null":
        return None
    if bits := _BITS.fullmatch(default):
        return f"0b{bits[1]}"
    literal = _LITERAL.fullmatch(default)
    value = literal[1].replace("''", "'") if literal else default
    if numeric:
        value = _TRUTHS.get(value.lower(), value)
        if _NUMBER.fullmatch(value):
            return _number(value)
    if literal or _NUMBER.fullmatch(value):
        return f"'{value}'"
    # In the parts of an expression, every second one is a literal.
    parts = [part if place % 2 else _words(part) for place, part in enumerate(_LITERALS.split(default))]
    return "".join(parts)


def _words(text: str) -> str:
    """Return SQL that contains no literal in lower case and without white space."""
    text = _NOW_WITH_PRECISION.sub("current_timestamp", _NOW.sub("current_timestamp", text.lower()))
    text = _TODAY.sub(r"\1", text)
    return re.sub(r"\s+", "", text)


def _number(text: str) -> str:
    return f"{Decimal(text).normalize():f}"


def _is_in_parentheses(text: str) -> bool:
    """Return whether the last parenthesis closes the first one."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    text = _LITERALS.sub(lambda literal: "'" * len(literal[0]), text)
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position == len(text) - 1
    return False
