"""PITRs are reactivated even if the caller of a restore was cancelled or interrupted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sqlalchemy_matrixone import RecoveryError
from sqlalchemy_matrixone.recovery import restoring
from sqlalchemy_matrixone.recovery.execution import Outcome

INACTIVE = frozenset({"inactive_before"})
BEFORE = restoring._Before(None, [], None, None, INACTIVE)
CALL = "call Recovery.reactivate_pitrs()"


def interrupted(outcome: Outcome) -> BaseException:
    error = KeyboardInterrupt()
    error.add_note(outcome.value)
    return error


def execute(error: BaseException) -> list[str]:
    """Execute a restore that ends in an exception, and return the notes of that."""

    def fail(element: Any) -> None:
        raise error

    connection: Any = SimpleNamespace(execute=fail, dialect=SimpleNamespace(is_async=False))
    element: Any = None
    with pytest.raises(type(error)) as raised:
        restoring._execute(connection, element, BEFORE)
    return list(raised.value.__notes__)


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.NOT_DONE])
def test_interrupted_restore_reactivates_pitrs(monkeypatch: pytest.MonkeyPatch, outcome: Outcome):
    calls: list[Any] = []
    monkeypatch.setattr(restoring, "reactivate_beside", lambda connection, inactive: calls.append(inactive))
    assert execute(interrupted(outcome)) == [outcome.value]
    assert calls == [INACTIVE]


def test_interrupted_restore_of_unknown_outcome_says_to_reactivate_pitrs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(restoring, "reactivate_beside", lambda connection, inactive: None)
    assert CALL in execute(interrupted(Outcome.UNKNOWN))[-1]


def test_interrupted_restore_whose_pitrs_cannot_be_reactivated_says_so(monkeypatch: pytest.MonkeyPatch):
    def fail(connection: Any, inactive: Any) -> None:
        raise RecoveryError("no connection")

    monkeypatch.setattr(restoring, "reactivate_beside", fail)
    assert CALL in execute(interrupted(Outcome.DONE))[-1]


def test_restore_interrupted_after_it_was_carried_out_says_so(monkeypatch: pytest.MonkeyPatch):
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
