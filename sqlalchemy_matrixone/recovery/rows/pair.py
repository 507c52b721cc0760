"""A table paired with its history: conditions for rows that are missing, changed or new."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import CHAR, ColumnElement, and_, case, cast, column, false, or_, table
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import FromClause, TableClause
from sqlalchemy.sql.selectable import FromClauseAlias, Join
from sqlalchemy.types import TypeEngine

from ...timetravel.point_in_time import PointInTime
from ...timetravel.tables import AsOfTable
from .definition import TableDefinition
from .target import RowsTarget

Key = tuple[Any, ...]
"""The values of a primary key."""

_ALIAS_LENGTH = 40
# Types of keys whose values are unchanged when they are sent back to the server.
_EXACT_TYPES = frozenset(("tinyint", "smallint", "mediumint", "int", "bigint", "char", "varchar"))
GEOMETRIES = frozenset(
    (
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
    )
)
"""The types of geometries, as SHOW CREATE TABLE prints them."""

# Types whose values the server cannot compare on every release, with the type to cast them to.
_COMPARED_AS: dict[str, TypeEngine[Any]] = {
    **dict.fromkeys(GEOMETRIES, CHAR()),
    "year": CHAR(),
    "bit": mysql.INTEGER(unsigned=True),
}


@dataclass(frozen=True)
class TablePair:
    """A table, and the same table at an earlier point in time.

    :ivar now: the current definition of the table.
    :ivar then: its definition at that time.
    :ivar current: the current table, in SQL.
    :ivar old: the historical table, in SQL.
    :ivar point: the point in time.
    :ivar by_key: whether statements are restricted to keys, by :meth:`within`.
    """

    target: RowsTarget
    now: TableDefinition
    then: TableDefinition
    current: TableClause
    old: FromClauseAlias[Any]
    point: PointInTime
    by_key: bool = False

    @classmethod
    def of(
        cls,
        target: RowsTarget,
        database: str | None,
        now: TableDefinition,
        then: TableDefinition,
        point: PointInTime,
    ) -> TablePair:
        """Return the pair of a table and its past."""
        names = dict.fromkeys((*now.columns, *then.columns))
        current = table(target.table.name, *map(column, names), schema=database)
        old = AsOfTable.of(current, point, _alias(target.table.name, "old"))
        return cls(target, now, then, current, old, point)

    @property
    def name(self) -> str:
        """Return the name of the table, with its database if that was given."""
        return self.target.name

    @property
    def key(self) -> tuple[str, ...]:
        """Return the columns of the current primary key."""
        return self.now.primary_key

    @property
    def restorable(self) -> tuple[str, ...]:
        """The columns that exist on both sides and can be written."""
        return tuple(
            name for name, defined in self.now.columns.items() if name in self.then.columns and not defined.generated
        )

    @property
    def skipped(self) -> tuple[str, ...]:
        """Return the columns that only one side has or that are generated, which are not restored."""
        both = (self.now.columns, self.then.columns)
        restorable = set(self.restorable)
        columns = {name: side[name].name for side in both for name in side if name not in restorable}
        return tuple(f"{self.name}.{name}" for name in columns.values())

    @property
    def scope(self) -> tuple[str, ...]:
        """The columns that are set back in changed rows."""
        wanted = self.target.columns
        return tuple(name for name in self.restorable if name not in self.key and (wanted is None or name in wanted))

    @property
    def touched(self) -> tuple[str, ...]:
        """The columns that an UPDATE changes unless it sets them."""
        return tuple(name for name in self.scope if self.now.columns[name].on_update)

    @property
    def unique_groups(self) -> list[set[str]]:
        """The columns of unique keys, grouped: keys that share a column are in one group."""
        groups: list[set[str]] = []
        for key in self.now.unique_keys:
            joined = [group for group in groups if not group.isdisjoint(key.columns)]
            groups = [group for group in groups if group not in joined] + [set(key.columns).union(*joined)]
        return groups

    @property
    def has_exact_key(self) -> bool:
        """Return whether the key's values compare exactly, so that rows can be found by them."""
        return all(self.now.columns[name].base_type in _EXACT_TYPES for name in self.key)

    def other(self, role: str) -> TablePair:
        """Return the same pair under other names, to join it with this one."""
        name = self.target.table.name
        current: Any = self.current.alias(_alias(name, role))
        old = AsOfTable.of(self.current, self.point, _alias(name, f"{role}_old"))
        return replace(self, current=current, old=old)

    # -- conditions

    def same_row(self) -> ColumnElement[bool]:
        """Return the condition that an old and a current row have the same key."""
        return and_(*(self.old.c[name] == self.current.c[name] for name in self.key))

    def missing(self) -> ColumnElement[bool]:
        """Match an old row that no longer exists, in an outer join from old to current rows."""
        return and_(self.current.c[self.key[0]].is_(None), *self.criterion(self.old))

    def changed(self, columns: Iterable[str]) -> ColumnElement[bool]:
        """Match a row that differs in one of the columns, in an outer join from old to current rows."""
        return and_(self.current.c[self.key[0]].is_not(None), self.differs_in(columns))

    def differs_in(self, columns: Iterable[str]) -> ColumnElement[bool]:
        """Match a row that differs in one of the columns, in an inner join."""
        return and_(or_(false(), *map(self.differs, columns)), *self.either_matches())

    def new(self) -> ColumnElement[bool]:
        """Match a row that did not exist then, in an outer join from current to old rows."""
        return and_(self.old.c[self.key[0]].is_(None), *self.criterion(self.current))

    def either_matches(self) -> list[ColumnElement[bool]]:
        """Return the condition that the old or the current row matches the criterion, as a list."""
        conditions = [*self.criterion(self.old), *self.criterion(self.current)]
        return [or_(*conditions)] if conditions else []

    def criterion(self, side: FromClause) -> list[ColumnElement[bool]]:
        """Return the caller's criterion on one side, as a list of conditions.

        MatrixOne 3.0 and 4.2 find no row, or too many, if a BIGINT is compared with ``=`` or ``<>`` in addition to IN.
        The criterion is therefore hidden in a CASE if :meth:`within` adds an IN.
        """
        conditions = self.target.where(side)
        return [is_true(conditions)] if conditions and self.by_key else conditions

    def differs(self, name: str) -> ColumnElement[bool]:
        """Compare a column of both sides; NULL is a value like any other.

        This does not use ``<=>``, which 2.2 lacks. The result may be NULL instead of false.
        """
        old, current = (self._comparable(side.c[name], name) for side in (self.old, self.current))
        if not (self.now.columns[name].nullable or self.then.columns[name].nullable):
            return old != current
        return or_(
            old != current,
            and_(old.is_(None), current.is_not(None)),
            and_(old.is_not(None), current.is_(None)),
        )

    def _comparable(self, value: ColumnElement[Any], name: str) -> ColumnElement[Any]:
        type_ = _COMPARED_AS.get(self.now.columns[name].base_type)
        return value if type_ is None else cast(value, type_)

    def within(self, side: FromClause, keys: Sequence[Key] | None) -> list[ColumnElement[bool]]:
        """Restrict a side to some keys, and possibly a few others if the key has several columns.

        One side is enough: the server restricts the side that is joined with it by the same keys.

        Each column is compared separately, because 2.2 cannot compare tuples. This only makes the statement faster: any
        other rows that the condition admits must meet the remaining conditions of the statement as well.
        """
        if keys is None:
            return []
        return [side.c[name].in_(sorted({key[position] for key in keys})) for position, name in enumerate(self.key)]

    # -- joins

    def from_past(self) -> Join:
        """Join all old rows with the current ones, if these exist."""
        return self.old.outerjoin(self.current, self.same_row())

    def from_present(self) -> Join:
        """Join all current rows with the old ones, if these existed."""
        return self.current.outerjoin(self.old, self.same_row())

    def of_both(self) -> Join:
        """Join the rows that exist on both sides, to update them."""
        return self.current.join(self.old, self.same_row())


def is_true(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return whether one of the conditions is true: false instead of NULL, so that it can be negated."""
    return case((or_(*conditions), 1), else_=0) == 1 if conditions else false()


def _alias(name: str, role: str) -> str:
    return f"{name[:_ALIAS_LENGTH]}__{role}"
