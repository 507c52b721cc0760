"""Restore rows of one or several tables, in the transaction of a connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc, func, select, table
from sqlalchemy.sql.dml import Insert, UpdateBase

from ...core.connection import state_of
from ...core.names import readable
from ...core.refusals import reason_of
from ...core.release import Feature, format_release
from ...core.server import MatrixOneServer, matrixone_dialect
from ...core.warning import warn
from ...exc import Reason, RestoreConflict, RestoreError, RestoreWarning, RowConflict, format_row
from ...timetravel.point_in_time import PointInTime
from ..past import checked_point, describe_point
from ..target import RecoveryTarget
from . import statements
from .changes import TableChanges, count_left, find_again, find_changes, old_rows
from .compatible import check_definitions
from .conflicts import ConflictSearch, freed_columns
from .definition import TableDefinition
from .order import WriteOrder
from .pair import GEOMETRIES, TablePair
from .target import RowKinds, RowsRequest, RowsTarget
from .values import Change, RestoredRows, RowChange, RowsPreview

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import TableClause

# No release can set a column of these types to a value from another table: "ambiguous column reference".
_SET_BY_VALUE = frozenset(("enum", "set"))
_SET_BY_VALUE_BEFORE_4 = frozenset(("year", "vecf32", "vecf64"))


def restore_rows(connection: Connection, request: RowsRequest) -> RestoredRows:
    """Restore the rows, and count them.

    :raises RestoreError: if they were not restored; the message says whether anything was changed.
    """
    if state_of(connection.connection).autocommit:
        raise RestoreError(
            "nothing was changed: restore_rows() needs a transaction, and this connection commits each statement. Use "
            "a connection without AUTOCOMMIT.",
            Reason.UNSUPPORTED,
        )
    plan = RowsPlan.make(connection, request, lock=True)
    if plan.conflicts:
        raise RestoreConflict(plan.conflicts)
    unverified = plan.execute()
    return RestoredRows.total(
        {
            part.pair.name: RestoredRows(
                plan.inserted(part),
                part.changed,
                part.new,
                part.pair.skipped,
                verified=part.pair.name not in unverified,
            )
            for part in plan.changes.values()
        }
    )


def preview_rows(connection: Connection, request: RowsRequest, sample: int) -> RowsPreview:
    """Return what :func:`restore_rows` would do, without changing anything.

    :param sample: how many rows of each table to read.
    """
    plan = RowsPlan.make(connection, request, lock=False)
    by_table = {
        part.pair.name: RowsPreview(
            part.missing,
            part.changed,
            part.new,
            part.pair.skipped,
            tuple(_sample(connection, part, sample)),
            tuple(conflict for conflict in plan.conflicts if conflict.table == part.pair.name),
        )
        for part in plan.changes.values()
    }
    return RowsPreview.total(by_table, tuple(plan.texts()))


@dataclass
class RowsPlan:
    """The steps to execute, and the conflicts that prevent them."""

    connection: Connection
    dialect: MatrixOneServer
    kinds: RowKinds
    order: WriteOrder
    changes: Mapping[str, TableChanges]
    search: ConflictSearch
    conflicts: Sequence[RowConflict]
    _inserted: dict[str, int] = field(default_factory=dict)

    @classmethod
    def make(cls, connection: Connection, request: RowsRequest, *, lock: bool) -> RowsPlan:
        """Find the rows to restore, and their conflicts.

        :param lock: keep others from writing to the rows until the end of the transaction.
        """
        dialect = matrixone_dialect(connection)
        kinds = request.kinds
        pairs = [_pair(connection, target, request.point) for target in request.targets]
        for pair in pairs:
            check_definitions(dialect, pair, kinds)
        default = dialect.default_schema_name
        changes = {pair.name: find_changes(connection, pair, kinds) for pair in pairs}
        order = WriteOrder.of([part.pair for part in changes.values()], default)
        if lock:
            changes = {name: _locked(connection, part) for name, part in changes.items()}
        search = ConflictSearch(connection, dialect, order, kinds, changes, default)
        plan = cls(connection, dialect, kinds, order, changes, search, search.find())
        if not plan.conflicts:
            for part in changes.values():
                plan._check_writable(part)
                search.check_lockable(part)
        return plan

    def _check_writable(self, part: TableChanges) -> None:
        """Check that the rows of a table can be written.

        :raises RestoreError: if no order of statements would achieve it.
        """
        pair, unlinked = part.pair, self.order.unlinked_columns(part.pair)
        linked_by_update = self.kinds.changed and set(unlinked) <= set(pair.scope)
        if part.missing and unlinked and part.missing_keys is None and not linked_by_update:
            raise RestoreError(
                f"nothing was changed: so many missing rows of {pair.name}, which is part of a cycle of foreign "
                "keys, can be inserted only if changed rows are restored as well. Restore with changed=True and "
                "without columns=, or in parts, by where=.",
                Reason.UNSUPPORTED,
            )
        tree_of_set_null = any(edge.key.on_delete == "SET NULL" for edge in self.order.self_references(pair))
        if part.new and tree_of_set_null and not self.dialect.supports(Feature.DELETE_FROM_TREE_OF_SET_NULL):
            raise RestoreError(
                f"nothing was changed: {Feature.DELETE_FROM_TREE_OF_SET_NULL.sql} never returns before MatrixOne "
                f"{format_release(Feature.DELETE_FROM_TREE_OF_SET_NULL.since)}, so the new rows of {pair.name} cannot "
                "be deleted. Restore with new=False.",
                Reason.UNSUPPORTED,
            )

    def inserted(self, part: TableChanges) -> int:
        """Return how many rows of a table were inserted.

        Missing rows cannot be locked: another session may have inserted some of them first.
        """
        return min(part.missing, self._inserted.get(part.pair.current.fullname, part.missing))

    # -- execution

    def execute(self) -> set[str]:
        """Execute the steps, and compare the result with the history.

        :return: the tables of which some rows differ, maybe because others have written them in the meantime.
        :raises RestoreError: if a statement fails, or did not have the expected effect.
        """
        done = 0
        try:
            for statement in self.steps():
                result = self.connection.execute(statement, execution_options={"preserve_rowcount": True})
                if isinstance(statement, Insert) and result.rowcount >= 0:
                    self._inserted[statement.table.fullname] = result.rowcount
                done += 1
        except exc.DBAPIError as error:
            outcome = (
                "the transaction contains only a part of the restore: roll it back" if done else "nothing was changed"
            )
            raise RestoreError(f"{outcome}. {error.orig}", reason_of(error)) from error
        for part in self.changes.values():
            self._check_keys(part)
        return {part.pair.name for part in self.changes.values() if not self._check_counts(part)}

    def _check_keys(self, part: TableChanges) -> None:
        """Check that no row differs of those whose keys are known. They are locked."""
        left = find_again(self.connection, part)
        keys = (left.keys or ()) if part.keys else ()
        new_keys = (left.new_keys or ()) if part.new_keys else ()
        if keys or new_keys:
            examples = "; ".join(
                format_row(dict(zip(part.pair.key, key, strict=True))) for key in (*keys, *new_keys)[:5]
            )
            raise _incomplete(part, len(keys) + len(new_keys), examples)

    def _check_counts(self, part: TableChanges) -> bool:
        """Count the rows that differ of those whose keys are not known, and return whether there are none.

        Others may write rows in the meantime that were not to be restored before, so that it is no error if a few are
        left.

        :raises RestoreError: if there are no fewer than before.
        """
        before = part.without_known_keys
        left = count_left(self.connection, part) if before else 0
        if left >= before > 0:
            raise _incomplete(part, left)
        if left:
            warn(
                f"{left} rows of {part.pair.name} differ from their history after restore_rows(), which has restored "
                f"{before - left} or more: others have written them in the meantime, or the server has omitted them. "
                "Call it again in this transaction to restore them, too, or roll back.",
                RestoreWarning,
            )
        return not left

    def steps(self, *, preview: bool = False) -> Iterator[UpdateBase]:
        """Yield the statements, each to be executed before the next one is requested.

        Deleting and updating frees values of unique keys, so this precedes inserting; rows to which others refer
        are inserted first, and deleted last.

        :param preview: yield them for all rows, without listing keys, and do not assume that they are executed.
        """
        parts = [self.changes[pair.name] for pair in self.order.tables]
        if preview:
            parts = [part.without_keys() for part in parts]
        if self.search.deletes_last:
            yield from self._frees(parts)
        else:
            yield from self._deletes(parts)
        for part in parts:
            yield from self._updates(part, preview)
            if part.missing:
                unlinked = self.order.unlinked_columns(part.pair)
                yield statements.insert_missing(part.pair, part.missing_keys, unlinked)
        for part in parts:
            yield from self._links(part)
        if self.search.deletes_last:
            yield from self._deletes(parts)

    def _frees(self, parts: Sequence[TableChanges]) -> Iterator[UpdateBase]:
        """Give up the unique values of rows that are deleted last."""
        for part in parts:
            columns = [names[0] for key in part.pair.now.unique_keys if (names := freed_columns(part.pair, key))]
            if part.new and columns:
                yield from statements.unlink_new(part.pair, list(dict.fromkeys(columns)), part.new_keys)

    def _deletes(self, parts: Sequence[TableChanges]) -> Iterator[UpdateBase]:
        deleted = [part for part in reversed(parts) if part.new]
        for part in deleted:
            # The server refuses to delete a row in the same statement as another one that refers to it.
            referring = [name for edge in self.order.self_references(part.pair) for name in edge.key.columns]
            columns = dict.fromkeys((*self.order.unlinked_columns(part.pair), *referring))
            nullable = [name for name in columns if part.pair.now.columns[name].nullable]
            if nullable:
                yield from statements.unlink_new(part.pair, nullable, part.new_keys)
        for part in deleted:
            yield from statements.delete_new(part.pair, part.new_keys)

    def _updates(self, part: TableChanges, preview: bool) -> Iterator[UpdateBase]:
        columns = [name for name in part.differing if name not in self.search.postponed[part.pair.name]]
        by_value = [name for name in columns if self._is_set_by_value(part.pair, name)]
        at_once = [name for name in columns if name not in by_value]
        if by_value:
            yield from self._by_value(part, by_value, once=preview or part.keys is not None)
            at_once = list(dict.fromkeys((*at_once, *part.pair.touched)))
        for group in part.pair.unique_groups:
            unique = [name for name in at_once if name in group]
            at_once = [name for name in at_once if name not in group]
            if unique:
                yield from statements.set_back_unique(part.pair, unique, part.keys)
        if at_once:
            yield statements.set_back(part.pair, at_once, part.keys)

    def _is_set_by_value(self, pair: TablePair, name: str) -> bool:
        type_ = pair.now.columns[name].base_type
        if type_ in _SET_BY_VALUE_BEFORE_4:
            return not self.dialect.supports(Feature.UPDATE_JOIN_OF_ANY_TYPE)
        if type_ in GEOMETRIES:
            return self.dialect.supports(Feature.NO_UPDATE_JOIN_OF_GEOMETRY)
        return type_ in _SET_BY_VALUE

    def _by_value(self, part: TableChanges, columns: Sequence[str], *, once: bool) -> Iterator[UpdateBase]:
        before: set[tuple[Any, ...]] = set()
        while rows := statements.old_values(self.connection, part.pair, columns, part.keys):
            if before == set(rows):
                raise RestoreError(
                    "the transaction contains only a part of the restore: roll it back. The server reported no error, "
                    f"but rows of {part.pair.name} still differ in {', '.join(columns)}",
                    Reason.INCOMPLETE,
                )
            before = set(rows)
            yield from statements.set_values(part.pair, columns, rows)
            if once:
                return

    def _links(self, part: TableChanges) -> Iterator[UpdateBase]:
        """Set the foreign keys that could not be set before all rows were inserted."""
        pair, unlinked = part.pair, self.order.unlinked_columns(part.pair)
        postponed = [name for name in self.search.postponed[pair.name] if name in part.differing]
        inserted = self.changes[pair.name].missing_keys
        if part.missing and unlinked and inserted is not None:
            yield from statements.link_inserted(pair, unlinked, inserted)
        elif part.missing and unlinked:
            postponed = list(dict.fromkeys((*postponed, *unlinked)))
        if postponed:
            yield statements.set_back(pair, postponed, part.keys)

    def texts(self) -> Iterator[str]:
        """Yield the statements as text that includes their values."""
        for statement in self.steps(preview=True):
            compiled = statement.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})
            yield readable(str(compiled))


def _incomplete(part: TableChanges, left: int, examples: str = "") -> RestoreError:
    return RestoreError(
        "the transaction contains only a part of the restore: roll it back. The server reported no error, but "
        f"{left} rows of {part.pair.name} still differ{examples and f': {examples}'}",
        Reason.INCOMPLETE,
    )


def _pair(connection: Connection, target: RowsTarget, point: PointInTime) -> TablePair:
    translate = connection.get_execution_options().get("schema_translate_map")
    schema = RecoveryTarget.of(table=target.table).in_database(None, translate)  # type: ignore[union-attr]
    named = table(target.table.name, schema=schema)
    try:
        now = TableDefinition.read(connection, named)
    except exc.DBAPIError as error:
        raise RestoreError(_explain(target, error), reason_of(error)) from error
    then = _then(connection, named, point)
    if now is None or then is None:
        raise RestoreError(f"nothing was changed: {target.name} is a view", Reason.UNSUPPORTED)
    return TablePair.of(target, schema, now, then, point)


def _then(connection: Connection, named: TableClause, point: PointInTime) -> TableDefinition | None:
    """Return the definition that a table had; None if it was a view.

    :raises RestoreError: if the table did not exist then, or the server does not have the history.
    """
    try:
        return TableDefinition.read(connection, named, checked_point(point))
    except exc.DBAPIError as error:
        raise RestoreError(_explain_past(named, point, error), reason_of(error)) from error


def _explain_past(named: TableClause, point: PointInTime, error: exc.DBAPIError) -> str:
    when = describe_point(point)
    match reason_of(error):
        case Reason.OUT_OF_RANGE:
            return f"nothing was changed: the server does not have the rows of {named.name} as of {when}"
        case Reason.NOT_FOUND:
            or_snapshot = ", or there is no such snapshot" if point.kind == "SNAPSHOT" else ""
            return f"nothing was changed: there was no table {named.fullname} at {when}{or_snapshot}"
    return f"nothing was changed: {named.name} could not be read as of {when}: {error.orig}"


def _explain(target: RowsTarget, error: exc.DBAPIError) -> str:
    match reason_of(error):
        case Reason.NOT_FOUND:
            return f"nothing was changed: there is no table {target.name}; undrop() brings back a dropped table"
        case Reason.NOT_PERMITTED:
            return (
                f"nothing was changed: this user may not read the definition of {target.name}, which needs GRANT SHOW "
                "TABLES ON DATABASE …"
            )
    return f"nothing was changed: the definition of {target.name} could not be read: {error.orig}"


def _locked(connection: Connection, part: TableChanges) -> TableChanges:
    """Lock the rows, so that what is found afterwards remains true."""
    pair = part.pair
    changed = set(part.keys or ()) - set(part.missing_keys or ())
    for statement in statements.lock(pair, sorted({*changed, *(part.new_keys or ())})):
        connection.execute(statement)
    if part.new and part.new_keys is None and matrixone_dialect(connection).supports(Feature.LOCK_OF_JOIN):
        connection.execute(select(func.count()).select_from(pair.from_present()).where(pair.new()).with_for_update())
    return find_again(connection, part) if part.found else part


def _sample(connection: Connection, part: TableChanges, size: int) -> Iterator[RowChange]:
    pair = part.pair
    if part.missing or part.changed:
        where = [old_rows(pair, part.kinds), *pair.within(pair.old, part.keys)]
        yield from _read_sample(connection, pair, pair.from_past(), where, size)
    if part.new:
        where = [pair.new(), *pair.within(pair.current, part.new_keys)]
        yield from _read_sample(connection, pair, pair.from_present(), where, size)


def _read_sample(
    connection: Connection, pair: TablePair, source: Any, where: Sequence[Any], size: int
) -> Iterator[RowChange]:
    sides = [(pair.old, pair.then.columns), (pair.current, pair.now.columns)]
    columns = [side.c[name] for side, names in sides for name in names]
    statement = select(*(value.label(f"c_{index}") for index, value in enumerate(columns)))
    for row in connection.execute(statement.select_from(source).where(*where).limit(size)):
        old = dict(zip(pair.then.columns, row, strict=False))
        current = dict(zip(pair.now.columns, row[len(old) :], strict=True))
        change: Change = "changed"
        if current[pair.key[0]] is None:
            change = "missing"
        elif old[pair.key[0]] is None:
            change = "new"
        exists = current if change == "new" else old
        yield RowChange(
            pair.name,
            change,
            {name: exists[name] for name in pair.key},
            None if change == "new" else old,
            None if change == "missing" else current,
        )
