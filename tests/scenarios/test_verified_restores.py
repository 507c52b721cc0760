"""Compare restores with their source, and refuse them if nothing keeps what they would restore."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from sqlalchemy_matrixone import Reason, Recovery, RestoreError, RestoreWarning
from sqlalchemy_matrixone.recovery import restoring

from .client import clean_up, drop_accounts, drop_databases
from .server import Admin, Server

SHOP, ACCOUNT = "sc_verified", "sc_verifier"
LEVELS = {"database": {"database": SHOP}, "table": {"database": SHOP, "table": "orders"}}


@pytest.fixture(name="connection")
def connection_fixture(server: Server, admin: Admin) -> Iterator[Connection]:
    clean_up(admin, SHOP)
    with server.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"USE {SHOP}")
        yield connection
    clean_up(admin)
    drop_databases(admin, SHOP)


def run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)


@pytest.mark.parametrize("level", LEVELS)
def test_verified_restore_succeeds_when_all_is_as_it_was(connection: Connection, level: str) -> None:
    run(
        connection,
        "ALTER TABLE orders ADD COLUMN j JSON, ADD COLUMN at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6)",
        "ALTER TABLE orders ADD COLUMN v VECF32(3), ADD COLUMN b BLOB",
        "INSERT INTO orders (id, note, j, v, b) "
        "VALUES (3, '漢字 %% | ''', '{\"a\": [1, null]}', '[1, 2, 3]', x'00ff27')",
        "CREATE TABLE items (id INT PRIMARY KEY AUTO_INCREMENT, price DECIMAL(8, 2), KEY by_price (price))",
        "INSERT INTO items (price) VALUES (1.5), (NULL)",
        "CREATE TABLE empty (a DOUBLE)",
        "CREATE VIEW seen AS SELECT id FROM orders",
        "CREATE SEQUENCE numbers",
        "SELECT NEXTVAL('numbers')",
    )
    recovery = Recovery(connection)
    recovery.create_snapshot("sc_verified", database=SHOP)
    run(connection, "UPDATE orders SET note = 'changed'", "DELETE FROM items", "SELECT NEXTVAL('numbers')")
    recovery.restore_snapshot("sc_verified", **LEVELS[level], verify=True)  # type: ignore[arg-type]
    assert connection.exec_driver_sql("SELECT note FROM orders WHERE id = 1").scalar() == "first"


@pytest.mark.parametrize("level", LEVELS)
def test_verified_restore_names_what_differs(
    connection: Connection, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(connection, "CREATE TABLE items (id INT PRIMARY KEY)", "CREATE VIEW seen AS SELECT id FROM items")
    recovery = Recovery(connection)
    recovery.create_snapshot("sc_verified", database=SHOP)
    monkeypatch.setattr(restoring, "_execute", lambda *_: None)  # a server that restores nothing
    run(
        connection,
        "ALTER TABLE orders ADD COLUMN w INT",
        "UPDATE orders SET note = 'changed' WHERE id = 1",
        "DROP VIEW seen",
        "DROP TABLE items",
    )
    with pytest.raises(RestoreError, match="carried out, but its result differs") as failed:
        recovery.restore_snapshot("sc_verified", **LEVELS[level], verify=True)  # type: ignore[arg-type]
    assert failed.value.reason is Reason.INCOMPLETE
    assert failed.value.done is True
    message = str(failed.value)
    if level == "table":
        assert "rows of table is (2, " in message
        assert "column w was not there" in message
    else:
        assert "rows of table orders is (2, " in message
        assert "column orders.w was not there" in message
        assert "table items is missing" in message
        assert "view seen is missing" in message


def test_verified_restore_of_another_account_is_refused(server: Server, admin: Admin, connection: Connection) -> None:
    clean_up(admin, accounts=(ACCOUNT,))
    recovery = Recovery(connection)
    recovery.create_snapshot("sc_verified", account=ACCOUNT)
    with pytest.raises(RestoreError, match="was not sent: verify=True") as refused:
        recovery.restore_snapshot("sc_verified", account=ACCOUNT, verify=True)
    assert refused.value.reason is Reason.UNSUPPORTED
    drop_accounts(admin, ACCOUNT)


def moment_after_replacement(server: Server, connection: Connection) -> int:
    """Give the table another id after its PITR was created, then rows; return a moment at which it has them."""
    time.sleep(1.1 * server.live)
    run(connection, "TRUNCATE TABLE orders", "INSERT INTO orders VALUES (7, 'unprotected')")
    time.sleep(1.1 * server.live)
    moment = int(connection.exec_driver_sql("SELECT UNIX_TIMESTAMP()").scalar_one()) * 10**9
    time.sleep(1.1 * server.live)
    run(connection, "UPDATE orders SET note = 'changed'")
    return moment


def test_restore_to_a_time_that_no_pitr_keeps_is_refused(server: Server, connection: Connection) -> None:
    recovery = Recovery(connection)
    recovery.create_pitr("sc_table", range="1d", database=SHOP, table="orders")
    moment = moment_after_replacement(server, connection)
    with pytest.raises(RestoreError, match="was not sent: no PITR keeps the history of this table") as refused:
        recovery.restore_pitr("sc_table", mo_ts=moment, database=SHOP, table="orders")
    assert refused.value.reason is Reason.NOT_COVERED
    assert connection.exec_driver_sql("SELECT note FROM orders").scalars().all() == ["changed"]


def test_restore_to_a_time_that_another_pitr_keeps_is_done(server: Server, connection: Connection) -> None:
    recovery = Recovery(connection)
    recovery.create_pitr("sc_table", range="1d", database=SHOP, table="orders")
    recovery.create_pitr("sc_database", range="1d", database=SHOP)
    moment = moment_after_replacement(server, connection)
    recovery.restore_pitr("sc_table", mo_ts=moment, database=SHOP, table="orders")
    assert connection.exec_driver_sql("SELECT note FROM orders").scalars().all() == ["unprotected"]


def test_restore_to_a_time_before_the_pitr_is_out_of_range(server: Server, connection: Connection) -> None:
    recovery = Recovery(connection)
    pitr = recovery.create_pitr("sc_database", range="1d", database=SHOP)
    before = (int(pitr.created_at.timestamp()) - 60) * 10**9
    for moment in (before, before + 3600 * 10**9):
        with pytest.raises(RestoreError) as refused:
            recovery.restore_pitr("sc_database", mo_ts=moment, database=SHOP)
        assert refused.value.reason is Reason.OUT_OF_RANGE


def test_restore_by_another_account_to_a_time_that_no_pitr_keeps_warns(server: Server, admin: Admin) -> None:
    clean_up(admin, accounts=(ACCOUNT,))
    engine = server.engine(server.url(user=f"{ACCOUNT}:admin", password="111"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        run(connection, f"CREATE DATABASE {SHOP}", f"USE {SHOP}")
        run(connection, "CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(40))")
        time.sleep(1.1 * server.live)
        recovery = Recovery(connection)
        recovery.create_pitr("sc_table", range="1d", database=SHOP, table="orders")
        moment = moment_after_replacement(server, connection)
        with pytest.warns(RestoreWarning, match="no PITR keeps the history of this table") as told:
            recovery.restore_pitr("sc_table", mo_ts=moment, database=SHOP, table="orders")
        assert told[0].filename == __file__
    drop_accounts(admin, ACCOUNT)
