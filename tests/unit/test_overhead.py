"""Count the functions of this package that run for each ordinary statement."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from pymysql.connections import Connection as DriverConnection
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, create_engine, insert, select, text, update

import sqlalchemy_matrixone
from sqlalchemy_matrixone import as_of
from sqlalchemy_matrixone.core import sql_text
from sqlalchemy_matrixone.core.connection import _NO_CHANGE, _TRANSITIONS, TransactionState
from sqlalchemy_matrixone.core.pymysql_connection import PyMySQLConnection
from sqlalchemy_matrixone.core.sql_text import Event
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql
from sqlalchemy_matrixone.sql.compiler import MatrixOneExecutionContext, TimeTravelExecutionContext
from tests.unit.fake_server import ok, rows

PACKAGE = str(Path(sqlalchemy_matrixone.__file__).parent)
ORDERS = Table("orders", MetaData(), Column("id", Integer, primary_key=True), Column("note", String(40)))
BY_KEY = ORDERS.c.id == bindparam("key")


class Wire:
    """A socket whose server gives the same answer to each statement."""

    def __init__(self, answer: bytes) -> None:
        self._answer, self._unread = answer, b""

    def sendall(self, data: bytes) -> None:
        self._unread += ok() if b"ROLLBACK" in data else self._answer

    def read(self, size: int) -> bytes:
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def settimeout(self, seconds: float | None) -> None:
        """Accept a timeout."""

    def close(self) -> None:
        """Accept the end."""


def connect_to(answer: bytes) -> PyMySQLConnection:
    connection = PyMySQLConnection(defer_connect=True)
    wire = Wire(answer)
    connection._sock = connection._rfile = wire
    connection.server_version, connection.server_status = "8.0.30-MatrixOne-v4.2.0", 2
    connection.transaction_state = TransactionState(autocommit=False)
    return connection


def functions_run(statement: Any, parameters: dict[str, Any], answer: bytes) -> list[str]:
    """Return the functions of this package that run when a statement is executed for the second time."""
    engine = create_engine("matrixone+pymysql://", creator=lambda: connect_to(answer), _initialize=False)
    names: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            names.append(frame.f_code.co_name)

    with engine.connect() as connection:
        connection.execute(statement, parameters)
        sys.setprofile(note)
        try:
            connection.execute(statement, parameters)
        finally:
            sys.setprofile(None)
    return names


FUNCTIONS = [
    "do_execute",
    "_execute_command",
    "read_command",
    "read_statement",
    "sending",
    "_read_query_result",
    "succeeded",
]


@pytest.mark.parametrize(
    ("statement", "parameters", "answer"),
    [
        (select(ORDERS.c.note).where(BY_KEY), {"key": 7}, rows("a")),
        (update(ORDERS).where(BY_KEY).values(note=bindparam("text")), {"key": 7, "text": "a, b"}, ok()),
        (insert(ORDERS).inline(), {"id": 7, "note": "a, b"}, ok()),
        (text("SELECT note FROM orders WHERE id = 7 AND note = 'b'"), {}, rows("a")),
    ],
    ids=["select", "update", "insert", "text"],
)
def test_ordinary_statement_runs_no_other_function_of_this_package(statement, parameters, answer):
    assert functions_run(statement, parameters, answer) == FUNCTIONS


def test_semicolon_in_a_value_costs_one_function_and_no_regular_expression(monkeypatch):
    monkeypatch.setattr(sql_text, "_SINGLE", None)
    statement = update(ORDERS).where(BY_KEY).values(note=bindparam("text"))
    names = functions_run(statement, {"key": 7, "text": "a; b's \\"}, ok())
    assert [name for name in names if name not in FUNCTIONS] == ["_is_plainly_single"]


def test_values_are_passed_to_loader_options_only_after_a_point_in_time_was_compiled():
    dialect = MatrixOneDialect_pymysql()
    select(ORDERS).compile(dialect=dialect)
    assert dialect.execution_ctx_cls is MatrixOneExecutionContext
    select(as_of(ORDERS, snapshot="s")).compile(dialect=dialect)
    assert dialect.execution_ctx_cls is TimeTravelExecutionContext
    assert MatrixOneDialect_pymysql().execution_ctx_cls is MatrixOneExecutionContext


def test_text_of_a_compiled_statement_is_classified_once():
    compiled = select(ORDERS).compile(dialect=MatrixOneDialect_pymysql())
    assert compiled.is_ordinary
    assert "is_ordinary" in compiled.__dict__


def test_text_that_creates_a_temporary_table_is_not_ordinary():
    assert not text("CREATE TEMPORARY TABLE t (a INT)").compile(dialect=MatrixOneDialect_pymysql()).is_ordinary


def test_points_in_time_are_checked_only_if_a_statement_has_several():
    dialect = MatrixOneDialect_pymysql()
    old, older = (as_of(ORDERS, snapshot="s") for _ in range(2))
    assert select(ORDERS).compile(dialect=dialect).is_ordinary
    assert select(old).compile(dialect=dialect).is_ordinary
    assert not select(old, older).compile(dialect=dialect).is_ordinary


@pytest.mark.parametrize("event", [Event.READ, Event.WRITE])
def test_success_of_a_read_or_write_changes_nothing(event):
    """TransactionState.succeeded() relies on this."""
    assert _TRANSITIONS[event].succeeded is _NO_CHANGE


def test_driver_sends_each_statement_by_the_method_that_is_overridden():
    assert PyMySQLConnection._execute_command is not DriverConnection._execute_command
