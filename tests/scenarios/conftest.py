"""Scenarios run on live servers, or on recordings of them.

Live, on the servers named in ``MATRIXONE_URLS`` (separated by spaces or commas; a
server in a time zone other than UTC is marked by ``?zone=Asia/Shanghai``)::

    MATRIXONE_URLS="matrixone+pymysql://dump:111@127.0.0.1:6001" pytest tests/scenarios

``--record=stale`` replays first, and runs live and records only what fails on its tape or has
none; ``--record=all`` records everything that passes. Without ``MATRIXONE_URLS`` the tapes
are played, and no server is needed.

A few tests send something else under SQLAlchemy 2.0 than under 2.1. Their tapes hold both:
record them with ``--record=stale`` under the newer one first, then under the older.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from _pytest.runner import runtestprotocol

from .archive import Archive, installed_line, label_order, tape_name
from .server import Admin, Server, Target, zone_label
from .tape import LOOPBACK, SETUP, Exchange, Player, Recorder

ARCHIVE = Archive(Path(__file__).parent / "tapes")
LINE = installed_line()
HOW_TO_RECORD = "run pytest tests/scenarios --record=stale, with MATRIXONE_URLS set"
NOWHERE = Target("0")  # if there is no server at all: the tests must fail, not be missing

targets_key = pytest.StashKey[list[Target]]()


@dataclass
class State:
    """The state of a test that is running."""

    replaying: bool = False  # although the server is live, to find out whether the tape is stale
    failed: bool = False
    tape_fits: bool = False  # the last replay departed in nothing but shared set-ups
    exchanges: list[Exchange] | None = None  # recorded, and saved when the test has passed
    setups: dict[str, list[str]] = field(default_factory=dict)


state_key = pytest.StashKey[State]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record",
        choices=("none", "stale", "all"),
        default="none",
        help="record the answers of the servers of MATRIXONE_URLS: of tests that fail on their tapes, or of all",
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
    config.addinivalue_line("markers", "live: needs a server, since a replay would not show what it is about")
    config.stash[targets_key] = _targets(_record_mode(config) != "none")


def _record_mode(config: pytest.Config) -> str:
    return str(config.getoption("--record", default="none"))


def _targets(recording: bool) -> list[Target]:
    urls = re.split(r"[\s,]+", os.environ.get("MATRIXONE_URLS", "").strip())
    if urls != [""]:
        targets = _reached(urls)
    elif recording:
        raise pytest.UsageError("--record needs MATRIXONE_URLS")
    else:
        targets = [Target(label) for label in ARCHIVE.labels()]
    if len({target.label for target in targets}) < len(targets):
        raise pytest.UsageError("MATRIXONE_URLS: two servers of one release and zone")
    targets.sort(key=lambda target: label_order(target.label))
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
    if target.address is None and item.get_closest_marker("live"):
        return [pytest.mark.skip(reason="needs a server: MATRIXONE_URLS")]
    for marker in item.iter_markers("releases"):
        since, until = marker.kwargs.get("since"), marker.kwargs.get("until")
        early = since is not None and target.release < since
        late = until is not None and target.release >= until
        if (early or late) and target is not NOWHERE:
            return [pytest.mark.skip(reason=f"not on release {target.label}")]
    return []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """With ``--record=stale``, replay a test, and run it live only if that fails."""
    state = item.stash.setdefault(state_key, State())
    if _record_mode(item.config) != "stale" or item.get_closest_marker("live"):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    state.replaying = True
    with _without_tracebacks(item.config):  # nobody reads them
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    if any(report.failed for report in reports):
        item.stash[state_key] = State(tape_fits=state.tape_fits)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@contextmanager
def _without_tracebacks(config: pytest.Config) -> Iterator[None]:
    style, config.option.tbstyle = config.option.tbstyle, "no"
    yield
    config.option.tbstyle = style


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    state = item.stash[state_key]
    state.failed |= report.failed
    # Only after teardown is it certain that the test, cleaning up included, passed.
    if report.when == "teardown" and not state.failed and state.exchanges is not None:
        _save(item, state)
    return report


def _save(item: pytest.Item, state: State) -> None:
    label = _target(item).label
    for name, statements in state.setups.items():
        if ARCHIVE.setup(name, label) != statements:
            ARCHIVE.save_setup(name, label, statements)
    if not state.tape_fits:
        afresh = _record_mode(item.config) == "all"
        ARCHIVE.save(tape_name(item.nodeid, label), label, LINE, state.exchanges or [], afresh=afresh)


def _target(item: pytest.Item) -> Target:
    target: Target = item.callspec.params["_server"]  # type: ignore[attr-defined]
    return target


@pytest.fixture
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    item: pytest.Item = request.node
    target, state = _target(item), item.stash[state_key]
    if target.address is None or state.replaying:
        yield from _replayed(item, Target(target.label), state)
    elif _record_mode(item.config) == "none" or item.get_closest_marker("live"):
        yield Server(target, *target.address)
    else:
        yield from _recorded(target, target.address, state)


def _recorded(target: Target, address: tuple[str, int], state: State) -> Iterator[Server]:
    recorder = Recorder(*address)

    def note_setup(name: str, statements: Sequence[str]) -> None:
        recorder.note(SETUP + name)
        state.setups[name] = list(statements)

    yield Server(target, LOOPBACK, recorder.port, note_setup)
    recorder.close()
    state.exchanges = recorder.exchanges


def _replayed(item: pytest.Item, target: Target, state: State) -> Iterator[Server]:
    name = tape_name(item.nodeid, target.label)
    tape = ARCHIVE.load(name, target.label)
    if tape is None:
        where = "any server" if target.label == NOWHERE.label else target.label
        pytest.fail(f"not recorded on {where}: {HOW_TO_RECORD}", pytrace=False)
    player = Player(tape.of_line(LINE))
    changed = []

    def note_setup(name: str, statements: Sequence[str]) -> None:
        player.note(SETUP + name)
        if ARCHIVE.setup(name, target.label) != list(statements):
            changed.append(f"not the set-up that was recorded: {name}")

    yield Server(target, LOOPBACK, player.port, note_setup)
    player.close()
    problems = list(player.misses)
    if not state.failed:  # else it stopped half-way
        problems += [f"recorded but never sent: {key}" for key in player.unsent()]
    state.tape_fits = not state.failed and not problems
    if problems or changed:
        origin = f"{name}.json, recorded {tape.recorded} from {tape.server}"
        pytest.fail("\n  ".join([f"departs from {origin}:", *problems, *changed]), pytrace=False)


@pytest_asyncio.fixture
async def server(_server: Server) -> AsyncIterator[Server]:
    """Provide the server under test, once for each server."""
    yield _server
    await _server.dispose()


@pytest.fixture
def admin(server: Server) -> Iterator[Admin]:
    """Provide the administrator, who connects when first used."""
    admin = Admin(server)
    yield admin
    admin.close()
