"""Comparisons in a correlated subquery with an aggregate that the server mistakes for keys of a group.

For ``(SELECT count(*) FROM toy WHERE toy.child_id = child.id OR toy.n = child.n)`` the server counts the toys of each
``child_id`` and ``n``, and repeats the outer row for each of these groups. It does not so for ``NOT (a <> b)``, which
is the same as ``a = b``. Criteria that all rows fulfil, because they are joined by AND, are keys indeed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import FromClause, Select, or_
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, ClauseList, ColumnElement, Grouping

from .expressions import criteria_of, has_aggregate, is_equality, mentions


def is_mistaken_for_key(binary: BinaryExpression[Any], statement: Any, outer: Collection[FromClause]) -> bool:
    """Return whether ``=`` would wrongly be a key of the groups of a SELECT.

    :param statement: the SELECT that is being compiled.
    :param outer: the tables of enclosing SELECTs.
    """
    if not is_equality(binary) or not outer or not _is_of_aggregates(statement) or not mentions(binary, outer):
        return False
    return not any(criterion is binary for criterion in criteria_of(statement))


def with_or(binary: BinaryExpression[Any], statement: Any, outer: Collection[FromClause]) -> ColumnElement[Any] | None:
    """Return ``a IN (b, c)`` as comparisons by ``=``, if the server would mistake them for keys; None otherwise."""
    listed = binary.right.element if isinstance(binary.right, Grouping) else None
    if binary.operator is not operators.in_op or not isinstance(listed, ClauseList):
        return None
    if not outer or not _is_of_aggregates(statement) or not mentions(binary, outer):
        return None
    return or_(*(binary.left == element for element in listed.clauses)).self_group()


def _is_of_aggregates(statement: Any) -> bool:
    columns = statement.inner_columns if isinstance(statement, Select) else ()
    return any(map(has_aggregate, columns))
