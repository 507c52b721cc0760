"""Reserve ids from a sequence, without a server."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import BigInteger, Sequence
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from sqlalchemy_matrixone import MatrixOneArgumentError, ReservedIds, reserve_ids
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, Sequence("order_ids", increment=10), primary_key=True)


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)


class OneByOne(Base):
    __tablename__ = "one_by_one"
    id: Mapped[int] = mapped_column(Sequence("ids_by_one"), primary_key=True)


class Cycling(Base):
    __tablename__ = "cycling"
    id: Mapped[int] = mapped_column(Sequence("cycle_ids", increment=10, cycle=True), primary_key=True)


class Pair(Base):
    __tablename__ = "pairs"
    left: Mapped[int] = mapped_column(primary_key=True)
    right: Mapped[int] = mapped_column(primary_key=True)


def connection() -> Any:
    return SimpleNamespace(dialect=MatrixOneDialect_pymysql())


@pytest.fixture
def ids(monkeypatch: pytest.MonkeyPatch) -> ReservedIds:
    blocks = iter((range(1, 11), range(31, 41), range(51, 61)))
    monkeypatch.setattr(ReservedIds, "_reserve", lambda self, connection: next(blocks))
    return ReservedIds(Order.__table__.c.id)


def test_reserved_ids_are_given_once_and_in_order(ids: ReservedIds) -> None:
    own = connection()
    assert ids.take(own) == [1]
    assert ids.take(own, 3) == [2, 3, 4]
    assert ids.take(own, 9) == [5, 6, 7, 8, 9, 10, 31, 32, 33]
    assert ids.take(own, 0) == []


def test_reserved_ids_of_one_server_are_not_given_on_another(ids: ReservedIds) -> None:
    here, there = connection(), connection()
    assert ids.take(here) == [1]
    assert ids.take(there) == [31]
    assert ids.take(here) == [2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform cannot fork")
def test_reserved_ids_of_a_parent_process_are_not_given_by_its_fork(ids: ReservedIds) -> None:
    own = connection()
    assert ids.take(own) == [1]
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, repr([ids.take(own), ids.take(own)]).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        assert answer.read() == "[[31], [32]]"
    os.waitpid(child, 0)
    assert ids.take(own) == [2]


def test_reserved_ids_of_threads_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = itertools.count(1, 10)

    def reserve(self: ReservedIds, connection: Any) -> range:
        first = next(blocks)
        time.sleep(0.001)
        return range(first, first + 10)

    monkeypatch.setattr(ReservedIds, "_reserve", reserve)
    ids, own = ReservedIds(Order.__table__.c.id), connection()
    with ThreadPoolExecutor(8) as threads:
        taken = [id for given in threads.map(lambda _: ids.take(own, 3), range(200)) for id in given]
    assert len(set(taken)) == 600


@pytest.mark.parametrize(
    ("mapped_class", "message"),
    [
        (Plain, "has no Sequence"),
        (OneByOne, "needs an increment of at least 2"),
        (Cycling, "cannot have a cycle"),
        (Pair, "not a mapped class with one column"),
        (int, "not a mapped class"),
    ],
)
def test_class_without_a_sequence_of_blocks_is_refused(mapped_class: Callable[[], Any], message: str) -> None:
    with pytest.raises(MatrixOneArgumentError, match=message):
        reserve_ids(mapped_class)
