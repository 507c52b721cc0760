"""Forms of the grammar that test_lifecycle.py does not use, and names of every kind."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, exc, inspect

from sqlalchemy_matrixone import (
    CreatePitr,
    CreateSnapshot,
    DropPitr,
    DropSnapshot,
    Reason,
    Recovery,
    RestoreError,
    RestorePitr,
    RestoreSnapshot,
    SnapshotError,
)

from .client import clean_up, drop_accounts, moment
from .server import Admin, Server

FROM, TO = "sc_acc", "sc_acc2"


@pytest.fixture
def accounts(admin: Admin) -> None:
    admin.unrecorded("DROP PUBLICATION IF EXISTS sc_pub")
    clean_up(admin, "sc_shop", accounts=(FROM, TO))


def engine_of(server: Server, account: str) -> Engine:
    return server.engine(server.url(user=f"{account}:admin", password="111"), isolation_level="AUTOCOMMIT")


def shops(server: Server, account: str) -> int:
    with engine_of(server, account).connect() as connection:
        return len(connection.exec_driver_sql("SHOW DATABASES LIKE 'sc_shop'").all())


def test_restore_account_to_another_account_from_a_cluster_pitr(server: Server, admin: Admin, accounts: None):
    with engine_of(server, FROM).connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE sc_shop")
        connection.exec_driver_sql("CREATE TABLE sc_shop.orders (id INT PRIMARY KEY)")
    with server.engine(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(CreatePitr("sc_pitr", range="1h", cluster=True))
        when = moment(server, admin)
        connection.execute(RestorePitr("sc_pitr", timestamp=when, account=FROM, to_account=TO))
        assert shops(server, TO) == 1
        connection.execute(DropPitr("sc_pitr"))
    drop_accounts(admin, FROM, TO)


@pytest.mark.releases(since=(4, 0))
def test_restore_database_to_another_account_is_refused(server: Server, admin: Admin, accounts: None):
    """The server accepts TO ACCOUNT, but replaces the original, so the construct is refused."""
    with server.engine(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(CreateSnapshot("sc_snap", database="sc_shop"))
        admin("DELETE FROM sc_shop.orders")
        with pytest.raises(exc.CompileError, match="ignores it and replaces the original"):
            connection.execute(RestoreSnapshot("sc_snap", database="sc_shop", to_account=TO))
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(0,)]
        connection.exec_driver_sql(f"RESTORE DATABASE sc_shop {{SNAPSHOT = sc_snap}} TO ACCOUNT {TO}")
        assert shops(server, TO) == 0
        assert admin("SELECT COUNT(*) FROM sc_shop.orders") == [(2,)]
        connection.execute(DropSnapshot("sc_snap"))
    drop_accounts(admin, FROM, TO)


@pytest.mark.releases(since=(4, 0))
def test_snapshot_of_a_publication_belongs_to_the_publisher(server: Server, admin: Admin, accounts: None):
    admin(f"CREATE PUBLICATION sc_pub DATABASE sc_shop ACCOUNT {FROM}")
    source = {"from_account": "sys", "publication": "sc_pub"}
    with engine_of(server, FROM).connect() as connection:
        connection.execute(CreateSnapshot("sc_pd", database="sc_shop", **source))
        connection.execute(CreateSnapshot("sc_pt", table="orders", database="sc_shop", **source))
        connection.execute(CreateSnapshot("sc_pa", **source))
        assert Recovery(connection).list_snapshots() == []
    with server.engine().connect() as connection:
        made = {snapshot.name: snapshot.level for snapshot in Recovery(connection).list_snapshots()}
    assert made.items() >= {"sc_pd": "database", "sc_pt": "table", "sc_pa": "account"}.items()
    clean_up(admin)
    admin.unrecorded("DROP PUBLICATION sc_pub")
    drop_accounts(admin, FROM, TO)


@pytest.mark.releases(since=(4, 1))
def test_restore_database_of_another_account_from_its_pitr_is_not_permitted(
    server: Server, admin: Admin, accounts: None
):
    """The grammar contains it, but no user has the right to use it."""
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        recovery.create_pitr("sc_pitr", range="1h", account=FROM)
        with pytest.raises(RestoreError) as refusal:
            recovery.restore_pitr("sc_pitr", timestamp=moment(server, admin), account=FROM, database="sc_shop")
        assert refusal.value.reason is Reason.NOT_PERMITTED
        recovery.drop_pitr("sc_pitr")
    drop_accounts(admin, FROM, TO)


NAMES = ["UPPER", "select", "snapshot", "a-b", "快照", "100%", "%s", "a:c", "#1;--", "x" * 61]


@pytest.mark.parametrize("name", NAMES)
def test_snapshot_and_pitr_names_of_every_kind_are_kept(server: Server, admin: Admin, name: str):
    clean_up(admin, "sc_shop")
    name = f"sc_{name}"
    with server.engine().connect() as connection:
        recovery = Recovery(connection)
        assert recovery.create_snapshot(name, database="sc_shop").name == name.lower()
        assert recovery.create_pitr(name, range="1h", database="sc_shop").name == name.lower()
        when = moment(server, admin)
        assert inspect(connection).has_snapshot(name)
        assert inspect(connection).has_pitr(name)
        recovery.restore_snapshot(name, table="orders", database="sc_shop")
        recovery.restore_pitr(name, timestamp=when, table="orders", database="sc_shop")
        assert recovery.alter_pitr(name, range="2h").range == "2h"
        recovery.drop_pitr(name)
        recovery.drop_snapshot(name)
        assert recovery.get_snapshot(name) is recovery.get_pitr(name) is None


OBJECTS = ["UPPER", "select", "a-b", "快照", "100%", "%s", "a:c", "#1;--", "x" * 62]


def test_table_name_that_the_server_refuses_raises(server: Server, admin: Admin):
    clean_up(admin, "sc_shop")
    admin("CREATE TABLE sc_shop.`a.b` (id INT PRIMARY KEY)")
    with server.engine().connect() as connection, pytest.raises(SnapshotError, match="invalid table name"):
        Recovery(connection).create_snapshot("sc_snap", table="a.b", database="sc_shop")


@pytest.mark.parametrize("name", OBJECTS)
def test_database_and_table_names_of_every_kind_are_kept(server: Server, admin: Admin, name: str):
    """Whatever the server lets one call a database or table, a construct means that very one."""
    clean_up(admin, "sc_shop")
    name = f"sc_{name}"
    engine = server.engine()
    quoted = engine.dialect.identifier_preparer.quote_identifier(name).replace("%%", "%")
    admin.unrecorded(f"DROP DATABASE IF EXISTS {quoted}")
    admin(f"CREATE DATABASE {quoted}")
    admin(f"CREATE TABLE {quoted}.{quoted} (id INT PRIMARY KEY)")
    with engine.connect() as connection:
        recovery = Recovery(connection)
        snapshot = recovery.create_snapshot("sc_snap", table=name, database=name)
        assert (snapshot.database, snapshot.table) == (name.lower(), name.lower())
        assert recovery.list_snapshots(table=name, database=name) == [snapshot]
        admin(f"INSERT INTO {quoted}.{quoted} VALUES (1)")
        recovery.restore_snapshot("sc_snap", table=name, database=name)
        assert admin(f"SELECT COUNT(*) FROM {quoted}.{quoted}") == [(0,)]
        pitr = recovery.create_pitr("sc_pitr", range="1h", table=name, database=name)
        assert (pitr.database, pitr.table) == (name.lower(), name.lower())
        recovery.recovery_windows(table=name, database=name)
        recovery.drop_pitr("sc_pitr")
        recovery.drop_snapshot("sc_snap")
    admin.unrecorded(f"DROP DATABASE {quoted}")
