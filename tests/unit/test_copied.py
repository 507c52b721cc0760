"""Warn of what a clone lacks and what cannot be put back."""

from __future__ import annotations

from types import SimpleNamespace

import pymysql
import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone import CloneDatabase, CreateBranch, MatrixOneArgumentError, RecoveryWarning
from sqlalchemy_matrixone.branches import copied
from sqlalchemy_matrixone.branches.copied import Copied
from sqlalchemy_matrixone.core.connection import TransactionState
from sqlalchemy_matrixone.core.sequences import Sequence
from sqlalchemy_matrixone.losses.scope import Loss
from tests.unit.compiling import dialect

STATEMENTS = ["CREATE SEQUENCE `a%%b`", "USE `shop_copy`"]


def copy_of_shop(statements=STATEMENTS, names=(), unread=()):
    copy = Copied.__new__(Copied)
    copy._name = "shop_copy"
    copy._loss = Loss(list(statements), list(names))
    copy._unread = list(unread)
    return copy


def connection(autocommit):
    state = TransactionState(autocommit=autocommit)
    return SimpleNamespace(connection=SimpleNamespace(transaction_state=state))


def test_statements_that_fail_after_a_clone_are_told(monkeypatch):
    def fail(connection, statements):
        raise exc.OperationalError(statements[0], None, pymysql.OperationalError(20101, "no privilege"))

    monkeypatch.setattr(copied, "execute_beside", fail)
    with pytest.warns(RecoveryWarning, match="'shop_copy'.*no privilege.*in AUTOCOMMIT: CREATE SEQUENCE `a%b`; USE"):
        copy_of_shop().put_back(connection(autocommit=True))


def test_statements_after_a_clone_in_another_account_are_told():
    with pytest.warns(RecoveryWarning, match="in AUTOCOMMIT: CREATE SEQUENCE `a%b`"):
        copy_of_shop().put_back(connection(autocommit=True), in_other_account=True)


def test_clone_that_lacks_nothing_does_not_warn(recwarn):
    copy_of_shop([]).put_back(connection(autocommit=True))
    assert not recwarn.list


def test_clone_of_a_source_that_could_not_be_read_is_not_said_to_differ():
    copy = copy_of_shop([], unread=["sequences"])
    with pytest.warns(RecoveryWarning, match="created, but may lack these, which could not be read.*sequences") as told:
        copy.put_back(connection(autocommit=True))
    assert "differs from its source" not in str(told[0].message)


def test_clone_that_lacks_something_and_could_not_be_read_otherwise_says_both():
    copy = copy_of_shop([], names=["function `f`"], unread=["sequences"])
    with pytest.warns(RecoveryWarning, match="differs from its source. It lacks function `f`. It may lack .*sequences"):
        copy.put_back(connection(autocommit=True))


@pytest.mark.parametrize(
    "construct", [lambda **kw: CloneDatabase("c", "d", **kw), lambda **kw: CreateBranch("c", "t", **kw)]
)
def test_grants_are_not_copied_to_another_account(construct):
    with pytest.raises(MatrixOneArgumentError, match="another account has other roles"):
        construct(copy_grants=True, to_account="a")


def test_sequence_that_the_server_has_copied_is_not_advanced():
    sequence = Sequence("shop", "a%b", "BIGINT", 15, 1, 100, 10, 5, False, True)
    assert sequence.statements(dialect(), "shop_copy")[1:] == [
        "USE `shop_copy`",
        "SELECT SETVAL('a%%b', '15')",
        "SELECT NEXTVAL('a%%b') FROM `a%%b` WHERE NOT is_called",
    ]
