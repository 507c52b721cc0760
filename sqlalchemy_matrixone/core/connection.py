"""The transaction state of a connection to the server.

MatrixOne accepts a recovery statement only if nothing has run since the last commit or rollback, and the flags that it
sends do not tell a client whether that is so: OK packets claim "no transaction" after a SELECT and "autocommit" after
SET NAMES. So this package follows the transaction itself. It does so in the driver's connection, which every
statement passes, those of the driver's own cursors as well: see :mod:`.pymysql_connection`, :mod:`.aiomysql_connection`
and :mod:`.asyncmy_connection`. A connection that somebody else has made (``creator=``) is followed by the dialect,
which sees only what goes through SQLAlchemy; its state is not :attr:`~TransactionState.complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from weakref import WeakKeyDictionary

from ..exc import MatrixOneInvalidRequestError
from .sql_mode import refuse_mode
from .sql_text import LONGEST_CACHED, OPAQUE, PING, READ, Event, Sent, read_long_statement, read_statement

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session


class _Change(NamedTuple):
    """What an event does to the flags. None leaves a flag as it is."""

    has_statements: bool | None = None
    explicit_begin: bool | None = None
    has_ddl: bool | None = None
    writes: int = 0
    """Added to the number of writes."""
    forgets_savepoints: bool = False
    ends: bool = False
    """Clears all flags before the others apply."""


_NO_CHANGE = _Change()


class _Transition(NamedTuple):
    sent: _Change
    """Applies when the statement is on its way, whatever comes of it."""
    succeeded: _Change = _NO_CHANGE
    refused: _Change = _NO_CHANGE
    """Applies when the server has answered with an error."""


_USED = _Change(has_statements=True)
_ENDED = _Change(ends=True)
_UNKNOWN = _Change(True, explicit_begin=False, has_ddl=True, writes=1, forgets_savepoints=True)
# After an error the transaction is either as it was or gone: what was written may still be there, BEGIN may be undone.
_DOUBTFUL = _Change(explicit_begin=False, forgets_savepoints=True)

_TRANSITIONS = {
    # event             as soon as it is sent                  if it succeeds                       if it is refused
    Event.NOTHING:     _Transition(_NO_CHANGE),
    Event.READ:        _Transition(_USED),
    Event.WRITE:       _Transition(_Change(True, writes=1),    _NO_CHANGE,                          _Change(writes=-1)),
    Event.COPY:        _Transition(_Change(True, writes=1)),
    Event.CHANGE:      _Transition(_Change(True, has_ddl=True, writes=1)),
    Event.BEGIN:       _Transition(_USED,                      _Change(True, True, ends=True),      _DOUBTFUL),
    Event.COMMIT:      _Transition(_NO_CHANGE,                 _ENDED,                              _DOUBTFUL),
    Event.ROLLBACK:    _Transition(_NO_CHANGE,                 _ENDED,                              _DOUBTFUL),
    Event.SET:         _Transition(_USED,                      _ENDED,                              _DOUBTFUL),
    Event.MAY_COMMIT:  _Transition(_Change(True, False, None, writes=1, forgets_savepoints=True)),
    Event.SAVEPOINT:   _Transition(_USED),
    Event.RELEASE:     _Transition(_NO_CHANGE),
    Event.ROLLBACK_TO: _Transition(_NO_CHANGE),
    Event.OPAQUE:      _Transition(_UNKNOWN),
}  # fmt: skip
"""What each event does to the state of a transaction: the one place where that is written down."""

# If one of these fails, MatrixOne rolls back the whole transaction: after a failed SET, all that was written is gone.
_COMMITTING = frozenset((Event.COMMIT, Event.BEGIN, Event.SET, Event.MAY_COMMIT, Event.OPAQUE))

# Errors with which the server rolls back the whole transaction, on some releases only the statement: deadlocks, lost
# locks and lock services, timeouts of a lock.
_ROLLED_BACK = frozenset((1205, 20502, 20504, 20505, 20634, 20638, 20701, 20702, 20703, 20704, 20706, 20709, 20710))


class TransactionState:
    """What has run on a connection since its last commit or rollback.

    :ivar complete: whether every statement of the connection is seen, those of the driver's cursors too.
    :ivar autocommit: whether the server commits each statement by itself; None if that is not known.
    :ivar has_statements: whether the server would refuse a recovery statement now.
    :ivar explicit_begin: whether the transaction was begun by a BEGIN.
    :ivar has_ddl: whether tables were created, changed or dropped.
    :ivar must_roll_back: why nothing may be committed before a rollback; empty if it may.
    :ivar after_commit: what to call once, when the next COMMIT has succeeded.
    :ivar pending: the statement whose outcome is not known yet.
    """

    __slots__ = (
        "_savepoints",
        "_writes",
        "_wrote_before",
        "after_commit",
        "autocommit",
        "complete",
        "explicit_begin",
        "has_ddl",
        "has_statements",
        "must_roll_back",
        "pending",
    )

    def __init__(self, autocommit: bool | None = False, *, complete: bool = True) -> None:
        self.complete = complete
        self.autocommit = autocommit
        self.after_commit: Callable[[], None] | None = None
        self.pending: Sent | None = None
        self._wrote_before = False
        self._end()

    def _end(self) -> None:
        self.has_statements = self.explicit_begin = self.has_ddl = False
        self.must_roll_back = ""
        self._writes = 0
        self._savepoints: list[tuple[str, int]] = []

    @property
    def has_writes(self) -> bool:
        """Whether a commit now would keep something."""
        return self._writes > 0

    @property
    def is_clean(self) -> bool:
        """Whether it is certain that nothing has run, so that a ROLLBACK or BEGIN of ours affects nothing else."""
        return self.complete and not self.has_statements

    @property
    def in_transaction(self) -> bool:
        """Whether what is written now waits for a commit. True if that is not known."""
        return self.explicit_begin or not self.autocommit

    # -- a statement on its way

    def _refuse(self, statement: Sent) -> None:
        if self.must_roll_back and statement.event in _COMMITTING:
            raise MatrixOneInvalidRequestError(
                f"Nothing was sent, since it would commit half of a transaction: {self.must_roll_back} Call rollback()."
            )
        if statement.event is Event.ROLLBACK_TO:
            raise MatrixOneInvalidRequestError(
                "ROLLBACK TO was not sent: MatrixOne fails it, and undoes the statement before it. Use begin_nested(), "
                "which can be rolled back if nothing was written in it, or nothing before it."
            )

    def sending(self, statement: Sent) -> None:
        """Note that a statement is about to be sent. Set :attr:`pending` to it once it is on its way.

        :raises MatrixOneInvalidRequestError: if it would commit half of a transaction, or is a ROLLBACK TO.
        """
        event = statement.event
        if self.must_roll_back or event is Event.ROLLBACK_TO:
            self._refuse(statement)
        # What the driver still reads of former statements does not count for this one.
        self.pending = None
        self._wrote_before = self._writes > 0
        change = _TRANSITIONS[event].sent
        if change is not _USED:
            self._apply(change)
        elif self.explicit_begin or not self.autocommit:
            self.has_statements = True
        if statement.sets_autocommit:
            self.autocommit = None

    def succeeded(self) -> None:
        """Note that the server has carried out the pending statement."""
        statement = self.pending
        if statement is None:
            return
        self.pending = None
        if statement.savepoint:
            self._note_savepoint(statement)
        if (change := _TRANSITIONS[statement.event].succeeded) is not _NO_CHANGE:
            savepoints = self._savepoints
            self._apply(change)
            if statement.event is Event.BEGIN and not self._wrote_before:
                self._savepoints = savepoints  # nothing was committed that was written before or after them
        if statement.sets_autocommit:
            self.autocommit = statement.autocommit

    def failed(self, error: BaseException) -> None:
        """Note that the pending statement has ended in an error, of the server or on the way to it."""
        statement, self.pending = self.pending, None
        number = _number_of(error)
        if statement is None or number is None:
            return
        self._apply(_TRANSITIONS[statement.event].refused)
        if number in _ROLLED_BACK:
            self._rolled_back_by_server()
        elif statement.event not in _COMMITTING:
            return
        if self._wrote_before and self.in_transaction:
            self.must_roll_back = (
                f"with error {number} the server has rolled back what was written before, or at least may have."
            )

    def _rolled_back_by_server(self) -> None:
        """Note an error with which the transaction, or only the statement, was rolled back."""
        # Whichever it was, a ROLLBACK leads back to what was before the first write.
        kept = [] if self.explicit_begin else self._savepoints_before_writes()
        self._apply(_DOUBTFUL)
        self._savepoints = kept

    def _apply(self, change: _Change) -> None:
        if change.ends:
            self._end()
        if change.explicit_begin is not None:
            self.explicit_begin = change.explicit_begin
        if change.has_ddl is not None:
            self.has_ddl = change.has_ddl
        if change.has_statements and (self.explicit_begin or not self.autocommit):
            self.has_statements = True
        self._writes += change.writes
        if change.forgets_savepoints:
            self._savepoints.clear()

    def reconnected(self, former: TransactionState) -> None:
        """Note that the driver has replaced its connection to the server, and with it a transaction."""
        self.must_roll_back = former.must_roll_back
        if former.has_writes and former.in_transaction:
            self.must_roll_back = "the driver has connected again, and what was written before is lost."

    # -- savepoints

    def _note_savepoint(self, statement: Sent) -> None:
        self._forget_savepoint(statement.savepoint)
        if statement.event is Event.SAVEPOINT:
            self._savepoints.append((statement.savepoint, self._writes))

    def _forget_savepoint(self, name: str) -> None:
        """Forget a savepoint and those that were set after it."""
        names = [each for each, _ in self._savepoints]
        if name in names:
            del self._savepoints[names.index(name) :]

    def _savepoints_before_writes(self) -> list[tuple[str, int]]:
        """Return the savepoints before which nothing was written in the transaction."""
        return [each for each in self._savepoints if each[1] == 0]

    def roll_back_to(self, savepoint: str, roll_back: Callable[[], None]) -> None:
        """Roll back to a savepoint without the server, which cannot.

        If nothing was written since the savepoint, there is nothing to do. If nothing was written before it, the
        whole transaction is rolled back, and the next statement begins another: in READ COMMITTED, in which the
        server works, that makes no difference to a statement that follows.

        :param roll_back: rolls back the transaction on the server and, if a BEGIN had begun it, sends another.
        :raises MatrixOneInvalidRequestError: if something was written before and since, or may have been. The
            transaction can only be rolled back as a whole from then on.
        """
        written_before = dict(self._savepoints).get(savepoint)
        if written_before is None or not self.complete or not self.in_transaction:
            self._refuse_roll_back_to(written_before is not None)
        elif written_before == 0 and (self.must_roll_back or self._writes) and self._is_surely_in_transaction:
            kept = self._savepoints_before_writes()
            roll_back()
            self._savepoints = kept
        elif self.must_roll_back or written_before != self._writes:
            self._refuse_roll_back_to(True)
        self._forget_savepoint(savepoint)
        self._savepoints.append((savepoint, written_before or 0))

    @property
    def _is_surely_in_transaction(self) -> bool:
        return self.explicit_begin or self.autocommit is False

    def _refuse_roll_back_to(self, known: bool) -> NoReturn:
        if not self.in_transaction:
            raise MatrixOneInvalidRequestError(_IN_AUTOCOMMIT)
        if not self.must_roll_back:
            self.must_roll_back = "a begin_nested() could not be rolled back, and what was written in it would be kept."
            reason = _INCOMPLETE if not self.complete else _WRITTEN if known else _ENDED_SINCE
        else:
            reason = self.must_roll_back
        raise MatrixOneInvalidRequestError(f"begin_nested() cannot be rolled back: {reason} {_NOTHING_ROLLED_BACK}")


_IN_AUTOCOMMIT = (
    "begin_nested() cannot be rolled back: the connection is in AUTOCOMMIT, so that each statement in it has been "
    "committed already."
)
_WRITTEN = (
    "something was written in it and something before it, and MatrixOne accepts SAVEPOINT but cannot roll back to it."
)
_ENDED_SINCE = "a statement in it has ended the transaction, or may have, such as a COMMIT, a SET or a CALL."
_INCOMPLETE = (
    "MatrixOne accepts SAVEPOINT but cannot roll back to it, and whether something was written is not known, because "
    "the connection was made by a creator= of yours: let that call connect() of sqlalchemy_matrixone.pymysql, "
    ".aiomysql or .asyncmy instead of the driver's."
)
_NOTHING_ROLLED_BACK = (
    "Nothing was rolled back. Call rollback(), which rolls back the whole transaction; it is not committed any more. "
    "Give what may fail a transaction of its own on a second connection, or let it fail before it writes."
)


def _number_of(error: BaseException) -> int | None:
    """Return the number of an error that the server has answered with; None for any other error."""
    number = error.args[0] if error.args else None
    # 2000 to 2999 are those of the client: a lost connection, a timeout.
    if isinstance(number, int) and number >= 1000 and not 2000 <= number < 3000:
        return number
    return None


NOT_CONNECTED = TransactionState()
"""The state of a connection of ours before it has connected. Never changed."""


# -- the state of a connection

_states: WeakKeyDictionary[Any, TransactionState] = WeakKeyDictionary()


def driver_connection(connection: Any) -> Any:
    """Return the driver's own connection behind SQLAlchemy's pool proxy or async adapter."""
    return getattr(connection, "driver_connection", None) or connection


def state_of(connection: Any) -> TransactionState:
    """Return the transaction state of a DBAPI connection, however wrapped."""
    driver = driver_connection(connection)
    state = getattr(driver, "transaction_state", None)
    if isinstance(state, TransactionState):
        return state
    state = _states.get(driver)
    if state is None:
        # An autocommit_mode of None leaves the server's default.
        state = _states[driver] = TransactionState(getattr(driver, "autocommit_mode", None), complete=False)
    return state


NOTHING = nullcontext()
"""What goes around a statement of which nothing is to be done."""


def following(connection: Any, statement: str) -> AbstractContextManager[None]:
    """Follow a statement on a connection that does not do so by itself: around the sending of the statement."""
    state = state_of(connection)
    if state.complete:
        return NOTHING
    sent = read_command(_COM_QUERY, statement)
    if sent.mode_change is not None:
        refuse_mode(sent.mode_change, driver_connection(connection).get_server_info())
    return _following(state, sent)


@contextmanager
def _following(state: TransactionState, statement: Sent) -> Iterator[None]:
    state.sending(statement)
    state.pending = statement
    try:
        yield
    except Exception as error:
        state.failed(error)
        raise
    state.succeeded()


# -- the commands of MySQL's protocol

_COM_QUERY = 3
_COM_STMT_EXECUTE = 23
_COMMANDS = {
    2: READ,  # COM_INIT_DB, a USE
    14: PING,
    22: READ,  # COM_STMT_PREPARE
    25: PING,  # COM_STMT_CLOSE
}


def read_command(command: int, payload: bytes | bytearray | str, prepared: Mapping[int, Sent] | None = None) -> Sent:
    """Tell what a command, as a driver sends it, does to a transaction.

    :param prepared: the statements that the connection has prepared, by their numbers.
    """
    if command == _COM_QUERY:
        if type(payload) is not bytes:
            payload = payload.encode(errors="replace") if isinstance(payload, str) else bytes(payload)
        return read_statement(payload) if len(payload) <= LONGEST_CACHED else read_long_statement(payload)
    if command == _COM_STMT_EXECUTE and prepared and isinstance(payload, bytes):
        return prepared.get(int.from_bytes(payload[:4], "little"), OPAQUE)
    return _COMMANDS.get(command, OPAQUE)


def read_prepared(query: bytes | str) -> Sent:
    """Tell what the execution of a prepared statement does, whose success the driver does not show."""
    statement = read_command(_COM_QUERY, query)
    return statement if statement.event in (Event.READ, Event.WRITE, Event.CHANGE) else OPAQUE


def has_changes(session: Session | scoped_session[Any]) -> bool:
    """Return whether a flush would write something."""
    return bool(session.new or session.deleted) or any(map(session.is_modified, session.dirty))
