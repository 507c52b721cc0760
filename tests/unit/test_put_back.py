"""What a restore has lost is put back statement by statement."""

from __future__ import annotations

import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone.recovery.preservation import _execute_each


class Connection:
    def __init__(self, *failing: str, is_lost: bool = False) -> None:
        self.failing, self.is_lost = failing, is_lost
        self.executed: list[str] = []

    def exec_driver_sql(self, statement: str) -> None:
        if statement in self.failing:
            raise exc.DBAPIError(statement, None, Exception("refused"), connection_invalidated=self.is_lost)
        self.executed.append(statement)


def test_statements_after_one_that_fails_are_executed():
    connection, statements = Connection("b"), ["a", "b", "c"]
    failure = _execute_each(connection, statements)
    assert connection.executed == ["a", "c"]
    assert statements == ["b"]
    assert str(failure.orig) == "refused"


def test_statements_after_a_lost_connection_are_not_executed():
    connection, statements = Connection("b", is_lost=True), ["a", "b", "c"]
    with pytest.raises(exc.DBAPIError):
        _execute_each(connection, statements)
    assert statements == ["b", "c"]
