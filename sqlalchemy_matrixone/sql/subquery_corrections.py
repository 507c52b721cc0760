"""Compile correlated subqueries so that the server returns the right rows for each outer row.

:mod:`.correlated_limits`, :mod:`.aggregate_values`, :mod:`.aggregate_keys` and :mod:`.aggregate_arguments` describe the
faults: a LIMIT applies to all rows, a calculation with an aggregate is NULL if there are no rows, an OR repeats outer
rows, and an aggregate counts a row of NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.selectable import ScalarSelect

from ..core.release import Feature
from ..core.sqlalchemy_internals import froms_of, limits_rows, outer_froms, own_froms, selectable_of, visible_froms
from ..exc import MatrixOneCompileError
from .aggregate_arguments import needs_row, of_rows
from .aggregate_keys import is_mistaken_for_key, with_or
from .aggregate_values import with_aggregates_inside
from .comparison_corrections import ComparisonCorrections
from .correlated_limits import LimitsCorrelated, with_row_numbers, without_limit
from .expressions import is_correlated

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select
    from sqlalchemy.sql.functions import Function


class SubqueryCorrections(ComparisonCorrections):
    """Part of the statement compiler: LIMIT and aggregates in correlated subqueries."""

    def visit_select(self, select_stmt: Select[Any], *args: Any, **kw: Any) -> str:
        """Render a SELECT. If it is correlated and has a LIMIT, select the same rows without LIMIT."""
        depth = len(self.stack)
        try:
            return super().visit_select(select_stmt, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]
        except LimitsCorrelated as found:
            del self.stack[depth:]
            return super().visit_select(found.replacement, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def get_select_precolumns(self, select: Select[Any], **kw: Any) -> str:
        """Render what precedes the columns, which is the first thing of a SELECT that is rendered."""
        self._check_correlated_limit(select)
        return super().get_select_precolumns(select, **kw)

    def _check_correlated_limit(self, select: Select[Any]) -> None:
        """Interrupt the rendering of a correlated SELECT with LIMIT, which the server would apply to all rows.

        :raises sqlalchemy.exc.CompileError: if it is not known how to select the same rows without LIMIT.
        """
        outer = outer_froms(self)
        if not outer or not limits_rows(select) or not is_correlated(select, outer):
            return
        replacement = with_row_numbers(select, self._ordered_froms(select), outer)
        if replacement is None and len(self.stack) in self._levels_in_exists:
            replacement = without_limit(select)
        if replacement is None:
            raise MatrixOneCompileError(
                "MatrixOne applies the LIMIT of a correlated subquery to all its rows, not to those of each outer row. "
                "It can be sent in another form only if the subquery compares its columns with outer ones by =, and "
                "has neither DISTINCT, GROUP BY, aggregates nor window functions. Use max() or min() without LIMIT, or "
                "join a subquery with func.row_number().over(partition_by=…)."
            )
        raise LimitsCorrelated(replacement)

    def _ordered_froms(self, statement: Select[Any]) -> list[FromClause]:
        """Return the elements of the FROM of the SELECT that is being compiled, in order."""
        own = own_froms(self)
        return [source for source in froms_of(statement, self) if source in own]

    def visit_function(self, func: Function[Any], *args: Any, **kw: Any) -> str:
        """Render a function. If it is an aggregate that would include a row of NULL, exclude that."""
        statement = selectable_of(self)
        if needs_row(func, statement, outer_froms(self)):
            func = cast("Function[Any]", of_rows(func, self._ordered_froms(statement)))
        return super().visit_function(func, *args, **kw)

    def visit_grouping(self, grouping: Any, *args: Any, **kw: Any) -> str:
        """Render parentheses. If they are a subquery that calculates with an aggregate, calculate outside of it."""
        if isinstance(grouping, ScalarSelect) and len(self.stack) + 1 not in self._levels_in_exists:
            is_right = self._supports(Feature.AGGREGATE_WITHOUT_ROW)
            calculated = with_aggregates_inside(grouping, set(visible_froms(self)), is_right_with_equals=is_right)
            grouping = grouping if calculated is None else calculated
        return super().visit_grouping(grouping, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_binary(self, binary: BinaryExpression[Any], *args: Any, **kw: Any) -> str:
        """Render an operator. If the server would mistake it for a key of an aggregate, write it differently."""
        if not self._supports(Feature.AGGREGATE_BY_NESTED_KEYS):
            return super().visit_binary(binary, *args, **kw)
        statement, outer = selectable_of(self), outer_froms(self)
        if (comparisons := with_or(binary, statement, outer)) is not None:
            return self.process(comparisons, **kw)
        if is_mistaken_for_key(binary, statement, outer):
            return f"(NOT ({self.process(binary.left != binary.right, **kw)}))"
        return super().visit_binary(binary, *args, **kw)
