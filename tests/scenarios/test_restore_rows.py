"""Restore historical rows inside the transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    DECIMAL,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from sqlalchemy_matrixone import (
    AsyncRecovery,
    MatrixOneArgumentError,
    Reason,
    Recovery,
    RestoreConflict,
    RestoredRows,
    RestoreError,
    RestoreWarning,
    time_travel,
)
from sqlalchemy_matrixone.core.release import UNRELEASED
from sqlalchemy_matrixone.recovery.rows import changes
from sqlalchemy_matrixone.recovery.rows.restore import RowsPlan

from .past import moment
from .server import Admin, Server

SHOP = "rows_shop"
OTHER = "rows_other"
BEFORE = "rows_before"


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    email: Mapped[str] = mapped_column(String(20), unique=True)
    orders: Mapped[list[Order]] = relationship(back_populates="customer")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    line: Mapped[str] = mapped_column(String(5), primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    price: Mapped[Decimal | None] = mapped_column(DECIMAL(8, 2))
    note: Mapped[str | None] = mapped_column(String(20))
    customer: Mapped[Customer] = relationship(back_populates="orders")


CREATE = """
CREATE TABLE customers (id INT PRIMARY KEY, email VARCHAR(20) NOT NULL UNIQUE)
CREATE TABLE orders (id INT, line VARCHAR(5), customer_id INT NOT NULL, price DECIMAL(8, 2), note VARCHAR(20), \
PRIMARY KEY (id, line), CONSTRAINT fk_customer FOREIGN KEY (customer_id) REFERENCES customers (id))
INSERT INTO customers VALUES (1, 'ada'), (2, 'bob'), (3, 'eve')
INSERT INTO orders VALUES (1, 'a', 1, 1.50, 'x'), (1, 'b', 1, 2.50, NULL), (2, 'a', 2, NULL, 'y'), (3, 'a', 3, 4, 'z')
"""
CUSTOMERS = [(1, "ada"), (2, "bob"), (3, "eve")]
ORDERS = [
    (1, "a", 1, Decimal("1.50"), "x"),
    (1, "b", 1, Decimal("2.50"), None),
    (2, "a", 2, None, "y"),
    (3, "a", 3, Decimal("4.00"), "z"),
]


@dataclass
class Shop:
    """Provide a separate database, with a snapshot of its former state."""

    server: Server
    admin: Admin
    session: Session

    @property
    def recovery(self) -> Recovery:
        return Recovery(self.session)

    def run(self, statements: str) -> None:
        """Execute statements as somebody else, each committed at once."""
        for statement in filter(None, statements.splitlines()):
            self.admin(statement)

    def keep(self) -> None:
        """Take the snapshot: everything up to here is the past."""
        self.admin(f"CREATE SNAPSHOT {BEFORE} FOR DATABASE {SHOP}")

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Return the rows as the Session's transaction sees them."""
        found = self.session.execute(text(f"SELECT {columns} FROM {table}"))
        return sorted((tuple(row) for row in found), key=repr)

    def committed(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Return the rows as all others see them."""
        return sorted(self.admin(f"SELECT {columns} FROM {SHOP}.{table}"), key=repr)


@pytest.fixture
def shop(server: Server, admin: Admin) -> Iterator[Shop]:
    clean_up(admin)
    admin.prepare("rows_shop", f"CREATE DATABASE {SHOP}")
    admin(f"USE {SHOP}")
    with Session(server.engine(server.url(database=SHOP))) as session:
        yield Shop(server, admin, session)
    clean_up(admin)


def clean_up(admin: Admin) -> None:
    admin.unrecorded(f"DROP SNAPSHOT IF EXISTS {BEFORE}")
    admin.unrecorded("SET foreign_key_checks = 0")  # or a circle of keys keeps its tables
    for database in (OTHER, SHOP):
        admin.unrecorded(f"DROP DATABASE IF EXISTS {database}")
    admin.unrecorded("SET foreign_key_checks = 1")


@pytest.fixture
def orders(shop: Shop) -> Shop:
    shop.admin.prepare(
        "rows_orders",
        f"USE {SHOP}",
        *filter(None, CREATE.splitlines()),
        f"CREATE SNAPSHOT {BEFORE} FOR DATABASE {SHOP}",
    )
    return shop


@pytest.fixture(params=["by_key", "at_once"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to restore: few rows by their keys, many without."""
    if request.param == "at_once":
        monkeypatch.setattr(changes, "KEY_LIMIT", 0)
    return request.param


def names(conflict: RestoreConflict) -> set[str]:
    return {str(one) for one in conflict.conflicts}


# -- which rows


def test_restore_rows_restores_missing_changed_and_new_rows(orders: Shop, way: str):
    orders.run(
        """
UPDATE orders SET price = 0, note = 'changed' WHERE id = 1
UPDATE orders SET price = 7, note = NULL WHERE id = 2
DELETE FROM orders WHERE id = 3
INSERT INTO orders VALUES (1, 'c', 1, 9, 'new'), (4, 'a', 2, 9, 'new')
"""
    )
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert done == RestoredRows(1, 3, 0, (), {"orders": RestoredRows(1, 3, 0)})
    new = [(1, "c", 1, Decimal("9.00"), "new"), (4, "a", 2, Decimal("9.00"), "new")]
    assert orders.rows("orders") == sorted(ORDERS + new, key=repr)
    done = orders.recovery.restore_rows(Order.__table__, snapshot=BEFORE, new=True)
    assert (done.inserted, done.updated, done.deleted) == (0, 0, 2)
    assert orders.rows("orders") == ORDERS
    assert (orders.recovery.restore_rows(Order, snapshot=BEFORE, new=True)) == RestoredRows(
        by_table={"orders": RestoredRows()}
    )


@pytest.mark.parametrize("kind", ["missing", "changed", "new"])
def test_restore_rows_restores_one_kind_of_rows(orders: Shop, kind: str):
    orders.run(
        """
UPDATE orders SET price = 0 WHERE id = 1
DELETE FROM orders WHERE id = 3
INSERT INTO orders VALUES (4, 'a', 2, 9, 'new')
"""
    )
    kinds = {"missing": False, "changed": False, "new": False, kind: True}
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, **kinds)
    counts = {"missing": (1, 0, 0), "changed": (0, 2, 0), "new": (0, 0, 1)}
    assert (done.inserted, done.updated, done.deleted) == counts[kind]
    left = orders.recovery.preview_rows(Order, snapshot=BEFORE, new=True)
    assert (left.inserted, left.updated, left.deleted) == tuple(
        found - restored for found, restored in zip((1, 2, 1), counts[kind], strict=True)
    )


