"""Derive from the text of a statement what it does to a transaction."""

from __future__ import annotations

import random

import pytest
from pymysql.cursors import RE_INSERT_VALUES

from sqlalchemy_matrixone.core import sql_text
from sqlalchemy_matrixone.core.sql_text import Event, Sent, for_many, makes_temporary_table, read_statement


def event(text: str) -> Event:
    return read_statement(text.encode()).event


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * FROM t",
        "WITH c AS (SELECT 1) SELECT * FROM c",
        "SHOW TABLES",
        "DESCRIBE t",
        "EXPLAIN SELECT 1",
        "(SELECT 1) UNION (SELECT 2)",
        "USE d",
        "VALUES ROW(1)",
        "SELECT 'INSERT INTO t', `update`, \"for update\" FROM t -- delete",
        "SELECT 1; SELECT 2;",
        "SELECT ';' FROM `a;b` /* ; */ # ;",
        "/* COMMIT */ SELECT 1",
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ],
)
def test_statement_without_writes_is_a_read(text):
    assert event(text) is Event.READ


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (1)",
        "insert into t values ('a;b')",
        "REPLACE INTO t VALUES (1)",
        "-- why\n UPDATE t SET a = 1",
        "DELETE FROM t",
        "SELECT * FROM t FOR UPDATE",
        "SELECT * FROM t FOR  SHARE",
        "SELECT * FROM t LOCK IN SHARE MODE",
        "SELECT nextval('s')",
        "SELECT * FROM t INTO OUTFILE 'x'",
        "(SELECT 1) INTO OUTFILE 'x'",
        "WITH c AS (SELECT 1) DELETE FROM t",
        "EXPLAIN ANALYZE INSERT INTO t VALUES (1)",
    ],
)
def test_statement_that_writes_or_locks_is_a_write(text):
    assert event(text) is Event.WRITE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE TABLE t (a INT) COMMENT 'a clone'", Event.CHANGE),
        ("truncate t", Event.CHANGE),
        ("LOAD DATA INFILE 'x' INTO TABLE t", Event.CHANGE),
        ("KILL 7", Event.CHANGE),
        ("", Event.CHANGE),
        ("CREATE TABLE t CLONE u", Event.COPY),
        ("CREATE TABLE IF NOT EXISTS `my db`.`a ``b` CLONE u {SNAPSHOT = s}", Event.COPY),
        ("CREATE DATABASE d CLONE e", Event.COPY),
        ("DATA BRANCH CREATE TABLE t FROM u", Event.COPY),
        ("CREATE SEQUENCE s", Event.MAY_COMMIT),
        ("DROP SEQUENCE IF EXISTS s", Event.MAY_COMMIT),
        ("LOCK TABLES t READ", Event.MAY_COMMIT),
        ("GRANT SELECT ON t TO r", Event.MAY_COMMIT),
        ("CREATE ACCOUNT a", Event.MAY_COMMIT),
        ("USE ROLE r", Event.MAY_COMMIT),
        ("USE SECONDARY ROLE ALL", Event.MAY_COMMIT),
        ("BEGIN", Event.BEGIN),
        ("start transaction", Event.BEGIN),
        ("/* done */ COMMIT", Event.COMMIT),
        ("-- why\n# and how\n// so\n  commit;", Event.COMMIT),
        ("ROLLBACK", Event.ROLLBACK),
        ("rollback work", Event.ROLLBACK),
        ("ROLLBACK /* all */ TO SAVEPOINT a", Event.ROLLBACK_TO),
        ("rollback work to a", Event.ROLLBACK_TO),
        ("SET NAMES utf8mb4", Event.SET),
        ("SET @x = 1", Event.SET),
    ],
)
def test_statement_kind_is_recognized_by_its_words(text, expected):
    assert event(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "CALL p()",
        "EXECUTE p",
        "COMMIT; INSERT INTO t VALUES (1)",
        "SELECT 1; INSERT INTO t VALUES (1)",
        "SELECT 1 --1; INSERT INTO t VALUES (1)",
        "SELECT 1 /*!; INSERT INTO t VALUES (1) */",
        "/*!50000 INSERT INTO t VALUES (1) */",
        "SELECT 1 // it's\n; INSERT INTO t VALUES ('x')",
        "SELECT $$'$$; INSERT INTO t VALUES (1); SELECT '$$'",
        "SELECT $x$'$x$ FROM t FOR UPDATE -- '",
        r"""SELECT "\"; INSERT INTO t VALUES (1) -- " """,
        "SELECT 'open; INSERT INTO t VALUES (1)",
        "SELECT 1 /* a /* b */; INSERT INTO t VALUES (1) */",
    ],
)
def test_statement_that_may_do_anything_is_opaque(text):
    """Text that only looks like a literal or a comment does not hide a statement."""
    assert event(text) is Event.OPAQUE


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SET autocommit = 1", True),
        ("set session autocommit=ON", True),
        ("SET @@autocommit = 0", False),
        ("SET @@session.autocommit := 'off'", False),
        ("SET LOCAL `autocommit` = TRUE", True),
        ("SET x = 1, autocommit = 0", False),
        ("SET /* a */ autocommit/**/=/**/1 -- on", True),
        ("SET autocommit = 0, autocommit = 1", True),
        ("SET GLOBAL autocommit = 0, autocommit = 1", True),
        ("SET autocommit = %s", None),
        ("SET autocommit = @x", None),
        ("SET autocommit = DEFAULT", None),
        ("SET autocommit = (SELECT 1)", None),
        ("SET autocommit = 0 + 1", None),
        ("SET @x = 'autocommit = 1'", None),
        ("SET @x = 1; SET autocommit = 1", None),
        ("CALL p()", None),
    ],
)
def test_statement_may_set_autocommit(text, value):
    statement = read_statement(text.encode())
    assert statement.sets_autocommit
    assert statement.autocommit is value


