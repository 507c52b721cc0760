"""Read the past with as_of() and time_travel()."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import bindparam, delete, exists, func, insert, inspect, select, text, union, update
from sqlalchemy.exc import CompileError, DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, lazyload, selectinload
from sqlalchemy.orm.exc import DetachedInstanceError

from sqlalchemy_matrixone import MatrixOneArgumentError, as_of, time_travel

from ..models import Item, Order
from .past import SHOP, SNAPSHOT, change_shop, clean_up, moment, notes, open_shop
from .server import Admin, Server

ORDERS = Order.__table__


@pytest.fixture
def shop(admin: Admin) -> Iterator[None]:
    open_shop(admin)
    change_shop(admin)
    yield
    clean_up(admin)


@pytest.fixture
def session(server: Server, shop: None) -> Iterator[Session]:
    with Session(server.engine(server.url(database=SHOP))) as session:
        yield session


# -- as_of


def test_as_of_reads_snapshots_timestamps_and_mo_ts(server: Server, admin: Admin) -> None:
    open_shop(admin)
    before = moment(server, admin)
    change_shop(admin)
    with Session(server.engine(server.url(database=SHOP))) as session:
        shanghai = before.astimezone(dt.timezone(dt.timedelta(hours=8)))
        for when in (
            {"snapshot": "TT_BEFORE"},
            {"timestamp": before},
            {"timestamp": shanghai},
            {"timestamp": f"{before:%Y-%m-%d %H:%M:%S}Z"},
            {"mo_ts": int(before.timestamp()) * 10**9},
        ):
            assert notes(session, as_of(Order, **when)) == ["old 1", "old 2"]
        assert notes(session, Order) == ["new 1", "new 3"]
        old = as_of(ORDERS, timestamp=bindparam("when"))
        assert session.execute(select(func.count()).select_from(old), {"when": shanghai}).scalar() == 2
    clean_up(admin)


def test_as_of_statement_is_compiled_once_for_all_times(server: Server, admin: Admin) -> None:
    open_shop(admin)
    before = moment(server, admin)
    change_shop(admin)
    after = moment(server, admin)
    cache: dict[object, object] = {}
    engine = server.engine(server.url(database=SHOP)).execution_options(compiled_cache=cache)
    with engine.connect() as connection:
        for when, expected in ((before, ["old 1", "old 2"]), (after, ["new 1", "new 3"])) * 2:
            old = as_of(ORDERS, timestamp=when)
            assert list(connection.scalars(select(old.c.note).order_by(old.c.id))) == expected
        assert len(cache) == 1
    clean_up(admin)


def test_as_of_different_snapshots_share_no_rows_through_the_cache(session: Session, admin: Admin) -> None:
    admin(f"CREATE SNAPSHOT tt_after FOR DATABASE {SHOP}")
    for _ in range(2):
        assert notes(session, as_of(Order, snapshot="tt_before")) == ["old 1", "old 2"]
        assert notes(session, as_of(Order, snapshot="tt_after")) == ["new 1", "new 3"]


def test_as_of_two_points_in_time_in_a_statement_is_refused(session: Session, admin: Admin) -> None:
    """Refused, for the server reads all past tables of a statement at one of its moments."""
    admin(f"CREATE SNAPSHOT tt_after FOR DATABASE {SHOP}")
    two = f"FROM {SHOP}.orders {{SNAPSHOT = tt_before}} o JOIN {SHOP}.orders {{SNAPSHOT = tt_after}} l ON o.id = l.id"
    assert ("old 1", "new 1") not in admin(f"SELECT o.note, l.note {two}")
    old, later = as_of(Order, snapshot="tt_before"), as_of(Order, snapshot="tt_after")
    with pytest.raises(MatrixOneArgumentError, match="only one point in time"):
        session.execute(select(old.note, later.note).join(later, later.id == old.id))
    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    for _ in range(2):  # compiled again, and from the cache
        first, second = (as_of(ORDERS, timestamp=noon + dt.timedelta(hour)) for hour in range(2))
        with pytest.raises(MatrixOneArgumentError, match="only one point in time"):
            session.execute(select(first.c.id).join(second, second.c.id == first.c.id))
    present = select(old.note, Order.note).join(Order, Order.id == old.id)
    assert session.execute(present).all() == [("old 1", "new 1")]


def test_as_of_in_joins_subqueries_ctes_and_unions(session: Session) -> None:
    old = as_of(Order, snapshot=SNAPSHOT)
    old_items = as_of(Item, snapshot=SNAPSHOT, name="then")
    changed = select(Order.id, old.note, Order.note).join(old, old.id == Order.id).where(old.note != Order.note)
    assert session.execute(changed).all() == [(1, "old 1", "new 1")]
    new = select(Order.id).where(~exists().where(Order.id == old.id))
    assert session.scalars(new).all() == [3]
    outer = select(Order.id, old.id).outerjoin(old, old.id == Order.id).order_by(Order.id)
    assert session.execute(outer).all() == [(1, 1), (3, None)]
    joined = select(old.id, func.sum(old_items.price)).join(old.items.of_type(old_items)).group_by(old.id)
    assert dict(session.execute(joined).all()) == {1: 4, 2: pytest.approx(3.5)}
    both = union(select(old.note), select(Order.note))
    assert sorted(session.scalars(both)) == ["new 1", "new 3", "old 1", "old 2"]
    cte = select(old.id).cte()
    assert session.scalar(select(func.count()).select_from(cte)) == 2
    subquery = select(as_of(ORDERS.alias("o"), snapshot=SNAPSHOT)).subquery()
    assert session.scalar(select(func.max(subquery.c.note))) == "old 2"
    again = as_of(aliased(Order, name="again"), snapshot=SNAPSHOT)
    assert notes(session, again) == ["old 1", "old 2"]


def test_as_of_with_a_subquery_of_the_present_by_release(session: Session, server: Server) -> None:
    old = as_of(Order, snapshot=SNAPSHOT)
    gone = select(old.id).where(~exists().where(Order.id == old.id))
    if server.release < (3, 0):
        with pytest.raises(CompileError, match=r"needs MatrixOne 3\.0\.0"):
            session.scalars(gone)
    else:
        assert session.scalars(gone).all() == [2]
    joined = select(old.id).outerjoin(Order, Order.id == old.id).where(Order.id.is_(None))
    assert session.scalars(joined).all() == [2]


def test_as_of_rows_are_written_back_by_insert_and_update(session: Session) -> None:
    old = as_of(ORDERS, snapshot=SNAPSHOT)
    gone = select(old).where(old.c.id == 2)
    session.execute(insert(Order).from_select(["id", "note"], gone))
    back = update(Order).where(Order.id == old.c.id).values(note=old.c.note)
    session.execute(back, execution_options={"synchronize_session": False})
    session.commit()
    assert notes(session, Order) == ["old 1", "old 2", "new 3"]


def test_as_of_objects_are_detached_from_current_ones(session: Session) -> None:
    present = session.get(Order, 1)
    past_order = as_of(Order, snapshot=SNAPSHOT)
    statement = select(Order, past_order).join(past_order, past_order.id == Order.id)
    [(now, then)] = session.execute(statement).all()
    assert now is present
    assert (now.note, then.note) == ("new 1", "old 1")
    assert inspect(then).detached
    then.note = "scribbled"
    session.flush()
    assert session.scalars(select(past_order.note).where(past_order.id == 1)).all() == ["old 1"]
    with pytest.raises(DetachedInstanceError):
        _ = then.items
    session.commit()
    assert then.note == "scribbled"
    assert present.note == "new 1"


def test_as_of_object_loaded_first_can_be_merged(session: Session) -> None:
    old = as_of(Order, snapshot=SNAPSHOT)
    then = session.scalars(select(old).where(old.id == 1)).one()
    assert session.get(Order, 1) is not then
    assert session.get(Order, 1).note == "new 1"
    session.merge(then)
    session.commit()
    assert notes(session, Order) == ["old 1", "new 3"]


@pytest.mark.parametrize("load", [joinedload, selectinload])
def test_as_of_eager_loads_are_historical(session: Session, load) -> None:
    old, old_items = as_of(Order, snapshot=SNAPSHOT), as_of(Item, snapshot=SNAPSHOT)
    present = session.scalars(select(Item)).all()
    statement = select(old).options(load(old.items.of_type(old_items))).order_by(old.id)
    first, second = session.scalars(statement).unique().all()
    assert [item.price for item in first.items] == [1.5, 2.5]
    assert [item.id for item in second.items] == [21]
    assert all(inspect(item).detached for item in first.items)
    assert {item.id for item in present} == {11, 13, 21, 31}
    assert session.get(Item, 11).price == 9


def test_as_of_contains_eager_is_historical(session: Session) -> None:
    old, old_items = as_of(Order, snapshot=SNAPSHOT), as_of(Item, snapshot=SNAPSHOT)
    joined = old.items.of_type(old_items)
    statement = select(old).join(joined).options(contains_eager(joined)).where(old_items.price > 2)
    first, second = session.scalars(statement.order_by(old.id)).unique().all()
    assert [[item.id for item in order.items] for order in (first, second)] == [[12], [21]]


@pytest.mark.parametrize("load", [joinedload, selectinload])
def test_as_of_eager_load_of_the_present_is_refused(session: Session, load) -> None:
    old = as_of(Order, snapshot=SNAPSHOT)
    with pytest.raises(CompileError, match="historical objects"):
        session.scalars(select(old).options(load(old.items))).all()
    assert len(session.scalars(select(old).options(lazyload(old.items))).all()) == 2


def test_as_of_a_missing_snapshot_raises(session: Session) -> None:
    with pytest.raises(DBAPIError, match="tt_nowhere"):
        session.scalars(select(as_of(Order, snapshot="tt_nowhere"))).all()


# -- time_travel


def test_time_travel_reads_historical_objects(session: Session) -> None:
    present = session.get(Order, 1)
    with time_travel(session, snapshot=SNAPSHOT) as travelling:
        assert travelling is session
        assert notes(session, Order) == ["old 1", "old 2"]
        then = session.get(Order, 1)
        assert then is not present
        assert then is session.get(Order, 1)
        assert then.note == "old 1"
        assert [item.price for item in then.items] == [1.5, 2.5]
        assert then.items[0].order is then
        loaded = session.scalars(select(Order).options(selectinload(Order.items)).order_by(Order.id)).all()
        assert [len(order.items) for order in loaded] == [2, 1]
        joined = session.scalars(select(Order).options(joinedload(Order.items)).limit(1)).unique().all()
        assert joined == [then]
        assert session.scalar(select(func.count()).select_from(select(Item.id).subquery())) == 3
        assert session.query(Order).count() == 2
    assert present.note == "new 1"
    assert session.get(Order, 1) is present
    assert [item.id for item in present.items] == [11, 13]
    assert inspect(then).detached
    assert inspect(then.items[0]).detached
    assert notes(session, Order) == ["new 1", "new 3"]


def test_time_travel_expired_objects_are_reloaded_in_their_time(session: Session) -> None:
    present = session.get(Order, 1)
    session.expire(present)
    with time_travel(session, snapshot=SNAPSHOT):
        then = session.get(Order, 1)
        session.expire(then)
        assert then.note == "old 1"
        session.refresh(then)
        assert then.note == "old 1"
        with pytest.raises(DetachedInstanceError):
            _ = present.note
        with pytest.raises(DetachedInstanceError):
            _ = present.items
    assert present.note == "new 1"


def test_time_travel_refuses_flush_and_commit(session: Session) -> None:
    with time_travel(session, snapshot=SNAPSHOT):
        then = session.get(Order, 1)
        then.note = "scribbled"
        with pytest.raises(InvalidRequestError, match="flushed"):
            session.flush()
        with pytest.raises(InvalidRequestError, match="flushed"):
            session.scalars(select(Order)).all()
        session.expire(then)
        for statement in (update(Order).values(note="x"), delete(Order), text("DELETE FROM orders"), text("SELECT 1")):
            with pytest.raises(InvalidRequestError, match="not a SELECT"):
                session.execute(statement)
        with pytest.raises(InvalidRequestError, match="committed"):
            session.commit()
        new = Order(id=9, note="nine")
        session.add(new)
        with pytest.raises(InvalidRequestError, match="flushed"):
            session.flush()
    session.commit()
    assert notes(session, Order) == ["new 1", "new 3", "nine"]


def test_time_travel_refuses_session_with_pending_changes(session: Session) -> None:
    session.get(Order, 1).note = "changed"
    with pytest.raises(InvalidRequestError, match="cannot start"), time_travel(session, snapshot=SNAPSHOT):
        pass
    session.flush()
    with time_travel(session, snapshot=SNAPSHOT):
        assert notes(session, Order) == ["old 1", "old 2"]
    session.commit()
    assert notes(session, Order) == ["changed", "new 3"]


def test_time_travel_blocks_nest(session: Session, admin: Admin) -> None:
    admin(f"CREATE SNAPSHOT tt_after FOR DATABASE {SHOP}")
    session.execute(update(Order).values(note="newest"))
    session.commit()
    with time_travel(session, snapshot="tt_after"):
        middle = session.get(Order, 1)
        with time_travel(session, snapshot="tt_before"):
            assert session.get(Order, 1).note == "old 1"
            assert notes(session, as_of(Order, snapshot="tt_after")) == ["new 1", "new 3"]
        assert session.get(Order, 1) is middle
        assert middle.note == "new 1"
        assert [item.id for item in middle.items] == [11, 13]
    assert session.get(Order, 1).note == "newest"


def test_time_travel_ends_after_an_exception(session: Session) -> None:
    present = session.get(Order, 1)
    with pytest.raises(DBAPIError, match="tt_nowhere"), time_travel(session, snapshot="tt_nowhere"):
        session.scalars(select(Order)).all()
    session.rollback()
    assert present.note == "new 1"
    assert session.get(Order, 1) is present
    session.execute(update(Order).values(note="written"))
    session.commit()


def test_time_travel_rollback_expires_objects_of_the_present(session: Session) -> None:
    session.add(Order(id=9, note="nine"))
    present = session.get(Order, 1)
    session.flush()
    with time_travel(session, snapshot=SNAPSHOT), time_travel(session, snapshot=SNAPSHOT):
        then = session.get(Order, 1)
        session.rollback()
        assert inspect(then).detached
        assert session.get(Order, 1).note == "old 1"
        assert session.get(Order, 1) is not then
    assert inspect(present).expired
    assert session.get(Order, 1) is present
    assert session.get(Order, 9) is None


def test_time_travel_close_detaches_all_objects(session: Session) -> None:
    present = session.get(Order, 1)
    with time_travel(session, snapshot=SNAPSHOT):
        session.close()
        then = session.get(Order, 1)
        assert then.note == "old 1"
    assert inspect(present).detached
    assert inspect(then).detached
    assert session.get(Order, 1).note == "new 1"


def test_time_travel_result_fetched_after_the_block_is_historical(session: Session) -> None:
    session.get(Order, 1)
    with time_travel(session, snapshot=SNAPSHOT):
        result = session.scalars(select(Order).order_by(Order.id))
    orders = result.all()
    assert [order.note for order in orders] == ["old 1", "old 2"]
    assert all(inspect(order).detached for order in orders)


def test_time_travel_refuses_text_as_from_clause(session: Session) -> None:
    with time_travel(session, snapshot=SNAPSHOT), pytest.raises(CompileError, match="pass a Table"):
        session.execute(select(text("count(*)")).select_from(text("orders")))


def test_time_travel_is_per_session_in_threads(server: Server, shop: None) -> None:
    engine = server.engine(server.url(database=SHOP))
    engine.connect().close()
    in_the_past, done = threading.Event(), threading.Event()
    seen: list[list[str]] = []

    def travel() -> None:
        with Session(engine) as session, time_travel(session, snapshot=SNAPSHOT):
            in_the_past.set()
            done.wait(10)
            seen.append(notes(session, Order))

    thread = threading.Thread(target=travel)
    thread.start()
    in_the_past.wait(10)
    with Session(engine) as session:
        seen.append(notes(session, Order))
    done.set()
    thread.join()
    assert seen == [["new 1", "new 3"], ["old 1", "old 2"]]


@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_time_travel_of_an_async_session(server: Server, shop: None, driver: str) -> None:
    engine = server.async_engine(driver, server.url(driver, database=SHOP))
    async with AsyncSession(engine) as session:
        present = await session.get(Order, 1)
        with time_travel(session, snapshot=SNAPSHOT):
            statement = select(Order).options(selectinload(Order.items)).where(Order.id == 1)
            then = (await session.scalars(statement)).one()
            streamed = await session.stream_scalars(select(Item.id).order_by(Item.id))
            assert [item async for item in streamed] == [11, 12, 21]
        assert (present.note, then.note) == ("new 1", "old 1")
        assert [item.price for item in then.items] == [1.5, 2.5]
        old = as_of(Order, snapshot=SNAPSHOT)
        assert (await session.scalars(select(old).order_by(old.id))).all()[1].note == "old 2"
