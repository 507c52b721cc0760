"""Restore an object beside the present one, under another name: a clone at the point in time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.arguments import check_object_name
from ..core.beside import execute_beside
from ..core.names import fold
from ..core.refusals import errors_after, errors_before
from ..core.release import Feature, format_release
from ..core.server import matrixone_dialect
from ..core.warning import warn
from ..exc import MatrixOneArgumentError, Reason, RestoreError, RestoreWarning
from ..losses.tables import rebuild_vector_indexes
from ..losses.unreadable import explaining_syntax_errors, unreadable_definitions
from .clock import mo_ts_of, server_now
from .constructs import CloneOfPast
from .contents import Contents, Fact, differences, read_contents
from .objects import object_exists
from .outcome import Outcome
from .preservation import Losses
from .source import check_source
from .target import RecoveryTarget

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope
    from .constructs import RestorePitr, RestoreSnapshot


def renamed(scope: RestoreScope, name: str) -> RestoreScope:
    """Return the scope of the object under another name; a table stays in its database."""
    return replace(scope, database=name) if scope.level == "database" else replace(scope, table=name)


def check_copy(element: RestoreSnapshot | RestorePitr, as_name: str, lose: Collection[str]) -> None:
    """Check the arguments of a restore under another name.

    :raises MatrixOneArgumentError: if it cannot have another name, or if an argument would have no effect.
    """
    check_object_name("as_name", as_name)
    if element.recovery_target.level not in ("database", "table"):
        raise MatrixOneArgumentError(
            f"as_name={as_name!r}: only a database or a table can be restored under another name"
        )
    given = {"timeout": element.timeout, "to_account": element.to_account, "lose": lose or None}
    if without := [f"{name}=" for name, value in given.items() if value is not None]:
        raise MatrixOneArgumentError(
            f"{' and '.join(without)} cannot be used with as_name=, which creates a copy and replaces nothing"
        )


def restore_copy(
    connection: Connection, element: RestoreSnapshot | RestorePitr, as_name: str, *, verify: bool = False
) -> None:
    """Restore an object beside the present one, which stays as it is.

    :param as_name: the name of the restored database, or of the restored table in the same database.
    :param verify: compare also the rows of the result, and raise if something differs.
    :raises RestoreError: if nothing was restored, or the result differs.
    """
    element.check_transaction(connection)
    what = f"{element.operation} as {as_name!r}"
    with errors_before(RestoreError, f"{what} was not sent"):
        _, scope = check_source(connection, element)
        if scope is None:
            raise RestoreError(f"{what}: nothing was done: it is in another account", Reason.UNSUPPORTED)
        copy = renamed(scope, as_name)
        check_new_name(connection, scope, copy, what)
        dialect = matrixone_dialect(connection)
        with dialect.preserving_clean_state(connection):
            expected = read_contents(connection, scope, past=True, rows=verify)
        if Fact("sequence") in expected:
            raise RestoreError(
                f"{what} was not sent: {scope.quoted} is a sequence, and its clone would be a plain table. Restore its "
                "database under another name (as_name=)",
                Reason.UNSUPPORTED,
            )
    changed = clone(connection, scope, copy, what)
    with errors_after(RestoreError, what), dialect.preserving_clean_state(connection):
        found = read_contents(connection, copy, past=False, rows=verify)
    report_differences(expected, found, changed, must_equal=verify)


def check_new_name(connection: Connection, scope: RestoreScope, copy: RestoreScope, what: str) -> None:
    """Check that the new name is free.

    :raises RestoreError: if an object has it.
    """
    assert copy.database is not None
    if object_exists(connection, copy.database, copy.table):
        is_itself = fold(copy.quoted) == fold(scope.quoted)
        advice = "To replace it, leave out the new name." if is_itself else "Choose another name."
        raise RestoreError(f"{what}: nothing was done: {copy} exists. {advice}", Reason.EXISTS)


def clone(connection: Connection, scope: RestoreScope, copy: RestoreScope, what: str) -> list[str]:
    """Clone an object as it was, and put back what a clone does not contain.

    :param copy: the same scope, or that of the new name. A new name does not get the privileges of the original.
    :return: the definitions that the server has changed, each with what to do.
    :raises RestoreError: before MatrixOne 3.0, which cannot clone.
    """
    statement = clone_statement(scope, copy, what)
    is_new_name = copy.quoted != scope.quoted
    with errors_before(RestoreError, f"{what} was not sent"), scope.dialect.preserving_clean_state(connection):
        if is_new_name:
            losses = Losses.of_copy(connection, replace(scope, copy=(copy.database or "", copy.table)))
        else:
            losses = Losses.read(connection, scope, frozenset(), is_clone=True)
    explaining = explaining_syntax_errors(
        RestoreError, what, lambda: unreadable_definitions(scope, connection, losses.texts), is_past=True
    )
    created = RecoveryTarget(scope.level, None, copy.database, copy.table)
    with explaining:
        # Without a BEGIN, the server commits a clone immediately.
        _send(connection, CloneOfPast(statement, created, what), losses)
    losses.put_back(connection)
    if is_new_name:
        with errors_after(RestoreError, what), scope.dialect.preserving_clean_state(connection):
            rebuilt = rebuild_vector_indexes(replace(copy, source=mo_ts_of(server_now(connection))), connection)
            execute_beside(connection, rebuilt.statements)
    return losses.changed


def _send(connection: Connection, element: CloneOfPast, losses: Losses) -> None:
    """Send the clone; if its connection is lost after it was carried out, put back what it lacks on another one."""
    attempt = element.new_attempt(connection)
    try:
        connection.execute(element.copy_with(attempt=attempt))
    except RestoreError as error:
        if error.done:
            losses.put_back(connection)
        elif error.done is None:
            losses.note_on(error)
        raise
    except Exception:
        raise
    except BaseException as error:  # cancelled or interrupted: a note of the error states the outcome
        if attempt.outcome is not Outcome.NOT_DONE:
            losses.note_on(error)
        raise


def clone_statement(scope: RestoreScope, copy: RestoreScope, what: str) -> str:
    """Return the statement that creates a copy.

    :raises RestoreError: before MatrixOne 3.0, which cannot clone.
    """
    if not scope.supports(Feature.CLONE):
        needed = format_release(Feature.CLONE.since)
        raise RestoreError(f"{what}: nothing was done: as_name= needs MatrixOne {needed}", Reason.UNSUPPORTED)
    return f"CREATE {scope.level.upper()} {copy.quoted} CLONE {scope.quoted} {scope.past}"


def report_differences(
    expected: Contents, found: Contents, changed: Sequence[str] = (), *, must_equal: bool = False
) -> None:
    """Warn of what a clone lacks.

    :param changed: the definitions that the server is known to have changed, each with what to do.
    :param must_equal: raise instead.
    :raises RestoreError: with reason incomplete, if something differs and must not.
    """
    if missing := list(map(str, differences(expected, found))):
        set_back = f". Set back: {'; '.join(changed)}" if changed else ""
        message = f"It was brought back, but: {'; '.join(missing)}{set_back}"
        if must_equal:
            raise RestoreError(message, Reason.INCOMPLETE, done=True)
        warn(message, RestoreWarning)
