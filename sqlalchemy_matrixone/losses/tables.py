"""Effects of a restore on the tables themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core.release import Feature
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_ENABLE_HNSW = "SET experimental_hnsw_index = 1"


def name_external_tables(scope: RestoreScope, connection: Connection) -> Loss:
    """Read the names of the external tables, which the server omits; it does not show where their files are."""
    statement = "SELECT reldatabase, relname FROM mo_catalog.mo_tables {at} WHERE relkind = 'e' AND "
    rows = scope.read(connection, statement + scope.criteria("reldatabase", "relname"), past=True)
    return Loss(
        names=[f"external table {scope.name(*row)}: create it again with CREATE EXTERNAL TABLE" for row in rows]
    )


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
    return Loss(rebuilding(rows, scope.name))


def rebuilding(indexes: Sequence[Sequence[Any]], quote: Callable[..., str]) -> list[str]:
    """Return the statements that rebuild vector indexes.

    :param indexes: the database, table, name, algorithm and options of each index, as the catalog has them.
    :param quote: returns the parts of a name, quoted and joined by periods.
    """
    statements = {
        f"ALTER TABLE {quote(database, table)} ALTER REINDEX {quote(index)} {_new_index(algorithm, options)}"
        for database, table, index, algorithm, options in indexes
    }
    enabling = [_ENABLE_HNSW] if any(row[3] == "hnsw" for row in indexes) else []
    return [*enabling, *sorted(statements)]


def _new_index(algorithm: str, options: str) -> str:
    return "HNSW" if algorithm == "hnsw" else f"IVFFLAT LISTS = {int(json.loads(options)['lists'])}"
