"""Retry transactions that failed for a transient reason."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from ..exc import CommitUncertain, MatrixOneArgumentError, MatrixOneInvalidRequestError, RecoveryError
from .connection import state_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

log = logging.getLogger("sqlalchemy_matrixone.retries")

_R = TypeVar("_R")

DEFAULT_RETRIES = 10
DEFAULT_BACKOFF = 2.0
_FIRST_BACKOFF = 0.02

# Conflicts between two transactions, deadlocks, and lost locks or nodes: the server has rolled back.
_RETRYABLE = frozenset(
    {1205, 1213, 20618, 20619, 20622, 20628, 20629, 20631, 20634, 20635}
    | {20701, 20702, 20703, 20704, 20705, 20706, 20707, 20708, 20709}
)
_COMMIT_UNKNOWN = 20638
_NOT_CONNECTED = frozenset((2002, 2003, 2006, 2013))


def run_transaction(
    source: Engine | sessionmaker[Any],
    callback: Callable[[Any], _R],
    *,
    max_retries: int = DEFAULT_RETRIES,
    max_backoff: float = DEFAULT_BACKOFF,
) -> _R:
    """Run a function in a transaction, commit it, and run it again after conflicts and lost connections.

    ::

        def transfer(session: Session) -> None:
            session.get_one(Account, 1, with_for_update=True).balance -= 10
            session.get_one(Account, 2, with_for_update=True).balance += 10

        run_transaction(sessionmaker(engine), transfer)

    The function is run again after a write conflict, after a deadlock, and if the connection is lost before COMMIT was
    sent. In the last case the server rolls back by itself. If the connection is lost during COMMIT, it is unknown
    whether the server has committed, and nothing is run again. There is a wait before each repetition. It doubles on
    average each time, and it is random, so that two transactions do not conflict again.

    **The function may run several times**: all of its effects outside the database must be repeatable. It must not
    commit, roll back, or execute statements that commit implicitly (a ``SET``, recovery statements). Let it return
    values rather than ORM objects, unless the sessionmaker has ``expire_on_commit=False``. Supported on any release.

    :param source: an Engine, with which the function receives a Connection; or a sessionmaker of a single engine, with
        which it receives a Session.
    :param callback: the function. Its return value is returned after the commit.
    :param max_retries: how many times to run it again; 0 for never.
    :param max_backoff: the longest time to wait before a repetition, in seconds.
    :raises CommitUncertain: if the connection was lost during COMMIT.
    :raises sqlalchemy.exc.DBAPIError: the last error, if all repetitions have failed; any other error immediately.
    :raises MatrixOneInvalidRequestError: if the function has ended the transaction, or the connection is in AUTOCOMMIT.
    """
    _check(callback, max_retries, max_backoff)
    if not isinstance(source, (Engine, sessionmaker)):
        raise MatrixOneArgumentError(f"run_transaction() takes an Engine or a sessionmaker, not {source!r}")
    attempt = 0
    while True:
        try:
            return _run_once(source, callback)
        except _Retry as retry:
            seconds = _backoff(retry, attempt, max_retries, max_backoff)
        attempt += 1
        time.sleep(seconds)


async def run_async_transaction(
    source: AsyncEngine | async_sessionmaker[Any],
    callback: Callable[[Any], Awaitable[_R]],
    *,
    max_retries: int = DEFAULT_RETRIES,
    max_backoff: float = DEFAULT_BACKOFF,
) -> _R:
    """Run an async function in a transaction, like :func:`run_transaction`, with an AsyncEngine or async_sessionmaker.

    ::

        await run_async_transaction(async_sessionmaker(engine), transfer)

    If the task is cancelled during COMMIT, ``CancelledError`` is raised with a note that the transaction may have been
    committed.
    """
    from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

    _check(callback, max_retries, max_backoff)
    if not isinstance(source, (AsyncEngine, async_sessionmaker)):
        raise MatrixOneArgumentError(
            f"run_async_transaction() takes an AsyncEngine or an async_sessionmaker, not {source!r}"
        )
    attempt = 0
    while True:
        try:
            return await _run_once_async(source, callback)
        except _Retry as retry:
            seconds = _backoff(retry, attempt, max_retries, max_backoff)
        attempt += 1
        await asyncio.sleep(seconds)


class _Retry(Exception):
    """An error after which a transaction can be run again."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _check(callback: object, max_retries: object, max_backoff: object) -> None:
    if not callable(callback):
        raise MatrixOneArgumentError(f"callback={callback!r} is not a function")
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        raise MatrixOneArgumentError(f"max_retries={max_retries!r} is not a number of repetitions")
    if isinstance(max_backoff, bool) or not isinstance(max_backoff, (int, float)) or not 0 <= max_backoff < 1e6:
        raise MatrixOneArgumentError(f"max_backoff={max_backoff!r} is not a number of seconds")


