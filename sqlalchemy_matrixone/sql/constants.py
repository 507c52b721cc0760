"""Find comparisons with constants that the server evaluates wrongly because of their order.

``6 < id`` of a primary key finds nothing, or a single row, but ``id > 6`` is right. ``n > 1 OR 1 = 1`` does not find
rows whose n is NULL, but ``1 = 1 OR n > 1`` does. Likewise ``NOT (n > 1 AND 1 = 2)``.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import SelectBase, TextClause, and_, or_
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, ColumnClause

_MIRRORED = {
    operators.lt: operators.gt,
    operators.gt: operators.lt,
    operators.le: operators.ge,
    operators.ge: operators.le,
}


def with_column_first(binary: BinaryExpression[Any]) -> BinaryExpression[Any]:
    """Return ``id > 6`` for ``6 < id``, any other comparison unchanged."""
    mirrored = _MIRRORED.get(binary.operator)
    if mirrored is None or not isinstance(binary.right, ColumnClause) or not is_constant(binary.left):
        return binary
    return BinaryExpression(binary.right, binary.left, mirrored, type_=binary.type, modifiers=binary.modifiers)


def with_constants_first(clauses: Any) -> Any:
    """Return a list of criteria that are joined by OR or AND in which constant ones precede all others."""
    if not isinstance(clauses, BooleanClauseList) or clauses.operator not in (operators.or_, operators.and_):
        return clauses
    parts = list(clauses.clauses)
    ordered = sorted(parts, key=lambda part: not is_constant(part))
    if all(new is old for new, old in zip(ordered, parts, strict=True)):
        return clauses
    return (or_ if clauses.operator is operators.or_ else and_)(*ordered)


def is_constant(expression: Any) -> bool:
    """Return whether an expression contains neither columns nor subqueries nor text."""
    varying = (ColumnClause, SelectBase, TextClause)
    return not any(isinstance(part, varying) for part in visitors.iterate(expression))
