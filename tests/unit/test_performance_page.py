"""docs/performance.md has the figures that were measured."""

from __future__ import annotations

import pytest

from benchmarks.measuring import OURS, THEIRS, Comparison
from tools import performance


@pytest.mark.parametrize("area", performance.AREAS)
def test_page_is_written_from_the_stored_figures(area: str) -> None:
    stored = performance.load()
    assert performance.BEGIN.format(area) + performance.tables(stored, area) in performance.PAGE.read_text()


def test_ratio_of_a_comparison_is_that_of_the_least_figures() -> None:
    comparison = Comparison("task", "s", {OURS: [3.0, 2.0, 9.0], THEIRS: [2.0, 4.0, 3.0]})
    assert comparison.ratio == 1
    assert comparison.spread == (0.5, 1.5, 3.0)


def test_comparison_without_a_peer_has_no_ratio() -> None:
    comparison = Comparison("task", "MiB", {OURS: [1.0]})
    assert (comparison.ratio, comparison.spread) == (None, None)
