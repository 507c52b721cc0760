"""Scenarios run on live servers, or on recordings of them.

Live, on the servers named in ``MATRIXONE_URLS`` (separated by spaces or commas; a
server in another time zone than UTC says so by ``?zone=Asia/Shanghai``)::

    MATRIXONE_URLS="matrixone+pymysql://dump:111@127.0.0.1:6001" pytest tests/scenarios

With ``--record`` added, the tapes of all tests that pass are written anew.  Without
``MATRIXONE_URLS`` the tapes are played, and no server is needed.

SQLAlchemy 2.0 words a few statements of the ORM otherwise than 2.1.  A test that it
fails on the tape for that reason has a second one, ``.sa20.json``, recorded with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import pytest_asyncio
import sqlalchemy

from .server import Admin, Server, Target, zone_label
from .tape import LOOPBACK, Player, Recorder, Tape

TAPES = Path(__file__).parent / "tapes"
OLD_SQLALCHEMY = sqlalchemy.__version__.startswith("2.0.")
HOW_TO_RECORD = "run pytest tests/scenarios --record, with MATRIXONE_URLS set"
NOWHERE = Target("0")  # stands in for no server at all, lest nothing runs and passes

targets_key = pytest.StashKey[list[Target]]()
failed_key = pytest.StashKey[bool]()
recording_key = pytest.StashKey[tuple[Tape, Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record",
        action="store_true",
        help="write what the servers of MATRIXONE_URLS say to the tapes",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "releases(since=None, until=None): run on MatrixOne releases from since up to, "
        "not including, until; both are tuples such as (3, 0)",
    )
    config.addinivalue_line(
        "markers",
        "zone(*names): run on servers in these time zones instead of UTC; '*' is any",
    )
    config.stash[targets_key] = _targets(_recording(config))


def _recording(config: pytest.Config) -> bool:
    return bool(config.getoption("--record", default=False))


def _targets(recording: bool) -> list[Target]:
    urls = re.split(r"[\s,]+", os.environ.get("MATRIXONE_URLS", "").strip())
    if urls != [""]:
        targets = _reached(urls)
    elif recording:
        raise pytest.UsageError("--record needs MATRIXONE_URLS")
    else:
        targets = [Target(folder.name) for folder in TAPES.glob("[0-9]*")]
    if len({target.label for target in targets}) < len(targets):
        raise pytest.UsageError("MATRIXONE_URLS: two servers of one release and zone")
    targets.sort(key=lambda target: (target.release, target.zone))
    return targets or [NOWHERE]


def _reached(urls: list[str]) -> list[Target]:
    try:
        return [Target.from_url(url) for url in urls]
    except (OSError, RuntimeError) as error:
        raise pytest.UsageError(f"MATRIXONE_URLS: {error}") from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "_server" not in metafunc.fixturenames:
        return
    targets = metafunc.config.stash[targets_key]
    params = [
        pytest.param(target, id=target.label, marks=_skip(metafunc.definition, target))
        for target in targets
        if target is NOWHERE or _in_zone(metafunc.definition, target)
    ]
    metafunc.parametrize("_server", params, indirect=True)


def _in_zone(item: pytest.Item, target: Target) -> bool:
    marker = item.get_closest_marker("zone")
    zones = [zone_label(zone) for zone in marker.args] if marker else [""]
    return "*" in zones or target.zone in zones


def _skip(item: pytest.Item, target: Target) -> list[pytest.MarkDecorator]:
    for marker in item.iter_markers("releases"):
        since, until = marker.kwargs.get("since"), marker.kwargs.get("until")
        early = since is not None and target.release < since
        late = until is not None and target.release >= until
        if (early or late) and target is not NOWHERE:
            return [pytest.mark.skip(reason=f"not on release {target.label}")]
    return []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[failed_key] = True
    # Only after teardown is it certain that the test, cleaning up included, passed.
    passed = report.when == "teardown" and not item.stash.get(failed_key, False)
    if passed and (recording := item.stash.get(recording_key, None)):
        tape, path = recording
        tape.save(path)
    return report


def _tape_path(item: pytest.Item, label: str, recording: bool) -> Path:
    """tapes/<label>/<module>/<class and test and its other parameters>.json"""
    module, _, test = item.nodeid.partition("::")
    name = re.sub(r"[^\w.]+", "-", test.replace(label, "", 1), flags=re.ASCII)
    path = TAPES / label / Path(module).stem / f"{name.strip('-')}.json"
    own = path.with_suffix(".sa20.json")
    return own if OLD_SQLALCHEMY and (recording or own.exists()) else path


@pytest.fixture
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    target: Target = request.param
    item: pytest.Item = request.node
    path = _tape_path(item, target.label, _recording(request.config))
    if target.address is None:
        yield from _replayed(item, target, path)
    elif _recording(request.config):
        recorder = Recorder(*target.address)
        yield Server(target, LOOPBACK, recorder.port)
        recorder.close()
        item.stash[recording_key] = (recorder.tape, path)
    else:
        yield Server(target, *target.address)


def _replayed(item: pytest.Item, target: Target, path: Path) -> Iterator[Server]:
    if not path.exists():
        where = "any server" if target is NOWHERE else target.label
        pytest.fail(f"not recorded on {where}: {HOW_TO_RECORD}", pytrace=False)
    tape = Tape.load(path)
    player = Player(tape)
    yield Server(target, LOOPBACK, player.port)
    player.close()
    problems = list(player.misses)
    if not item.stash.get(failed_key, False):  # else it stopped half-way
        problems += [f"recorded but never sent: {key}" for key in player.unsent()]
    if problems:
        origin = f"{path.name}, recorded {tape.recorded} from {tape.server}"
        pytest.fail("\n  ".join([f"departs from {origin}:", *problems]), pytrace=False)


@pytest_asyncio.fixture
async def server(_server: Server) -> AsyncIterator[Server]:
    """The server under test, once for every server there is."""
    yield _server
    await _server.dispose()


@pytest.fixture
def admin(server: Server) -> Iterator[Admin]:
    """For setting up and cleaning up; connects when requested."""
    connection = pymysql.connect(
        host=server.host,
        port=server.port,
        user="dump",
        password=server.target.password,
        ssl_disabled=True,
        autocommit=None,  # said below, in a way that never depends on the driver
    )

    def execute(statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    execute("SET AUTOCOMMIT = 1")
    yield execute
    connection.close()
