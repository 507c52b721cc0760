"""Insert objects whose ids are reserved from a sequence in blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import BigInteger, Engine, Sequence, String, event, insert, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from sqlalchemy_matrixone import MatrixOneInvalidRequestError, reserve_ids

from .client import drop_databases, make_databases
from .server import Admin, Server

DATABASE = "sc_reserved_ids"


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, Sequence("order_ids", start=1, increment=100), primary_key=True)
    note: Mapped[str] = mapped_column(String(20))


order_ids = reserve_ids(Order)


@pytest.fixture
def engine(server: Server, admin: Admin) -> Iterator[Engine]:
    make_databases(admin, DATABASE)
    engine = server.engine(server.url(database=DATABASE))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    drop_databases(admin, DATABASE)


@contextmanager
def inserts_of(engine: Engine) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT"):
            sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def orders(count: int) -> list[Order]:
    return [Order(note=f"order {number}") for number in range(count)]


def test_flush_of_objects_with_reserved_ids_sends_one_insert(engine: Engine) -> None:
    with inserts_of(engine) as sent, Session(engine) as session:
        session.add_all(orders(150))
        session.commit()
    assert len(sent) == 1
    with Session(engine) as session:
        rows = {row.id: row.note for row in session.execute(select(Order.id, Order.note))}
        assert rows == {number: f"order {number - 1}" for number in range(1, 151)}


def test_reserved_ids_are_not_given_again_after_a_rollback(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Order(note="undone"))
        session.flush()
        session.rollback()
        session.add(kept := Order(note="kept"))
        session.commit()
        assert kept.id == 2
        assert session.scalars(select(Order.note)).all() == ["kept"]


def test_reserved_ids_of_two_processes_differ(server: Server, engine: Engine) -> None:
    other = server.engine(server.url(database=DATABASE))
    with Session(engine) as session, Session(other) as second:
        session.add(one := Order(note="one"))
        session.flush()
        second.add(two := Order(note="two"))
        second.commit()  # does not wait for the first transaction
        session.commit()
        assert (one.id, two.id) == (1, 101)
    other.dispose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_insert_of_a_forked_process_gets_an_id_that_its_parent_has_not_reserved(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Order(note="before the fork"))
        session.commit()
        if (child := os.fork()) == 0:
            try:
                engine.dispose(close=False)
                with Session(engine) as own:
                    own.add(Order(note="child"))
                    own.commit()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        session.add(Order(note="parent"))
        session.commit()
        notes = {row.note: row.id for row in session.execute(select(Order.id, Order.note))}
    assert notes == {"before the fork": 1, "child": 101, "parent": 2}


def test_given_id_of_an_object_is_kept(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Order(id=7, note="given"))
        session.commit()
        assert session.scalars(select(Order.id)).all() == [7]


def test_taken_ids_serve_an_insert_of_core(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = order_ids.take(connection, 3)
        connection.execute(insert(Order), [{"id": id, "note": "core"} for id in ids])
        assert connection.scalars(select(Order.id).order_by(Order.id)).all() == [1, 2, 3]


def test_sequence_with_another_increment_on_the_server_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SEQUENCE order_ids"))
        connection.execute(text("CREATE SEQUENCE order_ids INCREMENT BY 1"))
    with engine.connect() as connection, pytest.raises(MatrixOneInvalidRequestError, match="an increment of 1 on the"):
        order_ids.take(connection)
