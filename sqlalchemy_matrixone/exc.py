"""The exceptions that this package raises. :class:`MatrixOneError` is the base of all of them.

Server errors in ordinary statements reach the caller as SQLAlchemy's own :class:`~sqlalchemy.exc.DBAPIError`. The
constructs of this package, :class:`~sqlalchemy_matrixone.Recovery` and the Inspector raise a :class:`RecoveryError`
instead, with that error as its cause.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
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

    ::

        try:
            recovery.create_snapshot("before_import", database="shop")
        except RecoveryError as error:
            if error.reason is not Reason.EXISTS:
                raise

    :ivar reason: a :class:`Reason`. If the server refused it, ``__cause__`` is SQLAlchemy's
        :class:`~sqlalchemy.exc.DBAPIError`, and its ``orig`` the driver's error.
    :ivar done: whether the statement was carried out. It is False unless the connection was lost, and None if it could
        not be determined.
    """

    needs: ClassVar[str] = "the administrator of the account, which is the user that was created with it"
    """Who may do it, or with which privileges, to be shown if the server refuses it for lack of them."""

    def __init__(self, message: str, reason: Reason = Reason.OTHER, *, done: bool | None = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.done = done


class AccountError(RecoveryError):
    """An account could not be created, altered or dropped."""

    needs = "an administrator of the account sys"


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
    """A restore was not carried out, or not completely: ``done`` is True in the latter case.

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

    needs = "SELECT on the tables that are read, and the privileges to create, write or drop what is changed"


class BranchConflict(BranchError):
    """A row has changed in both of the tables that were to be merged.

    :ivar key: the primary key of the row, as the server writes it: ``"7"``, or ``"1,'x'"`` for two columns. None for a
        merge if the key has several columns, because the server reports only its stored bytes. :class:`PickBranch`
        reports it.
    """

    def __init__(self, message: str, key: str | None) -> None:
        super().__init__(message)
        self.key = key
