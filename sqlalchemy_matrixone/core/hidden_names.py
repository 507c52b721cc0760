"""Find tables whose names MatrixOne mistakes for internal ones, and omits from restores and clones without an error.

It omits tables ``LIKE '__mo_index_%'``, where ``_`` matches any character: ``demo_index_x`` is one of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .names import fold
from .release import Feature, format_release

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from .server import MatrixOneServer

_INDEX = re.compile(r"(?!__mo_)..mo.index.", re.S)
_INDEX_OR_TEMPORARY = re.compile(r"(?!__mo_)..mo.(?:index|tmp).", re.S)

_NAMES = (
    "SELECT reldatabase, relname FROM mo_catalog.mo_tables WHERE account_id = current_account_id() "
    "AND relkind IN ('r', 'v', 'e') AND LEFT(relname, 5) <> '__mo_' AND relname LIKE '%%mo%%'"
)


def left_out(dialect: MatrixOneServer, names: Iterable[str]) -> list[str]:
    """Return the tables that this release omits from a restore or clone of their database."""
    if dialect.supports(Feature.EXACT_NAMES_OF_OWN_TABLES):
        return []
    pattern = _INDEX_OR_TEMPORARY if dialect.supports(Feature.OWN_TEMPORARY_TABLES) else _INDEX
    return [name for name in names if pattern.match(name)]


def find_left_out(dialect: MatrixOneServer, connection: Connection, database: str | None = None) -> list[str]:
    """Return the current tables, with their databases, that this release would omit.

    :param database: the database that is restored or cloned; None for all databases of the account.
    """
    if dialect.supports(Feature.EXACT_NAMES_OF_OWN_TABLES):
        return []
    with dialect.preserving_clean_state(connection):
        rows = connection.exec_driver_sql(_NAMES).all()
    tables = [(row[0], row[1]) for row in rows if database is None or row[0] == fold(database)]
    found = set(left_out(dialect, (name for _, name in tables)))
    return sorted(f"{each}.{name}" for each, name in tables if name in found)


def refusal(statement: str, tables: Iterable[str]) -> str:
    """Return the error message for a statement that would omit tables."""
    needed = format_release(Feature.EXACT_NAMES_OF_OWN_TABLES.since)
    return (
        f"{statement} was not sent: before {needed} MatrixOne mistakes {', '.join(tables)} for internal tables because "
        "of their names, and would omit them without an error. Rename them first, or work table by table: with "
        "Recovery.restore_rows(), or a clone of each table."
    )