def test_restore_rows_is_part_of_the_transaction(orders: Shop):
    orders.run("UPDATE orders SET price = 0\nDELETE FROM orders WHERE id = 3")
    damaged = orders.committed("orders")
    orders.recovery.restore_rows(Order, snapshot=BEFORE)
    orders.session.add(Customer(id=9, email="audit"))
    orders.session.flush()
    assert orders.rows("orders") == ORDERS
    assert orders.committed("orders") == damaged
    orders.session.rollback()
    assert orders.rows("orders") == damaged
    orders.session.rollback()
    with orders.session.begin():
        orders.recovery.restore_rows(Order, snapshot=BEFORE)
        orders.session.add(Customer(id=9, email="audit"))
    assert orders.committed("orders") == ORDERS
    assert orders.committed("customers") == [*CUSTOMERS, (9, "audit")]


def test_restore_rows_to_an_instant(shop: Shop):
    shop.run(CREATE)
    before = moment(shop.server, shop.admin)
    shop.run("UPDATE orders SET price = 0\nDELETE FROM orders WHERE id = 3")
    nanoseconds = int(before.timestamp()) * 1_000_000_000
    for when in ({"timestamp": before}, {"timestamp": before.isoformat()}, {"mo_ts": nanoseconds}):
        done = shop.recovery.restore_rows(Order, **when)
        assert (done.inserted, done.updated) == (1, 3)
        assert shop.rows("orders") == ORDERS
        shop.session.rollback()


def test_restore_rows_where_matches_old_or_current_version(orders: Shop, way: str):
    orders.run(
        """
UPDATE orders SET customer_id = 2 WHERE id = 1 AND line = 'a'
UPDATE orders SET customer_id = 1 WHERE id = 3
UPDATE orders SET price = 0 WHERE id = 2
DELETE FROM orders WHERE id = 1 AND line = 'b'
INSERT INTO orders VALUES (4, 'a', 1, 9, 'new'), (4, 'b', 2, 9, 'new')
"""
    )
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, where=Order.customer_id == 1, new=True)
    assert (done.inserted, done.updated, done.deleted) == (1, 2, 1)
    assert orders.rows("orders") == sorted(
        [*ORDERS[:2], (2, "a", 2, Decimal("0.00"), "y"), ORDERS[3], (4, "b", 2, Decimal("9.00"), "new")], key=repr
    )


def test_restore_rows_where_of_one_and_of_several_tables(orders: Shop):
    orders.run("UPDATE orders SET price = 0\nUPDATE customers SET email = concat('x', email)")
    orders_table, customers = Order.__table__, Customer.__table__
    done = orders.recovery.restore_rows(
        [orders_table, customers],
        snapshot=BEFORE,
        where={orders_table: orders_table.c.price.is_(None), Customer: Customer.id > 1},
    )
    assert {name: part.updated for name, part in done.by_table.items()} == {"orders": 1, "customers": 2}
    assert orders.rows("customers") == [(1, "xada"), (2, "bob"), (3, "eve")]


def test_restore_rows_where_of_a_bigint_key(shop: Shop, way: str):
    shop.run("CREATE TABLE t (id BIGINT PRIMARY KEY, n INT)\nINSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
    shop.keep()
    shop.run("UPDATE t SET n = 0 WHERE id < 3\nDELETE FROM t WHERE id >= 3\nINSERT INTO t VALUES (5, 5), (6, 6)")
    t = Table("t", MetaData(), Column("id", Integer, primary_key=True))
    for where, counts in (
        (t.c.id == 2, (0, 1, 0)),
        (t.c.id == 3, (1, 0, 0)),
        (t.c.id == 5, (0, 0, 1)),
        (t.c.id != 2, (2, 1, 2)),
        (t.c.id != 4, (1, 2, 2)),
        (t.c.id != 6, (2, 2, 1)),
    ):
        done = shop.recovery.restore_rows(t, snapshot=BEFORE, where=where, new=True)
        assert (done.inserted, done.updated, done.deleted) == counts
        left = shop.recovery.preview_rows(t, snapshot=BEFORE, new=True)
        assert (left.inserted, left.updated, left.deleted) == tuple(2 - count for count in counts)
        shop.session.rollback()


@pytest.mark.releases(since=(3, 0))
def test_restore_rows_where_subquery_reads_the_present(orders: Shop, way: str):
    orders.run(
        "UPDATE orders SET price = 0\nDELETE FROM orders WHERE id = 1\nUPDATE customers SET email = 'new' WHERE id = 1"
    )
    customers = select(Customer.id).where(Customer.email == "new")
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, where=Order.customer_id.in_(customers))
    assert (done.inserted, done.updated) == (2, 0)
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, where=Order.customer.has(Customer.email == "eve"))
    assert (done.inserted, done.updated) == (0, 1)


@pytest.mark.releases(until=(3, 0))
def test_restore_rows_where_subquery_is_refused_before_3_0(orders: Shop):
    customers = select(Customer.id).where(Customer.email == "new")
    with pytest.raises(RestoreError, match=r"nothing was changed: .* needs MatrixOne 3\.0\.0") as caught:
        orders.recovery.restore_rows(Order, snapshot=BEFORE, where=Order.customer_id.in_(customers))
    assert caught.value.reason is Reason.UNSUPPORTED


