"""Values never become SQL, in any sql_mode: NO_BACKSLASH_ESCAPES is kept out of every connection."""

from __future__ import annotations

import re

import pytest
import sqlalchemy
from hypothesis import assume, example, given
from hypothesis import strategies as st
from sqlalchemy import String, bindparam, column, func, literal, select

from sqlalchemy_matrixone import MatrixOneInvalidRequestError
from sqlalchemy_matrixone.core import sql_mode
from sqlalchemy_matrixone.core.sql_mode import WITHOUT_MODE, Refusal, set_autocommit, without_mode
from sqlalchemy_matrixone.core.sql_text import Event, read_statement
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

NEW = "8.0.30-MatrixOne-v4.2.0"
OLD = "8.0.30-MatrixOne-v3.0.14"
DIALECT = MatrixOneDialect_pymysql(server_version="4.2.0")
HOSTILE = "\\'; DELETE FROM t; -- "


def change(text: str) -> sql_mode.ModeChange | None:
    return read_statement(text.encode()).mode_change


@pytest.mark.parametrize(
    "text",
    [
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "set session SQL_MODE='ansi_quotes,no_backslash_escapes'",
        'SET @@session.sql_mode := "NO_BACKSLASH_ESCAPES";',
        "SET @@`sql_mode` = 'NO_BACKSLASH_ESCAPES', autocommit = 1",
        "SET time_zone = '+00:00', LOCAL sql_mode /* why */ = 'NO_BACKSLASH_ESCAPES'",
    ],
)
def test_set_of_no_backslash_escapes_is_refused_since_4_2(text: str) -> None:
    found = change(text)
    assert found is not None
    assert found.refusal is Refusal.NAMED
    with pytest.raises(MatrixOneInvalidRequestError, match="SET was not sent: with sql_mode NO_BACKSLASH_ESCAPES"):
        without_mode(found, NEW, text)
    assert without_mode(found, OLD, text) == text


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1; SET sql_mode = DEFAULT",
        "/*!50003 SET sql_mode = @saved */",
        "/*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */; SELECT 1",
        "SET autocommit = 1; SET @@session.sql_mode = @m",
    ],
)
def test_set_of_sql_mode_among_other_statements_is_refused(text: str) -> None:
    found = change(text)
    assert found is not None
    with pytest.raises(MatrixOneInvalidRequestError, match="Send the SET as a separate statement"):
        without_mode(found, None, text)


@pytest.mark.parametrize(
    "text",
    [
        "SET sql_mode = DEFAULT",
        "SET sql_mode = @@global.sql_mode",
        "SET SESSION sql_mode = @m ;",
        "SET sql_mode = CONCAT('NO_BACK', 'SLASH_ESCAPES')",
        "SET sql_mode = 1048576",
        r"SET sql_mode = 'NO\_BACKSLASH_ESCAPES'",
        "SET @old = @@sql_mode",
        "SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES,', '') -- without",
        "SET NAMES utf8mb4, sql_mode = (SELECT @@global.sql_mode)",
    ],
)
def test_set_of_sql_mode_to_an_expression_removes_no_backslash_escapes(text: str) -> None:
    found = change(text)
    assert found is not None
    assert found.sent_as.decode().endswith(f", {WITHOUT_MODE}")
    assert without_mode(found, NEW, text) == found.sent_as
    assert read_statement(found.sent_as).event is Event.SET
    assert change(found.sent_as.decode()) is None


@pytest.mark.parametrize(
    "text",
    [
        "SET sql_mode = ''",
        "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT';",
        "SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "SET @@global.sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "SET @sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "SET GLOBAL sql_mode = @@global.sql_mode",
        "SET @@global.sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES'), sql_mode = 'ANSI_QUOTES'",
        "SET @m = 'sql_mode = NO_BACKSLASH_ESCAPES'",
        "INSERT INTO t VALUES ('/*!50003 SET sql_mode = DEFAULT */')",
        "INSERT INTO t VALUES ('a; SET sql_mode = DEFAULT'); SELECT 1",
        "SELECT @@sql_mode; SELECT 1",
        f"SET AUTOCOMMIT = 0, {WITHOUT_MODE}",
    ],
)
def test_statement_that_does_not_set_sql_mode_is_sent_unchanged(text: str) -> None:
    assert change(text) is None


def test_connection_begins_without_no_backslash_escapes_since_4_2() -> None:
    assert set_autocommit(False, OLD) == "SET AUTOCOMMIT = 0"
    assert set_autocommit(None, OLD) == ""
    assert set_autocommit(True, NEW) == f"SET AUTOCOMMIT = 1, {WITHOUT_MODE}"
    assert set_autocommit(None, None) == f"SET {WITHOUT_MODE}"
    assert read_statement(set_autocommit(False, NEW).encode()).autocommit is False


def read_back(text: str) -> str:
    """Read a string literal as the server does; it must be the whole text."""
    match = re.fullmatch(r"'((?:[^'\\]|''|\\.)*)'", text, re.S)
    assert match is not None
    return re.sub(r"\\(.)", r"\1", match[1].replace("''", "'"), flags=re.S)


SQLALCHEMY = tuple(map(int, re.findall(r"\d+", sqlalchemy.__version__)[:3]))
awkward = st.text("'\"\\%:;` \n\0-#/*ab漢😀\x1a", max_size=30)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | awkward)
@example(HOSTILE)
@example("%s %(x)s :name %%")
@example("\\")
def test_string_literal_is_read_back_as_its_value(value: str) -> None:
    # SQLAlchemy before 2.0.55 mistakes it for one of its parameters.
    assume("%(" not in value or SQLALCHEMY >= (2, 0, 55))
    statement = select(literal(value, String(), literal_execute=False))
    rendered = str(statement.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True})) % ()
    assert read_back(rendered.removeprefix("SELECT ").removesuffix(" AS anon_1")) == value


@pytest.mark.parametrize("reported", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"])
def test_reported_sql_modes_change_neither_quotes_nor_escapes(reported: str) -> None:
    dialect = MatrixOneDialect_pymysql(server_version="3.0.14")
    dialect._sql_mode = reported
    dialect._detect_ansiquotes(None)  # type: ignore[arg-type]
    statement = select(column("order")).where(column("order") == bindparam("x", HOSTILE, literal_execute=True))
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert text == "SELECT `order` FROM DUAL \nWHERE `order` = '\\\\''; DELETE FROM t; -- '"


def test_string_concatenation_uses_a_function_in_every_sql_mode() -> None:
    assert str((column("a", String) + "b").compile(dialect=DIALECT)) == "concat(a, %s)"
    assert str(func.concat("a", "b").compile(dialect=DIALECT)) == "concat(%s, %s)"
