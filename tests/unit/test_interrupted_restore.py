"""Restores whose caller is cancelled or interrupted reactivate PITRs, or state that this remains to be done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from sqlalchemy_matrixone import RecoveryError, RecoveryWarning, RestoreError
from sqlalchemy_matrixone.exc import Reason
from sqlalchemy_matrixone.recovery import copying, reactivation, restoring
from sqlalchemy_matrixone.recovery.outcome import Outcome

INACTIVE = frozenset({"inactive_before"})
BEFORE = restoring._Before(None, [], None, None, INACTIVE)
CALL = "call Recovery.reactivate_pitrs()"


def execute(outcome: Outcome | None, losses: Any = None) -> list[str]:
    """Execute a restore that is interrupted, and return the notes of the exception."""
    attempt = SimpleNamespace(outcome=None)

    def interrupt(element: Any) -> None:
        attempt.outcome = outcome
        raise KeyboardInterrupt

    connection: Any = SimpleNamespace(execute=interrupt, dialect=SimpleNamespace(is_async=False))
    element: Any = SimpleNamespace(new_attempt=lambda connection: attempt, copy_with=lambda attempt: None)
    with pytest.raises(KeyboardInterrupt) as raised:
        restoring._execute(connection, element, replace(BEFORE, losses=losses))
    return list(getattr(raised.value, "__notes__", []))


def test_interrupted_restore_that_was_carried_out_reactivates_pitrs(monkeypatch: pytest.MonkeyPatch):
    calls: list[Any] = []
    monkeypatch.setattr(restoring, "reactivate_beside", lambda connection, inactive: calls.append(inactive))
    assert execute(Outcome.DONE) == []
    assert calls == [INACTIVE]


def test_interrupted_restore_that_was_not_carried_out_does_not_look_at_pitrs(monkeypatch: pytest.MonkeyPatch):
    calls: list[Any] = []
    monkeypatch.setattr(restoring, "reactivate_beside", lambda connection, inactive: calls.append(inactive))
    losses = SimpleNamespace(statements=["GRANT …"], describe_statements=lambda: "GRANT …")
    assert execute(Outcome.NOT_DONE, losses) == []
    assert calls == []


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, None])
def test_interrupted_restore_of_unknown_outcome_says_to_reactivate_pitrs(
    monkeypatch: pytest.MonkeyPatch, outcome: Outcome | None
):
    monkeypatch.setattr(restoring, "reactivate_beside", lambda connection, inactive: None)
    assert CALL in execute(outcome)[-1]


def test_interrupted_restore_whose_pitrs_cannot_be_reactivated_has_a_note(monkeypatch: pytest.MonkeyPatch):
    def fail(connection: Any, inactive: Any) -> None:
        raise RecoveryError("no connection")

    monkeypatch.setattr(restoring, "reactivate_beside", fail)
    assert CALL in execute(Outcome.DONE)[-1]


def test_restore_interrupted_after_it_was_carried_out_has_a_note(monkeypatch: pytest.MonkeyPatch):
    def interrupt(connection: Any, before: Any) -> None:
        raise KeyboardInterrupt

    calls: list[Any] = []
    monkeypatch.setattr(restoring._Before, "read", lambda *args, **kw: BEFORE)
    monkeypatch.setattr(restoring, "_execute", lambda *args: None)
    monkeypatch.setattr(restoring, "_complete", interrupt)
    monkeypatch.setattr(restoring, "reactivate_beside", lambda connection, inactive: calls.append(inactive))
    connection: Any = SimpleNamespace(dialect=SimpleNamespace(is_async=False))
    element: Any = SimpleNamespace(check_transaction=lambda connection: None, operation="restore snapshot 's'")
    with pytest.raises(KeyboardInterrupt) as raised:
        restoring.restore(connection, element)
    assert raised.value.__notes__ == ["The restore was carried out, but what follows it was interrupted."]
    assert calls == [INACTIVE]


def test_restore_that_fails_with_unknown_outcome_says_to_reactivate_pitrs():
    def lose(element: Any) -> None:
        raise RestoreError("The connection was lost", Reason.UNKNOWN, done=None)

    connection: Any = SimpleNamespace(execute=lose)
    element: Any = SimpleNamespace(new_attempt=lambda connection: None, copy_with=lambda attempt: None)
    with pytest.raises(RestoreError) as raised:
        restoring._execute(connection, element, BEFORE)
    [note] = raised.value.__notes__
    assert CALL in note


@pytest.mark.parametrize("is_lost", [True, False])
def test_pitrs_after_a_restore_whose_connection_is_lost_are_reactivated_on_another(
    monkeypatch: pytest.MonkeyPatch, is_lost: bool
):
    used: list[Any] = []

    def reactivate(connection: Any, before: Any, **target: Any) -> None:
        used.append(connection)
        if connection is first:
            raise RecoveryError("Lost connection")

    @contextmanager
    def second_connection(engine: Any) -> Iterator[str]:
        yield "second"

    first: Any = SimpleNamespace(engine=create_engine("sqlite://"), invalidated=is_lost)
    monkeypatch.setattr(reactivation, "_reactivate_all_but", reactivate)
    monkeypatch.setattr(reactivation, "autocommit_connection", second_connection)
    with nullcontext() if is_lost else pytest.warns(RecoveryWarning, match="reactivate_pitrs"):
        reactivation.reactivate_after_restore(first, INACTIVE)
    assert used == ([first, "second"] if is_lost else [first])


class LossesOfClone:
    """What a clone loses, which records what is done about it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def put_back(self, connection: Any) -> None:
        self.calls.append("put back")

    def note_on(self, error: BaseException) -> None:
        self.calls.append("note")


@pytest.mark.parametrize(
    ("error", "outcome", "calls"),
    [
        (KeyboardInterrupt(), Outcome.NOT_DONE, []),
        (KeyboardInterrupt(), Outcome.DONE, ["note"]),
        (KeyboardInterrupt(), None, ["note"]),
        (RestoreError("lost", done=True), Outcome.DONE, ["put back"]),
        (RestoreError("lost", Reason.UNKNOWN, done=None), Outcome.UNKNOWN, ["note"]),
        (RestoreError("lost", done=False), Outcome.NOT_DONE, []),
    ],
)
def test_abandoned_clone_of_the_past_is_completed_or_notes_what_remains(
    error: BaseException, outcome: Outcome | None, calls: list[str]
) -> None:
    def fail(element: Any) -> None:
        raise error

    element: Any = SimpleNamespace(
        new_attempt=lambda connection: SimpleNamespace(outcome=outcome), copy_with=lambda attempt: None
    )
    losses: Any = LossesOfClone()
    with pytest.raises(type(error)):
        copying._send(SimpleNamespace(execute=fail), element, losses)  # type: ignore[arg-type]
    assert losses.calls == calls
