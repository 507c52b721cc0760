"""Dialect-specific options of tables and indexes: how they are rendered and read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from sqlalchemy import schema


class IndexOption(Enum):
    """How CREATE INDEX says an option, and how the catalog keeps it: as text, whatever it is."""

    NUMBER = auto()
    TEXT = auto()
    COMMENT = auto()
    WORD = auto()
    BOOLEAN = auto()
    COLUMNS = auto()

    def render(self, name: str, value: Any, quote: Callable[[str], str], literal: Callable[[str], str]) -> str:
        """The option in SQL, or nothing where a word goes without saying.

        :param quote: makes a column's name an identifier.
        :param literal: makes a text a string literal.
        """
        match self:
            case IndexOption.NUMBER:
                return f" {name} = {int(value)}"
            case IndexOption.TEXT:
                return f" {name} {literal(str(value))}"
            case IndexOption.COMMENT:
                # The server takes it out of one string literal and puts it into another as it is.
                twice = str(value).replace("\\", "\\\\").replace("'", "''")
                return f" {name} {literal(twice)}"
            case IndexOption.BOOLEAN:
                return f" {name} = {'TRUE' if value else 'FALSE'}"
            case IndexOption.COLUMNS:
                return f" {name} ({', '.join(map(quote, column_names(value)))})"
            case _:
                return f" {name}" if value else ""

    def read(self, text: str) -> Any:
        """The value that the catalog keeps as text."""
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
"""What CREATE INDEX takes after the columns and keeps, as ``matrixone_lists`` and so on."""


PITR_OPTION = "matrixone_pitr"
"""Table option that declares a PITR, for Alembic alone."""


def column_names(columns: Any) -> list[str]:
    """Of one column or a list of them, by name or as such."""
    listed = columns if isinstance(columns, (list, tuple)) else [columns]
    return [column if isinstance(column, str) else column.name for column in listed]


def index_option(index: schema.Index, name: str) -> Any:
    """The option under MatrixOne's name, or under MySQL's for those who come from there."""
    value = index.dialect_options["matrixone"].get(name)
    return index.dialect_options["mysql"].get(name) if value is None else value


def index_kind(index: schema.Index) -> str:
    """``btree``, ``fulltext``, ``ivfflat`` and so on; the first where nothing is said."""
    if str(index_option(index, "prefix")).upper() == "FULLTEXT":
        return "fulltext"
    return str(index_option(index, "using") or "btree").lower()
