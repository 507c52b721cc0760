"""Run ordinary statements whose results MatrixOne returns in another form than their types require."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    and_,
    bindparam,
    case,
    cast,
    delete,
    desc,
    exists,
    extract,
    func,
    insert,
    inspect,
    literal,
    not_,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError, IntegrityError, SAWarning
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.orm.exc import StaleDataError

from sqlalchemy_matrixone import VECF32
from sqlalchemy_matrixone.core.release import UNRELEASED

from .client import drop_databases, make_databases
from .server import Admin, Server

DATABASE = "sc_ordinary"


@pytest.fixture
def connection(server: Server, admin: Admin) -> Iterator[Connection]:
    make_databases(admin, DATABASE)
    with server.engine(server.url(database=DATABASE)).connect() as connection:
        yield connection
    drop_databases(admin, DATABASE)


EVENTS = Table("events", MetaData(), Column("id", Integer, primary_key=True), Column("at", DateTime))
EXTRACTED = {"year": 2026, "quarter": 1, "month": 2, "week": 6, "day": 3, "hour": 4, "minute": 5, "second": 6}


def test_extract_returns_an_integer(connection: Connection) -> None:
    EVENTS.create(connection)
    connection.execute(insert(EVENTS), {"id": 1, "at": dt.datetime(2026, 2, 3, 4, 5, 6)})
    connection.execute(insert(EVENTS), {"id": 2, "at": None})
    fields = [extract(field, EVENTS.c.at) for field in EXTRACTED]
    rows = connection.execute(select(*fields).order_by(EVENTS.c.id)).all()
    assert rows == [tuple(EXTRACTED.values()), (None,) * len(EXTRACTED)]
    month = extract("month", EVENTS.c.at)
    assert connection.execute(select(month, func.count()).group_by(month).having(month == 2)).all() == [(2, 1)]


PAIRS = {"day_hour": 304, "day_minute": 30405, "hour_second": 40506, "minute_microsecond": 506000007}


def test_extract_of_a_pair_returns_an_integer(connection: Connection) -> None:
    """The server returns a text, such as '03  4:05'."""
    at = literal(dt.datetime(2026, 2, 3, 4, 5, 6, 7), mysql.DATETIME(fsp=6))
    fields = [extract(field, cast(at, mysql.DATETIME(fsp=6))) for field in PAIRS]
    assert connection.execute(select(*fields)).one() == tuple(PAIRS.values())


def test_floor_division_of_integers_returns_an_exact_integer(connection: Connection) -> None:
    """The server's ``/`` returns a DOUBLE."""
    EVENTS.create(connection)
    connection.execute(insert(EVENTS), [{"id": 7}, {"id": -7}])
    quotients = select(EVENTS.c.id // 2, EVENTS.c.id // -2).order_by(EVENTS.c.id.desc())
    assert connection.execute(quotients).all() == [(3, -4), (-4, 3)]
    assert [type(value) for row in connection.execute(quotients) for value in row] == [int] * 4


DOCUMENTS = Table("documents", MetaData(), Column("id", Integer, primary_key=True), Column("doc", JSON))
DOCUMENT = {"number": 1, "text": "x", "flag": True, "ratio": 1.5}


@pytest.mark.parametrize(
    ("key", "accessor", "arguments", "value"),
    [
        ("number", "as_integer", (), 1),
        ("text", "as_string", (), "x"),
        ("flag", "as_boolean", (), True),
        ("ratio", "as_float", (), 1.5),
        ("ratio", "as_numeric", (10, 2), Decimal("1.50")),
    ],
)
def test_group_by_a_json_accessor_groups_by_value(
    connection: Connection, key: str, accessor: str, arguments: tuple[int, ...], value: Any
) -> None:
    DOCUMENTS.create(connection)
    documents = [DOCUMENT, DOCUMENT, dict.fromkeys(DOCUMENT), None]
    connection.execute(insert(DOCUMENTS), [{"id": id_, "doc": doc} for id_, doc in enumerate(documents, 1)])
    element = getattr(DOCUMENTS.c.doc[key], accessor)(*arguments).label("element")
    counts = connection.execute(select(element, func.count()).group_by(element).order_by(element)).all()
    assert counts == [(None, 2), (value, 2)]


def test_large_json_integer_is_returned_and_compared_exactly(connection: Connection) -> None:
    DOCUMENTS.create(connection)
    numbers = [2**53 + 1, 2**63 - 1, -(2**63), None, 7]
    documents = [{"id": id_, "doc": {"a": {"n": number}}} for id_, number in enumerate(numbers, 1)]
    connection.execute(insert(DOCUMENTS), documents)
    number = DOCUMENTS.c.doc["a", "n"].as_integer()
    assert connection.scalars(select(number).order_by(DOCUMENTS.c.id)).all() == numbers
    for id_, value in ((1, 2**53 + 1), (2, 2**63 - 1)):
        assert connection.scalars(select(DOCUMENTS.c.id).where(number == value)).all() == [id_]


def test_json_key_with_special_characters_is_found(connection: Connection) -> None:
    DOCUMENTS.create(connection)
    keys = ["a.b", 'a"b', "a\\b", "a'b", "a\nb", "a\x01b", "%(a)s", "ü😀", "", "1", "a[0]", '\\"']
    document = {key: number for number, key in enumerate(keys)}
    connection.execute(insert(DOCUMENTS), {"id": 1, "doc": {"o": [document], **document}})
    for number, key in enumerate(keys):
        for item in (DOCUMENTS.c.doc[key], DOCUMENTS.c.doc["o", 0, key]):
            assert connection.scalars(select(item)).all() == [number]
            assert connection.scalars(select(DOCUMENTS.c.id).where(item.as_integer() == number)).all() == [1]


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column()
    books: Mapped[list[Book]] = relationship(cascade="all, delete-orphan", passive_deletes=True, passive_updates=True)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id", ondelete="CASCADE", onupdate="CASCADE"))


@pytest.fixture
def session(connection: Connection) -> Iterator[Session]:
    Base.metadata.create_all(connection)
    with Session(connection) as session:
        session.add(Author(id=1, name="a", books=[Book(id=1), Book(id=2)]))
        session.commit()
        session.expunge_all()
        yield session


def test_cascading_delete_counts_one_row(session: Session) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.delete(session.scalars(select(Author)).one())
        session.commit()
    assert session.scalars(select(Book.id)).all() == []


def test_cascading_update_counts_one_row(session: Session) -> None:
    session.scalars(select(Author)).one().id = 7
    session.commit()
    assert session.scalars(select(Book.author_id).order_by(Book.id)).all() == [7, 7]


def test_flush_of_a_deleted_row_raises_stale_data_error(session: Session) -> None:
    author = session.scalars(select(Author)).one()
    session.execute(delete(Book), execution_options={"synchronize_session": False})
    session.execute(text("DELETE FROM authors"))
    author.name = "b"
    with pytest.raises(StaleDataError, match="expected to update 1 row"):
        session.flush()


def test_delete_without_the_key_has_the_rowcount_of_the_server(session: Session) -> None:
    session.execute(update(Author).values(name="c").where(Author.id.in_([1])))
    result = session.execute(delete(Book).where(Book.author_id == 1))
    assert result.rowcount == 2  # type: ignore[attr-defined]


ROOMS = Table(
    "rooms",
    MetaData(),
    Column("house", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
)
BEDS = Table(
    "beds",
    ROOMS.metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("house", Integer),
    Column("number", Integer),
    ForeignKeyConstraint(["house", "number"], [ROOMS.c.house, ROOMS.c.number], ondelete="CASCADE", onupdate="CASCADE"),
)


def test_update_and_delete_by_a_composite_key_count_each_row_once(connection: Connection) -> None:
    ROOMS.metadata.create_all(connection)
    connection.execute(insert(ROOMS), [{"house": 1, "number": number} for number in (1, 2, 3)])
    connection.execute(insert(BEDS), [{"id": id_, "house": 1, "number": 1 + id_ % 2} for id_ in range(6)])
    by_key = ROOMS.c.house == bindparam("h"), ROOMS.c.number == bindparam("n")
    moved = connection.execute(update(ROOMS).where(*by_key).values(number=9), {"h": 1, "n": 1})
    gone = connection.execute(delete(ROOMS).where(*by_key), {"h": 1, "n": 2})
    stale = connection.execute(delete(ROOMS).where(*by_key), {"h": 1, "n": 2})
    assert [moved.rowcount, gone.rowcount, stale.rowcount] == [1, 1, 0]
    assert connection.scalars(select(BEDS.c.number)).all() == [9, 9, 9]


def indexed_table() -> Table:
    return Table(
        "indexed", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), Column("tenant", String(5))
    )


@pytest.mark.releases(until=(4, 1))
def test_index_with_the_key_is_created_without_it_and_finds_its_rows(connection: Connection) -> None:
    table = indexed_table()
    Index("k", table.c.tenant, table.c.id)
    with pytest.warns(SAWarning, match="Index 'k' is created without 'id'"):
        table.create(connection)
    connection.execute(insert(table), [{"id": 1, "tenant": "t1"}, {"id": 2, "tenant": "t2"}])
    assert connection.scalars(select(table.c.id).where(table.c.tenant == "t2")).all() == [2]
    differences = compare_metadata(MigrationContext.configure(connection), table.metadata)
    assert [each for each in differences if "index" in each[0]] == []


@pytest.mark.releases(since=(4, 1))
def test_index_with_the_key_finds_its_rows(connection: Connection) -> None:
    table = indexed_table()
    Index("k", table.c.tenant, table.c.id)
    table.create(connection)
    connection.execute(insert(table), [{"id": 1, "tenant": "t1"}, {"id": 2, "tenant": "t2"}])
    assert connection.scalars(select(table.c.id).where(table.c.tenant == "t2")).all() == [2]


WORDS = Table("words", MetaData(), Column("id", Integer, primary_key=True), Column("word", String(20)))


def create_index_in_migration(connection: Connection, length: int) -> None:
    Operations(MigrationContext.configure(connection)).create_index("k", "words", ["word"], mysql_length=length)


@pytest.mark.releases(since=(4, 0))
def test_unique_index_on_the_first_characters_is_refused(connection: Connection) -> None:
    words = WORDS.to_metadata(MetaData())
    Index("k", words.c.word, mysql_length={"word": 3}, unique=True)
    with pytest.raises(CompileError, match="first 3 characters of 'word'"):
        words.create(connection)
    assert inspect(connection).get_indexes("words") == []


@pytest.mark.releases(since=(4, 0))
def test_index_on_the_first_characters_contains_whole_values(connection: Connection) -> None:
    words = WORDS.to_metadata(metadata := MetaData())
    Index("k", words.c.word, mysql_length={"word": 3})
    with pytest.warns(SAWarning, match="without mysql_length=3, on whole values"):
        words.create(connection)
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    words.drop(connection)
    with pytest.warns(SAWarning, match="without mysql_length=19, on whole values"):
        finds_rows_by_an_index(connection, 19)


def finds_rows_by_an_index(connection: Connection, length: int) -> None:
    WORDS.create(connection)
    create_index_in_migration(connection, length)
    connection.execute(insert(WORDS), [{"id": 1, "word": "abcdef"}, {"id": 2, "word": "abcxyz"}])
    assert connection.scalars(select(WORDS.c.word).where(WORDS.c.word == "abcdef")).all() == ["abcdef"]
    assert connection.scalars(select(WORDS.c.id).where(WORDS.c.word >= "abcdef").order_by(WORDS.c.id)).all() == [1, 2]


@pytest.mark.releases(until=(4, 0))
def test_index_on_the_first_characters_finds_its_rows_before_4_0(connection: Connection) -> None:
    finds_rows_by_an_index(connection, 3)


def test_index_with_the_length_of_its_column_finds_its_rows(connection: Connection) -> None:
    finds_rows_by_an_index(connection, 20)


def test_self_referencing_table_whose_rows_would_be_orphans_warns(server: Server, connection: Connection) -> None:
    table = Table(
        "nodes",
        MetaData(),
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("parent_id", ForeignKey("nodes.id", ondelete="CASCADE")),
    )
    is_complete = server.release >= UNRELEASED
    with nullcontext() if is_complete else pytest.warns(SAWarning, match="ON DELETE CASCADE of table 'nodes'.*orphans"):
        table.create(connection)
    connection.execute(insert(table), [{"id": 1, "parent_id": None}, {"id": 2, "parent_id": 1}])
    connection.execute(delete(table).where(table.c.id == 1))
    assert connection.scalars(select(table.c.id)).all() == ([] if is_complete else [2])


def test_vector_search_with_a_criterion_is_exact_without_the_index(connection: Connection) -> None:
    table = Table(
        "points", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False), Column("at", VECF32(2))
    )
    Index("near", table.c.at, matrixone_using="ivfflat", matrixone_lists=2, matrixone_op_type="vector_l2_ops")
    connection.execute(text("SET experimental_ivf_index = 1"))  # for 2.2
    points = [{"id": number, "at": [number % 7, number // 7]} for number in range(40)]
    table.create(connection)
    connection.execute(insert(table), points)
    distance = table.c.at.l2_distance([0, 0])
    found = select(table.c.id).where(table.c.id.in_([39, 38, 7])).order_by(distance + 0).limit(2)
    assert connection.scalars(found).all() == [7, 38]
    assert connection.scalars(found.offset(1)).all() == [38, 39]


def test_reserved_word_after_period_in_text_is_a_name(connection: Connection) -> None:
    table = Table("metrics", MetaData(), Column("id", Integer, primary_key=True), Column("key", String(20)))
    table.create(connection)
    connection.execute(insert(table), {"id": 1, "key": "metrics.key"})
    found = connection.execute(
        text("SELECT metrics.key FROM metrics WHERE metrics.key = 'metrics.key' AND metrics.key = :value"),
        {"value": "metrics.key"},
    )
    assert found.all() == [("metrics.key",)]


STOCK = Table("stock", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
SALES = Table("sales", MetaData(), Column("id", Integer, primary_key=True), Column("stock_id", Integer))


@pytest.fixture
def stock(connection: Connection) -> Connection:
    for table in (STOCK, SALES):
        table.create(connection)
    connection.execute(insert(STOCK), [{"id": n, "n": n * 10} for n in (1, 2, 3)])
    connection.execute(insert(SALES), [{"id": 1, "stock_id": 1}, {"id": 2, "stock_id": 1}, {"id": 3, "stock_id": 3}])
    return connection


def counted(connection: Connection) -> list[tuple[int, int]]:
    return [tuple(row) for row in connection.execute(select(STOCK).order_by(STOCK.c.id))]


def test_update_from_a_grouped_subquery_changes_the_matching_rows(stock: Connection) -> None:
    sold = select(SALES.c.stock_id, func.count().label("n")).group_by(SALES.c.stock_id).subquery()
    changed = stock.execute(update(STOCK).values(n=STOCK.c.n - sold.c.n).where(STOCK.c.id == sold.c.stock_id))
    assert (changed.rowcount, counted(stock)) == (2, [(1, 8), (2, 20), (3, 29)])


def test_update_from_the_same_table_reads_the_former_values(stock: Connection) -> None:
    following = STOCK.alias("following")
    stock.execute(update(STOCK).values(n=following.c.n).where(STOCK.c.id == following.c.id - 1))
    assert counted(stock) == [(1, 20), (2, 30), (3, 30)]


def test_delete_by_a_subquery_deletes_only_the_matching_rows(stock: Connection) -> None:
    sold = select(SALES.c.stock_id, func.count().label("n")).group_by(SALES.c.stock_id).subquery()
    stock.execute(delete(STOCK).where(STOCK.c.id == sold.c.stock_id, sold.c.n > 1))
    assert counted(stock) == [(2, 20), (3, 30)]


def test_delete_counts_a_row_with_two_matches_once_since_4_0(server: Server, stock: Connection) -> None:
    deleted = stock.execute(delete(STOCK).where(STOCK.c.id == SALES.c.stock_id))
    assert counted(stock) == [(2, 20)]
    assert deleted.rowcount == (2 if server.release >= (4, 0) else 3)


@pytest.mark.releases(since=(3, 0))  # before, the server panics
def test_upsert_adds_to_the_present_value_for_each_row(stock: Connection) -> None:
    upsert = mysql.insert(STOCK).values([(1, 1), (1, 2), (4, 4)])
    stock.execute(upsert.on_duplicate_key_update(n=STOCK.c.n + upsert.inserted.n))
    assert counted(stock) == [(1, 13), (2, 20), (3, 30), (4, 4)]


@pytest.mark.releases(since=(3, 0))  # before, the server panics
def test_upsert_from_a_select_of_the_same_table_is_applied(stock: Connection) -> None:
    upsert = mysql.insert(STOCK).from_select(["id", "n"], select(STOCK.c.id + 1, STOCK.c.n))
    stock.execute(upsert.on_duplicate_key_update(n=upsert.inserted.n))
    assert counted(stock) == [(1, 10), (2, 10), (3, 20), (4, 30)]


@pytest.mark.releases(since=(3, 0))  # before, the server panics
def test_upserts_of_many_rows_take_values_and_percent_signs_in_their_update(stock: Connection) -> None:
    rows = [{"id": 1, "n": 1}, {"id": 3, "n": 1}, {"id": 4, "n": 4}]
    stock.execute(mysql.insert(STOCK).on_duplicate_key_update(n=77), rows)
    assert counted(stock) == [(1, 77), (2, 20), (3, 77), (4, 4)]
    stock.execute(mysql.insert(STOCK).on_duplicate_key_update(n=STOCK.c.n % 10), rows)
    assert counted(stock) == [(1, 7), (2, 20), (3, 7), (4, 4)]


def test_rows_of_an_outer_join_are_sorted_by_a_later_descending_key(stock: Connection) -> None:
    stock.execute(insert(SALES), [{"id": 4, "stock_id": 1}])
    statement = select(STOCK.c.id, SALES.c.id).outerjoin_from(STOCK, SALES, SALES.c.stock_id == STOCK.c.id)
    ordered = statement.order_by(STOCK.c.id, SALES.c.id.desc())
    expected = [(1, 4), (1, 2), (1, 1), (2, None), (3, 3)]
    assert stock.execute(ordered).all() == expected
    assert stock.execute(ordered.limit(3)).all() == expected[:3]
    assert stock.execute(ordered.limit(3).offset(1)).all() == expected[1:4]
    locked = select(SALES.c.id).order_by(SALES.c.stock_id, SALES.c.id.desc()).with_for_update()
    assert stock.scalars(locked).all() == [4, 2, 1, 3]
    labeled = statement.with_only_columns(STOCK.c.id.label("a"), SALES.c.id.label("b"))
    both = union_all(labeled, labeled.where(STOCK.c.id < 0))
    assert stock.execute(both.order_by("a", desc("b"))).all() == expected


DETAILS = Table("details", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False))


def test_rows_are_joined_by_a_key_of_an_outer_join(stock: Connection) -> None:
    DETAILS.create(stock)
    stock.execute(insert(STOCK), [{"id": 4, "n": 40}, {"id": 5, "n": 50}])
    stock.execute(insert(DETAILS), [{"id": 1}, {"id": 2}, {"id": 5}])
    stock.execute(insert(SALES), [{"id": n, "stock_id": 5} for n in (4, 5, 6)])
    outer = STOCK.outerjoin(DETAILS, DETAILS.c.id == STOCK.c.id)
    nested = select(STOCK.c.id, DETAILS.c.id.label("key")).select_from(outer).subquery()
    by_key = SALES.c.stock_id == DETAILS.c.id
    expected = [(1, 1), (1, 2), (5, 4), (5, 5), (5, 6)]
    for statement in (
        select(STOCK.c.id, SALES.c.id).select_from(outer.join(SALES, by_key)),
        select(STOCK.c.id, SALES.c.id).select_from(SALES.join(outer, by_key)),
        select(STOCK.c.id, SALES.c.id).select_from(outer, SALES).where(by_key),
        select(nested.c.id, SALES.c.id).join(SALES, nested.c.key == SALES.c.stock_id),
    ):
        assert sorted(tuple(row) for row in stock.execute(statement)) == expected


ORDERED = Table(
    "ordered",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("code", String(20), nullable=False),
    Column("n", Integer),
)


@pytest.fixture
def ordered(stock: Connection) -> Connection:
    ORDERED.create(stock)
    stock.execute(insert(ORDERED), [{"id": 1, "code": "a", "n": 1}, {"id": 3, "code": "b", "n": 30}])
    return stock


OUTER = STOCK.outerjoin(ORDERED, ORDERED.c.id == STOCK.c.id)


@pytest.mark.parametrize("key", [ORDERED.c.id, ORDERED.c.code], ids=["id", "code"])
def test_null_of_an_outer_join_is_a_group_and_a_distinct_value(ordered: Connection, key: Column[Any]) -> None:
    keys = [None, *ordered.scalars(select(key).order_by(key))]
    selected = select(key).select_from(OUTER)
    assert ordered.scalars(selected.distinct().order_by(key)).all() == keys
    assert ordered.scalar(select(func.count()).select_from(selected.distinct().subquery())) == 3
    for by in (key, func.coalesce(key, key)):
        grouped = select(by, func.count()).select_from(OUTER).group_by(by).order_by(by)
        assert [tuple(row) for row in ordered.execute(grouped)] == [(each, 1) for each in keys]
    stock_and_key = select(STOCK.c.id, key).select_from(OUTER).distinct().order_by(STOCK.c.id)
    assert ordered.execute(stock_and_key).all() == [(1, keys[1]), (2, None), (3, keys[2])]


def test_null_of_an_outer_join_is_not_a_value_for_not_in_and_exists(ordered: Connection) -> None:
    key, selected = ORDERED.c.id, select(STOCK.c.id).select_from(OUTER).order_by(STOCK.c.id)
    assert ordered.scalars(selected.where(key.not_in(select(SALES.c.id).where(SALES.c.id != 3)))).all() == [3]
    assert ordered.scalars(select(SALES.c.id).where(SALES.c.id.not_in(select(key).select_from(OUTER)))).all() == []
    sold = exists().where(SALES.c.stock_id == key)
    assert ordered.scalars(selected.where(~sold)).all() == [2]
    assert ordered.scalars(selected.where(sold)).all() == [1, 3]


def test_big_integer_is_compared_by_equality_and_by_a_list(ordered: Connection) -> None:
    key, selected = ORDERED.c.id, select(ORDERED.c.id)
    some = selected.where(key.in_([1, 3]))
    assert ordered.scalars(some.where(key == 1)).all() == [1]
    assert ordered.scalars(some.where(key != 1)).all() == [3]
    assert ordered.scalars(selected.where(key == 1, key.not_in([1, 3]))).all() == []
    assert ordered.scalars(selected.where(key == 1, or_(key == 1, key == 3))).all() == [1]
    nested = some.subquery()
    assert ordered.scalars(select(nested.c.id).where(nested.c.id != 1)).all() == [3]
    other = ORDERED.alias()
    joined = select(other.c.n).join_from(ORDERED, other, other.c.id == key)
    assert ordered.scalars(joined.where(key == 3, other.c.id.in_([1, 3]))).all() == [30]
    assert ordered.execute(update(ORDERED).where(key == 1, key.in_([1, 3])).values(n=5)).rowcount == 1
    assert ordered.execute(delete(ORDERED).where(key == 1, key.in_([1, 3]))).rowcount == 1


def test_several_rows_joined_with_an_alias_are_changed_and_counted(ordered: Connection) -> None:
    other = ORDERED.alias()
    joined = STOCK.c.n > other.c.n, other.c.id == 1
    assert ordered.execute(update(STOCK).where(*joined).values(n=STOCK.c.n + other.c.n)).rowcount == 3
    assert ordered.execute(delete(STOCK).where(*joined)).rowcount == 3


def test_rows_are_joined_by_the_key_and_a_nullable_column(ordered: Connection) -> None:
    other = Table("other", MetaData(), Column("id", Integer, primary_key=True), Column("n", Integer))
    other.create(ordered)
    ordered.execute(insert(other), [{"id": 1, "n": None}, {"id": 2, "n": 20}, {"id": 3, "n": 30}])
    joined = select(STOCK.c.id, other.c.id).where(other.c.id == STOCK.c.id, other.c.n == STOCK.c.n)
    assert ordered.execute(joined.order_by(STOCK.c.id)).all() == [(2, 2), (3, 3)]


def test_rows_are_joined_by_the_key_and_a_cast(ordered: Connection) -> None:
    ordered.execute(insert(ORDERED), [{"id": n, "code": "c", "n": None if n < 7 else n * 10} for n in range(4, 9)])
    ordered.execute(insert(STOCK), [{"id": n, "n": n * 10} for n in range(4, 9)])
    by_key = ORDERED.c.id == STOCK.c.id
    for criterion in (ORDERED.c.n == cast(STOCK.c.n, BigInteger), func.abs(ORDERED.c.n) == STOCK.c.n):
        joined = select(STOCK.c.id, ORDERED.c.id).order_by(STOCK.c.id)
        assert ordered.execute(joined.join(ORDERED, by_key & criterion)).all() == [(3, 3), (7, 7), (8, 8)]
        outer = ordered.execute(joined.outerjoin(ORDERED, by_key & criterion))
        assert [row[1] for row in outer] == [None, None, 3, None, None, None, 7, 8]
        changed = update(ORDERED).where(by_key, criterion).values(code=cast(STOCK.c.id, String))
        assert ordered.execute(changed).rowcount == 3
        selected = select(ORDERED.c.id, ORDERED.c.code).order_by(ORDERED.c.id)
        codes = {"1": "a", "3": "3", "7": "7", "8": "8"}
        assert [tuple(row) for row in ordered.execute(selected)] == [
            (n, codes.get(str(n), "c")) for n in (1, 3, 4, 5, 6, 7, 8)
        ]


def test_constants_find_the_same_rows_in_any_order(stock: Connection) -> None:
    stock.execute(insert(STOCK), {"id": 4, "n": None})
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    assert stock.scalars(ids.where(literal(2) < STOCK.c.id)).all() == [3, 4]
    assert stock.scalars(ids.where(literal(2) >= STOCK.c.id)).all() == [1, 2]
    assert stock.scalars(ids.where(or_(STOCK.c.n > 10, literal(1) == 1))).all() == [1, 2, 3, 4]
    assert stock.scalars(ids.where(~(and_(STOCK.c.n > 10, literal(1) == 2)))).all() == [1, 2, 3, 4]


PICKS = Table(
    "picks",
    STOCK.metadata,
    Column("id", Integer, primary_key=True),
    Column("stock_id", Integer),
    Column("n", Integer),
)


def test_or_finds_rows_that_an_outer_join_has_set_to_null(stock: Connection) -> None:
    """Before 3.0, the server would take the outer join for an inner join."""
    PICKS.create(stock)
    stock.execute(insert(PICKS), [{"id": 1, "stock_id": 7, "n": 5}, {"id": 2, "stock_id": 8, "n": None}])
    outer = select(STOCK.c.id).outerjoin(PICKS, PICKS.c.id == STOCK.c.id).order_by(STOCK.c.id)
    assert stock.scalars(outer.where(or_(PICKS.c.stock_id == 7, STOCK.c.id == 3))).all() == [1, 3]
    sold = outer.outerjoin(SALES, SALES.c.id == STOCK.c.id)
    assert stock.scalars(sold.where(or_(PICKS.c.n == 5, SALES.c.stock_id == 3))).all() == [1, 3]
    assert stock.scalars(sold.where(not_(or_(PICKS.c.stock_id == 7, SALES.c.stock_id == 3)))).all() == [2]


def test_calculation_with_an_aggregate_of_no_rows_has_its_value(stock: Connection) -> None:
    """Before 4.2, the server would return NULL."""
    of_stock = select(func.count()).where(SALES.c.stock_id == STOCK.c.id)
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    for default in (0, 7):
        total = of_stock.with_only_columns(func.coalesce(func.sum(SALES.c.id), default)).scalar_subquery()
        assert stock.execute(ids.add_columns(total)).all() == [(1, 3), (2, default), (3, 3)]
        assert stock.scalars(ids.where(total == default)).all() == [2]
    following = of_stock.with_only_columns(func.count() + 1).scalar_subquery()
    assert stock.execute(ids.add_columns(following)).all() == [(1, 3), (2, 1), (3, 2)]


def test_comparison_of_a_column_with_a_subquery_without_a_row_finds_rows(stock: Connection) -> None:
    """Before 3.0, the server would take the comparison for the criterion of an inner join."""
    count = select(func.count()).select_from(SALES).where(SALES.c.stock_id == STOCK.c.id).scalar_subquery()
    total = select(func.sum(SALES.c.id)).where(SALES.c.stock_id == STOCK.c.id).scalar_subquery()
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    for criterion in (count < STOCK.c.n, STOCK.c.n != count, func.coalesce(total, 0) < STOCK.c.n):
        assert stock.scalars(ids.where(criterion)).all() == [1, 2, 3]
    assert stock.execute(delete(STOCK).where(func.coalesce(total, 2) == STOCK.c.id)).rowcount == 2


@pytest.mark.releases(since=(4, 0))  # before, the server refuses other comparisons than = of an outer column
def test_aggregate_of_rows_found_by_or_does_not_repeat_outer_rows(stock: Connection) -> None:
    """The server would group by the compared columns."""
    PICKS.create(stock)
    stock.execute(insert(PICKS), [{"id": n, "stock_id": n % 2 + 1, "n": n % 3 + 1} for n in range(11, 17)])
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    for criterion in (
        or_(PICKS.c.stock_id == STOCK.c.id, PICKS.c.n == STOCK.c.id),
        STOCK.c.id.in_([PICKS.c.stock_id, PICKS.c.n]),
        not_(and_(PICKS.c.stock_id != STOCK.c.id, PICKS.c.n != STOCK.c.id)),
    ):
        count = select(func.count()).select_from(PICKS).where(criterion).scalar_subquery()
        assert stock.execute(ids.add_columns(count)).all() == [(1, 4), (2, 4), (3, 2)]
        assert stock.execute(ids.add_columns(func.coalesce(count + 1, 0))).all() == [(1, 5), (2, 5), (3, 3)]
        assert stock.scalars(ids.where(count > 3)).all() == [1, 2]


@pytest.mark.releases(since=(4, 0))  # before, the server refuses other comparisons than = of an outer column
def test_aggregate_of_no_rows_does_not_include_a_row_of_null(stock: Connection) -> None:
    """The server would count one row for which it calculates the argument with NULL."""
    smaller = select(func.count(func.coalesce(SALES.c.stock_id, 7))).where(SALES.c.id < STOCK.c.id)
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    assert stock.execute(ids.add_columns(smaller.scalar_subquery())).all() == [(1, 0), (2, 1), (3, 2)]
    is_first = case((SALES.c.stock_id == 1, 1), else_=0)
    firsts = smaller.with_only_columns(func.sum(is_first)).scalar_subquery()
    assert stock.execute(ids.add_columns(firsts)).all() == [(1, None), (2, 1), (3, 2)]
    assert stock.scalars(ids.where(func.coalesce(firsts, -1) < 0)).all() == [1]


def test_limit_of_a_correlated_subquery_applies_to_each_outer_row(stock: Connection) -> None:
    """The server would apply it to the rows of the subquery together."""
    PICKS.create(stock)
    stock.execute(insert(PICKS), [{"id": n, "stock_id": n % 2 + 1, "n": n * 7 % 10} for n in range(11, 21)])
    of_stock = select(PICKS.c.id).where(PICKS.c.stock_id == STOCK.c.id)
    last = of_stock.order_by(PICKS.c.n.desc(), PICKS.c.id).limit(1)
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    assert stock.execute(ids.add_columns(last.scalar_subquery())).all() == [(1, 14), (2, 17), (3, None)]
    second = last.offset(1).scalar_subquery()
    assert stock.execute(ids.add_columns(second)).all() == [(1, 18), (2, 11), (3, None)]
    assert stock.scalars(ids.where(last.exists())).all() == [1, 2]
    assert stock.scalars(ids.where(~last.exists())).all() == [3]
    assert stock.scalars(ids.where(last.scalar_subquery() > 15)).all() == [2]
    values = of_stock.with_only_columns(func.coalesce(PICKS.c.n + 1, 0)).order_by(PICKS.c.id).limit(1)
    assert stock.execute(ids.add_columns(values.scalar_subquery())).all() == [(1, 5), (2, 8), (3, None)]
    stock.execute(update(STOCK).values(n=last.scalar_subquery()))
    assert stock.scalars(select(STOCK.c.n).order_by(STOCK.c.id)).all() == [14, 17, None]


def test_limit_of_exists_with_any_comparison_does_not_lose_outer_rows(stock: Connection) -> None:
    """The server would look for rows of all outer rows in the first row only."""
    other = select(SALES.c.id).where(SALES.c.id == STOCK.c.id, SALES.c.stock_id != STOCK.c.id)
    sold = select(SALES.c.id).where(SALES.c.stock_id == STOCK.c.id).distinct()
    ids = select(STOCK.c.id).order_by(STOCK.c.id)
    for limit, others, solds in ((1, [2], [1, 3]), (2, [2], [1, 3]), (0, [], [])):
        assert stock.scalars(ids.where(other.limit(limit).exists())).all() == others
        assert stock.scalars(ids.where(sold.limit(limit).exists())).all() == solds
        found = stock.scalars(ids.where(~other.order_by(SALES.c.id).limit(limit).exists())).all()
        assert found == [n for n in (1, 2, 3) if n not in others]


def test_empty_list_is_compared_with_all_rows(stock: Connection) -> None:
    """The server would omit half of the rows, and more of them the more there are."""
    stock.execute(insert(STOCK), [{"id": n, "n": None if n % 4 else n} for n in range(4, 41)])
    ids, everything = select(STOCK.c.id).order_by(STOCK.c.id), list(range(1, 41))
    for column in (STOCK.c.id, STOCK.c.n):
        assert stock.scalars(ids.where(column.not_in([]))).all() == everything
        assert stock.scalars(ids.where(or_(column.not_in([]), STOCK.c.id > 30))).all() == everything
        assert stock.scalars(ids.where(not_(column.in_([])))).all() == everything
        assert stock.scalars(ids.where(not_(or_(column.in_([]), STOCK.c.id > 30)))).all() == everything[:30]
        assert stock.scalars(ids.where(or_(column.in_([]), STOCK.c.id > 30))).all() == everything[30:]
        assert stock.scalars(ids.where(column.in_([]))).all() == []


def test_expressions_that_can_be_null_are_grouped_by_their_values(ordered: Connection) -> None:
    ordered.execute(insert(ORDERED), [{"id": n, "code": "c", "n": n * 10} for n in (4, 5)])
    key, n, code = ORDERED.c.id, ORDERED.c.n, ORDERED.c.code
    for expression, expected in (
        (case((key > 1, n)), [(None, 1), (30, 1), (40, 1), (50, 1)]),
        (case((key > 3, code)), [(None, 2), ("c", 2)]),
        (case((key > 3, "high"), (key > 1, "mid")), [(None, 1), ("high", 2), ("mid", 1)]),
        (case((key > 3, cast(n, Numeric(10, 2)))), [(None, 2), (Decimal(40), 1), (Decimal(50), 1)]),
        (func.nullif(n, 30), [(None, 1), (1, 1), (40, 1), (50, 1)]),
    ):
        grouped = select(expression.label("k"), func.count()).group_by("k").order_by("k")
        assert [tuple(row) for row in ordered.execute(grouped)] == expected


def test_windows_end_with_the_current_row(stock: Connection) -> None:
    stock.execute(insert(STOCK), [{"id": 4, "n": 20}, {"id": 5, "n": 30}])
    total, n = func.sum(STOCK.c.id), STOCK.c.n
    by_key = select(total.over(order_by=[n, STOCK.c.id])).order_by(STOCK.c.id)
    assert stock.scalars(by_key).all() == [1, 3, 10, 7, 15]
    by_rows = select(total.over(order_by=[n, -STOCK.c.id], rows=(None, 0))).order_by(STOCK.c.id)
    assert stock.scalars(by_rows).all() == [1, 7, 15, 5, 12]


@pytest.mark.releases(since=(4, 2))
def test_window_ordered_by_several_keys_compares_all_of_them(stock: Connection) -> None:
    stock.execute(insert(STOCK), [{"id": 4, "n": 20}, {"id": 5, "n": 30}])
    total = func.sum(STOCK.c.id).over(order_by=[STOCK.c.n, literal(1)])
    assert stock.scalars(select(total).order_by(STOCK.c.id)).all() == [1, 7, 15, 7, 15]


@pytest.mark.releases(since=(3, 0))
def test_last_value_is_that_of_the_current_row_or_its_peers(stock: Connection) -> None:
    stock.execute(insert(STOCK), {"id": 4, "n": 30})
    last = func.last_value(STOCK.c.n).over(order_by=STOCK.c.n)
    assert stock.scalars(select(last).order_by(STOCK.c.id)).all() == [10, 20, 30, 30]


CODED = Table(
    "coded",
    STOCK.metadata,
    Column("id", Integer, primary_key=True),
    Column("code", Integer, unique=True),
    Column("stock_id", ForeignKey(STOCK.c.id)),
)


def test_unique_key_of_a_table_with_a_foreign_key_is_checked_for_several_rows(stock: Connection) -> None:
    CODED.create(stock)
    assert stock.execute(insert(CODED), [{"code": 1, "stock_id": 1}, {"code": 2, "stock_id": None}]).rowcount == 2
    with pytest.raises(IntegrityError, match="1062"):
        stock.execute(insert(CODED), [{"code": 3, "stock_id": 1}, {"code": 1, "stock_id": 1}])


def test_or_finds_rows_for_which_a_subquery_has_no_value(stock: Connection) -> None:
    latest = select(func.max(SALES.c.id)).where(SALES.c.stock_id == STOCK.c.id).scalar_subquery()
    either = or_(STOCK.c.id == 2, latest > 2)
    assert stock.scalars(select(STOCK.c.id).where(either).order_by(STOCK.c.id)).all() == [2, 3]
    assert stock.execute(delete(STOCK).where(either)).rowcount == 2
    assert stock.scalars(select(STOCK.c.id)).all() == [1]
