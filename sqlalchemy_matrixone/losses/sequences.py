"""Sequences of a restored database or account: the server drops them, and does not create them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.sequences import read_sequences
from .scope import Loss, RestoreScope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection


def is_sequence(scope: RestoreScope, connection: Connection) -> bool:
    """Return whether the source is a sequence, of which the server would make a plain table in a copy."""
    statement = "SELECT relkind FROM mo_catalog.mo_tables {at} WHERE " + scope.criteria("reldatabase", "relname")
    return scope.level == "table" and [row[0] for row in scope.read(connection, statement, past=True)] == ["S"]


def recreate_sequences(scope: RestoreScope, connection: Connection) -> Loss:
    """Read how to create the sequences again with the values that they had."""
    if scope.level == "table":
        return Loss()
    sequences = read_sequences(connection, scope.in_databases("{database}"), scope.past)
    database = None if scope.copy is None else scope.copy[0]
    return Loss([statement for sequence in sequences for statement in sequence.statements(scope.dialect, database)])
