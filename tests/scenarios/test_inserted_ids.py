"""The ids that the server gives to rows, and what else it returns of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Index, String, Text, delete, insert, select, text, update
from sqlalchemy.exc import CompileError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

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


def test_in_another_database(session: Session) -> None:
    session.add_all([Order(note="a"), Order(note="b"), single := Order()])
    session.commit()
    assert (single.id, single.note) == (3, "none")
    assert session.execute(select(Order.id, Order.note).order_by(Order.id)).all() == [(1, "a"), (2, "b"), (3, "none")]


@pytest.mark.releases(since=(4, 2))
def test_returning_in_another_database(session: Session) -> None:
    """The server knows columns there by their table's name alone."""
    assert session.execute(insert(Order).values(note="a").returning(Order.id, Order.id * 2)).all() == [(1, 2)]
    assert session.scalars(update(Order).values(note="b").returning(Order.note)).all() == ["b"]
    assert session.scalars(delete(Order).returning(Order.id)).all() == [1]


def test_a_translated_schema(session: Session) -> None:
    connection = session.connection(execution_options={"schema_translate_map": {None: OTHER}})
    Note.__table__.create(connection)
    session.add_all([Note(note="a"), Note(note="b")])
    session.commit()
    assert session.execute(text(f"SELECT id, note FROM {OTHER}.notes ORDER BY id")).all() == [(1, "a"), (2, "b")]


@pytest.mark.releases(since=(4, 2))
def test_beside_a_full_text_index(session: Session) -> None:
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
def test_an_id_beside_a_full_text_index_is_refused(session: Session) -> None:
    session.add(Article(body="one two three"))
    with pytest.raises(CompileError, match=r"LAST_INSERT_ID\(\) is wrong"):
        session.flush()
    session.rollback()
    session.add(Article(id=7, body="one two three"))
    session.flush()  # which SQLAlchemy 2.0 does not do by itself before the statement
    session.execute(insert(Article.__table__).inline().values(body="four"))
    session.commit()
    assert session.scalars(select(Article.id).order_by(Article.id)).all() == [7, 8]
