"""Determine, from another connection, whether a recovery statement was carried out that was not answered normally."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.beside import Work, autocommit_connection, second_engine, start_beside
from .effects import Effect, Sent

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from ..core.server_session import ServerSession

log = logging.getLogger("sqlalchemy_matrixone.recovery")

PATIENCE = 10.0
"""The seconds that the server has to end a statement, and another connection to confirm it."""

SETTLE = 2.0
"""The seconds for which nothing may have changed before a statement counts as not carried out.

A commit may still be on its way when its session is gone already: after a KILL by another session, or the failure of a
node. On another node of a cluster it becomes visible with a delay.
"""


class Outcome(Enum):
    """The outcome of a statement, as a sentence."""

    NOT_DONE = "It was ended on the server and changed nothing; another connection has confirmed that."
    DONE = "It was carried out: another connection sees its changes."
    UNKNOWN = (
        "It is unknown whether it was carried out or still will be: this could not be determined in time from another "
        "connection. Before you repeat it, look for it in SHOW PROCESSLIST, KILL it there, and check its object."
    )

    @property
    def done(self) -> bool | None:
        """Return whether the statement was carried out, or None if that is unknown."""
        return {Outcome.NOT_DONE: False, Outcome.DONE: True, Outcome.UNKNOWN: None}[self]


class OutcomeSearch:
    """The search for the outcome of one statement, in a thread or task of its own. Each method waits for the result."""

    def __init__(self, connection: Connection, session: ServerSession, effect: Effect) -> None:
        """Prepare to search.

        :param connection: the connection whose engine and way of waiting are used; nothing is sent on it.
        :param session: the session that the statement was sent in.
        :param effect: the change that the statement makes.
        """
        self._engine: Engine = connection.engine
        self._is_async: bool = connection.dialect.is_async
        self._session = session
        self._effect = effect

    def after_cancellation(self) -> Outcome:
        """Return the outcome if the server has cancelled the statement, perhaps while it was being committed."""
        return self._run(self._after_cancellation)

    def after_lost_connection(self) -> Outcome:
        """End a lost or abandoned connection on the server, and return the outcome of its statement."""
        return self._run(self._after_lost_connection)

    def after_panic(self) -> Outcome:
        """Return the outcome if the server has failed, which does not undo what the statement has done."""
        return self._run(self._after_panic)

    def after_unknown_commit(self) -> Outcome:
        """Return the outcome if the server does not know it: a commit may still be on its way."""
        return self._run(self._after_unknown_commit)

    def _run(self, find: Callable[[Engine, Work], Outcome]) -> Outcome:
        found = Outcome.UNKNOWN

        def run(work: Work) -> None:
            nonlocal found
            try:
                with second_engine(self._engine) as engine:
                    found = find(engine, work)
            except Exception:
                log.warning(
                    "%s: could not determine whether it was carried out", self._session.statement, exc_info=True
                )

        start_beside(run, is_async=self._is_async).join(2 * PATIENCE)
        return found

    def _after_cancellation(self, engine: Engine, work: Work) -> Outcome:
        return Outcome.NOT_DONE if self._stays_undone(engine, work) else Outcome.UNKNOWN

    def _after_lost_connection(self, engine: Engine, work: Work) -> Outcome:
        happened_before = self._happened(engine)
        if not self._session.end(engine, work, PATIENCE):
            return Outcome.UNKNOWN
        if self._stays_undone(engine, work):
            return Outcome.NOT_DONE
        # A change that appeared only while it was being ended may be that of a writer that it waited for.
        return Outcome.DONE if happened_before else Outcome.UNKNOWN

    def _after_panic(self, engine: Engine, work: Work) -> Outcome:
        if self._happened(engine):
            return Outcome.DONE
        return Outcome.NOT_DONE if self._stays_undone(engine, work) else Outcome.UNKNOWN

    def _after_unknown_commit(self, engine: Engine, work: Work) -> Outcome:
        for seconds in (0, SETTLE):
            work.pause(seconds)
            if self._happened(engine):
                return Outcome.DONE
        return Outcome.UNKNOWN

    def _stays_undone(self, engine: Engine, work: Work) -> bool:
        """Return whether it was not carried out, now and after :data:`SETTLE`."""
        if self._happened(engine) is not False:
            return False
        work.pause(SETTLE)
        return self._happened(engine) is False

    def _happened(self, engine: Engine) -> bool | None:
        try:
            with autocommit_connection(engine) as connection:
                return self._effect.happened(connection, Sent.ago(connection, lambda: self._session.age))
        except (exc.SQLAlchemyError, OSError):
            return None
