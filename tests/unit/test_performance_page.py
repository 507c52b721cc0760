"""docs/performance.md has the figures that were measured."""

from __future__ import annotations

import pytest

from benchmarks.measuring import OURS, THEIRS, Comparison
from tools import performance


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
