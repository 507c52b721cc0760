"""docs/performance.md contains the measured figures."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks import cpu_shares
from benchmarks.measuring import OURS, THEIRS, Comparison
from tools import performance
from tools.performance import Size


@pytest.mark.parametrize("area", performance.AREAS)
def test_page_is_written_from_the_stored_figures(area: str) -> None:
    stored = performance.load()
    assert performance.BEGIN.format(area) + performance.tables(stored, area) in performance.PAGE.read_text()


def test_ratio_of_a_comparison_is_the_median_of_its_pairs() -> None:
    comparison = Comparison("task", "s", {OURS: [3.0, 2.0, 9.0], THEIRS: [2.0, 4.0, 3.0]})
    assert comparison.ratio == 1.5
    assert comparison.interval == (0.5, 3.0)


def test_interval_of_many_pairs_is_that_of_their_median() -> None:
    comparison = Comparison("task", "s", {OURS: [*map(float, range(1, 101))], THEIRS: [1.0] * 100})
    assert comparison.ratio == 50.5
    assert comparison.interval == (41, 60)


def test_comparison_without_a_peer_has_no_ratio() -> None:
    comparison = Comparison("task", "MiB", {OURS: [1.0]})
    assert (comparison.ratio, comparison.interval) == (None, None)


@pytest.mark.parametrize(("size", "expected"), [(Size.TRIAL, (1, 1)), (Size.NORMAL, (2, 2)), (Size.HEAVY, (2, 3))])
def test_size_without_heavy_figure_measures_as_much_as_normally(size: Size, expected: tuple[int, int]) -> None:
    assert (size.of(1, 2), size.of(1, 2, 3)) == expected


@pytest.mark.parametrize(("size", "stored"), [(Size.TRIAL, []), (Size.NORMAL, ["area"])])
def test_trial_runs_known_area_again_and_stores_nothing(
    size: Size, stored: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def measure(server: str, size: Size) -> list[Comparison]:
        ran.append(size)
        return [Comparison("task", "s", {OURS: [1.0]})]

    monkeypatch.setattr(performance, "AREAS", {"area": measure})
    monkeypatch.setattr(performance, "RESULTS", tmp_path / "folder" / "results.json")
    monkeypatch.setattr(performance, "release_of", lambda server: "4.2.0")
    for _ in range(2):
        performance.run("server", [], again=False, size=size)
    assert list(performance.load()) == stored
    assert len(ran) == (2 if size is Size.TRIAL else 1)


def test_cpu_time_is_that_of_the_innermost_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test itself stands for a package that calls the standard library."""
    monkeypatch.setattr(cpu_shares, "PACKAGES", {__file__: "caller", "/not/running/": "other"})

    def compute() -> None:
        end = time.process_time() + 0.2
        while time.process_time() < end:
            sorted(range(1000))

    seconds = cpu_shares.seconds_by_package(compute)
    assert seconds["caller"] >= 0.15
    assert seconds["other"] == 0


def test_cpu_time_of_package_that_the_peer_lacks_is_not_compared() -> None:
    ours = {"SQLAlchemy": 3.0, "Alembic": 0.0, "the driver": 0.5, cpu_shares.THIS_PACKAGE: 0.5}
    theirs = {**ours, cpu_shares.THIS_PACKAGE: 0.0}
    rows = list(cpu_shares.by_package("reflect()", {OURS: [ours], THEIRS: [theirs]}))
    assert [(row.task, row.peer) for row in rows] == [
        ("reflect(), CPU time", THEIRS),
        ("reflect(), in SQLAlchemy: 75%", THEIRS),
        ("reflect(), in the driver: 12%", THEIRS),
        ("reflect(), in this package: 12%", None),
    ]
