"""What the server does not copy with a table or database that is cloned or branched, or copies with changes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from ..core.beside import execute_beside
from ..core.connection import state_of
from ..core.names import readable
from ..core.refusals import reason_of
from ..core.sequences import read_sequences
from ..core.server import matrixone_dialect
from ..exc import BranchError, Reason, RecoveryWarning
from ..losses.grants import grants_of_copy
from ..losses.routines import name_routines
from ..losses.scope import RestoreScope
from ..losses.texts import Texts, restore_texts, special_texts

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..timetravel.point_in_time import PointInTime


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
    ) -> None:
        """Read what the copy will lack.

        :param source: the database, or the database and the table, that is copied.
        :param copy: the database, or the database and the table, that is created.
        :param moment: the point in time at which it is copied; None for the present.
        """
        dialect = matrixone_dialect(connection)
        hint = "" if moment is None else str(moment.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        level: Any = "database" if source[1] is None else "table"
        self._scope = RestoreScope(dialect, level, *source, 0, copy, hint)
        self._name = copy[1] or copy[0]
        self._statements: list[str] = []
        self._names: list[str] = []
        self._texts: Texts = {}
        with dialect.preserving_clean_state(connection):
            if level == "database":
                self._read("sequences", self._read_sequences, connection)
                self._read("functions and procedures", self._read_routines, connection)
            self._read("texts of its definitions", self._read_texts, connection)
            if copy_grants:
                self._read_grants(connection)

    def _read(self, kind: str, read: Callable[[Connection], None], connection: Connection) -> None:
        try:
            read(connection)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            # The copy fails for the same reason; if not, put_back() warns.
            self._names.append(f"The {kind} of its source could not be read.")

    def _read_sequences(self, connection: Connection) -> None:
        scope = self._scope
        sequences = read_sequences(connection, scope.in_databases("{database}"), scope.past)
        statements = [each for sequence in sequences for each in sequence.statements(scope.dialect, self._name)]
        if statements:
            self._statements += statements

    def _read_routines(self, connection: Connection) -> None:
        if lacking := name_routines(self._scope, connection).names:
            self._names.append(f"It lacks {', '.join(lacking)}.")

    def _read_texts(self, connection: Connection) -> None:
        self._texts = special_texts(self._scope, connection, frozenset())

    def _read_grants(self, connection: Connection) -> None:
        try:
            self._statements += grants_of_copy(self._scope, connection)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            raise BranchError(
                f"{self._name!r} was not created: the privileges that copy_grants=True is to copy could not be read: "
                f"{error.orig}",
                reason_of(error) or Reason.OTHER,
            ) from error

    def put_back(self, connection: Connection, *, in_other_account: bool = False) -> None:
        """Put back what the copy lacks, on a second connection; warn of what cannot be put back.

        In a transaction that is not possible: no other connection sees the copy before the commit, and CREATE SEQUENCE
        and GRANT commit.
        """
        if not in_other_account:
            self._compare_texts(connection)
        state = state_of(connection.connection)
        if self._statements and not in_other_account and state.autocommit and not state.in_transaction:
            try:
                execute_beside(connection, self._statements)
                self._statements = []
            except exc.DBAPIError as error:  # the copy itself was created
                self._names.append(f"Not all of it could be put back: {error.orig}.")
        if self._statements:
            self._names.append(f"Execute in AUTOCOMMIT: {'; '.join(self._statements)}")
        if self._names:
            told = readable(" ".join(self._names))
            message = f"{self._name!r} was created, but is not like its source. {told}"
            warnings.warn(message, RecoveryWarning, stacklevel=2)

    def _compare_texts(self, connection: Connection) -> None:
        if not self._texts:
            return
        with self._scope.dialect.preserving_clean_state(connection):
            loss = restore_texts(self._scope, connection, self._texts)
        self._statements += loss.statements
        self._names += [f"In it, {name}." for name in loss.names]
