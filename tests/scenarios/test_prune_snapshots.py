"""Drop older snapshots of a series, and no others."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import MatrixOneArgumentError, Recovery, Snapshot, SnapshotError

from .client import DRIVERS, Client, clean_up, drop_accounts
from .server import Admin, Server

SHOP, ACCOUNT = "sc_pruned", "sc_pruned_account"
PREFIX = "sc_n_"


@pytest.fixture
def series(admin: Admin) -> Iterator[None]:
    """Create three snapshots of a series, the newest last, and two that only LIKE would match."""
    clean_up(admin, SHOP)
    for name in ("sc_n_1", "sc_n_2", "sc_nx3", "sc_n", "SC_N_3"):
        admin(f"CREATE SNAPSHOT {name} FOR DATABASE {SHOP}")
    yield
    clean_up(admin)
    admin(f"DROP DATABASE {SHOP}")


def names(snapshots: list[Snapshot]) -> list[str]:
    return [snapshot.name for snapshot in snapshots]


@pytest.mark.usefixtures("series")
@pytest.mark.parametrize("driver", DRIVERS)
async def test_prune_keeps_the_newest_by_each_driver(server: Server, driver: str):
    async with Client.connected(server, driver) as client:
        assert names(await client.prune_snapshots(PREFIX, keep=1, dry_run=True)) == ["sc_n_2", "sc_n_1"]
        assert names(await client.prune_snapshots(PREFIX.upper(), keep=1)) == ["sc_n_2", "sc_n_1"]
        assert await client.prune_snapshots(PREFIX, keep=1) == []
        assert sorted(names(await client.list_snapshots(database=SHOP))) == ["sc_n", "sc_n_3", "sc_nx3"]


@pytest.mark.usefixtures("series")
def test_prune_older_than_goes_by_the_time_of_creation(server: Server):
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        assert recovery.prune_snapshots(PREFIX, older_than=dt.timedelta(hours=1)) == []
        assert names(recovery.prune_snapshots(PREFIX, older_than=dt.timedelta())) == ["sc_n_3", "sc_n_2", "sc_n_1"]


@pytest.mark.usefixtures("series")
def test_prune_with_keep_0_drops_the_whole_series(server: Server):
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        assert len(recovery.prune_snapshots(PREFIX, keep=0)) == 3
        assert sorted(names(recovery.list_snapshots(database=SHOP))) == ["sc_n", "sc_nx3"]


@pytest.mark.usefixtures("series")
def test_prune_spares_snapshots_of_other_accounts(server: Server, admin: Admin):
    clean_up(admin, accounts=(ACCOUNT,))
    admin(f"CREATE SNAPSHOT sc_n_other FOR ACCOUNT {ACCOUNT}")
    admin("CREATE SNAPSHOT sc_n_cluster FOR CLUSTER")
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as connection:
        recovery = Recovery(connection)
        recovery.create_snapshot("sc_n_1")
        recovery.create_snapshot("sc_n_own")
        assert names(recovery.prune_snapshots(PREFIX, keep=1)) == ["sc_n_1"]
        recovery.drop_snapshot("sc_n_own")
    with server.engine().connect() as connection:
        assert names(Recovery(connection).prune_snapshots("sc_n_", keep=3)) == []
        assert names(Recovery(connection).prune_snapshots("sc_n_", keep=0)) == ["sc_n_cluster"]
        assert names(Recovery(connection).list_snapshots(account=ACCOUNT)) == ["sc_n_other"]
        Recovery(connection).drop_snapshot("sc_n_other")
    drop_accounts(admin, ACCOUNT)


@pytest.mark.usefixtures("series")
def test_prune_drops_nothing_if_one_name_cannot_be_sent(server: Server, admin: Admin):
    admin(f"CREATE SNAPSHOT `sc_n_o\\\\dd` FOR DATABASE {SHOP}")
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        with pytest.raises(MatrixOneArgumentError, match="contains"):
            recovery.prune_snapshots(PREFIX, keep=0)
        assert len(recovery.list_snapshots(database=SHOP)) == 6
    admin("DROP SNAPSHOT `sc_n_o\\\\dd`")


@pytest.mark.usefixtures("series")
def test_prune_of_names_with_hyphens_percent_signs_and_chinese(server: Server, admin: Admin):
    for name in ("sc_p-%-1", "sc_p-%-快照", "sc_p-x-1"):
        admin(f"CREATE SNAPSHOT `{name}` FOR DATABASE {SHOP}")
    with server.engine().connect() as connection:
        assert sorted(names(Recovery(connection).prune_snapshots("sc_p-%", keep=0))) == ["sc_p-%-1", "sc_p-%-快照"]


@pytest.mark.usefixtures("series")
def test_prune_within_a_transaction_is_refused(server: Server):
    with Session(server.engine()) as session:
        session.connection().exec_driver_sql("SELECT 1")
        with pytest.raises(SnapshotError, match="was not sent") as refused:
            Recovery(session).prune_snapshots(PREFIX, keep=0)
        assert refused.value.reason == "active_transaction"
        assert len(Recovery(session).prune_snapshots(PREFIX, keep=0, dry_run=True)) == 3
        assert len(Recovery(session, commit_first=True).prune_snapshots(PREFIX, keep=2)) == 1
