"""Record and replay a project with one scenario, in a separate pytest process."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import sqlalchemy

from sqlalchemy_matrixone.core.release import NEWEST
from tests.scenarios import archive as archive_module
from tests.scenarios.archive import Archive
from tests.scenarios.tape import LOOPBACK, Exchange, Player
from tests.unit.fake_server import HELLO, connected, greeting, playing, rows

pytest_plugins = ["pytester"]

Live = Callable[..., AbstractContextManager[Player]]

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
        self.source, self.name = SCENARIO, "test_mini/test_it-hello"
        self.pytester = pytester
        self.folder = pytester.mkpydir("scenarios")
        for name in ("answers.py", "archive.py", "conftest.py", "server.py", "tape.py"):
            shutil.copy(Path(archive_module.__file__).with_name(name), self.folder)
        self.archive = Archive(self.folder / "tapes")
        self.write()

    def write(self, old: str = "", new: str = "") -> None:
        """Write the scenario, changed."""
        assert old in self.source
        source = textwrap.dedent(self.source.replace(old, new))
        (self.folder / "test_mini.py").write_text(source)

    def record(self, *exchanges: Exchange, label: str = "9.9.9", line: str = "2.1") -> None:
        self.archive.save(self.name, label, line, connected(*exchanges))

    def tape(self, label: str = "9.9.9", line: str = "2.1") -> list[Exchange]:
        tape = self.archive.load(self.name, label)
        assert tape is not None
        return tape.of_line(line)

    def files(self) -> dict[str, bytes]:
        paths = (path for path in self.archive.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.archive.folder)): path.read_bytes() for path in paths}

    def run(self, *arguments: str) -> pytest.RunResult:
        needed = ["-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function"]
        return self.pytester.runpytest("scenarios", *needed, *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("MATRIXONE_URLS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # they take their time
    monkeypatch.setattr(sqlalchemy, "__version__", "2.1.0")
    return Project(pytester)


@pytest.fixture
def recorded(project: Project) -> Project:
    project.record(HELLO)
    return project


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Live:
    """Provide a server that answers with the given exchanges and is named in MATRIXONE_URLS."""

    @contextmanager
    def named(*exchanges: Exchange, zone: str = "") -> Iterator[Player]:
        with playing(*exchanges) as server:
            monkeypatch.setenv("MATRIXONE_URLS", f"matrixone+pymysql://dump:111@{LOOPBACK}:{server.port}/{zone}")
            yield server
        monkeypatch.delenv("MATRIXONE_URLS")

    return named


def test_scenario_is_replayed_from_its_tape(recorded: Project) -> None:
    recorded.run().assert_outcomes(passed=1)


def test_scenario_with_a_changed_assertion_fails(recorded: Project) -> None:
    recorded.write('(("hello",),)', '(("hallo",),)')
    recorded.run().assert_outcomes(failed=1)


def test_scenario_with_a_changed_statement_fails_even_if_swallowed(recorded: Project) -> None:
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
            "departs from test_mini/test_it-hello.json, recorded 20* from *-v9.9.9:",
            "  not in the recording: QUERY SELECT 'hallo' | nearest recorded: QUERY SELECT 'hello'",
            "  recorded but never sent: QUERY SELECT 'hello'",
        ]
    )


def test_scenario_that_omits_a_statement_fails(recorded: Project) -> None:
    recorded.write("""cursor.execute("SELECT 'hello'")""", "return")
    result = recorded.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*recorded but never sent: QUERY SELECT 'hello'"])


def test_scenario_without_a_tape_fails(recorded: Project) -> None:
    recorded.write("test_it", "test_other")
    result = recorded.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["not recorded on 9.9.9: run pytest * --record=stale*"])


def test_scenarios_without_any_tapes_fail(project: Project) -> None:
    result = project.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["not recorded on any server: run pytest * --record=stale*"])


def test_unreachable_server_is_reported(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with playing() as gone:
        pass
    monkeypatch.setenv("MATRIXONE_URLS", f"matrixone+pymysql://{LOOPBACK}:{gone.port}")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: MATRIXONE_URLS: *refused*"])


def test_record_option_needs_a_server(project: Project) -> None:
    assert project.run("--record=stale").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("mode", ["stale", "all"])
@pytest.mark.parametrize(("zone", "label"), [("", "9.9.9"), ("?zone=Asia/Shanghai", "9.9.9-Asia-Shanghai")])
def test_scenario_is_recorded_when_it_passes(project: Project, live: Live, mode: str, zone: str, label: str) -> None:
    project.write("@pytest", "@pytest.mark.zone('*')\n    @pytest")
    with live(*connected(HELLO), zone=zone):
        project.run(f"--record={mode}").assert_outcomes(passed=1)
    assert project.tape(label) == connected(HELLO)
    project.run().assert_outcomes(passed=1)


def test_failing_scenario_is_not_recorded(recorded: Project, live: Live) -> None:
    before = recorded.files()
    with live(*connected(Exchange(HELLO.send, rows("hallo")))):
        recorded.run("--record=all").assert_outcomes(failed=1)
    assert recorded.files() == before


def test_scenario_run_live_without_the_option_is_not_recorded(project: Project, live: Live) -> None:
    with live(*connected(HELLO)):
        project.run().assert_outcomes(passed=1)
    assert project.files() == {}


def test_recording_is_the_same_each_time(recorded: Project, live: Live) -> None:
    before = recorded.files()
    other = connected(HELLO)
    other[0] = Exchange(other[0].send, greeting(thread=b"\7", salt=b"pepp"))
    with live(*other):
        recorded.run("--record=all").assert_outcomes(passed=1)
    assert recorded.files() == before


def test_record_stale_runs_no_scenario_live_that_replays(recorded: Project, live: Live) -> None:
    before = recorded.files()
    with live(*connected(HELLO)) as server:
        recorded.run("--record=stale").assert_outcomes(passed=1)
    assert HELLO.send in server.unsent()
    assert recorded.files() == before


def test_record_stale_records_a_scenario_whose_statement_changed(recorded: Project, live: Live) -> None:
    recorded.write("SELECT 'hello'", "SELECT  'hello'")
    changed = Exchange("QUERY SELECT  'hello'", HELLO.answer)
    with live(*connected(changed)):
        recorded.run("--record=stale").assert_outcomes(passed=1)
    assert recorded.tape() == recorded.tape(line="2.0") == connected(changed)


def test_record_stale_reports_a_scenario_that_fails_live_once(recorded: Project, live: Live) -> None:
    recorded.write('(("hello",),)', '(("hallo",),)')
    before = recorded.files()
    with live(*connected(HELLO)):
        recorded.run("--record=stale").assert_outcomes(failed=1)
    assert recorded.files() == before


def test_recording_one_server_keeps_the_answers_of_the_others(recorded: Project, live: Live) -> None:
    recorded.write("@pytest", "@pytest.mark.zone('*')\n    @pytest")
    with live(*connected(HELLO), zone="?zone=Asia/Shanghai"):
        recorded.run("--record=stale").assert_outcomes(passed=1)
    recorded.run().assert_outcomes(passed=2)


def test_build_without_a_number_is_recorded_and_counts_as_newest(project: Project, live: Live) -> None:
    project.write("@pytest", f"@pytest.mark.releases(since={NEWEST})\n    @pytest")
    exchanges = connected(HELLO)
    exchanges[0] = Exchange(exchanges[0].send, greeting(version=b"v"))
    with live(*exchanges):
        project.run("--record=stale").assert_outcomes(passed=1)
    assert project.tape("development") == exchanges
    project.run("-v").stdout.fnmatch_lines(["*test_it?development-hello? PASSED*"])


def test_statements_of_sqlalchemy_2_0_are_recorded_in_the_same_tape(
    recorded: Project, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Exchange('QUERY SELECT "hello"', HELLO.answer)
    recorded.write("SELECT 'hello'", 'SELECT \\"hello\\"')
    monkeypatch.setattr(sqlalchemy, "__version__", "2.0.40")
    with live(*connected(other)):
        recorded.run("--record=stale").assert_outcomes(passed=1)
    assert recorded.tape(line="2.0") == connected(other)
    assert recorded.tape(line="2.1") == connected(HELLO)
    recorded.run().assert_outcomes(passed=1)
    monkeypatch.setattr(sqlalchemy, "__version__", "2.1.0")
    recorded.run().assert_outcomes(failed=1, errors=1)


SETUP = """
    def test_it(server, admin):
        admin.prepare("two rows", "CREATE TABLE t", "INSERT INTO t")
        admin("SELECT 'hello'")
        admin.unrecorded("DROP TABLE t")
