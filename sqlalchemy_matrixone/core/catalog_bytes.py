"""Decode what the catalog stores as bytes: the columns of foreign keys in order, and CHECK constraints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ReflectedCheckConstraint

# Types of the sections of a table's constraints.
_REFERRING_TABLES, _FOREIGN_KEYS, _PRIMARY_KEY = 1, 2, 3
# Field numbers in the server's protocol buffers: SchemaExtra.checks, CheckDef.name and .origin_sql.
_CHECKS, _CHECK_NAME, _CHECK_TEXT = 18, 1, 3


SELF = 0
"""What :func:`referring_tables` returns for the table itself."""


def foreign_key_columns(constraints: str) -> dict[str, list[int]]:
    """Decode the column numbers of each foreign key, in order, from the ``constraint`` of a table."""
    keys = {}
    for section, message in _sections(constraints):
        if section == _FOREIGN_KEYS:
            fields = dict(_fields(message))
            name, columns = (cast("bytes", fields.get(number, b"")) for number in (1, 2))
            keys[name.decode()] = list(_varints(columns))
    return keys


def referring_tables(constraints: str) -> list[int]:
    """Decode the ids (``rel_id``) of the tables whose foreign keys refer to a table, from its ``constraint``."""
    return [int.from_bytes(message) for section, message in _sections(constraints) if section == _REFERRING_TABLES]


def _sections(constraints: str) -> Iterator[tuple[int, bytes]]:
    """Yield the messages of a table's ``constraint``, each with the type of its section.

    Each section consists of a type, a count, and that number of messages.
    """
    data = bytes.fromhex(constraints)
    position = 0
    while position < len(data):
        section, count = data[position], int.from_bytes(data[position + 1 : position + 9])
        position += 9
        if section == _PRIMARY_KEY:
            position += count
            continue
        for _ in range(count):
            length = 8
            if section != _REFERRING_TABLES:
                length = int.from_bytes(data[position : position + 8])
                position += 8
            yield section, data[position : position + length]
            position += length


def check_constraints(extra: str | None) -> Iterator[ReflectedCheckConstraint]:
    """Yield the CHECK constraints from a table's ``extra_info``, the only place in the catalog that has them."""
    for number, check in _fields(bytes.fromhex(extra or "")):
        if number == _CHECKS and isinstance(check, bytes):
            parts = dict(_fields(check))
            name, text = (cast("bytes", parts.get(part, b"")).decode() for part in (_CHECK_NAME, _CHECK_TEXT))
            yield {"name": None if name.startswith("__mo_") else name, "sqltext": text}


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protocol-buffers message, each with its number."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if wire_type == 2:
            length, position = _varint(message, position)
        elif wire_type in (1, 5):
            length = 8 if wire_type == 1 else 4
        else:
            return
        yield number, message[position : position + length]
        position += length


def _varints(message: bytes) -> Iterator[int]:
    position = 0
    while position < len(message):
        value, position = _varint(message, position)
        yield value


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
