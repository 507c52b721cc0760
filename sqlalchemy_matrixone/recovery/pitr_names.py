"""Find PITRs by their names, name them after their objects, and recognize them by these names.

The server cannot rename a PITR, and the name of an inactive one stays in use. There are therefore three kinds of names:
``shop`` or ``shop.orders``, the implied ones; ``shop__2``, if that is in use; and ``shop__auto``, for a PITR that was
created in place of inactive ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..core.names import fold
from .pitr_objects import table_now
from .target import implied_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .values import Pitr

_NUMBERED = re.compile(r"__\d+$")


def pitr_named(pitrs: Sequence[Pitr], name: str) -> Pitr | None:
    """Return the PITR of this name, which is case-insensitive; None if there is none."""
    return next((pitr for pitr in pitrs if pitr.name == fold(name)), None)


def free_name(database: str, taken: Collection[str], table: str | None = None) -> str:
    """Return an unused name for a PITR of a database or table: ``shop``, or else ``shop__2`` and so on."""
    return _numbered(_first_name(database, table), taken)


def free_automatic_name(database: str, taken: Collection[str]) -> str:
    """Return an unused name for the PITR of a database that is created in place of inactive ones."""
    return _numbered(_automatic_name(database), taken)


def is_automatic(pitr: Pitr) -> bool:
    """Return whether a PITR has the name of those that are created in place of inactive ones."""
    return (
        pitr.level == "database"
        and pitr.database is not None
        and _NUMBERED.sub("", pitr.name) == _automatic_name(pitr.database)
    )


def declared_pitrs(pitrs: Sequence[Pitr], database: str, table: str | None = None) -> list[Pitr]:
    """Return the PITRs of a database or table that are named after it, with the automatic ones of a database.

    A table that was renamed may be given by its former or its present name.
    """
    level = "database" if table is None else "table"
    return [
        pitr
        for pitr in pitrs
        if (pitr.level, pitr.database) == (level, database)
        and table in (pitr.table, table_now(pitr))
        and _is_named_after(pitr, database)
    ]


def _is_named_after(pitr: Pitr, database: str) -> bool:
    return is_automatic(pitr) or is_implied(pitr.name, database, pitr.table)


def is_implied(name: str, database: str, table: str | None = None) -> bool:
    """Return whether a PITR of this name is named after its object, maybe with a number."""
    names = {implied_name(database, table), _first_name(database, table)}
    return name in names or _NUMBERED.sub("", name) in names


def _automatic_name(database: str) -> str:
    return f"{_first_name(database)}__auto"


def _first_name(database: str, table: str | None = None) -> str:
    return re.sub(r"[^\w.-]", "_", implied_name(database, table))


def _numbered(first: str, taken: Collection[str]) -> str:
    name, number = first, 1
    while name in taken:
        number += 1
        name = f"{first}__{number}"
    return name
