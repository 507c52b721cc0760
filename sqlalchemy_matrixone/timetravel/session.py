"""A Session that reads the past for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from sqlalchemy import BindParameter, TextClause, event, exc
from sqlalchemy.orm import (
    ORMExecuteState,
    Session,
    SessionTransaction,
    SessionTransactionOrigin,
    scoped_session,
)
from sqlalchemy.orm.attributes import flag_dirty, instance_state

from ..core.arguments import Timestamp
from ..core.connection import has_changes
from ..core.sqlalchemy_internals import attach, detach, new_identity_map, replace_identity_map
from ..exc import MatrixOneArgumentError
from .point_in_time import AsOfOption, PointInTime

if TYPE_CHECKING:
    # Needs greenlet when it runs, which who is not async need not have.
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
    from sqlalchemy.orm.state import InstanceState

_S = TypeVar("_S", bound="Session | scoped_session[Any] | AsyncSession | async_scoped_session[Any]")

_Aside = tuple[Any, "list[tuple[InstanceState[Any], object]]"]
"""An identity map that has been set aside, and its objects."""

_CURRENT = "matrixone_time_travel"


@contextmanager
def time_travel(
    session: _S,
    *,
    snapshot: str | None = None,
    timestamp: Timestamp | None = None,
    mo_ts: int | None = None,
) -> Iterator[_S]:
    """Within the block, everything that this Session selects is read as it was at a snapshot or a time.

    ::

        with time_travel(session, snapshot="before_import"):
            old = session.get(Order, 1)
            old_total = sum(item.price for item in old.items)  # loaded lazily, from the past too
        session.get(Order, 1)  # as it is now

    That is so for queries, ``get()``, lazy and eager loads. A statement whose tables are all of another moment, by
    :func:`as_of`, is read at that one. Blocks nest; the inner one counts. With an AsyncSession,
    too, it is a plain ``with``.

    Objects of the past live in the block alone. The present ones are set aside for so long: they are detached, so
    that nothing is loaded into them from the past, and ``get()`` gives the old object though the new one is there.
    At the end of the block the old ones are detached, and the present ones are the Session's again;
    ``session.merge(old)`` then brings an old state back. Nothing can be written in the block: a flush, a ``commit()``
    and every statement other than a SELECT raise :class:`~sqlalchemy.exc.InvalidRequestError`. What does not go
    through the Session is not covered: its ``connection()``, and a text() within a SELECT.

    :param session: a Session, scoped_session, AsyncSession or async_scoped_session, on a matrixone engine. It
        must hold no changes that are not flushed. What it has written in its transaction is not seen in the
        past, nor undone.
    :param snapshot: as for :func:`as_of`.
    :param timestamp: as for :func:`as_of`, but no bind parameter.
    :param mo_ts: as for :func:`as_of`, but no bind parameter.
    :raises MatrixOneArgumentError: where the moment is not one, or naive.
    :raises sqlalchemy.exc.InvalidRequestError: where the Session holds changes.
    """
    if isinstance(timestamp, BindParameter) or isinstance(mo_ts, BindParameter):
        raise MatrixOneArgumentError("time_travel() goes to a moment, not to a bind parameter")
    moment = PointInTime.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
    travel = _Travel(_sync_session(session), moment)
    travel.begin()
    try:
        yield session
    finally:
        travel.end()


def _sync_session(session: Any) -> Session:
    if hasattr(session, "registry"):  # of a scoped_session or async_scoped_session
        session = session()
    session = getattr(session, "sync_session", session)
    if not isinstance(session, Session):
        raise MatrixOneArgumentError(f"time_travel() takes a Session, scoped_session or AsyncSession, not {session!r}")
    return session


class _Travel:
    """One block of ``time_travel()``: an identity map of its own, and listeners on its Session alone."""

    def __init__(self, session: Session, moment: PointInTime) -> None:
        self._session = session
        self._option = AsOfOption(moment)
        self._outer: _Travel | None = session.info.get(_CURRENT)
        self._listeners: dict[str, Callable[..., Any]] = {
            "do_orm_execute": self._read_past,
            "before_attach": self._refuse_stored,
            "before_flush": self._refuse_flush,
            "before_commit": self._refuse_commit,
            "after_transaction_create": self._refuse_bulk,
            "after_rollback": self._to_present,
            "after_soft_rollback": self._to_past,
        }

    def begin(self) -> None:
        if has_changes(self._session):
            raise exc.InvalidRequestError(
                "time_travel() was not begun: the Session holds changes that are not flushed, and nothing can be "
                "written in the past. Call flush() or rollback() first."
            )
        self._depart()
        self._session.info[_CURRENT] = self
        for name, listener in self._listeners.items():
            # First of all, lest another listener answers for the present.
            event.listen(self._session, name, listener, insert=True)

    def end(self) -> None:
        for name, listener in self._listeners.items():
            event.remove(self._session, name, listener)
        inner = self._inner()
        if inner is not None:
            # Blocks of generators may end in any order: the inner one goes on, and returns to where this one would.
            inner._outer, inner._aside = self._outer, self._aside
            return
        if self._outer is None:
            del self._session.info[_CURRENT]
        else:
            self._session.info[_CURRENT] = self._outer
        self._return()

    def _inner(self) -> _Travel | None:
        """The block that was begun within this one, if it has not ended."""
        travel, inner = self._session.info[_CURRENT], None
        while travel is not self:
            travel, inner = travel._outer, travel
        return inner

    # -- the identity map

    def _depart(self) -> None:
        present = self._session.identity_map
        # Their objects are held, for what is done to a detached one in the block would be lost with it.
        self._aside: _Aside = (present, [(state, state.obj()) for state in present.all_states()])
        attach(present, None)
        self._past: Any = new_identity_map(self._session)
        replace_identity_map(self._session, self._past)

    def _return(self) -> None:
        there = self._session.identity_map
        for obj in self._session.deleted:
            self._session.expunge(obj)
        detach(there, self._session)
        present, held = self._aside
        replace_identity_map(self._session, present)
        attach(present, self._session)
        for state, obj in held:
            if obj is not None and state.modified:
                # While it was detached, so that the Session does not hold it yet.
                flag_dirty(obj)
        if there is not self._past:
            # Within the block the Session was closed, which had to mean the present objects as well.
            self._session.expunge_all()
        self._past = None

    def _is_current(self) -> bool:
        return self._session.info.get(_CURRENT) is self

    def _to_present(self, session: Session) -> None:
        """A rollback is about to expire the present objects: it must find them in their place."""
        if self._is_current():
            for travel in self._and_outer():
                travel._return()

    def _to_past(self, session: Session, transaction: Any) -> None:
        if self._is_current() and self._past is None:
            for travel in reversed(self._and_outer()):
                travel._depart()

    def _and_outer(self) -> list[_Travel]:
        return [self] if self._outer is None else [self, *self._outer._and_outer()]

    # -- what the Session does

    def _read_past(self, state: ORMExecuteState) -> None:
        if not self._is_current():
            return
        if not state.is_select or isinstance(getattr(state.statement, "element", None), TextClause):
            raise exc.InvalidRequestError(
                "within time_travel() a Session reads: this is no SELECT, or one whose tables cannot be told, such as "
                "text(). Leave the block first."
            )
        dialect = self._session.get_bind(**state.bind_arguments).dialect
        if dialect.name != "matrixone":
            raise exc.InvalidRequestError(f"time_travel() needs a matrixone engine, and this is one of {dialect.name}")
        state.statement = state.statement.options(self._option)
        # The objects of a result are made when it is fetched from, which may be after the block.
        state.update_execution_options(prebuffer_rows=True)

    def _refuse_stored(self, session: Session, instance: object) -> None:
        if self._past is not None and instance_state(instance).key is not None:
            raise exc.InvalidRequestError(
                f"{instance!r} is of the present, and was not added: within time_travel() a Session has objects of the "
                "past alone. It has its present ones again when the block ends."
            )

    def _refuse_bulk(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.origin is SessionTransactionOrigin.SUBTRANSACTION:
            transaction.close()
            raise exc.InvalidRequestError("within time_travel() nothing is written: leave the block first")

    def _refuse_flush(self, *_: Any) -> NoReturn:
        raise exc.InvalidRequestError("within time_travel() nothing is flushed: the past cannot be written to")

    def _refuse_commit(self, *_: Any) -> NoReturn:
        raise exc.InvalidRequestError("within time_travel() nothing is committed: leave the block first")
