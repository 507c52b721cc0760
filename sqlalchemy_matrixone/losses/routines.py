"""Functions and procedures of a database: its clones do not have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_TABLES = {"function": "mo_user_defined_function", "procedure": "mo_stored_procedure"}


def name_routines(scope: RestoreScope, connection: Connection) -> Loss:
    """Read the names of the functions and procedures of a database."""
    if scope.level == "table":
        return Loss()
    statement = " UNION ALL ".join(
        f"SELECT '{kind}', name FROM mo_catalog.{table} {{at}} WHERE {scope.in_databases('db')}"
        for kind, table in _TABLES.items()
    )
    return Loss(names=[f"{kind} {scope.name(name)}" for kind, name in scope.read(connection, statement, past=True)])
