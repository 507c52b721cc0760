"""Put back what a restore loses in addition to newer rows: grants, sequences, publications and more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from ..core.beside import autocommit_connection, second_engine
from ..core.names import readable
from ..core.refusals import reason_of
from ..core.sequences import SEQUENCES
from ..core.server import matrixone_dialect
from ..core.warning import warn
from ..exc import MatrixOneArgumentError, Reason, RestoreError, RestoreWarning
from ..losses.copies import read_loss_of_copy
from ..losses.grants import grant_again
from ..losses.publications import publish_again, publish_dropped
from ..losses.routines import name_routines
from ..losses.scope import Loss, RestoreScope
from ..losses.sequences import recreate_sequences
from ..losses.tables import name_external_tables, rebuild_vector_indexes
from ..losses.texts import DEFAULTS, DEFINITIONS, restore_texts, special_texts
from ..losses.views import recreate_views

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

log = logging.getLogger("sqlalchemy_matrixone.recovery")

# Grants come after the sequences and views, because there may be grants on them.
_READERS: dict[str, Callable[[RestoreScope, Connection], Loss]] = {
    SEQUENCES: recreate_sequences,
    "views": recreate_views,
    "grants": grant_again,
    "publications": publish_again,
    "vector_indexes": rebuild_vector_indexes,
    "external_tables": name_external_tables,
}
KINDS = (*_READERS, DEFAULTS, DEFINITIONS)


def check_lose(lose: Any) -> frozenset[str]:
    """Return the kinds of things that a restore may lose.

    :raises MatrixOneArgumentError: if one of them is unknown, or these are no kinds at all.
    """
    if not isinstance(lose, (str, tuple, list, set, frozenset)):
        raise MatrixOneArgumentError(f"lose={lose!r} is not a collection of names: pass some of {', '.join(KINDS)}")
    kinds = frozenset((lose,) if isinstance(lose, str) else map(str, lose))
    if unknown := sorted(kinds.difference(KINDS)):
        raise MatrixOneArgumentError(f"lose={', '.join(unknown)} is unknown: pass some of {', '.join(KINDS)}")
    return kinds


@dataclass(kw_only=True)
class Losses(Loss):
    """What a restore of the current account loses, read before the restore.

    :ivar changed: the texts that the server has changed, each with what to do; known after :meth:`put_back`.
    """

    scope: RestoreScope
    changed: list[str] = field(default_factory=list)

    @classmethod
    def read(
        cls, connection: Connection, scope: RestoreScope, lose: frozenset[str], *, is_clone: bool = False
    ) -> Losses:
        """Read what a restore would lose.

        :param lose: the kinds of things to leave to the server.
        :param is_clone: whether the object is cloned from the past, under its own name, instead of restored.
        :raises RestoreError: if something cannot be read. Nothing was sent in that case.
        """
        losses = cls(scope=scope)
        with matrixone_dialect(connection).preserving_clean_state(connection):
            readers = _READERS | {"publications": publish_dropped} if is_clone else _READERS
            for kind, read in readers.items():
                if kind not in lose:
                    with _reading(kind):
                        losses.add(read(scope, connection))
            with _reading(DEFINITIONS):
                losses.texts = special_texts(scope, connection, lose)
            if is_clone:
                losses.names += name_routines(scope, connection).names
        return losses

    @classmethod
    def of_copy(cls, connection: Connection, scope: RestoreScope) -> Losses:
        """Read what a copy under another name will lack; privileges are not among it.

        :param scope: the source, with the names of its copy.
        """
        losses = cls(scope=scope)
        with matrixone_dialect(connection).preserving_clean_state(connection):
            losses.add(read_loss_of_copy(scope, connection))
        return losses

    def put_back(self, connection: Connection) -> None:
        """Put back what can be put back, and warn of the rest.

        This uses a second connection: some of the statements commit, others are refused inside a transaction.

        :raises RestoreError: if a statement fails.
        """
        if not (self.statements or self.names or self.texts):
            return
        left = self.statements
        try:
            with second_engine(connection.engine) as engine, autocommit_connection(engine) as second:
                texts = restore_texts(self.scope, second, self.texts)
                self.statements += texts.statements
                self.changed = [readable(text) for text in texts.names]
                left = list(self.statements)
                failure = _execute_each(second, left)
        except exc.DBAPIError as error:
            failure = error
        except BaseException as error:
            error.add_note(f"The restore was carried out. {_describe(left)}")
            raise
        if failure is not None:
            raise RestoreError(
                f"The restore was carried out, but not everything that it loses was put back: {failure.orig}. "
                f"{_describe(left)}",
                Reason.INCOMPLETE,
                done=True,
            ) from failure
        if told := [*map(readable, self.names), *self.changed]:
            warn("The restore was carried out, but lost: " + "; ".join(told), RestoreWarning)

    def describe_statements(self) -> str:
        """Return a sentence with the statements that put things back."""
        return _describe(self.statements)

    def note_on(self, error: BaseException) -> None:
        """Add a note to an error after which the outcome is unknown, with the statements that put things back."""
        if self.statements:
            error.add_note(f"If it was or will be carried out: {self.describe_statements()}")


def _execute_each(connection: Connection, statements: list[str]) -> exc.DBAPIError | None:
    """Execute statements, remove those that succeed, and return the first failure.

    After a USE or SET that fails, nothing is executed: what follows would apply to another database, or fail. Those
    that succeed are not removed, because statements that remain may need them.

    :raises sqlalchemy.exc.DBAPIError: if the connection is lost.
    """
    failure = None
    for statement in list(statements):
        try:
            connection.exec_driver_sql(statement)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            failure = failure or error
            if _changes_session(statement):
                break
        else:
            if not _changes_session(statement):
                statements.remove(statement)
            log.info("put back after the restore: %s", readable(statement))
    return failure


def _changes_session(statement: str) -> bool:
    return statement.startswith(("USE ", "SET "))


def _describe(statements: Sequence[str]) -> str:
    following = [*statements[1:], "USE "]
    needed = [
        statement
        for statement, after in zip(statements, following, strict=False)
        if not (_changes_session(statement) and _changes_session(after))
    ]
    if not needed:
        return "Nothing else remains to be put back."
    lines = "".join(f"\n  {readable(statement)};" for statement in needed)
    return f"Not put back; execute this in AUTOCOMMIT:{lines}"


@contextmanager
def _reading(kind: str) -> Iterator[None]:
    try:
        yield
    except exc.DBAPIError as error:
        reason = reason_of(error)
        if error.connection_invalidated or reason is Reason.NOT_PERMITTED:
            raise  # the restore is not permitted, either
        name = kind.replace("_", " ")
        raise RestoreError(
            f"RESTORE was not sent: the {name} that it would lose could not be read: {error.orig}. To restore without "
            f"putting them back, pass lose=({kind!r},).",
            reason,
        ) from error
