"""Window functions whose default frame the server gets wrong."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Table, UnaryExpression, util
from sqlalchemy.sql.elements import Over

from ..core.release import Feature, format_release

# These do not depend on where the frame ends.
_WITHOUT_END = frozenset(
    ("row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value")
)
_OF_THE_END = frozenset(("last_value", "nth_value"))


def with_frame(over: Over[Any]) -> Over[Any]:
    """Return a window with its default frame written out, if the server would take the whole partition instead."""
    has_frame = any(frame is not None for frame in (over.range_, over.rows, over.groups))
    if over.order_by is None or has_frame or _name_of(over) not in _OF_THE_END:
        return over
    return Over(over.element, over.partition_by, list(over.order_by), range_=(None, 0))


def warn_of_peers(over: Over[Any]) -> None:
    """Warn if the server would treat rows as peers that are equal only in the last of several keys."""
    keys = [] if over.order_by is None else list(over.order_by)
    if len(keys) < 2 or over.rows is not None or _name_of(over) in _WITHOUT_END or _is_unique(keys[-1]):
        return
    util.warn(
        f"{_name_of(over)}() OVER (ORDER BY {', '.join(map(str, keys))}): before "
        f"{format_release(Feature.WINDOW_PEERS.since)} MatrixOne treats rows as equal if they are equal in the last "
        "key, so that the result is wrong. Use rows=(None, 0), or make a unique column the last key."
    )


def _name_of(over: Over[Any]) -> str:
    return str(getattr(over.element, "name", "")).lower()


def _is_unique(key: Any) -> bool:
    """Return whether a key is the primary key of a table, or a UNIQUE column."""
    while isinstance(key, UnaryExpression):
        key = key.element
    if not isinstance(key, Column) or not isinstance(key.table, Table):
        return False
    return bool(key.unique) or list(key.table.primary_key.columns) == [key]