def test_restore_rows_of_columns_keeps_newer_values_of_others(orders: Shop, way: str):
    orders.run(
        "UPDATE orders SET price = 0 WHERE id = 1\nUPDATE orders SET note = 'newer'\nDELETE FROM orders WHERE id = 3"
    )
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, columns=[Order.price])
    assert (done.inserted, done.updated) == (1, 2)
    assert orders.rows("orders") == [
        (1, "a", 1, Decimal("1.50"), "newer"),
        (1, "b", 1, Decimal("2.50"), "newer"),
        (2, "a", 2, None, "newer"),
        ORDERS[3],
    ]


# -- which values

TYPES = """
i BIGINT UNSIGNED|18446744073709551615|0
f FLOAT|1.1|2
d DOUBLE|1e300|0.1
n DECIMAL(38,10)|12345678901234567890.1234567891|0
t DATETIME(6)|'2026-01-01 10:00:00.123456'|'2026-01-01 10:00:00.123457'
s TIMESTAMP(6)|'2026-01-01 10:00:00.123456'|NULL
m TIME|'10:11:12'|'10:11:13'
a DATE|'2026-01-01'|NULL
j JSON|'{"a": [1, "x", null]}'|'{"a": [1, "x"]}'
v VECF32(3)|'[0.1, 1e-7, 3]'|'[0.1, 1e-7, 4]'
w VECF64(2)|'[0.1, 2]'|NULL
b BLOB|x'00ff27'|x'00ff'
y VARBINARY(10)|x'00'|x''
x TEXT|'it''s 漢字 100%'|'it''s'
c CHAR(5)|'a'|'A'
e ENUM('red','blue')|'blue'|'red'
o BOOL|true|false
q BIT(10)|b'1010'|b'11'
u UUID|'6d1b1fdb-aa86-11ec-8a3e-000c29847904'|NULL
"""
TYPES_OF_3 = """
k SET('s','m','l')|'s,l'|'m'
z YEAR|2020|1999
"""
TYPES_OF_4_2 = """
g GEOMETRY|ST_GeomFromText('POINT(1 2)')|ST_GeomFromText('POINT(1 3)')
"""


def test_restore_rows_restores_values_of_all_types(shop: Shop, way: str):
    types = TYPES
    if shop.server.release >= (3, 0):
        types += TYPES_OF_3
    if shop.server.release >= (4, 2):
        types += TYPES_OF_4_2
    defined = [line.split("|") for line in filter(None, types.splitlines())]
    columns = ", ".join(name.split()[0] for name, _, _ in defined)
    old, new = (", ".join(line[position] for line in defined) for position in (1, 2))
    nothing = ", ".join("NULL" for _ in defined)
    shop.run(
        f"""
CREATE TABLE things (id INT PRIMARY KEY, {", ".join(name for name, _, _ in defined)})
INSERT INTO things VALUES (1, {old}), (2, {nothing}), (3, {old}), (4, {nothing}), (5, {new})
"""
    )
    shop.keep()
    before = shop.committed("things")
    assignments = ", ".join(f"{name.split()[0]} = {value}" for name, _, value in defined)
    shop.run(f"DELETE FROM things WHERE id IN (3, 4)\nUPDATE things SET {assignments} WHERE id = 2")
    # UPDATE stores a BIT of NULL as 0.
    shop.run(f"UPDATE things SET {assignments.replace('i = 0', 'i = 5').replace('q = NULL', 'q = 1')} WHERE id = 1")
    things = Table("things", MetaData(), Column("id", Integer, primary_key=True))
    preview = shop.recovery.preview_rows(things, snapshot=BEFORE)
    assert (preview.inserted, preview.updated) == (2, 2)
    changed = {row.key["id"]: set(row.changed_columns) for row in preview.rows if row.change == "changed"}
    assert changed[1] == set(columns.split(", "))
    done = shop.recovery.restore_rows(things, snapshot=BEFORE)
    assert (done.inserted, done.updated, done.deleted) == (2, 2, 0)
    assert shop.rows("things", f"id, {columns}") == before


@pytest.mark.releases(since=UNRELEASED)
def test_restore_rows_restores_geometries_with_their_srid(shop: Shop, way: str):
    shop.run(
        """
CREATE TABLE places (id INT PRIMARY KEY, at POINT, area GEOMETRY SRID 4326, way LINESTRING)
INSERT INTO places VALUES (1, ST_GeomFromText('POINT(0.30000000000000004 -1e300)'), \
ST_GeomFromText('POINT(1 2)', 4326), ST_GeomFromText('LINESTRING(0 0, 1 1)')), (2, NULL, NULL, NULL)
"""
    )
    shop.keep()
    before = shop.committed("places")
    shop.run(
        """
UPDATE places SET at = ST_GeomFromText('POINT(1 1)'), area = ST_GeomFromText('POINT(2 1)', 4326), way = NULL
"""
    )
    places = Table("places", MetaData(), Column("id", Integer, primary_key=True))
    assert shop.recovery.restore_rows(places, snapshot=BEFORE).updated == 2
    assert shop.rows("places") == before


def test_restore_rows_restores_on_update_timestamp(shop: Shop, way: str):
    shop.run(
        """
CREATE TABLE t (id INT PRIMARY KEY, n INT, kind ENUM('a', 'b'), \
changed_at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))
INSERT INTO t (id, n, kind) VALUES (1, 1, 'a'), (2, 2, 'a'), (3, 3, 'a')
"""
    )
    shop.keep()
    before = shop.committed("t")
    shop.run("UPDATE t SET n = 0 WHERE id = 1\nUPDATE t SET kind = 'b' WHERE id = 2")
    t = Table("t", MetaData(), Column("id", Integer, primary_key=True))
    assert shop.recovery.restore_rows(t, snapshot=BEFORE).updated == 2
    assert shop.rows("t") == before


