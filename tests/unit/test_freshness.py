"""Before a snapshot or a restore, a node of a cluster waits for commits on the other nodes."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pymysql
import pytest
from sqlalchemy import create_engine, event, exc

from sqlalchemy_matrixone import CreatePitr, CreateSnapshot, Reason, RecoveryError, RecoveryWarning, RestoreSnapshot
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.recovery import constructs
from sqlalchemy_matrixone.recovery.freshness import SEE_ALL_COMMITS, see_all_commits
from tests.scenarios.tape import Exchange
from tests.unit.fake_server import connected_by_dialect, ok, playing, row

FACTS = "QUERY SELECT DATABASE(), @@transaction_isolation, @@sql_mode, @@lower_case_table_names, current_account_name()"


def sent(construct: Any, account: str, before: str = "") -> list[str]:
    """Return what is sent to execute a construct, on a connection on which something else has run before."""
    exchanges = connected_by_dialect(Exchange(FACTS, row("", "READ-COMMITTED", "", "1", account)))
    exchanges += [Exchange("QUERY ROLLBACK", ok()), Exchange(f"QUERY {before}", row("1"))]
    statements: list[str] = []
    with playing(*exchanges) as player:
        engine = create_engine(f"matrixone+pymysql://dump:111@127.0.0.1:{player.port}?charset=utf8mb4")
        with engine.connect() as connection:
            if before:
                connection.exec_driver_sql(before)
            event.listen(
                connection, "before_cursor_execute", lambda c, cursor, statement, *_: statements.append(statement)
            )
            with pytest.raises(RecoveryError):  # not recorded
                connection.execute(construct)
            connection.invalidate()
        engine.dispose()
    return statements


@pytest.mark.parametrize("construct", [CreateSnapshot("s", database="d"), RestoreSnapshot("s", account="sys")])
def test_snapshot_and_restore_see_all_commits_first(construct):
    assert sent(construct, "sys")[:2] == [SEE_ALL_COMMITS, str(construct)]


def test_only_sys_asks_the_other_nodes():
    assert SEE_ALL_COMMITS not in sent(CreateSnapshot("s", database="d"), "acc1")


def test_create_pitr_asks_no_other_node():
    assert SEE_ALL_COMMITS not in sent(CreatePitr("p", range="1d", database="d"), "sys")


def test_statement_that_is_refused_in_a_transaction_asks_no_other_node():
    assert sent(CreateSnapshot("s", database="d"), "sys", before="SELECT 1") == []


def refusing(number: int, message: str) -> Any:
    def refuse(statement: str) -> None:
        raise exc.OperationalError(statement, None, pymysql.OperationalError(number, message))

    dialect = Mock(MatrixOneDialect_pymysql, default_account_name="sys")
    dialect.preserving_clean_state.return_value = nullcontext()
    return SimpleNamespace(dialect=dialect, exec_driver_sql=refuse)


def test_unreachable_node_is_a_warning():
    with pytest.warns(RecoveryWarning, match="may be missed: .*backend closed"):
        see_all_commits(refusing(20505, "backend closed"))


def test_missing_privilege_is_left_to_the_statement_that_follows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        see_all_commits(refusing(20101, "internal error: do not have privilege to execute the statement"))


def test_connection_lost_before_the_statement_is_reported_as_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(connection: Any) -> None:
        raise exc.OperationalError("SET", None, Exception(2013, "Lost connection"), connection_invalidated=True)

    monkeypatch.setattr(constructs, "see_all_commits", lose)
    facts = Exchange(FACTS, row("", "READ-COMMITTED", "", "1", "sys"))
    with playing(*connected_by_dialect(facts, Exchange("QUERY ROLLBACK", ok()))) as player:
        engine = create_engine(f"matrixone+pymysql://dump:111@127.0.0.1:{player.port}?charset=utf8mb4")
        with engine.connect() as connection, pytest.raises(RecoveryError, match="was not sent") as lost:
            connection.execute(CreateSnapshot("s", database="shop"))
        engine.dispose()
    assert (lost.value.reason, lost.value.done) == (Reason.OTHER, False)
