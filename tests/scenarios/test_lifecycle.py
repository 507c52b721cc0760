"""Create, list, alter, restore and drop snapshots and PITRs at every level, with Recovery and AsyncRecovery."""

from __future__ import annotations

import datetime as dt

import pytest

from sqlalchemy_matrixone import Pitr, Snapshot

from ..models import Order
from .client import DRIVERS, Client, clean_up, clock, drop_accounts, moment
from .server import Admin, Server

ACCOUNT = "sc_acc"
ADMIN = {"user": f"{ACCOUNT}:admin", "password": "111"}

SECOND = dt.timedelta(seconds=1)

LEVELS = {
    "cluster": {"cluster": True},
    "account": {},
    "database": {"database": "sc_shop"},
    "table": {"table": "orders", "database": "sc_shop"},
    "mapped": {"table": Order},
}

pytestmark = pytest.mark.parametrize("driver", DRIVERS)


def placed(value: Snapshot | Pitr) -> tuple[str | None, ...]:
    return value.level, value.account, value.database, value.table


def expected_place(level: str, account: str) -> tuple[str | None, ...]:
    return {
        "cluster": ("cluster", None, None, None),
        "account": ("account", account, None, None),
        "database": ("database", account, "sc_shop", None),
    }.get(level, ("table", account, "sc_shop", "orders"))


def to_restore(level: str, account: str) -> dict[str, object]:
    return {"account": account} if level == "account" else LEVELS[level]


async def snapshot_s_life(client: Client, level: str, account: str, admin: Admin) -> None:
    started = clock(admin)
    made = await client.create_snapshot("sc_snap", **LEVELS[level])
    assert placed(made) == expected_place(level, account)
    assert made.created_at.tzinfo is dt.UTC
    assert started <= made.created_at < clock(admin) + SECOND
    assert await client.get_snapshot("SC_SNAP") == made
    assert made in await client.list_snapshots(level=made.level)
    assert await client.create_snapshot("sc_snap", **LEVELS[level], if_not_exists=True) == made

    await client.lose("sc_shop")
    await client.restore_snapshot("sc_snap", **to_restore(level, account))
    assert await client.notes("sc_shop") == ["first", "second"]

    # A restore of the cluster brings its catalog back as well, and with it what the snapshot's moment had not.
    await client.drop_snapshot("sc_snap", if_exists=True)
    assert await client.get_snapshot("sc_snap") is None


async def pitr_s_life(client: Client, level: str, account: str, server: Server, admin: Admin) -> None:
    started = clock(admin)
    made = await client.create_pitr("sc_pitr", range="1d", **LEVELS[level])
    assert placed(made) == expected_place(level, account)
    assert (made.range, made.length, made.unit) == ("1d", 1, "d")
    assert made.created_at.tzinfo is dt.UTC
    assert started <= made.created_at <= made.modified_at <= clock(admin) + SECOND
    assert await client.get_pitr("Sc_Pitr") == made
    assert made in await client.list_pitrs(level=made.level)

    before = moment(server, admin)
    await client.lose("sc_shop")
    await client.restore_pitr("sc_pitr", timestamp=before, **to_restore(level, account))
    assert await client.notes("sc_shop") == ["first", "second"]

    altered = await client.alter_pitr("sc_pitr", range="2h")
    assert (altered.range, altered.created_at) == ("2h", made.created_at)
    await client.drop_pitr("sc_pitr")
    assert await client.get_pitr("sc_pitr") is None
    await client.drop_pitr("sc_pitr", if_exists=True)


@pytest.mark.filterwarnings("ignore::sqlalchemy_matrixone.RestoreWarning")  # of what other accounts may lose
@pytest.mark.parametrize("level", LEVELS)
async def test_snapshot_lifecycle_as_sys(server: Server, admin: Admin, driver: str, level: str):
    clean_up(admin, "sc_shop")
    async with Client.connected(server, driver, database="sc_shop") as client:
        await snapshot_s_life(client, level, "sys", admin)


@pytest.mark.filterwarnings("ignore::sqlalchemy_matrixone.RestoreWarning")  # of what other accounts may lose
@pytest.mark.parametrize("level", LEVELS)
async def test_pitr_lifecycle_as_sys(server: Server, admin: Admin, driver: str, level: str):
    clean_up(admin, "sc_shop")
    async with Client.connected(server, driver, database="sc_shop") as client:
        await pitr_s_life(client, level, "sys", server, admin)


