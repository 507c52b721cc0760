"""Match names that the server has folded to lower case with the declared names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from alembic.util import CommandError, PriorityDispatchResult
from sqlalchemy import Constraint, ForeignKeyConstraint, Index, Table, UniqueConstraint
from sqlalchemy.sql.elements import conv

from ...core.names import fold
from ...core.server import MatrixOneServer

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps


def as_declared(
    reflected_uniques: set[UniqueConstraint],
    reflected_indexes: set[Index],
    uniques: set[UniqueConstraint],
    indexes: set[Index],
) -> None:
    """Give reflected objects their declared names, if the server treats the two names as equal.

    A unique key is reflected both as a constraint and as an index. Alembic keeps the one that was declared, which it
    finds by its name. If the name has capitals, it would therefore always keep the index.
    """
    declared = _by_folded_name(uniques)
    for index in list(reflected_indexes):
        if (name := declared.get(str(index.name))) and index.unique:
            reflected_indexes.remove(index)
            reflected_uniques.add(UniqueConstraint(*index.columns, name=conv(name)))
    _rename(reflected_indexes, _by_folded_name(indexes))


def foreign_keys_as_declared(reflected: set[ForeignKeyConstraint], declared: set[ForeignKeyConstraint]) -> None:
    """Give reflected foreign keys the capitals of the declared ones, since the server folds names to lower case."""
    _rename(reflected, _by_folded_name(declared))


def _by_folded_name(parts: Iterable[Index | Constraint]) -> dict[str, str]:
    """Return the names that have capitals, by the names that the server folds them to."""
    names = [part.name for part in parts if isinstance(part.name, str)]
    return {fold(name): name for name in names if name != fold(name)}


def _rename(parts: Iterable[Index | Constraint], names: dict[str, str]) -> None:
    for part in parts:
        if name := names.get(str(part.name)):
            part.name = conv(name)


def refuse_capitals(
    context: AutogenContext, upgrade_ops: UpgradeOps, schemas: Iterable[str | None]
) -> PriorityDispatchResult:
    """Check that no table is declared under a name with capitals if it exists under that name in lower case.

    :raises CommandError: if there is such a table. Alembic would take the two for different tables, and would drop the
        existing one with its rows.
    """
    if not isinstance(context.dialect, MatrixOneServer):  # a MySQL dialect
        return PriorityDispatchResult.CONTINUE
    for table in context.sorted_tables:
        if table.fullname != fold(table.fullname) and _is_there(context, table, schemas):
            raise CommandError(
                f"The table {table.fullname!r} is called {fold(table.fullname)!r} on the server: MatrixOne folds the "
                "names of databases and tables to lower case. Declare it under that name; the name of its class does "
                "not have to change."
            )
    return PriorityDispatchResult.CONTINUE


def _is_there(context: AutogenContext, table: Table, schemas: Iterable[str | None]) -> bool:
    schema = fold(table.schema)
    if schema == context.dialect.default_schema_name:
        schema = None
    included = context.run_object_filters(table, table.name, "table", False, None)
    return schema in schemas and included and fold(table.name) in context.inspector.get_table_names(schema)