@pytest.mark.releases(since=(4, 0))
def test_restore_rows_leaves_generated_columns_to_the_server(shop: Shop):
    shop.run(
        """
CREATE TABLE t (id INT PRIMARY KEY, n INT, doubled INT GENERATED ALWAYS AS (n * 2) STORED)
INSERT INTO t (id, n) VALUES (1, 1), (2, 2)
"""
    )
    shop.keep()
    shop.run("UPDATE t SET n = 5 WHERE id = 1\nDELETE FROM t WHERE id = 2")
    t = Table("t", MetaData(), Column("id", Integer, primary_key=True))
    done = shop.recovery.restore_rows(t, snapshot=BEFORE)
    assert (done.inserted, done.updated, done.skipped_columns) == (1, 1, ("t.doubled",))
    assert shop.rows("t") == [(1, 1, 2), (2, 2, 4)]


def test_restore_rows_skips_added_and_dropped_columns(orders: Shop, way: str):
    orders.run(
        """
ALTER TABLE orders ADD COLUMN region VARCHAR(5) DEFAULT 'eu'
ALTER TABLE orders DROP COLUMN note
UPDATE orders SET price = 0
DELETE FROM orders WHERE id = 3
"""
    )
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert (done.inserted, done.updated) == (1, 3)
    assert done.skipped_columns == ("orders.region", "orders.note")
    assert orders.rows("orders", "id, line, price, region") == [
        (1, "a", Decimal("1.50"), "eu"),
        (1, "b", Decimal("2.50"), "eu"),
        (2, "a", None, "eu"),
        (3, "a", Decimal("4.00"), "eu"),
    ]
    with pytest.raises(MatrixOneArgumentError, match=r"orders\.note, but there is no such column now"):
        orders.recovery.restore_rows(Order, snapshot=BEFORE, where=Order.note == "x")


def test_restore_rows_without_a_value_for_a_new_column_is_refused(orders: Shop):
    orders.run("DELETE FROM orders WHERE id = 3\nALTER TABLE orders ADD COLUMN region VARCHAR(5) NOT NULL DEFAULT ''")
    orders.run("ALTER TABLE orders MODIFY COLUMN region VARCHAR(5) NOT NULL")
    with pytest.raises(RestoreError, match="region did not exist then, cannot be NULL and has no default"):
        orders.recovery.restore_rows(Order, snapshot=BEFORE)


def test_restore_rows_of_a_column_whose_type_changed_is_refused(orders: Shop):
    orders.run("UPDATE orders SET price = 0\nALTER TABLE orders MODIFY COLUMN price INT")
    with pytest.raises(RestoreError, match=r"orders\.price was decimal\(8,2\) then and is int now") as caught:
        orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert caught.value.reason is Reason.UNSUPPORTED
    orders.run("UPDATE orders SET note = 'newer'\nALTER TABLE orders MODIFY COLUMN note VARCHAR(50)")
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, columns=["note"], missing=False)
    assert done.updated == 4


