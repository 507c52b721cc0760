"""Which transactions are retried, without a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, exc, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

from sqlalchemy_matrixone import (
    CommitUncertain,
    MatrixOneArgumentError,
    MatrixOneInvalidRequestError,
    run_async_transaction,
    run_transaction,
)
from tests.scenarios.tape import Exchange

from .fake_server import connected_by_dialect, ok, packet, playing

COMMIT = Exchange("QUERY COMMIT", ok())
ROLLBACK = Exchange("QUERY ROLLBACK", ok())
WORK = "UPDATE t SET a = 1"


def error(number: int, message: str = "refused") -> bytes:
    return packet(1, b"\xff" + number.to_bytes(2, "little") + b"#HY000" + message.encode())


def work(answer: bytes) -> Exchange:
    return Exchange(f"QUERY {WORK}", answer)


@contextmanager
def engine_with(*exchanges: Exchange) -> Iterator[Engine]:
    with playing(*connected_by_dialect(*exchanges)) as player:
        engine = create_engine(
            f"matrixone+pymysql://dump@127.0.0.1:{player.port}/?ssl_disabled=true&server_version=4.2.0",
            _initialize=False,
            pool_reset_on_return=None,
        )
        yield engine
        engine.dispose()
        assert player.misses == []
        assert not player.unsent()


class Callback:
    """Executes one statement, and counts how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, target: Connection | Session) -> int:
        self.calls += 1
        target.execute(text(WORK))
        return self.calls


@pytest.mark.parametrize("number", [20619, 20701, 20628, 1205])
@pytest.mark.parametrize("source", ["engine", "sessionmaker"])
def test_transaction_is_run_again_after_a_conflict(number: int, source: str):
    callback = Callback()
    with engine_with(work(error(number)), ROLLBACK, work(ok()), COMMIT) as engine:
        given = engine if source == "engine" else sessionmaker(engine)
        assert run_transaction(given, callback, max_backoff=0) == 2


def test_transaction_is_run_again_after_a_conflict_at_commit():
    callback = Callback()
    conflict = Exchange("QUERY COMMIT", error(20619))
    with engine_with(work(ok()), conflict, ROLLBACK, work(ok()), COMMIT) as engine:
        assert run_transaction(engine, callback, max_backoff=0) == 2


def test_transaction_after_a_failed_commit_on_the_same_connection_is_committed():
    conflict = Exchange("QUERY COMMIT", error(20619))
    with engine_with(work(ok()), conflict, ROLLBACK, work(ok()), COMMIT) as engine:
        with pytest.raises(exc.DBAPIError, match="20619"), engine.begin() as connection:
            connection.execute(text(WORK))
        with engine.begin() as connection:
            connection.execute(text(WORK))


def test_transaction_raises_the_last_error_after_all_repetitions():
    callback = Callback()
    with (
        engine_with(work(error(20701)), ROLLBACK, work(error(20701)), ROLLBACK) as engine,
        pytest.raises(exc.DBAPIError, match="20701"),
    ):
        run_transaction(engine, callback, max_retries=1, max_backoff=0)
    assert callback.calls == 2


def test_transaction_raises_any_other_error_at_once():
    callback = Callback()
    with engine_with(work(error(1062)), ROLLBACK) as engine, pytest.raises(exc.DBAPIError, match="1062"):
        run_transaction(engine, callback)
    assert callback.calls == 1


def test_transaction_is_rolled_back_after_an_error_of_the_callback():
    def fail(connection: Connection) -> None:
        connection.execute(text(WORK))
        raise ZeroDivisionError

    with engine_with(work(ok()), ROLLBACK) as engine, pytest.raises(ZeroDivisionError):
        run_transaction(engine, fail)


def test_transaction_of_unknown_outcome_is_not_run_again():
    callback = Callback()
    commit = Exchange("QUERY COMMIT", error(20638, "transaction commit status is unknown"))
    with (
        engine_with(work(ok()), commit, ROLLBACK) as engine,
        pytest.raises(CommitUncertain, match="unknown whether the transaction was committed"),
    ):
        run_transaction(engine, callback)
    assert callback.calls == 1


def test_transaction_callback_that_commits_is_refused():
    calls = []

    def commits(connection: Connection) -> None:
        calls.append(1)
        connection.execute(text(WORK))
        connection.commit()
        connection.execute(text(WORK))

    with engine_with(work(ok()), COMMIT, work(error(20619)), ROLLBACK) as engine, pytest.raises(exc.DBAPIError):
        run_transaction(engine, commits)
    with (
        engine_with(work(ok()), COMMIT, work(ok()), ROLLBACK) as engine,
        pytest.raises(MatrixOneInvalidRequestError, match="has ended its transaction itself"),
    ):
        run_transaction(engine, commits)
    assert len(calls) == 2


@pytest.mark.parametrize(
    "arguments", [{"max_retries": -1}, {"max_retries": True}, {"max_backoff": -1}, {"max_backoff": "2"}]
)
def test_transaction_retry_limits_are_checked(arguments: dict[str, Any]):
    with pytest.raises(MatrixOneArgumentError):
        run_transaction(create_engine("matrixone+pymysql://"), Callback(), **arguments)


async def test_transaction_source_of_another_type_is_refused():
    sync, asynchronous = create_engine("matrixone+pymysql://"), create_async_engine("matrixone+aiomysql://")
    with pytest.raises(MatrixOneArgumentError, match="takes an Engine or a sessionmaker"):
        run_transaction(asynchronous, Callback())  # type: ignore[arg-type]
    with pytest.raises(MatrixOneArgumentError, match="takes an AsyncEngine"):
        await run_async_transaction(sync, Callback())  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["engine", "sessionmaker"])
async def test_asynchronous_transaction_is_run_again_after_a_conflict(source: str):
    calls = []

    async def callback(target: Any) -> int:
        calls.append(1)
        await target.execute(text(WORK))
        return len(calls)

    with playing(*connected_by_dialect(work(error(20619)), ROLLBACK, work(ok()), COMMIT)) as player:
        engine = create_async_engine(
            f"matrixone+aiomysql://dump@127.0.0.1:{player.port}/?server_version=4.2.0",
            _initialize=False,
            pool_reset_on_return=None,
        )
        given = engine if source == "engine" else async_sessionmaker(engine)
        assert await run_async_transaction(given, callback, max_backoff=0) == 2
        await engine.dispose()
        assert player.misses == []


@pytest.mark.parametrize("callback", [None, True, "x", [len]], ids=repr)
def test_transaction_callback_that_is_not_a_function_is_refused(callback):
    with pytest.raises(MatrixOneArgumentError, match="callback="):
        run_transaction(create_engine("sqlite://"), callback)
