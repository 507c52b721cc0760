"""Read tables as they were at a snapshot or at a point in time.

:func:`as_of` applies to one table of a statement, :func:`time_travel` to everything that a Session reads.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

from sqlalchemy import BindParameter
from sqlalchemy.orm import Mapper, aliased, with_polymorphic
from sqlalchemy.orm.util import AliasedClass, AliasedInsp
from sqlalchemy.sql import FromClause, Join, TableClause, visitors
from sqlalchemy.sql.expression import Alias, ColumnClause
from sqlalchemy.sql.selectable import FromClauseAlias, FromGrouping

from ..core.arguments import check_is_name, inspect_entity
from ..core.sqlalchemy_internals import given_name, in_cache_key, new_alias
from ..exc import MatrixOneArgumentError
from .point_in_time import PointInTime, TimestampOrBind

_T = TypeVar("_T")


@in_cache_key("moment", extends=Alias)
class AsOfTable(Alias):
    """An alias of a table that reads it as it was at a point in time. Created by :func:`as_of`.

    It is an Alias, so that SQLAlchemy does not replace it by another table when it adapts an expression.
    """

    __visit_name__ = "past_table"
    stringify_dialect = "matrixone+pymysql"

    element: TableClause
    moment: PointInTime

    @classmethod
    def of(cls, table: TableClause, moment: PointInTime, name: str | None) -> AsOfTable:
        """Return a table as of a point in time.

        :param name: the name of the alias; None for an anonymous one.
        """
        past = new_alias(cls, table, name)
        past.moment = moment
        return past


@overload
def as_of(
    target: type[_T],
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> type[_T]: ...


@overload
def as_of(
    target: AliasedClass[_T],
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> AliasedClass[_T]: ...


@overload
def as_of(  # type: ignore[overload-overlap]  # a Join is a FromClause too; this comes first
    target: Join,
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> Join: ...


@overload
def as_of(
    target: FromClause,
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> FromClauseAlias[Any]: ...


def as_of(
    target: Any,
    *,
    snapshot: str | None = None,
    timestamp: TimestampOrBind | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> Any:
    """Return a table or mapped class as it was at a snapshot or a time, to select from or join like any alias.

    ::

        old = as_of(Order, snapshot="before_import")
        session.scalars(select(old).where(old.total > 100))

        # What has changed since, the current orders joined with those of half an hour ago
        then = as_of(Order, timestamp=datetime.now(timezone.utc) - timedelta(minutes=30))
        select(Order.id, then.total, Order.total).join(then, then.id == Order.id)

    Historical objects belong to no Session: they are detached, so that they never mix with the current ones and changes
    to them are not flushed. Related objects that a loader option loads with them must specify a point in time as well,
    ``selectinload(old.items.of_type(as_of(Item, …)))``: if historical and current rows would be loaded into each other,
    compiling raises :class:`~sqlalchemy.exc.CompileError`. :func:`time_travel` reads whole graphs of objects.

    :param target: a mapped class or an alias of one, a Table, an alias of one, or a join of these.
    :param snapshot: the name of a snapshot that contains the table, which is case-insensitive.
    :param timestamp: an aware datetime, or a str with a UTC offset (``"2026-03-01 12:00:00+00:00"``): that instant,
        whatever the time zones of server and session; or a ``bindparam()`` that takes either when the statement is
        executed. There is no ``server_time=`` as for :class:`RestorePitr`: the server reads this time in UTC, so a
        time on its clock has no meaning here. The server refuses a time that is more than an hour ago, unless it is
        that of a snapshot, even if a PITR keeps the history: pass such a time as ``mo_ts=``.
    :param mo_ts: the same as nanoseconds since 1970, ``int(when.timestamp()) * 10**9``, or a ``bindparam()``. The
        server does not check it, and history that was garbage collected reads as an empty table. It is kept while a
        snapshot or PITR holds it, and otherwise for about an hour.
    :param name: a name for the alias.
    :return: an aliased class for a mapped class, an alias for a table.
    :raises MatrixOneArgumentError: if the point in time is invalid or naive, or the target is not a table. A snapshot
        or table that did not exist then is reported by the server.
    :raises MatrixOneArgumentError: when compiled or executed, if the statement reads several points in time: the server
        would silently read all AS OF tables at one of them.
    """
    inspected = inspect_entity(target)
    if name is not None:
        check_is_name("name", name)
    moment = PointInTime.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
    if isinstance(inspected, Mapper):
        return aliased(target, _past(inspected.selectable, moment, name), name=name)
    if isinstance(inspected, AliasedInsp):
        return _aliased_again(inspected, moment, name)
    if isinstance(target, FromClause):
        return _past(target, moment, name)
    raise MatrixOneArgumentError(f"as_of({target!r}): pass a mapped class, a Table, or an alias of one")


def _aliased_again(inspected: AliasedInsp[Any], moment: PointInTime, name: str | None) -> Any:
    past = _past(inspected.selectable, moment, name)
    if inspected.with_polymorphic_mappers:
        base: Any = inspected.mapper
        return with_polymorphic(base, [mapper.class_ for mapper in inspected.with_polymorphic_mappers], past)
    return aliased(inspected.mapper.class_, past, name=name)


def _past(selectable: FromClause, moment: PointInTime, name: str | None) -> FromClause:
    if isinstance(selectable, TableClause):
        return AsOfTable.of(selectable, moment, name)
    if isinstance(selectable, Alias) and isinstance(selectable.element, TableClause):
        return AsOfTable.of(selectable.element, moment, name or given_name(selectable))
    if isinstance(selectable, Join):
        return _past_join(selectable, moment)
    if isinstance(selectable, FromGrouping):
        return _past(selectable.element, moment, name)
    raise MatrixOneArgumentError(
        f"as_of() takes tables, not a {type(selectable).__name__}: build this from as_of() tables"
    )


def _past_join(join: Join, moment: PointInTime) -> Join:
    """Return the join of both historical sides, for a mapped class that inherits from another's table."""
    left, right = _past(join.left, moment, None), _past(join.right, moment, None)
    past = dict(zip(_leaves(join), [*_leaves(left), *_leaves(right)], strict=True))

    def past_column(element: Any, **_: Any) -> Any:
        table = getattr(element, "table", None)
        return past[table].c[element.key] if isinstance(element, ColumnClause) and table in past else None

    onclause = visitors.replacement_traverse(join.onclause, {}, past_column)
    return Join(left, right, onclause, isouter=join.isouter, full=join.full)


def _leaves(selectable: Any) -> list[FromClause]:
    """Return the elements of a join, from left to right."""
    if isinstance(selectable, FromGrouping):
        return _leaves(selectable.element)
    if isinstance(selectable, Join):
        return [*_leaves(selectable.left), *_leaves(selectable.right)]
    return [selectable]
