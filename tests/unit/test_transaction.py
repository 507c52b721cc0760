"""Track the transaction state of a connection."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import InvalidRequestError

from sqlalchemy_matrixone.core.connection import TransactionState, following, read_command, read_prepared, state_of
from sqlalchemy_matrixone.core.sql_text import Event, read_statement


def follow(state: TransactionState, text: str, error: int | None = None) -> None:
    statement = read_statement(text.encode())
    state.sending(statement)
    state.pending = statement
    if error is None:
        state.succeeded()
    else:
        state.failed(RuntimeError(error, "as the server says"))


def run(
    *statements: str | tuple[str, int],
    autocommit: bool | None = False,
    greeting: str | None = "8.0.30-MatrixOne-v4.2.0",
) -> TransactionState:
    """Follow statements; one with a number has failed with that error."""
    state = TransactionState(autocommit)
    state.know_server(greeting)
    for statement in statements:
        text, error = (statement, None) if isinstance(statement, str) else statement
        follow(state, text, error)
    return state


class TestTransactionHasStatements:
    @pytest.mark.parametrize(
        "statements",
        [
            [],
            ["SELECT 1", "COMMIT"],
            ["SELECT 1", "rollback"],
            ["BEGIN", "INSERT INTO t VALUES (1)", "/* done */ COMMIT"],
            ["SET @x = 1"],
            ["INSERT INTO t VALUES (1)", "SET time_zone = '+00:00'"],
        ],
    )
    def test_clean_connection_has_no_statements(self, statements):
        assert not run(*statements).has_statements

    @pytest.mark.parametrize(
        "statements",
        [
            ["SELECT 1"],
            ["BEGIN"],
            ["START TRANSACTION"],
            ["USE d"],
            ["COMMIT", "SHOW TABLES"],
            ["/* COMMIT */ SELECT 1"],
            [""],
            ["COMMIT; INSERT INTO t VALUES (1)"],
            ["INSERT INTO t VALUES (1); COMMIT"],
            ["SET TRANSACTION ISOLATION LEVEL READ COMMITTED"],
            ["SAVEPOINT a", "RELEASE SAVEPOINT a"],
            ["CREATE SEQUENCE s"],
            [("SELECT * FROM nowhere", 1146)],
            [("SET sql_mode = 'garbage'", 20101)],
            ["SELECT 1", ("COMMIT", 20619)],
        ],
    )
    def test_used_connection_has_statements(self, statements):
        assert run(*statements).has_statements

    def test_autocommit_connection_has_statements_only_after_begin(self):
        assert not run("SELECT 1", autocommit=True).has_statements
        assert run("SELECT 1", "BEGIN", autocommit=True).has_statements
        assert not run("BEGIN", "SELECT 1", "COMMIT", "SELECT 1", autocommit=True).has_statements

    def test_unknown_autocommit_counts_as_off(self):
        assert run("SELECT 1", autocommit=None).has_statements
        assert not run("SET autocommit = DEFAULT", autocommit=True).has_statements
        assert run("SET autocommit = DEFAULT", "SELECT 1", autocommit=True).has_statements


class TestTransactionHasWrites:
    @pytest.mark.parametrize(
        "statement", ["INSERT INTO t VALUES (1)", "CREATE TABLE t (a INT)", "SELECT * FROM t FOR UPDATE", "CALL p()"]
    )
    def test_writes_and_locks_mark_the_transaction_as_written(self, statement):
        assert run(statement).has_writes
        assert not run(statement, "COMMIT").has_writes

    @pytest.mark.parametrize("statement", ["SELECT 1", "USE d", "BEGIN", "SAVEPOINT a"])
    def test_reads_do_not_mark_the_transaction_as_written(self, statement):
        assert not run(statement).has_writes

    def test_refused_write_has_written_nothing(self):
        assert not run(("INSERT INTO t VALUES (1)", 1062)).has_writes
        assert run("INSERT INTO t VALUES (1)", ("INSERT INTO t VALUES (1)", 1062)).has_writes

    @pytest.mark.parametrize("error", [0, 104, 2013, 2014])
    def test_write_whose_answer_was_lost_may_have_written(self, error):
        assert run(("INSERT INTO t VALUES (1)", error)).has_writes

    def test_write_whose_answer_cannot_be_decoded_has_written(self):
        state = TransactionState()
        statement = read_statement(b"INSERT INTO t VALUES (1) RETURNING a")
        state.sending(statement)
        state.pending = statement
        state.failed(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"))
        assert state.has_writes

    @pytest.mark.parametrize("statement", ["DROP TABLE a, b", "CALL p()", "INSERT INTO t VALUES (1); COMMIT"])
    def test_refused_statement_other_than_a_write_may_have_written(self, statement):
        assert run((statement, 1146)).has_writes


class TestExplicitBegin:
    def test_explicit_begin_is_tracked_until_commit_or_rollback(self):
        assert run("BEGIN").explicit_begin
        assert run("start transaction", "INSERT INTO t VALUES (1)").explicit_begin
        assert not run("BEGIN", "ROLLBACK").explicit_begin
        assert not run("SELECT 1").explicit_begin

    @pytest.mark.parametrize("statement", ["LOCK TABLES t READ", "CREATE SEQUENCE s", "CALL p()", "COMMIT; BEGIN"])
    def test_explicit_begin_is_uncertain_after_an_implicit_commit(self, statement):
        assert not run("BEGIN", statement).explicit_begin

    @pytest.mark.parametrize("error", [20701, 1205, 20706])
    def test_explicit_begin_is_uncertain_after_a_deadlock_or_lock_timeout(self, error):
        state = run("BEGIN", ("UPDATE t SET a = 1", error))
        assert not state.explicit_begin
        assert state.has_statements


class TestAutocommit:
    @pytest.mark.parametrize("value", ["1", "ON", "true"])
    def test_autocommit_set_by_a_statement_is_tracked(self, value):
        assert run(f"SET autocommit = {value}").autocommit
        assert not run("SET @@autocommit = 0", autocommit=True).autocommit

    @pytest.mark.parametrize("statement", ["SET @autocommit = 1", "SET GLOBAL autocommit = 1"])
    def test_other_variables_named_autocommit_change_nothing(self, statement):
        assert run(statement).autocommit is False

    @pytest.mark.parametrize("statement", ["SET autocommit = @x", "CALL p()", "EXECUTE p"])
    def test_autocommit_set_to_an_expression_is_unknown(self, statement):
        assert run(statement, autocommit=True).autocommit is None

    def test_autocommit_is_unknown_after_a_failed_set(self):
        assert run(("SET autocommit = 7", 20101), autocommit=True).autocommit is None


class TestTransactionMustRollBack:
    """Earlier writes are lost on the server, or cannot be undone: a commit would keep half of a transaction."""

    @pytest.mark.parametrize(
        "failed", [("SET nonsense = 1", 20101), ("DROP SEQUENCE s", 1146), ("UPDATE t SET a = 1", 20701)]
    )
    @pytest.mark.parametrize("commit", ["COMMIT", "BEGIN", "SET @x = 1", "SELECT 1; COMMIT", "CREATE SEQUENCE s"])
    def test_commit_is_refused_after_the_server_lost_writes(self, failed, commit):
        state = run("INSERT INTO t VALUES (1)", failed)
        with pytest.raises(InvalidRequestError, match=f"error {failed[1]}.* Call rollback"):
            follow(state, commit)
        follow(state, "SELECT 1")
        follow(state, "ROLLBACK")
        follow(state, commit)

    def test_commit_is_allowed_if_no_write_was_lost(self):
        assert not run("SELECT 1", ("SET nonsense = 1", 20101)).must_roll_back
        assert not run(("UPDATE t SET a = 1", 20701)).must_roll_back
        assert not run("INSERT INTO t VALUES (1)", ("INSERT INTO t VALUES (1)", 1062)).must_roll_back
        assert not run("INSERT INTO t VALUES (1)", ("SET nonsense = 1", 20101), autocommit=True).must_roll_back

    def test_commit_is_refused_after_a_lost_commit(self):
        assert run("INSERT INTO t VALUES (1)", ("COMMIT", 20619)).must_roll_back

    def test_commit_is_refused_after_reconnecting_with_writes(self):
        state = TransactionState()
        state.reconnected(run("INSERT INTO t VALUES (1)"))
        assert "connected again" in state.must_roll_back
        state.reconnected(run("INSERT INTO t VALUES (1)", "COMMIT"))
        assert not state.must_roll_back


INSERT = "INSERT INTO t VALUES (1)"


def roll_back_to(state: TransactionState, savepoint: str) -> list[str]:
    """Roll back to a savepoint; return what is sent for it."""
    sent: list[str] = []

    def roll_back() -> None:
        begin = ["BEGIN"] if state.explicit_begin else []
        for statement in ["ROLLBACK", *begin]:
            follow(state, statement)
            sent.append(statement)

    state.roll_back_to(savepoint, roll_back)
    return sent


class TestSavepoints:
    @pytest.mark.parametrize(
        "statements",
        [
            [],
            ["SELECT 1"],
            [(INSERT, 1062)],
            ["SAVEPOINT b", (INSERT, 1062), "RELEASE SAVEPOINT b"],
        ],
    )
    @pytest.mark.parametrize("before", [[], [INSERT]])
    def test_rollback_to_does_nothing_if_nothing_was_written_since(self, before, statements):
        state = run(*before, "SAVEPOINT a", *statements)
        assert roll_back_to(state, "a") == []
        assert state.has_writes == bool(before)
        follow(state, "COMMIT")

    @pytest.mark.parametrize(
        "statement",
        [
            INSERT,
            "SELECT 1 FOR UPDATE",
            "CREATE TABLE t (a INT)",
            ("DROP TABLE a, b", 1146),
            (INSERT, 2013),
            "RELEASE SAVEPOINT b",
        ],
    )
    def test_rollback_to_rolls_back_everything_if_nothing_was_written_before(self, statement):
        state = run("SELECT 1", "SAVEPOINT a", "SAVEPOINT b", INSERT, statement)
        assert roll_back_to(state, "a") == ["ROLLBACK"]
        assert not state.has_writes
        follow(state, INSERT)
        assert roll_back_to(state, "a") == ["ROLLBACK"]
        follow(state, "COMMIT")

    @pytest.mark.parametrize("begin", [["BEGIN", "SAVEPOINT a"], ["SAVEPOINT a", "BEGIN"]])
    def test_rollback_to_begins_an_explicit_transaction_again(self, begin):
        state = run(*begin, INSERT)
        assert roll_back_to(state, "a") == ["ROLLBACK", "BEGIN"]
        assert state.explicit_begin
        assert roll_back_to(state, "a") == []

    def test_begin_that_commits_something_ends_savepoints(self):
        state = run("SAVEPOINT a", INSERT, "BEGIN")
        with pytest.raises(InvalidRequestError, match="ended the transaction"):
            roll_back_to(state, "a")

    def test_deadlock_in_a_savepoint_can_be_rolled_back_if_nothing_was_written_before(self):
        state = run("SAVEPOINT a", INSERT, ("UPDATE t SET a = 1", 20701))
        assert state.must_roll_back
        assert roll_back_to(state, "a") == ["ROLLBACK"]
        assert not state.must_roll_back

    @pytest.mark.parametrize(
        ("statement", "reason"),
        [
            (INSERT, "written in it"),
            ("SELECT 1 FOR UPDATE", "written in it"),
            ("CREATE TABLE t (a INT)", "written in it"),
            (("DROP TABLE a, b", 1146), "written in it"),
            (("UPDATE t SET a = 1", 20701), "error 20701"),
            ((INSERT, 2013), "written in it"),
            ("CALL p()", "ended the transaction"),
            ("COMMIT", "ended the transaction"),
            ("SET @x = 1", "ended the transaction"),
            ("RELEASE SAVEPOINT a", "ended the transaction"),
        ],
    )
    def test_rollback_to_is_refused_if_something_was_written_before_and_since(self, statement, reason):
        state = run(INSERT, "SAVEPOINT a", statement)
        with pytest.raises(InvalidRequestError, match=rf"{reason}.* rollback"):
            roll_back_to(state, "a")
        with pytest.raises(InvalidRequestError, match="Nothing was sent"):
            follow(state, "COMMIT")
        follow(state, "ROLLBACK")
        assert not state.must_roll_back

    def test_rollback_to_is_refused_if_a_call_may_have_committed(self):
        state = run("SAVEPOINT a", "CALL p()")
        with pytest.raises(InvalidRequestError, match="ended the transaction"):
            roll_back_to(state, "a")

    def test_savepoint_includes_writes_of_an_inner_savepoint(self):
        state = run(INSERT, "SAVEPOINT a", "SAVEPOINT b", INSERT, "RELEASE SAVEPOINT b")
        with pytest.raises(InvalidRequestError):
            roll_back_to(state, "a")

    def test_inner_savepoint_is_usable_after_earlier_writes(self):
        state = run("SAVEPOINT a", INSERT, "SAVEPOINT b", ("INSERT INTO t VALUES (1)", 1062))
        assert roll_back_to(state, "b") == []
        assert state.has_writes
        assert roll_back_to(state, "a") == ["ROLLBACK"]

    def test_savepoint_can_be_rolled_back_to_again(self):
        state = run("SAVEPOINT a", "SAVEPOINT b")
        roll_back_to(state, "a")
        roll_back_to(state, "a")
        with pytest.raises(InvalidRequestError):
            roll_back_to(state, "b")

    def test_failed_rollback_leaves_no_savepoint(self):
        state = run("SAVEPOINT a", INSERT)

        def lost() -> None:
            follow(state, "ROLLBACK", 2013)
            raise ConnectionError

        with pytest.raises(ConnectionError):
            state.roll_back_to("a", lost)
        assert state.has_writes

    def test_rollback_to_in_autocommit_error_says_that_all_is_committed(self):
        state = run("SAVEPOINT a", INSERT, autocommit=True)
        with pytest.raises(InvalidRequestError, match="AUTOCOMMIT"):
            roll_back_to(state, "a")
        assert not state.must_roll_back

    def test_rollback_to_is_refused_if_autocommit_is_unknown(self):
        state = run("SAVEPOINT a", INSERT, autocommit=None)
        with pytest.raises(InvalidRequestError, match="written in it"):
            roll_back_to(state, "a")

    def test_rollback_to_with_an_incomplete_state_is_refused(self):
        state = TransactionState(complete=False)
        follow(state, "SAVEPOINT a")
        with pytest.raises(InvalidRequestError, match="creator="):
            roll_back_to(state, "a")

    def test_rollback_to_is_never_sent(self):
        """The server refuses it and undoes the statement before it."""
        with pytest.raises(InvalidRequestError, match="was not sent"):
            run("SAVEPOINT a", "ROLLBACK TO SAVEPOINT a")


WRITE, SET = "INSERT INTO t VALUES (1)", "SET @x = 1"


@pytest.mark.parametrize("greeting", ["8.0.30-MatrixOne-v", "8.0.30-MatrixOne-v4.2.1", "8.0.36-proxy", None])
class TestSetAfter42:
    """After 4.2.0, a SET does not commit. A build that still does must not make anything go wrong."""

    def test_set_leaves_the_transaction_open(self, greeting):
        state = run("BEGIN", WRITE, SET, autocommit=True, greeting=greeting)
        assert state.in_transaction
        assert state.has_statements
        assert state.has_writes
        assert state.explicit_begin

    @pytest.mark.parametrize("last", [SET, "SET autocommit = 0", ("SET nonsense = 1", 20101)])
    def test_set_on_a_clean_connection_leaves_it_clean(self, greeting, last):
        assert run(last, greeting=greeting).is_clean
        assert run(WRITE, "COMMIT", last, greeting=greeting).is_clean

    def test_autocommit_that_is_switched_on_commits(self, greeting):
        state = run(WRITE, "SET autocommit = 1", greeting=greeting)
        assert (state.autocommit, state.has_statements, state.has_writes) == (True, False, False)

    @pytest.mark.parametrize("before", [True, None])
    def test_autocommit_that_may_have_been_on_is_not_taken_to_commit(self, greeting, before):
        state = run("BEGIN", WRITE, "SET autocommit = 1", autocommit=before, greeting=greeting)
        assert state.in_transaction
        assert state.has_writes

    def test_failed_set_after_a_write_requires_a_rollback(self, greeting):
        state = run(WRITE, ("SET nonsense = 1", 20101), greeting=greeting)
        with pytest.raises(InvalidRequestError, match="commit half of a transaction"):
            follow(state, "COMMIT")
        follow(state, "ROLLBACK")
        assert state.is_clean

    def test_savepoint_before_a_set_cannot_be_rolled_back_to(self, greeting):
        state = run("SAVEPOINT a", WRITE, SET, greeting=greeting)
        with pytest.raises(InvalidRequestError, match="ended the transaction, or may have"):
            state.roll_back_to("a", lambda: None)


class TestTransactionStateIsCertain:
    def test_state_of_a_tracked_connection_is_certain(self):
        assert TransactionState().is_clean
        assert not run("SELECT 1").is_clean

    def test_state_of_a_foreign_connection_is_never_certain(self):
        class Connection:
            autocommit_mode = False

            def get_server_info(self):
                return "8.0.30-MatrixOne-v4.2.0"

        connection = Connection()
        state = state_of(connection)
        assert state is state_of(connection)
        assert state.autocommit is False
        assert not state.is_clean
        with following(connection, "SELECT 1"):
            assert state.has_statements
        with following(connection, "COMMIT"):
            pass
        assert not state.has_statements
        assert not state.is_clean


class TestProtocolCommands:
    def test_protocol_commands_change_the_transaction_state(self):
        assert read_command(3, "COMMIT").event is Event.COMMIT
        assert read_command(3, bytearray(b"INSERT INTO t VALUES (1)")).event is Event.WRITE
        assert read_command(2, "database").event is Event.READ
        assert read_command(14, "").event is Event.NOTHING
        assert read_command(12, b"\x07\0\0\0").event is Event.OPAQUE

    def test_prepared_statement_is_known_by_its_number(self):
        prepared = {7: read_prepared("SELECT ?"), 8: read_prepared(b"COMMIT")}
        assert read_command(23, b"\x07\0\0\0\0\1\0\0\0", prepared).event is Event.READ
        assert read_command(23, b"\x08\0\0\0\0\1\0\0\0", prepared).event is Event.OPAQUE
        assert read_command(23, b"\x09\0\0\0\0\1\0\0\0", prepared).event is Event.OPAQUE
        assert read_command(23, b"\x07\0\0\0\0\1\0\0\0").event is Event.OPAQUE
