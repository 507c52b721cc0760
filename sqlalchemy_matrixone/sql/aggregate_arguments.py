"""Arguments of aggregates in correlated subqueries, which the server calculates for a row of NULL if there is no row.

``(SELECT count(coalesce(n, 1)) FROM toy WHERE toy.child_id < child.id)`` is 1 if there are no toys, because the server
joins the tables by an outer join before it counts. ``CASE WHEN toy.id IS NOT NULL THEN coalesce(n, 1) END`` is right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import FromClause, Select, case, distinct
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, Cast, ColumnClause, Grouping, Label, UnaryExpression
from sqlalchemy.sql.functions import Function, FunctionElement

from ..core.sqlalchemy_internals import is_plain
from .expressions import COMPARISONS, criteria_of, is_aggregate, is_correlated, is_equality, mentions
from .outer_joins import key_of_rows

_NULL_OF_NULL = frozenset(
    (operators.add, operators.sub, operators.mul, operators.truediv, operators.floordiv, operators.mod)
).union(COMPARISONS)
"""The operators whose result is NULL if one of their operands is."""


def needs_row(function: FunctionElement[Any], statement: Any, outer: Collection[FromClause]) -> bool:
    """Return whether an aggregate of a SELECT would include a row of NULL for an outer row without rows.

    With ``=`` as the only comparison with outer columns, the server groups the rows before it joins them.

    :param outer: the tables of enclosing SELECTs.
    """
    if not outer or not is_aggregate(function) or len(function.clauses) != 1 or _keeps_null(_argument(function)):
        return False
    if not isinstance(statement, Select) or not is_plain(statement) or not is_correlated(statement, outer):
        return False
    return not all(is_equality(each) for each in criteria_of(statement) if mentions(each, outer))


def of_rows(function: FunctionElement[Any], froms: Iterable[FromClause]) -> FunctionElement[Any]:
    """Return an aggregate that ignores a row of NULL, or the same one if no column shows what is one.

    :param froms: the FROM elements of the SELECT itself.
    """
    key, argument = key_of_rows(froms), _argument(function)
    if key is None:
        return function
    value = case((key.is_not(None), argument))
    is_distinct = argument is not function.clauses.clauses[0]
    return Function(function.name, distinct(value) if is_distinct else value, type_=function.type)


def _argument(function: FunctionElement[Any]) -> Any:
    """Return the argument of an aggregate, without DISTINCT."""
    argument = function.clauses.clauses[0]
    is_distinct = isinstance(argument, UnaryExpression) and argument.operator is operators.distinct_op
    return argument.element if is_distinct else argument


def _keeps_null(expression: Any) -> bool:
    """Return whether an expression is NULL in a row of NULL: a column, or a calculation with one."""
    if isinstance(expression, ColumnClause):
        return not expression.is_literal or expression.name == "*"
    if isinstance(expression, BinaryExpression):
        return expression.operator in _NULL_OF_NULL and (_keeps_null(expression.left) or _keeps_null(expression.right))
    if isinstance(expression, UnaryExpression):
        return expression.operator is operators.neg and _keeps_null(expression.element)
    if isinstance(expression, Cast):
        return _keeps_null(expression.clause)
    return isinstance(expression, (Grouping, Label)) and _keeps_null(expression.element)
