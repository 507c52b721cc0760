"""The recorder and the player of tapes, without a server."""

from __future__ import annotations

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import aiomysql
import asyncmy
import pymysql
import pytest

from tests.scenarios import tape as tape_module
from tests.scenarios.archive import Archive
from tests.scenarios.server import Server, Target
from tests.scenarios.tape import (
    CONNECT,
    LOOPBACK,
    PING,
    UNRECORDED,
    Exchange,
    Player,
    Recorder,
    fixed_greeting,
    packets,
    server_version,
    without_tls,
)
from tests.unit.fake_server import DENIED, HELLO, connected, greeting, ok, packet, playing, rows

CLIENT_SSL = 0x0800


def connect(port: int, **kwargs: Any) -> Any:
    kwargs = {"user": "dump", "password": "111", "ssl_disabled": True} | kwargs
    return pymysql.connect(host=LOOPBACK, port=port, **kwargs)


def fetch(connection: Any, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_recording_replays_the_same_rows(tmp_path: Path) -> None:
    big = Exchange("QUERY SELECT 'ü'", rows(*["many"] * 100))
    with playing(*connected(HELLO, big)) as server:
        recorder = Recorder(LOOPBACK, server.port)
        with connect(recorder.port) as connection:
            live = [fetch(connection, s.send[6:]) for s in (HELLO, big)]
        recorder.close()
    archive = Archive(tmp_path / "tapes")
    archive.save("new/tape", "9.9.9", "2.1", recorder.exchanges)
    tape = archive.load("new/tape", "9.9.9")
    assert tape is not None
    assert tape.server == "8.0.30-MatrixOne-v9.9.9"
    assert tape.exchanges == connected(HELLO, big)
    with playing(*tape.exchanges) as player, connect(player.port) as connection:
        assert [fetch(connection, s.send[6:]) for s in (HELLO, big)] == live
    assert live == [(("hello",),), (("many",),) * 100]
    assert (player.misses, player.unsent()) == ([], [])


def test_unrecorded_statement_is_answered_by_ok() -> None:
    (unrecorded,) = UNRECORDED
    with playing(*connected(HELLO)) as server:
        recorder = Recorder(LOOPBACK, server.port)
        with connect(recorder.port) as connection:
            fetch(connection, unrecorded.removeprefix("QUERY "))
            assert fetch(connection, "SELECT 'hello'") == (("hello",),)
        recorder.close()
        assert server.misses == []
    assert recorder.exchanges == connected(HELLO)


@pytest.mark.parametrize("driver", [aiomysql, asyncmy])
def test_asynchronous_drivers_connect_to_the_player(driver: Any) -> None:
    async def replay(port: int) -> Any:
        connection = await driver.connect(host=LOOPBACK, port=port, user="dump", password="111")
        async with connection.cursor() as cursor:
            await cursor.execute("SELECT 'hello'")
            result = await cursor.fetchall()
        connection.close()
        return result

    with playing(*connected(HELLO)) as player:
        assert list(asyncio.run(replay(player.port))) == [("hello",)]
    assert player.misses == []


def test_repeated_statements_are_answered_in_order() -> None:
    again = Exchange(HELLO.send, rows("again"))
    with playing(*connected(HELLO, again)) as player:
        connection = connect(player.port)
        assert fetch(connection, "SELECT 'hello'") == (("hello",),)
        assert fetch(connection, "SELECT 'hello'") == (("again",),)
        with pytest.raises(pymysql.OperationalError, match="sent more often than in the recording"):
            fetch(connection, "SELECT 'hello'")
    assert len(player.misses) == 1


def test_changed_statement_is_reported_with_the_nearest_recorded() -> None:
    other = Exchange("QUERY DROP TABLE t", ok())
    with playing(*connected(other, HELLO)) as player:
        connection = connect(player.port)
        with pytest.raises(pymysql.OperationalError) as caught:
            fetch(connection, "SELECT 'hallo'")
    expected = "not in the recording: QUERY SELECT 'hallo' | nearest recorded: QUERY SELECT 'hello'"
    assert caught.value.args == (1105, expected)
    assert player.misses == [expected]


def test_command_without_a_name_is_played_by_its_bytes() -> None:
    with playing(*connected(Exchange("09", packet(1, b"statistics")))) as player:
        connection = connect(player.port)
        connection._execute_command(0x09, "")
        assert connection._read_packet().get_all_data() == b"statistics"
    assert player.unsent() == []


def test_unsent_statements_are_listed_but_not_pings() -> None:
    with playing(*connected(HELLO, Exchange(PING, ok()), HELLO)) as player:
        connect(player.port).close()
    assert player.unsent() == [HELLO.send] * 2


def test_fewer_connections_than_recorded_are_tolerated() -> None:
    with playing(*connected(), *connected()) as player:
        connect(player.port).close()
    assert player.unsent() == []


def test_statement_that_one_connection_no_longer_sends_is_not_tolerated() -> None:
    with playing(*connected()) as player:
        connect(player.port, autocommit=None).close()
    assert player.unsent() == ["QUERY SET AUTOCOMMIT = 0"]


def test_more_connections_than_recorded_are_tolerated() -> None:
    with playing(*connected(HELLO)) as player:
        connect(player.port).close()
        assert fetch(connect(player.port), "SELECT 'hello'") == (("hello",),)
    assert (player.misses, player.unsent()) == ([], [])


def check_lost(server: Player | Recorder, statement: str) -> None:
    connection = connect(server.port)
    assert fetch(connection, "SELECT 'hello'") == (("hello",),)
    with pytest.raises(pymysql.OperationalError) as caught:
        fetch(connection, statement)
    assert caught.value.args[0] == 2013
    server.close()


def test_lost_connection_is_recorded_and_replayed() -> None:
    exchanges = connected(HELLO, Exchange("QUERY COMMIT", closed=True))
    with playing(*exchanges) as server:
        recorder = Recorder(LOOPBACK, server.port)
        check_lost(recorder, "COMMIT")
    assert recorder.exchanges == exchanges
    check_lost(Player(recorder.exchanges), "COMMIT")


def test_connection_closed_while_idle_is_lost_with_the_next_statement() -> None:
    closed = Exchange(HELLO.send, HELLO.answer, closed=True)
    lost = Exchange("QUERY COMMIT", closed=True)
    with playing(*connected(closed, lost)) as server:
        recorder = Recorder(LOOPBACK, server.port)
        check_lost(recorder, "COMMIT")
    assert recorder.exchanges == connected(HELLO, lost)


def test_connection_may_be_closed_after_an_answer() -> None:
    exchanges = connected(Exchange(HELLO.send, HELLO.answer, closed=True))
    with playing(*exchanges) as server:
        recorder = Recorder(LOOPBACK, server.port)
        connection = connect(recorder.port)
        assert fetch(connection, "SELECT 'hello'") == (("hello",),)
        assert connection._sock.recv(1) == b""
        connection.close()
        recorder.close()
    assert recorder.exchanges == exchanges


def test_unanswered_statement_times_out_in_the_client() -> None:
    with playing(*connected(Exchange("QUERY SELECT SLEEP(9)"))) as player:
        connection = connect(player.port, read_timeout=0.1)
        with pytest.raises(pymysql.OperationalError, match="timed out"):
            fetch(connection, "SELECT SLEEP(9)")
    assert (player.misses, player.unsent()) == ([], [])


def test_logins_are_answered_by_user_and_in_order() -> None:
    denied = [Exchange(CONNECT, greeting()), Exchange("LOGIN dump", DENIED, True)]
    elsewhere = [Exchange(CONNECT, greeting()), Exchange("LOGIN dump db", DENIED)]
    with playing(*elsewhere, *denied, *connected()) as player:
        with pytest.raises(pymysql.OperationalError, match="denied"):
            connect(player.port)
        connect(player.port).close()
        with pytest.raises(pymysql.OperationalError, match="denied"):
            connect(player.port, database="db")
    assert (player.misses, player.unsent()) == ([], [])


def test_login_may_take_several_steps() -> None:
    switch = packet(2, b"\xfemysql_native_password\0saltsaltsaltsaltsalt\0")
    exchanges = connected(HELLO)
    exchanges[1:2] = [Exchange("LOGIN dump", switch), Exchange("LOGIN dump #2", ok(4))]
    with playing(*exchanges) as server:
        recorder = Recorder(LOOPBACK, server.port)
        assert fetch(connect(recorder.port), "SELECT 'hello'") == (("hello",),)
        recorder.close()
    assert recorder.exchanges == exchanges


def test_tls_is_not_offered_through_the_recorder() -> None:
    assert without_tls(greeting(0xA68F | CLIENT_SSL)) == greeting(0xA68F)
    assert without_tls(DENIED) == DENIED
    assert server_version(DENIED) == ""


def test_greeting_is_recorded_without_salt_and_thread_id() -> None:
    assert fixed_greeting(greeting(thread=b"\7", salt=b"\x01\x02\x03\x04")) == greeting()
    assert fixed_greeting(DENIED) == DENIED


def test_step_that_is_not_sent_is_recorded_and_played() -> None:
    with playing(*connected(HELLO)) as server:
        recorder = Recorder(LOOPBACK, server.port)
        recorder.note("SETUP shop")
        recorder.close()
    assert recorder.exchanges == [Exchange("SETUP shop")]
    with playing(*recorder.exchanges) as player:
        assert player.unsent() == ["SETUP shop"]
        player.note("SETUP shop")
        player.note("SETUP stop")
    assert player.unsent() == []
    assert player.misses == ["not in the recording: SETUP stop | nearest recorded: SETUP shop"]


def test_threads_share_a_tape() -> None:
    def work(number: int) -> None:
        with connect(port) as connection:
            results[number] = fetch(connection, f"SELECT {number}")

    count = 8
    results: dict[int, Any] = {}
    answers = [Exchange(f"QUERY SELECT {n}", rows(str(n))) for n in range(count)]
    with playing(*connected() * count, *reversed(answers)) as player:
        port = player.port
        threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {n: ((str(n),),) for n in range(count)}
    assert (player.misses, player.unsent()) == ([], [])


def test_packet_in_chunks_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "_LONGEST_CHUNK", 4)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(packet(0, b"\3SEL") + packet(1, b"ECT") + packet(0, b"\1"))
        ours.shutdown(socket.SHUT_WR)
        joined, following = packets(theirs)
    assert (joined.payload, joined.sequence) == (b"\3SELECT", 0)
    assert following.payload == b"\1"


def test_server_has_label_release_zone_and_url() -> None:
    server = Server(Target("4.2.0-Asia-Shanghai"), LOOPBACK, 6001)
    assert (server.label, server.release) == ("4.2.0-Asia-Shanghai", (4, 2, 0))
    assert (server.target.zone, server.live) == ("Asia-Shanghai", False)
    url = server.url("asyncmy", user="a:b", database="d", charset="utf8mb4")
    assert url.render_as_string(hide_password=False) == (
        "matrixone+asyncmy://a%3Ab:111@127.0.0.1:6001/d?charset=utf8mb4"
    )
