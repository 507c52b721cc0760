"""INSERT with subqueries as values."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import CompileError

from tests.unit.compiling import sql

USERS = sa.Table(
    "users",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20)),
    sa.Column("n", sa.Integer),
)
NEXT = sa.select(sa.func.max(USERS.c.n) + 1).scalar_subquery()
NEXT_SQL = "(SELECT max(users.n) + %s AS anon_1 FROM users)"
ALL = pytest.mark.parametrize("release", ["2.2.2", "3.0.14", "4.2.0"])


@ALL
def test_subquery_as_value_is_selected(release):
    statement = sa.insert(USERS).values(name="a", n=NEXT)
    assert sql(statement, release) == f"INSERT INTO users (name, n) SELECT %s, {NEXT_SQL}"


@ALL
def test_subquery_inside_an_expression_is_selected(release):
    statement = sa.insert(USERS).values(n=sa.func.coalesce(NEXT, 1))
    assert sql(statement, release) == f"INSERT INTO users (n) SELECT coalesce({NEXT_SQL}, %s)"


def test_subquery_default_is_selected_beside_bound_parameters():
    table = sa.Table(
        "t",
        sa.MetaData(),
        sa.Column("a", sa.Integer),
        sa.Column("b", sa.Integer, default=sa.select(5).scalar_subquery()),
    )
    assert sql(sa.insert(table), column_keys=["a"]) == "INSERT INTO t (a, b) SELECT %s, (SELECT 5)"


def test_upsert_with_a_subquery_keeps_its_update():
    statement = mysql.insert(USERS).values(id=1, n=NEXT)
    statement = statement.on_duplicate_key_update(n=statement.inserted.n)
    assert sql(statement) == f"INSERT INTO users (id, n) SELECT %s, {NEXT_SQL} ON DUPLICATE KEY UPDATE n = VALUES(n)"


def test_returning_follows_the_selected_values():
    statement = sa.insert(USERS).values(n=NEXT).returning(USERS.c.id)
    assert sql(statement) == f"INSERT INTO users (n) SELECT {NEXT_SQL} RETURNING users.id"


@pytest.mark.parametrize("name", ["(SELECT 1)", "x' VALUES ((SELECT 1)", 'a"(SELECT 1)'])
def test_text_that_looks_like_a_subquery_stays_a_value(name):
    statement = sa.insert(USERS).values(name=name)
    assert " VALUES ('" in sql(statement, compile_kwargs={"literal_binds": True})


def test_subquery_only_in_the_update_of_an_upsert_leaves_the_values():
    statement = mysql.insert(USERS).values(id=1).on_duplicate_key_update(n=sa.select(5).scalar_subquery())
    assert sql(statement).startswith("INSERT INTO users (id) VALUES (%s) ON DUPLICATE")


def test_subquery_in_several_rows_is_refused():
    with pytest.raises(CompileError, match="no subqueries in the VALUES of an INSERT of several rows"):
        sql(sa.insert(USERS).values([{"n": NEXT}, {"n": NEXT}]))


def test_subquery_in_executemany_with_returning_is_refused():
    """SQLAlchemy repeats the VALUES for each row, and would send a single row if they were missing."""
    statement = sa.insert(USERS).values(n=NEXT)
    assert sql(statement, for_executemany=True) == f"INSERT INTO users (n) SELECT {NEXT_SQL}"
    with pytest.raises(CompileError, match="insert them one by one"):
        sql(statement.returning(USERS.c.id), for_executemany=True)


def test_key_given_as_expression_is_returned_since_4_2():
    statement = sa.insert(USERS).values(id=sa.text("12 + 3"))
    assert sql(statement) == "INSERT INTO users (id) VALUES (12 + 3) RETURNING users.id"
    assert sql(statement, "3.0.14") == "INSERT INTO users (id) VALUES (12 + 3)"
    assert sql(sa.insert(USERS).values(id=15, n=sa.text("1"))) == "INSERT INTO users (id, n) VALUES (%s, 1)"
