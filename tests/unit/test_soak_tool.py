"""The bookkeeping of the soak script, which must notice rows that are lost or were never committed."""

from __future__ import annotations

import pytest

from sqlalchemy_matrixone.recovery.outcome import Outcome as Result
from tools.soak import Book, Gate, Outcome, Report, Transaction, was_carried_out

FIRST = Transaction(inserted={1: 0, 2: 0}, updated={}, counter=1)
SECOND = Transaction(inserted={3: 0}, updated={1: 1}, counter=2)


@pytest.fixture
def book() -> Book:
    book = Book()
    book.enter(FIRST, Outcome.ACKNOWLEDGED)
    return book


def differences(book: Book, rows: dict[int, int], totals: dict[int, int]) -> list[str]:
    return sorted(book.differences(rows, totals))


def test_soak_missing_acknowledged_row_is_a_difference(book: Book) -> None:
    assert differences(book, {1: 0, 2: 0}, {1: 1}) == []
    assert differences(book, {1: 0}, {1: 1}) == ["row 2 was committed with version 0, and is missing"]


def test_soak_missing_acknowledged_update_is_a_difference(book: Book) -> None:
    book.enter(SECOND, Outcome.ACKNOWLEDGED)
    rows = {1: 0, 2: 0, 3: 0}
    assert differences(book, rows, {1: 1, 2: 1}) == ["row 1 was committed with version 1, and is 0"]
    assert differences(book, rows | {1: 1}, {1: 1, 2: 0}) == ["counter 2 is 0 after 1 commits"]


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.LOST])
def test_soak_row_of_an_uncommitted_transaction_is_a_difference(book: Book, outcome: Outcome) -> None:
    book.enter(SECOND, outcome)
    assert differences(book, {1: 1, 2: 0, 3: 0}, {1: 1, 2: 1}) == [
        "counter 2 is 1 after 0 commits",
        "row 1 was committed with version 0, and is 1",
        "row 3 was never committed, and exists with version 0",
    ]


@pytest.mark.parametrize("rows", [{1: 0, 2: 0}, {1: 1, 2: 0, 3: 0}], ids=["rolled-back", "committed"])
def test_soak_transaction_of_unknown_outcome_must_not_change_later(book: Book, rows: dict[int, int]) -> None:
    book.enter(SECOND, Outcome.UNKNOWN)
    report = Report()
    book.settle(rows, report)
    assert report.violations == []
    assert differences(book, rows, {1: 1, 2: int(3 in rows)}) == []
    assert differences(book, {1: 0, 2: 0} if 3 in rows else {1: 1, 2: 0, 3: 0}, {}) != []


def test_soak_half_of_a_transaction_of_unknown_outcome_is_a_violation(book: Book) -> None:
    book.enter(SECOND, Outcome.UNKNOWN)
    report = Report()
    book.settle({1: 0, 2: 0, 3: 0}, report)
    [violation] = report.violations
    assert "committed in part" in violation


def test_soak_gate_names_the_step_that_does_not_end() -> None:
    gate = Gate()
    with gate.step("writer 1"), gate.closed(patience=0.01) as late:
        assert late == ["writer 1"]
    with gate.closed(patience=0.01) as late:
        assert late == []


PITR_NOT_CREATED = f"CREATE PITR `p` FOR DATABASE `d` RANGE 2 'h': {Result.NOT_DONE.value}"


@pytest.mark.parametrize(
    ("notes", "done"),
    [
        ([f"RESTORE DATABASE `d` {{SNAPSHOT = `s`}}: {Result.NOT_DONE.value}"], False),
        ([f"RESTORE DATABASE `d` {{SNAPSHOT = `s`}}: {Result.DONE.value}"], True),
        ([f"RESTORE DATABASE `d` {{SNAPSHOT = `s`}}: {Result.UNKNOWN.value}"], None),
        # What follows the restore was cancelled.
        ([PITR_NOT_CREATED, "The restore was carried out, but what follows it was interrupted."], True),
        ([PITR_NOT_CREATED], None),
        ([], None),
    ],
)
def test_soak_takes_the_outcome_of_a_cancelled_restore_from_the_notes_about_it(
    notes: list[str], done: bool | None
) -> None:
    assert was_carried_out(notes) is done
