"""The recorder, the player and the fixtures of the scenarios, without a server."""

from __future__ import annotations

import asyncio
import shutil
import socket
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiomysql
import asyncmy
import pymysql
import pytest

from tests.scenarios import tape as tape_module
from tests.scenarios.server import Server, Target
from tests.scenarios.tape import (
    CONNECT,
    LOOPBACK,
    PING,
    Exchange,
    Player,
    Recorder,
    Tape,
    packets,
    server_version,
    without_tls,
)

pytest_plugins = ["pytester"]

CLIENT_SSL = 0x0800


def packet(sequence: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def greeting(flags: int = 0xA68F) -> bytes:
    return packet(
        0,
        b"\x0a8.0.30-MatrixOne-v9.9.9\0" + b"\7\0\0\0" + b"saltsalt\0"
        # flags, character set, status, more flags, length of the salt, filler
        + flags.to_bytes(2, "little") + b"\x2e\2\0\x3b\0\x15" + bytes(10)
        + b"saltsaltsalt\0mysql_native_password\0",
    )  # fmt: skip


def ok(sequence: int = 1) -> bytes:
    return packet(sequence, b"\0\0\0\2\0\0\0")


def rows(*values: str) -> bytes:
    def text(value: str) -> bytes:
        return bytes([len(value)]) + value.encode()

    names = text("def") + text("") * 3 + text("c") + text("c")
    column = names + b"\x0c\x2e\0\xff\0\0\0\xfd\0\0\0\0\0"
    end = b"\xfe\0\0\2\0"
    parts = [b"\1", column, end, *map(text, values), end]
    return b"".join(packet(number, part) for number, part in enumerate(parts, 1))


DENIED = packet(2, b"\xff\x15\x04#28000denied")
HELLO = Exchange("QUERY SELECT 'hello'", rows("hello"))


def connected(*exchanges: Exchange) -> list[Exchange]:
    """What a driver sends to connect, and then the exchanges."""
    return [
        Exchange(CONNECT, greeting()),
        Exchange("LOGIN dump", ok(2)),
        Exchange("QUERY SET NAMES utf8mb4", ok()),
        Exchange("QUERY SET AUTOCOMMIT = 0", ok()),
        *exchanges,
    ]


@contextmanager
def playing(*exchanges: Exchange) -> Iterator[Player]:
    player = Player(Tape(list(exchanges)))
    yield player
    player.close()


def connect(port: int, **kwargs: Any) -> Any:
    kwargs = {"user": "dump", "password": "111", "ssl_disabled": True} | kwargs
    return pymysql.connect(host=LOOPBACK, port=port, **kwargs)


def fetch(connection: Any, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_a_recording_replays_the_same_rows(tmp_path: Path) -> None:
    big = Exchange("QUERY SELECT 'ü'", rows(*["many"] * 100))
    with playing(*connected(HELLO, big)) as server:
        recorder = Recorder(LOOPBACK, server.port)
        with connect(recorder.port) as connection:
            live = [fetch(connection, s.send[6:]) for s in (HELLO, big)]
        recorder.close()
    recorder.tape.save(tmp_path / "new" / "tape.json")
    tape = Tape.load(tmp_path / "new" / "tape.json")
    assert tape == recorder.tape
    assert tape.server == "8.0.30-MatrixOne-v9.9.9"
    assert tape.exchanges == connected(HELLO, big)
    with playing(*tape.exchanges) as player, connect(player.port) as connection:
        assert [fetch(connection, s.send[6:]) for s in (HELLO, big)] == live
    assert live == [(("hello",),), (("many",),) * 100]
    assert (player.misses, player.unsent()) == ([], [])


@pytest.mark.parametrize("driver", [aiomysql, asyncmy])
def test_asynchronous_drivers_connect(driver: Any) -> None:
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
        with pytest.raises(pymysql.OperationalError, match="not in the recording"):
            fetch(connection, "SELECT 'hello'")
    assert len(player.misses) == 1


def test_a_changed_statement_is_told_with_the_nearest_recorded() -> None:
    other = Exchange("QUERY DROP TABLE t", ok())
    with playing(*connected(other, HELLO)) as player:
        connection = connect(player.port)
        with pytest.raises(pymysql.OperationalError) as caught:
            fetch(connection, "SELECT 'hallo'")
    expected = "not in the recording: QUERY SELECT 'hallo' | nearest recorded: QUERY SELECT 'hello'"
    assert caught.value.args == (1105, expected)
    assert player.misses == [expected]


def test_a_command_without_a_name_is_played_by_its_bytes() -> None:
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


def test_what_one_connection_no_longer_sends_is_not_tolerated() -> None:
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


def test_a_lost_connection_is_recorded_and_replayed() -> None:
    exchanges = connected(HELLO, Exchange("QUERY COMMIT", closed=True))
    with playing(*exchanges) as server:
        recorder = Recorder(LOOPBACK, server.port)
        check_lost(recorder, "COMMIT")
    assert recorder.tape.exchanges == exchanges
    check_lost(Player(recorder.tape), "COMMIT")


def test_a_connection_closed_unnoticed_is_lost_with_the_next_statement() -> None:
    closed = Exchange(HELLO.send, HELLO.answer, closed=True)
    lost = Exchange("QUERY COMMIT", closed=True)
    with playing(*connected(closed, lost)) as server:
        recorder = Recorder(LOOPBACK, server.port)
        check_lost(recorder, "COMMIT")
    assert recorder.tape.exchanges == connected(HELLO, lost)


def test_a_connection_may_be_closed_after_an_answer() -> None:
    exchanges = connected(Exchange(HELLO.send, HELLO.answer, closed=True))
    with playing(*exchanges) as server:
        recorder = Recorder(LOOPBACK, server.port)
        connection = connect(recorder.port)
        assert fetch(connection, "SELECT 'hello'") == (("hello",),)
        assert connection._sock.recv(1) == b""
        connection.close()
        recorder.close()
    assert recorder.tape.exchanges == exchanges


def test_an_unanswered_statement_times_out_in_the_client() -> None:
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


def test_a_login_may_take_several_steps() -> None:
    switch = packet(2, b"\xfemysql_native_password\0saltsaltsaltsaltsalt\0")
    exchanges = connected(HELLO)
    exchanges[1:2] = [Exchange("LOGIN dump", switch), Exchange("LOGIN dump #2", ok(4))]
    with playing(*exchanges) as server:
        recorder = Recorder(LOOPBACK, server.port)
        assert fetch(connect(recorder.port), "SELECT 'hello'") == (("hello",),)
        recorder.close()
    assert recorder.tape.exchanges == exchanges


def test_tls_is_not_offered_through_the_recorder() -> None:
    assert without_tls(greeting(0xA68F | CLIENT_SSL)) == greeting(0xA68F)
    assert without_tls(DENIED) == DENIED
    assert server_version(DENIED) == ""


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


def test_a_packet_in_chunks_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "_LONGEST_CHUNK", 4)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(packet(0, b"\3SEL") + packet(1, b"ECT") + packet(0, b"\1"))
        ours.shutdown(socket.SHUT_WR)
        joined, following = packets(theirs)
    assert (joined.payload, joined.sequence) == (b"\3SELECT", 0)
    assert following.payload == b"\1"


def test_a_server_tells_what_it_is_and_where() -> None:
    server = Server(Target("4.2.0-Asia-Shanghai"), LOOPBACK, 6001)
    assert (server.label, server.release) == ("4.2.0-Asia-Shanghai", (4, 2, 0))
    assert (server.target.zone, server.live) == ("Asia-Shanghai", False)
    url = server.url("asyncmy", user="a:b", database="d", charset="utf8mb4")
    assert url.render_as_string(hide_password=False) == (
        "matrixone+asyncmy://a%3Ab:111@127.0.0.1:6001/d?charset=utf8mb4"
    )


# The fixtures: a project with one scenario in it, run by a pytest of its own.

SCENARIO = """
    import pymysql, pytest
    @pytest.mark.parametrize("greet", ["hello"])
    def test_it(server, greet):
        connection = pymysql.connect(
            host=server.host, port=server.port, user="dump", password="111"
        )
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT 'hello'")
            assert cursor.fetchall() == (("hello",),)
"""


class Project:
    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.folder = pytester.mkpydir("scenarios")
        for name in ("conftest.py", "server.py", "tape.py"):
            shutil.copy(Path(tape_module.__file__).with_name(name), self.folder)
        self.write()

    def write(self, old: str = "", new: str = "") -> None:
        """Write the scenario, changed."""
        assert old in SCENARIO
        source = textwrap.dedent(SCENARIO.replace(old, new))
        (self.folder / "test_mini.py").write_text(source)

    def tape(self, label: str = "9.9.9") -> Path:
        folder = self.folder / "tapes" / label / "test_mini"
        own = folder / "test_it-hello.sa20.json"  # of a recording under SQLAlchemy 2.0
        return own if own.exists() else folder / "test_it-hello.json"

    def run(self, *arguments: str) -> pytest.RunResult:
        needed = ["-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"]
        return self.pytester.runpytest("scenarios", *needed, *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MATRIXONE_URLS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take their time
    return Project(pytester)


@pytest.fixture
def recorded(project: Project) -> Project:
    Tape(connected(HELLO)).save(project.tape())
    return project


def test_a_scenario_is_replayed(recorded: Project) -> None:
    recorded.run().assert_outcomes(passed=1)


def test_a_changed_assertion_fails(recorded: Project) -> None:
    recorded.write('(("hello",),)', '(("hallo",),)')
    recorded.run().assert_outcomes(failed=1)


def test_a_changed_statement_fails_even_if_swallowed(recorded: Project) -> None:
    recorded.write(
        """cursor.execute("SELECT 'hello'")
            assert cursor.fetchall() == (("hello",),)""",
        """with pytest.raises(pymysql.OperationalError):
                cursor.execute("SELECT 'hallo'")""",
    )
    result = recorded.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "departs from test_it-hello.json, recorded 20* from *-v9.9.9:",
            "  not in the recording: QUERY SELECT 'hallo' | nearest recorded: QUERY SELECT 'hello'",
            "  recorded but never sent: QUERY SELECT 'hello'",
        ]
    )


