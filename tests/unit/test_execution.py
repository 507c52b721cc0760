"""Recovery statements that the client abandons: their session on the server, their outcome, and time limits."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from pymysql.err import OperationalError
from sqlalchemy import create_engine, exc
from sqlalchemy.pool import StaticPool

from sqlalchemy_matrixone import MatrixOneArgumentError, RestoreError, RestorePitr, RestoreSnapshot
from sqlalchemy_matrixone.core import server_session
from sqlalchemy_matrixone.core.beside import autocommit_connection, second_engine, start_beside
from sqlalchemy_matrixone.core.server_session import ServerSession, SessionState
from sqlalchemy_matrixone.exc import Blocker, Reason
from sqlalchemy_matrixone.recovery import execution, outcome, time_limit
from sqlalchemy_matrixone.recovery.blockers import _instant, _packed, describe_blockers
from sqlalchemy_matrixone.recovery.effects import ObjectReplaced, Sent
from sqlalchemy_matrixone.recovery.outcome import Outcome, OutcomeSearch
from sqlalchemy_matrixone.recovery.target import RecoveryTarget
from sqlalchemy_matrixone.recovery.time_limit import TimeLimit
from tests.scenarios.tape import Exchange
from tests.unit.fake_server import connected_by_dialect, ok, playing, row

STATEMENT = "RESTORE TABLE `shop`.`100%%` {SNAPSHOT = `s`}"
NOW = dt.datetime(2026, 3, 1, 12)
FACTS = "QUERY SELECT DATABASE(), @@transaction_isolation, @@sql_mode, @@lower_case_table_names, current_account_name()"


class Answers:
    """A connection that answers statements by their beginnings."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.sent: list[str] = []

    def exec_driver_sql(self, statement: str, parameters: Any = ()) -> Any:
        self.sent.append(statement)
        answer = next(answer for word, answer in self.answers.items() if word in statement)
        rows = answer() if callable(answer) else answer
        return SimpleNamespace(all=lambda: rows, one=lambda: rows[0], scalars=lambda: [row[0] for row in rows])


def session(age: float) -> ServerSession:
    session = ServerSession(SimpleNamespace(driver_connection=SimpleNamespace(thread_id=lambda: 7)), STATEMENT)
    session._sent_at -= age
    return session


def rows(*others: tuple[int, dt.timedelta, str]) -> list[tuple[Any, ...]]:
    own = (9, str(NOW - dt.timedelta(seconds=1)), str(NOW), "SELECT …", 9)
    return [own, *((number, str(NOW - ago), "", info, 9) for number, ago, info in others)]


MINUTE = dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (rows(), SessionState.GONE),
        (rows((7, 5 * MINUTE, "RESTORE TABLE `shop`.`100%` {SNAPSHOT = `s`}")), SessionState.RUNNING),
        # An event listener has added a comment.
        (rows((7, 5 * MINUTE, "/* a */ RESTORE TABLE `shop`.`100%` {SNAPSHOT = `s`} -- b")), SessionState.RUNNING),
        (rows((7, 5 * MINUTE, "")), SessionState.ELSEWHERE),
        (rows((7, 5 * MINUTE, "SELECT 1")), SessionState.ELSEWHERE),
        # Connected after the statement was sent: after a restart of the server, another has the number.
        (rows((7, MINUTE / 2, "SELECT 1")), SessionState.GONE),
    ],
)
def test_server_session_is_distinguished_from_a_later_one_of_the_same_id(found: Any, state: SessionState) -> None:
    assert session(age=60).look(Answers(mo_sessions=found)) is state  # type: ignore[arg-type]


class Server(Answers):
    """A server whose sessions change from one look to the next, reached by connections that are all this one."""

    def __init__(self, *looks: list[tuple[Any, ...]]) -> None:
        seen = iter(looks)
        super().__init__(mo_sessions=lambda: next(seen, looks[-1]), KILL=[])

    @contextmanager
    def connect(self, _: Any) -> Iterator[Server]:
        yield self

    @property
    def kills(self) -> list[str]:
        return [statement for statement in self.sent if "KILL" in statement]


RUNNING = rows((7, 5 * MINUTE, STATEMENT.replace("%%", "%")))
IDLE = rows((7, 5 * MINUTE, ""))
WORK: Any = SimpleNamespace(pause=lambda _: False)


