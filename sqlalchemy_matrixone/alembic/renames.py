"""Follow the tables that operations rename or drop, up to the commit: the PITR of a table keeps its former name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from alembic.ddl.base import RenameTable
from sqlalchemy.schema import DropTable

from ..core.names import fold


class TableName(NamedTuple):
    """The folded names of a table and its database."""

    database: str | None
    table: str | None


@dataclass
class TableNames:
    """The tables that the operations since the last commit have renamed and dropped.

    :ivar own_database: the database of tables without a schema.
    """

    own_database: str | None
    _renamed: list[tuple[TableName, TableName]] = field(default_factory=list)
    _dropped: set[TableName] = field(default_factory=set)

    def executed(self, construct: Any) -> None:
        """Note a construct that an operation has executed."""
        if isinstance(construct, RenameTable):
            names = (construct.table_name, construct.new_table_name)
            former, present = (self._name(construct.schema, name) for name in names)
            self._renamed.append((former, present))
        elif isinstance(construct, DropTable):
            self._dropped.add(self._name(construct.element.schema, construct.element.name))

    def present(self, name: TableName) -> TableName:
        """Return the present name of a table."""
        for former, present in self._renamed:
            name = present if name == former else name
        return name

    def is_dropped(self, name: TableName) -> bool:
        """Return whether an operation has dropped a table of this present name."""
        return name in self._dropped

    def clear(self) -> None:
        """Forget everything, after a commit or rollback."""
        self._renamed.clear()
        self._dropped.clear()

    def _name(self, schema: str | None, table: Any) -> TableName:
        return TableName(fold(schema or self.own_database), fold(str(table)))
