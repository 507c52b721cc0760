"""Find the changes of a table since a snapshot or a time, or between two of these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Self, cast

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Table,
    and_,
    exc,
    false,
    literal_column,
    or_,
    select,
)
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import Mapper, QueryableAttribute
from sqlalchemy.sql.base import Executable

from ..core.arguments import (
    ColumnsArgument,
    Timestamp,
    check_is_name,
    check_timestamp,
    inspect_entity,
    is_timestamp,
    list_of_columns,
    table_with_columns,
)
from ..core.names import fold
from ..core.refusals import is_missing_column
from ..core.sqlalchemy_internals import ConnectionAware, union_all_as, with_selects
from ..core.warning import warn
from ..exc import MatrixOneArgumentError, RecoveryWarning
from .point_in_time import TimestampOrBind
from .tables import as_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, CursorResult

    from ..core.sqlalchemy_internals import Execute


def changes_since(
    target: Any,
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    columns: ColumnsArgument | None = None,
) -> CompoundSelect[Any]:
    """Return a query of the rows of a table that were inserted, changed or deleted since a snapshot or a time.

    ::

        for row in session.execute(changes_since(Order, snapshot="before_import")):
            print(row.change, row.old_id, row.old_total, row.new_id, row.new_total)

    Each row has ``change``, which is ``new``, ``changed`` or ``gone``, and every column twice, as ``old_…`` and
    ``new_…``: None if there is no such row. Rows are identified by their primary keys. The query can be made a
    ``subquery()`` and filtered.

    If the table did not have some of the columns then, those that exist at both times are compared, and a
    :class:`RecoveryWarning` names the others. A ``subquery()`` requires ``columns=`` for that.

    :param target: a mapped class or a Table, with a primary key. The query fails for columns of types that the server
        cannot compare.
    :param snapshot: as for :func:`as_of`.
    :param timestamp: as for :func:`as_of`.
    :param mo_ts: as for :func:`as_of`.
    :param columns: compare only these columns and the primary key: names or attributes.
    :raises MatrixOneArgumentError: if the table has no primary key or no such column, or the point in time is invalid,
        or a class shares its rows with others: pass its Table instead, for the columns and rows of that Table.
    """
    table = _whole_table(target)
    when = {"snapshot": snapshot, "timestamp": timestamp, "mo_ts": mo_ts}
    return _Comparison(table, _chosen(table, columns), when).query()


def changes_between(
    target: Any,
    before: str | Timestamp | int,
    after: str | Timestamp | int,
    *,
    columns: ColumnsArgument | None = None,
) -> ChangesBetween:
    """Return a statement that reads the rows of a table that were inserted, changed or deleted between two times.

    ::

        for row in session.execute(changes_between(Order, "before_import", "after_import")):
            print(row.change, row.old_total, row.new_total)

    The rows are those of :func:`changes_since`. The server can read only one point in time in a statement, so each is
    read separately, and the rows are compared in this process: the table at both times must fit into memory. It cannot
    be a ``subquery()``. For two snapshots of large tables, use :class:`DiffBranch`, which compares them on the server.

    :param target: a mapped class or a Table, with a primary key.
    :param before: the name of a snapshot, an aware datetime, a str with a UTC offset, or an int as for ``mo_ts=`` of
        :func:`as_of`: nanoseconds since 1970, which may be more than an hour ago.
    :param after: the later one, likewise.
    :param columns: compare only these columns and the primary key: names or attributes.
    :raises MatrixOneArgumentError: as for :func:`changes_since`.
    """
    table = _whole_table(target)
    return ChangesBetween(table, _chosen(table, columns), _moment("before", before), _moment("after", after))


@dataclass(frozen=True)
class _Comparison:
    """A comparison of the columns of a table, at a point in time and now."""

    table: Table
    columns: tuple[Column[Any], ...]
    when: Mapping[str, Any]

    @property
    def past(self) -> FromClause:
        past: FromClause = as_of(self.table, **self.when)
        return past

    def query(self) -> _Changes:
        old, new = self.past, self.table
        keys = [column.key for column in new.primary_key]
        same = and_(*(old.c[key] == new.c[key] for key in keys))
        values = [column.key for column in self.columns if column.key not in keys]
        differs = or_(false(), *(old.c[key].is_distinct_from(new.c[key]) for key in values))

        def rows(change: str, joined: FromClause, condition: ColumnElement[bool]) -> Select[Any]:
            columns = [
                literal_column(f"'{change}'").label("change"),
                *(old.c[column.key].label(f"old_{column.key}") for column in self.columns),
                *(column.label(f"new_{column.key}") for column in self.columns),
            ]
            return select(*columns).select_from(joined).where(condition)

        query = union_all_as(
            _Changes,
            rows("changed", new.join(old, same), differs),
            rows("new", new.outerjoin(old, same), old.c[keys[0]].is_(None)),
            rows("gone", old.outerjoin(new, same), new.c[keys[0]].is_(None)),
        )
        query.comparison = self
        return query

    def narrowed(self, execute: Execute) -> Self | None:
        """Return the comparison of the columns on both sides; None if these are all of them, or lack the key."""
        in_both = _names(execute, self.past) & _names(execute, self.table)
        columns = tuple(column for column in self.columns if fold(column.name) in in_both)
        if len(columns) == len(self.columns) or not set(self.table.primary_key) <= set(columns):
            return None
        _warn_of_skipped(self.table, set(self.columns) - set(columns))
        return replace(self, columns=columns)


class _Changes(ConnectionAware, CompoundSelect[Any]):
    """The query of :func:`changes_since`."""

    inherit_cache = True
    comparison: _Comparison

    def execute_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        try:
            return execute(self)
        except exc.DBAPIError as error:
            narrowed = self.comparison.narrowed(execute) if is_missing_column(error) else None
            if narrowed is None:
                raise
        return execute(with_selects(self, narrowed.query()))


class ChangesBetween(ConnectionAware, Executable):
    """The statement of :func:`changes_between`."""

    inherit_cache = False

    def __init__(
        self, table: Table, columns: tuple[Column[Any], ...], before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> None:
        self._table = table
        self._columns = columns
        self._moments = (as_of(table, **before), as_of(table, **after))

    def __str__(self) -> str:
        return ";\n".join(str(self._select(past, self._columns)) for past in self._moments)

    def execute_on(self, connection: Connection, options: Mapping[str, Any], execute: Execute) -> CursorResult[Any]:
        """Execute the comparison, with the columns that the table has at both times if they differ."""
        columns = self._columns
        try:
            sides = self._read(execute, columns)
        except exc.DBAPIError as error:
            if not is_missing_column(error) or not (columns := self._in_both(execute)):
                raise
            sides = self._read(execute, columns)
        keys = [index for index, column in enumerate(columns) if column.primary_key]
        names = [f"{age}_{column.key}" for age in ("old", "new") for column in columns]
        before, after = sides
        result: Any = IteratorResult(SimpleResultMetaData(["change", *names]), _compared(before, after, keys))
        return result  # type: ignore[no-any-return]

    def _select(self, past: FromClause, columns: Sequence[Column[Any]]) -> Select[Any]:
        return select(*(past.c[column.key] for column in columns))

    def _read(self, execute: Execute, columns: Sequence[Column[Any]]) -> list[Sequence[Any]]:
        return [execute(self._select(past, columns)).all() for past in self._moments]

    def _in_both(self, execute: Execute) -> tuple[Column[Any], ...]:
        """Return the columns that the table had at both times; none if it lacked the key, or had all of them."""
        before, after = (_names(execute, past) for past in self._moments)
        columns = tuple(column for column in self._columns if fold(column.name) in before & after)
        if len(columns) == len(self._columns) or not set(self._table.primary_key) <= set(columns):
            return ()
        _warn_of_skipped(self._table, set(self._columns) - set(columns))
        return columns


def _compared(before: Sequence[Any], after: Sequence[Any], keys: list[int]) -> Iterator[tuple[Any, ...]]:
    """Yield the changes, with the columns of both rows.

    :param keys: the positions of the primary key's columns.
    """
    nothing = (None,) * len(next(chain(before, after), ()))
    old_rows = {tuple(row[key] for key in keys): tuple(row) for row in before}
    for row in after:
        old = old_rows.pop(tuple(row[key] for key in keys), None)
        if old is None:
            yield ("new", *nothing, *row)
        elif old != tuple(row):
            yield ("changed", *old, *row)
    for old in old_rows.values():
        yield ("gone", *old, *nothing)


def _names(execute: Execute, table: FromClause) -> set[str]:
    """Return the names of the columns that a table has on the server."""
    result = execute(select(literal_column("*")).select_from(table).limit(0))
    names = {fold(name) for name in result.keys()}  # noqa: SIM118  # a Result is no mapping
    result.close()
    return names


def _warn_of_skipped(table: Table, columns: Iterable[Column[Any]]) -> None:
    names = ", ".join(sorted(column.name for column in columns))
    warn(
        f"the changes of {table.name} are compared only in the columns that it has at both times, without {names}. "
        "Pass columns= to avoid this warning",
        RecoveryWarning,
    )


def _chosen(table: Table, columns: ColumnsArgument | None) -> tuple[Column[Any], ...]:
    """Return the columns to compare, and the primary key."""
    if not table.primary_key:
        raise MatrixOneArgumentError(f"{table.name!r} has no primary key, by which old and new rows could be matched")
    if columns is None:
        return tuple(table.columns)
    chosen = {_column(table, column) for column in list_of_columns(columns)}
    return tuple(column for column in table.columns if column.primary_key or column in chosen)


def _column(table: Table, given: Any) -> Column[Any]:
    expression = given.expression if isinstance(given, QueryableAttribute) else given
    column: Any = None
    if isinstance(given, str):
        column = table.columns.get(given)
    elif isinstance(expression, ColumnElement):
        column = table.corresponding_column(cast(Any, expression))
    if not isinstance(column, Column):
        raise MatrixOneArgumentError(f"columns=: {given!r} is not a column of {table.name!r}")
    return column


def _moment(keyword: str, given: Any) -> dict[str, Any]:
    if isinstance(given, str) and not is_timestamp(given):
        return {"snapshot": check_is_name(keyword, given)}
    return {"mo_ts": given} if isinstance(given, int) else {"timestamp": check_timestamp(given, keyword)}


def _whole_table(target: Any) -> Table:
    """Return the Table of a class, if the class consists of exactly that Table."""
    mapper = inspect_entity(target)
    if isinstance(mapper, Mapper) and mapper.inherits is not None:
        raise MatrixOneArgumentError(
            f"{mapper.class_.__name__} shares its rows with {mapper.inherits.class_.__name__}: pass one of their Tables"
        )
    return table_with_columns(target)