@pytest.mark.parametrize(
    "text",
    [
        "SET @autocommit = 1",
        "SET GLOBAL autocommit = 1",
        "SET @@global.autocommit = 0",
        "SET PERSIST autocommit = 1",
        "SET @x = 1",
        "SELECT @@autocommit",
        "INSERT INTO t VALUES ('SET autocommit = 1')",
    ],
)
def test_statement_leaves_autocommit_of_the_session(text):
    assert not read_statement(text.encode()).sets_autocommit


def test_savepoint_name_is_parsed():
    assert read_statement(b"SAVEPOINT sa_savepoint_1") == Sent(Event.SAVEPOINT, "sa_savepoint_1")
    assert read_statement(b"release /* it */ savepoint `a b`").event is Event.RELEASE


@pytest.mark.parametrize("blanks", [" " * 2000, "/* a */" * 1000, "-- a\n" * 1000, "(" * 2000])
def test_statement_after_many_blanks_is_read_at_once(blanks):
    """A pattern that tries every way to divide the blanks would not end."""
    assert event(blanks + "SELECT 1") is Event.READ
    assert not makes_temporary_table(blanks + "SELECT 1")


def test_statement_with_a_large_value_is_read_at_once():
    value = bytes(range(256)).replace(b"\\", b"\\\\").replace(b"'", b"\\'") * 10_000
    assert read_statement(b"INSERT INTO t VALUES ('" + value + b"')").event is Event.WRITE


@pytest.mark.parametrize(
    ("text", "makes"),
    [
        ("CREATE TEMPORARY TABLE t (a INT)", True),
        ("/* fast */ create /* now */ temporary\ntable t (a INT)", True),
        ("CREATE TABLE t (a INT) COMMENT 'create temporary ones'", False),
        ("CREATE TABLE temporary (a INT)", False),
    ],
)
def test_temporary_table_is_distinguished_from_others(text, makes):
    assert makes_temporary_table(text) is makes


_PARTS = (*"'\"`;\\#-/*!$\0\n ", "''", "\\'", "--", "-- ", "/*", "*/", "//", "/*!", "COMMIT", "a", " ", "'; COMMIT; '")


@pytest.mark.parametrize(
    "start", ["INSERT INTO t VALUES ('", "UPDATE t SET a = '", "SELECT a, 'a value', b FROM t -- '"]
)
def test_text_with_a_semicolon_is_single_without_a_regular_expression_only_if_it_is_with_one(start):
    chosen = random.Random(7)  # the same texts in each run
    count = 0
    for _ in range(20_000):
        text = (start + "".join(chosen.choices(_PARTS, k=chosen.randrange(12)))).encode()
        if sql_text._is_plainly_single(text):
            assert sql_text._SINGLE.match(text), text
            count += 1
    assert start[0] == "S" or count > 100


def test_value_with_escaped_quotes_and_semicolons_does_not_end_its_literal():
    text = rb"INSERT INTO t VALUES ('it\'s; a \\', 'x\\\'; COMMIT', 'a''; b') , (1, ';')"
    assert sql_text._is_plainly_single(text)
    assert read_statement(text).event is Event.WRITE


def test_statement_after_the_end_of_a_literal_is_found():
    assert read_statement(rb"UPDATE t SET a = 'x\\'; COMMIT; -- ' WHERE a = 'the end'").event is Event.OPAQUE


def test_backslash_outside_of_literals_is_left_to_the_regular_expression():
    assert not sql_text._is_plainly_single(rb"UPDATE t SET a = \'; COMMIT; '")


INSERT = "INSERT INTO t (id, n) VALUES (%s, %s)"


@pytest.mark.parametrize("update", ["n = %s", "n = %(n)s", "n = '100%%'", "n = (n %% 7)"])
def test_upsert_of_many_rows_with_a_percent_sign_in_its_update_is_sent_for_each_row(update: str):
    statement = for_many(f"{INSERT} ON DUPLICATE KEY UPDATE {update}")
    assert RE_INSERT_VALUES.match(statement) is None
    assert event(statement) is Event.WRITE


@pytest.mark.parametrize("statement", [INSERT, f"{INSERT} ON DUPLICATE KEY UPDATE n = VALUES(n)"])
def test_insert_of_many_rows_without_a_percent_sign_in_its_update_is_sent_once(statement: str):
    assert for_many(statement) == statement
    assert RE_INSERT_VALUES.match(statement)
