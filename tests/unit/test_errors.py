"""The reason of a refusal, by what servers of the three release lines have answered."""

from __future__ import annotations

import pytest
from pymysql.err import OperationalError, ProgrammingError
from sqlalchemy import exc

from sqlalchemy_matrixone import (
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
from sqlalchemy_matrixone.exc import reason_of

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
def test_reason(code, text, reason):
    orig = (ProgrammingError if code == 1064 else OperationalError)(code, text)
    wrapped = exc.DBAPIError("statement", None, orig)
    assert reason_of(orig) == reason_of(wrapped) == reason == Reason(reason)


def test_an_error_without_arguments_has_a_reason_too():
    assert reason_of(OperationalError()) is Reason.OTHER


def test_the_family():
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


def test_reasons():
    assert {str(reason) for reason in Reason} == {
        "exists", "not_found", "not_permitted", "not_covered", "out_of_range", "active_transaction", "timeout",
        "incomplete", "unknown", "conflict", "unsupported", "other",
    }  # fmt: skip
