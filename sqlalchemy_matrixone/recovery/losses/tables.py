"""Effects of a restore on the tables themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ...core.release import Feature
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Column = tuple[str, str, str]
"""A column's database, table and name."""


def name_external_tables(scope: RestoreScope, connection: Connection) -> Loss:
    """Read the names of the external tables, which the server omits; it does not show where their files are."""
    statement = "SELECT reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE relkind = 'e' AND "
    rows = scope.read(connection, statement + scope.criteria("reldatabase", "relname"), past=True)
    return Loss(names=[f"external table {scope.name(*row)}: CREATE EXTERNAL TABLE it again" for row in rows])


def quoted_defaults(scope: RestoreScope, connection: Connection, *, past: bool) -> dict[Column, str]:
    """Return the defaults that a restore may change: those with doubled quotes or with backslashes.

    From 4.1 on it doubles the quotes of ``'it''s'``; before 3.0 it takes the backslashes for those of a literal.
    """
    statement = (
        "SELECT att_database, att_relname, attname, mo_show_visible_bin(att_default, 1) "
        "FROM mo_catalog.mo_columns {at} WHERE att_default <> '' AND "
    ) + scope.criteria("att_database", "att_relname")
    rows = scope.read(connection, statement, past=past)
    texts = {(row[0], row[1], row[2]): row[3] or "" for row in rows}
    return {column: text for column, text in texts.items() if "''" in text[1:-1] or "\\" in text}


def describe_changed_defaults(scope: RestoreScope, before: dict[Column, str], after: dict[Column, str]) -> list[str]:
    """Return which defaults a restore has changed, each with the statement that sets it back."""
    return [
        f"the default of {scope.name(*column)} has become {after[column]}: ALTER TABLE {scope.name(*column[:2])} "
        f"ALTER COLUMN {scope.name(column[2])} SET DEFAULT {_as_written(scope, default)}"
        for column, default in before.items()
        if after.get(column, default) != default
    ]


def _as_written(scope: RestoreScope, default: str) -> str:
    """Return a default of the catalog as ALTER TABLE takes it."""
    if scope.supports(Feature.DEFAULTS_WITH_DOUBLED_QUOTES):
        return f"({default})"
    return "'" + default[1:-1].replace("'", "''") + "'" if default.startswith("'") else default


def rebuild_vector_indexes(scope: RestoreScope, connection: Connection) -> Loss:
    """Read how to rebuild vector indexes, which find wrong neighbors in a restored table."""
    if scope.supports(Feature.VECTOR_INDEXES_KEPT_BY_RESTORE) or not scope.supports(Feature.CLONE):
        return Loss()
    tables = "SELECT rel_id, reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE "
    rows = scope.read(
        connection,
        "SELECT t.reldatabase, t.relname, i.name, i.algo_params FROM mo_catalog.mo_indexes {at} AS i JOIN "
        f"({tables}{scope.criteria('reldatabase', 'relname')}) AS t ON t.rel_id = i.table_id WHERE i.algo = 'ivfflat'",
        past=True,
    )
    indexes = {(database, table, index, int(json.loads(options)["lists"])) for database, table, index, options in rows}
    return Loss(
        [
            f"ALTER TABLE {scope.name(database, table)} ALTER REINDEX {scope.name(index)} IVFFLAT LISTS = {lists}"
            for database, table, index, lists in sorted(indexes)
        ]
    )