def test_a_statement_left_out_fails(recorded: Project) -> None:
    recorded.write("""cursor.execute("SELECT 'hello'")""", "return")
    result = recorded.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*recorded but never sent: QUERY SELECT 'hello'"])


def test_a_scenario_without_a_tape_fails(recorded: Project) -> None:
    recorded.write("test_it", "test_other")
    result = recorded.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["not recorded on 9.9.9: run pytest * --record*"])


def test_without_any_tapes_scenarios_fail(project: Project) -> None:
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["not recorded on any server: run pytest * --record*"])


def test_a_server_out_of_reach_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with playing() as gone:
        pass
    monkeypatch.setenv("MATRIXONE_URLS", f"matrixone+pymysql://{LOOPBACK}:{gone.port}")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: MATRIXONE_URLS: *refused*"])


def test_recording_needs_a_server(project: Project) -> None:
    assert project.run("--record").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(("zone", "label"), [("", "9.9.9"), ("?zone=Asia/Shanghai", "9.9.9-Asia-Shanghai")])
def test_a_scenario_is_recorded(project: Project, monkeypatch: pytest.MonkeyPatch, zone: str, label: str) -> None:
    project.write("@pytest", "@pytest.mark.zone('*')\n    @pytest")
    with playing(*connected(HELLO)) as server:
        address = f"matrixone+pymysql://dump:111@{LOOPBACK}:{server.port}/{zone}"
        monkeypatch.setenv("MATRIXONE_URLS", address)
        project.run("--record").assert_outcomes(passed=1)
    monkeypatch.delenv("MATRIXONE_URLS")
    assert Tape.load(project.tape(label)).exchanges == connected(HELLO)
    project.run().assert_outcomes(passed=1)


