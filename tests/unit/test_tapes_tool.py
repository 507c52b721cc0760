"""The tool that finds unused tapes and renames them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.archive import Archive
from tests.scenarios.tape import SETUP, Exchange
from tools.tapes import renames, unused

ROOT = Path(__file__).parents[2]
ONE, OTHER, LONGER = "test_mini/test_it-hello", "test_mini/test_other", "test_mini/test_it_again"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path)
    for name in (ONE, OTHER, LONGER):
        for label in ("3.0.14", "4.2.0"):
            archive.save(name, label, "2.1", [Exchange(f"{SETUP}rows of {name[10:]}")])
            archive.save_setup(f"rows of {name[10:]}", label, ["INSERT"])
    return archive


def test_unused_tapes_and_setups_are_listed(archive: Archive) -> None:
    played = {(name, label) for name in (ONE, LONGER) for label in ("3.0.14", "4.2.0")} - {(ONE, "3.0.14")}
    left = [("setup/rows-of-test_it-hello", "3.0.14"), (ONE, "3.0.14")]
    left += [(name, label) for name in ("setup/rows-of-test_other", OTHER) for label in ("3.0.14", "4.2.0")]
    assert unused(archive, played) == sorted(left)
    for name, label in left:
        archive.delete(name, label)
    assert unused(archive, played) == []
    assert archive.load(ONE, "4.2.0") is not None
    assert archive.tapes() == [ONE, LONGER]


def test_renamed_tests_keep_their_tapes(archive: Archive) -> None:
    before = archive.load(ONE, "4.2.0"), archive.load(OTHER, "4.2.0")
    names = [
        "test_mini.py::test_it",
        "test_mini.py::TestMini::test_that",
        "test_mini.py::test_other",
        "test_mini.py::test_it",
    ]
    new = ["test_mini/TestMini-test_that-hello", "test_mini/test_it"]
    assert archive.rename(renames(names)) == new
    assert archive.tapes() == sorted([*new, LONGER])
    assert (archive.load(new[0], "4.2.0"), archive.load(new[1], "4.2.0")) == before
    assert archive.load(OTHER, "4.2.0") is None


def test_renaming_a_test_to_an_existing_name_changes_nothing(archive: Archive) -> None:
    before = archive.tapes()
    with pytest.raises(FileExistsError, match="test_other"):
        archive.rename({"test_mini/test_it_again": "test_mini/test_other", "test_mini/test_it": "test_mini/test_that"})
    assert archive.tapes() == before


def test_repository_has_no_unused_tapes() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tools.tapes", "unused"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == ""
