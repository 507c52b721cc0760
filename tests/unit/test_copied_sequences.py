"""Sequences of a clone that cannot be created: the clone exists, so that is a warning and not an error."""

from __future__ import annotations

from types import SimpleNamespace

import pymysql
import pytest
from sqlalchemy import exc

from sqlalchemy_matrixone import RecoveryWarning
from sqlalchemy_matrixone.branches import sequences
from sqlalchemy_matrixone.branches.sequences import CopiedSequences
from sqlalchemy_matrixone.core.connection import TransactionState
from sqlalchemy_matrixone.core.sequences import Sequence
from tests.unit.compiling import dialect


def test_clone_that_cannot_create_sequences_warns_with_the_statements(monkeypatch):
    def fail(connection, statements):
        raise exc.OperationalError(statements[0], None, pymysql.OperationalError(20101, "no privilege"))

    monkeypatch.setattr(sequences, "execute_beside", fail)
    copied = CopiedSequences.__new__(CopiedSequences)
    copied._copy, copied._statements = "shop_copy", ["CREATE SEQUENCE `a%%b`", "USE `shop_copy`"]
    driver = SimpleNamespace(transaction_state=TransactionState(autocommit=True))
    with pytest.warns(RecoveryWarning, match="'shop_copy'.*no privilege.*in AUTOCOMMIT: CREATE SEQUENCE `a%b`; USE"):
        copied.put_back(SimpleNamespace(connection=driver))


def test_sequence_that_the_server_has_copied_is_not_advanced():
    sequence = Sequence("shop", "a%b", "BIGINT", 15, 1, 100, 10, 5, False, True)
    assert sequence.statements(dialect(), "shop_copy")[1:] == [
        "USE `shop_copy`",
        "SELECT SETVAL('a%%b', '15')",
        "SELECT NEXTVAL('a%%b') FROM `a%%b` WHERE NOT is_called",
    ]