def test_a_failing_scenario_is_not_recorded(recorded: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = recorded.tape().read_bytes()
    with playing(*connected(Exchange(HELLO.send, rows("hallo")))) as server:
        address = f"matrixone+pymysql://dump:111@{LOOPBACK}:{server.port}"
        monkeypatch.setenv("MATRIXONE_URLS", address)
        recorded.run("--record").assert_outcomes(failed=1)
    assert recorded.tape().read_bytes() == before


@pytest.mark.parametrize(
    ("marker", "outcome"),
    [
        ("releases(since=(9, 9))", "passed"),
        ("releases(until=(9, 9))", "skipped"),
        ("releases(since=(9, 10), until=(10, 0))", "skipped"),
        ("releases(since=(9, 0), until=(9, 10))", "passed"),
        ("zone('*')", "passed"),
        ("zone('Asia/Shanghai')", "skipped"),
    ],
)
def test_markers_select_servers(recorded: Project, marker: str, outcome: str) -> None:
    recorded.write("@pytest", f"@pytest.mark.{marker}\n    @pytest")
    recorded.run("--strict-markers").assert_outcomes(**{outcome: 1})


def test_a_test_runs_on_servers_of_its_zone(recorded: Project) -> None:
    Tape(connected(HELLO)).save(recorded.tape("9.9.9-Asia-Shanghai"))
    recorded.run().assert_outcomes(passed=1)
    recorded.write("@pytest", "@pytest.mark.zone('Asia/Shanghai')\n    @pytest")
    result = recorded.run("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_it?9.9.9-Asia-Shanghai-hello? PASSED*"])
