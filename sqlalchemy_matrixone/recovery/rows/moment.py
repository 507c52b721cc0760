"""The point in time from which rows are restored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, exc, literal_column

from ...core.arguments import check_timestamp
from ...core.refusals import reason_of
from ...exc import MatrixOneArgumentError, Reason, RestoreError
from ...timetravel.point_in_time import PointInTime
from ..clock import EPOCH, mo_ts_of
from .definition import TableDefinition

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import ClauseElement, TableClause

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Moment:
    """A snapshot, or an instant.

    :ivar when: the keyword argument of ``as_of()``. An instant is given in nanoseconds, which the server reads whatever
        its age.
    :ivar checked: the same in the form that the server checks: it refuses an instant whose history it may not have
        completely.
    """

    text: str
    when: Mapping[str, Any]
    checked: ClauseElement

    @classmethod
    def of(cls, *, snapshot: Any, timestamp: Any, mo_ts: Any) -> Moment:
        """Return the point in time that the arguments specify.

        :raises MatrixOneArgumentError: if not exactly one is given, or it is invalid.
        """
        if isinstance(timestamp, BindParameter) or isinstance(mo_ts, BindParameter):
            raise MatrixOneArgumentError("rows are restored from a point in time, not from a bind parameter")
        point = PointInTime.of(snapshot=snapshot, timestamp=timestamp, mo_ts=mo_ts)
        if snapshot is not None:
            return cls(f"snapshot {snapshot!r}", {"snapshot": snapshot}, point)
        if timestamp is not None:
            mo_ts = mo_ts_of(check_timestamp(timestamp))
        seconds, rest = divmod(mo_ts, _NANOSECONDS)
        text = f"{EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}.{rest:09}"
        return cls(f"{text} UTC", {"mo_ts": mo_ts}, literal_column(f"{{TIMESTAMP = '{text}'}}"))

    def definition(self, connection: Connection, table: TableClause) -> TableDefinition | None:
        """Return the definition of a table at this point in time.

        :raises RestoreError: if the table did not exist then, or the server does not have the history.
        """
        try:
            return TableDefinition.read(connection, table, self.checked)
        except exc.DBAPIError as error:
            raise RestoreError(self._explain(table, error), reason_of(error)) from error

    def _explain(self, table: TableClause, error: exc.DBAPIError) -> str:
        match reason_of(error):
            case Reason.OUT_OF_RANGE:
                return f"nothing was changed: the server does not have {table.name} as of {self.text}"
            case Reason.NOT_FOUND:
                return f"nothing was changed: there was no {table.name} at {self.text}, or there is no such snapshot"
        return f"nothing was changed: reading {table.name} as of {self.text}: {error.orig}"
