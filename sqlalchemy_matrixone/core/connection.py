"""Track the transaction state of a connection to the server.

MatrixOne accepts a recovery statement only if nothing has run since the last commit or rollback. The flags that it
sends do not show whether that is the case: OK packets claim "no transaction" after a SELECT and "autocommit" after
SET NAMES. This package therefore tracks the transaction itself. It does so in the driver's connection, through which
every statement passes, including those of the driver's own cursors: see :mod:`.pymysql_connection`,
:mod:`.aiomysql_connection` and :mod:`.asyncmy_connection`. A connection that was created by other code (``creator=``)
is tracked by the dialect, which sees only what goes through SQLAlchemy. Its state is not
:attr:`~TransactionState.complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from weakref import WeakKeyDictionary

from ..exc import MatrixOneInvalidRequestError
from .release import Feature, parse_greeting
from .sql_mode import refuse_mode
from .sql_text import OPAQUE, PING, READ, WRITE, Event, Sent, read_statement

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session


class _Change(NamedTuple):
    """What an event does to the flags. None leaves a flag as it is."""

    has_statements: bool | None = None
    explicit_begin: bool | None = None
    has_ddl: bool | None = None
    writes: int = 0
    """The number to add to the count of writes."""
    forgets_savepoints: bool = False
    ends: bool = False
    """Clears all flags before the others apply."""


_NO_CHANGE = _Change()


class _Transition(NamedTuple):
    sent: _Change
    """Applies when the statement is sent, whatever its outcome."""
    succeeded: _Change = _NO_CHANGE
    refused: _Change = _NO_CHANGE
    """Applies when the server has answered with an error."""


_USED = _Change(has_statements=True)
_ROWS_WRITTEN = _Change(has_statements=True, writes=1)
_ENDED = _Change(ends=True)
_UNKNOWN = _Change(True, explicit_begin=False, has_ddl=True, writes=1, forgets_savepoints=True)
# After an error the transaction is either unchanged or rolled back: earlier writes may still exist, and a BEGIN may
# have been undone.
_DOUBTFUL = _Change(explicit_begin=False, forgets_savepoints=True)

_TRANSITIONS = {
    # event             when it is sent                        if it succeeds                       if it is refused
    Event.NOTHING:     _Transition(_NO_CHANGE),
    Event.READ:        _Transition(_USED),
    Event.WRITE:       _Transition(_ROWS_WRITTEN,              _NO_CHANGE,                          _Change(writes=-1)),
    Event.COPY:        _Transition(_ROWS_WRITTEN),
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
"""What each event does to the state of a transaction. Nothing else in this package defines that."""

_SET_WITHOUT_COMMIT = _Transition(_Change(forgets_savepoints=True))
"""What a SET does after 4.2.0, unless it switches autocommit on: nothing that would be seen on any release.

