"""The exceptions that this package raises. :class:`MatrixOneError` is the base of all of them.

Server errors in ordinary statements reach the caller as SQLAlchemy's own :class:`~sqlalchemy.exc.DBAPIError`. The
constructs of this package, :class:`~sqlalchemy_matrixone.Recovery` and the Inspector raise a :class:`RecoveryError`
instead, with that error as its cause.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import exc


class MatrixOneError(exc.DontWrapMixin, exc.SQLAlchemyError):
    """Base of the exceptions of this package. Never wrapped in a :class:`~sqlalchemy.exc.StatementError`."""


class MatrixOneArgumentError(MatrixOneError, exc.ArgumentError):
    """A construct or call was given an argument that the server would refuse, truncate or misread.

    Raised before anything is sent.
    """


class MatrixOneCompileError(MatrixOneError, exc.CompileError):
    """A statement cannot be compiled: this release of MatrixOne lacks the syntax, or no release can do what it states.

    Raised before anything is sent.
    """


class MatrixOneInvalidRequestError(MatrixOneError, exc.InvalidRequestError):
    """A request is not allowed in the current state, such as a write within ``time_travel()``."""


class RestoreWarning(exc.SAWarning):
    """A restore was carried out, but could not preserve everything. The message lists what is lost."""


class Reason(StrEnum):
    """The reason why a recovery statement failed. It compares equal to its text: ``error.reason == "exists"``."""

    EXISTS = "exists"
    """The name is in use, or the object already has a PITR."""
    NOT_FOUND = "not_found"
    """The snapshot, PITR or object does not exist, or did not exist at that time."""
    NOT_PERMITTED = "not_permitted"
    """The user or the account lacks a privilege."""
    NOT_COVERED = "not_covered"
    """The snapshot or PITR belongs to another object, which does not contain this one."""
    OUT_OF_RANGE = "out_of_range"
    """The PITR does not reach back to that time, or the time is in the future."""
    ACTIVE_TRANSACTION = "active_transaction"
    """Statements have been executed since the last commit or rollback. Nothing was sent."""
    TIMEOUT = "timeout"
    """The time limit was exceeded. The statement was ended on the server and changed nothing."""
    KILLED = "killed"
    """Another session ended the statement by KILL. It changed nothing."""
    INCOMPLETE = "incomplete"
    """The statement was carried out, but its result differs from what it should be."""
    UNKNOWN = "unknown"
    """The connection was lost, and it is unknown whether the statement was carried out."""
    CONFLICT = "conflict"
    """Rows cannot be restored because they conflict with rows that were written since. Nothing was changed."""
    UNSUPPORTED = "unsupported"
    """The release lacks the statement, or would not do what it specifies."""
    OTHER = "other"
    """Anything else; see the message."""


class RecoveryError(MatrixOneError):
    """A recovery statement was refused, by the server or before it was sent.

    :ivar reason: a :class:`Reason`. If the server refused it, ``__cause__`` is SQLAlchemy's
        :class:`~sqlalchemy.exc.DBAPIError`, and its ``orig`` the driver's error.
    :ivar done: whether the statement was carried out. It is False unless the connection was lost, and None if it could
        not be determined.
    """

    _needs: ClassVar[str] = "the administrator of the account, which is the user that was created with it"
    """Who may do it, or with which privileges, to be shown if the server refuses it for lack of them."""

    def __init__(self, message: str, reason: Reason = Reason.OTHER, *, done: bool | None = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.done = done


class AccountError(RecoveryError):
    """An account could not be created, altered or dropped."""

    _needs = "an administrator of the account sys"


class CommitUncertain(MatrixOneError):
    """The connection was lost during COMMIT: the transaction may have been committed or not. Nothing was retried.

    Check what the transaction has written before you repeat it. ``__cause__`` is SQLAlchemy's error.
    """


class RecoveryWarning(UserWarning):
    """A snapshot or PITR does not protect everything that belongs to its object, or a clone or branch needs repair.

    The message states what is left out or wrong, and what to do.
    """


class SnapshotError(RecoveryError):
    """A snapshot could not be created, dropped or read."""


class PitrError(RecoveryError):
    """A PITR could not be created, altered, dropped or read."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session whose open transaction a restore waits for.

    :ivar connection_id: the id to pass to ``KILL``.
    :ivar host: the address and port of the client.
    :ivar since: the start of the transaction, in UTC.
    :ivar statement: its latest statement while it runs and for some seconds after; None afterwards.
    """

    connection_id: int
    account: str
    user: str
    host: str
    since: dt.datetime
    statement: str | None


class RestoreError(RecoveryError):
    """A restore was not carried out.

    :ivar blockers: with reason timeout, the sessions that it waited for.
    """

    def __init__(
        self,
        message: str,
        reason: Reason = Reason.OTHER,
        *,
        done: bool | None = False,
        blockers: Sequence[Blocker] = (),
    ) -> None:
        super().__init__(message, reason, done=done)
        self.blockers = list(blockers)


@dataclass(frozen=True)
class RowConflict:
    """A row that cannot be restored because it conflicts with rows that were written since.

    :ivar key: the primary key of the row, by column.
    :ivar reason: the cause of the conflict.
    """

    table: str
    key: Mapping[str, Any]
    reason: str

    def __str__(self) -> str:
        return f"{self.table} ({format_row(self.key)}): {self.reason}"


class RestoreConflict(RestoreError):
    """Rows were not restored because they conflict with rows that were written since. Nothing was changed.

    :ivar conflicts: the rows, each with its reason; only the first ones if there are many.
    """

    def __init__(self, conflicts: Sequence[RowConflict]) -> None:
        shown = "".join(f"\n  {conflict}" for conflict in conflicts[:_SHOWN_CONFLICTS])
        more = "\n  …" if len(conflicts) > _SHOWN_CONFLICTS else ""
        super().__init__(
            f"nothing was changed: rows to restore conflict with rows that were written since.{shown}{more}\n"
            "Change or exclude these rows (where=), or include what they need (a list of tables, new=True).",
            Reason.CONFLICT,
        )
        self.conflicts = tuple(conflicts)


_SHOWN_CONFLICTS = 10


def format_row(row: Mapping[str, Any]) -> str:
    """Return the values of a row for a message, such as ``id=7, note='x'``."""
    return ", ".join(f"{name}={value!r}" for name, value in row.items())


class BranchError(RecoveryError):
    """A clone or a data branch statement was not carried out."""

    _needs = "SELECT on the tables that are read, and the privileges to create, write or drop what is changed"


class BranchConflict(BranchError):
    """A row has changed in both of the tables that were to be merged.

    :ivar key: the primary key of the row, as the server writes it: ``"7"``, or ``"1,'x'"`` for two columns. None for a
        merge if the key has several columns, because the server reports only its stored bytes. :class:`PickBranch`
        reports it.
    """

    def __init__(self, message: str, key: str | None) -> None:
        super().__init__(message)
        self.key = key


# The bytes of a key of several columns, as the server quotes them. They always contain control characters.
_STORED_KEY = re.compile(r"'.*(?:[\x00-\x1f\x7f\ufffd]|\\x[0-9a-f]{2}|\\0)", re.S)
_CONFLICT = re.compile(r"conflict: .* on pk\((?P<key>.*)\) with different values", re.S)


def conflict_of(error: BaseException) -> BranchConflict | None:
    """Return the conflict that an error of the driver reports; None if it reports something else."""
    text = str(error.args[-1]) if error.args else ""
    match = _CONFLICT.search(text)
    if match is None:
        return None
    if _STORED_KEY.match(match["key"]):
        return BranchConflict(match[0].replace(match["key"], "a key of several columns"), None)
    return BranchConflict(match[0], match["key"])


# Nearly all errors of the server have number 20101, "internal error: …". Only the message distinguishes them.
_CODES = {
    1049: Reason.NOT_FOUND,
    1062: Reason.EXISTS,
    1064: Reason.UNSUPPORTED,
    1146: Reason.NOT_FOUND,
    20105: Reason.UNSUPPORTED,
    20638: Reason.UNKNOWN,  # the transaction's commit status is unknown
}
_TEXTS = (
    ("unclassified statement appears in uncommitted transaction", Reason.ACTIVE_TRANSACTION),
    ("administrative command is unsupported in transactions", Reason.ACTIVE_TRANSACTION),
    ("privilege", Reason.NOT_PERMITTED),
    ("only sys tenant", Reason.NOT_PERMITTED),
    ("only sys account", Reason.NOT_PERMITTED),
    ("non-sys account", Reason.NOT_PERMITTED),
    ("from other account", Reason.NOT_PERMITTED),
    (r"account \S+ is not allowed to restore", Reason.NOT_PERMITTED),
    (r"pitr \S+ is not allowed to restore", Reason.NOT_COVERED),
    ("is not allowed for", Reason.NOT_COVERED),  # restore level table is not allowed for database restore
    ("table level snapshot", Reason.NOT_COVERED),  # can't restore db from table level snapshot
    (r"does not match snapshot\.", Reason.NOT_COVERED),
    ("already has a pitr", Reason.EXISTS),
    ("already exist", Reason.EXISTS),
    (r"the tenant \S+ exists", Reason.EXISTS),
    ("is less than the pitr valid time", Reason.OUT_OF_RANGE),
    ("is bigger than now timestamp", Reason.OUT_OF_RANGE),
    ("no corresponding snapshot", Reason.OUT_OF_RANGE),
    ("does not exist", Reason.NOT_FOUND),
    ("doesn't exist", Reason.NOT_FOUND),
    ("there is no account", Reason.NOT_FOUND),
    ("no such", Reason.NOT_FOUND),
    ("not found", Reason.NOT_FOUND),
    ("find 0 snapshot records", Reason.NOT_FOUND),
    (r"find \d+ tableinfos by name", Reason.UNSUPPORTED),  # a pattern of LIKE before 4.2
    ("not exists at", Reason.NOT_FOUND),
)


@contextmanager
def server_errors_as(
    error: type[RecoveryError], operation: str, *, if_lost: Reason = Reason.OTHER, needs: str | None = None
) -> Iterator[None]:
    """Raise server errors as errors of this package, with the reason, and with SQLAlchemy's error as the cause.

    :param operation: the operation that failed, for the message.
    :param if_lost: the reason if the connection was lost: ``unknown`` for a statement that changes something.
    :param needs: what the operation needs, for users who lack it; by default what the class of the error says.
    :raises RecoveryError: of this class; or :class:`BranchConflict`.
    """
    try:
        yield
    except exc.DBAPIError as refused:
        if (conflict := conflict_of(refused.orig or refused)) is not None:
            raise conflict from refused
        text = refused.orig.args[-1] if refused.orig is not None and refused.orig.args else refused
        is_unknown = refused.connection_invalidated and if_lost is Reason.UNKNOWN
        if is_unknown:
            text = f"the connection was lost, and it is unknown whether this was carried out: {text}"
        reason = if_lost if refused.connection_invalidated else reason_of(refused)
        if "do not have privilege" in str(text):
            text = f"{text}. It needs {needs or error._needs}"
        raise error(f"{operation}: {text}", reason, done=None if is_unknown else False) from refused


def reason_of(error: BaseException) -> Reason:
    """Return the :class:`Reason` of an error of the driver, or of an error of SQLAlchemy that wraps one."""
    orig = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    text = str(orig).lower()
    for pattern, reason in _TEXTS:
        if re.search(pattern, text):
            return reason
    return _CODES.get(orig.args[0], Reason.OTHER) if orig.args else Reason.OTHER


def is_missing_column(error: exc.DBAPIError) -> bool:
    """Return whether a statement was refused because a table does not have a column."""
    orig = error.orig
    return (
        orig is not None and orig.args[:1] == (20301,) and re.search(r"column .* does not exist", str(orig)) is not None
    )