def _backoff(retry: _Retry, attempt: int, max_retries: int, max_backoff: float) -> float:
    """Return how many seconds to wait; raise the error if no repetitions are left."""
    if attempt >= max_retries:
        raise retry.error from retry.error.__cause__
    longest = min(max_backoff, _FIRST_BACKOFF * 2 ** min(attempt, 32))
    log.info("the transaction is run again (%d of %d) after: %s", attempt + 1, max_retries, _short(retry.error))
    return random.uniform(longest / 2, longest)


def _short(error: BaseException) -> str:
    """Return an error without the statement and its parameters, which may be secret."""
    orig = getattr(error, "orig", None)
    return str(orig if orig is not None else type(error).__name__)


# -- one attempt


def _run_once(source: Engine | sessionmaker[Any], callback: Callable[[Any], _R]) -> _R:
    with _connecting():
        target: Any = source.connect() if isinstance(source, Engine) else source()
    with target:
        with _working(target) as work:
            work.begin()
            result = callback(target)
            work.finish()
        with _committing():
            target.commit()
    return result


async def _run_once_async(
    source: AsyncEngine | async_sessionmaker[Any], callback: Callable[[Any], Awaitable[_R]]
) -> _R:
    from sqlalchemy.ext.asyncio import AsyncEngine

    target: Any = source.connect() if isinstance(source, AsyncEngine) else source()
    async with aclosing(target):
        if isinstance(source, AsyncEngine):
            with _connecting():
                await target.start()
        with _working(target.sync_connection if isinstance(source, AsyncEngine) else target.sync_session) as work:
            await target.run_sync(lambda _: work.begin())
            result = await callback(target)
            await target.run_sync(lambda _: work.finish())
        with _committing():
            await target.commit()
    return result


class _Work:
    """The part of a transaction before its COMMIT."""

    def __init__(self, target: Connection | Session) -> None:
        self._target = target
        self._transaction: Any = None

    def begin(self) -> None:
        target = self._target
        self._transaction = target.begin()
        connection = target if isinstance(target, Connection) else target.connection()
        if state_of(connection.connection).autocommit:
            raise MatrixOneInvalidRequestError(
                "the function was not run: on a connection in AUTOCOMMIT each statement is committed immediately, so "
                "that nothing could be run again. Use an engine without AUTOCOMMIT."
            )

    def finish(self) -> None:
        if not self._is_open:
            raise MatrixOneInvalidRequestError(
                "the function has ended its transaction itself: let run_transaction() commit, and raise an error to "
                "roll back"
            )
        if isinstance(self._target, Session):
            self._target.flush()

    def may_be_repeated(self, error: Exception) -> bool:
        cause = _cause(error)
        return cause is not None and _is_retryable(cause) and (self._transaction is None or self._is_open)

    @property
    def _is_open(self) -> bool:
        return self._target.get_transaction() is self._transaction


@contextmanager
def _working(target: Connection | Session) -> Iterator[_Work]:
    work = _Work(target)
    try:
        yield work
    except Exception as error:
        if work.may_be_repeated(error):
            raise _Retry(error) from error
        raise


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        if error.connection_invalidated or _number(error) in _NOT_CONNECTED:
            raise _Retry(error) from error
        raise


def _cause(error: BaseException) -> exc.DBAPIError | None:
    """Return the server's error behind an error; None for a recovery statement that may have been executed."""
    if isinstance(error, RecoveryError) and error.done is not False:
        return None
    cause = error.__cause__ if isinstance(error, RecoveryError) else error
    return cause if isinstance(cause, exc.DBAPIError) else None


def _is_retryable(error: exc.DBAPIError) -> bool:
    number = _number(error)
    return error.connection_invalidated or number in _RETRYABLE or number in _NOT_CONNECTED


def _number(error: exc.DBAPIError) -> Any:
    return error.orig.args[0] if error.orig is not None and error.orig.args else None


@contextmanager
def _committing() -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        if error.connection_invalidated or _number(error) == _COMMIT_UNKNOWN:
            raise CommitUncertain(
                "the connection was lost during COMMIT, and it is unknown whether the transaction was committed; it "
                f"was not run again. Check whether its changes exist. {error.orig}"
            ) from error
        if _is_retryable(error):
            raise _Retry(error) from error
        raise
    except BaseException as error:
        if not isinstance(error, Exception):
            error.add_note("interrupted during COMMIT: the transaction may have been committed or not")
        raise