@pytest.mark.parametrize(
    ("looks", "kills"),
    [
        ([rows()], []),
        # It may be committing: KILL would remove the session before the commit has ended.
        ([RUNNING, RUNNING, rows()], ["KILL QUERY 7", "KILL QUERY 7"]),
        # The server has not noticed that the client has disconnected, or has not read the statement yet.
        ([RUNNING, IDLE, rows()], ["KILL QUERY 7", "KILL 7"]),
    ],
)
def test_server_session_that_may_be_committing_is_left_to_finish(
    monkeypatch: pytest.MonkeyPatch, looks: Any, kills: list[str]
) -> None:
    server = Server(*looks)
    monkeypatch.setattr(server_session, "autocommit_connection", server.connect)
    assert session(age=60).end(None, WORK, 10) is True  # type: ignore[arg-type]
    assert server.kills == kills


def test_server_session_that_had_to_be_killed_at_work_is_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(RUNNING)
    monkeypatch.setattr(server_session, "autocommit_connection", server.connect)
    assert session(age=60).end(None, WORK, 0.01) is False  # type: ignore[arg-type]
    assert server.kills[-1] == "KILL 7"


def test_server_session_of_another_client_is_not_killed_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server was restarted while nobody could look; the connection id is now that of another client."""
    server = Server(rows((7, MINUTE / 2, "SELECT 1")))
    monkeypatch.setattr(server_session, "autocommit_connection", server.connect)
    session(age=60).end(None, WORK, 0)  # type: ignore[arg-type]
    assert server.kills == []


def connection_of(engine: Any) -> Any:
    return SimpleNamespace(engine=engine, dialect=SimpleNamespace(is_async=False))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([False, False, False], Outcome.NOT_DONE),
        # A commit that ended only after its session had been removed.
        ([False, False, True], Outcome.UNKNOWN),
        ([False, False, None], Outcome.UNKNOWN),
        ([True, True], Outcome.DONE),
    ],
)
def test_outcome_not_done_requires_that_nothing_changes_for_a_while(
    monkeypatch: pytest.MonkeyPatch, seen: list[bool | None], expected: Outcome
) -> None:
    ended: Any = SimpleNamespace(end=lambda *_: True)
    search = OutcomeSearch(connection_of(None), ended, SimpleNamespace())  # type: ignore[arg-type]
    looks = iter(seen)
    monkeypatch.setattr(search, "_happened", lambda _: next(looks))
    pauses: list[float] = []
    assert search._after_lost_connection(None, SimpleNamespace(pause=pauses.append)) is expected  # type: ignore[arg-type]
    assert pauses == ([outcome.SETTLE] if len(seen) == 3 else [])


@pytest.mark.parametrize(
    ("seen", "done", "reason"),
    [
        ([True], True, Reason.INCOMPLETE),
        ([False, False, False], False, Reason.OTHER),
        ([False, False, True], None, Reason.UNKNOWN),
    ],
)
def test_restore_in_which_the_server_panics_reports_what_was_committed(
    monkeypatch: pytest.MonkeyPatch, seen: list[bool | None], done: bool | None, reason: Reason
) -> None:
    monkeypatch.setattr(outcome, "SETTLE", 0.001)
    attempt = new_attempt()
    looks = iter(seen)
    monkeypatch.setattr(OutcomeSearch, "_happened", lambda *_: next(looks))
    panic = OperationalError(20101, "internal error: panic runtime error: invalid memory address: \nruntime.panicmem")
    with pytest.raises(OperationalError), attempt.sending(Driver(), CONTEXT.root_connection.connection, STATEMENT):  # type: ignore[arg-type]
        raise panic
    failure = attempt.failure(panic)
    assert failure is not None
    assert (failure.done, failure.reason) == (done, reason)
    assert "The server failed by an internal error (panic)" in str(failure)


class Driver:
    """A dialect whose driver raises OperationalError."""

    loaded_dbapi = SimpleNamespace(Error=OperationalError)

    def __init__(self, is_disconnect: bool = False, rolling_back: Any = lambda: None) -> None:
        self.is_disconnect = lambda *_: is_disconnect
        self.rolling_back = rolling_back

    @contextmanager
    def rolling_back_after(self, connection: Any) -> Iterator[None]:
        yield
        self.rolling_back()


def new_attempt() -> execution.Attempt:
    connection = connection_of(create_engine("sqlite://"))
    return execution.Attempt(connection, RestoreError, SimpleNamespace())  # type: ignore[arg-type]


CONTEXT = SimpleNamespace(
    statement=STATEMENT,
    root_connection=SimpleNamespace(
        connection=SimpleNamespace(driver_connection=SimpleNamespace(thread_id=lambda: 7)),
    ),
)


@pytest.mark.parametrize(
    ("seen", "expected", "done"),
    [
        ([True], Outcome.DONE, True),
        ([False, True], Outcome.DONE, True),
        # A commit that is not visible yet may still be on its way.
        ([False, False], Outcome.UNKNOWN, None),
        ([None, None], Outcome.UNKNOWN, None),
    ],
)
def test_statement_whose_commit_the_server_does_not_know_is_never_reported_as_not_done(
    monkeypatch: pytest.MonkeyPatch, seen: list[bool | None], expected: Outcome, done: bool | None
) -> None:
    monkeypatch.setattr(outcome, "SETTLE", 0.001)
    attempt = new_attempt()
    looks = iter(seen)
    monkeypatch.setattr(OutcomeSearch, "_happened", lambda *_: next(looks))
    unknown = OperationalError(20638, "txn commit status is unknown: 70f7")
    with pytest.raises(OperationalError), execution.executing(Driver(), attempt, CONTEXT):  # type: ignore[arg-type]
        raise unknown
    assert attempt.outcome is expected
    failure = attempt.failure(unknown)
    assert failure is not None
    assert failure.done is done
    assert "does not know whether it has committed" in str(failure)


LOST = OperationalError(2013, "Lost connection to MySQL server during query")


@pytest.mark.parametrize(
    ("error", "has_expired", "message", "reason"),
    [
        (LOST, False, f"The connection was lost: {STATEMENT}. It was ended", Reason.OTHER),
        (LOST, True, f"{STATEMENT} was not finished after 5 seconds. It was ended", Reason.TIMEOUT),
        (OperationalError(20101, "context canceled"), True, "The server has canceled this", Reason.KILLED),
    ],
)
def test_failure_of_a_lost_statement_states_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, error: OperationalError, has_expired: bool, message: str, reason: Reason
) -> None:
    monkeypatch.setattr(OutcomeSearch, "after_lost_connection", lambda _: Outcome.NOT_DONE)
    attempt = new_attempt()
    attempt._limit.seconds, attempt._limit.has_expired = 5, has_expired
    driver: Any = Driver(is_disconnect=True)
    with pytest.raises(OperationalError), execution.executing(driver, attempt, CONTEXT):  # type: ignore[arg-type]
        raise error
    failure = attempt.failure(error)
    assert failure is not None
    assert str(failure).startswith(message)
    assert (failure.reason, failure.done) == (reason, False)


def test_failure_of_a_statement_that_the_server_has_ended_in_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutcomeSearch, "after_cancellation", lambda _: Outcome.NOT_DONE)
    attempt = new_attempt()
    attempt._limit.seconds, attempt._limit.has_killed = 5, True
    with (
        pytest.raises(RestoreError, match="not finished after 5 seconds") as raised,
        execution.executing(Driver(), attempt, CONTEXT),  # type: ignore[arg-type]
    ):
        raise OperationalError(20101, "context canceled")
    assert raised.value.reason is Reason.TIMEOUT


def test_statement_that_the_server_refuses_has_no_outcome() -> None:
    attempt = new_attempt()
    refused = OperationalError(1064, "SQL parser error")
    with pytest.raises(OperationalError), execution.executing(Driver(), attempt, CONTEXT):  # type: ignore[arg-type]
        raise refused
    assert attempt.outcome is None
    assert attempt.failure(refused) is None


def test_statement_cancelled_after_it_was_carried_out_has_a_note() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt) as raised,
        execution.executing(Driver(rolling_back=interrupt), new_attempt(), CONTEXT),  # type: ignore[arg-type]
    ):
        pass
    [note] = raised.value.__notes__
    assert "It was carried out" in note


@pytest.mark.parametrize(
    ("now", "earliest", "latest", "happened"),
    [
        ([(1,)], [(1,)], [(1,)], False),
        ([(2,)], [(1,)], [(1,)], True),
        ([], [(1,)], [(1,)], True),
        ([(2,)], [], [], True),
        # Replaced at about the time of sending, by whatever.
        ([(2,)], [(1,)], [(2,)], None),
    ],
)
def test_outcome_of_a_restore_is_known_by_the_object_id(
    now: Any, earliest: Any, latest: Any, happened: bool | None
) -> None:
    answers = {"{MO_TS = 10}": earliest, "{MO_TS = 20}": latest, "mo_tables": now}
    effect = ObjectReplaced(RecoveryTarget("table", None, "shop", "orders"), "shop", None)
    assert effect.happened(Answers(**answers), Sent(10, 20)) is happened  # type: ignore[arg-type]


def test_time_of_sending_by_the_servers_clock_lies_between_two_instants() -> None:
    ages = iter((5.0, 5.25))
    clock = Answers(UNIX_TIMESTAMP=[(1000, dt.datetime(2026, 3, 1, microsecond=500_000))])
    assert Sent.ago(clock, lambda: next(ages)) == Sent(995_250_000_000, 995_500_000_000)  # type: ignore[arg-type]


@pytest.mark.parametrize("timeout", [0, -1, True, "30", float("nan"), float("inf"), dt.timedelta(0), object()])
def test_timeout_that_is_not_positive_is_refused(timeout: Any) -> None:
    with pytest.raises(MatrixOneArgumentError, match="timeout="):
        RestoreSnapshot("s", database="shop", timeout=timeout)


@pytest.mark.parametrize("timeout", [1.5, dt.timedelta(seconds=1.5)])
def test_timeout_is_seconds_or_a_timedelta(timeout: Any) -> None:
    assert RestorePitr("p", mo_ts=1, database="shop", timeout=timeout).timeout == 1.5
    assert "1.5" not in str(RestoreSnapshot("s", database="shop", timeout=timeout))


def test_second_engine_of_a_static_pool_has_a_connection_of_its_own() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with second_engine(engine) as second:
        assert second.pool is not engine.pool
        assert second.dialect is engine.dialect
        with engine.connect() as first, second.connect() as other:
            assert first.connection.driver_connection is not other.connection.driver_connection


def test_autocommit_connection_that_is_lost_at_once_raises_an_error_of_sqlalchemy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lose(*_: Any) -> None:
        raise OperationalError(2013, "Lost connection to MySQL server during query")

    facts = Exchange(FACTS, row("", "READ-COMMITTED", "", "1", "sys"))
    with playing(*connected_by_dialect(facts, Exchange("QUERY ROLLBACK", ok()))) as player:
        engine = create_engine(f"matrixone+pymysql://dump:111@127.0.0.1:{player.port}?charset=utf8mb4")
        monkeypatch.setattr(engine.dialect, "set_isolation_level", lose)
        with pytest.raises(exc.OperationalError, match="Lost connection"), autocommit_connection(engine):
            pass
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_watch_survives_any_error_and_closes_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "PATIENCE", 0.01)
    abandoned: list[Any] = []
    monkeypatch.setattr(time_limit, "abandon", abandoned.append)
    limit = TimeLimit(connection_of(create_engine("sqlite://")), 0, None)
    monkeypatch.setattr(limit, "_kill_query", lambda *_: 1 / 0)
    start_beside(lambda work: limit._watch(work, 0, session(age=0), "lost"), is_async=False).join(10)
    assert limit.has_expired
    assert abandoned == ["lost"]


def test_work_in_a_thread_pauses_until_it_is_stopped() -> None:
    paused: list[bool] = []
    work = start_beside(lambda work: paused.extend((work.pause(0.001), work.pause(30))), is_async=False)
    assert not work.join(0.05)
    work.stop()
    assert work.join(10)
    assert paused == [False, True]


async def test_work_in_a_task_pauses_until_it_is_stopped() -> None:
    greenlet_spawn = pytest.importorskip("sqlalchemy.util").greenlet_spawn
    paused: list[Any] = []

    def run() -> None:
        work = start_beside(lambda work: paused.extend((work.pause(0.001), work.pause(30))), is_async=True)
        assert not work.join(0.05)
        work.stop()
        assert work.join(10)

    await asyncio.wait_for(greenlet_spawn(run), 20)
    assert paused == [False, True]


def test_blocker_names_are_found_in_the_bytes_of_a_lock() -> None:
    locked = "46013e14460172785f6200ff46016e7000ff00"  # account 0, rx_b, np, as MatrixOne 4.2.0 shows it
    assert _packed("rx_b") + _packed("np") in locked
    assert _packed("x_b") not in locked
    assert _packed("rx_") not in locked


def test_blocker_transaction_times_have_up_to_nine_digits() -> None:
    assert _instant("2026-11-26T14:39:58.54451016Z") == dt.datetime(2026, 11, 26, 14, 39, 58, 544510, dt.UTC)
    assert _instant("2026-11-26T14:39:58Z") == dt.datetime(2026, 11, 26, 14, 39, 58, tzinfo=dt.UTC)


def test_blocker_message_omits_their_statements() -> None:
    blocker = Blocker(7, "acc", "u", "10.0.0.1:9", NOW.replace(tzinfo=dt.UTC), "CREATE USER x IDENTIFIED BY 'secret'")
    assert describe_blockers([blocker]) == (
        " It waited for connection 7 of acc:u from 10.0.0.1:9 (in a transaction since 2026-03-01 12:00:00 UTC)."
    )
    assert describe_blockers([]) == ""
