"""The account of what has run on a connection, as the servers count it."""

from __future__ import annotations

import pytest

from sqlalchemy_matrixone.core.connection import TransactionState, makes_temporary_table


def run(*statements: str, autocommit: bool = False) -> TransactionState:
    state = TransactionState(autocommit)
    for statement in statements:
        state.sent(statement, state.sending(statement))
    return state


@pytest.mark.parametrize(
    "statements",
    [
        [],
        ["SELECT 1", "COMMIT"],
        ["SELECT 1", "rollback"],
        ["BEGIN", "INSERT INTO t VALUES (1)", "/* done */ COMMIT"],
        ["SET @x = 1"],
        ["INSERT INTO t VALUES (1)", "SET time_zone = '+00:00'"],
        ["SELECT 1", "-- why\n# and how\n  commit;"],
    ],
)
def test_clean(statements):
    assert not run(*statements).has_statements


@pytest.mark.parametrize(
    "statements",
    [
        ["SELECT 1"],
        ["BEGIN"],
        ["START TRANSACTION"],
        ["USE d"],
        ["COMMIT", "SHOW TABLES"],
        ["SELECT 1", "ROLLBACK TO SAVEPOINT a"],
        ["/* COMMIT */ SELECT 1"],
        [""],
    ],
)
def test_used(statements):
    assert run(*statements).has_statements


def test_what_failed_counts_as_run():
    state = TransactionState()
    state.sending("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
    assert state.has_statements


def test_autocommit_is_used_by_an_explicit_transaction_alone():
    assert not run("SELECT 1", autocommit=True).has_statements
    assert run("SELECT 1", "BEGIN", autocommit=True).has_statements
    assert not run("BEGIN", "SELECT 1", "COMMIT", "SELECT 1", autocommit=True).has_statements


@pytest.mark.parametrize("value", ["1", "ON", "true"])
def test_autocommit_set_by_hand_is_seen(value):
    assert run(f"SET autocommit = {value}").autocommit
    assert run(f"set session autocommit={value}").autocommit
    assert not run("SET @@autocommit = 0", autocommit=True).autocommit


@pytest.mark.parametrize("blanks", [" " * 200, "/* a */" * 100, "-- a\n" * 100])
def test_a_statement_without_a_first_word_is_read_at_once(blanks):
    """A word found by trying every way to part the blanks would take longer than anybody waits."""
    assert run(blanks + "(SELECT 1)").has_statements


@pytest.mark.parametrize(
    ("statement", "makes"),
    [
        ("CREATE TEMPORARY TABLE t (a INT)", True),
        ("/* fast */ create /* now */ temporary\ntable t (a INT)", True),
        ("CREATE TABLE t (a INT) COMMENT 'create temporary ones'", False),
        ("CREATE TABLE temporary (a INT)", False),
    ],
)
def test_temporary_tables(statement, makes):
    assert makes_temporary_table(statement) is makes
