"""Put back what a restore has lost, statement by statement."""

from __future__ import annotations

import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone.recovery.preservation import _describe, _execute_each


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


SEQUENCES = [
    "CREATE SEQUENCE a.n",
    "USE a",
    "SELECT SETVAL('n', '1')",
    "CREATE SEQUENCE b.n",
    "USE b",
    "SELECT SETVAL('n', '2')",
]


def test_values_of_sequences_are_not_set_in_another_database_after_a_use_that_fails():
    connection, statements = Connection("USE b"), list(SEQUENCES)
    assert _execute_each(connection, statements) is not None
    assert connection.executed == SEQUENCES[:4]
    assert _describe(statements).endswith(":\n  USE b;\n  SELECT SETVAL('n', '2');")


def test_statement_that_failed_is_shown_with_the_use_that_it_needs():
    connection, statements = Connection(SEQUENCES[2]), list(SEQUENCES)
    _execute_each(connection, statements)
    assert connection.executed == SEQUENCES[:2] + SEQUENCES[3:]
    assert _describe(statements).endswith(":\n  USE a;\n  SELECT SETVAL('n', '1');")


def test_nothing_is_shown_if_only_the_use_of_finished_statements_is_left():
    statements = list(SEQUENCES)
    assert _execute_each(Connection(), statements) is None
    assert _describe(statements) == "Nothing else remains to be put back."
