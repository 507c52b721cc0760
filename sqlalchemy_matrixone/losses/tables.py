"""Effects of a restore on the tables themselves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..core.release import Feature
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

ENABLE_HNSW = "SET experimental_hnsw_index = 1"


def name_external_tables(scope: RestoreScope, connection: Connection) -> Loss:
    """Read the names of the external tables, which the server omits; it does not show where their files are."""
    statement = "SELECT reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE relkind = 'e' AND "
    rows = scope.read(connection, statement + scope.criteria("reldatabase", "relname"), past=True)
    return Loss(names=[f"external table {scope.name(*row)}: CREATE EXTERNAL TABLE it again" for row in rows])


def rebuild_vector_indexes(scope: RestoreScope, connection: Connection) -> Loss:
    """Read how to rebuild vector indexes, which find wrong neighbors in a restored table, or none."""
    if scope.supports(Feature.VECTOR_INDEXES_KEPT_BY_RESTORE) or not scope.supports(Feature.CLONE):
        return Loss()
    tables = "SELECT rel_id, reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE "
    rows = scope.read(
        connection,
        "SELECT t.reldatabase, t.relname, i.name, i.algo, i.algo_params FROM mo_catalog.mo_indexes {at} AS i JOIN "
        f"({tables}{scope.criteria('reldatabase', 'relname')}) AS t ON t.rel_id = i.table_id "
        "WHERE i.algo IN ('ivfflat', 'hnsw')",
        past=True,
    )
    statements = {
        f"ALTER TABLE {scope.name(database, table)} ALTER REINDEX {scope.name(index)} "
        + how_to_rebuild(algorithm, options)
        for database, table, index, algorithm, options in rows
    }
    enabling = [ENABLE_HNSW] if any(row[3] == "hnsw" for row in rows) else []
    return Loss([*enabling, *sorted(statements)])


def how_to_rebuild(algorithm: str, options: str) -> str:
    """Return the end of the statement that rebuilds a vector index."""
    return "HNSW" if algorithm == "hnsw" else f"IVFFLAT LISTS = {int(json.loads(options)['lists'])}"
