"""Read the catalog as of a snapshot, which later builds than 4.2.0 refuse for snapshots of a database or table."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone import Pitr
from sqlalchemy_matrixone.branches.copied import Copied
from sqlalchemy_matrixone.core.connection import TransactionState
from sqlalchemy_matrixone.core.snapshots import instant_for_catalog
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery.coverage import Protection
from sqlalchemy_matrixone.timetravel.point_in_time import PointInTime

INSTANT = 1_795_753_112_604_409_987
SNAPSHOT = PointInTime.of(snapshot="sn%ap", timestamp=None, mo_ts=None)


def connection_to(release: str, **result: Any) -> Mock:
    """Return a connection without a server, each of whose statements has this result."""
    connection = Mock(dialect=MatrixOneDialect_pymysql(server_version=release))
    connection.connection.driver_connection = SimpleNamespace(transaction_state=TransactionState(complete=False))
    connection.exec_driver_sql.return_value = Mock(**result)
    return connection


def hint(connection: Mock, moment: PointInTime | None) -> str:
    return Copied._hint(connection, moment)


def test_catalog_is_read_at_the_snapshot_itself_up_to_4_2_without_asking_for_its_time():
    connection = connection_to("4.2.0")
    assert instant_for_catalog(connection, "sn%ap") is None
    assert hint(connection, SNAPSHOT) == "{SNAPSHOT = `sn%%ap`}"
    connection.exec_driver_sql.assert_not_called()


@pytest.mark.parametrize("release", ["4.2.1", "4.3.0"])
def test_catalog_is_read_at_the_time_of_the_snapshot_after_4_2(release):
    connection = connection_to(release, **{"scalar.return_value": INSTANT})
    assert hint(connection, SNAPSHOT) == f"{{MO_TS = {INSTANT}}}"
    assert connection.exec_driver_sql.call_args.args[1] == ("sn%ap",)


def test_catalog_of_a_missing_snapshot_is_read_by_its_name():
    connection = connection_to("4.3.0", **{"scalar.return_value": None})
    assert hint(connection, SNAPSHOT) == "{SNAPSHOT = `sn%%ap`}"


def test_catalog_that_may_not_be_read_leaves_the_snapshot_by_its_name():
    connection = connection_to("4.3.0")
    connection.exec_driver_sql.side_effect = exc.OperationalError("SELECT ts", None, Exception("no privilege"))
    assert hint(connection, SNAPSHOT) == "{SNAPSHOT = `sn%%ap`}"


@pytest.mark.parametrize(
    ("moment", "text"), [(None, ""), (PointInTime.of(snapshot=None, timestamp=None, mo_ts=7), "{MO_TS = 7}")]
)
def test_catalog_at_another_point_in_time_needs_no_lookup(moment, text):
    connection = connection_to("4.3.0")
    assert hint(connection, moment) == text
    connection.exec_driver_sql.assert_not_called()


@pytest.mark.parametrize(
    ("release", "row", "at"),
    [
        ("4.2.0", ("sn%ap", 7), "{SNAPSHOT = `sn%%ap`}"),
        ("4.3.0", ("sn%ap", 7, INSTANT), f"{{MO_TS = {INSTANT}}}"),
    ],
)
def test_coverage_reads_the_table_of_a_snapshot_at_its_time_after_4_2(release, row, at):
    protection = Protection.__new__(Protection)
    protection._connection = connection_to(release, **{"all.return_value": [row]})
    protection._dialect = protection._connection.dialect
    protection.snapshots = [Mock(level="table")]
    assert protection._ids_in_table_snapshots() == {"sn%ap": (7, at)}


@pytest.mark.parametrize(("table", "names"), [("orders", ["p"]), ("purchases", ["p"]), ("invoices", [])])
def test_coverage_of_a_renamed_table_contains_its_pitr_under_both_names(table: str, names: list[str]) -> None:
    protection = Protection.__new__(Protection)
    since = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    protection._dialect = MatrixOneDialect_pymysql(server_version="4.2.0")
    protection.pitrs = [
        Pitr("p", "table", "sys", "shop", "orders", 7, "d", since, since, active=True, renamed_to="purchases")
    ]
    protection.snapshots, protection._account, protection.now = [], "sys", since + dt.timedelta(days=1)
    found = protection.sources("shop", table)
    assert [source.name for source, _ in found] == names
