"""A refusal for lack of privileges names what is needed; docs/rights.md has the whole table."""

from __future__ import annotations

import pymysql
import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone import (
    AccountError,
    BranchError,
    PitrError,
    Reason,
    RecoveryError,
    RestoreError,
    SnapshotError,
)
from sqlalchemy_matrixone.core.refusals import server_errors_as


def refuse(message: str) -> None:
    raise exc.OperationalError("CREATE …", None, pymysql.OperationalError(20101, message))


@pytest.mark.parametrize(
    ("error", "needs"),
    [
        (SnapshotError, "the administrator of the account"),
        (PitrError, "the administrator of the account"),
        (RestoreError, "the administrator of the account"),
        (AccountError, "an administrator of the account sys"),
        (BranchError, "SELECT on the tables that are read"),
    ],
)
def test_missing_privilege_is_named_in_the_error(error: type[RecoveryError], needs: str):
    named = pytest.raises(error, match=f"do not have privilege.* It needs {needs}")
    with named as refused, server_errors_as(error, "it"):
        refuse("internal error: do not have privilege to execute the statement")
    assert refused.value.reason is Reason.NOT_PERMITTED


def test_needs_of_the_operation_are_named_instead_of_those_of_the_error_class():
    with pytest.raises(SnapshotError, match=r"It needs SELECT$"), server_errors_as(SnapshotError, "it", needs="SELECT"):
        refuse("internal error: do not have privilege to execute the statement")


def test_refusal_that_names_its_cause_is_left_as_it_is():
    with pytest.raises(SnapshotError, match=r"cluster level snapshot$"), server_errors_as(SnapshotError, "it"):
        refuse("internal error: only sys tenant can create cluster level snapshot")
