"""Convert types to a canonical form, so that a declared type compares equal to its reflection."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

_ENUMERATED = re.compile(r"(?:ENUM|SET)\((?:'(?:[^'\\]|''|\\.)*'(?:,|(?=\))))*\)", re.S)
_TYPE = re.compile(r"(?P<name>[A-Z][A-Z0-9_]*(?: PRECISION)?)(?: ?\((?P<size>[\d, ]+)\))?(?P<rest>.*)", re.S)
# What the server accepts, but does not store.
_NOT_KEPT = re.compile(r" (?:CHARACTER SET \S+|COLLATE \S+|ASCII|UNICODE|BINARY|ZEROFILL)")

_NAMES = {"NUMERIC": "DECIMAL", "INT": "INTEGER", "BOOLEAN": "BOOL", "DOUBLE PRECISION": "DOUBLE", "REAL": "DOUBLE"}
_WITHOUT_SIZE = frozenset(("TINYINT", "SMALLINT", "MEDIUMINT", "INTEGER", "BIGINT", "YEAR"))
_WITHOUT_SIGN = frozenset(("DECIMAL", "FLOAT", "DOUBLE"))
_DEFAULT_SIZES = {
    "BINARY": "1",
    "BIT": "1",
    "CHAR": "1",
    "DECIMAL": "38",
    "VARBINARY": "65535",
    "VARCHAR": "65535",
    "DATETIME": "0",
    "TIME": "0",
    "TIMESTAMP": "0",
}
_DEFAULT_DIMENSION = "65535"
_BITS_OF_FLOAT = 23


def canonical_type(dialect: Dialect, type_: TypeEngine[Any]) -> str:
    """Return a type as in CREATE TABLE, with the server's defaults, and without what the server does not store."""
    return _canonical(dialect.type_compiler_instance.process(type_))


@lru_cache(maxsize=512)  # a database has many columns, but few types
def _canonical(rendered: str) -> str:
    if enumerated := _ENUMERATED.match(rendered):
        return enumerated[0]
    match = _TYPE.fullmatch(rendered.upper())
    if match is None:
        return rendered
    name, size = _with_size(_NAMES.get(match["name"], match["name"]), (match["size"] or "").replace(" ", ""))
    rest = _NOT_KEPT.sub("", match["rest"])
    if name in _WITHOUT_SIGN:
        rest = rest.replace(" UNSIGNED", "")
    return f"{name}({size}){rest}"


def _with_size(name: str, size: str) -> tuple[str, str]:
    if name in _WITHOUT_SIZE:
        return name, ""
    if name == "FLOAT" and size.isdigit():
        return "FLOAT" if int(size) <= _BITS_OF_FLOAT else "DOUBLE", ""
    size = size or (_DEFAULT_DIMENSION if name.startswith("VEC") else _DEFAULT_SIZES.get(name, ""))
    return name, f"{size},0" if name == "DECIMAL" and "," not in size else size
