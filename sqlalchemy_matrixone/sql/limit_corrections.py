"""Compile correlated subqueries with LIMIT so that the server applies it to the rows of each outer row.

:mod:`.correlated_limits` describes this fault of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.compilers import StatementCompilerPart
from ..core.sqlalchemy_internals import StatementHooks, limits_rows, outer_froms, own_froms
from ..exc import MatrixOneCompileError
from .correlated_limits import LimitsCorrelated, is_correlated, with_row_numbers

if TYPE_CHECKING:
    from sqlalchemy import Select


class LimitCorrections(StatementCompilerPart, StatementHooks):
    """Part of the statement compiler: LIMIT in correlated subqueries."""

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
        text: str = super().get_select_precolumns(select, **kw)
        return text

    def _check_correlated_limit(self, select: Select[Any]) -> None:
        """Interrupt the rendering of a correlated SELECT with LIMIT, which the server would apply to all rows.

        :raises sqlalchemy.exc.CompileError: if it is not known how to select the same rows without LIMIT.
        """
        outer = outer_froms(self)
        if not outer or not limits_rows(select) or not is_correlated(select, outer):
            return
        if (replacement := with_row_numbers(select, own_froms(self), outer)) is None:
            raise MatrixOneCompileError(
                "MatrixOne applies the LIMIT of a correlated subquery to all its rows, not to those of each outer row. "
                "It can be sent in another form only if the subquery compares its columns with outer ones by =, and "
                "has neither DISTINCT, GROUP BY, aggregates nor window functions. Use max() or min() without LIMIT, or "
                "join a subquery with func.row_number().over(partition_by=…)."
            )
        raise LimitsCorrelated(replacement)
