"""A rehearsal drops its scratch database, whatever its name."""

from __future__ import annotations

from contextlib import nullcontext
from unittest.mock import Mock

from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery import rehearsal


def test_scratch_database_with_a_percent_sign_is_dropped_by_its_name(monkeypatch):
    connection = Mock(dialect=MatrixOneDialect_pymysql())
    monkeypatch.setattr(rehearsal, "second_engine", nullcontext)
    monkeypatch.setattr(rehearsal, "autocommit_connection", lambda engine: nullcontext(connection))
    monkeypatch.setattr(rehearsal, "get_blockers", lambda connection, target: [])
    rehearsal._drop(Mock(), "try_100%")
    [sent] = connection.exec_driver_sql.call_args.args
    assert sent % () == "DROP DATABASE IF EXISTS `try_100%`"  # the driver halves the percent signs
