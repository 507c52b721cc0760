"""Ids that the server generates, and other columns that an INSERT returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Index, String, Text, delete, func, insert, literal, select, text, update
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError, IntegrityError, SAWarning
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.orm.exc import FlushError

from .client import drop_databases, make_databases
from .server import Admin, Server

DATABASE = "sc_ids"
OTHER = "sc_ids_other"


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    __table_args__ = ({"schema": OTHER},)
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(String(20), server_default="none")


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str] = mapped_column(String(20))


class Article(Base):
    __tablename__ = "articles"
    __table_args__ = (Index("ix_body", "body", matrixone_using="fulltext"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(Text)


@pytest.fixture
def session(server: Server, admin: Admin) -> Iterator[Session]:
    make_databases(admin, DATABASE, OTHER)
    engine = server.engine(server.url(database=DATABASE))
    with engine.begin() as connection:
        connection.execute(text("SET experimental_fulltext_index = 1"))  # for 2.2
        Base.metadata.create_all(connection)
    with Session(engine) as session:
        yield session
    drop_databases(admin, DATABASE, OTHER)


def test_inserted_id_of_a_table_in_another_database(session: Session) -> None:
    session.add_all([Order(note="a"), Order(note="b"), single := Order()])
    session.commit()
    assert (single.id, single.note) == (3, "none")
    assert session.execute(select(Order.id, Order.note).order_by(Order.id)).all() == [(1, "a"), (2, "b"), (3, "none")]


@pytest.mark.releases(since=(4, 2))
def test_returning_of_a_table_in_another_database(session: Session) -> None:
    """There, the server accepts only the name of the table in front of a column."""
    assert session.execute(insert(Order).values(note="a").returning(Order.id, Order.id * 2)).all() == [(1, 2)]
    assert session.scalars(update(Order).values(note="b").returning(Order.note)).all() == ["b"]
    assert session.scalars(delete(Order).returning(Order.id)).all() == [1]


def test_inserted_id_with_a_translated_schema(session: Session) -> None:
    connection = session.connection(execution_options={"schema_translate_map": {None: OTHER}})
    Note.__table__.create(connection)
    session.add_all([Note(note="a"), Note(note="b")])
    session.commit()
    assert session.execute(text(f"SELECT id, note FROM {OTHER}.notes ORDER BY id")).all() == [(1, "a"), (2, "b")]


@pytest.mark.releases(since=(4, 2))
def test_inserted_id_with_a_full_text_index_comes_from_returning(session: Session) -> None:
    """LAST_INSERT_ID() is that of the index's own table; RETURNING has the row's."""
    session.add(first := Article(body="one two three"))
    session.flush()
    session.add_all([Article(body="four"), Article(body="five")])
    session.commit()
    first.body = "changed"
    session.commit()
    assert session.execute(select(Article.id, Article.body).order_by(Article.id)).all() == [
        (1, "changed"),
        (2, "four"),
        (3, "five"),
    ]


@pytest.mark.releases(until=(4, 2))
def test_inserted_id_with_a_full_text_index_is_refused_without_returning(session: Session) -> None:
    session.add(Article(body="one two three"))
    with pytest.raises(CompileError, match=r"LAST_INSERT_ID\(\) is wrong"):
        session.flush()
    session.rollback()
    session.add(Article(id=7, body="one two three"))
    session.flush()  # which SQLAlchemy 2.0 does not do by itself before the statement
    session.execute(insert(Article.__table__).inline().values(body="four"))
    session.commit()
    assert session.scalars(select(Article.id).order_by(Article.id)).all() == [7, 8]


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(20), unique=True)
    visits: Mapped[int] = mapped_column(default=1)


def upsert(email: str, visits: int) -> Any:
    statement = mysql.insert(Account).values(email=email, visits=visits)
    return statement.on_duplicate_key_update(visits=statement.inserted.visits)


@pytest.mark.releases(since=(4, 1))
def test_upsert_reports_no_id_that_no_row_has(session: Session) -> None:
    connection = session.connection()
    statements = upsert("a", 1), upsert("b", 1), upsert("a", 2), upsert("a", 2), upsert("c", 1)
    reported = [connection.execute(statement).inserted_primary_key[0] for statement in statements]
    ids = session.scalars(select(Account.id).order_by(Account.email)).all()
    assert reported[2:4] == [None, None]
    # On 4.1, it is not known whether a row is new.
    tells_new = connection.dialect.server_release >= (4, 2)  # type: ignore[attr-defined]
    assert [reported[0], reported[1], reported[4]] == (ids if tells_new else [None] * 3)
    assert session.scalar(select(Account.visits).where(Account.email == "a")) == 2


@pytest.mark.releases(until=(4, 1))
@pytest.mark.filterwarnings(
    "ignore:ON DUPLICATE KEY UPDATE"
)  # SQLAlchemy 2.0 compiles it each time, and warns each time
def test_upsert_that_would_not_find_its_row_warns(session: Session) -> None:
    connection = session.connection()
    with pytest.warns(SAWarning, match=r"UNIQUE key \(email\) raises an IntegrityError"):
        assert connection.execute(upsert("a", 1)).inserted_primary_key == (1,)
    with pytest.raises(IntegrityError):
        connection.execute(upsert("a", 2))
    session.rollback()


def test_insert_ignored_row_has_no_id(session: Session) -> None:
    statement = insert(Account).prefix_with("IGNORE")
    connection = session.connection()
    reported = [connection.execute(statement, {"email": email}).inserted_primary_key for email in ("a", "a", "b")]
    ids = session.scalars(select(Account.id).order_by(Account.id)).all()
    assert reported == [(ids[0],), (None,), (ids[1],)]


def test_subquery_as_value_of_an_insert(session: Session) -> None:
    """The server accepts subqueries only in INSERT … SELECT."""
    count = select(func.concat("n", func.count())).select_from(Note).scalar_subquery()
    session.add_all([first := Note(note=count), second := Note(note=count)])
    session.commit()
    assert [(first.id, first.note), (second.id, second.note)] == [(1, "n0"), (2, "n1")]
    upsert = mysql.insert(Note).values(id=2, note=select(literal("x")).scalar_subquery())
    session.execute(upsert.on_duplicate_key_update(note=upsert.inserted.note))
    session.commit()
    assert session.execute(select(Note.id, Note.note).order_by(Note.id)).all() == [(1, "n0"), (2, "x")]


@pytest.mark.releases(since=(4, 2))
def test_key_given_as_expression_is_known_after_the_insert(session: Session) -> None:
    session.add(note := Note(id=text("12 + 3"), note="a"))
    session.commit()
    assert note.id == 15


@pytest.mark.releases(until=(4, 2))
def test_key_given_as_expression_is_not_taken_for_another_row_before_4_2(session: Session) -> None:
    """LAST_INSERT_ID() is 0 then, which is no row's id."""
    result = session.connection().execute(insert(Note).values(id=text("12 + 3"), note="a"))
    assert result.inserted_primary_key == (None,)
    session.add(Note(id=text("12 + 4"), note="b"))
    with pytest.raises(FlushError, match="NULL identity key"):
        session.flush()
