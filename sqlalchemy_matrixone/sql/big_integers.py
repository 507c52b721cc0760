"""Find statements in which the server compares a BIGINT with a number incorrectly, because of another comparison.

The server merges the comparisons of a column with constants by ``=``, ``!=``, ``IN``, ``NOT IN`` and ``=`` in an OR.
For a BIGINT, it does not recognize the number of ``=`` as the same number in a list: ``id = 2 AND id IN (2, 3)``
finds nothing, and ``id != 2 AND id IN (2, 3)`` finds 2. The comparisons can stand in different places of the statement:
in a join, a subquery and around it. ``id = CAST(2 AS SIGNED)`` is compared correctly, and by the same plan.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ClauseElement, Dialect, cast, types
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ColumnElement

from ..types import implemented_type

_EQUALITY = (operators.eq, operators.ne)
_MEMBERSHIP = (operators.in_op, operators.not_in_op)


def are_merged(statement: ClauseElement, dialect: Dialect) -> bool:
    """Return whether a statement compares a BIGINT with a number by ``=``, and one by IN or in an OR."""
    equal = listed = False
    for element in visitors.iterate(statement):
        if isinstance(element, BinaryExpression) and _is_of_big_integer(element, dialect):
            equal = equal or element.operator in _EQUALITY
            listed = listed or element.operator in _MEMBERSHIP
        elif isinstance(element, BooleanClauseList) and element.operator is operators.or_:
            listed = listed or any(_is_equality(part, dialect) for part in element.clauses)
    return equal and listed


def with_cast(binary: BinaryExpression[Any], dialect: Dialect) -> BinaryExpression[Any]:
    """Return a comparison of a BIGINT with a number as one with ``CAST(… AS SIGNED)``, any other unchanged."""
    if not _is_equality(binary, dialect):
        return binary
    left, right = (_cast(side) if isinstance(side, BindParameter) else side for side in (binary.left, binary.right))
    return BinaryExpression(left, right, binary.operator, type_=binary.type, modifiers=binary.modifiers)


def _cast(value: BindParameter[Any]) -> ColumnElement[Any]:
    return cast(value, BigInteger)


def _is_equality(element: Any, dialect: Dialect) -> bool:
    is_comparison = isinstance(element, BinaryExpression) and element.operator in _EQUALITY
    return is_comparison and _is_of_big_integer(element, dialect)


def _is_of_big_integer(binary: BinaryExpression[Any], dialect: Dialect) -> bool:
    """Return whether one side is a BIGINT expression and the other one consists of parameters."""
    left, right = binary.left, binary.right
    if isinstance(left, BindParameter):
        left, right = right, left
    return isinstance(right, BindParameter) and not isinstance(left, BindParameter) and _is_big(left.type, dialect)


def _is_big(type_: types.TypeEngine[Any], dialect: Dialect) -> bool:
    """Return whether a type is BIGINT, but not BIGINT UNSIGNED, which is compared correctly."""
    type_ = implemented_type(type_, dialect)
    return isinstance(type_, BigInteger) and not getattr(type_, "unsigned", False)
