"""Compile GROUP BY and DISTINCT so that the server does not lose or misplace the group of NULL.

:mod:`.outer_joins` and :mod:`.null_groups` describe the two faults: the server omits the NULL of an outer join, and
groups wrongly by an expression that contains NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, TextClause, literal_column
from sqlalchemy.sql import elements, visitors
from sqlalchemy.sql.functions import Function, cube, grouping_sets, rollup

from ..core.compilers import StatementCompilerPart
from ..core.release import Feature
from ..core.sqlalchemy_internals import StatementHooks, froms_of, is_plain_distinct, selectable_of
from .null_groups import have_null, is_nullif, keys_of, with_calculated_null, without_nullif
from .outer_joins import lacks_null_group, plain_column

if TYPE_CHECKING:
    from sqlalchemy import FromClause

# A key of a GROUP BY that is the same in all rows, and that the server treats as nullable.
_NULLABLE_KEY: elements.ColumnElement[Any] = literal_column("CAST(1 AS SIGNED)")


class GroupCorrections(StatementCompilerPart, StatementHooks):
    """Part of the statement compiler: GROUP BY and DISTINCT with a group for NULL."""

    def completed_select(self, statement: Select[Any], froms: Sequence[FromClause]) -> Select[Any]:
        """Return a SELECT that groups NULL: by a nullable key of GROUP BY, or by GROUP BY instead of DISTINCT."""
        if self._is_grouped_instead(statement):
            columns = (plain_column(column) for column in statement.inner_columns)
            statement = statement.group_by(*(column for column in columns if column is not None), _NULLABLE_KEY)
        elif self._lacks_null_group(statement):
            statement = statement.group_by(_NULLABLE_KEY)
        return super().completed_select(statement, froms)

    def get_select_precolumns(self, select: Select[Any], **kw: Any) -> str:
        """Render DISTINCT, unless ``completed_select`` adds GROUP BY instead of it."""
        text: str = super().get_select_precolumns(select, **kw)
        return "" if self._is_grouped_instead(select) else text

    def _is_grouped_instead(self, statement: Select[Any]) -> bool:
        """Return whether GROUP BY replaces DISTINCT, which would omit the NULL of an outer join in a NOT NULL column.

        GROUP BY can have a key that is not in the result, and one that the server treats as nullable is enough.
        """
        if self._supports(Feature.NULL_GROUP_OF_OUTER_JOIN) or not is_plain_distinct(statement):
            return False
        columns = list(statement.inner_columns)
        are_plain = all(plain_column(column) is not None for column in columns)
        return are_plain and lacks_null_group(columns, froms_of(statement, self))

    def _lacks_null_group(self, statement: Select[Any]) -> bool:
        """Return whether GROUP BY would omit the NULL of an outer join in a NOT NULL column."""
        keys = keys_of(statement)
        if not keys or self._supports(Feature.NULL_GROUP_OF_OUTER_JOIN) or not all(map(_can_be_listed, keys)):
            return False
        return self._calculates_null() or lacks_null_group(keys, froms_of(statement, self))

    def _calculates_null(self) -> bool:
        """Return whether the SELECT that is being compiled groups by an expression with NULL, which it calculates."""
        statement = selectable_of(self)
        is_select = isinstance(statement, Select) and not self._supports(Feature.NULL_IN_GROUP_BY)
        return is_select and have_null(keys_of(statement))

    def visit_case(self, clause: elements.Case[Any], **kw: Any) -> str:
        """Render CASE. If it can be a key of GROUP BY, its NULL is calculated if the server needs that."""
        clause = with_calculated_null(clause) if self._calculates_null() else clause
        return super().visit_case(clause, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_function(self, func: Function[Any], *args: Any, **kw: Any) -> str:
        """Render a function, and ``NULLIF()`` like a CASE."""
        if is_nullif(func) and self._calculates_null():
            return self.process(without_nullif(func), **kw)
        return super().visit_function(func, *args, **kw)


def _can_be_listed(key: Any) -> bool:
    """Return whether another key can follow a key of a GROUP BY, as it cannot after a text or ``ROLLUP (…)``."""
    return not any(isinstance(part, (TextClause, cube, grouping_sets, rollup)) for part in visitors.iterate(key))
