"""Render dialect-specific options of tables and indexes, and read them back."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from sqlalchemy import schema


class IndexOption(Enum):
    """How CREATE INDEX renders an option, and how it is read back from the catalog, which stores it as text."""

    NUMBER = auto()
    TEXT = auto()
    COMMENT = auto()
    WORD = auto()
    BOOLEAN = auto()
    COLUMNS = auto()

    def render(
        self,
        name: str,
        value: Any,
        quote: Callable[[str], str],
        literal: Callable[[str], str],
        *,
        comment_is_escaped: bool,
    ) -> str:
        """Return the option as SQL; empty for a keyword that is switched off.

        :param quote: converts the name of a column to an identifier.
        :param literal: converts a string to a string literal.
        :param comment_is_escaped: whether the server escapes a comment when it writes it into the catalog.
        """
        match self:
            case IndexOption.NUMBER:
                return f" {name} = {int(value)}"
            case IndexOption.TEXT:
                return f" {name} {literal(str(value))}"
            case IndexOption.COMMENT if comment_is_escaped:
                return f" {name} {literal(str(value))}"
            case IndexOption.COMMENT:
                # The server reads the value from one string literal and inserts it unescaped into another.
                twice = str(value).replace("\\", "\\\\").replace("'", "''")
                return f" {name} {literal(twice)}"
            case IndexOption.BOOLEAN:
                return f" {name} = {'TRUE' if value else 'FALSE'}"
            case IndexOption.COLUMNS:
                return f" {name} ({', '.join(map(quote, column_names(value)))})"
            case _:
                return f" {name}" if value else ""

    def read(self, text: str) -> Any:
        """Return the value that the catalog stores as text."""
        match self:
            case IndexOption.NUMBER:
                return int(text) if text.isdigit() else text
            case IndexOption.TEXT | IndexOption.COMMENT:
                return text
            case IndexOption.COLUMNS:
                return json.loads(text) if text.startswith("[") else text.split(",")
            case _:
                return text == "true"


INDEX_OPTIONS = {
    "lists": IndexOption.NUMBER,
    "m": IndexOption.NUMBER,
    "ef_construction": IndexOption.NUMBER,
    "ef_search": IndexOption.NUMBER,
    "op_type": IndexOption.TEXT,
    "quantization": IndexOption.TEXT,
    "distribution_mode": IndexOption.TEXT,
    "bits_per_code": IndexOption.NUMBER,
    "intermediate_graph_degree": IndexOption.NUMBER,
    "graph_degree": IndexOption.NUMBER,
    "itopk_size": IndexOption.NUMBER,
    "kmeans_train_percent": IndexOption.NUMBER,
    "kmeans_max_iteration": IndexOption.NUMBER,
    "max_index_capacity": IndexOption.NUMBER,
    "quantizer_train_limit": IndexOption.NUMBER,
    "async": IndexOption.WORD,
    "force_sync": IndexOption.WORD,
    "auto_update": IndexOption.BOOLEAN,
    "day": IndexOption.NUMBER,
    "hour": IndexOption.NUMBER,
    "include": IndexOption.COLUMNS,
    "comment": IndexOption.COMMENT,
}
"""The options that CREATE INDEX accepts after the columns and stores, given as ``matrixone_lists`` and so on."""


PITR_OPTION = "matrixone_pitr"
"""Table option that declares a PITR. Only Alembic uses it."""


def column_names(columns: Any) -> list[str]:
    """Return the names of one column or of a list of columns, each given by its name or as an object."""
    listed = columns if isinstance(columns, (list, tuple)) else [columns]
    return [column if isinstance(column, str) else column.name for column in listed]


def index_option(index: schema.Index, name: str) -> Any:
    """Return an option given as ``matrixone_…`` or, for users who come from MySQL, as ``mysql_…``."""
    value = index.dialect_options["matrixone"].get(name)
    return index.dialect_options["mysql"].get(name) if value is None else value


def index_kind(index: schema.Index) -> str:
    """Return the kind of an index: ``btree``, ``fulltext``, ``ivfflat`` and so on; ``btree`` if none is declared."""
    if str(index_option(index, "prefix")).upper() == "FULLTEXT":
        return "fulltext"
    return str(index_option(index, "using") or "btree").lower()
