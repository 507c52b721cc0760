"""Restore dropped tables and databases as they were at the last moment at which they existed."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from sqlalchemy_matrixone import Reason, Recovery, RestoreError, RestoreWarning

from .client import DRIVERS, Client, clean_up, drop_databases
from .server import Admin, Server

SHOP, COPY = "sc_undrop", "sc_undrop_copy"


@pytest.fixture(name="connection")
def connection_fixture(server: Server, admin: Admin) -> Iterator[Connection]:
    """Connect to a database with two tables, which is a second old."""
    clean_up(admin, SHOP)
    drop_databases(admin, COPY)
    with server.engine(server.url(database=SHOP)).connect() as connection:
        run(
            connection,
            "CREATE TABLE items (id INT PRIMARY KEY AUTO_INCREMENT, order_id INT, note VARCHAR(40), "
            "KEY by_note (note), CONSTRAINT of_order FOREIGN KEY (order_id) REFERENCES orders (id))",
            "INSERT INTO items (order_id, note) VALUES (1, 'first'), (2, 'second')",
            "CREATE SEQUENCE numbers START WITH 7",
            "SELECT NEXTVAL('numbers')",
        )
        pause(server)
        yield connection
        connection.rollback()
    clean_up(admin)
    drop_databases(admin, SHOP, COPY)


def run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
        connection.commit()


def pause(server: Server) -> None:
    time.sleep(1.1 * server.live)


def protect(server: Server, connection: Connection) -> Recovery:
    recovery = Recovery(connection)
    recovery.create_pitr("sc_undrop", range="1d", database=SHOP)
    pause(server)
    return recovery


def now(connection: Connection) -> dt.datetime:
    [[seconds]] = connection.exec_driver_sql("SELECT UNIX_TIMESTAMP()").all()
    connection.rollback()
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)


def scalars(connection: Connection, statement: str) -> list[object]:
    found = list(connection.exec_driver_sql(statement).scalars())
    connection.rollback()
    return found


def test_dropped_table_comes_back_with_its_last_rows_index_and_foreign_key(
    server: Server, connection: Connection
) -> None:
    recovery = protect(server, connection)
    before = now(connection)
    run(connection, "INSERT INTO items (order_id, note) VALUES (1, 'last')", "DROP TABLE items")
    moment = recovery.undrop(table="items", database=SHOP)
    assert before <= moment <= now(connection) + dt.timedelta(seconds=1)
    assert scalars(connection, "SELECT note FROM items ORDER BY id") == ["first", "second", "last"]
    assert scalars(connection, "SELECT id FROM items WHERE note = 'last'") == [3]
    [[_, created]] = connection.exec_driver_sql("SHOW CREATE TABLE items").all()
    assert "KEY `by_note` (`note`)" in created
    assert "FOREIGN KEY (`order_id`) REFERENCES `orders` (`id`)" in created


def test_dropped_database_comes_back_with_its_sequence_and_is_protected(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    run(connection, f"DROP DATABASE {SHOP}")
    pause(server)
    recovery.undrop(database=SHOP)
    run(connection, f"USE {SHOP}")
    assert scalars(connection, "SELECT note FROM items ORDER BY id") == ["first", "second"]
    assert scalars(connection, "SELECT NEXTVAL('numbers')") == ["8"]
    assert [pitr.active for pitr in recovery.list_pitrs(database=SHOP) if pitr.name != "sc_undrop"] == [True]
    recovery.drop_pitr(SHOP)


@pytest.mark.releases(since=(3, 0))
def test_dropped_database_comes_back_without_its_functions_and_names_them(
    server: Server, admin: Admin, connection: Connection
) -> None:
    admin(f"USE {SHOP}")
    admin("CREATE FUNCTION plus (x INT) RETURNS INT LANGUAGE SQL AS '$1 + 1'")
    recovery = protect(server, connection)
    admin(f"DROP DATABASE {SHOP}")  # in a transaction it would drop the functions before the database
    with pytest.warns(RestoreWarning, match="but lost: function `plus`"):
        recovery.undrop(database=SHOP)


def test_dropped_table_comes_back_from_a_snapshot_when_there_is_no_pitr(server: Server, connection: Connection) -> None:
    recovery = Recovery(connection)
    snapshot = recovery.create_snapshot("sc_undrop", database=SHOP)
    run(connection, "INSERT INTO items (order_id, note) VALUES (1, 'last')", "DROP TABLE items")
    with pytest.warns(RestoreWarning, match="as of snapshot 'sc_undrop', .* and the drop is missing"):
        assert recovery.undrop(table="items", database=SHOP) == snapshot.created_at
    assert scalars(connection, "SELECT note FROM items ORDER BY id") == ["first", "second"]


@pytest.mark.releases(since=(3, 0))
def test_former_table_comes_back_beside_a_new_one_of_its_name(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    run(connection, "DROP TABLE items", "CREATE TABLE items (id INT PRIMARY KEY)", "INSERT INTO items VALUES (9)")
    pause(server)
    with pytest.raises(RestoreError, match=r"table sc_undrop\.items exists\. Bring .* as_name=") as refused:
        recovery.undrop(table="items", database=SHOP)
    assert refused.value.reason is Reason.EXISTS
    recovery.undrop(table="items", database=SHOP, as_name="items_before")
    assert scalars(connection, "SELECT note FROM items_before ORDER BY id") == ["first", "second"]
    assert scalars(connection, "SELECT id FROM items") == [9]


def test_table_that_was_dropped_twice_comes_back_as_of_the_last_time(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    run(connection, "DROP TABLE items")
    pause(server)
    run(
        connection, "CREATE TABLE items (id INT PRIMARY KEY, note VARCHAR(40))", "INSERT INTO items VALUES (9, 'later')"
    )
    pause(server)
    run(connection, "DROP TABLE items")
    pause(server)
    recovery.undrop(table="items", database=SHOP)
    assert scalars(connection, "SELECT note FROM items") == ["later"]


@pytest.mark.releases(since=(3, 0))
def test_dropped_database_comes_back_under_another_name(server: Server, connection: Connection) -> None:
    protect(server, connection)
    run(connection, f"DROP DATABASE {SHOP}")
    with server.engine().connect() as other:  # of the engine's database, it would find none to put sequences back
        Recovery(other).undrop(database=SHOP, as_name=COPY)
    run(connection, f"USE {COPY}")
    assert scalars(connection, "SELECT note FROM items ORDER BY id") == ["first", "second"]
    assert scalars(connection, "SELECT NEXTVAL('numbers')") == ["8"]
    assert scalars(connection, f"SELECT COUNT(*) FROM mo_catalog.mo_database WHERE datname = '{SHOP}'") == [0]


@pytest.mark.releases(until=(3, 0))
def test_undrop_under_another_name_is_refused_before_3_0(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    run(connection, "DROP TABLE items")
    with pytest.raises(RestoreError, match=r"as_name= needs MatrixOne 3\.0") as refused:
        recovery.undrop(table="items", database=SHOP, as_name="items_before")
    assert refused.value.reason is Reason.UNSUPPORTED


def test_undrop_of_an_unprotected_table_is_refused(server: Server, connection: Connection) -> None:
    run(connection, "DROP TABLE items")
    with pytest.raises(RestoreError, match="nothing was done") as refused:
        Recovery(connection).undrop(table="items", database=SHOP)
    assert refused.value.reason is Reason.NOT_COVERED


@pytest.mark.releases(since=(3, 0))
def test_undrop_of_a_table_whose_parent_or_database_is_missing_names_it(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    run(connection, "DROP TABLE items", "DROP TABLE orders")
    pause(server)
    with pytest.raises(
        RestoreError, match="a foreign key of it refers to table 'orders', which does not exist"
    ) as refused:
        recovery.undrop(table="items", database=SHOP)
    assert refused.value.reason is Reason.NOT_FOUND
    run(connection, f"DROP DATABASE {SHOP}")
    with pytest.raises(RestoreError, match=f"its database '{SHOP}' does not exist. Bring that back first"):
        recovery.undrop(table="items", database=SHOP)


def test_undrop_of_a_table_that_never_existed_is_not_found(server: Server, connection: Connection) -> None:
    with pytest.raises(RestoreError) as refused:
        protect(server, connection).undrop(table="nothing", database=SHOP)
    assert refused.value.reason is Reason.NOT_FOUND


def test_undrop_after_other_statements_of_a_transaction_is_refused(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    connection.exec_driver_sql("SELECT 1")
    with pytest.raises(RestoreError) as refused:
        recovery.undrop(table="items", database=SHOP)
    assert refused.value.reason is Reason.ACTIVE_TRANSACTION


@pytest.mark.parametrize("driver", DRIVERS)
async def test_dropped_table_comes_back_by_each_driver(server: Server, connection: Connection, driver: str) -> None:
    protect(server, connection)
    run(connection, "DROP TABLE items")
    async with Client.connected(server, driver, database=SHOP) as client:
        await client.undrop(table="items", database=SHOP)
    assert scalars(connection, "SELECT note FROM items ORDER BY id") == ["first", "second"]


@pytest.mark.parametrize("as_name", [None, "Totals_2"])
def test_dropped_view_comes_back_with_its_columns_and_strings(
    server: Server, connection: Connection, as_name: str | None
) -> None:
    run(connection, f"USE {SHOP}", "CREATE VIEW totals (a, b) AS SELECT id AS a, '50%% a\\\\b' AS b FROM items")
    recovery = protect(server, connection)
    run(connection, "DROP VIEW totals")
    recovery.undrop(table="totals", database=SHOP, as_name=as_name)
    found = connection.exec_driver_sql(f"SELECT a, b FROM {SHOP}.{as_name or 'totals'}").all()
    assert found == [(1, "50% a\\b"), (2, "50% a\\b")]


def test_dropped_sequence_comes_back_with_its_value(server: Server, connection: Connection) -> None:
    recovery = protect(server, connection)
    run(connection, f"USE {SHOP}", "DROP SEQUENCE numbers")
    recovery.undrop(table="numbers", database=SHOP)
    assert connection.exec_driver_sql("SELECT NEXTVAL('numbers')").scalar() == "8"


@pytest.mark.releases(since=(3, 0))
def test_undropped_table_is_told_to_be_missing_in_publications_of_its_database(
    server: Server, connection: Connection, admin: Admin
) -> None:
    admin("DROP PUBLICATION IF EXISTS sc_undrop")
    admin("DROP ACCOUNT IF EXISTS sc_undrop_reader")
    admin("CREATE ACCOUNT sc_undrop_reader ADMIN_NAME 'admin' IDENTIFIED BY '111'")
    admin(f"CREATE PUBLICATION sc_undrop DATABASE {SHOP} TABLE items, orders ACCOUNT sc_undrop_reader")
    recovery = protect(server, connection)
    run(connection, f"DROP TABLE {SHOP}.items")
    with pytest.warns(RestoreWarning, match="its place in publication `sc_undrop`, if it had one") as told:
        recovery.undrop(table="items", database=SHOP)
    message = str(told[0].message)
    run(connection, message[message.index("ALTER PUBLICATION") :])
    [row] = connection.exec_driver_sql("SHOW PUBLICATIONS LIKE 'sc_undrop'").all()
    connection.rollback()
    assert sorted(row[2].split(",")) == ["items", "orders"]
    admin("DROP PUBLICATION sc_undrop")
    admin("DROP ACCOUNT sc_undrop_reader")
