"""Convert the catalog's text of a column type to a type object."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import types, util
from sqlalchemy.dialects import mysql

from ..types import DATALINK, GEOMETRY, UUID, VECTORS


class _TypeParts(NamedTuple):
    width: int
    scale: int
    unsigned: bool
    values: str


_TYPE = re.compile(r"(?P<name>[A-Z][A-Z0-9]*)(?P<unsigned> UNSIGNED)?(?:\((?P<width>\d+)(?:,\s*\d+)?\))?", re.I)


_GEOMETRIES = frozenset(
    (
        "GEOMETRY",
        "POINT",
        "LINESTRING",
        "POLYGON",
        "MULTIPOINT",
        "MULTILINESTRING",
        "MULTIPOLYGON",
        "GEOMETRYCOLLECTION",
    )
)


def _int(parts: _TypeParts) -> types.TypeEngine[Any]:
    return (mysql.MEDIUMINT if parts.width == 24 else mysql.INTEGER)(unsigned=parts.unsigned or None)


def _bigint(parts: _TypeParts) -> types.TypeEngine[Any]:
    # The catalog describes a SET as a BIGINT that has values.
    if not parts.values:
        return mysql.BIGINT(unsigned=parts.unsigned or None)
    values = _values(parts.values)
    # SQLAlchemy distinguishes a blank value from no value only by its number.
    return mysql.SET(*values, retrieve_as_bitwise="" in values)


def _float(type_: Callable[..., types.TypeEngine[Any]]) -> Callable[[_TypeParts], types.TypeEngine[Any]]:
    def of(parts: _TypeParts) -> types.TypeEngine[Any]:
        size = (parts.width, parts.scale) if parts.width and parts.scale >= 0 else ()
        return type_(*size, unsigned=parts.unsigned or None)

    return of


def _geometry(text: str) -> types.TypeEngine[Any]:
    kind, _, srid = text.partition(" SRID ")
    return GEOMETRY(kind, int(srid) if srid else None)


_TYPES: dict[str, Callable[[_TypeParts], types.TypeEngine[Any]]] = {
    "BOOL": lambda parts: mysql.BOOLEAN(),
    "TINYINT": lambda parts: mysql.TINYINT(unsigned=parts.unsigned or None),
    "SMALLINT": lambda parts: mysql.SMALLINT(unsigned=parts.unsigned or None),
    "INT": _int,
    "BIGINT": _bigint,
    "FLOAT": _float(mysql.FLOAT),
    "DOUBLE": _float(mysql.DOUBLE),
    "DECIMAL": lambda parts: mysql.DECIMAL(parts.width, parts.scale),
    "CHAR": lambda parts: mysql.CHAR(parts.width),
    "VARCHAR": lambda parts: mysql.VARCHAR(parts.width),
    "TEXT": lambda parts: mysql.TEXT(),
    "BINARY": lambda parts: types.BINARY(parts.width),
    "VARBINARY": lambda parts: types.VARBINARY(parts.width),
    "BLOB": lambda parts: types.BLOB(),
    "JSON": lambda parts: mysql.JSON(),
    "DATE": lambda parts: types.DATE(),
    "DATETIME": lambda parts: mysql.DATETIME(fsp=parts.width or None),
    "TIMESTAMP": lambda parts: mysql.TIMESTAMP(fsp=parts.width or None),
    "TIME": lambda parts: mysql.TIME(fsp=parts.width or None),
    "YEAR": lambda parts: mysql.YEAR(),
    "BIT": lambda parts: mysql.BIT(parts.width),
    "ENUM": lambda parts: mysql.ENUM(*_values(parts.values)),
    "UUID": lambda parts: UUID(),
    "DATALINK": lambda parts: DATALINK(),
    "GEOMETRY": lambda parts: GEOMETRY(parts.values or "GEOMETRY"),
    **{
        vector.__visit_name__: (lambda parts, vector=vector: vector(parts.width))  # type: ignore[misc]
        for vector in VECTORS
    },
}


def _scale(encoded_type: str) -> int:
    """Decode the scale from the last four bytes of a type, whose lowest bit is the sign. -1 stands for no scale."""
    number = int(encoded_type[-8:], 16)
    return (number >> 1) ^ -(number & 1)


def _values(text: str) -> list[str]:
    """Split the values of an ENUM or SET: at commas, or as JSON if one of them contains a comma."""
    _, json_mark, values = text.partition(":") if text.startswith("\0") else ("", "", "")
    return list(json.loads(values)) if json_mark else text.split(",")


def column_type(name: str, text: str, encoded: str, values: str) -> types.TypeEngine[Any]:
    """Return the type of a column.

    :param name: the column's name, for a warning.
    :param text: the type as text, such as ``DECIMAL(10,2)``.
    :param encoded: the same type in the server's encoding, in hexadecimal digits.
    :param values: the values of an ENUM or SET, or the kind of a geometry.
    """
    match = _TYPE.fullmatch(text)
    type_name = match["name"].upper() if match else text
    if match is None or type_name not in _TYPES:
        if type_name.split(" SRID ")[0] in _GEOMETRIES:
            return _geometry(type_name)
        util.warn(f"Did not recognize type {text!r} of column {name!r}")
        return types.NULLTYPE
    width, unsigned = int(match["width"] or 0), bool(match["unsigned"])
    return _TYPES[type_name](_TypeParts(width, _scale(encoded), unsigned, values or ""))
