"""Correlated subqueries with LIMIT, which the server applies to all rows instead of those of each outer row.

``SELECT n FROM toy WHERE toy.child_id = child.id ORDER BY n LIMIT 1`` returns one row for all children together. The
same rows can be selected by their numbers among those of the same ``child_id``, without a LIMIT::

    SELECT t.c0 FROM (
        SELECT n AS c0, child_id AS k0, row_number() OVER (PARTITION BY child_id ORDER BY n …) AS position FROM toy
    ) AS t WHERE t.k0 = child.id AND t.position <= 1
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import FromClause, Select, case, func, select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, ColumnElement, Over
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from ..core.sqlalchemy_internals import (
    group_by_of,
    is_only_a_name,
    is_plain,
    limit_of,
    order_by_of,
    sorted_expression,
)

_AGGREGATES = frozenset(("any_value", "avg", "count", "group_concat", "max", "median", "min", "sum"))
_PREFIXES = ("approx_", "bit_", "json_array", "json_object", "std", "var")  # such as stddev_pop


class LimitsCorrelated(Exception):
    """Interrupts the rendering of a SELECT that is rendered as another one instead."""

    def __init__(self, replacement: Select[Any]) -> None:
        super().__init__()
        self.replacement = replacement


def is_correlated(statement: Select[Any], outer: Collection[FromClause]) -> bool:
    """Return whether a SELECT refers to these tables of enclosing ones, other than in subqueries of its own."""
    parts = (*statement.inner_columns, *criteria_of(statement), *order_by_of(statement), *group_by_of(statement))
    return any(_refers(part, outer) for part in parts)


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
    if limit is None or offset is not None or any(map(_has_aggregate, statement.inner_columns)):
        return None
    return statement.limit(None).order_by(None).where(limit > 0)


def _has_aggregate(expression: Any) -> bool:
    return any(map(is_aggregate, parts_of(expression)))


def _null_without_row(numbered: FromClause, column: Any, name: str) -> ColumnElement[Any]:
    """Return a column that is NULL if there is no row, for which the server would calculate ``coalesce(NULL, 1)``."""
    value: ColumnElement[Any] = numbered.c[name]
    return value if isinstance(column, ColumnClause) else case((numbered.c.k0.is_not(None), value))


def criteria_of(statement: Select[Any]) -> Iterator[ColumnElement[Any]]:
    """Yield the criteria of WHERE that are joined by AND."""
    parts = [] if statement.whereclause is None else [statement.whereclause]
    while parts:
        part = parts.pop(0)
        if isinstance(part, BooleanClauseList) and part.operator is operators.and_:
            parts[:0] = part.clauses
        else:
            yield part


def _pair(criterion: Any, outer: Collection[FromClause]) -> tuple[Any, Any] | None:
    """Return the side of ``=`` that is of the SELECT itself and the one that is of enclosing ones."""
    if not isinstance(criterion, BinaryExpression) or criterion.operator is not operators.eq:
        return None
    sides = (criterion.left, criterion.right)
    for inner, other in (sides, sides[::-1]):
        tables = {column.table for column in _columns(other)}
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


def is_aggregate(expression: Any) -> bool:
    """Return whether an expression is an aggregate function."""
    name = str(getattr(expression, "name", "")).lower() if isinstance(expression, FunctionElement) else ""
    return name in _AGGREGATES or name.startswith(_PREFIXES)


def is_equality(criterion: Any) -> bool:
    """Return whether a criterion compares by ``=``."""
    return isinstance(criterion, BinaryExpression) and criterion.operator is operators.eq


def parts_of(expression: Any) -> Iterator[Any]:
    """Yield an expression and its parts, but not those of subqueries."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, SelectBase):
            waiting.extend(part.get_children())


def _columns(expression: Any) -> list[ColumnClause[Any]]:
    return [part for part in parts_of(expression) if isinstance(part, ColumnClause) and part.table is not None]


def _refers(expression: Any, outer: Collection[FromClause]) -> bool:
    return any(column.table in outer for column in _columns(expression))


def mentions(expression: Any, outer: Collection[FromClause]) -> bool:
    """Return whether an expression or its subqueries refer to these tables, which may be tables of the subqueries."""
    return any(isinstance(part, ColumnClause) and part.table in outer for part in visitors.iterate(expression))


def _has_subquery(expression: Any) -> bool:
    return any(isinstance(part, SelectBase) for part in parts_of(expression))
