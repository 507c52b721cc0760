"""Render joins, groups and comparisons for which the server would return wrong rows in a form that it understands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import TextClause, func, literal_column, null, types, util
from sqlalchemy.sql import dml, elements, operators, selectable, visitors
from sqlalchemy.sql.elements import BinaryExpression
from sqlalchemy.sql.functions import Function, cube, grouping_sets, rollup

from ..core.compilers import StatementCompilerPart
from ..core.release import Feature
from ..core.sqlalchemy_internals import (
    StatementHooks,
    affinity_of,
    enclosing_froms,
    is_plain_distinct,
    selectable_of,
    visible_froms,
)
from .big_integers import are_merged, with_cast
from .constants import with_column_first, with_constants_first
from .null_groups import have_null, is_nullif, keys_of, with_calculated_null, without_nullif
from .outer_joins import (
    columns_in,
    is_set_to_null,
    keys_to_check,
    lacks_null_group,
    plain_column,
    sides_to_check,
    tables_joined_by_key,
)
from .windows import warn_of_peers, with_frame

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select

# A key of a GROUP BY that is the same in all rows, and that the server takes for nullable.
_NULLABLE_KEY: elements.ColumnElement[Any] = literal_column("CAST(1 AS SIGNED)")


_Joining = TypeVar("_Joining", dml.Update, dml.Delete)


class CorrectingCompiler(StatementCompilerPart, StatementHooks):
    """Part of the statement compiler: statements that are written differently because of faults of the server."""

    _casts_big_integers = False
    _levels_of_exists: frozenset[int] = frozenset()

    @util.memoized_property
    def _levels_with_null(self) -> set[int]:
        return set()

    def visit_join(self, join: selectable.Join, *args: Any, **kw: Any) -> str:
        """Render a join. If the server may join the wrong rows by a key that can be NULL, add that it is not.

        :mod:`.outer_joins` describes this fault of the server.
        """
        text = super().visit_join(join, *args, **kw)
        if join.full:
            return text
        kw.pop("asfrom", None)
        # What this join itself can set to NULL does not matter to its ON.
        checks = self._null_checks(join.onclause, [join.left, join.right])
        return " AND ".join((text, *(self.process(check, **kw) for check in checks)))

    def _null_checks(self, criterion: Any, froms: Sequence[FromClause]) -> list[elements.ColumnElement[bool]]:
        """Return the criteria, implied by a criterion of a join, that keep the server from joining the wrong rows."""
        if criterion is None:
            return []
        sides = [*keys_to_check([criterion], froms), *self._sides_to_check(criterion, froms, self._criteria_of_joins())]
        return [side.is_not(None) for side in dict.fromkeys(sides)]

    def _sides_to_check(self, criterion: Any, froms: Sequence[FromClause], criteria: Iterable[Any]) -> list[Any]:
        """Return the sides of ``=`` of which the server overlooks that they can be NULL.

        :param criteria: those of all joins of the statement.
        """
        keyed = () if self._supports(Feature.JOIN_BY_KEY_AND_NULL) else tables_joined_by_key(criteria)
        return sides_to_check([criterion], froms, self._have_different_types, keyed)

    def _criteria_of_joins(self) -> Iterator[Any]:
        """Yield the criteria by which the SELECT that is being compiled joins its tables."""
        statement = selectable_of(self)
        if isinstance(statement, selectable.Select):
            yield statement.whereclause
        yield from (join.onclause for join in visible_froms(self) if isinstance(join, selectable.Join))

    def _with_null_checks(self, statement: _Joining) -> _Joining:
        """Return an UPDATE or DELETE of joined tables that excludes NULL from calculated or cast sides of ``=``."""
        criterion = statement.whereclause
        tables = [] if criterion is None else [column.table for column in columns_in(criterion)]
        froms = [table for table in tables if table is not None]
        sides = self._sides_to_check(criterion, froms, [criterion])
        return statement.where(*(side.is_not(None) for side in sides)) if sides else statement

    def _have_different_types(self, left: Any, right: Any) -> bool:
        one, other = (self._type_name(column.type) for column in (left, right))
        return None not in (one, other) and one != other

    def _type_name(self, type_: types.TypeEngine[Any]) -> str | None:
        """Return a type as in CREATE TABLE, without the length of a string; None if it is unknown."""
        if isinstance(type_, types.NullType):
            return None
        name = self.dialect.type_compiler_instance.process(type_)
        return name.partition("(")[0] if affinity_of(type_) is types.String else name

    def completed_select(self, statement: Select[Any], froms: Sequence[FromClause]) -> Select[Any]:
        """Return a SELECT that groups NULL, and whose WHERE excludes NULL from keys as ``visit_join`` does in ON.

        :mod:`.null_groups` and :mod:`.outer_joins` describe these faults of the server.
        """
        if self._is_grouped_instead(statement):
            columns = (plain_column(column) for column in statement.inner_columns)
            statement = statement.group_by(*(column for column in columns if column is not None), _NULLABLE_KEY)
        elif self._lacks_null_group(statement):
            statement = statement.group_by(_NULLABLE_KEY)
        checks = self._null_checks(statement.whereclause, froms)
        return statement.where(*checks) if checks else statement

    def get_select_precolumns(self, select: Select[Any], **kw: Any) -> str:
        """Render DISTINCT, unless ``completed_select`` adds GROUP BY instead of it."""
        self._check_big_integers(select)
        self._check_null_in_group_by(select)
        text: str = super().get_select_precolumns(select, **kw)
        return "" if self._is_grouped_instead(select) else text

    def _is_grouped_instead(self, statement: Select[Any]) -> bool:
        """Return whether GROUP BY replaces DISTINCT, which would omit the NULL of an outer join in a NOT NULL column.

        GROUP BY can have a key that is not in the result, and one that the server takes for nullable is enough.
        """
        if self._supports(Feature.NULL_GROUP_OF_OUTER_JOIN) or not is_plain_distinct(statement):
            return False
        columns = list(statement.inner_columns)
        are_plain = all(plain_column(column) is not None for column in columns)
        return are_plain and lacks_null_group(columns, statement.get_final_froms())

    def _lacks_null_group(self, statement: Select[Any]) -> bool:
        """Return whether GROUP BY would omit the NULL of an outer join in a NOT NULL column."""
        keys = keys_of(statement)
        if not keys or self._supports(Feature.NULL_GROUP_OF_OUTER_JOIN) or not all(map(_can_be_listed, keys)):
            return False
        return self._calculates_null() or lacks_null_group(keys, statement.get_final_froms())

    def _calculates_null(self) -> bool:
        """Return whether the SELECT that is being compiled groups by an expression with NULL, which it calculates."""
        return len(self.stack) in self._levels_with_null

    def _check_null_in_group_by(self, statement: Select[Any]) -> None:
        self._levels_with_null.discard(len(self.stack))
        if not self._supports(Feature.NULL_IN_GROUP_BY) and have_null(keys_of(statement)):
            self._levels_with_null.add(len(self.stack))

    def visit_case(self, clause: elements.Case[Any], **kw: Any) -> str:
        """Render CASE. If it can be a key of GROUP BY, its NULL is calculated if the server needs that."""
        clause = with_calculated_null(clause) if self._calculates_null() else clause
        return super().visit_case(clause, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_function(self, func: Function[Any], *args: Any, **kw: Any) -> str:
        """Render a function, and ``NULLIF()`` like a CASE."""
        if is_nullif(func) and self._calculates_null():
            return self.process(without_nullif(func), **kw)
        return super().visit_function(func, *args, **kw)

    def visit_over(self, over: elements.Over[Any], **kw: Any) -> str:
        """Render a window function with the frame that it has by default, if the server would take another one."""
        if not self._supports(Feature.WINDOW_PEERS):
            warn_of_peers(over)
        return super().visit_over(with_frame(over), **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_binary(self, binary: BinaryExpression[Any], *args: Any, **kw: Any) -> str:
        """Render an operator whose operands the server would take for other ones, in a form that it understands."""
        binary = with_column_first(binary)
        if self._casts_big_integers:
            binary = with_cast(binary, self.dialect)
        if binary.operator is operators.not_in_op:
            binary = self._with_null(binary, visible_froms(self))
        elif binary.operator is operators.eq and len(self.stack) in self._levels_of_exists:
            binary = self._with_null(binary, enclosing_froms(self))
        return super().visit_binary(binary, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]

    def visit_expression_clauselist(self, clauselist: elements.ExpressionClauseList[Any], **kw: Any) -> str:
        """Render OR and AND with constants in front, since the server loses rows with NULL otherwise.

        Before 3.0, it takes the value of a subquery in an OR for the criterion of an inner join, unless the OR is the
        argument of a function.
        """
        clauselist = with_constants_first(clauselist)
        text: str = super().visit_expression_clauselist(clauselist, **kw)  # type: ignore[no-untyped-call]
        is_taken_for_join = (
            clauselist.operator is operators.or_
            and not self._supports(Feature.SUBQUERY_IN_OR)
            and _has_scalar_subquery(clauselist)
        )
        return f"coalesce({text})" if is_taken_for_join else text

    def visit_unary(self, unary: elements.UnaryExpression[Any], *args: Any, **kw: Any) -> str:
        """Render an operator, and remember that EXISTS contains the SELECTs of the next level.

        This is necessary before the release that considers NULL in NOT EXISTS.
        """
        is_exists = unary.operator is operators.exists and not self._supports(Feature.NULL_IN_NOT_EXISTS)
        if not is_exists:
            return super().visit_unary(unary, *args, **kw)  # type: ignore[no-any-return, no-untyped-call]
        outer, self._levels_of_exists = self._levels_of_exists, self._levels_of_exists | {len(self.stack) + 1}
        text: str = super().visit_unary(unary, *args, **kw)  # type: ignore[no-untyped-call]
        self._levels_of_exists = outer
        return text

    def _with_null(self, binary: BinaryExpression[Any], froms: Iterable[FromClause]) -> BinaryExpression[Any]:
        """Return a comparison in which the server takes the columns that an outer join can set to NULL for nullable.

        Otherwise, it compares their NULL as a value.
        """
        if not self.stack:
            return binary
        froms = list(froms)
        left, right = (_as_nullable(side, froms) for side in (binary.left, binary.right))
        if left is binary.left and right is binary.right:
            return binary
        return BinaryExpression(left, right, binary.operator, type_=binary.type, modifiers=binary.modifiers)

    def _check_big_integers(self, statement: elements.ClauseElement) -> None:
        """Cast the numbers that BIGINTs are compared with, if the server would merge comparisons incorrectly."""
        if not self._casts_big_integers and self._supports(Feature.MERGED_COMPARISONS):
            self._casts_big_integers = are_merged(statement, self.dialect)


def _has_scalar_subquery(expression: Any) -> bool:
    """Return whether an expression contains the value of a subquery, other than EXISTS."""
    parts = list(visitors.iterate(expression))
    in_exists = {id(part.element) for part in parts if isinstance(part, elements.UnaryExpression)}
    return any(isinstance(part, selectable.ScalarSelect) and id(part) not in in_exists for part in parts)


def _can_be_listed(key: Any) -> bool:
    """Return whether another key can follow a key of a GROUP BY, as it cannot after a text or ``ROLLUP (…)``."""
    return not any(isinstance(part, (TextClause, cube, grouping_sets, rollup)) for part in visitors.iterate(key))


def _as_nullable(operand: Any, froms: list[FromClause]) -> Any:
    """Return an operand, or the result of a subquery, for which the server considers NULL."""
    if isinstance(operand, selectable.ScalarSelect) and isinstance(operand.element, selectable.Select):
        query = operand.element
        columns = list(query.inner_columns)
        column = plain_column(columns[0]) if len(columns) == 1 else None
        if column is not None and is_set_to_null(column, query.get_final_froms()):
            return query.with_only_columns(func.nullif(column, null())).scalar_subquery()
        return operand
    return func.nullif(operand, null()) if is_set_to_null(operand, froms) else operand