def test_restore_rows_of_a_truncated_table_keeps_new_keys_distinct(shop: Shop, way: str):
    shop.run(
        """
CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, n INT)
INSERT INTO t (n) VALUES (1), (2), (3)
"""
    )
    shop.keep()
    shop.run("TRUNCATE TABLE t")
    t = Table("t", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
    assert shop.recovery.restore_rows(t, snapshot=BEFORE).inserted == 3
    shop.session.execute(insert(t).values(n=4))
    assert sorted(n for _, n in shop.rows("t")) == [1, 2, 3, 4]  # two nodes give ids of different ranges
    assert len({key for key, _ in shop.rows("t")}) == 4


def test_restore_rows_of_a_number_that_would_change_is_refused(shop: Shop):
    shop.run(
        """
CREATE TABLE t (id BIGINT PRIMARY KEY AUTO_INCREMENT, n INT)
INSERT INTO t (n) VALUES (1), (2)
UPDATE t SET id = 0 WHERE n = 1
"""
    )
    shop.keep()
    shop.run("DELETE FROM t WHERE n = 1")
    t = Table("t", MetaData(), Column("id", Integer, primary_key=True))
    with pytest.raises(RestoreConflict) as caught:
        shop.recovery.restore_rows(t, snapshot=BEFORE)
    assert names(caught.value) == {"t (id=0): id was 0, for which the server would insert a new number"}


def test_restore_rows_names_null_that_is_no_longer_allowed(orders: Shop):
    orders.run(
        "UPDATE orders SET price = 1 WHERE id = 2\nALTER TABLE orders MODIFY COLUMN price DECIMAL(8, 2) NOT NULL"
    )
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert names(caught.value) == {"orders (id=2, line='a'): price was NULL then, and cannot be NULL now"}


# -- several tables and rows that refer to each other


@pytest.mark.parametrize("targets", [[Customer, Order], [Order, Customer]])
def test_restore_rows_inserts_parents_first_and_deletes_them_last(orders: Shop, targets: list[Any], way: str):
    orders.run(
        """
DELETE FROM orders
DELETE FROM customers
INSERT INTO customers VALUES (8, 'new'), (9, 'newer')
INSERT INTO orders VALUES (7, 'a', 8, 1, 'new'), (7, 'b', 9, 1, 'new')
"""
    )
    done = orders.recovery.restore_rows(targets, snapshot=BEFORE, new=True)
    assert {name: (part.inserted, part.updated, part.deleted) for name, part in done.by_table.items()} == {
        "customers": (3, 0, 2),
        "orders": (4, 0, 2),
    }
    assert (orders.rows("customers"), orders.rows("orders")) == (CUSTOMERS, ORDERS)


def test_restore_rows_deletes_new_rows_after_references_to_them(orders: Shop, way: str):
    orders.run(
        """
INSERT INTO customers VALUES (9, 'merged')
UPDATE orders SET customer_id = 9
DELETE FROM customers WHERE id = 1
"""
    )
    done = orders.recovery.restore_rows([Order, Customer], snapshot=BEFORE, new=True)
    assert (done.inserted, done.updated, done.deleted) == (1, 4, 1)
    assert (orders.rows("customers"), orders.rows("orders")) == (CUSTOMERS, ORDERS)


TREE = """
CREATE TABLE nodes (id INT PRIMARY KEY, name VARCHAR(5), parent INT, UNIQUE KEY u (parent, name), \
CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES nodes (id) ON DELETE {action})
INSERT INTO nodes VALUES (1, 'a', NULL)
INSERT INTO nodes VALUES (2, 'b', 1), (3, 'c', 1)
INSERT INTO nodes VALUES (4, 'd', 2), (5, 'e', 2)
INSERT INTO nodes VALUES (6, 'f', 4)
"""
NODES = [(1, "a", None), (2, "b", 1), (3, "c", 1), (4, "d", 2), (5, "e", 2), (6, "f", 4)]
NODE = Table("nodes", MetaData(), Column("id", Integer, primary_key=True))


@pytest.mark.parametrize("action", ["RESTRICT", "CASCADE"])
def test_restore_rows_of_a_self_referencing_table(shop: Shop, way: str, action: str):
    shop.run(TREE.format(action=action))
    shop.keep()
    shop.run(
        """
DELETE FROM nodes WHERE id = 6
DELETE FROM nodes WHERE id = 4
UPDATE nodes SET parent = 3 WHERE id = 5
INSERT INTO nodes VALUES (7, 'n', 3)
INSERT INTO nodes VALUES (8, 'n', 7)
INSERT INTO nodes VALUES (9, 'n', 8)
UPDATE nodes SET parent = 9 WHERE id = 2
"""
    )
    done = shop.recovery.restore_rows(NODE, snapshot=BEFORE)
    assert (done.inserted, done.updated) == (2, 2)
    shop.session.rollback()
    done = shop.recovery.restore_rows(NODE, snapshot=BEFORE, new=True)
    assert (done.inserted, done.updated, done.deleted) == (2, 2, 3)
    assert shop.rows("nodes") == NODES


def test_restore_rows_of_a_changed_child_and_its_missing_parent_in_one_table(shop: Shop, way: str):
    shop.run(TREE.format(action="RESTRICT"))
    shop.keep()
    shop.run(
        """
UPDATE nodes SET parent = NULL WHERE parent = 2
UPDATE nodes SET name = 'x' WHERE id = 4
DELETE FROM nodes WHERE id = 2
"""
    )
    done = shop.recovery.restore_rows(NODE, snapshot=BEFORE)
    assert (done.inserted, done.updated) == (1, 2)
    assert shop.rows("nodes") == NODES


def test_restore_rows_deletes_new_rows_of_a_set_null_tree(shop: Shop):
    shop.run(TREE.format(action="SET NULL"))
    shop.keep()
    shop.run("INSERT INTO nodes VALUES (7, 'n', 3)\nINSERT INTO nodes VALUES (8, 'n', 7)")
    if shop.server.release < (4, 2):
        with pytest.raises(RestoreError, match="never returns before MatrixOne 4") as caught:
            shop.recovery.restore_rows(NODE, snapshot=BEFORE, new=True)
        assert caught.value.reason is Reason.UNSUPPORTED
        return
    assert shop.recovery.restore_rows(NODE, snapshot=BEFORE, new=True).deleted == 2
    assert shop.rows("nodes") == NODES


MUTUAL = """
CREATE TABLE teams (id INT PRIMARY KEY, lead INT)
CREATE TABLE people (id INT PRIMARY KEY, team INT NOT NULL, CONSTRAINT fk_team FOREIGN KEY (team) REFERENCES teams (id))
INSERT INTO teams VALUES (1, NULL), (2, NULL), (3, NULL)
INSERT INTO people VALUES (10, 1), (11, 1), (20, 2)
UPDATE teams SET lead = id * 10 WHERE id < 3
ALTER TABLE teams ADD CONSTRAINT fk_lead FOREIGN KEY (lead) REFERENCES people (id)
"""
TEAM = Table("teams", MetaData(), Column("id", Integer, primary_key=True))
PERSON = Table("people", MetaData(), Column("id", Integer, primary_key=True))


def test_restore_rows_of_tables_that_refer_to_each_other(shop: Shop, way: str):
    shop.run(MUTUAL)
    shop.keep()
    before = shop.committed("teams"), shop.committed("people")
    shop.run(
        """
UPDATE teams SET lead = NULL
DELETE FROM people WHERE team = 2
DELETE FROM teams WHERE id = 2
UPDATE teams SET lead = 11 WHERE id = 1
INSERT INTO teams VALUES (4, NULL)
INSERT INTO people VALUES (40, 4)
UPDATE teams SET lead = 40 WHERE id = 4
"""
    )
    done = shop.recovery.restore_rows([PERSON, TEAM], snapshot=BEFORE, new=True)
    assert (done.inserted, done.updated, done.deleted) == (2, 1, 2)
    assert (shop.rows("teams"), shop.rows("people")) == before
    shop.session.rollback()
    if way == "at_once":
        with pytest.raises(RestoreError, match="part of a cycle of foreign keys"):
            shop.recovery.restore_rows([PERSON, TEAM], snapshot=BEFORE, changed=False)
        return
    done = shop.recovery.restore_rows([PERSON, TEAM], snapshot=BEFORE, changed=False)
    assert (done.inserted, done.updated, done.deleted) == (2, 0, 0)
    assert shop.rows("teams") == [(1, 11), (2, 20), (3, None), (4, 40)]


def test_restore_rows_of_a_table_in_another_database(orders: Shop, way: str):
    orders.run(
        f"""
CREATE DATABASE {OTHER}
CREATE TABLE {OTHER}.bills (id INT PRIMARY KEY, order_id INT, line VARCHAR(5), sum INT, \
CONSTRAINT fk_order FOREIGN KEY (order_id, line) REFERENCES {SHOP}.orders (id, line))
INSERT INTO {OTHER}.bills VALUES (1, 1, 'a', 1), (2, 1, 'b', 2), (3, 2, 'a', 3)
"""
    )
    before = moment(orders.server, orders.admin)
    orders.run(
        f"""
DELETE FROM {OTHER}.bills WHERE id < 3
UPDATE {OTHER}.bills SET sum = 0
DELETE FROM orders WHERE id = 1 AND line = 'b'
INSERT INTO orders VALUES (5, 'a', 1, 1, 'new')
INSERT INTO {OTHER}.bills VALUES (4, 5, 'a', 4)
"""
    )
    bills = Table("bills", MetaData(), Column("id", Integer, primary_key=True), schema=OTHER)
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(bills, timestamp=before)
    assert names(caught.value) == {
        f"{OTHER}.bills (id=2): order_id=1, line='b' refers to a row of orders that does not exist"
    }
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Order, timestamp=before, new=True)
    assert names(caught.value) == {"orders (id=5, line='a'): the row id=4 of bills refers to it, and stays"}
    done = orders.recovery.restore_rows([bills, Order], timestamp=before, new=True)
    assert (done.inserted, done.updated, done.deleted) == (3, 1, 2)
    assert orders.rows("orders") == ORDERS
    assert [row[0] for row in orders.rows(f"{OTHER}.bills")] == [1, 2, 3]


