"""Find the rows of a table that are missing, changed or new since an earlier point in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import ColumnElement, case, func, or_, select

from .pair import Key, TablePair
from .target import RowKinds

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import FromClause, Select

KEY_LIMIT = 5000
"""Up to this number of rows of a table are handled by their keys, more of them without, to limit the use of memory."""


@dataclass(frozen=True)
class TableChanges:
    """What has changed in a table.

    :ivar differing: the columns that differ in some changed row.
    :ivar keys: the keys of the missing and changed rows; None if there are too many, or they cannot be sent back.
    :ivar missing_keys: the keys of the missing rows among them.
    :ivar new_keys: the keys of the new rows, likewise.
    """

    pair: TablePair
    kinds: RowKinds
    missing: int = 0
    changed: int = 0
    new: int = 0
    differing: tuple[str, ...] = ()
    keys: tuple[Key, ...] | None = ()
    missing_keys: tuple[Key, ...] | None = ()
    new_keys: tuple[Key, ...] | None = ()

    @property
    def found(self) -> bool:
        """Return whether there is anything to restore."""
        return bool(self.missing or self.changed or self.new)

    @property
    def without_known_keys(self) -> int:
        """The number of rows to restore of which the keys are not known."""
        old = self.missing + self.changed if self.keys is None else 0
        return old + (self.new if self.new_keys is None else 0)

    def without_keys(self) -> Self:
        """Return a copy whose statements find the rows by comparison instead of by their keys."""
        return replace(self, pair=replace(self.pair, by_key=False), keys=None, missing_keys=None, new_keys=None)


def find_changes(connection: Connection, pair: TablePair, kinds: RowKinds) -> TableChanges:
    """Count the rows to restore, and read their keys if there are few."""
    found: dict[str, Any] = {}
    if kinds.missing or (kinds.changed and pair.scope):
        found |= _find_old(connection, pair, kinds, None)
    if kinds.new:
        found |= _find_new(connection, pair, None)
    by_key = bool(found.get("keys") or found.get("new_keys"))
    return TableChanges(replace(pair, by_key=by_key), kinds, **found)


def find_again(connection: Connection, before: TableChanges) -> TableChanges:
    """Check the rows that were found before again, as far as their keys are known."""
    found: dict[str, Any] = {}
    if before.keys:
        found |= _find_old(connection, before.pair, before.kinds, before.keys)
    if before.new_keys:
        found |= _find_new(connection, before.pair, before.new_keys)
    return replace(before, **found)


def count_left(connection: Connection, part: TableChanges) -> int:
    """Count the rows that differ after a restore, of those kinds of which the keys are not known."""
    pair, left = part.pair, 0
    if part.keys is None and part.missing + part.changed:
        found = _count_old(connection, pair, (), pair.from_past(), [old_rows(pair, part.kinds)])
        left += found["missing"] + found["changed"]
    if part.new_keys is None and part.new:
        left += _count_new(connection, pair, [pair.new()])
    return left


def old_rows(pair: TablePair, kinds: RowKinds) -> ColumnElement[bool]:
    """Return a condition for the missing and changed rows, in a join from old to current rows."""
    conditions = []
    if kinds.missing:
        conditions.append(pair.missing())
    if kinds.changed and pair.scope:
        conditions.append(pair.changed(pair.scope))
    return or_(*conditions)


def _find_old(connection: Connection, pair: TablePair, kinds: RowKinds, keys: Sequence[Key] | None) -> dict[str, Any]:
    """Return the missing and changed rows, with their keys if there are few."""
    columns = pair.scope if kinds.changed else ()
    source, where = pair.from_past(), (old_rows(pair, kinds), *pair.within(pair.old, keys))
    found = _read_old(connection, pair, columns, source, where) if pair.has_exact_key else None
    return _count_old(connection, pair, columns, source, where) if found is None else found


def _read_old(
    connection: Connection,
    pair: TablePair,
    columns: Sequence[str],
    source: FromClause,
    where: Sequence[ColumnElement[bool]],
) -> dict[str, Any] | None:
    size = len(pair.key)
    listed = [pair.old.c[name].label(f"k_{index}") for index, name in enumerate(pair.key)]
    is_missing = case((pair.current.c[pair.key[0]].is_(None), 1), else_=0)
    flags = [case((pair.differs(name), 1), else_=0).label(f"d_{index}") for index, name in enumerate(columns)]
    rows = _read_few(connection, select(*listed, is_missing, *flags), source, where)
    if rows is None:
        return None
    changed = [row for row in rows if not row[size]]
    return {
        "missing": len(rows) - len(changed),
        "changed": len(changed),
        "differing": tuple(
            name for index, name in enumerate(columns, start=size + 1) if any(row[index] for row in changed)
        ),
        "keys": tuple(tuple(row[:size]) for row in rows),
        "missing_keys": tuple(tuple(row[:size]) for row in rows if row[size]),
    }


def _count_old(
    connection: Connection,
    pair: TablePair,
    columns: Sequence[str],
    source: FromClause,
    where: Sequence[ColumnElement[bool]],
) -> dict[str, Any]:
    is_missing = pair.current.c[pair.key[0]].is_(None)
    present = pair.current.c[pair.key[0]].is_not(None)
    counts = connection.execute(
        select(
            func.count(case((is_missing, 1))),
            func.count(case((present, 1))),
            *(func.count(case((present & pair.differs(name), 1))) for name in columns),
        )
        .select_from(source)
        .where(*where)
    ).one()
    return {
        "missing": counts[0],
        "changed": counts[1],
        "differing": tuple(name for name, count in zip(columns, counts[2:], strict=True) if count),
        "keys": None,
        "missing_keys": None,
    }


def _find_new(connection: Connection, pair: TablePair, keys: Sequence[Key] | None) -> dict[str, Any]:
    where = (pair.new(), *pair.within(pair.current, keys))
    if pair.has_exact_key:
        listed = [pair.current.c[name].label(f"k_{index}") for index, name in enumerate(pair.key)]
        rows = _read_few(connection, select(*listed), pair.from_present(), where)
        if rows is not None:
            return {"new": len(rows), "new_keys": tuple(map(tuple, rows))}
    return {"new": _count_new(connection, pair, where), "new_keys": None}


def _count_new(connection: Connection, pair: TablePair, where: Sequence[ColumnElement[bool]]) -> int:
    counted = select(func.count()).select_from(pair.from_present()).where(*where)
    return int(connection.execute(counted).scalar_one())


def _read_few(
    connection: Connection, statement: Select[Any], source: FromClause, where: Sequence[ColumnElement[bool]]
) -> Sequence[Any] | None:
    """Return the rows, or None if there are too many."""
    rows = connection.execute(statement.select_from(source).where(*where).limit(KEY_LIMIT + 1)).all()
    return None if len(rows) > KEY_LIMIT else rows
