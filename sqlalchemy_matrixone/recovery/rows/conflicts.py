"""Find rows that conflict with newer ones, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, column, func, or_, select, table
from sqlalchemy.sql import FromClause

from ...core.release import Feature, format_release
from ...exc import Reason, RestoreError, RowConflict, format_row
from .changes import TableChanges
from .definition import ForeignKey, UniqueKey
from .order import WriteOrder, referred_name, table_name
from .pair import TablePair, is_true
from .references import IncomingKey, incoming_keys
from .target import RowKinds

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ...core.server import MatrixOneServer

LIMIT = 20
"""The maximum number of conflicts of each kind to report."""


@dataclass
class ConflictSearch:
    """A search for everything that could keep rows from being restored.

    :ivar deletes_last: whether new rows can only be deleted after other rows have been set back.
    :ivar postponed: for each table, the columns that can only be set back after rows have been inserted: those of
        foreign keys in cycles, and those that refer to missing rows of the same table.
    """

    connection: Connection
    dialect: MatrixOneServer
    order: WriteOrder
    kinds: RowKinds
    changes: Mapping[str, TableChanges]
    default: str | None
    deletes_last: bool = False
    postponed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _incoming: dict[str, list[IncomingKey]] = field(default_factory=dict)

    def find(self) -> list[RowConflict]:
        """Return all conflicts.

        :raises RestoreError: if rows cannot be inserted or deleted whatever they contain.
        """
        parts = [self.changes[pair.name] for pair in self.order.tables]
        referenced = [conflict for part in parts if part.new for conflict in self._still_referenced(part)]
        self.postponed = {part.pair.name: self._to_postpone(part) for part in parts}
        return [
            *referenced,
            *(conflict for part in parts for conflict in self._missing_values(part)),
            *(conflict for part in parts for conflict in self._taken_values(part)),
            *(conflict for part in parts for conflict in self._missing_parents(part)),
            *(conflict for part in parts for conflict in self._held_values(part)),
        ]

    # -- values

    def _missing_values(self, part: TableChanges) -> Iterator[RowConflict]:
        """Yield rows whose values the current table does not accept."""
        pair, columns = part.pair, part.pair.now.columns
        if part.missing:
            self._check_insertable(pair)
        for name in pair.restorable:
            if not columns[name].nullable and pair.then.columns[name].nullable:
                rows = self._coming(part, [name], pair.old.c[name].is_(None))
                yield from self._conflicts(pair, rows, f"{columns[name].name} was NULL then, and cannot be NULL now")
            if columns[name].autoincrement and part.missing:
                rows = self._old_rows(part, [pair.missing(), is_true([pair.old.c[name] == 0])])
                yield from self._conflicts(
                    pair, rows, f"{columns[name].name} was 0, for which the server would insert a new number"
                )

    def _check_insertable(self, pair: TablePair) -> None:
        for name, defined in pair.now.columns.items():
            if name not in pair.then.columns and not (
                defined.nullable or defined.has_default or defined.autoincrement or defined.generated
            ):
                raise RestoreError(
                    f"nothing was changed: missing rows of {pair.name} cannot be inserted, because {defined.name} did "
                    "not exist then, cannot be NULL and has no default. Give it a default, or restore with "
                    "missing=False.",
                    Reason.UNSUPPORTED,
                )

    def _taken_values(self, part: TableChanges) -> Iterator[RowConflict]:
        """Yield rows with a value of a unique key that another row has now."""
        for key in part.pair.now.unique_keys:
            if set(key.columns) <= set(part.pair.restorable) and self._coming_condition(part, key.columns) is not None:
                yield from self._taken_by_others(part, key)
                if key.columns not in _unique_columns(part.pair):
                    yield from self._not_unique(part, key)

    def _taken_by_others(self, part: TableChanges, key: UniqueKey) -> Iterator[RowConflict]:
        pair, holder = part.pair, part.pair.other("holder")
        same_value = [
            _prefix(holder.current.c[name], length) == _prefix(pair.old.c[name], length)
            for name, length in zip(key.columns, key.lengths, strict=True)
        ]
        another = or_(*(holder.current.c[name] != pair.old.c[name] for name in pair.key))
        source = (
            pair.from_past().join(holder.current, and_(*same_value, another)).outerjoin(holder.old, holder.same_row())
        )
        rows = self._rows(
            source,
            [pair.old.c[name] for name in (*pair.key, *key.columns)] + [holder.current.c[name] for name in pair.key],
            [
                self._coming_condition(part, key.columns),
                ~is_true(self._is_released(part, holder, key)),
                *self._within(part),
            ],
        )
        size = len(pair.key)
        for row in rows:
            values = format_row(dict(zip(key.columns, row[size:], strict=False)))
            other = format_row(dict(zip(pair.key, row[size + len(key.columns) :], strict=True)))
            yield RowConflict(pair.name, _key(pair, row), f"{values} now belongs to row {other}")

    def _is_released(self, part: TableChanges, holder: TablePair, key: UniqueKey) -> list[ColumnElement[bool]]:
        """Return the conditions under which a row that has the value now will no longer have it."""
        released = []
        columns = [
            name for name in key.columns if name in part.differing and name not in self.postponed[part.pair.name]
        ]
        if columns:
            released.append(and_(holder.old.c[holder.key[0]].is_not(None), holder.changed(columns)))
        if self.kinds.new and (not self.deletes_last or freed_columns(part.pair, key)):
            released.append(holder.new())
        return released

    def _not_unique(self, part: TableChanges, key: UniqueKey) -> Iterator[RowConflict]:
        """Yield rows that had the same value of a key that did not exist then."""
        columns = [part.pair.old.c[name] for name in key.columns]
        statement = (
            select(*columns)
            .select_from(part.pair.from_past())
            .where(
                self._coming_condition(part, key.columns),
                *(value.is_not(None) for value in columns),
                *self._within(part),
            )
            .group_by(*columns)
            .having(func.count() > 1)
            .limit(LIMIT)
        )
        for row in self.connection.execute(statement):
            yield RowConflict(
                part.pair.name,
                dict(zip(key.columns, row, strict=True)),
                "several rows had this value, which is unique now",
            )

    # -- foreign keys

    def _missing_parents(self, part: TableChanges) -> Iterator[RowConflict]:
        """Yield rows that refer to a row that no longer exists and is not restored."""
        for key in part.pair.now.foreign_keys:
            if set(key.columns) <= set(part.pair.restorable) and self._coming_condition(part, key.columns) is not None:
                yield from self._without_parent(part, key)

    def _to_postpone(self, part: TableChanges) -> tuple[str, ...]:
        pair = part.pair
        columns = dict.fromkeys(self.order.unlinked_columns(pair))
        for _, key, _ in self.order.self_references(pair) if part.missing else ():
            changed = [name for name in key.columns if name in part.differing]
            parent = pair.current.alias(f"{pair.old.name}__parent")
            source = pair.from_past().outerjoin(parent, _refers(pair.old, parent, key))
            where = [pair.changed(changed), parent.c[key.referred[0]].is_(None), *self._within(part)]
            if changed and self._rows(source, [pair.old.c[pair.key[0]]], where):
                columns |= dict.fromkeys(changed)
        return tuple(columns)

    def _without_parent(self, part: TableChanges, key: ForeignKey) -> Iterator[RowConflict]:
        pair = part.pair
        restored = self._target(referred_name(pair, key, self.default))
        schema = key.schema or pair.current.schema
        parent = table(key.table, *map(column, key.referred), schema=schema).alias(f"{pair.old.name}__parent")
        source = pair.from_past().outerjoin(parent, _refers(pair.old, parent, key))
        conditions: list[ColumnElement[bool]] = [
            parent.c[key.referred[0]].is_(None),
            *(pair.old.c[name].is_not(None) for name in key.columns),
        ]
        if restored is not None and restored.missing:
            past = restored.pair.other("parent").old
            source = source.outerjoin(past, _refers(pair.old, past, key))
            is_restored = [and_(past.c[key.referred[0]].is_not(None), *restored.pair.criterion(past))]
            conditions.append(~is_true(is_restored))
        columns = [pair.old.c[name] for name in (*pair.key, *key.columns)]
        condition = self._coming_condition(part, key.columns)
        for row in self._rows(source, columns, [condition, *conditions, *self._within(part)]):
            values = format_row(dict(zip(key.columns, row[len(pair.key) :], strict=True)))
            yield RowConflict(
                pair.name, _key(pair, row), f"{values} refers to a row of {key.table} that does not exist"
            )

    def _still_referenced(self, part: TableChanges) -> Iterator[RowConflict]:
        """Yield new rows to which remaining rows refer."""
        keys = self._keys_to(part.pair)
        if keys is None:
            raise RestoreError(
                f"nothing was changed: new rows of {part.pair.name} can be deleted only if it is known which tables "
                "refer to them, but this user may not read the catalog. Connect as the administrator of the account, "
                "or restore with new=False.",
                Reason.NOT_PERMITTED,
            )
        for incoming in keys:
            yield from self._referenced_by(part, incoming)

    def check_lockable(self, part: TableChanges) -> None:
        """Check that the new rows can be locked before they are deleted.

        :raises RestoreError: if rows that others write in the meantime could be deleted together with new rows.
        """
        if not part.new or part.new_keys is not None or self.dialect.supports(Feature.LOCK_OF_JOIN):
            return
        keys = self._keys_to(part.pair) or ()
        acting = [key.child.name for key in keys if not key.key.is_restrictive and not key.is_self]
        if acting:
            raise RestoreError(
                f"nothing was changed: there are many new rows of {part.pair.name}. Before MatrixOne "
                f"{format_release(Feature.LOCK_OF_JOIN.since)} they cannot be locked all at once, and deleting them "
                f"could delete or change rows of {', '.join(acting)} that are written meanwhile. Delete them in parts, "
                "by where=, or restore with new=False.",
                Reason.UNSUPPORTED,
            )

    def _referenced_by(self, part: TableChanges, incoming: IncomingKey) -> Iterator[RowConflict]:
        pair, key = part.pair, incoming.key
        within = pair.within(pair.current, part.new_keys)
        if incoming.pair is None:
            child = incoming.child.alias(f"{pair.old.name}__child")
            source = pair.from_present().join(child, _refers(child, pair.current, key))
            yield from self._references(pair, incoming, source, child, [pair.new(), *within])
            return
        other = incoming.pair.other("child")
        source = (
            pair.from_present()
            .join(other.current, _refers(other.current, pair.current, key))
            .outerjoin(other.old, other.same_row())
        )
        moved = self._moves(incoming.pair, other, key)
        stays = ~is_true([other.new(), *moved])
        yield from self._references(pair, incoming, source, other.current, [pair.new(), stays, *within])
        if moved and self._rows(source, [pair.current.c[pair.key[0]]], [pair.new(), *moved, *within]):
            self.deletes_last = True

    def _moves(self, child: TablePair, other: TablePair, key: ForeignKey) -> list[ColumnElement[bool]]:
        """Return the condition under which a row will refer to another row once it is set back."""
        columns = [name for name in key.columns if name in self.changes[child.name].differing]
        return [and_(other.old.c[other.key[0]].is_not(None), other.changed(columns))] if columns else []

    def _references(
        self,
        pair: TablePair,
        incoming: IncomingKey,
        source: FromClause,
        child: FromClause,
        where: Sequence[ColumnElement[bool]],
    ) -> Iterator[RowConflict]:
        names = incoming.definition.primary_key or incoming.key.columns
        columns = [*(pair.current.c[name] for name in pair.key), *(child.c[name] for name in names)]
        for row in self._rows(source, columns, where):
            other = format_row(dict(zip(names, row[len(pair.key) :], strict=True)))
            yield RowConflict(
                pair.name, _key(pair, row), f"the row {other} of {incoming.child.name} refers to it, and stays"
            )

    def _held_values(self, part: TableChanges) -> Iterator[RowConflict]:
        """Yield rows whose current value cannot be set back, because other rows refer to it."""
        pair = part.pair
        if not set().union(*pair.unique_groups).intersection(part.differing):
            return
        for incoming in self._keys_to(pair) or ():
            changed = [name for name in incoming.key.referred if name in part.differing]
            if not changed or incoming.key.on_update == "CASCADE":
                continue
            child = incoming.child.alias(f"{pair.old.name}__child")
            source = pair.from_past().join(child, _refers(child, pair.current, incoming.key))
            yield from self._references(pair, incoming, source, child, [pair.changed(changed), *self._within(part)])

    def _keys_to(self, pair: TablePair) -> list[IncomingKey] | None:
        if pair.name not in self._incoming:
            found = incoming_keys(self.connection, pair, self.order, self.default)
            if found is None:
                return None
            self._incoming[pair.name] = found
        return self._incoming[pair.name]

    def _target(self, name: Any) -> TableChanges | None:
        return next(
            (self.changes[pair.name] for pair in self.order.tables if table_name(pair, self.default) == name), None
        )

    # -- queries

    def _coming(self, part: TableChanges, columns: Sequence[str], condition: ColumnElement[bool]) -> Sequence[Any]:
        coming = self._coming_condition(part, columns)
        return [] if coming is None else self._old_rows(part, [coming, condition])

    def _coming_condition(self, part: TableChanges, columns: Sequence[str]) -> Any:
        """Return a condition for rows that will get old values of these columns; None if there are none."""
        conditions = [part.pair.missing()] if part.missing else []
        if changed := [name for name in columns if name in part.differing]:
            conditions.append(part.pair.changed(changed))
        return or_(*conditions) if conditions else None

    def _within(self, part: TableChanges) -> list[ColumnElement[bool]]:
        return part.pair.within(part.pair.old, part.keys)

    def _old_rows(self, part: TableChanges, where: Sequence[ColumnElement[bool]]) -> Sequence[Any]:
        pair = part.pair
        columns = [pair.old.c[name] for name in pair.key]
        return self._rows(pair.from_past(), columns, [*where, *self._within(part)])

    def _rows(
        self, source: FromClause, columns: Sequence[ColumnElement[Any]], where: Sequence[ColumnElement[bool]]
    ) -> Sequence[Any]:
        labelled = [value.label(f"c_{index}") for index, value in enumerate(columns)]
        return self.connection.execute(select(*labelled).select_from(source).where(*where).limit(LIMIT)).all()

    def _conflicts(self, pair: TablePair, rows: Sequence[Any], reason: str) -> Iterator[RowConflict]:
        return (RowConflict(pair.name, _key(pair, row), reason) for row in rows)


def freed_columns(pair: TablePair, key: UniqueKey) -> list[str]:
    """Return columns of a unique key that can be NULL, so that a row can give up its value before it is deleted."""
    return [name for name in key.columns if pair.now.columns[name].nullable and name not in pair.key]


def _refers(child: FromClause, parent: FromClause, key: ForeignKey) -> ColumnElement[bool]:
    return and_(
        *(child.c[name] == parent.c[referred] for name, referred in zip(key.columns, key.referred, strict=True))
    )


def _prefix(value: ColumnElement[Any], length: int | None) -> ColumnElement[Any]:
    return value if length is None else func.left(value, length)


def _key(pair: TablePair, row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(pair.key, row, strict=False))


def _unique_columns(pair: TablePair) -> set[tuple[str, ...]]:
    """Return the columns of the keys that were unique then."""
    return {pair.then.primary_key, *(key.columns for key in pair.then.unique_keys)}