# -- unique keys


def test_restore_rows_of_unique_values_swapped_between_rows(orders: Shop, way: str):
    orders.run(
        """
UPDATE orders SET customer_id = 1 WHERE customer_id = 3
DELETE FROM customers WHERE id = 3
UPDATE customers SET email = 'tmp' WHERE id = 1
UPDATE customers SET email = 'ada' WHERE id = 2
UPDATE customers SET email = 'eve' WHERE id = 1
INSERT INTO customers VALUES (7, 'bob')
"""
    )
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Customer, snapshot=BEFORE)
    assert names(caught.value) == {"customers (id=2): email='bob' now belongs to row id=7"}
    assert caught.value.reason is Reason.CONFLICT
    done = orders.recovery.restore_rows(Customer, snapshot=BEFORE, new=True)
    assert (done.inserted, done.updated, done.deleted) == (1, 2, 1)
    assert orders.rows("customers") == CUSTOMERS
    assert [orders.session.scalar(select(Customer.id).where(Customer.email == email)) for _, email in CUSTOMERS] == [
        1,
        2,
        3,
    ]


def test_restore_rows_reuses_a_unique_value_freed_by_a_changed_row(orders: Shop, way: str):
    orders.run(
        """
DELETE FROM orders
DELETE FROM customers WHERE id = 3
UPDATE customers SET email = 'eve' WHERE id = 2
"""
    )
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Customer, snapshot=BEFORE, changed=False)
    assert names(caught.value) == {"customers (id=3): email='eve' now belongs to row id=2"}
    with pytest.raises(RestoreConflict):
        orders.recovery.restore_rows(Customer, snapshot=BEFORE, where=Customer.id == 3)
    assert orders.recovery.restore_rows(Customer, snapshot=BEFORE).updated == 1
    assert orders.rows("customers") == CUSTOMERS


def test_restore_rows_conflicts_with_a_newer_unique_key(orders: Shop, way: str):
    orders.run(
        """
UPDATE orders SET price = id * 10 WHERE line = 'a'
DELETE FROM orders WHERE line = 'b'
ALTER TABLE orders ADD UNIQUE KEY one_price (price)
ALTER TABLE orders ADD UNIQUE KEY one_customer (customer_id)
"""
    )
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert names(caught.value) == {"orders (id=1, line='b'): customer_id=1 now belongs to row id=1, line='a'"}
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, missing=False)
    assert done.updated == 3
    assert orders.rows("orders") == [ORDERS[0], *ORDERS[2:]]


def test_restore_rows_of_values_that_were_not_unique_then(shop: Shop, way: str):
    shop.run("CREATE TABLE t (id INT PRIMARY KEY, n INT)\nINSERT INTO t VALUES (1, 5), (2, 5), (3, NULL), (4, NULL)")
    shop.keep()
    shop.run("DELETE FROM t\nALTER TABLE t ADD UNIQUE KEY u (n)")
    t = Table("t", MetaData(), Column("id", Integer, primary_key=True))
    with pytest.raises(RestoreConflict) as caught:
        shop.recovery.restore_rows(t, snapshot=BEFORE)
    assert names(caught.value) == {"t (n=5): several rows had this value, which is unique now"}


# -- conflicts with rows that were written since


@pytest.mark.parametrize("action", ["RESTRICT", "CASCADE", "SET NULL"])
def test_restore_rows_does_not_delete_a_referenced_new_row(orders: Shop, way: str, action: str):
    orders.run(
        f"""
CREATE TABLE parcels (id INT PRIMARY KEY, customer INT, \
CONSTRAINT fk_parcel FOREIGN KEY (customer) REFERENCES customers (id) ON DELETE {action})
INSERT INTO customers VALUES (8, 'new'), (9, 'newer')
INSERT INTO parcels VALUES (1, 9)
UPDATE customers SET email = 'changed' WHERE id = 1
"""
    )
    before = orders.committed("customers")
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Customer, snapshot=BEFORE, new=True)
    assert names(caught.value) == {"customers (id=9): the row id=1 of parcels refers to it, and stays"}
    assert orders.rows("customers") == before
    if way == "at_once" and action != "RESTRICT" and orders.server.release < (4, 0):
        with pytest.raises(RestoreError, match="could delete or change rows of parcels that are written meanwhile"):
            orders.recovery.restore_rows(Customer, snapshot=BEFORE, new=True, where=Customer.id < 9)
        return
    done = orders.recovery.restore_rows(Customer, snapshot=BEFORE, new=True, where=Customer.id < 9)
    assert (done.updated, done.deleted) == (1, 1)
    assert orders.rows("parcels") == [(1, 9)]


