"""Retry transactions after deadlocks and lost connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from sqlalchemy_matrixone import MatrixOneInvalidRequestError, run_async_transaction, run_transaction

from ..models import Order
from .client import clean_up
from .server import Admin, Server

SHOP = "sc_retried"


@pytest.fixture
def shop(admin: Admin) -> Iterator[None]:
    clean_up(admin, SHOP)
    yield
    admin(f"DROP DATABASE {SHOP}")


def notes(admin: Admin) -> list[str]:
    return [note for (note,) in admin(f"SELECT note FROM {SHOP}.orders ORDER BY id")]


@pytest.mark.usefixtures("shop")
def test_transaction_killed_before_commit_is_run_again(server: Server, admin: Admin):
    calls = []

    def callback(session: Session) -> list[int]:
        calls.append(1)
        session.add(Order(id=len(calls) + 2, note="new"))
        session.flush()
        if len(calls) == 1:
            admin(f"KILL CONNECTION {session.scalar(text('SELECT CONNECTION_ID()'))}")
        return list(session.scalars(select(Order.id).order_by(Order.id)))

    engine = server.engine(server.url(database=SHOP))
    assert run_transaction(sessionmaker(engine), callback, max_backoff=0) == [1, 2, 4]
    assert notes(admin) == ["first", "second", "new"]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("driver", ["aiomysql", "asyncmy"])
async def test_asynchronous_transaction_killed_before_commit_is_run_again(server: Server, admin: Admin, driver: str):
    calls = []

    async def callback(target: Any) -> int:
        calls.append(1)
        await target.execute(text(f"UPDATE orders SET note = 'try {len(calls)}' WHERE id = 1"))
        if len(calls) == 1:
            admin(f"KILL CONNECTION {(await target.execute(text('SELECT CONNECTION_ID()'))).scalar_one()}")
        return (await target.execute(text("SELECT COUNT(*) FROM orders"))).scalar_one()

    engine = server.async_engine(driver, server.url(driver, database=SHOP))
    assert await run_async_transaction(engine, callback, max_backoff=0) == 2
    assert notes(admin) == ["try 2", "second"]
    calls.clear()
    assert await run_async_transaction(async_sessionmaker(engine), callback, max_backoff=0) == 2
    assert notes(admin) == ["try 2", "second"]


@pytest.mark.live
@pytest.mark.usefixtures("shop")
def test_transaction_that_lost_a_deadlock_is_run_again(server: Server, admin: Admin):
    engine = server.engine(server.url(database=SHOP))
    both = Barrier(2)
    errors: list[BaseException] = []
    calls: list[int] = []

    def update(first: int, second: int) -> None:
        def callback(connection: Connection) -> None:
            calls.append(first)
            connection.execute(text(f"UPDATE orders SET note = CONCAT(note, '+') WHERE id = {first}"))
            with suppress(BrokenBarrierError):  # one of them comes again, when the other has gone
                both.wait(2)
            connection.execute(text(f"UPDATE orders SET note = CONCAT(note, '+') WHERE id = {second}"))

        try:
            run_transaction(engine, callback)
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=update, args=rows) for rows in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(calls) >= 3  # one of them at least was run again
    assert notes(admin) == ["first++", "second++"]


@pytest.mark.usefixtures("shop")
def test_run_transaction_in_autocommit_is_refused(server: Server, admin: Admin):
    engine = server.engine(server.url(database=SHOP)).execution_options(isolation_level="AUTOCOMMIT")
    with pytest.raises(MatrixOneInvalidRequestError, match="in AUTOCOMMIT"):
        run_transaction(engine, lambda connection: connection.execute(text("DELETE FROM orders WHERE id = 1")))
    assert notes(admin) == ["first", "second"]
