"""Correlated subqueries with LIMIT, which the server applies to all rows instead of those of each outer row.

``SELECT n FROM toy WHERE toy.child_id = child.id ORDER BY n LIMIT 1`` returns one row for all children together. The
same rows can be selected by their numbers among those of the same ``child_id``, without a LIMIT::

    SELECT t.c0 FROM (
        SELECT n AS c0, child_id AS k0, row_number() OVER (PARTITION BY child_id ORDER BY n …) AS position FROM toy
    ) AS t WHERE t.k0 = child.id AND t.position <= 1
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import FromClause, Select, case, func, select
from sqlalchemy.sql.elements import ColumnClause, ColumnElement, Over
from sqlalchemy.sql.selectable import SelectBase

from ..core.sqlalchemy_internals import (
    is_only_a_name,
    is_plain,
    limit_of,
    order_by_of,
    sorted_expression,
)
from .expressions import (
    columns_outside_subqueries,
    criteria_of,
    has_aggregate,
    is_aggregate,
    is_equality,
    mentions,
    parts_of,
)


class LimitsCorrelated(Exception):
    """Interrupts the rendering of a SELECT that is rendered as another one instead."""

    def __init__(self, replacement: Select[Any]) -> None:
        super().__init__()
        self.replacement = replacement


def with_row_numbers(
    statement: Select[Any], own: Sequence[FromClause], outer: Collection[FromClause]
) -> Select[Any] | None:
    """Return a SELECT of the same rows without LIMIT, or None if it is not known how to write it.

    :param own: the elements of its FROM, in order.
    :param outer: the tables of enclosing SELECTs.
    """
    limits, keys = limit_of(statement), [sorted_expression(key, statement) for key in order_by_of(statement)]
    pairs = [_pair(part, outer) for part in criteria_of(statement) if mentions(part, outer)]
    columns: list[Any] = list(statement.inner_columns)
    are_of_rows = all(_is_of_row(part, outer) for part in (*columns, *keys))
    if limits is None or not is_plain(statement) or not are_of_rows or any(pair is None for pair in pairs):
        return None
    names = [f"c{number}" for number in range(len(columns))]
    partition = [pair[0] for pair in pairs if pair is not None]
    frame = (None, 0) if keys else None  # without it, 2.2 sorts by numbers and times only
    numbered = (
        select(
            *(column.label(name) for name, column in zip(names, columns, strict=True)),
            *(inner.label(f"k{number}") for number, inner in enumerate(partition)),
            func.row_number().over(partition_by=partition, order_by=keys or None, rows=frame).label("position"),
        )
        .select_from(*own)
        .where(*(part for part in criteria_of(statement) if not mentions(part, outer)))
        .subquery()
    )
    same = [numbered.c[f"k{number}"] == pair[1] for number, pair in enumerate(pairs) if pair is not None]
    limit, offset = limits
    position = numbered.c.position
    within = [] if limit is None else [position <= (limit if offset is None else limit + offset)]
    skipped = [] if offset is None else [position > offset]
    values = [_null_without_row(numbered, column, name) for name, column in zip(names, columns, strict=True)]
    return select(*values).where(*same, *skipped, *within).correlate(*outer)


def without_limit(statement: Select[Any]) -> Select[Any] | None:
    """Return the SELECT of an EXISTS without LIMIT, which finds a row for the same outer rows; None with OFFSET."""
    limit, offset = limit_of(statement) or (None, None)
    if limit is None or offset is not None or any(map(has_aggregate, statement.inner_columns)):
        return None
    return statement.limit(None).order_by(None).where(limit > 0)


def _null_without_row(numbered: FromClause, column: Any, name: str) -> ColumnElement[Any]:
    """Return a column that is NULL if there is no row, for which the server would calculate ``coalesce(NULL, 1)``."""
    value: ColumnElement[Any] = numbered.c[name]
    return value if isinstance(column, ColumnClause) else case((numbered.c.k0.is_not(None), value))


def _pair(criterion: Any, outer: Collection[FromClause]) -> tuple[Any, Any] | None:
    """Return the side of ``=`` that is of the SELECT itself and the one that is of enclosing ones."""
    if not is_equality(criterion):
        return None
    sides = (criterion.left, criterion.right)
    for inner, other in (sides, sides[::-1]):
        tables = {column.table for column in columns_outside_subqueries(other)}
        if _is_of_row(inner, outer) and tables and tables <= set(outer) and not _has_subquery(other):
            return inner, other
    return None


def _is_of_row(expression: Any, outer: Collection[FromClause]) -> bool:
    """Return whether an expression has a value for each row that depends on no other row and no enclosing SELECT."""
    if not isinstance(expression, ColumnElement) or mentions(expression, outer):
        return False
    return not any(
        isinstance(part, Over) or is_only_a_name(part) or is_aggregate(part) for part in parts_of(expression)
    )


def _has_subquery(expression: Any) -> bool:
    return any(isinstance(part, SelectBase) for part in parts_of(expression))
