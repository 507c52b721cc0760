"""The search for the last point in time at which an object existed."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from sqlalchemy_matrixone.recovery.last_moment import MICROSECOND, SECOND, last_moment

NOW = 1_800_000_000 * SECOND
HOUR, DAY = 3600 * SECOND, 86400 * SECOND


class History:
    """The lifetimes of an object, each from one age to another; ``calls`` counts the questions."""

    def __init__(self, *lifetimes: tuple[int, int]) -> None:
        self.lifetimes: Sequence[tuple[int, int]] = [(NOW - begin, NOW - end) for begin, end in lifetimes]
        self.calls = 0

    def existed(self, moment: int) -> bool:
        self.calls += 1
        return any(begin <= moment < end for begin, end in self.lifetimes)

    def last(self, since: int = 365 * DAY, known: Sequence[int] = ()) -> int | None:
        """Return the age that the search finds."""
        found = last_moment(self.existed, NOW - since, NOW, [NOW - age for age in known])
        return None if found is None else NOW - found


def is_end(found: int | None, end: int) -> bool:
    return found is not None and end < found <= end + 2 * MICROSECOND


def test_last_moment_of_a_short_later_lifetime_is_found() -> None:
    history = History((30 * DAY, 10 * DAY), (5 * DAY, 5 * DAY - 4 * HOUR))
    assert is_end(history.last(), 5 * DAY - 4 * HOUR)


def test_last_moment_after_a_gap_within_a_step_is_that_of_the_later_lifetime() -> None:
    # A binary search between the step that finds the first lifetime and the one after it ends in the gap.
    end = 3 * HOUR
    history = History((30 * DAY, end + 100 * SECOND), (end + 20 * SECOND, end))
    assert is_end(history.last(), end)


def test_last_moment_of_random_lifetimes_of_the_promised_length_is_found() -> None:
    numbers = random.Random(7)
    for _ in range(200):
        end = int(10 ** numbers.uniform(0, 7) * SECOND)
        begin = end + max(SECOND, end // 31) + SECOND
        gap = numbers.randrange(1, DAY)
        assert is_end(History((begin + gap + DAY, begin + gap), (begin, end)).last(), end)


def test_last_moment_within_a_snapshot_of_a_short_lifetime_is_found() -> None:
    end = 20 * DAY + 12345 * SECOND
    history = History((100 * DAY, 90 * DAY), (end + 10 * SECOND, end))
    assert is_end(history.last(known=[end + 4 * SECOND]), end)


def test_last_moment_before_the_first_one_is_not_found() -> None:
    assert History((30 * DAY, 10 * DAY)).last(since=5 * DAY) is None


def test_last_moment_is_not_before_the_first_one() -> None:
    assert History((30 * DAY, 0)).last(since=1) == 1


@pytest.mark.parametrize(
    ("dropped", "most"), [(60 * SECOND, 100), (HOUR, 260), (7 * DAY, 460), (365 * DAY, 600)], ids=str
)
def test_last_moment_is_found_by_few_statements(dropped: int, most: int) -> None:
    history = History((1000 * DAY, dropped))
    assert is_end(history.last(since=1000 * DAY), dropped)
    assert history.calls <= most
