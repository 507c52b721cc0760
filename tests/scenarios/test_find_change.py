"""Find the time of a change by reading the history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, literal, select, table, text, update
from sqlalchemy.orm import Session

from sqlalchemy_matrixone import MatrixOneArgumentError, NoValue, Reason, Recovery, RecoveryError, RecoveryWarning

from ..models import Order
from .client import DRIVERS, Client, clean_up, clock, moment
from .server import Admin, Server

SHOP = "sc_when"
SECOND = dt.timedelta(seconds=1)
NOTE = select(Order.note).where(Order.id == 1)


@pytest.fixture
def before(server: Server, admin: Admin) -> Iterator[dt.datetime]:
    """Provide an instant before the first order is changed."""
    clean_up(admin, SHOP)
    instant = moment(server, admin)
    yield instant
    admin(f"DROP DATABASE IF EXISTS {SHOP}")


_connections = ExitStack()


@pytest.fixture(autouse=True)
def connections(before: dt.datetime) -> Iterator[None]:
    """Close the connections of a test at its end, so that they always end in the same order."""
    with _connections:
        yield


def recovery_of(server: Server) -> Recovery:
    return Recovery(_connections.enter_context(server.engine(server.url(database=SHOP)).connect()))


@pytest.mark.parametrize("driver", DRIVERS)
async def test_find_change_of_one_row_by_each_driver(server: Server, admin: Admin, before: dt.datetime, driver: str):
    damaged = moment(server, admin)
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    after = moment(server, admin)
    async with Client.connected(server, driver, database=SHOP) as client:
        change = await client.find_change(NOTE, since=before)
    assert (change.value_before, change.value_after) == ("first", "damaged")
    assert before <= change.before <= after
    assert change.after - change.before <= SECOND
    assert damaged - SECOND < change.after
    assert 3 <= change.queries <= 8


def test_find_change_without_since_begins_where_the_table_can_be_read(
    server: Server, admin: Admin, before: dt.datetime
):
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    change = recovery_of(server).find_change(select(Order.note).where(Order.id == 1), since=before)
    count = select(func.count()).select_from(Order)
    created = recovery_of(server).find_change(count, precision=dt.timedelta(milliseconds=10))
    assert created.value_before in (0, NoValue.DOES_NOT_EXIST)
    assert created.value_after == 2
    assert created.after < change.after
    assert created.after - created.before <= dt.timedelta(milliseconds=10)


def test_find_change_of_dropped_table_finds_the_drop(server: Server, admin: Admin, before: dt.datetime):
    admin(f"DROP TABLE {SHOP}.orders")
    count = select(func.count()).select_from(Order)
    change = recovery_of(server).find_change(count, since=before, precision=dt.timedelta(milliseconds=1))
    assert (change.value_before, change.value_after) == (2, NoValue.DOES_NOT_EXIST)
    assert change.after - change.before <= dt.timedelta(milliseconds=1)
    # The table was created and dropped in between, so that the value is the same at both ends.
    change = recovery_of(server).find_change(count, since=before - 5 * SECOND)
    assert change.value_after is NoValue.DOES_NOT_EXIST
    assert change.value_before in (0, 2)


def test_find_change_of_dropped_database_finds_the_drop(server: Server, admin: Admin, before: dt.datetime):
    admin(f"DROP DATABASE {SHOP}")
    orders = table("orders", schema=SHOP)
    connection = server.engine().connect()
    change = Recovery(connection).find_change(select(func.count()).select_from(orders), since=before)
    assert (change.value_before, change.value_after) == (2, NoValue.DOES_NOT_EXIST)
    connection.close()


def test_find_change_distinguishes_null_from_a_missing_row(server: Server, admin: Admin, before: dt.datetime):
    admin(f"UPDATE {SHOP}.orders SET note = NULL WHERE id = 1")
    middle = moment(server, admin)
    admin(f"DELETE FROM {SHOP}.orders WHERE id = 1")
    recovery = recovery_of(server)
    to_null = recovery.find_change(NOTE, since=before, until=middle)
    assert (to_null.value_before, to_null.value_after) == ("first", None)
    gone = recovery.find_change(NOTE, since=middle)
    assert (gone.value_before, gone.value_after) == (None, NoValue.NO_ROW)


def test_find_change_between_snapshots_of_a_table_reports_their_times(
    server: Server, admin: Admin, before: dt.datetime
):
    """The snapshots are within the hour that is always kept, so the precision is reached here."""
    admin(f"CREATE SNAPSHOT sc_when_1 FOR DATABASE {SHOP}")
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    admin(f"CREATE SNAPSHOT sc_when_2 FOR DATABASE {SHOP}")
    recovery = recovery_of(server)
    first, second = recovery.get_snapshot("sc_when_1"), recovery.get_snapshot("sc_when_2")
    change = recovery.find_change(NOTE, since=first.created_at, until=second.created_at)
    assert first.created_at <= change.before < change.after <= second.created_at
    clean_up(admin)


def test_find_change_leaves_the_transaction_of_the_session_alone(server: Server, admin: Admin, before: dt.datetime):
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    with Session(server.engine(server.url(database=SHOP))) as session:
        session.execute(insert(Order), {"id": 3, "note": "uncommitted"})
        session.add(Order(id=4, note="not flushed"))
        change = Recovery(session).find_change(NOTE, since=before)
        assert change.value_after == "damaged"
        assert len(session.new) == 1
        assert session.scalar(select(func.count()).select_from(Order)) == 4
        session.rollback()
    assert admin(f"SELECT COUNT(*) FROM {SHOP}.orders") == [(2,)]


def test_find_change_on_a_clean_connection_leaves_it_clean(server: Server, admin: Admin, before: dt.datetime):
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    recovery = recovery_of(server)
    recovery.find_change(NOTE, since=before)
    recovery.create_snapshot("sc_when_clean", database=SHOP)
    clean_up(admin)


def test_find_change_gives_the_instant_for_restore_rows(server: Server, admin: Admin, before: dt.datetime):
    admin(f"UPDATE {SHOP}.orders SET note = ''")
    admin(f"INSERT INTO {SHOP}.orders VALUES (3, 'newer')")
    with Session(server.engine(server.url(database=SHOP))) as session, session.begin():
        recovery = Recovery(session)
        wrong = select(func.count()).select_from(Order).where(Order.note == "")
        change = recovery.find_change(wrong, since=before)
        assert (change.value_before, change.value_after) == (0, 2)
        assert recovery.restore_rows(Order, timestamp=change.before).updated == 2
    assert [note for (note,) in admin(f"SELECT note FROM {SHOP}.orders ORDER BY id")] == ["first", "second", "newer"]


def test_find_change_of_join_subquery_union_and_core_table(server: Server, admin: Admin, before: dt.datetime):
    orders = Table("orders", MetaData(), Column("id", Integer), Column("note", String(40)), schema="elsewhere")
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    engine = server.engine().execution_options(schema_translate_map={"elsewhere": SHOP})
    joined = orders.alias()
    statements = [
        select(func.max(orders.c.note)).join_from(orders, joined, orders.c.id == joined.c.id).where(orders.c.id == 1),
        select(select(orders.c.note).where(orders.c.id == 1).scalar_subquery()),
        select(orders.c.note).where(orders.c.id == 1).union_all(select(literal("x")).where(literal(1) == 2)),
    ]
    with engine.connect() as connection:
        for statement in statements:
            assert Recovery(connection).find_change(statement, since=before).value_after == "damaged"


def test_find_change_without_a_change_is_not_found(server: Server, admin: Admin, before: dt.datetime):
    with pytest.raises(RecoveryError, match="no change was found: the value is 'first'") as refused:
        recovery_of(server).find_change(NOTE, since=before)
    assert refused.value.reason is Reason.NOT_FOUND
    misspelt = select(func.count()).select_from(table("ordres", schema=SHOP))
    with pytest.raises(RecoveryError, match=f"{SHOP}.ordres did not exist at"):
        recovery_of(server).find_change(misspelt, since=before)


def test_find_change_before_all_protection_warns(server: Server, admin: Admin, before: dt.datetime):
    admin(f"UPDATE {SHOP}.orders SET note = 'damaged' WHERE id = 1")
    with pytest.warns(RecoveryWarning, match="no PITR or snapshot keeps all tables"):
        change = recovery_of(server).find_change(NOTE, since=before - dt.timedelta(days=3))
    assert (change.value_before, change.value_after) == ("first", "damaged")


def test_find_change_refuses_statement_without_a_single_value(server: Server, admin: Admin, before: dt.datetime):
    recovery = recovery_of(server)
    for statement in (text("SELECT 1"), update(Order), select(Order), Order, "SELECT 1"):
        with pytest.raises(MatrixOneArgumentError, match="takes a select"):
            recovery.find_change(statement, since=before)  # type: ignore[arg-type]
    with pytest.raises(MatrixOneArgumentError, match="more than one row"):
        recovery.find_change(select(Order.note), since=before)
    with pytest.raises(MatrixOneArgumentError, match="precision"):
        recovery.find_change(NOTE, since=before, precision=dt.timedelta())
    with pytest.raises(MatrixOneArgumentError, match="is not before until"):
        recovery.find_change(NOTE, since=clock(admin) + dt.timedelta(days=1))


def test_find_change_finds_when_the_present_value_began(server: Server, admin: Admin, before: dt.datetime):
    admin(f"UPDATE {SHOP}.orders SET note = 'second version' WHERE id = 1")
    middle = moment(server, admin)
    admin(f"UPDATE {SHOP}.orders SET note = 'third version' WHERE id = 1")
    change = recovery_of(server).find_change(NOTE, since=before)
    assert (change.value_before, change.value_after) == ("second version", "third version")
    assert change.after > middle


def test_find_change_of_decimals(server: Server, admin: Admin, before: dt.datetime):
    admin(f"CREATE TABLE {SHOP}.items (id INT PRIMARY KEY, price DECIMAL(8, 2))")
    admin(f"INSERT INTO {SHOP}.items VALUES (1, 12.50), (2, 1)")
    start = moment(server, admin)
    admin(f"UPDATE {SHOP}.items SET price = 0")
    items = Table("items", MetaData(), schema=SHOP, autoload_with=server.engine())
    change = recovery_of(server).find_change(select(func.sum(items.c.price)), since=start)
    assert (change.value_before, change.value_after) == (Decimal("13.50"), Decimal("0.00"))
