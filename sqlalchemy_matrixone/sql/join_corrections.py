"""Compile joins so that the server does not join the wrong rows by a key that can be NULL.

:mod:`.outer_joins` describes this fault of the server, and finds the keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import types
from sqlalchemy.sql import dml, elements, selectable

from ..core.compilers import StatementCompilerPart
from ..core.release import Feature
from ..core.sqlalchemy_internals import StatementHooks, affinity_of, selectable_of, visible_froms
from .expressions import columns_in
from .outer_joins import keys_to_check, sides_to_check, tables_joined_by_key

if TYPE_CHECKING:
    from sqlalchemy import FromClause, Select

_Joining = TypeVar("_Joining", dml.Update, dml.Delete)


class JoinCorrections(StatementCompilerPart, StatementHooks):
    """Part of the statement compiler: each join excludes the NULL that the server overlooks."""

    def visit_join(self, join: selectable.Join, *args: Any, **kw: Any) -> str:
        """Render a join. If the server may join the wrong rows by a key that can be NULL, add that it is not."""
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

    def with_null_checks(self, statement: _Joining) -> _Joining:
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
        """Return a SELECT whose WHERE excludes NULL from keys as ``visit_join`` does in ON."""
        checks = self._null_checks(statement.whereclause, froms)
        return super().completed_select(statement.where(*checks) if checks else statement, froms)
