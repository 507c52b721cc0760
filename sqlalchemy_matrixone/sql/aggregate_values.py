"""Scalar subqueries that calculate with an aggregate, which the server gets wrong if there is no row.

Before 4.2, ``(SELECT coalesce(sum(n), 0) FROM toy WHERE toy.child_id = child.id)`` is NULL, because the server
calculates before the outer join by which it finds the groups. ``coalesce((SELECT sum(n) …), 0)`` is right. It also
works with other comparisons than ``=`` of the outer column, with which no release can calculate in the subquery.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import BindParameter, FromClause, Label, Select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnElement, Grouping, Over
from sqlalchemy.sql.selectable import ScalarSelect, SelectBase

from ..core.sqlalchemy_internals import is_plain, limits_rows
from .expressions import criteria_of, has_aggregate, is_aggregate, is_correlated, is_equality, mentions, parts_of


def with_aggregates_inside(
    scalar: ScalarSelect[Any], froms: Collection[FromClause], *, is_right_with_equals: bool
) -> ColumnElement[Any] | None:
    """Return the calculation of a correlated subquery with subqueries for its aggregates; None if there is none.

    :param froms: the FROM elements of the enclosing SELECTs.
    :param is_right_with_equals: whether the server calculates correctly if all comparisons with outer columns are by
        ``=``.
    """
    query = scalar.element
    if not isinstance(query, Select) or not is_plain(query) or limits_rows(query):
        return None
    columns: list[Any] = [each.element if isinstance(each, Label) else each for each in query.inner_columns]
    if len(columns) != 1 or is_aggregate(columns[0]) or not _calculates_with_aggregates(columns[0]):
        return None
    if not is_correlated(query, froms):
        return None
    if is_right_with_equals and all(map(is_equality, (each for each in criteria_of(query) if mentions(each, froms)))):
        return None

    def replaced(element: Any, **_: Any) -> Any:
        if is_aggregate(element):
            return query.with_only_columns(element, maintain_column_froms=True).scalar_subquery()
        # A copy of a parameter would keep its value when the compiled statement is executed with another one.
        return element if isinstance(element, BindParameter) else None

    calculation: ColumnElement[Any] = columns[0]
    return Grouping(visitors.replacement_traverse(calculation, {}, replaced))


def _calculates_with_aggregates(expression: Any) -> bool:
    has_others = any(isinstance(part, (Over, SelectBase)) for part in parts_of(expression))
    return has_aggregate(expression) and not has_others
