"""Execute restores, put back what the server loses, and protect again what they replace."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.beside import Work, start_beside
from ..core.names import fold
from ..core.refusals import errors_after, errors_before
from ..core.server import SYS_ACCOUNT, matrixone_dialect
from ..exc import Reason, RestoreError
from ..losses.publications import check_publishers, explaining_publications, explaining_published_past
from ..losses.scope import RestoreScope
from ..losses.texts import special_texts
from ..losses.unreadable import explaining_syntax_errors, unreadable_definitions
from .clock import mo_ts_of
from .constructs import RestorePitr, RestoreSnapshot
from .kept_history import CREATION_ROUNDING, Pitrs, check_protected
from .other_accounts import OtherAccounts
from .outcome import PATIENCE, Outcome
from .preservation import Losses
from .reactivation import inactive_pitrs, reactivate_after_restore, reactivate_beside
from .verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection


log = logging.getLogger("sqlalchemy_matrixone.recovery")

_TO_REACTIVATE = "If it was or will be carried out, call Recovery.reactivate_pitrs() after it."


def restore(
    connection: Connection,
    element: RestoreSnapshot | RestorePitr,
    *,
    lose: frozenset[str] = frozenset(),
    verify: bool = False,
) -> None:
    """Execute a restore, put back what the server loses in it, and reactivate the PITRs of what it has replaced.

    PITRs that were inactive before stay so, unless the restore brings back the object that they are named after.

    :param lose: the kinds of things to leave to the server.
    :param verify: compare the result with what was to be restored.
    :raises RestoreError: if the restore fails, would lose something that cannot be put back, or if putting back fails.
        ``done`` states whether the restore was carried out.
    """
    element.check_transaction(connection)
    with errors_before(RestoreError, f"{element.operation} was not sent"):
        before = _Before.read(connection, element, lose, verify=verify)
        if before is None:
            connection.execute(element)  # the server reports the reason
            return
    with _explaining_errors(connection, element, before.scopes):
        _execute(connection, element, before)
    try:
        with errors_after(RestoreError, element.operation):
            _complete(connection, before)
    except Exception:
        raise
    except BaseException as error:  # cancelled or interrupted
        error.add_note("The restore was carried out, but what follows it was interrupted.")
        _protect_after_interruption(connection, before, error, is_done=True)
        raise


@dataclass(frozen=True)
class _Before:
    """What is read before a restore, for what is done after it.

    :ivar losses: what it loses in the current account; None if it replaces nothing there.
    :ivar scopes: what it replaces in all accounts whose definitions can be read.
    :ivar others: what it replaces in other accounts; None if nothing.
    :ivar verification: what to compare the result with; None if it is not to be compared.
    :ivar inactive: the PITRs that are inactive already; None if the restore replaces no object that could have one.
    """

    losses: Losses | None
    scopes: list[RestoreScope]
    others: OtherAccounts | None
    verification: Verification | None
    inactive: frozenset[str] | None

    @classmethod
    def read(
        cls, connection: Connection, element: RestoreSnapshot | RestorePitr, lose: frozenset[str], *, verify: bool
    ) -> _Before | None:
        """Check what the server does not, and read what the restore loses.

        :return: None if the server is certain to refuse the restore, whose source may then be unreadable.
        :raises RestoreError: if the restore would lose something that cannot be put back, or restore empty tables.
        """
        source = element.source(connection)
        if source is None:
            return None
        others = OtherAccounts.of(connection, element, source)
        pitrs = Pitrs.read(connection) if isinstance(element, RestorePitr) else None
        if _is_refused(connection, element, source, others, pitrs):
            return None
        if others is not None:
            others.read(connection, lose)
        scope = own_scope(connection, element, source)
        if scope is not None and element.recovery_target.level == "cluster":
            check_publishers(connection, scope, element.operation)
        if scope is not None and pitrs is not None:
            check_protected(connection, scope, element.name, element.operation, pitrs)
        return cls(
            losses=None if scope is None else Losses.read(connection, scope, lose | _kept(element)),
            scopes=[each for each in (scope, None if others is None else others.scope) if each is not None],
            others=others,
            verification=_verification(connection, scope, lose, others) if verify else None,
            inactive=inactive_pitrs(connection) if element.to_account is None else None,
        )


def _kept(element: RestoreSnapshot | RestorePitr) -> frozenset[str]:
    """Return the kinds of things that a restore keeps at its level, although others lose them."""
    return frozenset(("publications",) if element.recovery_target.level == "cluster" else ())


@contextmanager
def _explaining_errors(
    connection: Connection, element: RestoreSnapshot | RestorePitr, scopes: list[RestoreScope]
) -> Iterator[None]:
    """Raise errors of the server that do not name their cause as errors that do."""
    with (
        _explaining_publications(connection, element, scopes),
        explaining_syntax_errors(
            RestoreError, element.operation, lambda: _unreadable(connection, scopes), is_past=True
        ),
        explaining_published_past(element.operation, scopes),
    ):
        yield


def _explaining_publications(
    connection: Connection, element: RestoreSnapshot | RestorePitr, scopes: list[RestoreScope]
) -> AbstractContextManager[None]:
    if not scopes or element.recovery_target.level != "cluster":
        return nullcontext()
    return explaining_publications(connection, scopes[0], element.operation)


def _unreadable(connection: Connection, scopes: list[RestoreScope]) -> list[str]:
    """Return the definitions with which the server cannot restore something."""
    with matrixone_dialect(connection).preserving_clean_state(connection):
        return [
            text
            for scope in scopes
            for text in unreadable_definitions(scope, connection, special_texts(scope, connection, frozenset()))
        ]


def _is_refused(
    connection: Connection,
    element: RestoreSnapshot | RestorePitr,
    source: int,
    others: OtherAccounts | None,
    pitrs: Pitrs | None,
) -> bool:
    """Return whether the server is certain to refuse the restore."""
    if others is not None and matrixone_dialect(connection).default_account_name != SYS_ACCOUNT:
        return True
    if pitrs is None:
        return False
    pitr = pitrs.named(element.name)
    return pitr is None or source > pitrs.now or source < mo_ts_of(pitr.created_at) - CREATION_ROUNDING


def _verification(
    connection: Connection, scope: RestoreScope | None, lose: frozenset[str], others: OtherAccounts | None
) -> Verification:
    if scope is None or others is not None:
        raise RestoreError(
            "RESTORE was not sent: verify=True can check only the current account",
            Reason.UNSUPPORTED,
        )
    return Verification(connection, scope, lose)


def _execute(connection: Connection, element: RestoreSnapshot | RestorePitr, before: _Before) -> None:
    """Execute the restore; if its connection is lost after it was carried out, complete it on another one."""
    attempt = element.new_attempt(connection)
    try:
        connection.execute(element.copy_with(attempt=attempt))
    except RestoreError as error:
        if error.done:
            _complete_beside(connection, before)
        elif error.done is None:
            if before.losses is not None:
                error.add_note(f"If it was or will be carried out: {before.losses.describe_statements()}")
            if before.inactive is not None:
                error.add_note(_TO_REACTIVATE)
        raise
    except Exception:
        raise
    except BaseException as error:  # cancelled or interrupted: a note of the error states the outcome of the restore
        if attempt.outcome is not Outcome.NOT_DONE:
            _explain_interruption(connection, before, error, attempt.outcome)
        raise


def _explain_interruption(
    connection: Connection, before: _Before, error: BaseException, outcome: Outcome | None
) -> None:
    """Complete a restore as far as possible whose caller was cancelled or interrupted, and state what remains to do.

    :param outcome: None if the interruption came before or while it was determined.
    """
    if before.losses is not None:
        before.losses.note_on(error)
    _protect_after_interruption(connection, before, error, is_done=outcome is Outcome.DONE)


def _complete(connection: Connection, before: _Before) -> None:
    try:
        if before.losses is not None:
            before.losses.put_back(connection)
        if before.others is not None:
            before.others.warn()
    finally:
        if before.inactive is not None:
            reactivate_after_restore(connection, before.inactive)
    if before.verification is not None:
        before.verification.compare(connection, () if before.losses is None else before.losses.changed)


def _protect_after_interruption(
    connection: Connection, before: _Before, error: BaseException, *, is_done: bool
) -> None:
    """Reactivate PITRs after a restore whose caller was cancelled or interrupted.

    A note of the error states what to do if that is not certain to have succeeded.

    :param is_done: whether it is known that the restore was carried out.
    """
    inactive = before.inactive
    if inactive is None:
        return
    reactivated = False

    def run(work: Work) -> None:
        nonlocal reactivated
        try:
            reactivate_beside(connection, inactive)
            reactivated = True
        except Exception:
            log.warning("PITRs could not be made active again", exc_info=True)

    start_beside(run, is_async=connection.dialect.is_async).join(PATIENCE)
    if not (is_done and reactivated):
        error.add_note(_TO_REACTIVATE)


def _complete_beside(connection: Connection, before: _Before) -> None:
    """Put back what a restore has lost and reactivate PITRs, after the restore's own connection was lost."""
    try:
        if before.losses is not None:
            before.losses.put_back(connection)
    finally:
        if before.inactive is not None:
            reactivate_beside(connection, before.inactive)


def own_scope(connection: Connection, element: RestoreSnapshot | RestorePitr, source: int) -> RestoreScope | None:
    """Return the scope of the restore in the current account."""
    dialect = matrixone_dialect(connection)
    target = element.recovery_target
    own = fold(dialect.default_account_name)
    if target.level == "cluster":
        return RestoreScope(dialect, "account", None, None, source)
    if element.to_account is not None or (target.account is not None and fold(target.account) != own):
        return None
    database = target.database_on(connection)
    return RestoreScope(dialect, target.level, database, target.table, source)
