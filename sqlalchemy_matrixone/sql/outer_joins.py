"""Find the keys by which the server joins, groups or excludes the wrong rows, as after an outer join.

The server treats each NOT NULL column as one without NULL, although an outer join can have set it to NULL. It also
overlooks that an expression or a cast can be NULL, in a join by the primary key and that expression.

``parent LEFT JOIN child ON child.id = parent.id JOIN toy ON toy.child_id = child.id`` joins toys to other parents if
both ``id`` are primary keys: the server treats ``child.id`` as a key without NULL, and numbers the rows wrongly. With
``AND child.id IS NOT NULL``, which ``=`` implies, the result is right.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from typing import Any

from sqlalchemy import CTE, Alias, ColumnElement, CompoundSelect, FromClause, Join, Select, Subquery, schema
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, BooleanClauseList, ColumnClause, Grouping, Label
from sqlalchemy.sql.selectable import FromGrouping

from .expressions import columns_in


def keys_to_check(criteria: Iterable[Any], froms: Iterable[FromClause]) -> list[ColumnClause[Any]]:
    """Return the keys that criteria join by, and that an outer join among the FROM elements can have set to NULL.

    :param criteria: criteria that are joined by AND.
    """
    nullable = _set_to_null_among(froms)
    if not nullable:
        return []
    keys = dict.fromkeys(key for criterion in criteria for key in _joined_by(criterion))
    return [key for key in keys if key.table in nullable and _may_be_key(key)]


def sides_to_check(
    criteria: Iterable[Any],
    froms: Iterable[FromClause],
    is_cast: Callable[[Any, Any], bool],
    keyed: Container[FromClause] = (),
) -> list[ColumnElement[Any]]:
    """Return the sides of ``=`` between tables that can be NULL, which the server overlooks.

    If the primary key of their table is compared as well, it overlooks NULL in an expression and in a column that it
    casts, and before 4.0 in any column.

    :param is_cast: returns whether two columns have types of which the server casts one.
    :param keyed: the tables in whose plain columns NULL is overlooked.
    """
    froms = list(froms)
    nullable = _set_to_null_among(froms)
    tables = {element for clause in froms for element in _elements(clause)}
    found: dict[ColumnElement[Any], None] = {}
    for sides in (sides for criterion in criteria for sides in _equal_sides(criterion)):
        is_plain = all(isinstance(side, ColumnClause) for side in sides) and not is_cast(*sides)
        checked = [side for side in sides if not is_plain or side.table in keyed]
        found.update(dict.fromkeys(side for side in checked if _is_nullable_side(side, nullable, tables)))
    return list(found)


def tables_joined_by_key(criteria: Iterable[Any]) -> set[FromClause]:
    """Return the tables of whose primary key each column is compared with other tables by ``=``."""
    sides = [side for criterion in criteria for pair in _equal_sides(criterion) for side in pair]
    compared = {side for side in sides if isinstance(side, ColumnClause)}
    tables = {column.table for column in compared if column.table is not None}
    return {table for table in tables if table.primary_key and compared.issuperset(table.primary_key)}


def _equal_sides(criterion: Any) -> Iterator[tuple[ColumnElement[Any], ColumnElement[Any]]]:
    """Yield the sides of each ``=`` between columns of different tables that has to be true."""
    for part in _required(criterion):
        if part.operator is operators.eq:
            left, right = ({column.table for column in columns_in(side)} for side in (part.left, part.right))
            if left and right and left.isdisjoint(right):
                yield part.left, part.right


def _required(criterion: Any) -> Iterator[BinaryExpression[Any]]:
    """Yield the comparisons that have to be true for a criterion to be true: itself, or those that AND joins."""
    if isinstance(criterion, BooleanClauseList) and criterion.operator is operators.and_:
        for part in criterion.clauses:
            yield from _required(part)
    elif isinstance(criterion, BinaryExpression):
        yield criterion


def _is_nullable_side(side: ColumnElement[Any], nullable: set[FromClause], tables: set[FromClause]) -> bool:
    """Return whether a side of ``=`` can be NULL, unless it is of an enclosing SELECT."""
    columns = columns_in(side)
    is_inner = all(column.table in tables for column in columns)
    return is_inner and any(_is_declared_nullable(column) or column.table in nullable for column in columns)


def _elements(element: Any) -> Iterator[FromClause]:
    """Yield the tables and subqueries of a FROM element."""
    if isinstance(element, FromGrouping):
        yield from _elements(element.element)
    elif isinstance(element, Join):
        yield from _elements(element.left)
        yield from _elements(element.right)
    else:
        yield element


def can_be_null(key: Any, froms: Iterable[FromClause]) -> bool:
    """Return whether a key of an ORDER BY can be NULL.

    That is unknown of an expression. A column cannot be NULL if it is defined so, and of no outer join.
    """
    while not isinstance(key, schema.Column):
        if not hasattr(key, "element"):
            return True
        key = key.element
    # Not by identity: the tables of the ORM's columns are annotated copies.
    return bool(key.nullable) or key.table in _set_to_null_among(froms)


def is_set_to_null(expression: Any, froms: Iterable[FromClause]) -> bool:
    """Return whether an expression is a NOT NULL column that an outer join among the FROM elements can set to NULL."""
    if not isinstance(expression, ColumnClause) or _is_declared_nullable(expression):
        return False
    return expression.table in _set_to_null_among(froms)


def are_set_to_null(columns: Iterable[ColumnClause[Any]], froms: Iterable[FromClause]) -> bool:
    """Return whether an outer join among the FROM elements can set one of these columns to NULL."""
    tables = set(_set_to_null_among(froms))
    return any(column.table in tables for column in columns)


def key_of_rows(froms: Iterable[FromClause]) -> ColumnElement[Any] | None:
    """Return a column that is NULL in no row of FROM elements, a primary key; None if there is none."""
    froms = list(froms)
    nullable = _set_to_null_among(froms)
    tables = [element for clause in froms for element in _elements(clause) if element not in nullable]
    keys = (key for table in tables if _is_table(table) for key in table.primary_key)
    return next(keys, None)


def _is_table(element: Any) -> bool:
    return isinstance(element.element if isinstance(element, Alias) else element, schema.Table)


def lacks_null_group(keys: Iterable[Any], froms: Iterable[FromClause]) -> bool:
    """Return whether there is no group for the NULL of an outer join, because the server treats no key as nullable.

    A single nullable key, even a constant, makes the server group all keys correctly.
    """
    keys, froms = list(keys), list(froms)
    if any(_is_declared_nullable(plain_column(key)) for key in keys):
        return False
    return any(is_set_to_null(element, froms) for key in keys for element in visitors.iterate(key))


def plain_column(expression: Any) -> ColumnClause[Any] | None:
    """Return the column that an expression consists of, with or without a label."""
    while isinstance(expression, (Label, Grouping)) or getattr(expression, "__visit_name__", "") == "label_reference":
        expression = expression.element
    return expression if isinstance(expression, ColumnClause) else None


def _is_declared_nullable(expression: Any) -> bool:
    return isinstance(expression, schema.Column) and bool(expression.nullable)


def _set_to_null_among(froms: Iterable[FromClause]) -> set[FromClause]:
    """Return the tables and subqueries among FROM elements whose columns can be NULL because of an outer join."""
    return {element for clause in froms for element in _nullable(clause)}


def _nullable(element: Any, is_outer: bool = False) -> Iterator[FromClause]:
    """Yield the tables and subqueries whose columns can be NULL because of an outer join."""
    if isinstance(element, FromGrouping):
        yield from _nullable(element.element, is_outer)
    elif isinstance(element, Join):
        yield from _nullable(element.left, is_outer or element.full)
        yield from _nullable(element.right, is_outer or element.isouter or element.full)
    elif is_outer or _is_of_outer_join(element):
        yield element


def _is_of_outer_join(element: Any) -> bool:
    """Return whether an element is a subquery with an outer join, or an alias of one."""
    while isinstance(element, Alias):
        element = element.element
    return isinstance(element, (Subquery, CTE)) and _has_outer_join(element.element)


def _has_outer_join(query: Any) -> bool:
    """Return whether a SELECT, or one of a UNION, has an outer join."""
    if isinstance(query, CompoundSelect):
        return any(map(_has_outer_join, query.selects))
    query = getattr(query, "element", query)  # a SELECT in parentheses
    return isinstance(query, Select) and any(True for clause in query.get_final_froms() for _ in _nullable(clause))


def _joined_by(criterion: Any) -> Iterator[ColumnClause[Any]]:
    """Yield the columns that a criterion compares by ``=`` with those of another table, or by IN with a subquery."""
    for part in _required(criterion):
        columns = [side for side in (part.left, part.right) if isinstance(side, ColumnClause)]
        is_in_query = part.operator is operators.in_op and not isinstance(part.right, BindParameter)
        if is_in_query or (part.operator is operators.eq and len(columns) == 2):
            yield from columns


def _may_be_key(column: ColumnClause[Any]) -> bool:
    return column.primary_key if isinstance(column, schema.Column) else True
