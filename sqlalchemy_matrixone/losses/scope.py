"""The scope of a restore, as criteria on catalog tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.names import describe, fold, quote_name, quote_text
from ..core.server import SYSTEM_DATABASES

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..core.arguments import Level
    from ..core.release import Feature
    from ..core.server import MatrixOneServer


class Text(NamedTuple):
    """A text in the definition of a table, column or view.

    :ivar kind: "default", "comment", "values" of an ENUM or SET, or "query" of a view.
    :ivar column: None for the comment of a table, and for a view.
    """

    kind: str
    database: str
    table: str
    column: str | None = None


Texts = dict[Text, str]


@dataclass
class Loss:
    """What a restore or a copy loses, of one kind or several.

    :ivar statements: the statements that put it back, in order.
    :ivar names: what cannot be put back, each with what to do.
    :ivar texts: the texts in definitions that the server may change, to be compared afterwards.
    """

    statements: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    texts: Texts = field(default_factory=dict)

    def add(self, other: Loss) -> None:
        """Add what is lost in addition."""
        self.statements += other.statements
        self.names += other.names
        self.texts |= other.texts


@dataclass(frozen=True)
class RestoreScope:
    """The restore of an object of the current account, or of other accounts.

    :ivar level: "account", "database" or "table".
    :ivar database: the name of the database that is restored, or that contains the restored table.
    :ivar source: the point in time that is restored, in nanoseconds since 1970.
    :ivar copy: the name of the database or table that it is copied to, if that differs.
    :ivar hint: the time-travel hint of that point in time, instead of the source; empty for the present.
    :ivar accounts: a criterion on ``account_id``.
    """

    dialect: MatrixOneServer
    level: Level
    database: str | None
    table: str | None
    source: int
    copy: tuple[str, str | None] | None = None
    hint: str | None = None
    accounts: str = "account_id = CURRENT_ACCOUNT_ID()"

    def __str__(self) -> str:
        return describe(self.level, self.database, self.table)

    @property
    def quoted(self) -> str:
        """Return the name of the database or table, for a statement."""
        return self.name(*filter(None, (self.database, self.table)))

    def copy_of(self, database: str, table: str) -> tuple[str, str]:
        """Return the names that a table has afterwards: other ones if it is copied."""
        if self.copy is None:
            return database, table
        return fold(self.copy[0]), fold(self.copy[1]) or table

    @property
    def past(self) -> str:
        """Return the time-travel hint of the point in time that is restored."""
        return f"{{MO_TS = {self.source}}}" if self.hint is None else self.hint

    def read(self, connection: Connection, statement: str, *, past: bool = False) -> list[Any]:
        """Read a table of the catalog.

        :param statement: with ``{at}`` after the table's name.
        :param past: read it at the point in time that is restored.
        """
        return list(connection.exec_driver_sql(statement.replace("{at}", self.past if past else "")).all())

    def criteria(self, database: str, table: str | None = None) -> str:
        """Return the criteria that select the restored objects' rows in a catalog table.

        :param database: the column with the database's name.
        :param table: the column with the table's name.
        """
        criteria = [self.accounts, self.in_databases(database)]
        if self.level == "table" and table is not None:
            criteria.append(f"{table} = {self.text(fold(self.table) or '')}")
        return " AND ".join(criteria)

    def in_databases(self, column: str) -> str:
        """Return a condition on a column of database names: those that the restore replaces."""
        if self.level == "account":
            return f"{column} NOT IN ({', '.join(map(self.text, SYSTEM_DATABASES))})"
        return f"{column} = {self.text(fold(self.database) or '')}"

    def supports(self, feature: Feature) -> bool:
        """Return whether the server's release has a feature."""
        return self.dialect.supports(feature)

    def text(self, value: str) -> str:
        """Return a value as a literal."""
        return quote_text(self.dialect, value)

    def name(self, *parts: str) -> str:
        """Return a name, or several as a qualified one, quoted."""
        return quote_name(self.dialect, *parts)
