"""Clone a database as it was, to inspect it before anything is restored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..branches.constructs import CloneDatabase
from ..core.arguments import check_object_name
from ..core.beside import autocommit_connection, second_engine
from ..core.names import fold
from ..core.refusals import server_errors_as
from ..core.server import matrixone_dialect
from ..core.warning import warn
from ..exc import Reason, RecoveryError, RecoveryWarning
from .blockers import describe_blockers, get_blockers
from .catalog import TO_READ_CATALOG
from .clock import from_microseconds, microseconds, server_now
from .coverage import readable_periods
from .past import describe_point, mo_ts_at
from .target import RecoveryTarget

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from ..timetravel.point_in_time import PointInTime


log = logging.getLogger("sqlalchemy_matrixone.recovery")

_LONGEST_PREFIX = 32


@contextmanager
def rehearsing(connection: Connection, database: str, point: PointInTime) -> Iterator[str]:
    """Clone a database, yield the clone's name, and drop it; on separate connections."""
    check_object_name("database", database)
    matrixone_dialect(connection)
    engine = connection.engine
    scratch = _clone(engine, database, point)
    try:
        yield scratch
    except BaseException as error:
        try:
            _drop(engine, scratch)
        except Exception as failed:
            error.add_note(str(failed))
            log.warning("%s", failed)
        raise
    _drop(engine, scratch)


def _clone(engine: Engine, database: str, point: PointInTime) -> str:
    with second_engine(engine) as own, autocommit_connection(own) as connection:
        _warn_if_not_kept(connection, database, point)
        name = f"{fold(database)[:_LONGEST_PREFIX]}__rehearsal_{microseconds(server_now(connection))}"
        try:
            connection.execute(CloneDatabase(name, database, **point.argument))
        except BaseException as error:
            if not (isinstance(error, RecoveryError) and error.done is False):
                error.add_note(f"The scratch database {name!r} may exist, or appear later: drop it then.")
            raise
    return name


def _warn_if_not_kept(connection: Connection, database: str, point: PointInTime) -> None:
    if (mo_ts := mo_ts_at(point)) is None:
        return  # the server knows whether it has the snapshot
    # No particular table: check what protects the whole database.
    readable = readable_periods(connection, [(fold(database), "")])
    if not readable.includes(from_microseconds(mo_ts // 1000)):
        warn(
            f"no PITR or snapshot keeps database {database!r} as it was at {describe_point(point)}: tables "
            "whose history garbage collection has removed are empty in the clone",
            RecoveryWarning,
        )


def _drop(engine: Engine, scratch: str) -> None:
    """Drop the clone.

    :raises RecoveryError: if open transactions have written to the clone: the server would wait for them to end.
    """
    with second_engine(engine) as own, autocommit_connection(own) as connection:
        with server_errors_as(RecoveryError, f"the scratch database {scratch!r} still exists", needs=TO_READ_CATALOG):
            blockers = get_blockers(connection, RecoveryTarget("database", database=scratch))
        if blockers:
            raise RecoveryError(
                f"the scratch database {scratch!r} was not dropped, because an open transaction has written to it. "
                "Commit or roll back that transaction, then drop the database yourself. Next time, end the "
                f"transaction within the block of rehearsal().{describe_blockers(blockers)}",
                Reason.ACTIVE_TRANSACTION,
            )
        name = connection.dialect.identifier_preparer.quote_identifier(scratch)
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
