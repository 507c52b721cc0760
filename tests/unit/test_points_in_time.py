"""Points in time: which arguments are accepted, and which are refused with a reason."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import bindparam, exc, select, table

from sqlalchemy_matrixone import (
    CloneDatabase,
    CloneTable,
    CreateBranch,
    MatrixOneArgumentError,
    RestorePitr,
    as_of,
    changes_since,
    time_travel,
)
from sqlalchemy_matrixone.recovery import resolve
from tests.unit.test_timetravel import ORDERS

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)

TAKES_TIMESTAMP = {
    "RestorePitr": lambda **when: RestorePitr("p", database="d", **when),
    "CloneTable": lambda **when: CloneTable("c", "t", **when),
    "CloneDatabase": lambda **when: CloneDatabase("c", "d", **when),
    "CreateBranch": lambda **when: CreateBranch("c", "t", **when),
    "as_of": lambda **when: as_of(table("t"), **when),
    "changes_since": lambda **when: changes_since(ORDERS, **when),
    "time_travel": lambda **when: time_travel(None, **when).__enter__(),
}

SAME_INSTANT = [
    NOON,
    NOON.astimezone(ZoneInfo("Asia/Kolkata")),
    "2026-03-01 12:00:00+00:00",
    "2026-03-01 12:00:00 +00:00",
    "2026-03-01 12:00:00Z",
    "2026-03-01T12:00:00Z",
    "2026-03-01T17:30:00+05:30",
    "2026-03-01 04:00:00-0800",
    "2026-03-01 12:00:00.0+00:00",
    "2026-03-01 12:00:00.000000Z",
]


class BrokenZone(dt.tzinfo):
    def utcoffset(self, when):
        return dt.timedelta(days=2)


NOT_AN_INSTANT = [
    (NOON.replace(tzinfo=None), "has no UTC offset"),
    ("2026-03-01 12:00:00", "has no UTC offset"),
    ("2026-03-01T12:00:00.5", "has no UTC offset"),
    ("2026-02-30 12:00:00Z", "is not a point in time"),
    ("2026-03-01 25:00:00Z", "is not a point in time"),
    ("2026-03-01 12:00:00+25:00", "is not a point in time"),
    ("2026-03-01 12:00:00.1234567Z", "is not a point in time"),
    ("٢٠٢٦-03-01 12:00:00Z", "is not a point in time"),
    ("2026-03-01Z", "is not a point in time"),
    ("yesterday", "is not a point in time"),
    ("", "is not a point in time"),
    ("it's", "is not a point in time"),
    (dt.date(2026, 3, 1), "is not a point in time"),
    (1772366400, "is not a point in time"),
    (b"2026-03-01 12:00:00Z", "is not a point in time"),
    (dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1))), "is not a point in time"),
    (dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-1))), "is not a point in time"),
    (NOON.replace(tzinfo=BrokenZone()), "is not a point in time"),
]


@pytest.mark.parametrize("timestamp", SAME_INSTANT, ids=str)
def test_restore_timestamp_is_kept_as_instant_in_utc(timestamp):
    made = RestorePitr("p", timestamp=timestamp, database="d")
    assert (made.timestamp, made.timestamp.utcoffset()) == (NOON, dt.timedelta(0))
    assert str(made).endswith("'2026-03-01 12:00:00+00:00'")


@pytest.mark.parametrize("timestamp", SAME_INSTANT, ids=str)
def test_time_travel_timestamp_is_sent_in_utc(timestamp):
    old = as_of(table("t"), timestamp=timestamp)
    assert "{TIMESTAMP = '2026-03-01 12:00:00.000000'}" in str(
        select(old).compile(dialect=_matrixone(), compile_kwargs={"literal_binds": True})
    )


@pytest.mark.parametrize("call", TAKES_TIMESTAMP.values(), ids=TAKES_TIMESTAMP)
@pytest.mark.parametrize(("timestamp", "reason"), NOT_AN_INSTANT, ids=range(len(NOT_AN_INSTANT)))
def test_timestamp_that_is_not_an_instant_is_refused(call, timestamp, reason):
    with pytest.raises(MatrixOneArgumentError, match=reason):
        call(timestamp=timestamp)


@given(
    st.datetimes(timezones=st.timezones() | st.just(dt.UTC))
    | st.datetimes()
    | st.text()
    | st.from_regex(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", fullmatch=True)
)
def test_any_timestamp_is_an_instant_or_an_argument_error(timestamp):
    for call in TAKES_TIMESTAMP.values():
        with suppress(MatrixOneArgumentError):
            call(timestamp=timestamp)


@pytest.mark.parametrize("mo_ts", [0, -1, 1 << 63, 1.5, True, "1", None.__class__], ids=str)
@pytest.mark.parametrize("call", TAKES_TIMESTAMP.values(), ids=TAKES_TIMESTAMP)
def test_mo_ts_that_is_not_a_number_of_nanoseconds_is_refused(call, mo_ts):
    with pytest.raises(MatrixOneArgumentError, match="mo_ts="):
        call(mo_ts=mo_ts)


@pytest.mark.parametrize(
    ("server_time", "sent"),
    [
        ("2026-03-01 12:00:00", "2026-03-01 12:00:00"),
        ("2026-03-01T12:00:00.25", "2026-03-01 12:00:00.25"),
    ],
)
def test_server_time_is_compiled_unchanged(server_time, sent):
    made = RestorePitr("p", server_time=server_time, database="d")
    assert str(made.compile(dialect=_matrixone())) == f"RESTORE DATABASE `d` FROM PITR `p` '{sent}'"


@pytest.mark.parametrize(
    ("server_time", "reason"),
    [
        ("2026-03-01 12:00:00+00:00", "pass it as timestamp="),
        ("2026-03-01 12:00:00Z", "pass it as timestamp="),
        ("2026-03-01", "is not a time on the server's clock"),
        ("2026-13-01 12:00:00", "is not a time"),
        ("it's", "is not a time on the server's clock"),
        (NOON, "is not a time on the server's clock"),
        (7, "is not a time on the server's clock"),
    ],
)
def test_server_time_that_is_not_a_wall_clock_time_is_refused(server_time, reason):
    with pytest.raises(MatrixOneArgumentError, match=reason):
        RestorePitr("p", server_time=server_time, database="d")


@pytest.mark.parametrize(
    ("when", "sent"),
    [
        ({"timestamp": NOON}, "2026-03-01 20:00:00"),
        ({"timestamp": NOON.replace(microsecond=250)}, "2026-03-01 20:00:00.000250"),
        ({"mo_ts": 1772366400_000000000}, "2026-03-01 20:00:00"),
        ({"mo_ts": 1772366400_123456789}, "2026-03-01 20:00:00.123456789"),
    ],
)
def test_restore_time_is_converted_to_the_server_clock_to_the_nanosecond(monkeypatch, when, sent):
    def convert_zone(connection, times, source, target):
        hours = {("'+00:00'", "'Local'"): 8, ("'Local'", "'+00:00'"): -8}[source, target]
        return [str(dt.datetime.fromisoformat(time) + dt.timedelta(hours=hours)) for time in times]

    monkeypatch.setattr(resolve, "convert_zone", convert_zone)
    assert resolve.server_wall_clock(None, *RestorePitr("p", database="d", **when).instant()) == sent


def test_bound_timestamp_that_is_naive_is_an_argument_error_when_executed():
    then = as_of(ORDERS, timestamp=bindparam("then"))
    processor = select(then.c.id).compile(dialect=_matrixone())._bind_processors["then"]
    with pytest.raises(MatrixOneArgumentError, match="has no UTC offset"):
        processor(NOON.replace(tzinfo=None))
    with pytest.raises(exc.ArgumentError):
        processor(None)


def _matrixone():
    from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

    return MatrixOneDialect_pymysql(server_version="4.2.0")
