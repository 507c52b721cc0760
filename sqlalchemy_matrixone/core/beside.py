"""Run work concurrently with a running statement: on a second connection, in a thread or an asyncio task."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import exc
from sqlalchemy.engine import Engine
from sqlalchemy.util import await_only, greenlet_spawn

from .server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Work(Protocol):
    """A function that runs concurrently with its caller, until it returns."""

    def stop(self) -> None:
        """Ask the function to stop, by ending its :meth:`pause`: its caller no longer needs it."""

    def pause(self, seconds: float) -> bool:
        """Wait, in the function. Return True, without waiting any longer, once :meth:`stop` was called."""

    def join(self, seconds: float) -> bool:
        """Wait, in the caller, for the function to return. Return whether it did."""


class _Thread:
    def __init__(self, function: Callable[[Work], None]) -> None:
        self._stopped = threading.Event()
        # A daemon thread, so that a server that does not answer cannot delay the exit of the interpreter.
        self._thread = threading.Thread(target=function, args=(self,), name="sqlalchemy_matrixone", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def pause(self, seconds: float) -> bool:
        return self._stopped.wait(seconds)

    def join(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()


class _Task:
    def __init__(self, function: Callable[[Work], None]) -> None:
        self._stopped = asyncio.Event()
        self._task = asyncio.ensure_future(greenlet_spawn(function, self))

    def stop(self) -> None:
        self._stopped.set()

    def pause(self, seconds: float) -> bool:
        try:
            await_only(asyncio.wait_for(self._stopped.wait(), seconds))
        except TimeoutError:
            return False
        return True

    def join(self, seconds: float) -> bool:
        # Unlike wait_for(), wait() does not cancel the task when the caller is cancelled.
        await_only(asyncio.wait({self._task}, timeout=seconds))
        return self._task.done()


def start_beside(function: Callable[[Work], None], *, is_async: bool) -> Work:
    """Start a function that runs concurrently with the caller.

    :param function: takes the :class:`Work` that represents it, and handles its errors itself.
    :param is_async: run it in a task of the running event loop, in one of SQLAlchemy's greenlets; otherwise in a
        thread.
    """
    return _Task(function) if is_async else _Thread(function)


def pause(connection: Connection, seconds: float) -> None:
    """Wait. With a driver for asyncio, other tasks of the event loop continue meanwhile."""
    if connection.dialect.is_async:
        await_only(asyncio.sleep(seconds))
    else:
        time.sleep(seconds)


@contextmanager
def second_engine(engine: Engine) -> Iterator[Engine]:
    """Provide a second engine for the same server and user.

    It has a pool of its own, so that it can connect when the first engine cannot.
    """
    second = Engine(engine.pool.recreate(), engine.dialect, engine.url, hide_parameters=engine.hide_parameters)
    try:
        yield second
    finally:
        second.dispose()


@contextmanager
def autocommit_connection(engine: Engine) -> Iterator[Connection]:
    """Connect in AUTOCOMMIT, so that each query sees the present; KILL is refused inside a transaction."""
    with engine.connect() as connection:
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
        except matrixone_dialect(connection).loaded_dbapi.Error as error:
            # SQLAlchemy lets this error of the driver through as it is.
            connection.invalidate(error)
            raise exc.OperationalError("SET AUTOCOMMIT = 1", None, error) from error
        yield connection


def execute_beside(connection: Connection, statements: Sequence[str]) -> None:
    """Execute statements on a second connection, in AUTOCOMMIT."""
    if not statements:
        return
    with second_engine(connection.engine) as engine, autocommit_connection(engine) as second:
        for statement in statements:
            second.exec_driver_sql(statement)
