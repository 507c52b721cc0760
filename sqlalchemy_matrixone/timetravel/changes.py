"""What has changed in a table since a snapshot or a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Table,
    and_,
    false,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Mapper

from ..core.arguments import inspect_entity, table_of
from ..exc import MatrixOneArgumentError
from .point_in_time import TimestampOrBind
from .tables import as_of


def changes_since(
    target: Any,
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
) -> CompoundSelect[Any]:
    """A query of the rows of a table that are new, changed or gone since a snapshot or a time.

    ::

        for row in session.execute(changes_since(Order, snapshot="before_import")):
            print(row.change, row.old_id, row.old_total, row.new_id, row.new_total)

    Each row has ``change``, which is ``new``, ``changed`` or ``gone``, and every column twice, as ``old_…`` and
    ``new_…``: None where there is no such row. Rows are the same by their primary key. It can be made a
    ``subquery()`` and filtered.

    :param target: a mapped class or a Table, with a primary key. Columns of types that the server cannot compare
        make it fail. For the changes between two snapshots there is :class:`DiffBranch`.
    :param snapshot: as for :func:`as_of`.
    :param timestamp: as for :func:`as_of`.
    :param mo_ts: as for :func:`as_of`.
    :raises MatrixOneArgumentError: where the table has no primary key, or the moment is not one, or a class shares
        its rows with others: give its Table, with the columns and rows that it has.
    """
    new = _whole_table(target)
    if not new.primary_key:
        raise MatrixOneArgumentError(f"{new.name!r} has no primary key, by which old and new rows could be told")
    old = as_of(new, snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
    keys = [column.key for column in new.primary_key]
    same = and_(*(old.c[key] == new.c[key] for key in keys))
    differs = or_(false(), *(old.c[column.key].is_distinct_from(column) for column in new.c if column.key not in keys))

    def rows(change: str, joined: FromClause, condition: ColumnElement[bool]) -> Select[Any]:
        columns = [
            literal_column(f"'{change}'").label("change"),
            *(column.label(f"old_{column.key}") for column in old.c),
            *(column.label(f"new_{column.key}") for column in new.c),
        ]
        return select(*columns).select_from(joined).where(condition)

    return union_all(
        rows("changed", new.join(old, same), differs),
        rows("new", new.outerjoin(old, same), old.c[keys[0]].is_(None)),
        rows("gone", old.outerjoin(new, same), new.c[keys[0]].is_(None)),
    )


def _whole_table(target: Any) -> Table:
    """The Table of a class that is all of it and no more."""
    mapper = inspect_entity(target)
    if isinstance(mapper, Mapper) and mapper.inherits is not None:
        raise MatrixOneArgumentError(
            f"{mapper.class_.__name__} shares its rows with {mapper.inherits.class_.__name__}: give one Table of theirs"
        )
    return table_of(target)
