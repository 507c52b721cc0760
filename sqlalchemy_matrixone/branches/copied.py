"""Put back what the server does not copy with a table or database that is cloned or branched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from ..core.beside import execute_beside
from ..core.connection import state_of
from ..core.names import readable
from ..core.refusals import reason_of
from ..core.server import matrixone_dialect
from ..core.snapshots import instant_for_catalog
from ..core.warning import warn
from ..exc import BranchError, Reason, RecoveryWarning
from ..losses.copies import read_loss_of_copy
from ..losses.grants import grants_of_copy
from ..losses.scope import Loss, RestoreScope
from ..losses.sequences import is_sequence
from ..losses.texts import restore_texts
from ..losses.unreadable import explaining_syntax_errors, unreadable_definitions
from ..timetravel.point_in_time import PointInTime

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


class Copied:
    """What is to be put back in a copy, read before the source is copied."""

    def __init__(
        self,
        connection: Connection,
        source: tuple[str, str | None],
        copy: tuple[str, str | None],
        moment: PointInTime | None,
        *,
        copy_grants: bool,
        may_be_sequence: bool = False,
    ) -> None:
        """Read what the copy will lack.

        :param source: the database, or the database and the table, that is copied.
        :param copy: the database, or the database and the table, that is created.
        :param moment: the point in time at which it is copied; None for the present.
        :param may_be_sequence: whether to check that it is no sequence.
        :raises BranchError: if the source is a sequence, or the privileges to copy cannot be read.
        """
        dialect = matrixone_dialect(connection)
        self._name = copy[1] or copy[0]
        self._unread: list[str] = []
        self._loss = Loss()
        level: Any = "database" if source[1] is None else "table"
        self._scope = RestoreScope(dialect, level, *source, 0, copy, self._hint(connection, moment))
        with dialect.preserving_clean_state(connection):
            if may_be_sequence:
                self._check_is_no_sequence(connection)
            self._loss = read_loss_of_copy(self._scope, connection, self._reading)
            if copy_grants:
                self._read_grants(connection)

    @staticmethod
    def _hint(connection: Connection, moment: PointInTime | None) -> str:
        """Return the time-travel hint at which the catalog can be read."""
        if moment is not None and moment.kind == "SNAPSHOT":
            try:
                instant = instant_for_catalog(connection, str(moment.value.value))
            except exc.DBAPIError as error:
                if error.connection_invalidated:
                    raise
                instant = None  # no privilege for the catalog, so that what follows cannot be read, either
            moment = moment if instant is None else PointInTime("MO_TS", instant)
        if moment is None:
            return ""
        return str(moment.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))

    def _check_is_no_sequence(self, connection: Connection) -> None:
        try:
            found = is_sequence(self._scope, connection)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            return  # no privilege for the catalog, or no such table or point in time, which the server reports
        if found:
            raise BranchError(
                f"{self._name!r} was not created: {self._scope.quoted} is a sequence, and the server would create a "
                "plain table with its columns. Copy its database; or create a sequence, and set its value by SETVAL.",
                Reason.UNSUPPORTED,
            )

    @contextmanager
    def _reading(self, kind: str) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            # The copy fails for the same reason; if not, put_back() warns.
            self._unread.append(kind)

    def _read_grants(self, connection: Connection) -> None:
        try:
            self._loss.statements += grants_of_copy(self._scope, connection)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            raise BranchError(
                f"{self._name!r} was not created: the privileges that copy_grants=True is to copy could not be read: "
                f"{error.orig}",
                reason_of(error) or Reason.OTHER,
            ) from error

    def explaining_errors(self, operation: str, connection: Connection) -> AbstractContextManager[None]:
        """Return a context for the statement, in which a syntax error is raised with the definitions that cause it."""
        return explaining_syntax_errors(
            BranchError,
            operation,
            lambda: unreadable_definitions(self._scope, connection, self._loss.texts),
            is_past=bool(self._scope.past),
        )

    def put_back(self, connection: Connection, *, in_other_account: bool = False) -> None:
        """Put back what the copy lacks, on a second connection; warn of what cannot be put back.

        In a transaction that is not possible: no other connection sees the copy before the commit, and CREATE SEQUENCE
        and GRANT commit.
        """
        lacking = [f"It lacks {', '.join(self._loss.names)}."] if self._loss.names else []
        statements = self._loss.statements
        if not in_other_account:
            lacking += self._compare_texts(connection)
        state = state_of(connection.connection)
        if statements and not in_other_account and state.autocommit and not state.in_transaction:
            try:
                execute_beside(connection, statements)
                statements = []
            except exc.DBAPIError as error:  # the copy itself was created
                lacking.append(f"Not all of it could be put back: {error.orig}.")
        if statements:
            lacking.append(f"Execute in AUTOCOMMIT: {'; '.join(statements)}")
        self._warn(lacking)

    def _warn(self, lacking: list[str]) -> None:
        told = [f"differs from its source. {readable(' '.join(lacking))}"] if lacking else []
        if self._unread:
            told.append(f"may lack these, which could not be read in its source: {', '.join(self._unread)}.")
        if told:
            message = f"{self._name!r} was created, but {' It '.join(told)}"
            warn(message, RecoveryWarning)

    def _compare_texts(self, connection: Connection) -> list[str]:
        if not self._loss.texts:
            return []
        with self._scope.dialect.preserving_clean_state(connection):
            loss = restore_texts(self._scope, connection, self._loss.texts)
        self._loss.statements += loss.statements
        return [f"In it, {name}." for name in loss.names]
