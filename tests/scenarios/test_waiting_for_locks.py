"""Use with_for_update(skip_locked=True) on an engine that waits instead, for queues of jobs."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Connection, Engine, select, text

from tests.models import Order

from .client import clean_up
from .server import Admin, Server

NEXT = select(Order.id).where(Order.note == "ready").order_by(Order.id).limit(1).with_for_update(skip_locked=True)


@pytest.fixture
def engine(server: Server, admin: Admin) -> Engine:
    clean_up(admin, "sc_queue")
    admin("UPDATE sc_queue.orders SET note = 'ready'")
    return server.engine(server.url(database="sc_queue", skip_locked="wait"))


def take(connection: Connection) -> int | None:
    taken = connection.scalar(NEXT)
    connection.execute(text("UPDATE orders SET note = 'taken' WHERE id = :id"), {"id": taken})
    return taken


@pytest.mark.live
def test_workers_with_skip_locked_take_different_jobs(engine: Engine):
    taken: list[int | None] = []

    def work() -> None:
        with engine.begin() as connection:
            taken.append(take(connection))

    with engine.connect() as first:
        taken.append(take(first))
        second = threading.Thread(target=work)
        second.start()
        second.join(1)
        assert second.is_alive()
        first.commit()
        second.join(20)
    assert taken == [1, 2]
    work()
    assert taken == [1, 2, None]


def test_for_update_lock_is_taken(engine: Engine):
    with engine.begin() as connection:
        assert take(connection) == 1
