"""Compile comparisons so that the server finds the right rows: with NULL, constants, subqueries and large integers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, null
from sqlalchemy.sql import elements, operators, selectable, visitors
from sqlalchemy.sql.elements import BinaryExpression

from ..core.compilers import StatementCompilerPart
from ..core.release import Feature
from ..core.sqlalchemy_internals import enclosing_froms, froms_of, visible_froms
from .big_integers import are_merged, with_cast
from .constants import with_column_first, with_constants_first
from .expressions import COMPARISONS, columns_in, is_aggregate, parts_of
from .outer_joins import are_set_to_null, is_set_to_null, plain_column

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select


class ComparisonCorrections(StatementCompilerPart):
    """Part of the statement compiler: comparisons with operands that the server would misread."""

    _casts_big_integers = False
    """Whether the numbers that BIGINTs are compared with are cast, anywhere in the statement."""

    _levels_in_exists: frozenset[int] = frozenset()
    """The levels of nesting whose SELECT is directly in an EXISTS."""

    def get_select_precolumns(self, select: Select[Any], **kw: Any) -> str:
        """Render the beginning of a SELECT, after finding out how to compare BIGINTs in it."""
        self.check_big_integers(select)
        return super().get_select_precolumns(select, **kw)

    def check_big_integers(self, statement: elements.ClauseElement) -> None:
        """Cast the numbers that BIGINTs are compared with, if the server would merge comparisons incorrectly."""
        if not self._casts_big_integers and self._supports(Feature.MERGED_COMPARISONS):
            self._casts_big_integers = are_merged(statement, self.dialect)

    def visit_binary(self, binary: BinaryExpression[Any], *args: Any, **kw: Any) -> str:
        """Render an operator whose operands the server would misread, in a form that it understands."""
        binary = with_column_first(binary)
        if self._casts_big_integers:
            binary = with_cast(binary, self.dialect)
        if binary.operator is operators.not_in_op:
            binary = self._with_null(binary, visible_froms(self))
        elif binary.operator is operators.eq and self._compares_null_in_exists():
            binary = self._with_null(binary, enclosing_froms(self))
        text: str = super().visit_binary(binary, *args, **kw)  # type: ignore[no-untyped-call]
        is_taken_for_join = not self._supports(Feature.SUBQUERY_COMPARED_TO_COLUMN) and _compares_value_of_no_row(
            binary
        )
        return f"coalesce({text})" if is_taken_for_join else text

    def visit_expression_clauselist(self, clauselist: elements.ExpressionClauseList[Any], **kw: Any) -> str:
        """Render OR and AND with constants in front, since the server loses rows with NULL otherwise.

        Before 3.0, it treats a subquery or a column of an outer join in an OR as the criterion of an inner join, unless
        the OR is the argument of a function.
        """
        clauselist = with_constants_first(clauselist)
        text: str = super().visit_expression_clauselist(clauselist, **kw)  # type: ignore[no-untyped-call]
        is_taken_for_join = (
            clauselist.operator is operators.or_
            and not self._supports(Feature.SUBQUERY_IN_OR)
            and (_has_scalar_subquery(clauselist) or are_set_to_null(columns_in(clauselist), visible_froms(self)))
        )
        return f"coalesce({text})" if is_taken_for_join else text

    def visit_unary(self, unary: elements.UnaryExpression[Any], *args: Any, **kw: Any) -> str:
        """Render an operator, and remember that EXISTS contains the SELECTs of the next level."""
        if unary.operator is not operators.exists:
            return super().visit_unary(unary, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]
        enclosing = self._levels_in_exists
        self._levels_in_exists = enclosing | {len(self.stack) + 1}
        text: str = super().visit_unary(unary, *args, **kw)  # type: ignore[no-untyped-call]
        self._levels_in_exists = enclosing
        return text

    def _compares_null_in_exists(self) -> bool:
        """Return whether the SELECT that is being compiled is in an EXISTS that does not consider NULL."""
        return not self._supports(Feature.NULL_IN_NOT_EXISTS) and len(self.stack) in self._levels_in_exists

    def _with_null(self, binary: BinaryExpression[Any], froms: Iterable[FromClause]) -> BinaryExpression[Any]:
        """Return a comparison in which the server treats the columns that an outer join can set to NULL as nullable.

        Otherwise, it compares their NULL as a value.
        """
        if not self.stack:
            return binary
        froms = list(froms)
        left, right = (self._as_nullable(side, froms) for side in (binary.left, binary.right))
        if left is binary.left and right is binary.right:
            return binary
        return BinaryExpression(left, right, binary.operator, type_=binary.type, modifiers=binary.modifiers)

    def _as_nullable(self, operand: Any, froms: list[FromClause]) -> Any:
        """Return an operand, or the result of a subquery, for which the server considers NULL."""
        if isinstance(operand, selectable.ScalarSelect) and isinstance(operand.element, selectable.Select):
            query = operand.element
            columns = list(query.inner_columns)
            column = plain_column(columns[0]) if len(columns) == 1 else None
            if column is not None and is_set_to_null(column, froms_of(query, self)):
                return query.with_only_columns(func.nullif(column, null())).scalar_subquery()
            return operand
        return func.nullif(operand, null()) if is_set_to_null(operand, froms) else operand


def _compares_value_of_no_row(binary: BinaryExpression[Any]) -> bool:
    """Return whether a column is compared with a value that is not NULL although a subquery has no row.

    Before 3.0, the server treats such a comparison as the criterion of an inner join with the subquery, unless it is
    the argument of a function.
    """
    is_comparison = binary.operator in COMPARISONS and any(_is_value_of_no_row(side) for side in binary.get_children())
    return is_comparison and any(isinstance(part, elements.ColumnClause) for part in parts_of(binary))


def _is_value_of_no_row(operand: Any) -> bool:
    """Return whether an operand calculates with a subquery, or is one that counts or calculates with its rows."""
    while isinstance(operand, elements.Grouping):
        operand = operand.element
    if not isinstance(operand, selectable.ScalarSelect):
        return _has_scalar_subquery(operand)
    columns = list(operand.element.selected_columns)
    value = columns[0].element if isinstance(columns[0], elements.Label) else columns[0]
    is_null = isinstance(value, elements.ColumnClause) or (is_aggregate(value) and value.name.lower() != "count")
    return not is_null


def _has_scalar_subquery(expression: Any) -> bool:
    """Return whether an expression contains the value of a subquery, other than EXISTS."""
    parts = list(visitors.iterate(expression))
    in_exists = {id(part.element) for part in parts if isinstance(part, elements.UnaryExpression)}
    return any(isinstance(part, selectable.ScalarSelect) and id(part) not in in_exists for part in parts)
