"""What a restore by sys loses in other accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.names import fold, quote_name, quote_text, readable
from ..core.release import Feature
from ..core.sequences import SEQUENCES
from ..core.server import SYS_ACCOUNT, matrixone_dialect
from ..core.warning import warn
from ..exc import Reason, RestoreError, RestoreWarning
from ..losses.other_accounts import kinds_at_risk
from ..losses.scope import RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.server import MatrixOneServer
    from .constructs import RestorePitr, RestoreSnapshot


class OtherAccounts:
    """What a restore by sys replaces in other accounts, where nothing can be put back from here."""

    def __init__(self, whose: str, criterion: str, source: int, *, is_cluster: bool = False) -> None:
        """Store which accounts are restored.

        :param whose: the account, for messages.
        :param criterion: an SQL criterion on ``account_name``.
        """
        self._whose = whose
        self._criterion = criterion
        self._source = source
        self._is_cluster = is_cluster
        self._kinds: list[str] = []
        self.scope: RestoreScope | None = None

    @classmethod
    def of(cls, connection: Connection, element: RestoreSnapshot | RestorePitr, source: int) -> OtherAccounts | None:
        """Return the accounts that a restore replaces besides the current one; None if there are none."""
        dialect = matrixone_dialect(connection)
        own = fold(dialect.default_account_name) or ""
        target = element.recovery_target
        if target.level == "cluster":
            return cls("all other accounts", f"account_name <> {quote_text(dialect, own)}", source, is_cluster=True)
        account = fold(target.account)
        if account is None or (account == own and element.to_account is None):
            return None
        whose = f"account {element.to_account or account!r}"
        return cls(whose, f"account_name = {quote_text(dialect, account)}", source)

    def read(self, connection: Connection, lose: frozenset[str]) -> None:
        """Read what may be lost, and check that the restore loses no sequences.

        :param lose: the kinds of things to leave to the server.
        :raises RestoreError: if sequences would be lost.
        """
        dialect = matrixone_dialect(connection)
        with dialect.preserving_clean_state(connection):
            ids = connection.exec_driver_sql(
                f"SELECT account_id FROM mo_catalog.mo_account WHERE {self._criterion}"
            ).scalars()
            if not (accounts := ", ".join(str(int(number)) for number in ids)):
                return
            scope = RestoreScope(dialect, "account", None, None, self._source, accounts=f"account_id IN ({accounts})")
            self.scope = scope
            if SEQUENCES not in lose:
                self._check_sequences(dialect, scope, connection)
            self._kinds += kinds_at_risk(scope, connection, lose)

    def _check_sequences(self, dialect: MatrixOneServer, scope: RestoreScope, connection: Connection) -> None:
        statement = "SELECT reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE relkind = 'S' AND "
        names = [
            readable(quote_name(dialect, *row)) for row in scope.read(connection, statement + scope.accounts, past=True)
        ]
        if not names:
            return
        listed = f"the sequences {', '.join(names)} of {self._whose}"
        if not dialect.supports(Feature.SEQUENCES_RESTORED):
            wrong = f"it would lose {listed}, which only an administrator of that account can create again"
        elif self._is_cluster:
            self._kinds.append(SEQUENCES)  # restored by the build that was tested
            return
        else:
            wrong = (
                f"{listed} would get the values of those with the same names in {SYS_ACCOUNT}, or the restore would be "
                f"refused if {SYS_ACCOUNT} has none"
            )
        raise RestoreError(
            f"RESTORE was not sent: {wrong}. Restore it as its administrator, or pass lose=({SEQUENCES!r},).",
            Reason.UNSUPPORTED,
        )

    def warn(self) -> None:
        """Warn of what the restore may have lost in these accounts."""
        if self._kinds:
            lost = ", ".join(kind.replace("_", " ") for kind in self._kinds)
            message = (
                f"The restore was carried out. Check, and put back yourself, what it may have lost in {self._whose}: "
                f"{lost}. A restore by the administrator of the account puts them back."
            )
            warn(message, RestoreWarning)
