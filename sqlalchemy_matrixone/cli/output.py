"""Output of the command line: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH = 110
"""The width of output that does not go to a terminal."""


def console(*, stderr: bool = False) -> Console:
    """Return a console for the current standard output or error."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _WIDTH, highlight=False, markup=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], empty: str) -> None:
    """Print rows, or the text ``empty`` if there are none."""
    shown = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(Text(cell(value)) for value in row))
    console().print(shown if shown.row_count else empty)


def cell(value: Any) -> str:
    """Return a value as the text of a table cell."""
    if value is None:
        return "-"
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    shown = plain_name(value) if isinstance(value, enum.Enum) else str(value)
    # Replace control characters, which a terminal would obey.
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in shown)


def plain_name(value: enum.Enum) -> str:
    """Return the value of an enum member as text."""
    return str(value.value)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    print(json.dumps(_plain(value), ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    """Return a value converted to types that JSON supports."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return plain_name(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in value]
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