def test_restore_rows_names_missing_parents(orders: Shop, way: str):
    orders.run("DELETE FROM orders WHERE customer_id > 1\nDELETE FROM customers WHERE id > 1")
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert names(caught.value) == {
        "orders (id=2, line='a'): customer_id=2 refers to a row of customers that does not exist",
        "orders (id=3, line='a'): customer_id=3 refers to a row of customers that does not exist",
    }
    assert "nothing was changed" in str(caught.value)
    only_bob = {Customer: Customer.email == "bob", Order: Order.id > 1}
    with pytest.raises(RestoreConflict) as caught:
        orders.recovery.restore_rows([Order, Customer], snapshot=BEFORE, where=only_bob)
    assert [conflict.key for conflict in caught.value.conflicts] == [{"id": 3, "line": "a"}]
    preview = orders.recovery.preview_rows([Order, Customer], snapshot=BEFORE, where=only_bob)
    assert (preview.inserted, preview.conflicts) == (3, caught.value.conflicts)
    assert preview.by_table["customers"].conflicts == ()


def test_restore_rows_does_not_change_a_referenced_value(shop: Shop):
    shop.run(
        """
CREATE TABLE codes (id INT PRIMARY KEY, code VARCHAR(5) NOT NULL, UNIQUE KEY u (code))
CREATE TABLE uses (id INT PRIMARY KEY, code VARCHAR(5), CONSTRAINT fk_code FOREIGN KEY (code) REFERENCES codes (code))
INSERT INTO codes VALUES (1, 'old'), (2, 'other')
"""
    )
    shop.keep()
    shop.run("UPDATE codes SET code = 'new' WHERE id = 1\nINSERT INTO uses VALUES (5, 'new')")
    codes = Table("codes", MetaData(), Column("id", Integer, primary_key=True))
    with pytest.raises(RestoreConflict) as caught:
        shop.recovery.restore_rows(codes, snapshot=BEFORE)
    assert names(caught.value) == {"codes (id=1): the row id=5 of uses refers to it, and stays"}


# -- the preview


def test_restore_rows_preview_sends_no_dml_and_shows_equivalent_statements(orders: Shop):
    orders.run(
        """
UPDATE orders SET price = 0 WHERE id = 1
DELETE FROM orders WHERE id = 3
INSERT INTO orders VALUES (4, 'a', 2, 9, 'it''s 100%')
"""
    )
    sent: list[str] = []
    engine = orders.session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *args: sent.append(args[2].lstrip().upper()))
    preview = orders.recovery.preview_rows(Order, snapshot=BEFORE, where=Order.note != "%", new=True)
    assert all(statement.startswith(("SELECT", "SHOW")) for statement in sent)
    assert not any("FOR UPDATE" in statement for statement in sent)
    assert (preview.inserted, preview.updated, preview.deleted) == (1, 1, 1)
    missing = next(row for row in preview.rows if row.change == "missing")
    assert (missing.key, missing.current) == ({"id": 3, "line": "a"}, None)
    assert missing.old == {"id": 3, "line": "a", "customer_id": 3, "price": Decimal("4.00"), "note": "z"}
    changed = next(row for row in preview.rows if row.change == "changed")
    assert changed.changed_columns == ("price",)
    new = next(row for row in preview.rows if row.change == "new")
    assert (new.old, new.key) == (None, {"id": 4, "line": "a"})
    assert len(preview.statements) == 3
    for statement in preview.statements:
        orders.session.connection().exec_driver_sql(statement.replace("%", "%%"))
    assert orders.rows("orders", "id, line, price") == [
        (1, "a", Decimal("1.50")),
        (1, "b", Decimal("0.00")),
        (2, "a", None),
        (3, "a", Decimal("4.00")),
    ]
    orders.session.rollback()
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, where=Order.note != "%", new=True)
    assert (done.inserted, done.updated, done.deleted) == (1, 1, 1)


# -- the Session


def test_restore_rows_flushes_the_session_before_and_expires_it_after(orders: Shop):
    session = orders.session
    ada = session.get_one(Customer, 1)
    order = session.get_one(Order, (1, "a"))
    order.note = "flushed"
    session.add(Order(id=9, line="a", customer_id=1))
    done = orders.recovery.restore_rows(Order, snapshot=BEFORE, new=True)
    assert (done.updated, done.deleted) == (1, 1)
    assert order.note == "x"
    assert len(ada.orders) == 2


async def test_restore_rows_with_an_async_session(orders: Shop):
    orders.run("UPDATE orders SET price = 0")
    engine = orders.server.async_engine("aiomysql", orders.server.url("aiomysql", database=SHOP))
    async with AsyncSession(engine) as session, session.begin():
        recovery = AsyncRecovery(session)
        preview = await recovery.preview_rows(Order, snapshot=BEFORE)
        done = await recovery.restore_rows(Order, snapshot=BEFORE)
        assert (preview.updated, done.updated) == (4, 4)
    assert orders.committed("orders") == ORDERS


