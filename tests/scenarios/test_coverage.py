"""Report what protects each table, and since when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from sqlalchemy_matrixone import Coverage, MatrixOneArgumentError, Reason, Recovery, RecoveryError

from .client import DRIVERS, Client, clean_up
from .server import Admin, Server

SHOP, ACCOUNT = "sc_covered", "sc_covered_account"


@pytest.fixture
def shop(admin: Admin) -> Iterator[None]:
    clean_up(admin, SHOP)
    admin(f"CREATE TABLE {SHOP}.items (id INT PRIMARY KEY)")
    admin(f"CREATE VIEW {SHOP}.ids AS SELECT id FROM {SHOP}.orders")
    yield
    clean_up(admin)
    admin(f"DROP DATABASE {SHOP}")


def sources(tables: list[Coverage]) -> dict[str, list[str]]:
    return {each.table: sorted(source.name for source in each.sources) for each in tables}


def coverage(server: Server, database: str = SHOP) -> list[Coverage]:
    with server.engine().connect() as connection:
        return Recovery(connection).coverage(database=database)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("driver", DRIVERS)
async def test_coverage_by_each_driver_names_what_protects_each_table(server: Server, driver: str):
    async with Client.connected(server, driver) as client:
        tables = await client.coverage(database=SHOP)
        assert sources(tables) == {"items": [], "orders": []}
        assert not any(each.is_protected or each.earliest or each.gaps for each in tables)
        pitr = await client.create_pitr("sc_covered_pitr", range="1d", database=SHOP)
        await client.create_snapshot("sc_covered_snap", table="orders", database=SHOP)
        items, orders = await client.coverage(database=SHOP)
    assert (items.sources, items.gaps) == ((pitr,), ())
    # Rounded up to a second, as 2.2 has it, the creation can be in the future.
    assert pitr.created_at - dt.timedelta(seconds=1) <= items.earliest <= pitr.created_at
    assert sources([orders]) == {"orders": ["sc_covered_pitr", "sc_covered_snap"]}
    assert orders.is_protected


@pytest.mark.usefixtures("shop")
def test_coverage_by_only_snapshots_has_gaps_between_them_and_until_now(server: Server):
    with server.engine().connect() as connection:
        first = Recovery(connection).create_snapshot("sc_covered_1", database=SHOP)
        second = Recovery(connection).create_snapshot("sc_covered_2", database=SHOP)
    _, orders = coverage(server)
    assert orders.earliest == first.created_at
    assert [gap.start for gap in orders.gaps] == [first.created_at, second.created_at]
    assert orders.gaps[0].end == second.created_at


@pytest.mark.usefixtures("shop")
def test_inactive_pitr_does_not_count(server: Server, admin: Admin):
    admin(f"CREATE PITR sc_covered_pitr FOR DATABASE {SHOP} TABLE orders RANGE 1 'd'")
    assert sources(coverage(server)) == {"items": [], "orders": ["sc_covered_pitr"]}
    admin(f"TRUNCATE TABLE {SHOP}.orders")
    assert sources(coverage(server)) == {"items": [], "orders": []}


@pytest.mark.usefixtures("shop")
def test_snapshot_of_a_replaced_table_counts_only_if_the_server_keeps_something(server: Server, admin: Admin):
    admin(f"CREATE SNAPSHOT sc_covered_before FOR TABLE {SHOP} orders")
    admin(f"ALTER TABLE {SHOP}.orders ADD COLUMN w INT")
    admin(f"CREATE SNAPSHOT sc_covered_after FOR TABLE {SHOP} orders")
    kept = ["sc_covered_before"] if server.release >= (4, 1) else ["sc_covered_after", "sc_covered_before"]
    assert sources(coverage(server)) == {"items": [], "orders": kept}


@pytest.mark.releases(since=(4, 1))
@pytest.mark.usefixtures("shop")
def test_partitioned_table_is_not_protected_by_its_own_snapshot(server: Server, admin: Admin):
    admin(f"CREATE TABLE {SHOP}.parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2")
    admin(f"CREATE SNAPSHOT sc_covered_parts FOR TABLE {SHOP} parts")
    admin(f"CREATE PITR sc_covered_pitr FOR DATABASE {SHOP} TABLE parts RANGE 1 'd'")
    assert sources(coverage(server))["parts"] == []
    admin(f"CREATE SNAPSHOT sc_covered_all FOR DATABASE {SHOP}")
    assert sources(coverage(server))["parts"] == ["sc_covered_all"]


@pytest.mark.usefixtures("shop")
def test_coverage_of_another_account_is_its_own(server: Server, admin: Admin):
    admin(f"CREATE SNAPSHOT sc_covered_sys FOR DATABASE {SHOP}")
    clean_up(admin, accounts=(ACCOUNT,))
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {SHOP}")
        connection.exec_driver_sql(f"CREATE TABLE {SHOP}.orders (id INT PRIMARY KEY)")
        connection.commit()
        recovery = Recovery(connection)
        assert sources(recovery.coverage(database=SHOP)) == {"orders": []}
        recovery.create_snapshot("sc_covered_own")
        assert sources(recovery.coverage(database=SHOP)) == {"orders": ["sc_covered_own"]}
        assert sources(recovery.coverage()) == {"orders": ["sc_covered_own"]}
        recovery.drop_snapshot("sc_covered_own")
    admin(f"DROP ACCOUNT {ACCOUNT}")


@pytest.mark.usefixtures("shop")
def test_coverage_of_a_missing_database_is_not_found(server: Server):
    with pytest.raises(RecoveryError, match="there is no database 'sc_nowhere'") as refused:
        coverage(server, "sc_nowhere")
    assert refused.value.reason is Reason.NOT_FOUND
    with pytest.raises(MatrixOneArgumentError):
        coverage(server, "")


@pytest.mark.usefixtures("shop")
def test_coverage_within_a_transaction_leaves_it_alone(server: Server, admin: Admin):
    with server.engine().connect() as connection:
        connection.exec_driver_sql(f"INSERT INTO {SHOP}.items VALUES (1)")
        assert sources(Recovery(connection).coverage(database=SHOP.upper())) == {"items": [], "orders": []}
        connection.commit()
    assert admin(f"SELECT id FROM {SHOP}.items") == [(1,)]


@pytest.mark.usefixtures("shop")
def test_coverage_of_a_lengthened_pitr_begins_when_it_was_lengthened(server: Server, admin: Admin):
    admin(f"CREATE PITR sc_covered_pitr FOR DATABASE {SHOP} RANGE 1 'h'")
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        pitr = recovery.alter_pitr("sc_covered_pitr", range=dt.timedelta(days=2))
        [orders] = [each for each in recovery.coverage(database=SHOP) if each.table == "orders"]
    assert orders.earliest is not None
    assert abs(orders.earliest - pitr.modified_at) <= dt.timedelta(seconds=1)


@pytest.mark.usefixtures("shop")
def test_pitr_of_unknown_activity_is_no_source_but_named(server: Server, admin: Admin):
    """This is the case for an account other than sys, if it was created in the same second as its database."""
    clean_up(admin, accounts=(ACCOUNT,))
    with server.engine(server.url(user=f"{ACCOUNT}:admin", password="111")).connect() as connection:
        recovery = Recovery(connection)
        for _ in range(5):  # until both are in the same second
            for statement in (
                "DROP PITR IF EXISTS sc_covered_pitr",
                f"DROP DATABASE IF EXISTS {SHOP}",
                f"CREATE DATABASE {SHOP}",
                f"CREATE PITR sc_covered_pitr FOR DATABASE {SHOP} RANGE 1 'd'",
                f"CREATE TABLE {SHOP}.orders (id INT PRIMARY KEY)",
            ):
                connection.exec_driver_sql(statement)
                connection.commit()
            if recovery.list_pitrs()[0].active is None:
                break
        [orders] = recovery.coverage(database=SHOP)
        assert (orders.sources, [pitr.name for pitr in orders.unknown]) == ((), ["sc_covered_pitr"])
        [entry] = recovery.timeline(database=SHOP).entries
        assert entry.kind == "unknown"
        recovery.drop_pitr("sc_covered_pitr")
    admin(f"DROP ACCOUNT {ACCOUNT}")
