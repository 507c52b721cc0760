"""Recognize the reason for which the server refused a statement, and raise its errors as those of this package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from ..exc import BranchConflict, Reason, RecoveryError
from .errors import reports_missing_column

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
            text = f"{text}. It needs {needs or error.needs}"
        raise error(f"{operation}: {text}", reason, done=None if reason is Reason.UNKNOWN else False) from refused


@contextmanager
def errors_before(error: type[RecoveryError], nothing: str) -> Iterator[None]:
    """Raise errors of what is read before a statement as errors that state that nothing was sent.

    :param nothing: states that, such as "restore snapshot 's' was not sent".
    :raises RecoveryError: of this class, with ``done`` False.
    """
    try:
        with server_errors_as(error, nothing):
            yield
    except RecoveryError as failed:
        if isinstance(failed, error):
            raise
        raise error(f"{nothing}: {failed}", failed.reason, done=False) from failed.__cause__


@contextmanager
def errors_after(error: type[RecoveryError], operation: str) -> Iterator[None]:
    """Raise errors of what is read after a statement, to check its result, as errors that state that it is done.

    :raises RecoveryError: of this class, with ``done`` True.
    """
    try:
        yield
    except exc.DBAPIError as failed:
        message = f"{operation}: it was carried out, but its result could not be read: {failed.orig}"
        raise error(message, reason_of(failed), done=True) from failed


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
    return error.orig is not None and reports_missing_column(error.orig)