Such a server may be a build that still commits at a SET. The transaction is therefore taken to go on, with what it has
written, and a failed SET is treated as on the releases.
"""

# If one of these fails, MatrixOne rolls back the whole transaction: a failed SET undoes everything written before it.
_COMMITTING = frozenset((Event.COMMIT, Event.BEGIN, Event.SET, Event.MAY_COMMIT, Event.OPAQUE))

# Errors after which the server has rolled back the whole transaction or, on some releases, only the statement:
# deadlocks, lost locks and lock services, lock timeouts.
_ROLLED_BACK = frozenset((1205, 20502, 20504, 20505, 20634, 20638, 20701, 20702, 20703, 20704, 20706, 20709, 20710))


class TransactionState:
    """What has run on a connection since its last commit or rollback.

    :ivar complete: whether every statement of the connection is seen, including those of the driver's cursors.
    :ivar autocommit: whether the server commits each statement by itself; None if that is unknown.
    :ivar has_statements: whether the server would refuse a recovery statement now.
    :ivar explicit_begin: whether the transaction was started by a BEGIN.
    :ivar has_ddl: whether tables were created, changed or dropped.
    :ivar must_roll_back: why nothing may be committed before a rollback; empty if a commit is allowed.
    :ivar after_commit: a function to call once, after the next COMMIT that has succeeded, or may have: if the
        connection was lost during it.
    :ivar set_ends: whether a SET certainly ends the transaction, which it does up to 4.2.
    :ivar pending: the statement whose outcome is not yet known.
    """

    __slots__ = (
        "_former_autocommit",
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
        "set_ends",
    )

    def __init__(self, autocommit: bool | None = False, *, complete: bool = True) -> None:
        self.complete = complete
        self.autocommit = autocommit
        self.after_commit: Callable[[], None] | None = None
        self.pending: Sent | None = None
        self.set_ends = True
        self._wrote_before = False
        self._former_autocommit: bool | None = None
        self._end()

    def _end(self) -> None:
        self.has_statements = self.explicit_begin = self.has_ddl = False
        self.must_roll_back = ""
        self._writes = 0
        self._savepoints: list[tuple[str, int]] = []

    def know_server(self, greeting: str | None) -> None:
        """Record the release of the server, which its greeting reports."""
        release = parse_greeting(greeting)
        self.set_ends = release is not None and not Feature.SET_KEEPS_TRANSACTION.in_release(release)

    @property
    def has_writes(self) -> bool:
        """Return whether a commit now would make any writes permanent."""
        return self._writes > 0

    @property
    def is_clean(self) -> bool:
        """Return whether certainly nothing has run, so that an internal ROLLBACK or BEGIN has no other effect."""
        return self.complete and not self.has_statements

    @property
    def in_transaction(self) -> bool:
        """Return whether what is written now waits for a commit. True if that is unknown."""
        return self.explicit_begin or not self.autocommit

    # -- sending a statement

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
        """Record that a statement is about to be sent. The caller sets :attr:`pending` to it once it was sent.

        :raises MatrixOneInvalidRequestError: if it would commit half of a transaction, or is a ROLLBACK TO.
        """
        is_usual = statement is READ or statement is WRITE
        if not is_usual and (self.must_roll_back or statement.event is Event.ROLLBACK_TO):
            self._refuse(statement)
        # Results of earlier statements that the driver still reads must not be taken for the outcome of this one.
        self.pending = None
        self._wrote_before = self._writes > 0
        if is_usual:  # as below, in less time
            if self.explicit_begin or not self.autocommit:
                self.has_statements = True
            if statement is WRITE:
                self._writes += 1
            return
        self._apply(self._transition(statement).sent)
        if statement.sets_autocommit:
            self._former_autocommit, self.autocommit = self.autocommit, None

    def _transition(self, statement: Sent) -> _Transition:
        if statement.event is Event.SET and not self.set_ends:
            return _SET_WITHOUT_COMMIT
        return _TRANSITIONS[statement.event]

    def succeeded(self) -> None:
        """Record that the server has executed the pending statement."""
        statement = self.pending
        self.pending = None
        if statement is READ or statement is WRITE or statement is None:
            return  # these change nothing more, which saves the time of looking it up
        if statement.savepoint:
            self._note_savepoint(statement)
        if (change := self._transition(statement).succeeded) is not _NO_CHANGE:
            savepoints = self._savepoints
            self._apply(change)
            if statement.event is Event.BEGIN and not self._wrote_before:
                self._savepoints = savepoints  # nothing written before or after them was committed
        if statement.sets_autocommit:
            self.autocommit = statement.autocommit
            if self.autocommit and self._former_autocommit is False:
                self._end()  # on every release, this commits

    def failed(self, error: BaseException) -> None:
        """Record that the pending statement has failed, on the server or on the way to it."""
        statement, self.pending = self.pending, None
        number = _number_of(error)
        if statement is None or number is None:
            return
        self._apply(self._transition(statement).refused)
        if number in _ROLLED_BACK:
            self._rolled_back_by_server()
        elif statement.event not in _COMMITTING:
            return
        if self._wrote_before and self.in_transaction:
            self.must_roll_back = (
                f"with error {number} the server has rolled back what was written before, or at least may have."
            )

    def _rolled_back_by_server(self) -> None:
        """Record an error after which the server has rolled back the transaction, or only the statement."""
        # In both cases, a ROLLBACK restores the state before the first write.
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
        """Record that the driver has replaced its connection to the server, which ended the transaction."""
        self.must_roll_back = former.must_roll_back
        if former.has_writes and former.in_transaction:
            self.must_roll_back = "the driver has connected again, and what was written before is lost."

    # -- savepoints

    def _note_savepoint(self, statement: Sent) -> None:
        self._forget_savepoint(statement.savepoint)
        if statement.event is Event.SAVEPOINT:
            self._savepoints.append((statement.savepoint, self._writes))

    def _forget_savepoint(self, name: str) -> None:
        """Remove a savepoint and those that were set after it."""
        names = [each for each, _ in self._savepoints]
        if name in names:
            del self._savepoints[names.index(name) :]

    def _savepoints_before_writes(self) -> list[tuple[str, int]]:
        """Return the savepoints before which nothing was written in the transaction."""
        return [each for each in self._savepoints if each[1] == 0]

    def roll_back_to(self, savepoint: str, roll_back: Callable[[], None]) -> None:
        """Emulate a rollback to a savepoint, which the server does not support.

        If nothing was written since the savepoint, there is nothing to do. If nothing was written before it, the
        whole transaction is rolled back, and the next statement starts a new one. In READ COMMITTED, the isolation
        level of the server, that makes no difference to the statements that follow.

        :param roll_back: rolls back the transaction on the server and, if it was started by a BEGIN, sends another
            BEGIN.
        :raises MatrixOneInvalidRequestError: if something was written before the savepoint and since, or may have
            been. From then on the transaction can only be rolled back as a whole.
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
    "begin_nested() cannot be rolled back: the connection is in AUTOCOMMIT, so that each statement in it has already "
    "been committed."
)
_WRITTEN = (
    "something was written in it and something before it, and MatrixOne accepts SAVEPOINT but cannot roll back to it."
)
_ENDED_SINCE = "a statement in it has ended the transaction, or may have, such as a COMMIT, a SET or a CALL."
_INCOMPLETE = (
    "MatrixOne accepts SAVEPOINT but cannot roll back to it, and whether something was written is not known, because "
    "the connection was created by your own creator=: let that call connect() of sqlalchemy_matrixone.pymysql, "
    ".aiomysql or .asyncmy instead of the driver's."
)
_NOTHING_ROLLED_BACK = (
    "Nothing was rolled back. Call rollback(), which rolls back the whole transaction; it can no longer be committed. "
    "Run statements that may fail in a separate transaction on a second connection, or let them fail before anything "
    "is written."
)


