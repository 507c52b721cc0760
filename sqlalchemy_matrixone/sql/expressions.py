"""Look into expressions and SELECTs: their columns, criteria and aggregates."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, TypeGuard

from sqlalchemy import FromClause, Select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause, ColumnElement
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase

from ..core.sqlalchemy_internals import group_by_of, order_by_of

COMPARISONS = frozenset((operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge))

_AGGREGATES = frozenset(("any_value", "avg", "count", "group_concat", "max", "median", "min", "sum"))
_PREFIXES = ("approx_", "bit_", "json_array", "json_object", "std", "var")  # such as stddev_pop


def columns_in(expression: ColumnElement[Any]) -> list[ColumnClause[Any]]:
    """Return the columns of tables in an expression."""
    return [part for part in visitors.iterate(expression) if isinstance(part, ColumnClause) and part.table is not None]


def columns_outside_subqueries(expression: Any) -> list[ColumnClause[Any]]:
    """Return the columns of tables in an expression, but not those in its subqueries."""
    return [part for part in parts_of(expression) if isinstance(part, ColumnClause) and part.table is not None]


def parts_of(expression: Any) -> Iterator[Any]:
    """Yield an expression and its parts, but not those of subqueries."""
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, SelectBase):
            waiting.extend(part.get_children())


def criteria_of(statement: Select[Any]) -> Iterator[ColumnElement[Any]]:
    """Yield the criteria of WHERE that are joined by AND."""
    parts = [] if statement.whereclause is None else [statement.whereclause]
    while parts:
        part = parts.pop(0)
        if isinstance(part, BooleanClauseList) and part.operator is operators.and_:
            parts[:0] = part.clauses
        else:
            yield part


def is_correlated(statement: Select[Any], outer: Collection[FromClause]) -> bool:
    """Return whether a SELECT refers to these tables of enclosing ones, other than in subqueries of its own."""
    parts = (*statement.inner_columns, *criteria_of(statement), *order_by_of(statement), *group_by_of(statement))
    return any(column.table in outer for part in parts for column in columns_outside_subqueries(part))


def mentions(expression: Any, outer: Collection[FromClause]) -> bool:
    """Return whether an expression or its subqueries refer to these tables, which may be tables of the subqueries."""
    return any(column.table in outer for column in columns_in(expression))


def is_equality(criterion: Any) -> TypeGuard[BinaryExpression[Any]]:
    """Return whether a criterion compares by ``=``."""
    return isinstance(criterion, BinaryExpression) and criterion.operator is operators.eq


def is_aggregate(expression: Any) -> bool:
    """Return whether an expression is an aggregate function."""
    name = str(getattr(expression, "name", "")).lower() if isinstance(expression, FunctionElement) else ""
    return name in _AGGREGATES or name.startswith(_PREFIXES)


def has_aggregate(expression: Any) -> bool:
    """Return whether an expression is or contains an aggregate function, other than in its subqueries."""
    return any(map(is_aggregate, parts_of(expression)))
