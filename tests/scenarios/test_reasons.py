"""Cause each reason of a RecoveryError by a refusal of the server."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone import CreateSnapshot, PitrError, Reason, Recovery, RecoveryError, RestoreError, SnapshotError

from .client import DRIVERS, Client, clean_up, drop_accounts, drop_databases, moment, protect_shop
from .server import Admin, Server

ACCOUNT = "sc_acc"
LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
FAR_AHEAD = dt.datetime(2090, 1, 1, tzinfo=dt.UTC)

SHOP = {"database": "sc_shop"}
REFUSALS = {
    "snapshot exists": ("create_snapshot", ("sc_snap",), SHOP, SnapshotError, Reason.EXISTS),
    "pitr exists": ("create_pitr", ("sc_pitr",), {"range": "1d", **SHOP}, PitrError, Reason.EXISTS),
    "object has a pitr": ("create_pitr", ("sc_other",), {"range": "1d", **SHOP}, PitrError, Reason.EXISTS),
    "no such snapshot": ("drop_snapshot", ("sc_nowhere",), {}, SnapshotError, Reason.NOT_FOUND),
    "no such snapshot to restore": ("restore_snapshot", ("sc_nowhere",), SHOP, RestoreError, Reason.NOT_FOUND),
    "no such pitr": ("drop_pitr", ("sc_nowhere",), {}, PitrError, Reason.NOT_FOUND),
    "no such pitr to alter": ("alter_pitr", ("sc_nowhere",), {"range": "1d"}, PitrError, Reason.NOT_FOUND),
    "no such database": ("create_snapshot", ("sc_new",), {"database": "sc_nowhere"}, SnapshotError, Reason.NOT_FOUND),
    "no such table": (
        "create_pitr",
        ("sc_new",),
        {"range": "1d", "table": "nowhere", **SHOP},
        PitrError,
        Reason.NOT_FOUND,
    ),
    "before the pitr": (
        "restore_pitr",
        ("sc_pitr",),
        {"timestamp": LONG_AGO, **SHOP},
        RestoreError,
        Reason.OUT_OF_RANGE,
    ),
    "in the future": (
        "restore_pitr",
        ("sc_pitr",),
        {"timestamp": FAR_AHEAD, **SHOP},
        RestoreError,
        Reason.OUT_OF_RANGE,
    ),
}


@pytest.mark.parametrize("refused", REFUSALS)
async def test_recovery_error_has_the_reason_of_the_refusal(server: Server, admin: Admin, refused: str):
    clean_up(admin, "sc_shop")
    protect_shop(admin)
    method, arguments, what, error, reason = REFUSALS[refused]
    with server.engine().connect() as connection:
        with pytest.raises(error) as refusal:
            getattr(Recovery(connection), method)(*arguments, **what)
        assert refusal.value.reason is reason, str(refusal.value)
        cause = refusal.value.__cause__
        assert isinstance(cause, exc.DBAPIError)
        assert cause.orig is not None
        assert str(cause.orig.args[-1]) in str(refusal.value)
        # The connection is clean again: the next one gets through.
        assert Recovery(connection).create_snapshot("sc_next", **SHOP).database == "sc_shop"


@pytest.mark.parametrize("driver", DRIVERS)
async def test_recovery_of_another_account_is_not_permitted(server: Server, admin: Admin, driver: str):
    clean_up(admin, accounts=(ACCOUNT,))
    async with Client.connected(server, driver, user=f"{ACCOUNT}:admin", password="111") as client:
        for refused, what in (
            (client.create_snapshot, {"cluster": True}),
            (client.create_pitr, {"range": "1d", "cluster": True}),
            (client.create_pitr, {"range": "1d", "account": "sys"}),
        ):
            with pytest.raises(RecoveryError) as refusal:
                await refused("sc_new", **what)
            assert refusal.value.reason is Reason.NOT_PERMITTED, str(refusal.value)
        await client.create_snapshot("sc_snap")
        with pytest.raises(RestoreError) as refusal:
            await client.restore_snapshot("sc_snap", account=ACCOUNT, to_account="sys")
        assert refusal.value.reason is Reason.NOT_PERMITTED, str(refusal.value)
    drop_accounts(admin, ACCOUNT)


def test_recovery_without_the_admin_role_is_not_permitted(server: Server, admin: Admin):
    clean_up(admin, accounts=(ACCOUNT,))
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as connection:
        for statement in (
            "CREATE ROLE clerk",
            "CREATE USER bob IDENTIFIED BY '111' DEFAULT ROLE clerk",
            "GRANT CONNECT ON ACCOUNT * TO clerk",
        ):
            connection.exec_driver_sql(statement)
            connection.commit()
    with server.engine(server.url(user=f"{ACCOUNT}:bob:clerk", password="111")).connect() as connection:
        with pytest.raises(SnapshotError) as refusal:
            Recovery(connection).create_snapshot("sc_snap")
        assert refusal.value.reason is Reason.NOT_PERMITTED, str(refusal.value)
    drop_accounts(admin, ACCOUNT)


@pytest.mark.releases(until=(4, 0))
def test_snapshot_of_a_publication_before_4_0_is_refused(server: Server, admin: Admin):
    with server.engine().connect() as connection:
        with pytest.raises(exc.CompileError, match=r"needs MatrixOne 4\.0\.0 or later"):
            connection.execute(CreateSnapshot("sc_snap", database="sc_shop", from_account=ACCOUNT, publication="p"))
        Recovery(connection).drop_snapshot("sc_snap", if_exists=True)


def test_restore_with_the_syntax_of_another_release_is_unsupported(server: Server, admin: Admin):
    """The stated release may not be that of the server."""
    clean_up(admin, "sc_shop")
    admin("CREATE SNAPSHOT sc_snap FOR DATABASE sc_shop")
    other = "3.0.14" if server.release >= (4, 0) else "4.2.0"
    with server.engine(server.url(server_version=other)).connect() as connection:
        with pytest.raises(RestoreError) as refusal:
            Recovery(connection).restore_snapshot("sc_snap", database="sc_shop")
        assert refusal.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("login", ["dump", f"{ACCOUNT}:admin"])
def test_restore_to_creation_of_pitr_restores_earliest_state(server: Server, admin: Admin, login: str):
    """The server restores only to times after the creation, which it shows truncated to the second or microsecond."""
    clean_up(admin, accounts=(ACCOUNT,))
    drop_databases(admin, "sc_there")
    with server.engine(server.url(user=login, password="111" if ":" in login else None)).connect() as connection:
        for statement in ("CREATE DATABASE sc_there", "CREATE TABLE sc_there.t (id INT PRIMARY KEY)"):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("INSERT INTO sc_there.t VALUES (1)")
        connection.commit()
        recovery = Recovery(connection)
        pitr = recovery.create_pitr("sc_pitr", range="1d", table="t", database="sc_there")
        if server.live:
            time.sleep(2)
        connection.exec_driver_sql("DELETE FROM sc_there.t")
        connection.commit()
        [window] = recovery.recovery_windows(table="t", database="sc_there")
        for earliest in (pitr.created_at, window.start):
            recovery.restore_pitr("sc_pitr", timestamp=earliest, table="t", database="sc_there")
            assert connection.exec_driver_sql("SELECT id FROM sc_there.t").all() == [(1,)]
            connection.commit()
        recovery.drop_pitr("sc_pitr")
        connection.exec_driver_sql("DROP DATABASE sc_there")
        connection.commit()
    drop_accounts(admin, ACCOUNT)


def test_restore_of_what_snapshot_or_pitr_does_not_contain_is_not_covered(server: Server, admin: Admin):
    clean_up(admin, "sc_shop", "sc_shop2")
    admin("CREATE SNAPSHOT sc_snap FOR TABLE sc_shop orders")
    admin("CREATE PITR sc_pitr FOR TABLE sc_shop orders RANGE 1 'd'")
    when = moment(server, admin)
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        for other in ({"table": "orders", "database": "sc_shop2"}, {"database": "sc_shop"}, {"account": "sys"}):
            with pytest.raises(RestoreError) as refusal:
                recovery.restore_pitr("sc_pitr", timestamp=when, **other)
            assert refusal.value.reason is Reason.NOT_COVERED, str(refusal.value)
        admin("CREATE TABLE sc_shop.other (id INT)")
        for other in ({"table": "other", "database": "sc_shop"}, {"database": "sc_shop2"}):
            with pytest.raises(RestoreError) as refusal:
                recovery.restore_snapshot("sc_snap", **other)
            assert refusal.value.reason is Reason.NOT_COVERED, str(refusal.value)
        recovery.drop_pitr("sc_pitr")
        recovery.drop_snapshot("sc_snap")
