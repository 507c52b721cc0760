"""Let a Session read historical rows within a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from sqlalchemy import BindParameter, TextClause, TextualSelect, event
from sqlalchemy.orm import (
    FromStatement,
    ORMExecuteState,
    Session,
    SessionTransaction,
    SessionTransactionOrigin,
    scoped_session,
)
from sqlalchemy.orm.attributes import flag_dirty, instance_state

from ..core.arguments import Timestamp
from ..core.connection import has_changes
from ..core.server import URLS, MatrixOneServer
from ..core.sqlalchemy_internals import attach, detach, new_identity_map, replace_identity_map
from ..exc import MatrixOneArgumentError, MatrixOneInvalidRequestError
from .point_in_time import AsOfOption, PointInTime

if TYPE_CHECKING:
    # Requires greenlet at run time, which sync-only installations may lack.
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
    from sqlalchemy.orm.state import InstanceState

_S = TypeVar("_S", bound="Session | scoped_session[Any] | AsyncSession | async_scoped_session[Any]")

_CURRENT = "matrixone_time_travel"


@contextmanager
def time_travel(
    session: _S,
    *,
    snapshot: str | None = None,
    timestamp: Timestamp | None = None,
    mo_ts: int | None = None,
) -> Iterator[_S]:
    """Read everything that this Session selects within the block as it was at a snapshot or a time.

    ::

        with time_travel(session, snapshot="before_import"):
            old = session.get(Order, 1)
            old_total = sum(item.price for item in old.items)  # loaded lazily, from the past too
        session.get(Order, 1)  # as it is now

    This applies to queries, ``get()``, lazy and eager loads. A statement whose tables all have another point in time,
    by :func:`as_of`, is read at that one. Blocks can be nested; the innermost one applies. With an AsyncSession, too,
    use a plain ``with``.

    Historical objects belong to the Session only within the block. During the block the current ones are set aside:
    they are detached, so that no historical rows are loaded into them, and ``get()`` returns the old object even if the
    Session had the current one. At the end of the block the old ones are detached, and the current ones belong to it
    again; ``session.merge(old)`` then restores an old state. Nothing can be written in the block: a flush, a
    ``commit()`` and every statement other than a SELECT raise :class:`~sqlalchemy.exc.InvalidRequestError`. Anything
    that bypasses the Session is not covered: its ``connection()``, and a text() within a SELECT.

    :param session: a Session, scoped_session, AsyncSession or async_scoped_session, on a matrixone engine. It
        must not hold unflushed changes. What it has written in its transaction is not visible within
        the block, nor undone.
    :param snapshot: as for :func:`as_of`.
    :param timestamp: as for :func:`as_of`, but no bind parameter.
    :param mo_ts: as for :func:`as_of`, but no bind parameter.
    :raises MatrixOneArgumentError: if not exactly one of the three is given, or it is invalid or naive.
    :raises sqlalchemy.exc.InvalidRequestError: if the Session holds unflushed changes.
    """
    if isinstance(timestamp, BindParameter) or isinstance(mo_ts, BindParameter):
        raise MatrixOneArgumentError("time_travel() takes a point in time, not a bind parameter")
    moment = PointInTime.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
    option = AsOfOption(moment)
    travel = _TimeTravel.of(_sync_session(session))
    travel.begin(option)
    try:
        yield session
    finally:
        travel.end(option)


def refuse_time_travel(session: Session | scoped_session[Any]) -> None:
    """Refuse to write within a block of ``time_travel()``.

    :raises MatrixOneInvalidRequestError: within such a block.
    """
    if _CURRENT in session.info:
        raise MatrixOneInvalidRequestError("nothing can be written within time_travel(): leave the block first")


def _sync_session(session: Any) -> Session:
    if hasattr(session, "registry"):  # of a scoped_session or async_scoped_session
        session = session()
    session = getattr(session, "sync_session", session)
    if not isinstance(session, Session):
        raise MatrixOneArgumentError(f"time_travel() takes a Session, scoped_session or AsyncSession, not {session!r}")
    return session


def _is_text(statement: Any) -> bool:
    return isinstance(statement, (FromStatement, TextualSelect)) and isinstance(statement.element, TextClause)


class _Block(NamedTuple):
    """One block of ``time_travel()``.

    :ivar option: the option of its statements; each block has a separate one.
    :ivar past: the identity map of the objects that the block loads.
    :ivar aside: the identity map that the Session had before, and the objects in it: they are referenced, because
        otherwise changes to a detached object within the block would be lost with it.
    """

    option: AsOfOption
    past: Any
    aside: tuple[Any, list[tuple[InstanceState[Any], object]]]


class _TimeTravel:
    """The ``time_travel()`` blocks of one Session, and the listeners that serve them.

    :ivar _blocks: the open blocks of the Session, the innermost last. There are none while it rolls back.
    :ivar _interrupted: the options of the blocks that a rollback has left, which are entered again after it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._blocks: list[_Block] = []
        self._interrupted: list[AsOfOption] = []
        self._listeners: dict[str, Callable[..., Any]] = {
            "do_orm_execute": self._read_past,
            "before_attach": self._refuse_stored,
            "before_flush": self._refuse_flush,
            "before_commit": self._refuse_commit,
            "after_transaction_create": self._refuse_bulk,
            "after_rollback": self._go_to_present,
            "after_soft_rollback": self._go_to_past,
        }

    @classmethod
    def of(cls, session: Session) -> _TimeTravel:
        """Return that of the Session, or a new one.

        :raises sqlalchemy.exc.InvalidRequestError: if the Session holds changes.
        """
        if has_changes(session):
            raise MatrixOneInvalidRequestError(
                "time_travel() cannot start: the Session holds changes that are not flushed, and nothing can be "
                "written within the block. Call flush() or rollback() first."
            )
        travel: _TimeTravel = session.info.get(_CURRENT) or cls(session)
        return travel

    def begin(self, option: AsOfOption) -> None:
        self._enter(option)
        if len(self._blocks) == 1:
            self._session.info[_CURRENT] = self
            for name, listener in self._listeners.items():
                # Insert it first, so that no other listener returns current rows.
                event.listen(self._session, name, listener, insert=True)

    def end(self, option: AsOfOption) -> None:
        """End the block with this option, which need not be the innermost: blocks in generators end in any order."""
        if len(self._blocks) + len(self._interrupted) == 1:
            del self._session.info[_CURRENT]
            for name, listener in self._listeners.items():
                event.remove(self._session, name, listener)
        if option in self._interrupted:
            # A rollback left the block, and failed before entering it again.
            self._interrupted.remove(option)
            return
        ended = next(block for block in self._blocks if block.option is option)
        index = self._blocks.index(ended)
        if index + 1 < len(self._blocks):
            # The inner one continues, and returns to where this one would.
            self._blocks[index : index + 2] = [self._blocks[index + 1]._replace(aside=ended.aside)]
        else:
            self._leave()

    # -- the identity map

    def _enter(self, option: AsOfOption) -> None:
        present = self._session.identity_map
        objects = [(state, state.obj()) for state in present.all_states()]
        attach(present, None)
        past = new_identity_map(self._session)
        replace_identity_map(self._session, past)
        self._blocks.append(_Block(option, past, (present, objects)))

    def _leave(self) -> None:
        """Leave the innermost block: detach what it has loaded, and restore what it has set aside."""
        block = self._blocks.pop()
        present, objects = block.aside
        loaded = self._session.identity_map
        for obj in self._session.deleted:
            self._session.expunge(obj)
        detach(loaded, self._session)
        replace_identity_map(self._session, present)
        attach(present, self._session)
        for state, obj in objects:
            if obj is not None and state.modified:
                # It was modified while detached, so the Session does not know it as dirty yet.
                flag_dirty(obj)
        if loaded is not block.past:
            # The Session was closed within the block, which has to apply to the current objects as well.
            self._session.expunge_all()

    def _go_to_present(self, session: Session) -> None:
        """Leave all blocks: a rollback is about to expire the current objects, which must be in the identity map."""
        self._interrupted = [block.option for block in self._blocks]
        while self._blocks:
            self._leave()

    def _go_to_past(self, session: Session, transaction: Any) -> None:
        """Enter the interrupted blocks again."""
        for option in self._interrupted:
            self._enter(option)
        self._interrupted = []

    # -- event listeners of the Session

    def _read_past(self, state: ORMExecuteState) -> None:
        if not state.is_select or _is_text(state.statement):
            raise MatrixOneInvalidRequestError(
                "within time_travel() a Session can only read: this is not a SELECT, or its tables are unknown, as "
                "those of a text() are. Leave the block first."
            )
        dialect = self._session.get_bind(**state.bind_arguments).dialect
        if not isinstance(dialect, MatrixOneServer):
            raise MatrixOneInvalidRequestError(
                f"time_travel() needs an engine of {URLS}, not of {dialect.name}+{dialect.driver}://"
            )
        if not self._blocks:
            raise MatrixOneInvalidRequestError("nothing can be read in the middle of a rollback within time_travel()")
        state.statement = state.statement.options(self._blocks[-1].option)
        # The objects of a result are created when rows are fetched, which may be after the block.
        state.update_execution_options(prebuffer_rows=True)

    def _refuse_stored(self, session: Session, instance: object) -> None:
        if self._blocks and instance_state(instance).key is not None:
            raise MatrixOneInvalidRequestError(
                f"{instance!r} was not added: within time_travel() a Session has only historical objects. It has its "
                "current objects again when the block ends."
            )

    def _refuse_bulk(self, session: Session, transaction: SessionTransaction) -> None:
        if transaction.origin is SessionTransactionOrigin.SUBTRANSACTION:
            transaction.close()
            raise MatrixOneInvalidRequestError("nothing can be written within time_travel(): leave the block first")

    def _refuse_flush(self, *_: Any) -> NoReturn:
        raise MatrixOneInvalidRequestError("nothing can be flushed within time_travel(): historical rows are read-only")

    def _refuse_commit(self, *_: Any) -> NoReturn:
        raise MatrixOneInvalidRequestError("nothing can be committed within time_travel(): leave the block first")
