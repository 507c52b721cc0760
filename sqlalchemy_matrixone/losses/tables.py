"""Effects of a restore on the tables themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..core.release import Feature
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def name_external_tables(scope: RestoreScope, connection: Connection) -> Loss:
    """Read the names of the external tables, which the server omits; it does not show where their files are."""
    statement = "SELECT reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE relkind = 'e' AND "
    rows = scope.read(connection, statement + scope.criteria("reldatabase", "relname"), past=True)
    return Loss(names=[f"external table {scope.name(*row)}: CREATE EXTERNAL TABLE it again" for row in rows])


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
