"""Compare indexes by the options that the server stores in addition to their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Index, MetaData, Table

from ...core.names import fold
from ...core.options import INDEX_OPTIONS, IndexOption, column_names, index_kind, index_option

# The options that the server stores, by the kind of index. It ignores any other option, so the absence of one means
# nothing.
_KEPT = {
    "fulltext": {"with_parser", "async", "comment"},
    "hnsw": {"m", "ef_construction", "ef_search", "op_type", "max_index_capacity", "async", "comment"},
    "ivfflat": {
        "lists",
        "op_type",
        "quantization",
        "kmeans_train_percent",
        "kmeans_max_iteration",
        "async",
        "auto_update",
        "day",
        "hour",
        "include",
        "comment",
    },
}
_KEPT_BY_OTHERS = {"comment"}
_OPTIONS = ("with_parser", *INDEX_OPTIONS)


def index_differences(
    declared: Index, reflected: Index, has_length: Callable[[Column[Any], int], bool]
) -> Iterator[str]:
    """Yield the differences between an index in the model and on the server.

    What the model leaves open is not compared, because the server fills it in.

    :param has_length: returns whether the prefix length of a column is part of the index that CREATE INDEX creates.
    """
    kinds = index_kind(reflected), index_kind(declared)
    if kinds[0] != kinds[1]:
        yield f"{kinds[0]} to {kinds[1]}"
        return
    for name in _declared_options(declared):
        new, old = (_comparable(name, index_option(index, name)) for index in (declared, reflected))
        if new != old and (old is not None or name in _KEPT.get(kinds[0], _KEPT_BY_OTHERS)):
            yield f"{name} {old} to {new}"
    if index_option(declared, "length") is None:
        return
    columns = {fold(column.name): column for column in declared.columns}
    new = {name: n for name, n in _lengths(declared).items() if name in columns and has_length(columns[name], n)}
    old = {name: n for name, n in _lengths(reflected).items() if name in columns}
    if new != old:
        yield f"length {old} to {new}"


def _declared_options(index: Index) -> list[str]:
    """Return the options that an index in the model declares and that the server may store."""
    # Most indexes declare none. To look for each option would take longer than the rest of the comparison.
    given = {keyword.partition("_")[2] for keyword in index.dialect_kwargs}
    return [name for name in _OPTIONS if name in given and index_option(index, name) is not None]


def renamed_index(
    reflected: Mapping[str, Any], table: str, schema: str | None, key: Sequence[str], names: Mapping[str, str]
) -> Index:
    """Return a reflected index for a table whose columns were renamed.

    If the index contains the whole primary key, the key is left out: the server adds it to each index by itself.
    """
    columns = reflected["column_names"]
    if set(key) <= set(columns):
        columns = [column for column in columns if column not in key]
    renamed = [names.get(column, column) for column in columns]
    owner = Table(table, MetaData(), *(Column(column) for column in renamed), schema=schema)
    return Index(reflected["name"], *(owner.c[column] for column in renamed), **reflected.get("dialect_options", {}))


def _comparable(name: str, value: Any) -> Any:
    """Return the value of an option in lower case; None for one that is off, which the server does not store."""
    if value is not None and INDEX_OPTIONS.get(name) is IndexOption.COLUMNS:
        return [fold(column) for column in column_names(value)]
    if not value:
        return None
    return value if name == "comment" else str(value).lower()


def _lengths(index: Index) -> dict[str, int]:
    """Return the prefix length of each column that has one."""
    length = index_option(index, "length")
    if length is None:
        return {}
    lengths = (
        length if isinstance(length, Mapping) else dict.fromkeys((column.name for column in index.columns), length)
    )
    return {fold(str(name)): int(number) for name, number in lengths.items()}
