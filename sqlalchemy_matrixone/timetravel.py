"""Reading tables as they were: at a snapshot, or at a moment in time.

:func:`as_of` says it of one table of a statement, :func:`time_travel` of everything that a Session reads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

from sqlalchemy import BigInteger, BindParameter, Dialect, String, TypeDecorator, bindparam, inspect, type_coerce
from sqlalchemy.orm import Mapper, aliased, with_polymorphic
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.orm.util import AliasedClass, AliasedInsp
from sqlalchemy.sql import ClauseElement, FromClause, Join, TableClause, visitors
from sqlalchemy.sql.cache_key import HasCacheKey
from sqlalchemy.sql.expression import Alias, ColumnClause
from sqlalchemy.sql.selectable import FromClauseAlias, FromGrouping
from sqlalchemy.sql.visitors import InternalTraversal

from .exc import RecoveryArgumentError
from .recovery.ddl import check_moment
from .recovery.what import check_name

_T = TypeVar("_T")

When = dt.datetime | str | BindParameter[Any]
"""A moment: an aware datetime, the server's own text of it in UTC, or a bind parameter of either."""


class UtcMoment(TypeDecorator[dt.datetime]):
    """An instant as the server reads it in a time-travel hint: in UTC, whatever its zone or the session's."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return _utc_text(value)


class Moment(ClauseElement):
    """``{SNAPSHOT = name}``, ``{TIMESTAMP = …}`` or ``{MO_TS = …}``.

    A time is a bound value, so that statements that differ in it share a compiled form. A snapshot's name is
    an identifier, which the server folds to lower case as it did when the snapshot was made; as a
    string it would not. So the name is a part of the cache key. So is the time of a mapped class: a loader option
    such as ``selectinload()`` goes by the alias in the compiled form, whose bound value would be that of the first.
    """

    __visit_name__ = "moment"
    stringify_dialect = "matrixone+pymysql"
    _traverse_internals: Any = (
        ("kind", InternalTraversal.dp_string),
        ("fixed", InternalTraversal.dp_string),
        ("value", InternalTraversal.dp_clauseelement),
    )

    def __init__(self, kind: str, fixed: str | None = None, value: BindParameter[Any] | None = None) -> None:
        self.kind = kind
        self.fixed = fixed
        self.value = value

    @classmethod
    def of(
        cls,
        *,
        snapshot: str | None,
        timestamp: When | None,
        mo_ts: int | BindParameter[Any] | None,
        bound: bool = True,
    ) -> Moment:
        """
        :param bound: whether a time becomes a bound value, as a bind parameter always is.
        :raises RecoveryArgumentError: where not exactly one of them is given, or it is not one.
        """
        if sum(given is not None for given in (snapshot, timestamp, mo_ts)) != 1:
            raise RecoveryArgumentError("say when with one of snapshot=…, timestamp=… and mo_ts=…")
        if snapshot is not None:
            return cls("SNAPSHOT", fixed=check_name("snapshot", snapshot))
        if timestamp is not None:
            return cls._of_time("TIMESTAMP", timestamp, _utc_text, UtcMoment(), bound)
        return cls._of_time("MO_TS", mo_ts, _nanoseconds, BigInteger(), bound)

    @classmethod
    def _of_time(cls, kind: str, value: Any, checked: Callable[[Any], str | int], type_: Any, bound: bool) -> Moment:
        if isinstance(value, BindParameter):
            return cls(kind, value=cast("BindParameter[Any]", type_coerce(value, type_).typed_expression))
        time = checked(value)
        return cls(kind, value=bindparam(None, time, type_, unique=True)) if bound else cls(kind, fixed=str(time))

    def may_be(self, other: Moment) -> bool:
        """Whether the other one can be the same, as far as that is known without the bound values."""
        known = self.fixed is not None and other.fixed is not None
        return self.kind == other.kind and (not known or self.text(self.fixed) == self.text(other.fixed))

    def text(self, value: Any) -> str:
        """A value in a form that is the same for the same moment."""
        return _utc_text(value) if self.kind == "TIMESTAMP" else str(value).lower()


def _utc_text(value: Any) -> str:
    when = check_moment(value)
    return when if isinstance(when, str) else f"{when.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}"


def _nanoseconds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise RecoveryArgumentError(f"mo_ts={value!r} is not a number of nanoseconds since 1970")
    return value


class MomentOption(HasCacheKey, ORMOption):
    """Option of a whole statement: every table in it that says no moment of its own is read at this one."""

    _is_has_cache_key = True
    _traverse_internals: Any = (("moment", InternalTraversal.dp_clauseelement),)

    def __init__(self, moment: Moment) -> None:
        self.moment = moment


class PastTable(Alias):
    """An alias of a table, which reads it as it was at a moment. Made by :func:`as_of`.

    As an Alias, so that SQLAlchemy does not put another table in its place where it adapts an expression.
    """

    __visit_name__ = "past_table"
    stringify_dialect = "matrixone+pymysql"
    _traverse_internals: Any = (
        *Alias._traverse_internals,
        ("moment", InternalTraversal.dp_clauseelement),
    )

    element: TableClause
    moment: Moment

    def _init(self, selectable: Any, *, name: str | None = None, moment: Moment) -> None:  # type: ignore[override]
        super()._init(selectable, name=name)
        self.moment = moment


@overload
def as_of(
    target: type[_T],
    *,
    snapshot: str | None = None,
    timestamp: When | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> type[_T]: ...


@overload
def as_of(
    target: AliasedClass[_T],
    *,
    snapshot: str | None = None,
    timestamp: When | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> AliasedClass[_T]: ...


@overload
def as_of(  # type: ignore[overload-overlap]  # a Join is a FromClause too; this comes first
    target: Join,
    *,
    snapshot: str | None = None,
    timestamp: When | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> Join: ...


@overload
def as_of(
    target: FromClause,
    *,
    snapshot: str | None = None,
    timestamp: When | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> FromClauseAlias[Any]: ...


def as_of(
    target: Any,
    *,
    snapshot: str | None = None,
    timestamp: When | None = None,
    mo_ts: int | BindParameter[Any] | None = None,
    name: str | None = None,
) -> Any:
    """A table or mapped class as it was at a snapshot or a time, to select from or join like any alias.

    ::

        old = as_of(Order, snapshot="before_import")
        session.scalars(select(old).where(old.total > 100))

        # What has changed since, today's orders joined with yesterday's
        yesterday = as_of(Order, timestamp=datetime.now(timezone.utc) - timedelta(days=1))
        select(Order.id, yesterday.total, Order.total).join(yesterday, yesterday.id == Order.id)

    Objects that are loaded from the past belong to no Session: they are detached, so that they never mix with
    the present ones and nothing that is done to them is flushed. What is loaded along with them by a
    loader option must say its moment as well, ``selectinload(old.items.of_type(as_of(Item, …)))``: where the past
    and the present would be loaded into each other, compiling raises :class:`~sqlalchemy.exc.CompileError`.
    :func:`time_travel` reads whole graphs of objects.

    :param target: a mapped class or an alias of one, a Table, an alias of one, or a join of these.
    :param snapshot: the name of a snapshot that holds the table. Upper and lower case are the same.
    :param timestamp: an aware datetime, which means that instant whatever the zones of server and session;
        a str is sent as it is, and read as UTC; a ``bindparam()`` takes either when the statement is
        executed. The server answers for as long as it keeps the history: while a snapshot or PITR
        holds it, and else for a short time, before its garbage collection.
    :param mo_ts: the same as nanoseconds since 1970, or a ``bindparam()``.
    :param name: a name for the alias.
    :return: an aliased class for a mapped class, an alias for a table.
    :raises RecoveryArgumentError: where the moment is not one, or naive, or the target is no table. That a
        snapshot does not exist or a table was not there then is the server's to say.
    :raises sqlalchemy.exc.CompileError: when compiled, where the statement reads the past at two moments: the server
        would read all of its past tables at one of them, without a word.
    """
    inspected = inspect(target, raiseerr=False)
    is_mapped = isinstance(inspected, (Mapper, AliasedInsp))
    moment = Moment.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts, bound=not is_mapped)
    if isinstance(inspected, Mapper):
        return aliased(target, _past(inspected._with_polymorphic_selectable, moment, name), name=name)
    if isinstance(inspected, AliasedInsp):
        return _aliased_again(inspected, moment, name)
    if isinstance(target, FromClause):
        return _past(target, moment, name)
    raise RecoveryArgumentError(f"as_of({target!r}): give a mapped class, a Table, or an alias of one")


def _aliased_again(inspected: AliasedInsp[Any], moment: Moment, name: str | None) -> Any:
    past = _past(inspected.selectable, moment, name)
    if inspected.with_polymorphic_mappers:
        base: Any = inspected.mapper
        return with_polymorphic(base, [mapper.class_ for mapper in inspected.with_polymorphic_mappers], past)
    return aliased(inspected.mapper.class_, past, name=name)


def _past(selectable: FromClause, moment: Moment, name: str | None) -> FromClause:
    if isinstance(selectable, FromGrouping):
        return _past(selectable.element, moment, name)
    if isinstance(selectable, Join):
        return _past_join(selectable, moment)
    if isinstance(selectable, (Alias, PastTable)) and isinstance(selectable.element, TableClause):
        named = name or (None if selectable._orig_name is None else selectable.name)
        return PastTable._construct(selectable.element, name=named, moment=moment)
    if isinstance(selectable, TableClause):
        return PastTable._construct(selectable, name=name, moment=moment)
    raise RecoveryArgumentError(
        f"as_of() reads tables in the past, not a {type(selectable).__name__}: make this one of as_of() tables"
    )


def _past_join(join: Join, moment: Moment) -> Join:
    """The join of both sides' past, as of a mapped class that inherits from another's table."""
    left, right = _past(join.left, moment, None), _past(join.right, moment, None)
    past = dict(zip(_leaves(join), [*_leaves(left), *_leaves(right)], strict=True))

    def past_column(element: Any, **_: Any) -> Any:
        table = getattr(element, "table", None)
        return past[table].c[element.key] if isinstance(element, ColumnClause) and table in past else None

    onclause = visitors.replacement_traverse(join.onclause, {}, past_column)
    return Join(left, right, onclause, isouter=join.isouter, full=join.full)


def _leaves(selectable: Any) -> list[FromClause]:
    """What a join joins, from left to right."""
    if isinstance(selectable, FromGrouping):
        return _leaves(selectable.element)
    if isinstance(selectable, Join):
        return [*_leaves(selectable.left), *_leaves(selectable.right)]
    return [selectable]
