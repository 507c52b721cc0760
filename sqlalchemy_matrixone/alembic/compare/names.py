"""Match names that the server has folded to lower case with the declared names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from alembic.operations.ops import AddColumnOp, AlterColumnOp, DropColumnOp, ModifyTableOps
from alembic.util import CommandError, PriorityDispatchResult
from sqlalchemy import Constraint, ForeignKeyConstraint, Index, MetaData, Table, UniqueConstraint
from sqlalchemy.sql.elements import conv

from ...core.names import fold
from ...core.server import MatrixOneServer

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrateOperation, UpgradeOps


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


def foreign_keys_as_declared(
    reflected: set[ForeignKeyConstraint], declared: set[ForeignKeyConstraint], default_schema: str | None
) -> None:
    """Give reflected foreign keys the capitals of the declared ones, since the server folds names to lower case.

    A key that refers from another schema to the default one is reflected with the name of the latter. If it is declared
    without it, the name is removed.
    """
    _rename(reflected, _by_folded_name(declared))
    without_schema = {_reference(key) for key in declared if key.referred_table.schema is None}
    for key in list(reflected):
        is_named = key.table.schema is not None and key.referred_table.schema == default_schema
        if is_named and _reference(key) in without_schema:
            reflected.remove(key)
            reflected.add(_without_schema(key))


def _reference(key: ForeignKeyConstraint) -> tuple[str, ...]:
    """Return the folded names of the columns of a foreign key and of the table that they refer to."""
    return tuple(map(fold, (*(column.name for column in key.columns), key.referred_table.name)))


def _without_schema(key: ForeignKeyConstraint) -> ForeignKeyConstraint:
    """Return a foreign key whose referred table has no schema."""
    target = key.referred_table.to_metadata(MetaData(), schema=None)  # type: ignore[arg-type]
    columns = [target.columns[element.column.key] for element in key.elements]
    return ForeignKeyConstraint(list(key.columns), columns, name=key.name, ondelete=key.ondelete, onupdate=key.onupdate)


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

    :raises CommandError: if there is such a table. Alembic would treat the two as different tables, and would drop the
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


def rename_columns(
    context: AutogenContext, upgrade_ops: UpgradeOps, schemas: Iterable[str | None]
) -> PriorityDispatchResult:
    """Rename each column that differs from the declared one only in case, instead of adding one and dropping the other.

    The server keeps the case of a column's name, and refuses a second column whose name differs only in case.
    """
    if isinstance(context.dialect, MatrixOneServer):
        for table in upgrade_ops.ops:
            if isinstance(table, ModifyTableOps):
                table.ops[:] = _with_renamings(table.ops)
    return PriorityDispatchResult.CONTINUE


def _with_renamings(operations: Sequence[MigrateOperation]) -> Iterator[MigrateOperation]:
    added = {fold(each.column.name) for each in operations if isinstance(each, AddColumnOp)}
    dropped = {fold(each.column_name): each for each in operations if isinstance(each, DropColumnOp)}
    for each in list(operations):
        if isinstance(each, AddColumnOp) and (former := dropped.get(fold(each.column.name))):
            yield _renaming(former, each.column.name)
        elif not isinstance(each, DropColumnOp) or fold(each.column_name) not in added:
            yield each


def _renaming(former: DropColumnOp, name: str) -> AlterColumnOp:
    column = former.to_column()
    return AlterColumnOp(
        former.table_name,
        former.column_name,
        schema=former.schema,
        modify_name=name,
        existing_type=column.type,
        existing_nullable=column.nullable,
        existing_server_default=column.server_default or False,
        existing_comment=column.comment,
    )


def _is_there(context: AutogenContext, table: Table, schemas: Iterable[str | None]) -> bool:
    schema = fold(table.schema)
    if schema == context.dialect.default_schema_name:
        schema = None
    included = context.run_object_filters(table, table.name, "table", False, None)
    return schema in schemas and included and fold(table.name) in context.inspector.get_table_names(schema)
