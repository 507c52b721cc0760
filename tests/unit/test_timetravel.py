"""Historical tables: their SQL, what is refused, and the statement cache."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    lambda_stmt,
    literal,
    select,
    table,
    union_all,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError, InvalidRequestError, UnsupportedCompilationError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    column_property,
    contains_eager,
    joinedload,
    mapped_column,
    relationship,
    with_polymorphic,
)

from sqlalchemy_matrixone import MatrixOneArgumentError, as_of, changes_between, changes_since, time_travel
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.timetravel.changes import _compared
from sqlalchemy_matrixone.timetravel.compiler import check_bound_points_in_time
from sqlalchemy_matrixone.timetravel.point_in_time import AsOfOption, PointInTime
from tests.models import Employee, Item, Manager, Order
from tests.unit.compiling import assert_compile, compiled, sql


class Own(DeclarativeBase):
    pass


class Remembering(Own):
    """Orders with what their note was, which is another moment than the one that they are read at."""

    __table__ = Order.__table__
    was = column_property(
        select(as_of(Order.__table__, snapshot="w", name="w").c.note)
        .where(as_of(Order.__table__, snapshot="w", name="w").c.id == Order.__table__.c.id)
        .scalar_subquery()
    )


ORDERS = Order.__table__
BILLING = Table("orders", MetaData(), Column("id", Integer), schema="billing")
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
S = {"snapshot": "s"}


def of_all(statement, **moment):
    given = {"snapshot": None, "timestamp": None, "mo_ts": None} | moment
    return statement.options(AsOfOption(PointInTime.of(**given)))


HINTED = [
    (select(as_of(ORDERS, **S).c.id), "SELECT orders_1.id FROM orders {SNAPSHOT = `s`} AS orders_1"),
    (select(as_of(ORDERS, **S, name="o").c.id), "SELECT o.id FROM orders {SNAPSHOT = `s`} AS o"),
    (select(as_of(ORDERS.alias("o"), **S).c.id), "SELECT o.id FROM orders {SNAPSHOT = `s`} AS o"),
    (select(as_of(Order, **S, name="o").id), "SELECT o.id FROM orders {SNAPSHOT = `s`} AS o"),
    (select(as_of(aliased(Order, name="o"), **S).id), "SELECT o.id FROM orders {SNAPSHOT = `s`} AS o"),
    (select(as_of(as_of(ORDERS, mo_ts=1, name="o"), **S).c.id), "SELECT o.id FROM orders {SNAPSHOT = `s`} AS o"),
    (select(as_of(BILLING, **S)), "SELECT orders_1.id FROM billing.orders {SNAPSHOT = `s`} AS orders_1"),
    (
        select(as_of(table("t", Column("a")), snapshot="Ünï-code").c.a),
        "SELECT t_1.a FROM t {SNAPSHOT = `Ünï-code`} AS t_1",
    ),
    (
        select(as_of(ORDERS, snapshot="a-b%").c.id),
        "SELECT orders_1.id FROM orders {SNAPSHOT = `a-b%%`} AS orders_1",
    ),
    (select(as_of(ORDERS, timestamp=NOON).c.id), "SELECT orders_1.id FROM orders {TIMESTAMP = %s} AS orders_1"),
    (select(as_of(ORDERS, mo_ts=1).c.id), "SELECT orders_1.id FROM orders {MO_TS = %s} AS orders_1"),
    (
        select(as_of(Manager, **S).grade),
        "SELECT managers_1.grade FROM employees {SNAPSHOT = `s`} AS employees_1 INNER JOIN managers "
        "{SNAPSHOT = `s`} AS managers_1 ON employees_1.id = managers_1.id",
    ),
    (
        select(as_of(with_polymorphic(Employee, [Manager], flat=True), **S).id),
        "SELECT employees_1.id FROM employees {SNAPSHOT = `s`} AS employees_1 LEFT OUTER JOIN managers "
        "{SNAPSHOT = `s`} AS managers_1 ON employees_1.id = managers_1.id",
    ),
    (
        select(func.count()).select_from(as_of(ORDERS, **S)).with_for_update(),
        "SELECT count(*) AS count_1 FROM orders {SNAPSHOT = `s`} AS orders_1 FOR UPDATE",
    ),
]


@pytest.mark.parametrize(("statement", "expected"), HINTED)
def test_as_of_hint_stands_between_table_and_alias(statement, expected):
    assert_compile(statement, expected)


def test_as_of_compiles_in_joins_ctes_and_unions():
    old, again = as_of(Order, snapshot="s"), as_of(Order, snapshot="S")
    joined = select(old.id).join(again, again.id == old.id).where(~exists().where(Order.id == old.id))
    assert_compile(
        joined,
        "SELECT orders_1.id FROM orders {SNAPSHOT = `s`} AS orders_1 INNER JOIN orders {SNAPSHOT = `S`} AS "
        "orders_2 ON orders_2.id = orders_1.id WHERE NOT (EXISTS (SELECT * FROM orders WHERE orders.id = orders_1.id))",
    )
    cte = select(old.id).cte("c")
    assert_compile(
        union_all(select(cte.c.id), select(Order.id)),
        "WITH c AS (SELECT orders_1.id AS id FROM orders {SNAPSHOT = `s`} AS orders_1) SELECT c.id FROM c "
        "UNION ALL SELECT orders.id FROM orders",
    )
    past_items = as_of(Item, snapshot="s")
    assert_compile(
        select(old.id).join(old.items.of_type(past_items)),
        "SELECT orders_1.id FROM orders {SNAPSHOT = `s`} AS orders_1 INNER JOIN items {SNAPSHOT = `s`} AS "
        "items_1 ON orders_1.id = items_1.order_id",
    )


OLD = as_of(ORDERS, **S)
TWO_MOMENTS = [
    select(OLD.c.id).join(as_of(ORDERS, snapshot="t", name="t"), literal(True)),
    select(OLD.c.id).where(exists().where(as_of(BILLING, snapshot="t").c.id == OLD.c.id)),
    union_all(select(OLD.c.id), select(as_of(ORDERS, snapshot="t").c.id)),
    select(select(OLD).cte().c.id, as_of(ORDERS, mo_ts=1).c.id),
    insert(ORDERS).from_select(["id"], select(OLD.c.id).where(OLD.c.id.in_(select(as_of(ORDERS, mo_ts=1).c.id)))),
    select(as_of(Order, timestamp=NOON), as_of(Order, timestamp=NOON + dt.timedelta(1))),
    of_all(select(Order.id, as_of(Item, snapshot="t").id), **S),
]


def sent(statement, **values):
    """Check it as an execution context does."""
    context = SimpleNamespace(compiled=compiled(statement), compiled_parameters=[values], extracted_parameters=None)
    check_bound_points_in_time(context.compiled, context)


@pytest.mark.parametrize("statement", TWO_MOMENTS)
def test_as_of_two_points_in_time_is_refused(statement):
    with pytest.raises(MatrixOneArgumentError, match="only one point in time"):
        sent(statement)


def test_as_of_two_bound_points_in_time_is_refused_when_executed():
    statement = select(as_of(ORDERS, timestamp=bindparam("a")).c.id, as_of(BILLING, timestamp=bindparam("b")).c.id)
    sent(statement, a=NOON, b=NOON.astimezone(dt.timezone(dt.timedelta(hours=8))))
    sent(statement, a=NOON, b="2026-11-22 12:00:00.000000Z")
    mixed = select(as_of(Order, mo_ts=1).id, as_of(ORDERS, mo_ts=bindparam("b")).c.id)
    sent(mixed, b=1)
    for refused, values in ((statement, {"a": NOON, "b": NOON + dt.timedelta(1)}), (mixed, {"b": 2})):
        with pytest.raises(MatrixOneArgumentError, match="only one point in time"):
            sent(refused, **values)


def test_as_of_can_be_read_by_insert_and_update():
    old = as_of(ORDERS, **S)
    assert_compile(
        insert(ORDERS).from_select(["id"], select(old.c.id)),
        "INSERT INTO orders (id) SELECT orders_1.id FROM orders {SNAPSHOT = `s`} AS orders_1",
    )
    assert_compile(
        update(ORDERS).where(ORDERS.c.id == old.c.id).values(note=old.c.note),
        "UPDATE orders, orders {SNAPSHOT = `s`} AS orders_1 SET orders.note=orders_1.note "
        "WHERE orders.id = orders_1.id",
    )


def test_as_of_cannot_be_written_to():
    old = as_of(ORDERS, **S)
    for write in (insert(old), update(old).values(note="x"), delete(old), delete(as_of(Order, **S))):
        with pytest.raises(CompileError, match="historical tables are read-only"):
            compiled(write)


def test_as_of_option_applies_to_each_table_of_a_join():
    assert sql(of_all(select(Order.id), **S)) == "SELECT orders.id FROM orders {SNAPSHOT = `s`}"
    assert sql(of_all(select(BILLING.c.id, ORDERS.c.id).join(ORDERS, BILLING.c.id == ORDERS.c.id), **S)) == (
        "SELECT billing.orders.id, orders_1.id AS id_1 FROM billing.orders {SNAPSHOT = `s`} INNER JOIN "
        "orders {SNAPSHOT = `s`} AS orders_1 ON billing.orders.id = orders_1.id"
    )


def test_as_of_option_leaves_a_hint_after_the_point_in_time():
    hinted = select(ORDERS.c.id).with_hint(ORDERS, "USE INDEX (x)", "matrixone")
    assert sql(of_all(hinted, **S)) == "SELECT orders.id FROM orders {SNAPSHOT = `s`} USE INDEX (x)"


def test_as_of_option_applies_to_subqueries_and_joined_eager_loads():
    nested = select(Order.id).where(Order.id.in_(select(Item.order_id)))
    assert sql(of_all(nested, **S)).count("{SNAPSHOT = `s`}") == 2
    joined = select(Order).options(joinedload(Order.items)).limit(1)
    assert sql(of_all(joined, **S)).count("{SNAPSHOT = `s`}") == 2


def test_as_of_option_leaves_the_point_in_time_of_an_as_of_table():
    own = as_of(Item, snapshot="own")
    assert sql(of_all(select(own.id), **S)) == "SELECT items_1.id FROM items {SNAPSHOT = `own`} AS items_1"


def test_as_of_timestamps_are_bound_in_utc():
    shanghai = NOON.astimezone(dt.timezone(dt.timedelta(hours=8)))
    for when in (NOON, shanghai, "2026-11-22 12:00:00Z", "2026-11-22T20:00:00.000+08:00"):
        text = sql(select(as_of(ORDERS, timestamp=when).c.id), compile_kwargs={"literal_binds": True})
        assert "{TIMESTAMP = '2026-11-22 12:00:00.000000'}" in text


def test_as_of_bound_timestamp_is_converted_when_executed():
    late = compiled(select(as_of(ORDERS, timestamp=bindparam("when")).c.id))
    assert late.construct_params({"when": NOON}) == {"when": NOON}
    assert late._bind_processors["when"](NOON) == "2026-11-22 12:00:00.000000"
    with pytest.raises(MatrixOneArgumentError, match="no UTC offset"):
        late._bind_processors["when"](dt.datetime(2026, 11, 22))


@pytest.mark.parametrize(
    "moment",
    [
        {},
        {"snapshot": "s", "mo_ts": 1},
        {"snapshot": "with space"},
        {"snapshot": "x" * 65},
        {"snapshot": ""},
        {"timestamp": dt.datetime(2026, 11, 22)},
        {"timestamp": dt.date(2026, 11, 22)},
        {"mo_ts": "1"},
        {"mo_ts": True},
        {"mo_ts": 0},
    ],
)
def test_invalid_point_in_time_is_refused(moment):
    with pytest.raises(MatrixOneArgumentError):
        as_of(ORDERS, **moment)
    with pytest.raises(MatrixOneArgumentError), time_travel(Session(), **moment):
        pass


def test_as_of_target_that_is_not_a_table_is_refused():
    for target in ("orders", select(ORDERS).subquery(), select(ORDERS).cte(), Order.id, None):
        with pytest.raises(MatrixOneArgumentError, match="as_of"):
            as_of(target, **S)


def test_time_travel_to_a_bind_parameter_is_refused():
    with pytest.raises(MatrixOneArgumentError, match="bind parameter"), time_travel(Session(), mo_ts=bindparam("x")):
        pass


def test_time_travel_refuses_what_is_not_a_session():
    with pytest.raises(MatrixOneArgumentError, match="takes a Session"), time_travel(object(), **S):
        pass


@pytest.mark.parametrize("past", [lambda **when: as_of(ORDERS, **when), lambda **when: as_of(Order, **when)])
def test_as_of_statements_share_one_cache_key_for_all_times(past):
    def key(**when):
        return select(past(**when))._generate_cache_key()

    assert key(**S) == key(snapshot="t")
    assert key(timestamp=NOON) == key(timestamp=NOON + dt.timedelta(1))
    assert key(mo_ts=1) == key(mo_ts=2)
    assert key(**S) != key(timestamp=NOON) != key(mo_ts=1) != select(aliased(Order))._generate_cache_key()


def test_as_of_options_share_one_cache_key_for_all_times():
    def key(**when):
        return of_all(select(Order), **when)._generate_cache_key()

    assert key(**S) == key(snapshot="t")
    assert key(timestamp=NOON) == key(timestamp=NOON + dt.timedelta(1))
    assert key(**S) != select(Order)._generate_cache_key()


def test_as_of_statement_as_string():
    assert "orders {SNAPSHOT = __[POSTCOMPILE_param_1]} AS orders_1" in str(select(as_of(Order, **S)))
    assert "{SNAPSHOT = __[POSTCOMPILE_param_1]}" in str(
        of_all(lambda_stmt(lambda: select(ORDERS.c.id)), **S).compile(dialect=MatrixOneDialect_pymysql())
    )


def test_as_of_does_not_compile_on_mysql():
    with pytest.raises(UnsupportedCompilationError):
        select(as_of(Order, **S)).compile(dialect=mysql.dialect())


def test_as_of_with_a_subquery_of_the_present_needs_3_0():
    old = as_of(Order, **S)
    mixed = select(old.id).where(~exists().where(Order.id == old.id))
    with pytest.raises(CompileError, match=r"needs MatrixOne 3\.0\.0"):
        compiled(mixed, "2.2.2")
    compiled(mixed, "3.0.14")
    compiled(select(Order.id).where(~exists().where(Order.id == old.id)), "2.2.2")
    compiled(select(old.id).outerjoin(Order, Order.id == old.id), "2.2.2")


def test_as_of_joinedload_of_the_present_is_refused():
    old = as_of(Order, **S)
    with pytest.raises(CompileError, match="of_type"):
        compiled(select(old).options(joinedload(old.items)))
    compiled(select(old).options(joinedload(old.items.of_type(as_of(Item, **S)))))
    compiled(select(Order, old).join(old, old.id == Order.id).options(joinedload(Order.items)))


def test_as_of_column_property_keeps_its_point_in_time():
    for entity in (Remembering, aliased(Remembering), as_of(Remembering, snapshot="w")):
        assert "FROM orders {SNAPSHOT = `w`} AS w" in sql(select(entity))


def test_changes_since_of_a_table_with_only_a_key_finds_new_and_gone_rows():
    keys_alone = Table("k", MetaData(), Column("a", Integer, primary_key=True))
    changed, new, gone = sql(changes_since(keys_alone, **S)).split(" UNION ALL ")
    assert "WHERE false" in changed
    assert new.endswith("FROM k LEFT OUTER JOIN k {SNAPSHOT = `s`} AS k_1 ON k_1.a = k.a WHERE k_1.a IS NULL")
    assert gone.endswith("FROM k {SNAPSHOT = `s`} AS k_1 LEFT OUTER JOIN k ON k_1.a = k.a WHERE k.a IS NULL")


def test_changes_since_compares_columns_null_safely():
    assert "WHERE NOT (orders_1.note <=> orders.note)" in sql(changes_since(Order, **S))


def test_changes_since_of_a_table_without_a_primary_key_is_refused():
    with pytest.raises(MatrixOneArgumentError, match="no primary key"):
        changes_since(BILLING, **S)


def test_changes_since_of_a_joined_subclass_is_refused():
    with pytest.raises(MatrixOneArgumentError, match="shares its rows"):
        changes_since(Manager, **S)


def test_as_of_column_property_of_a_joined_table_is_historical():
    class Own(DeclarativeBase):
        pass

    class Basket(Own):
        __tablename__ = "baskets"
        id: Mapped[int] = mapped_column(primary_key=True)
        fruits = relationship("Fruit")

    class Fruit(Own):
        __tablename__ = "fruits"
        id: Mapped[int] = mapped_column(primary_key=True)
        basket_id: Mapped[int] = mapped_column(ForeignKey("baskets.id"))

    prices = Table("prices", MetaData(), Column("id", Integer), Column("price", Integer))
    Fruit.price = column_property(select(prices.c.price).where(prices.c.id == Fruit.id).scalar_subquery())
    old, fruit = as_of(Basket, **S), as_of(Fruit, **S)
    for option in (joinedload(old.fruits.of_type(fruit)), contains_eager(old.fruits.of_type(fruit))):
        statement = select(old).join(old.fruits.of_type(fruit)).options(option)
        with pytest.raises(CompileError, match="current"):
            compiled(statement)


@pytest.fixture
def session():
    """Return a Session that can be rolled back, and reads nothing."""
    with Session(create_engine("sqlite://")) as session:
        session.connection()
        yield session


def ended(session) -> bool:
    """Return whether the Session is as if it had never travelled."""
    session.commit()
    return not session.info


def test_time_travel_block_that_ends_before_an_inner_one_leaves_the_session_in_the_past(session):
    present = session.identity_map
    outer, inner = time_travel(session, snapshot="a"), time_travel(session, snapshot="b")
    outer.__enter__()
    inner.__enter__()
    past = session.identity_map
    outer.__exit__(None, None, None)
    assert session.identity_map is past
    inner.__exit__(None, None, None)
    assert session.identity_map is present
    assert ended(session)


def test_time_travel_goes_on_after_a_rollback_within_nested_blocks(session):
    present, seen = session.identity_map, []
    event.listen(session, "after_rollback", lambda session: seen.append(session.identity_map))
    with time_travel(session, snapshot="a"), time_travel(session, snapshot="b"):
        session.rollback()
        assert session.identity_map is not present
        with pytest.raises(InvalidRequestError, match="nothing can be committed"):
            session.commit()
    assert seen[0] is present
    assert ended(session)


def test_time_travel_ends_after_a_rollback_that_failed(session):
    def fail(session):
        raise ZeroDivisionError

    event.listen(session, "after_rollback", fail)
    with pytest.raises(ZeroDivisionError), time_travel(session, snapshot="a"):
        session.rollback()
    event.remove(session, "after_rollback", fail)
    session.rollback()
    assert ended(session)


def test_changes_since_compares_only_the_chosen_columns():
    assert "note" not in sql(changes_since(Order, **S, columns=[]))
    assert sql(changes_since(Order, **S, columns=["note"])) == sql(changes_since(Order, **S, columns=[Order.note]))
    assert sql(changes_since(Order, **S, columns="note")) == sql(changes_since(Order, **S))


def test_changes_since_refuses_what_is_not_a_column():
    for columns in ("nothing", ["nothing"], {"note": 1}, b"note", [Manager.id], [object()], 7):
        with pytest.raises(MatrixOneArgumentError, match="columns="):
            changes_since(Order, **S, columns=columns)


def test_changes_between_reads_each_point_in_time_separately():
    one, other = str(changes_between(Order, "s", NOON)).split(";\n")
    assert "orders {SNAPSHOT = " in one
    assert "orders {TIMESTAMP = " in other


def test_changes_between_nanoseconds_are_not_limited_to_an_hour():
    one, other = str(changes_between(Order, 1, "s")).split(";\n")
    assert "orders {MO_TS = " in one
    assert "orders {SNAPSHOT = " in other
    for invalid in (0, -1, True, 1 << 63):
        with pytest.raises(MatrixOneArgumentError, match="nanoseconds"):
            changes_between(Order, "s", invalid)


def test_changes_between_invalid_points_in_time_is_refused():
    with pytest.raises(MatrixOneArgumentError, match=r"^after=.* no UTC offset"):
        changes_between(Order, "s", "2026-03-01 12:00:00")
    with pytest.raises(MatrixOneArgumentError):
        changes_between(Order, "s", None)


def test_changes_between_compares_rows_by_their_keys():
    assert list(_compared([(1, "a"), (2, "b")], [(1, "a"), (2, "c"), (3, "d")], [0])) == [
        ("changed", 2, "b", 2, "c"),
        ("new", None, None, 3, "d"),
    ]
    assert list(_compared([(1, "a")], [], [0])) == [("gone", 1, "a", None, None)]
    assert list(_compared([], [], [0])) == []
