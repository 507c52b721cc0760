"""Find out, before a restore, whether it is possible, what is sent, and what it replaces."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.names import readable
from ..core.refusals import server_errors_as
from ..core.server import matrixone_dialect
from ..exc import RestoreError
from .clock import from_microseconds
from .contents import count_rows, tables_of
from .copying import check_new_name, clone_statement, renamed
from .objects import id_in
from .preservation import Losses
from .source import check_source

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..losses.scope import RestoreScope
    from .constructs import RestorePitr, RestoreSnapshot

_MOST_COUNTED = 200
"""The rows of no more tables than this are counted."""


@dataclass(frozen=True, slots=True)
class ReplacedTable:
    """A table that a restore replaces, brings back or drops.

    :ivar rows_then: the number of its rows at the restored point in time; None if it did not exist.
    :ivar rows_now: the number of its rows now; None if it does not exist.
    """

    database: str
    table: str
    rows_then: int | None
    rows_now: int | None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a restore would do.

    :ivar statement: the statement that would be sent.
    :ivar put_back: the statements that would be sent after it, to put back what it loses.
    :ivar lost: what it loses and cannot be put back, apart from what was written since.
    :ivar restores_to: the point in time.
    :ivar exists: whether the object exists now.
    :ivar tables: the tables that it replaces. Empty for another account or the cluster.
    """

    statement: str
    put_back: tuple[str, ...]
    lost: tuple[str, ...]
    restores_to: dt.datetime
    exists: bool
    tables: tuple[ReplacedTable, ...]


def plan_restore(
    connection: Connection, element: RestoreSnapshot | RestorePitr, as_name: str | None = None
) -> RestorePlan:
    """Return what a restore would do, without doing it.

    :param as_name: the name of the restored object beside the present one, which it does not replace.
    :raises RestoreError: if it is refused, with the reason.
    """
    with server_errors_as(RestoreError, element.operation):
        source, scope = check_source(connection, element)
        restores_to = from_microseconds(source // 1000)
        if scope is None:
            return RestorePlan(element.sql_on(connection), (), (), restores_to, exists=True, tables=())
        if as_name is not None:
            copy = renamed(scope, as_name)
            check_new_name(connection, scope, copy, element.operation)
            clone = readable(clone_statement(scope, copy, element.operation))
            return RestorePlan(clone, (), (), restores_to, exists=True, tables=tuple(_tables(connection, scope)))
        statement = element.sql_on(connection)
        losses = Losses.read(connection, scope, frozenset())
        return RestorePlan(
            statement,
            tuple(map(readable, losses.statements)),
            tuple(map(readable, losses.names)),
            restores_to,
            exists=scope.level == "account" or id_in(connection, scope, past=False) is not None,
            tables=tuple(_tables(connection, scope)),
        )


def _tables(connection: Connection, scope: RestoreScope) -> Iterator[ReplacedTable]:
    with matrixone_dialect(connection).preserving_clean_state(connection):
        then, now = (tables_of(connection, scope, past=past) for past in (True, False))
        names = sorted({*then, *now})
        if len(names) > _MOST_COUNTED:
            names = sorted({*then} ^ {*now})
        for database, table in names:
            rows_then, rows_now = (
                count_rows(connection, scope, (database, table), past=past) if (database, table) in there else None
                for past, there in ((True, then), (False, now))
            )
            yield ReplacedTable(database, table, rows_then, rows_now)
