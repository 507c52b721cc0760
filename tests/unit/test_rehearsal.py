"""A rehearsal drops its scratch database, whatever its name."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from unittest.mock import Mock

import pytest

from sqlalchemy_matrixone import BranchError, Reason
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery import rehearsal
from sqlalchemy_matrixone.timetravel.point_in_time import PointInTime


def test_scratch_database_with_a_percent_sign_is_dropped_by_its_name(monkeypatch):
    connection = Mock(dialect=MatrixOneDialect_pymysql())
    monkeypatch.setattr(rehearsal, "second_engine", nullcontext)
    monkeypatch.setattr(rehearsal, "autocommit_connection", lambda engine: nullcontext(connection))
    monkeypatch.setattr(rehearsal, "get_blockers", lambda connection, target: [])
    rehearsal._drop(Mock(), "try_100%")
    [sent] = connection.exec_driver_sql.call_args.args
    assert sent % () == "DROP DATABASE IF EXISTS `try_100%`"  # the driver halves the percent signs


@pytest.mark.parametrize(
    ("error", "is_named"),
    [
        (KeyboardInterrupt(), True),
        (BranchError("the connection was lost", Reason.UNKNOWN, done=None), True),
        (BranchError("there is no such database", Reason.NOT_FOUND, done=False), False),
    ],
)
def test_scratch_database_that_an_abandoned_clone_may_have_left_is_named(monkeypatch, error, is_named):
    connection = Mock(dialect=MatrixOneDialect_pymysql(), execute=Mock(side_effect=error))
    monkeypatch.setattr(rehearsal, "second_engine", nullcontext)
    monkeypatch.setattr(rehearsal, "autocommit_connection", lambda engine: nullcontext(connection))
    monkeypatch.setattr(rehearsal, "server_now", lambda connection: dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    with pytest.raises(type(error)) as raised:
        rehearsal._clone(Mock(), "shop", PointInTime.of(snapshot="nightly", timestamp=None, mo_ts=None))
    noted = "shop__rehearsal_1772323200000000" in "".join(getattr(raised.value, "__notes__", []))
    assert noted is is_named
