"""Find tapes that no test plays, and rename tapes along with a test.

::

    python -m tools.tapes unused            list tapes that no test plays; with --delete, delete them
    python -m tools.tapes rename test_time.py::test_old_name test_time.py::TestClass::test_new_name
    python -m tools.tapes rename --from names.txt       the same for each line "old new" of a file
"""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.scenarios.archive import Archive, tape_name
from tests.scenarios.conftest import ARCHIVE


class _Collector:
    """Collect the tests that have tapes, by name and server."""

    def __init__(self) -> None:
        self.played: set[tuple[str, str]] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            parameters: dict[str, Any] = (getattr(item, "callspec", None) and item.callspec.params) or {}
            if "_server" in parameters and not item.get_closest_marker("skip"):
                label = parameters["_server"].label
                self.played.add((tape_name(item.nodeid, label), label))


def collected() -> set[tuple[str, str]]:
    """Return the tapes that the scenarios play.

    :raises SystemExit: if the scenarios cannot be collected.
    """
    os.environ.pop("MATRIXONE_URLS", None)  # it would exclude the other servers
    collector, output = _Collector(), io.StringIO()
    with redirect_stdout(output):
        status = pytest.main(["--collect-only", "-q", "tests/scenarios"], plugins=[collector])
    if status != pytest.ExitCode.OK:
        raise SystemExit(output.getvalue())
    return collector.played


def unused(archive: Archive, played: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the tapes that no test plays, and the set-ups that no tape refers to, each with its server."""
    recorded = {(name, label) for name in archive.tapes() for label in archive.recorded(name)}
    needed = {setup for name, label in recorded & played for setup in archive.setups_of(name, label)}
    setups = {(name, label) for name in archive.setups() for label in archive.recorded(name)}
    return sorted((recorded - played) | (setups - needed))


def renames(words: Sequence[str]) -> dict[str, str]:
    """Return the new names by the old ones, as the archive has them, from node ids that follow each other.

    :raises ValueError: if an old name has no new one.
    """
    names = [tape_name(word, "") for word in words]
    return dict(zip(names[::2], names[1::2], strict=True))


def main() -> None:
    """Run the subcommand that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("unused")
    listing.add_argument("--delete", action="store_true")
    renaming = commands.add_parser("rename")
    renaming.add_argument("names", nargs="*", help="old and new node id")
    renaming.add_argument("--from", dest="file", type=Path)
    given = parser.parse_args()
    if given.command == "rename":
        words = given.file.read_text().split() if given.file else given.names
        for name in ARCHIVE.rename(renames(words)):
            print(name)
        return
    for name, label in unused(ARCHIVE, collected()):
        print(name, label)
        if given.delete:
            ARCHIVE.delete(name, label)


if __name__ == "__main__":
    main()
