"""Refuse restores of tables that foreign keys refer to, which the server would skip without an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sqlalchemy_matrixone import Reason, Recovery, RestoreError, RestoreSnapshot

from .client import clean_up, drop_databases, make_databases
from .server import Admin, Server

SHOP, OTHER = "sc_shop", "sc_other"
CREATE = (
    f"CREATE TABLE {SHOP}.items (id INT PRIMARY KEY, v INT, o INT, FOREIGN KEY (o) REFERENCES {SHOP}.orders (id))",
    f"INSERT INTO {SHOP}.items VALUES (1, 1, 1)",
)
TREE = f"CREATE TABLE {SHOP}.tree (id INT PRIMARY KEY, up INT, FOREIGN KEY (up) REFERENCES {SHOP}.tree (id))"
REFER = f"CREATE TABLE {OTHER}.bills (id INT PRIMARY KEY, o INT, FOREIGN KEY (o) REFERENCES {SHOP}.orders (id))"


@pytest.fixture
def recovery(server: Server, admin: Admin) -> Iterator[Recovery]:
    drop_databases(admin, OTHER)  # first: a key of it refers to the shop
    clean_up(admin, SHOP)
    make_databases(admin, OTHER)
    admin.prepare("items of orders", *CREATE)
    with server.engine(server.url(database=SHOP)).connect() as connection:
        yield Recovery(connection)
    drop_databases(admin, OTHER, SHOP)


def test_restore_database_with_foreign_keys_inside_it(recovery: Recovery, admin: Admin) -> None:
    recovery.create_snapshot("sc_snap", database=SHOP)
    admin(f"UPDATE {SHOP}.items SET v = 2")
    admin(f"UPDATE {SHOP}.orders SET note = 'changed'")
    recovery.restore_snapshot("sc_snap", table="items", database=SHOP)
    assert admin(f"SELECT v FROM {SHOP}.items") == [(1,)]
    recovery.restore_snapshot("sc_snap", database=SHOP)
    assert admin(f"SELECT note FROM {SHOP}.orders ORDER BY id") == [("first",), ("second",)]
    recovery.drop_snapshot("sc_snap")


def test_restore_table_referenced_by_another_table_is_refused(recovery: Recovery, admin: Admin, server: Server) -> None:
    recovery.create_pitr("sc_pitr", range="1d", database=SHOP)
    snapshot = recovery.create_snapshot("sc_snap", table="orders", database=SHOP)
    admin(f"UPDATE {SHOP}.orders SET note = 'changed'")
    with pytest.raises(RestoreError, match="foreign keys refer to orders of 'sc_shop'") as refusal:
        recovery.restore_snapshot("sc_snap", table="orders", database=SHOP)
    assert refusal.value.reason is Reason.UNSUPPORTED
    advice = str(refusal.value)
    assert "account" not in advice
    assert "drop" not in advice
    assert "Recovery.restore_rows()" in advice
    assert "restore database='sc_shop', which contains all the keys" in advice
    assert "restore-rows on the command line" in advice
    assert ("under another name with as_name=" in advice) is (server.release >= (3, 0))
    with pytest.raises(RestoreError, match="foreign keys refer to orders"):
        recovery.restore_pitr("sc_pitr", timestamp=snapshot.created_at, table="orders", database=SHOP)
    with server.engine().connect() as connection, pytest.raises(RestoreError, match="foreign keys refer to orders"):
        connection.execute(RestoreSnapshot("sc_snap", table="orders", database=SHOP))
    # The reason: so it ends when it is sent.
    form = "RESTORE TABLE {0}.orders {{SNAPSHOT = sc_snap}}"
    if server.release < (4, 0):
        form = "RESTORE ACCOUNT sys DATABASE {0} TABLE orders FROM SNAPSHOT sc_snap"
    admin(form.format(SHOP))
    assert admin(f"SELECT DISTINCT note FROM {SHOP}.orders") == [("changed",)]
    admin(f"DROP TABLE {SHOP}.items")
    recovery.restore_snapshot("sc_snap", table="orders", database=SHOP)
    assert admin(f"SELECT note FROM {SHOP}.orders ORDER BY id") == [("first",), ("second",)]
    recovery.drop_pitr("sc_pitr")
    recovery.drop_snapshot("sc_snap")


def test_restore_database_referenced_by_another_database_is_refused(recovery: Recovery, admin: Admin) -> None:
    admin(REFER)
    recovery.create_snapshot("sc_snap", database=SHOP)
    with pytest.raises(RestoreError, match="foreign keys refer to orders") as refusal:
        recovery.restore_snapshot("sc_snap", database=SHOP)
    assert "Recovery.restore_rows()" in str(refusal.value)
    assert "restore database=" not in str(refusal.value)
    recovery.drop_snapshot("sc_snap")


def test_restore_database_refusal_names_all_referenced_tables(recovery: Recovery, admin: Admin) -> None:
    admin(REFER)
    admin(f"CREATE TABLE {OTHER}.parts (id INT PRIMARY KEY, i INT, FOREIGN KEY (i) REFERENCES {SHOP}.items (id))")
    recovery.create_snapshot("sc_snap", database=SHOP)
    with pytest.raises(RestoreError, match="foreign keys refer to items, orders"):
        recovery.restore_snapshot("sc_snap", database=SHOP)
    recovery.drop_snapshot("sc_snap")


def test_restore_self_referencing_table_is_refused_by_release(recovery: Recovery, admin: Admin, server: Server) -> None:
    admin(TREE)
    admin(f"INSERT INTO {SHOP}.tree VALUES (1, NULL)")
    recovery.create_snapshot("sc_snap", database=SHOP)
    admin(f"DELETE FROM {SHOP}.tree")
    with pytest.raises(RestoreError, match="foreign keys refer to tree"):
        recovery.restore_snapshot("sc_snap", table="tree", database=SHOP)
    if server.release < (4, 2):
        with pytest.raises(RestoreError, match="foreign keys refer to tree"):
            recovery.restore_snapshot("sc_snap", database=SHOP)
    else:
        recovery.restore_snapshot("sc_snap", database=SHOP)
        assert admin(f"SELECT id FROM {SHOP}.tree") == [(1,)]
    recovery.drop_snapshot("sc_snap")
