"""A name is one token of the statement, whatever it contains, or it is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sqlalchemy_matrixone import CreatePitr, CreateSnapshot, MatrixOneArgumentError, RestoreSnapshot
from sqlalchemy_matrixone.aiomysql import MatrixOneDialect_aiomysql
from sqlalchemy_matrixone.core.names import quote_text
from sqlalchemy_matrixone.pymysql import MatrixOneDialect_pymysql

SENT = MatrixOneDialect_pymysql(server_version="4.2.0")
SENT_3_0 = MatrixOneDialect_aiomysql(server_version="3.0.14")
SENT_3_0.default_account_name = "sys"

# A quoted name or a string, as the server's scanner reads them.
TOKEN = re.compile(r"`(?P<name>(?:[^`]|``)*)`|'(?P<text>(?:[^'\\]|''|\\.)*)'", re.S)

names = st.text(min_size=1, max_size=70)
awkward = st.text("`'\"\\%:; \n-#{}/*快照Aa0", min_size=1, max_size=70)


def sent(construct, dialect=SENT) -> str:
    """Return what the server receives: the driver turns two % into one."""
    return str(construct.compile(dialect=dialect)) % ()


def skeleton(statement: str) -> str:
    return TOKEN.sub("?", statement)


def tokens(statement: str) -> list[str]:
    """Return how the server reads quoted text: it reads escapes in a string, but not in a name."""
    return [
        token["name"].replace("``", "`")
        if token["text"] is None
        else re.sub(r"\\(.)", r"\1", token["text"].replace("''", "'"), flags=re.S)
        for token in TOKEN.finditer(statement)
    ]


@given(names | awkward, names | awkward)
@example("\\", "`")
@example("a`; DROP DATABASE b", "x")
@example("100%s", "%(x)s")
def test_database_and_table_names_are_quoted_or_refused(database, table):
    try:
        statement = sent(CreateSnapshot("s", database=database, table=table))
    except MatrixOneArgumentError:
        assert not (database.strip() and table.strip()) or set("\\'\"`") & set(database + table)
        return
    assert skeleton(statement) == "CREATE SNAPSHOT ? FOR TABLE ? ?"
    assert tokens(statement) == ["s", database, table]


@given(names | awkward)
@example("x" * 64)
@example("x" * 65)
@example("Grün-快照:%")
def test_snapshot_names_are_quoted_or_refused(name):
    try:
        made = RestoreSnapshot(name, database="d")
    except MatrixOneArgumentError:
        assert not name.strip() or len(name) > 64 or set(name) & set(" \t`\"'\\\0\r\n")
        return
    assert skeleton(sent(made)) == "RESTORE DATABASE ? {SNAPSHOT = ?}"
    assert tokens(sent(made)) == ["d", name]
    assert tokens(sent(made, SENT_3_0)) == ["sys", "d", name]


@pytest.mark.parametrize("word", ["select", "snapshot", "pitr", "table", "for", "cluster", "UPPER", "快照", "a-b"])
def test_reserved_words_are_quoted_as_names(word):
    assert sent(CreatePitr(word, range="1d", account=word)) == f"CREATE PITR `{word}` FOR ACCOUNT `{word}` RANGE 1 'd'"


@given(names | awkward)
@example("sc_a\\xb")
@example("x\\' OR 1 = 1 -- ")
def test_text_in_a_query_of_the_catalog_is_one_literal(text):
    literal = quote_text(SENT, text) % ()
    assert TOKEN.fullmatch(literal)
    assert tokens(literal) == [text]
