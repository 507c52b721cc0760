"""An aware datetime means the same instant in all time zones of servers and sessions."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import Reason, Recovery, RestoreError, RestorePitr, as_of, time_travel
from sqlalchemy_matrixone.recovery.resolve import server_wall_clock

from . import past
from .client import DRIVERS, Client, clean_up, clock, drop_accounts, moment
from .server import Admin, Server

SECOND = dt.timedelta(seconds=1)
SESSION_ZONES = ["SYSTEM", "+00:00", "-05:00", "+08:00"]
ACCOUNT = "sc_acc"

pytestmark = pytest.mark.zone("*")


def zone_of(server: Server) -> ZoneInfo:
    return ZoneInfo(
        {"Asia-Shanghai": "Asia/Shanghai", "America-New_York": "America/New_York"}.get(server.target.zone, "UTC")
    )


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("session_zone", SESSION_ZONES)
async def test_restore_to_an_instant_is_independent_of_zones(
    server: Server, admin: Admin, driver: str, session_zone: str
):
    clean_up(admin, "sc_shop")
    async with Client.connected(server, driver, database="sc_shop") as client:
        await client.rows(f"SET time_zone = '{session_zone}'")
        await client.create_pitr("sc_pitr", range="1d", database="sc_shop")
        before = moment(server, admin)
        await client.lose("sc_shop")
        after = moment(server, admin)
        await client.restore_pitr(
            "sc_pitr", timestamp=before.astimezone(ZoneInfo("Asia/Kolkata")), table="orders", database="sc_shop"
        )
        assert await client.notes("sc_shop") == ["first", "second"]
        await client.restore_pitr("sc_pitr", timestamp=after, table="orders", database="sc_shop")
        assert await client.notes("sc_shop") == ["first"]
        await client.restore_pitr("sc_pitr", timestamp=before + dt.timedelta(microseconds=1), database="sc_shop")
        assert await client.notes("sc_shop") == ["first", "second"]
        await client.drop_pitr("sc_pitr")


@pytest.mark.parametrize("session_zone", SESSION_ZONES)
def test_time_travel_to_an_instant_is_independent_of_zones(server: Server, admin: Admin, session_zone: str):
    past.open_shop(admin)
    before = past.moment(server, admin)
    past.change_shop(admin)
    after = past.moment(server, admin)
    with Session(server.engine(server.url(database=past.SHOP))) as session:
        session.connection().exec_driver_sql(f"SET time_zone = '{session_zone}'")
        for when, notes in ((before, ["old 1", "old 2"]), (after, ["new 1", "new 3"])):
            there = when.astimezone(ZoneInfo("Asia/Kolkata"))
            assert past.notes(session, as_of(past.Order, timestamp=there)) == notes
            assert past.notes(session, as_of(past.Order, mo_ts=int(when.timestamp()) * 10**9)) == notes
            with time_travel(session, timestamp=there):
                assert past.notes(session, past.Order) == notes
    past.clean_up(admin)


@pytest.mark.parametrize("session_zone", SESSION_ZONES)
@pytest.mark.parametrize("login", ["dump", f"{ACCOUNT}:admin"])
def test_snapshot_and_pitr_times_are_returned_in_utc(server: Server, admin: Admin, login: str, session_zone: str):
    clean_up(admin, "sc_shop", accounts=(ACCOUNT,))
    with server.engine(server.url(user=login, password="111" if ":" in login else None)).connect() as connection:
        for statement in (
            "CREATE DATABASE IF NOT EXISTS sc_there",
            "CREATE TABLE IF NOT EXISTS sc_there.t (id INT PRIMARY KEY)",
            f"SET time_zone = '{session_zone}'",
        ):
            connection.exec_driver_sql(statement)
        connection.commit()
        recovery = Recovery(connection)
        started = clock(admin)
        snapshot = recovery.create_snapshot("sc_snap", table="t", database="sc_there")
        pitr = recovery.create_pitr("sc_pitr", range="1d", table="t", database="sc_there")
        ended = moment(server, admin) + SECOND
        assert started <= snapshot.created_at <= ended
        assert started <= pitr.created_at <= pitr.modified_at <= ended
        windows = recovery.recovery_windows(table="t", database="sc_there")
        assert {window.source for window in windows} == {"snapshot", "pitr"}
        for window in windows:
            assert started <= window.start <= window.end <= clock(admin) + SECOND
        recovery.drop_pitr("sc_pitr")
        recovery.drop_snapshot("sc_snap")
        connection.exec_driver_sql("DROP DATABASE sc_there")
        connection.commit()
    drop_accounts(admin, ACCOUNT)


@pytest.mark.parametrize(
    "instant",
    ["2026-01-15 12:00:00", "2026-07-15 12:00:00", "2026-03-08 06:59:59", "2026-03-08 07:00:00", "2026-11-01 07:00:01"],
)
def test_server_wall_clock_on_either_side_of_daylight_saving(server: Server, instant: str):
    when = dt.datetime.fromisoformat(instant).replace(tzinfo=dt.UTC, microsecond=250)
    with server.engine().connect() as connection:
        there = server_wall_clock(connection, when.replace(microsecond=0), 250_000)
    assert there == when.astimezone(zone_of(server)).strftime("%Y-%m-%d %H:%M:%S.000250")


def test_restore_text_is_read_by_the_server_as_that_instant(server: Server, admin: Admin):
    """If it refuses a time before the PITR, its error contains the time that it has read, in its own zone."""
    clean_up(admin, "sc_shop")
    summer = dt.datetime(2026, 7, 15, 12, tzinfo=dt.UTC)
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        recovery.create_pitr("sc_pitr", range="1y", database="sc_shop")
        with pytest.raises(RestoreError) as refusal:
            recovery.restore_pitr("sc_pitr", timestamp=summer, database="sc_shop")
        assert refusal.value.reason is Reason.OUT_OF_RANGE
        assert f"input timestamp {summer.astimezone(zone_of(server)):%Y-%m-%d %H:%M:%S}" in str(refusal.value)
        recovery.drop_pitr("sc_pitr")


@pytest.mark.zone("America/New_York")
def test_restore_to_an_ambiguous_hour_is_right_or_refused(server: Server):
    """05:30 and 06:30 UTC are both 01:30 in New York that night; the server reads the text as one of them."""
    written, refused = [], []
    with server.engine().connect() as connection:
        for hour in (5, 6):
            when = dt.datetime(2026, 11, 1, hour, 30, tzinfo=dt.UTC)
            try:
                written.append(server_wall_clock(connection, when, 0))
            except RestoreError as refusal:
                refused.append(refusal)
    assert written == ["2026-11-01 01:30:00"]
    assert [refusal.reason for refusal in refused] == [Reason.UNSUPPORTED]
    assert "twice that day" in str(refused[0])


def test_server_time_is_sent_unchanged(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    with server.engine().connect() as connection:
        Recovery(connection).create_pitr("sc_pitr", range="1d", database="sc_shop")
        with pytest.raises(RestoreError, match="2020-01-02 03:04:05 is less than the pitr valid time"):
            connection.execute(RestorePitr("sc_pitr", server_time="2020-01-02 03:04:05", database="sc_shop"))
        Recovery(connection).drop_pitr("sc_pitr")
