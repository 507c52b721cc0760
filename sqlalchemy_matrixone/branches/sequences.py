"""Sequences of a database that is cloned or branched: the server does not copy them."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sqlalchemy import exc

from ..core.beside import execute_beside
from ..core.connection import state_of
from ..core.names import fold, quote_text, readable
from ..core.sequences import read_sequences
from ..core.server import matrixone_dialect
from ..exc import RecoveryWarning

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..timetravel.point_in_time import PointInTime


class CopiedSequences:
    """The sequences of a database, read before it is copied."""

    def __init__(self, connection: Connection, database: str, moment: PointInTime | None, copy: str) -> None:
        """Read the sequences of a database.

        :param moment: the point in time at which the database is copied; None for the present.
        :param copy: the name of the new database.
        """
        dialect = matrixone_dialect(connection)
        hint = "" if moment is None else str(moment.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        criteria = f"{{database}} = {quote_text(dialect, fold(database))}"
        self._copy = copy
        self._statements: list[str] | None = None
        try:
            with dialect.preserving_clean_state(connection):
                sequences = read_sequences(connection, criteria, hint)
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            return  # the copy fails for the same reason, or put_back() warns
        self._statements = [each for sequence in sequences for each in sequence.statements(dialect, copy)]

    def put_back(self, connection: Connection, *, in_other_account: bool = False) -> None:
        """Create the sequences in the copy, on a second connection; warn if that is not possible.

        In a transaction it is not: no other connection sees the copy before the commit, and CREATE SEQUENCE commits.
        """
        if self._statements == []:
            return
        state = state_of(connection.connection)
        if self._statements is None or in_other_account or state.in_transaction or not state.autocommit:
            self._warn()
            return
        try:
            execute_beside(connection, self._statements)
        except exc.DBAPIError as error:  # the copy itself was created
            self._warn(f"They could not be created: {error.orig}. ")

    def _warn(self, reason: str = "") -> None:
        if self._statements is None:
            how = "The sequences of its source could not be read."
        else:
            how = f"{reason}Execute in AUTOCOMMIT: {readable('; '.join(self._statements))}"
        warnings.warn(
            f"The sequences of a database are not copied to {self._copy!r}, "
            f"and an INSERT that uses one fails there. {how}",
            RecoveryWarning,
            stacklevel=2,
        )
