"""Convert times between UTC and the zones of the server and the session. The server does it: only it knows its zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exc import MatrixOneInvalidRequestError
from .server import matrixone_dialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# Arguments of CONVERT_TZ. The server process has its own time zone, including daylight saving time, in which it reads
# the time of a restore, regardless of the time_zone of the session.
UTC_ZONE = "'+00:00'"
SERVER_ZONE = "'Local'"
SESSION_ZONE = "REPLACE(@@time_zone, 'SYSTEM', 'Local')"


def convert_zone(connection: Connection, times: list[str], source: str, target: str) -> list[str]:
    """Convert wall clock times from one zone to another, to the second. A clean connection stays clean."""
    if not times:
        return []
    columns = ", ".join(f"CONVERT_TZ('{time}', {source}, {target})" for time in times)
    with matrixone_dialect(connection).preserving_clean_state(connection):
        row = connection.exec_driver_sql(f"SELECT {columns}").one()
    converted = [str(value) for value in row]
    if None in row:
        raise MatrixOneInvalidRequestError(f"the server could not convert {times} from {source} to {target}")
    return converted