def _number_of(error: BaseException) -> int | None:
    """Return the number of an error that the server has reported; None for any other error."""
    number = error.args[0] if error.args else None
    # 2000 to 2999 are client errors: a lost connection, a timeout.
    if isinstance(number, int) and number >= 1000 and not 2000 <= number < 3000:
        return number
    return None


NOT_CONNECTED = TransactionState()
"""The state of one of this package's connections before it has connected. Never changed."""


# -- the state of a connection

_states: WeakKeyDictionary[Any, TransactionState] = WeakKeyDictionary()


def driver_connection(connection: Any) -> Any:
    """Return the driver's connection behind SQLAlchemy's pool proxy or async adapter."""
    return getattr(connection, "driver_connection", None) or connection


def state_of(connection: Any) -> TransactionState:
    """Return the transaction state of a DBAPI connection, wrapped or not."""
    driver = driver_connection(connection)
    state = getattr(driver, "transaction_state", None)
    if isinstance(state, TransactionState):
        return state
    state = _states.get(driver)
    if state is None:
        # With an autocommit_mode of None, the server's default applies.
        state = _states[driver] = TransactionState(getattr(driver, "autocommit_mode", None), complete=False)
        state.know_server(driver.get_server_info())
    return state


NOTHING = nullcontext()
"""The context for statements that need no special handling."""


def following(connection: Any, statement: str) -> AbstractContextManager[None]:
    """Return a context, for the sending of a statement, that tracks it if the connection itself does not."""
    state = state_of(connection)
    if state.complete:
        return NOTHING
    sent = read_command(COM_QUERY, statement)
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

COM_QUERY = 3
"""The command that sends a text."""
_COM_STMT_EXECUTE = 23
_COMMANDS = {
    2: READ,  # COM_INIT_DB, a USE
    14: PING,
    22: READ,  # COM_STMT_PREPARE
    25: PING,  # COM_STMT_CLOSE
}


def read_command(command: int, payload: bytes | bytearray | str, prepared: Mapping[int, Sent] | None = None) -> Sent:
    """Return what a command, as a driver sends it, does to a transaction.

    :param prepared: the statements that the connection has prepared, by their ids.
    """
    if command == COM_QUERY:
        if type(payload) is bytes:
            return read_statement(payload)
        return read_statement(payload.encode(errors="replace") if isinstance(payload, str) else bytes(payload))
    if command == _COM_STMT_EXECUTE and prepared and isinstance(payload, bytes):
        return prepared.get(int.from_bytes(payload[:4], "little"), OPAQUE)
    return _COMMANDS.get(command, OPAQUE)


def read_prepared(query: bytes | str) -> Sent:
    """Return what executing a prepared statement does to a transaction. The driver does not show its success."""
    statement = read_command(COM_QUERY, query)
    return statement if statement.event in (Event.READ, Event.WRITE, Event.CHANGE) else OPAQUE


def has_changes(session: Session | scoped_session[Any]) -> bool:
    """Return whether a flush would write something."""
    return bool(session.new or session.deleted) or any(map(session.is_modified, session.dirty))
