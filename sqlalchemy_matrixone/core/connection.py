"""What has run on a DBAPI connection since its last commit or rollback.

MatrixOne accepts a recovery statement only where nothing has, and nothing that it sends tells a client
whether that is so: the flags of its OK packets say "no transaction" after a SELECT, and "autocommit"
after SET NAMES, in neither case truly. So the dialect keeps this account itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, scoped_session

# One way to match each text, so that no statement takes long to be refused by them.
_BLANK = r"(?:[\s(]|/\*(?:[^*]|\*(?!/))*\*/|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$))"
_FIRST_WORD = re.compile(_BLANK + r"*(\w+)")
_SET_AUTOCOMMIT = re.compile(r"\bautocommit\s*:?=\s*(\w+)", re.I)
_CREATE_TEMPORARY = re.compile(_BLANK + r"*create\b" + _BLANK + r"*temporary\b", re.I)
_TO_SAVEPOINT = re.compile(r"\bto\b", re.I)

_DDL = frozenset(("CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE"))
_READS = frozenset(("SELECT", "WITH", "USE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"))
# What of a transaction, in a statement that begins like a read, a COMMIT would keep or a lock that it would free.
_KEEPS = re.compile(r"\b(?:for\s+(?:update|share)|lock\s+in|into|insert|update|delete|nextval|setval|get_lock)\b", re.I)


class _Kind(NamedTuple):
    word: str
    writes: bool


def _kind_of(statement: str) -> _Kind:
    """The first word of a statement, and whether it may have written or locked something."""
    # One with its values in it is not kept.
    return _cached_kind_of(statement) if len(statement) <= _LONGEST_CACHED else _cached_kind_of.__wrapped__(statement)


_LONGEST_CACHED = 5000


@lru_cache(maxsize=512)
def _cached_kind_of(statement: str) -> _Kind:
    match = _FIRST_WORD.match(statement)
    word = match[1].upper() if match else ""
    return _Kind(word, word not in _READS or _KEEPS.search(statement) is not None)


class TransactionState:
    """The account of one DBAPI connection.

    :ivar autocommit: whether the server commits each statement by itself.
    :ivar has_statements: whether the server would refuse a recovery statement now.
    :ivar explicit_begin: whether the transaction was begun by a BEGIN.
    :ivar has_writes: whether a BEGIN now would commit something.
    :ivar has_ddl: whether tables were made, changed or dropped.
    """

    __slots__ = ("autocommit", "explicit_begin", "has_ddl", "has_statements", "has_writes")

    def __init__(self, autocommit: bool = False) -> None:
        self.autocommit = autocommit
        self.has_statements = self.explicit_begin = self.has_writes = self.has_ddl = False

    def transaction_ended(self) -> None:
        """A COMMIT or ROLLBACK was carried out."""
        self.has_statements = False
        self.transaction_aborted()

    def sending(self, statement: str) -> str:
        """A statement is on its way, whatever may become of it. Gives its first word, for :meth:`sent`."""
        word, writes = _kind_of(statement)
        begins = word in ("BEGIN", "START")
        if not self.autocommit or begins:
            self.has_statements = True
        self.explicit_begin = self.explicit_begin or begins
        self.has_writes = self.has_writes or (writes and not begins)
        self.has_ddl = self.has_ddl or word in _DDL
        return word

    def sent(self, statement: str, word: str) -> None:
        """A statement was carried out. COMMIT, ROLLBACK and any SET end the transaction."""
        if word == "SET":
            if match := _SET_AUTOCOMMIT.search(statement):
                self.autocommit = match[1].upper() in ("1", "ON", "TRUE")
            self.transaction_ended()
        elif word == "COMMIT" or (word == "ROLLBACK" and not _TO_SAVEPOINT.search(statement)):
            self.transaction_ended()

    def transaction_aborted(self) -> None:
        """The server has ended the transaction by itself, and with it what a BEGIN had begun."""
        self.explicit_begin = self.has_writes = self.has_ddl = False


def makes_temporary_table(statement: str) -> bool:
    return _CREATE_TEMPORARY.match(statement) is not None


_states: WeakKeyDictionary[Any, TransactionState] = WeakKeyDictionary()


def driver_connection(connection: Any) -> Any:
    """The driver's own connection behind SQLAlchemy's pool proxy or async adapter."""
    return getattr(connection, "driver_connection", None) or connection


def state_of(connection: Any) -> TransactionState:
    """The account of a DBAPI connection, however wrapped."""
    driver = driver_connection(connection)
    state = _states.get(driver)
    if state is None:
        # An autocommit_mode of None leaves the server's default, which is on.
        state = _states[driver] = TransactionState(autocommit=getattr(driver, "autocommit_mode", False) is not False)
    return state


def has_changes(session: Session | scoped_session[Any]) -> bool:
    """Whether a flush would write something."""
    return bool(session.new or session.deleted) or any(map(session.is_modified, session.dirty))