def test_restore_rows_that_others_write_meanwhile_warns_and_is_not_verified(
    orders: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.run("UPDATE orders SET note = 'changed' WHERE id IN (1, 2)")
    connection = orders.session.connection()

    @event.listens_for(connection, "after_execute")
    def write_meanwhile(_: Any, statement: Any, *__: Any) -> None:
        if statement.is_update and not orders.admin(f"SELECT id FROM {SHOP}.orders WHERE note = 'newer'"):
            orders.run(f"UPDATE {SHOP}.orders SET note = 'newer' WHERE id = 3")

    with monkeypatch.context() as many:
        many.setattr(changes, "KEY_LIMIT", 0)
        with pytest.warns(RestoreWarning, match="^1 rows of orders differ"):
            done = orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert (done.updated, done.verified, done.by_table["orders"].verified) == (3, False, False)
    assert str(done).endswith("; some rows differ")
    again = orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert (again.updated, again.verified) == (1, True)
    assert orders.rows("orders") == ORDERS


def test_restore_rows_that_others_insert_meanwhile_counts_only_its_own_ones(orders: Shop, way: str) -> None:
    orders.run("DELETE FROM orders WHERE id IN (1, 3)")
    connection = orders.session.connection()

    @event.listens_for(connection, "before_execute")
    def insert_meanwhile(_: Any, statement: Any, *__: Any) -> None:
        if statement.is_insert:
            orders.run(f"INSERT INTO {SHOP}.orders SELECT * FROM {SHOP}.orders {{SNAPSHOT = {BEFORE}}} WHERE id = 3")

    done = orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert (done.inserted, done.by_table["orders"].inserted, done.verified) == (2, 2, True)
    assert orders.rows("orders") == ORDERS


def test_restore_rows_without_effect_raises(orders: Shop, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    orders.run("UPDATE orders SET note = 'changed' WHERE id = 1\nDELETE FROM orders WHERE id = 3")
    monkeypatch.setattr(RowsPlan, "steps", lambda _: iter(()))  # as if the server ignored the statements
    with pytest.raises(RestoreError, match="3 rows of orders still differ") as failed:
        orders.recovery.restore_rows(Order, snapshot=BEFORE)
    assert failed.value.reason is Reason.INCOMPLETE


def test_restore_rows_on_a_connection(orders: Shop):
    orders.run("UPDATE orders SET price = 0")
    engine = orders.session.get_bind()
    with engine.begin() as connection:
        assert Recovery(connection).restore_rows(Order.__table__, snapshot=BEFORE).updated == 4
    assert orders.committed("orders") == ORDERS


def test_restore_rows_of_a_translated_schema(orders: Shop):
    orders.run("UPDATE orders SET price = 0")
    tenant = Table("orders", MetaData(), Column("id", Integer, primary_key=True), schema="tenant")
    engine = orders.server.engine(orders.server.url())
    with engine.connect().execution_options(schema_translate_map={"tenant": SHOP}) as connection:
        assert Recovery(connection).restore_rows(tenant, snapshot=BEFORE).updated == 4
        connection.commit()
    assert orders.committed("orders") == ORDERS


# -- what is refused


def refused(shop: Shop, reason: Reason, target: Any = Order, **arguments: Any) -> str:
    with pytest.raises(RestoreError) as caught:
        shop.recovery.restore_rows(target, **({"snapshot": BEFORE} | arguments))
    assert caught.value.reason is reason
    assert "nothing was changed" in str(caught.value)
    shop.session.rollback()
    return str(caught.value)


def test_restore_rows_to_a_point_in_time_that_is_not_kept_is_refused(orders: Shop):
    refused(orders, Reason.NOT_FOUND, snapshot="rows_nope")
    message = refused(orders, Reason.OUT_OF_RANGE, snapshot=None, timestamp=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert "does not have the rows of orders as of 2020-01-01 00:00:00.000000000 UTC" in message
    refused(orders, Reason.OUT_OF_RANGE, snapshot=None, mo_ts=1_600_000_000_000_000_000)


def test_restore_rows_of_an_unsupported_table_is_refused(orders: Shop):
    orders.run(
        """
CREATE TABLE unkeyed (id INT, n INT)
CREATE TABLE rekeyed (id INT PRIMARY KEY, n INT NOT NULL)
DROP SNAPSHOT rows_before
CREATE SNAPSHOT rows_before FOR DATABASE rows_shop
CREATE TABLE later (id INT PRIMARY KEY)
DROP TABLE rekeyed
CREATE TABLE rekeyed (id INT, n INT PRIMARY KEY)
CREATE VIEW seen AS SELECT id FROM orders
"""
    )
    metadata = MetaData()
    tables = {
        name: Table(name, metadata, Column("id", Integer)) for name in ("unkeyed", "rekeyed", "later", "seen", "nope")
    }
    assert "has no primary key" in refused(orders, Reason.UNSUPPORTED, tables["unkeyed"])
    assert "was (id) then and is (n) now" in refused(orders, Reason.UNSUPPORTED, tables["rekeyed"])
    assert "there was no table later at" in refused(orders, Reason.NOT_FOUND, tables["later"])
    assert "undrop()" in refused(orders, Reason.NOT_FOUND, tables["nope"])
    with pytest.raises(RestoreError, match=r"nothing was changed: .*seen"):
        orders.recovery.restore_rows(tables["seen"], snapshot=BEFORE)


def test_restore_rows_in_autocommit_is_refused(orders: Shop):
    engine = orders.session.get_bind().execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        with pytest.raises(RestoreError, match="needs a transaction"):
            Recovery(connection).restore_rows(Order, snapshot=BEFORE)
        assert Recovery(connection).preview_rows(Order, snapshot=BEFORE).updated == 0


def test_restore_rows_within_time_travel_is_refused(orders: Shop):
    with time_travel(orders.session, snapshot=BEFORE), pytest.raises(InvalidRequestError, match="leave the block"):
        orders.recovery.restore_rows(Order, snapshot=BEFORE)


def test_restore_rows_without_privileges_names_them(orders: Shop):
    run = orders.admin
    for gone in ("DROP USER IF EXISTS rows_user", "DROP ROLE IF EXISTS rows_role"):
        run.unrecorded(gone)
    run.prepare(
        "rows_user",
        "CREATE ROLE rows_role",
        "CREATE USER rows_user IDENTIFIED BY '111' DEFAULT ROLE rows_role",
        "GRANT CONNECT ON ACCOUNT * TO rows_role",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE {SHOP}.* TO rows_role",
    )
    orders.run("UPDATE orders SET price = 0\nINSERT INTO orders VALUES (5, 'a', 1, 1, 'new')")
    server = orders.server
    engine = server.engine(server.url(user="sys:rows_user:rows_role", password="111", database=SHOP))
    with Session(engine) as session:
        with pytest.raises(RestoreError, match="GRANT SHOW TABLES ON DATABASE") as caught:
            Recovery(session).restore_rows(Order, snapshot=BEFORE)
        assert caught.value.reason is Reason.NOT_PERMITTED
    run(f"GRANT SHOW TABLES ON DATABASE {SHOP} TO rows_role")
    with Session(engine) as session:
        assert Recovery(session).restore_rows(Order, snapshot=BEFORE).updated == 4
        with pytest.raises(RestoreError, match="may not read the catalog") as caught:
            Recovery(session).restore_rows(Order, snapshot=BEFORE, new=True)
        assert caught.value.reason is Reason.NOT_PERMITTED
    run.unrecorded("DROP USER rows_user")
    run.unrecorded("DROP ROLE rows_role")
