"""Read recovery windows: the times to which tables can be restored.

From 3.0 on, the server writes the windows of several tables into one buffer: later rows overwrite the text of all rows
but the last, which may even remain well-formed and be that of another table. Each table is therefore queried
separately.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack, cast

from ..core.arguments import is_object_name
from ..core.names import fold
from ..core.refusals import server_errors_as
from ..core.release import Feature
from ..core.server import matrixone_dialect
from ..core.warning import warn
from ..core.zones import SERVER_ZONE
from ..exc import MatrixOneArgumentError, Reason, RecoveryError, RecoveryWarning
from .catalog import TO_READ_CATALOG
from .clock import MICROSECOND
from .pitr_reader import SECOND
from .server_rows import named_part, show, to_utc
from .target import RecoveryTarget, TargetKeywords
from .values import RecoveryWindow

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_STRING = r"""(?:'[^']*'|"[^"]*")"""
_WINDOW = rf"\{{\s*{_STRING}\s*:\s*{_STRING}(?:\s*,\s*{_STRING}\s*:\s*{_STRING})*\s*\}}"
_LIST = re.compile(rf"\s*(?:\[\s*\]|\[?\s*{_WINDOW}(?:\s*,\s*{_WINDOW})*\s*\]?)?\s*")
_ENTRY = re.compile(rf"({_STRING})\s*:\s*({_STRING})")
_KEYS = (
    {"timestamp", "source", "source_name"},
    {"start_time", "end_time", "source", "source_name"},
)
_TABLES = (
    "SELECT reldatabase, relname FROM mo_catalog.mo_tables "
    "WHERE account_id = current_account_id() AND LEFT(relname, 5) <> '__mo_'"
)


class _Row(NamedTuple):
    level: Any
    account: str | None
    database: str | None
    table: str | None
    text: str


def get_recovery_windows(connection: Connection, **target: Unpack[TargetKeywords]) -> list[RecoveryWindow]:
    """Return the times to which a table, database or account can be restored. Refused inside a transaction."""
    named = RecoveryTarget.of(**target)
    if named is not None and named.level == "cluster":
        raise MatrixOneArgumentError(
            "MatrixOne has recovery windows of an account, a database or a table, but not of the cluster"
        )
    with server_errors_as(RecoveryError, "reading recovery windows", needs=TO_READ_CATALOG):
        rows = _show_windows(connection, named)
        if named is None or named.level != "table":
            rows = _of_each_table(connection, named, rows)
        found = [(row, window) for row in rows for window in _parse(row)]
        times = to_utc(connection, {time for _, window in found for time in _ends(window)}, SERVER_ZONE)
    return [_recovery_window(row, window, times) for row, window in found]


def _show_windows(connection: Connection, target: RecoveryTarget | None) -> list[_Row]:
    ddl_compiler: Any = connection.dialect.ddl_compiler
    translate = connection.get_execution_options().get("schema_translate_map")
    compiler = ddl_compiler.for_dialect(matrixone_dialect(connection), schema_translate_map=translate)
    rows = show(connection, f"SHOW RECOVERY_WINDOW FOR {compiler.target(target)}", RecoveryError)
    return [
        _Row(level, named_part(account), named_part(database), named_part(table), text or "")
        for level, account, database, table, text in rows
    ]


def _of_each_table(connection: Connection, target: RecoveryTarget | None, rows: list[_Row]) -> list[_Row]:
    """Return the correct rows of the existing tables among those of a database or account.

    :raises RecoveryError: for several tables of another account, where each cannot be queried separately.
    """
    dialect = matrixone_dialect(connection)
    own = dialect.default_account_name
    is_foreign = target is not None and target.account is not None and fold(target.account) != fold(own)
    are_right = not dialect.supports(Feature.RECOVERY_WINDOWS_BY_TABLE) or len(rows) < 2
    if is_foreign and not are_right:
        raise RecoveryError(
            "MatrixOne does not show the windows of several tables of another account correctly. Connect to "
            f"{target.account!r} for them.",  # type: ignore[union-attr]
            Reason.UNSUPPORTED,
        )
    if is_foreign or not rows:
        return rows
    with dialect.preserving_clean_state(connection):
        present = {tuple(row) for row in connection.exec_driver_sql(_TABLES)}
    rows = [row for row in rows if (row.database, row.table) in present]
    return rows if are_right else [each for row in rows for each in _of_table(connection, row)]


def _of_table(connection: Connection, row: _Row) -> list[_Row]:
    if not (is_object_name(row.database) and is_object_name(row.table)):
        warn(
            f"the recovery windows of {row.database}.{row.table} are omitted: the server does not find a table of "
            "this name in recovery statements. Rename it",
            RecoveryWarning,
        )
        return []
    target = RecoveryTarget("table", None, row.database, row.table)
    return [each._replace(level=row.level) for each in _show_windows(connection, target)]


def _parse(row: _Row) -> list[dict[str, str]]:
    """Parse the list of windows: JSON-like text, in quotes and brackets that differ between releases.

    :raises RecoveryError: if not all of it can be read.
    """
    windows = [
        {key[1:-1]: value[1:-1] for key, value in _ENTRY.findall(window)} for window in re.findall(_WINDOW, row.text)
    ]
    if not _LIST.fullmatch(row.text) or any(set(window) not in _KEYS for window in windows):
        raise RecoveryError(
            f"the recovery windows of {row.database}.{row.table} cannot be read: the server sent {row.text!r}",
            Reason.OTHER,
        )
    return windows


def _ends(window: dict[str, str]) -> tuple[str, str]:
    """Return the first and the last time of a window, as the server writes them; for a snapshot they are the same."""
    if "timestamp" in window:
        return window["timestamp"], window["timestamp"]
    return window["start_time"], window["end_time"]


def _recovery_window(row: _Row, window: dict[str, str], times: dict[str, dt.datetime]) -> RecoveryWindow:
    first, last = _ends(window)
    start, end = times[first], times[last]
    source = cast(Any, window["source"])
    if source == "pitr":
        start = min(end, start + (MICROSECOND if "." in first else SECOND))
    return RecoveryWindow(row.level, row.account, row.database, row.table, source, window["source_name"], start, end)
