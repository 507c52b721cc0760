"""Recognize the reason of a refusal in error messages of servers of three release lines."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from pymysql.err import DataError, OperationalError, ProgrammingError
from sqlalchemy import exc

from sqlalchemy_matrixone import (
    BranchError,
    MatrixOneArgumentError,
    MatrixOneCompileError,
    MatrixOneError,
    MatrixOneInvalidRequestError,
    PitrError,
    Reason,
    RecoveryError,
    RestoreError,
    RestoreWarning,
    SnapshotError,
)
from sqlalchemy_matrixone.aiomysql import MatrixOneDialect_aiomysql
from sqlalchemy_matrixone.asyncmy import MatrixOneDialect_asyncmy
from sqlalchemy_matrixone.core.errors import class_of_violation, reports_missing_column
from sqlalchemy_matrixone.core.refusals import errors_after, errors_before, reason_of, server_errors_as
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

ANSWERS = [
    (20101, "internal error: pitr p_db already exists", "exists"),
    (20101, "internal error: database `pdb` already has a pitr", "exists"),
    (20101, "internal error: cluster level pitr already exists", "exists"),
    (20101, "internal error: snapshot s_db already exists", "exists"),
    (1062, "Duplicate entry '(x,0)' for key '(sname,account_id)'", "exists"),
    (20101, "internal error: pitr nope does not exist", "not_found"),
    (20101, "internal error: database nodb does not exist", "not_found"),
    (20101, "internal error: find 0 snapshot records by name(nosnap), expect only 1", "not_found"),
    (20101, "internal error: no such account, account name: nosuch", "not_found"),
    (20101, "internal error: table notab not exists at snapshot sd", "not_found"),
    (20101, "internal error: database 'd2' table 'n' does not exists at timestamp: 2026-11-26 15:30:10", "not_found"),
    (20101, "internal error: accountName(nosuch) does not match snapshot.accountName(racc)", "not_covered"),
    (20101, "internal error: tableName(u) does not match snapshot.tableName(t)", "not_covered"),
    (20101, "internal error: can't restore db from table level snapshot", "not_covered"),
    (20101, "internal error: can't restore account from db or table level snapshot", "not_covered"),
    (20101, "internal error: pitr p1 is not allowed to restore table d2.u", "not_covered"),
    (20101, "internal error: pitr p2 is not allowed to restore database d1 table t", "not_covered"),
    (20101, "internal error: pitr api_p is not allowed to restore account sys", "not_covered"),
    (20101, "internal error: restore level table is not allowed for database restore", "not_covered"),
    (20101, "internal error: account a is not allowed to restore other account b", "not_permitted"),
    (1049, "Unknown database rdb", "not_found"),
    (20101, "internal error: find 2 tableInfos by name 'a_b' at pitr 'p', expect only 1", "unsupported"),
    (20101, "internal error: do not have privilege to execute the statement", "not_permitted"),
    (20101, "internal error: only sys tenant can create cluster level snapshot", "not_permitted"),
    (20101, "internal error: only sys tenant can create tenant level pitr for other tenant", "not_permitted"),
    (20101, "internal error: non-sys account can't restore snapshot to another account", "not_permitted"),
    (20101, "internal error: can't restore database from other account's snapshot", "not_permitted"),
    (
        20101,
        "internal error: input timestamp 2020-01-01 00:00:00 is less than the pitr valid time 2026-11-22 08:58:28",
        "out_of_range",
    ),
    (
        20101,
        "internal error: input timestamp 2030-01-01 00:00:00 is bigger than now timestamp 2026-11-22 08:58:31",
        "out_of_range",
    ),
    (
        20101,
        "internal error: unclassified statement appears in uncommitted transaction",
        "active_transaction",
    ),
    (20105, "not supported: function or operator 'current_account'", "unsupported"),
    (1064, 'SYNTAX: syntax error at line 1 column 54 near " snapshot r_tb";', "unsupported"),
    (20101, "internal error: can not find table by id 273169: accountId: 0", "other"),
    (1105, "context canceled", "other"),
]


@pytest.mark.parametrize(("code", "text", "reason"), ANSWERS, ids=[text[:60] for _, text, _ in ANSWERS])
def test_reason_of_a_server_error_by_its_text(code, text, reason):
    orig = (ProgrammingError if code == 1064 else OperationalError)(code, text)
    wrapped = exc.DBAPIError("statement", None, orig)
    assert reason_of(orig) == reason_of(wrapped) == reason == Reason(reason)


def test_reason_of_an_error_without_arguments_is_other():
    assert reason_of(OperationalError()) is Reason.OTHER


def test_error_classes_have_their_base_classes():
    for error in (SnapshotError, PitrError, RestoreError):
        assert issubclass(error, RecoveryError)
        assert error("text").reason is Reason.OTHER
    for error, kind in (
        (RecoveryError, exc.SQLAlchemyError),
        (MatrixOneArgumentError, exc.ArgumentError),
        (MatrixOneCompileError, exc.CompileError),
        (MatrixOneInvalidRequestError, exc.InvalidRequestError),
    ):
        assert issubclass(error, MatrixOneError)
        assert issubclass(error, kind)
    assert issubclass(RestoreWarning, exc.SAWarning)


def test_reason_enum_has_the_documented_values():
    assert {str(reason) for reason in Reason} == {
        "exists", "not_found", "not_permitted", "not_covered", "out_of_range", "active_transaction", "timeout",
        "killed", "incomplete", "unknown", "conflict", "unsupported", "other",
    }  # fmt: skip


VIOLATIONS = [
    (3819, "constraint violation: Column 'n' cannot be null", "IntegrityError"),
    (3819, "constraint violation: Check constraint 'ckc' is violated", "IntegrityError"),
    (20101, "internal error: Cannot add or update a child row: a foreign key constraint fails", "IntegrityError"),
    (20101, "internal error: Cannot delete or update a parent row: a foreign key constraint fails", "IntegrityError"),
    (20301, "invalid input: invalid default value for column 'n'", "IntegrityError"),
    (1690, "data out of range: data type int8, value '999'", "DataError"),
    (1365, "division by zero", "DataError"),
    (
        20101,
        "internal error: Can't cast 'a\nb' to VARCHAR type. Src length 3 is larger than Dest length 2",
        "DataError",
    ),
    (
        20101,
        "internal error: Can't cast column from VARCHAR type to VARCHAR type because of one or more values in that "
        "column. Src length 13 is larger than Dest length 1",
        "DataError",
    ),
    (20101, "internal error: convert to MySQL enum failed: item zz is not in enum [a b]", "DataError"),
    (20301, "invalid input: 99999.5 beyond the range, can't be converted to Decimal64(5,2).", "DataError"),
    (20301, "invalid input: invalid datetime value nonsense", "DataError"),
    (20301, "invalid input: invalid time value zz", "DataError"),
    (20301, "invalid input: json text {x", "DataError"),
    (20301, "invalid input: data too long, type width = 3, val = 11111111", "DataError"),
    (20203, "invalid argument cast to int, bad value xyz", "DataError"),
    (20203, "invalid argument parsedate, bad value 2020-13-45", "DataError"),
    (20203, "invalid argument parse timestamp, bad value nonsense", "DataError"),
    (20101, "internal error: convert to MySQL set failed: item c is not in set [a,b]", "DataError"),
    (20101, "internal error: malformed vector input: nonsense", "DataError"),
    (20301, "invalid input: expected vector dimension 3 != actual dimension 2.", "DataError"),
    (20301, "invalid input: abc beyond the range, can't be converted to Decimal128.", "DataError"),
    (20301, "invalid input: Can't convert Float64 To Decimal64: 1000.000000(5,2)", "DataError"),
    (20301, "invalid input: year value out of range: 1800", "DataError"),
    (20301, "invalid input: invalid year format: abc", "DataError"),
    (20301, "invalid input: 'non'sense' is not a valid bool expression", "DataError"),
    (1105, 'strconv.ParseFloat: parsing "context canceled": invalid syntax', "DataError"),
    (1105, "invalid UUID length: 6", "DataError"),
    # What these are not:
    (20101, "internal error: pitr 'Cannot add or update a child row: ' does not exist", None),
    (20101, "internal error: can not drop table 'p' referenced by some foreign key constraint", None),
    (3819, 'constraint violation: duplicate column "a"', None),
    (1105, "context canceled", None),
    (1105, "unknown time zone invalid UUID length: 6", None),
    (
        20101,
        "internal error: can not find Can't cast 'x' to VARCHAR type. Src length 3 is larger than Dest length 2",
        None,
    ),
    (20203, "invalid argument aggregate function any_value, bad value [ENUM]", None),
    (20301, "invalid input: column data too long,  does not exist", None),
    (20301, "invalid input: column 5 beyond the range, can't be converted to Decimal64. does not exist", None),
    (20301, "invalid input: the query is for internal use", None),
    (20701, "deadlock detected", None),
    (2013, "Lost connection to MySQL server during query", None),
]


def execute_and_fail(dialect, error, statement="INSERT"):
    """Execute a statement that the driver answers with an error."""
    cursor = Mock()
    cursor.execute.side_effect = error
    dialect.do_execute(cursor, statement, ())


@pytest.mark.parametrize("dialect", [MatrixOneDialect_pymysql, MatrixOneDialect_aiomysql, MatrixOneDialect_asyncmy])
@pytest.mark.parametrize(("number", "text", "name"), VIOLATIONS)
def test_constraint_violation_is_raised_as_its_dbapi_class(dialect, number, text, name):
    dbapi = dialect.import_dbapi()
    original = dbapi.OperationalError(number, text)
    with pytest.raises(dbapi.Error) as raised:
        execute_and_fail(dialect(dbapi=dbapi), original, "INSERT INTO t VALUES (1)")
    if name is None:
        assert raised.value is original
        return
    assert type(raised.value) is getattr(dbapi, name)
    assert raised.value.args == original.args
    assert raised.value.__cause__ is original
    assert not dialect(dbapi=dbapi).is_disconnect(raised.value, None, None)


def test_invalid_default_of_create_table_is_not_a_violation():
    text = "invalid input: invalid default value for column 'n'"
    assert class_of_violation(OperationalError(20301, text), "CREATE TABLE t (n INT DEFAULT 'x')") is None
    for statement in (
        "\n insert INTO t VALUES ()",
        "/* a */ /* b\n */ INSERT INTO t VALUES ()",
        "REPLACE INTO t VALUES ()",
    ):
        assert class_of_violation(OperationalError(20301, text), statement) == "IntegrityError"


@pytest.mark.parametrize(
    "arguments", [(), ("only a text",), ([3819], "constraint violation: Check constraint"), (3819,)]
)
def test_driver_error_without_number_and_text_is_not_a_violation(arguments):
    assert class_of_violation(OperationalError(*arguments), "INSERT") is None


def test_driver_error_of_the_right_class_is_raised_unchanged():
    dbapi = MatrixOneDialect_pymysql.import_dbapi()
    original = dbapi.IntegrityError(3819, "constraint violation: Column 'n' cannot be null")
    with pytest.raises(dbapi.IntegrityError) as raised:
        execute_and_fail(MatrixOneDialect_pymysql(dbapi=dbapi), original)
    assert raised.value is original


def test_data_error_whose_value_names_a_lost_connection_is_not_a_disconnect():
    dialect = MatrixOneDialect_pymysql(dbapi=MatrixOneDialect_pymysql.import_dbapi())
    text = "internal error: Can't cast 'connection reset' to VARCHAR type. Src length 16 is larger than Dest length 2"
    with pytest.raises(DataError) as raised:
        execute_and_fail(dialect, OperationalError(20101, text))
    assert not dialect.is_disconnect(raised.value, None, None)


@pytest.mark.parametrize(("if_lost", "done"), [(Reason.UNKNOWN, None), (Reason.OTHER, False)])
def test_lost_connection_of_a_statement_that_changes_something_leaves_done_unknown(
    if_lost: Reason, done: bool | None
) -> None:
    lost = exc.OperationalError("DATA BRANCH", None, Exception(2013, "Lost connection"), connection_invalidated=True)
    with pytest.raises(BranchError) as raised, server_errors_as(BranchError, "create branch 'b'", if_lost=if_lost):
        raise lost
    assert (raised.value.reason, raised.value.done) == (if_lost, done)


LOST = exc.OperationalError("SELECT", None, Exception(2013, "Lost connection"), connection_invalidated=True)


@pytest.mark.parametrize(
    ("failed", "message"),
    [
        (LOST, "restore 's' was not sent: Lost connection"),
        (PitrError("reading PITRs: Lost connection", Reason.OTHER), "restore 's' was not sent: reading PITRs: Lost"),
        (RestoreError("RESTORE was not sent: it is a view"), "RESTORE was not sent: it is a view"),
    ],
)
def test_error_of_a_read_before_a_restore_states_that_nothing_was_sent(failed: Exception, message: str) -> None:
    with (
        pytest.raises(RestoreError, match=f"^{message}") as raised,
        errors_before(RestoreError, "restore 's' was not sent"),
    ):
        raise failed
    assert raised.value.done is False


def test_error_of_a_read_after_a_restore_states_that_it_was_carried_out() -> None:
    message = r"^restore 's': it was carried out, but .*: .*Lost connection"
    with pytest.raises(RestoreError, match=message) as raised, errors_after(RestoreError, "restore 's'"):
        raise LOST
    assert raised.value.done is True


@pytest.mark.parametrize(
    ("number", "text", "missing"),
    [
        (20301, "invalid input: column price does not exist", True),
        (1054, "invalid input: column 'orders.price' does not exist", True),  # after 4.2.0
        (1054, "Unknown column 'price' in 'orders'", False),
        (1062, "Duplicate entry 'column price does not exist' for key 'note'", False),
        (1146, "no such table shop.orders", False),
    ],
)
def test_missing_column_is_recognized_by_number_and_text(number, text, missing):
    assert reports_missing_column(OperationalError(number, text)) is missing


def test_error_without_a_number_is_not_a_missing_column():
    assert reports_missing_column(OperationalError()) is False