async def shop_of_the_account(server: Server, driver: str) -> None:
    async with Client.connected(server, driver, **ADMIN) as client:
        await client.rows("CREATE DATABASE sc_shop")
        await client.rows("CREATE TABLE sc_shop.orders (id INT PRIMARY KEY, note VARCHAR(40))")
        await client.rows("INSERT INTO sc_shop.orders VALUES (1, 'first'), (2, 'second')")


@pytest.mark.parametrize("level", ["account", "database", "table"])
async def test_snapshot_lifecycle_as_another_account(server: Server, admin: Admin, driver: str, level: str):
    clean_up(admin, accounts=(ACCOUNT,))
    await shop_of_the_account(server, driver)
    async with Client.connected(server, driver, database="sc_shop", **ADMIN) as client:
        await snapshot_s_life(client, level, ACCOUNT, admin)
    drop_accounts(admin, ACCOUNT)


@pytest.mark.parametrize("level", ["account", "database", "table"])
async def test_pitr_lifecycle_as_another_account(server: Server, admin: Admin, driver: str, level: str):
    clean_up(admin, accounts=(ACCOUNT,))
    await shop_of_the_account(server, driver)
    async with Client.connected(server, driver, database="sc_shop", **ADMIN) as client:
        await pitr_s_life(client, level, ACCOUNT, server, admin)
    drop_accounts(admin, ACCOUNT)


@pytest.mark.filterwarnings("ignore::sqlalchemy_matrixone.RestoreWarning")  # of what other accounts may lose
async def test_account_is_protected_and_restored_by_sys(server: Server, admin: Admin, driver: str):
    clean_up(admin, accounts=(ACCOUNT, "sc_acc2"))
    await shop_of_the_account(server, driver)
    async with Client.connected(server, driver) as client:
        snapshot = await client.create_snapshot("sc_snap", account=ACCOUNT)
        pitr = await client.create_pitr("sc_pitr", range="1d", account=ACCOUNT)
        assert placed(snapshot) == placed(pitr) == ("account", ACCOUNT, None, None)
        assert await client.list_pitrs(level="account", account=ACCOUNT) == [pitr]
        before = moment(server, admin)

        async def shop(account: str) -> list[str]:
            async with Client.connected(server, driver, user=f"{account}:admin", password="111") as there:
                return await there.notes("sc_shop")

        async with Client.connected(server, driver, **ADMIN) as there:
            await there.lose("sc_shop")
        await client.restore_snapshot("sc_snap", account=ACCOUNT)
        assert await shop(ACCOUNT) == ["first", "second"]

        async with Client.connected(server, driver, **ADMIN) as there:
            await there.lose("sc_shop")
        await client.restore_pitr("sc_pitr", timestamp=before, account=ACCOUNT)
        assert await shop(ACCOUNT) == ["first", "second"]

        await client.restore_snapshot("sc_snap", account=ACCOUNT, to_account="sc_acc2")
        assert await shop("sc_acc2") == ["first", "second"]
        await client.drop_pitr("sc_pitr")
        await client.drop_snapshot("sc_snap")
    drop_accounts(admin, ACCOUNT, "sc_acc2")


async def test_recovery_windows_of_a_snapshot_and_a_pitr(server: Server, admin: Admin, driver: str):
    clean_up(admin, "sc_shop")
    async with Client.connected(server, driver, database="sc_shop") as client:
        snapshot = await client.create_snapshot("sc_snap", table=Order)
        pitr = await client.create_pitr("sc_pitr", range="1d", table=Order)
        moment(server, admin)
        windows = {window.source: window for window in await client.recovery_windows(table=Order)}
        assert windows.keys() == {"snapshot", "pitr"}
        kept, covered = windows["snapshot"], windows["pitr"]
        assert (kept.level, kept.account, kept.database, kept.table) == ("table", "sys", "sc_shop", "orders")
        assert (kept.source_name, covered.source_name) == ("sc_snap", "sc_pitr")
        assert kept.start == kept.end
        assert abs(kept.start - snapshot.created_at) < SECOND
        assert abs(covered.start - pitr.created_at) <= SECOND
        assert covered.start <= covered.end  # in seconds on 2.2

        of_database = await client.recovery_windows(database="sc_shop")
        assert {window.table for window in of_database} == {"orders"}
        await client.drop_pitr("sc_pitr")
        await client.drop_snapshot("sc_snap")