"""
PREPARED = ["CREATE TABLE t", "INSERT INTO t"]


@pytest.fixture
def with_setup(project: Project, live: Live) -> Project:
    project.source, project.name = SETUP, "test_mini/test_it"
    project.write()
    with live(*administered("CREATE TABLE t", "INSERT INTO t", "DROP TABLE t")):
        project.run("--record=stale").assert_outcomes(passed=1)
    return project


def administered(*unrecorded: str) -> list[Exchange]:
    """Return what the administrator sends on the recorded connection, and on the other one."""
    start = connected()
    start[-1] = Exchange("QUERY SET AUTOCOMMIT = 1", start[-1].answer)
    statements = [Exchange(f"QUERY {statement}", start[-1].answer) for statement in unrecorded]
    return [start[0], *start, HELLO, *start, *statements]  # the first is asked for the server's release


def test_shared_setup_is_recorded_once_and_cleaning_up_never(with_setup: Project) -> None:
    assert [each.send for each in with_setup.tape()] == [
        "SETUP two rows",
        *(each.send for each in administered()[1:6]),
    ]
    assert with_setup.archive.setup("two rows", "9.9.9") == PREPARED
    with_setup.run().assert_outcomes(passed=1)


def test_scenario_with_a_changed_shared_setup_fails(with_setup: Project) -> None:
    with_setup.write("INSERT INTO t", "INSERT INTO t2")
    result = with_setup.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["  not the set-up that was recorded: two rows"])


def test_scenario_that_omits_a_shared_setup_fails(with_setup: Project) -> None:
    with_setup.write("""admin.prepare("two rows", "CREATE TABLE t", "INSERT INTO t")""", "pass")
    result = with_setup.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["  recorded but never sent: SETUP two rows"])


def test_record_stale_records_a_changed_setup_and_keeps_the_tape(with_setup: Project, live: Live) -> None:
    before = with_setup.files()
    with_setup.write("INSERT INTO t", "INSERT INTO t2")
    with live(*administered("CREATE TABLE t", "INSERT INTO t2", "DROP TABLE t")):
        with_setup.run("--record=stale").assert_outcomes(passed=1)
    after = with_setup.files()
    assert [name for name in after if after[name] != before[name]] == ["setup/two-rows.json"]
    with_setup.run().assert_outcomes(passed=1)


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
def test_scenario_markers_select_servers(recorded: Project, marker: str, outcome: str) -> None:
    recorded.write("@pytest", f"@pytest.mark.{marker}\n    @pytest")
    recorded.run("--strict-markers").assert_outcomes(**{outcome: 1})


def test_scenario_runs_on_servers_of_its_zone(recorded: Project) -> None:
    recorded.record(HELLO, label="9.9.9-Asia-Shanghai")
    recorded.run().assert_outcomes(passed=1)
    recorded.write("@pytest", "@pytest.mark.zone('Asia/Shanghai')\n    @pytest")
    result = recorded.run("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_it?9.9.9-Asia-Shanghai-hello? PASSED*"])
